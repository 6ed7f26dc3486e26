//! A raw SV1 miner: it says what it is told to say and hashes in the caller's task. It shows what a pool really answers,
//! with nothing of the data plane between.

use crate::{
    header::{HeaderParts, meets},
    scripted_sv1::{
        Notify, bytes,
        message::{ask, hex},
    },
    sv1_wire::{LineError, LinePeer, TlsIdentity, patiently},
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// A connection to a pool.
pub struct Sv1Client {
    peer: LinePeer,
    next_id: u64,
}

/// What a pool answered to `mining.subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// In hex.
    pub extranonce1: String,
    /// Bytes of the miner.
    pub extranonce2_size: usize,
}

impl Subscribed {
    /// As bytes; nothing when it is no hex.
    #[must_use]
    pub fn extranonce1_bytes(&self) -> Option<Vec<u8>> {
        bytes(&self.extranonce1)
    }
}

/// What a share is mined with.
#[derive(Clone, Debug)]
pub struct Sv1Work {
    /// Submits it.
    pub worker: String,
    /// The job.
    pub notify: Notify,
    /// The pool's bytes before the miner's.
    pub extranonce1: Vec<u8>,
    /// Little-endian; what a hash must meet.
    pub target: [u8; 32],
    /// What the sixth parameter is, and with it the version: `base | bits`. None sends five.
    pub version_bits: Option<u32>,
}

impl Sv1Work {
    /// Searches nonces from `from` on for a share and returns the parameters to submit it with. Different extranonces give
    /// different shares.
    ///
    /// # Panics
    /// When no nonce is a share.
    #[must_use]
    pub fn mine(&self, extranonce2: &[u8], from: u32) -> Value {
        let Notify { prev_hash, coinb1, coinb2, merkle_path, version, nbits, ntime, .. } = &self.notify;
        let parts = HeaderParts {
            version: version | self.version_bits.unwrap_or(0),
            prev_hash: *prev_hash,
            coinbase: [coinb1, &self.extranonce1, extranonce2, coinb2],
            merkle_path,
            ntime: *ntime,
            nbits: *nbits,
        };
        let header = parts.header();
        let nonce = (from..=u32::MAX).find(|nonce| meets(&header.hash(*nonce), &self.target));
        self.share(extranonce2, nonce.expect("a target for tests is easy"))
    }

    /// A share of this nonce, whether it meets the target or not.
    #[must_use]
    pub fn share(&self, extranonce2: &[u8], nonce: u32) -> Value {
        let Notify { job_id, ntime, .. } = &self.notify;
        let ntime = format!("{ntime:08x}");
        let nonce = format!("{nonce:08x}");
        match self.version_bits {
            None => json!([self.worker, job_id, hex(extranonce2), ntime, nonce]),
            Some(bits) => json!([self.worker, job_id, hex(extranonce2), ntime, nonce, format!("{bits:08x}")]),
        }
    }
}

impl Sv1Client {
    /// Connects in clear.
    ///
    /// # Errors
    /// When there is no pool.
    pub async fn connect(address: SocketAddr) -> Result<Self, LineError> {
        Ok(Self::new(LinePeer::plain(patiently("pool", TcpStream::connect(address)).await?)))
    }

    /// Connects in TLS, trusting the root of this identity alone.
    ///
    /// # Errors
    /// When there is no pool, or its certificate is not good.
    pub async fn connect_tls(address: SocketAddr, trusted: &TlsIdentity) -> Result<Self, LineError> {
        let stream = patiently("pool", TcpStream::connect(address)).await?;
        let handshake = trusted.connector()?.connect(ServerName::from(address.ip()), stream);
        Ok(Self::new(LinePeer::tls(patiently("TLS handshake", handshake).await?)))
    }

    fn new(peer: LinePeer) -> Self {
        Self { peer, next_id: 1 }
    }

    /// What it can do as any peer.
    pub fn peer(&mut self) -> &mut LinePeer {
        &mut self.peer
    }

    /// Asks without waiting; the id is returned.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value, LineError> {
        let id = Value::from(self.next_id);
        self.next_id += 1;
        self.peer.send_bytes(format!("{}\n", ask(id.clone(), method, params)).as_bytes()).await?;
        Ok(id)
    }

    /// Waits for the answer to an id.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn answer(&mut self, id: &Value) -> Result<Value, LineError> {
        let is_it = |line: &Value| (line.get("method").is_none() && line.get("id") == Some(id)).then(|| line.clone());
        self.peer.expect(&format!("answer to {id}"), is_it, |_| {}).await
    }

    /// Asks and waits for the answer's result.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn result(&mut self, method: &str, params: Value) -> Result<Value, LineError> {
        let id = self.ask(method, params).await?;
        Ok(self.answer(&id).await?.get("result").cloned().unwrap_or(Value::Null))
    }

    /// Configures rolling of this mask, subscribes and authorises.
    ///
    /// # Errors
    /// When an answer does not come, or that to `mining.subscribe` is none.
    pub async fn set_up(&mut self, worker: &str, mask: u32) -> Result<Subscribed, LineError> {
        let rolling = json!([["version-rolling"], {"version-rolling.mask": format!("{mask:08x}")}]);
        let configure = self.ask("mining.configure", rolling).await?;
        let subscribe = self.ask("mining.subscribe", json!(["testbed/1"])).await?;
        let authorize = self.ask("mining.authorize", json!([worker, "x"])).await?;
        self.answer(&configure).await?;
        let subscribed = self.answer(&subscribe).await?;
        self.answer(&authorize).await?;
        let read = || {
            let result = subscribed.get("result")?;
            let extranonce1 = result.get(1)?.as_str()?.to_owned();
            let extranonce2_size = usize::try_from(result.get(2)?.as_u64()?).ok()?;
            Some(Subscribed { extranonce1, extranonce2_size })
        };
        read().ok_or_else(|| LineError::NotJson(subscribed.to_string()))
    }

    /// Waits for the parameters of the next call of this method.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn called(&mut self, method: &str) -> Result<Value, LineError> {
        let is_it = |line: &Value| (line.get("method")? == method).then(|| line.get("params").cloned())?;
        self.peer.expect(method, is_it, |_| {}).await
    }
}
