//! `mining.notify`: a job as it came.
//!
//! Source: stratum-client V11. Pools write the previous hash as eight words, each with its bytes reversed, and the plain
//! numbers in big endian.

use super::is_name;
use bytes::Bytes;
use serde_json::Value;

/// A job as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notify {
    /// Text or number, said back as it came.
    pub(crate) job_id: Value,
    /// In wire order, as in the header.
    pub(crate) prev_hash: [u8; 32],
    pub(crate) coinbase_tx_prefix: Bytes,
    pub(crate) coinbase_tx_suffix: Bytes,
    /// In internal byte order.
    pub(crate) merkle_path: Vec<[u8; 32]>,
    pub(crate) version: u32,
    pub(crate) nbits: u32,
    pub(crate) ntime: u32,
    /// All jobs before it are void.
    pub(crate) clean_jobs: bool,
}

impl Notify {
    /// Reads the parameters; `Err` says what is wrong with them.
    pub(super) fn read(params: &[Value]) -> Result<Self, String> {
        let [job_id, prev_hash, prefix, suffix, path, version, nbits, ntime, rest @ ..] = params else {
            return Err(format!("{} parameters", params.len()));
        };
        if !is_name(job_id) {
            return Err("no job id".into());
        }
        let Value::Array(path) = path else { return Err("no merkle branches".into()) };
        let path: Option<Vec<_>> = path.iter().map(hash).collect();
        let mut prev_hash = hash(prev_hash).ok_or("a previous hash that is none")?;
        for word in prev_hash.as_chunks_mut::<4>().0 {
            word.reverse();
        }
        let number = |value: &Value, what: &str| value.as_str().and_then(word).ok_or(format!("a {what} that is none"));
        Ok(Self {
            job_id: job_id.clone(),
            prev_hash,
            coinbase_tx_prefix: bytes(prefix).ok_or("a coinbase that is no hex")?,
            coinbase_tx_suffix: bytes(suffix).ok_or("a coinbase that is no hex")?,
            merkle_path: path.ok_or("a merkle branch that is no hash")?,
            version: number(version, "version")?,
            nbits: number(nbits, "nbits")?,
            ntime: number(ntime, "ntime")?,
            clean_jobs: rest.last().is_some_and(is_true),
        })
    }

    /// Whether the same is hashed.
    pub(crate) fn has_content_of(&self, other: &Self) -> bool {
        let Self {
            job_id: _,
            prev_hash,
            coinbase_tx_prefix,
            coinbase_tx_suffix,
            merkle_path,
            version,
            nbits,
            ntime,
            clean_jobs: _,
        } = other;
        (self.prev_hash, self.version, self.nbits, self.ntime) == (*prev_hash, *version, *nbits, *ntime)
            && (&self.coinbase_tx_prefix, &self.coinbase_tx_suffix, &self.merkle_path)
                == (coinbase_tx_prefix, coinbase_tx_suffix, merkle_path)
    }

    /// Whether it builds on the same block.
    pub(crate) fn has_tip_of(&self, other: &Self) -> bool {
        (self.prev_hash, self.nbits) == (other.prev_hash, other.nbits)
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() == Some(1.0),
        Value::String(text) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    }
}

/// Up to eight hex digits, with or without `0x`.
pub(super) fn word(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| plain)
}

fn hash(value: &Value) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(value.as_str()?, &mut hash).ok().map(|()| hash)
}

/// An even number of hex digits.
pub(super) fn bytes(value: &Value) -> Option<Bytes> {
    hex::decode(value.as_str()?).ok().map(Bytes::from)
}
