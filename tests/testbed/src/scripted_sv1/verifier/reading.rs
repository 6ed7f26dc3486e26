//! Reads what a pool sent as tolerantly as a miner must, for the pool's own record of it.

use serde_json::Value;

/// What a `mining.notify` says, in the order of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// As it stands on the wire.
    pub job_id: String,
    /// In hashing order.
    pub prev_hash: [u8; 32],
    /// Coinbase before the extranonces.
    pub coinb1: Vec<u8>,
    /// Coinbase after them.
    pub coinb2: Vec<u8>,
    /// From the coinbase up.
    pub merkle_path: Vec<[u8; 32]>,
    /// Before rolling.
    pub version: u32,
    /// Compact network target.
    pub nbits: u32,
    /// Seconds since 1970.
    pub ntime: u32,
    /// Whether older jobs are dead.
    pub clean_jobs: bool,
}

impl Notify {
    /// Of the parameters; nothing when they are not those of a job.
    #[must_use]
    pub fn read(params: &Value) -> Option<Self> {
        let list = params.as_array().filter(|list| list.len() >= 8)?;
        let branches = list.get(4)?.as_array()?.iter().map(|branch| bytes(branch.as_str()?)?.try_into().ok());
        let clean_jobs = list.get(8..).and_then(<[Value]>::last).is_some_and(|last| truth(last).unwrap_or(false));
        let number = |at| u32::from_str_radix(&text_at(params, at)?, 16).ok();
        Some(Self {
            job_id: text_at(params, 0)?,
            prev_hash: word_swapped(&text_at(params, 1)?)?,
            coinb1: bytes(&text_at(params, 2)?)?,
            coinb2: bytes(&text_at(params, 3)?)?,
            merkle_path: branches.collect::<Option<_>>()?,
            version: number(5)?,
            nbits: number(6)?,
            ntime: number(7)?,
            clean_jobs,
        })
    }

    /// Whether another says the same of the same job.
    pub(super) fn is_repeated_by(&self, other: &Self) -> bool {
        *self == Self { clean_jobs: self.clean_jobs, ..other.clone() }
    }
}

/// An id as text: 7 and "7" are the same one.
pub(super) fn id_text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), ToOwned::to_owned)
}

/// A string among parameters.
pub(super) fn text_at(params: &Value, at: usize) -> Option<String> {
    Some(params.get(at)?.as_str()?.to_owned())
}

/// An even number of hex digits.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let starts = (0..text.len()).step_by(2);
    starts.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Eight words of four bytes, each the wrong way round.
fn word_swapped(text: &str) -> Option<[u8; 32]> {
    let mut hash: [u8; 32] = bytes(text)?.try_into().ok()?;
    hash.chunks_exact_mut(4).for_each(<[u8]>::reverse);
    Some(hash)
}

/// A difficulty that a miner must follow.
pub(super) fn difficulty(params: &Value) -> Option<f64> {
    let given = params.get(0)?;
    let number = given.as_f64().or_else(|| given.as_str()?.parse().ok())?;
    (1e-9..=281_474_976_710_656.0).contains(&number).then_some(number)
}

/// Size of extranonce2.
pub(super) fn size(given: &Value) -> Option<usize> {
    let number = given.as_u64().or_else(|| given.as_str()?.parse().ok())?;
    usize::try_from(number).ok().filter(|size| *size <= 16)
}

/// A mask in hex, with or without 0x.
pub(super) fn mask(given: Option<&Value>) -> Option<u32> {
    let text = given?.as_str()?;
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    u32::from_str_radix(digits, 16).ok()
}

/// What a miner's `mining.configure` asks to roll; everything when it names no mask.
pub(super) fn requested_mask(params: &Value) -> u32 {
    let asked = params.get(0).and_then(Value::as_array);
    if !asked.is_some_and(|asked| asked.iter().any(|name| name == "version-rolling")) {
        return 0;
    }
    mask(params.get(1).and_then(|of| of.get("version-rolling.mask"))).unwrap_or(u32::MAX)
}

/// What the answer to it grants of that: nothing unless it says `true` (BIP 310: another text is the reason of a refusal).
pub(super) fn granted(result: &Value, requested: u32) -> u32 {
    match result.get("version-rolling") {
        Some(granted) if *granted == true || granted == "true" => {
            requested & mask(result.get("version-rolling.mask")).unwrap_or(requested)
        }
        _ => 0,
    }
}

fn truth(given: &Value) -> Option<bool> {
    given.as_bool().or_else(|| Some(given.as_u64()? != 0))
}
