//! An SV1 pool that does what a test tells it, illegal things included, and says what it was told.
//!
//! It has no task of its own: a connection waits in the listener until the test asks for it, and the pool is mute at any
//! step at which the test is. Every line it sends passes its [`Sv1Verifier`], however the line was cut into segments.

pub mod message;
mod session;
mod verifier;

pub use message::Sv1Job;
pub use session::{Asked, Sv1Session};
pub use verifier::{Judged, Notify, Sv1Share, Sv1Verifier, Violation};

pub use crate::scripted_pool::now;
use crate::{
    PATIENCE,
    sv1_wire::{LineError, LinePeer, TlsIdentity, patiently},
};
use serde_json::{Value, json};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
pub(crate) use verifier::bytes;

/// One hash in 4096 is a share: 2^244 is 0xffff × 2^208 through this.
pub const EASY_DIFFICULTY: f64 = 65_535.0 / (1_u64 << 36) as f64;

/// What it gives a miner that sets up a connection.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// Fixed bytes before the miner's.
    pub extranonce1: Vec<u8>,
    /// Bytes of the miner.
    pub extranonce2_size: usize,
    /// Announced before the first job.
    pub difficulty: f64,
    /// Result of `mining.configure`.
    pub configured: Value,
}

impl Default for Welcome {
    fn default() -> Self {
        Self {
            extranonce1: vec![0xa0, 0xa1, 0xa2, 0xa3],
            extranonce2_size: 8,
            difficulty: EASY_DIFFICULTY,
            configured: json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}),
        }
    }
}

impl Welcome {
    /// Result of `mining.subscribe`.
    #[must_use]
    pub fn subscribed(&self) -> Value {
        let subscriptions = json!([["mining.set_difficulty", "d1"], ["mining.notify", "n1"]]);
        json!([subscriptions, message::hex(&self.extranonce1), self.extranonce2_size])
    }

    /// Bytes of both extranonces, for [`Sv1Job`].
    #[must_use]
    pub fn extranonce_length(&self) -> usize {
        self.extranonce1.len() + self.extranonce2_size
    }
}

/// A pool under a test's control.
pub struct ScriptedSv1Pool {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsIdentity>,
    verifier: Arc<Mutex<Sv1Verifier>>,
}

impl ScriptedSv1Pool {
    /// Listens on a free loopback port, in clear.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::listen(None, Arc::default()).await
    }

    /// Listens on a free loopback port, in TLS.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start_tls(identity: TlsIdentity) -> io::Result<Self> {
        Self::listen(Some(identity), Arc::default()).await
    }

    /// The same pool on another port: it knows every header of this one.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn on_another_port(&self) -> io::Result<Self> {
        Self::listen(self.tls.clone(), Arc::clone(&self.verifier)).await
    }

    async fn listen(tls: Option<TlsIdentity>, verifier: Arc<Mutex<Sv1Verifier>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls, verifier })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a miner is configured with.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "stratum+ssl" } else { "stratum+tcp" };
        format!("{scheme}://{}", self.address)
    }

    /// The next connection, to which nothing is said, in TLS not even the handshake. Drop it, or keep it and stay mute.
    ///
    /// # Errors
    /// [`LineError::Late`] when none comes.
    pub async fn mute(&self) -> Result<TcpStream, LineError> {
        Ok(patiently("connection", self.listener.accept()).await?.0)
    }

    /// The next connection, after its TLS handshake.
    ///
    /// # Errors
    /// When none comes, or the miner breaks the handshake off.
    pub async fn session(&self) -> Result<Sv1Session, LineError> {
        let stream = self.mute().await?;
        self.verifier().reconnected();
        let peer = match &self.tls {
            None => LinePeer::plain(stream),
            Some(tls) => LinePeer::tls(patiently("TLS handshake", tls.acceptor().accept(stream)).await?),
        };
        Ok(Sv1Session::new(peer, Arc::clone(&self.verifier)))
    }

    /// Whether nobody connects for this long.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn is_left_alone_for(&self, time: Duration) -> bool {
        timeout(time.min(PATIENCE), self.listener.accept()).await.is_err()
    }

    fn verifier(&self) -> MutexGuard<'_, Sv1Verifier> {
        self.verifier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
