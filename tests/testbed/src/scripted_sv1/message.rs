//! What an SV1 pool says, built to be correct; a test that wants it wrong changes the fields or sends a line of its own.

use super::verifier::Notify;
use crate::template_provider::height_push;
use serde_json::{Value, json};
use stratum_apps::stratum_core::bitcoin::hashes::{Hash, sha256d};

/// A job to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sv1Job {
    /// As it stands on the wire.
    pub id: String,
    /// Hash of the header before, in hashing order.
    pub prev_hash: [u8; 32],
    /// Before rolling.
    pub version: u32,
    /// Compact network target.
    pub nbits: u32,
    /// Seconds since 1970.
    pub ntime: u32,
    /// Whether older jobs are dead.
    pub clean_jobs: bool,
    /// Branches of its merkle path.
    pub merkle_depth: u8,
    /// Bytes of extranonce1 and extranonce2 together, for which the coinbase says to have room.
    pub extranonce_length: usize,
    /// Makes the coinbase another one; by default the id.
    pub tag: String,
    /// More bytes at the end of the coinbase, in an output that pays nothing.
    pub padding: usize,
}

impl Sv1Job {
    /// On the tip of this number, 0x11 for example, with clean jobs and the usual room for extranonces.
    #[must_use]
    pub fn new(id: &str, tip: u8) -> Self {
        Self {
            id: id.into(),
            // Every byte another one, so that no swap goes unnoticed.
            prev_hash: std::array::from_fn(|at| tip.wrapping_add(u8::try_from(at).expect("32 bytes"))),
            version: 0x2000_0000,
            nbits: 0x1d00_ffff,
            ntime: super::now(),
            clean_jobs: true,
            merkle_depth: 2,
            extranonce_length: 12,
            tag: id.into(),
            padding: 0,
        }
    }

    /// The same with `clean_jobs` false.
    #[must_use]
    pub fn refresh(id: &str, tip: u8) -> Self {
        Self { clean_jobs: false, ..Self::new(id, tip) }
    }

    /// Parameters of its `mining.notify`.
    #[must_use]
    pub fn params(&self) -> Value {
        let mut swapped = self.prev_hash;
        swapped.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let (coinb1, coinb2) = self.coinbase();
        let branch = |level: u8| hex(sha256d::Hash::hash(&[&[level], self.tag.as_bytes()].concat()).as_byte_array());
        json!([
            self.id,
            hex(&swapped),
            hex(&coinb1),
            hex(&coinb2),
            (0..self.merkle_depth).map(branch).collect::<Vec<_>>(),
            format!("{:08x}", self.version),
            format!("{:08x}", self.nbits),
            format!("{:08x}", self.ntime),
            self.clean_jobs
        ])
    }

    /// `mining.notify`.
    #[must_use]
    pub fn notify(&self) -> Value {
        call("mining.notify", self.params())
    }

    /// What a miner reads in it.
    ///
    /// # Panics
    /// Never: what is built here can be read.
    #[must_use]
    pub fn read(&self) -> Notify {
        Notify::read(&self.params()).expect("a job of ours is legal")
    }

    /// The smallest valid coinbase around the extranonces.
    fn coinbase(&self) -> (Vec<u8>, Vec<u8>) {
        let height = height_push(900_000);
        let tag = &sha256d::Hash::hash(self.tag.as_bytes()).to_byte_array()[..4];
        let length = |bytes: usize| u8::try_from(bytes).expect("a coinbase script is below 253 bytes");
        let mut start = vec![2, 0, 0, 0, 1];
        start.extend([0; 32]);
        start.extend([0xff; 4]);
        start.push(length(height.len() + 1 + tag.len() + self.extranonce_length));
        start.extend(height);
        start.push(length(tag.len()));
        start.extend(tag);
        let mut end = vec![0xff; 4];
        end.push(if self.padding == 0 { 1 } else { 2 });
        end.extend(312_500_000_u64.to_le_bytes());
        end.extend([1, 0x51]); // anyone can spend
        if self.padding > 0 {
            end.extend(0_u64.to_le_bytes());
            end.push(0xfd);
            end.extend(u16::try_from(self.padding).expect("the padding is below 64 KiB").to_le_bytes());
            end.resize(end.len() + self.padding, 0x6a);
        }
        end.extend([0; 4]);
        (start, end)
    }
}

/// A notification.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
pub fn call(method: &str, params: Value) -> Value {
    json!({"id": null, "method": method, "params": params})
}

/// A request that wants an answer.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
pub fn ask(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"id": id.into(), "method": method, "params": params})
}

/// An answer without error.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
pub fn result(id: &Value, result: Value) -> Value {
    json!({"id": id, "result": result, "error": null})
}

/// An answer with an error, whatever its shape.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "callers make it on the spot")]
pub fn error(id: &Value, error: Value) -> Value {
    json!({"id": id, "result": null, "error": error})
}

/// `mining.set_difficulty`.
#[must_use]
pub fn difficulty(difficulty: f64) -> Value {
    call("mining.set_difficulty", json!([difficulty]))
}

/// `mining.set_extranonce`.
#[must_use]
pub fn extranonce(extranonce1: &[u8], extranonce2_size: usize) -> Value {
    call("mining.set_extranonce", json!([hex(extranonce1), extranonce2_size]))
}

/// `mining.set_version_mask`.
#[must_use]
pub fn version_mask(mask: u32) -> Value {
    call("mining.set_version_mask", json!([format!("{mask:08x}")]))
}

/// `client.reconnect` after no time.
#[must_use]
pub fn reconnect(host: &str, port: u16) -> Value {
    call("client.reconnect", json!([host, port, 0]))
}

/// The line of a message.
#[must_use]
pub fn line(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
