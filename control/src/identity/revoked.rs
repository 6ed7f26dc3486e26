//! Certificates that count no more: asked at every handshake, watched by every open connection.
//!
//! The store is the truth, also for what other processes revoke; this is what of it is known here.

use crate::store::{Store, StoreError};
use mujina_proto::tls::{Peer, Refusal, Revocations, Serial};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often the store is asked for what others revoked: connections shall be closed within 5 s.
const POLL: Duration = Duration::from_secs(2);

/// How often a connection looks whether its certificate has expired.
const LOOK: Duration = Duration::from_secs(60);

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub serial: Serial,
    /// When it would have expired.
    pub not_after: SystemTime,
    /// When it was revoked.
    pub revoked_at: SystemTime,
    /// By whom.
    pub revoked_by: String,
    /// Why.
    pub reason: String,
}

/// What is known to be revoked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Revoked {
    known: Arc<watch::Sender<HashSet<Serial>>>,
    /// Held from reading the store to telling it, so that an older answer never comes after a newer one.
    refreshing: Arc<Mutex<()>>,
    store: Store,
}

impl Revoked {
    /// Reads what is revoked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(store: Store) -> Result<Self, StoreError> {
        let known = Arc::new(watch::Sender::new(HashSet::new()));
        let revoked = Self { known, refreshing: Arc::default(), store };
        revoked.refresh().await?;
        Ok(revoked)
    }

    /// Changes whenever something more is revoked; holds everything that is.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<HashSet<Serial>> {
        self.known.subscribe()
    }

    /// Waits until this certificate is revoked.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn revoked(&self, serial: Serial) {
        // This holds the other end: it never closes.
        let _ = self.watch().wait_for(|known| known.contains(&serial)).await;
    }

    /// Waits until the certificate of an open connection counts no more, and says why.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self, peer: &Peer) -> Refusal {
        tokio::select! {
            () = self.revoked(peer.serial) => Refusal::Revoked,
            () = expired(peer) => Refusal::Expired,
        }
    }

    /// Reads again what is revoked, and tells it when it changed.
    ///
    /// # Errors
    /// The database failed; what was known stays known.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.refreshing.lock().await;
        let now = self.store.revoked_serials().await?;
        self.known.send_if_modified(|known| {
            let is_news = *known != now;
            *known = now;
            is_news
        });
        Ok(())
    }

    /// Learns what other processes revoke, until `cancel`.
    pub async fn run(self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_failing = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.refresh().await {
                Ok(()) => is_failing = false,
                Err(error) if !is_failing => {
                    is_failing = true;
                    warn!(error = &error as &dyn std::error::Error, "revocations cannot be read; known ones hold");
                }
                Err(_) => {}
            }
        }
    }
}

/// Looks at the clock again and again, because it may be set.
async fn expired(peer: &Peer) {
    while let Ok(left) = peer.not_after.duration_since(SystemTime::now()) {
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

impl Revocations for Revoked {
    fn is_revoked(&self, serial: &Serial) -> bool {
        self.known.borrow().contains(serial)
    }
}
