//! The audit log: every change with who, what, from where, and what became of it, chained so that a change of it shows. Pure.
//!
//! Each record carries the hash of the one before, so that nobody can alter, drop or slip in one without all that follow
//! failing to verify. What a chain cannot show is that its end was cut off: note its last hash elsewhere now and then.
//!
//! # The hash, for others to verify
//! A record's hash is SHA-256 over the previous record's hash (32 bytes) and then each of these fields as its length in bytes
//! (8 bytes, big-endian) and its UTF-8 text, in this order:
//! `sequence` and `at_ms` (decimal), `who`, `origin`, `method`, `target`, `outcome`, `detail`, `trace_id`, `diff`.
//! The first record's previous hash is SHA-256 over `mujina audit 1:` and the id of the database. Exported lines are JSON
//! objects with exactly these fields (numbers as numbers, `diff` as the JSON text that was hashed) and `previous` and
//! `hash` in hex, so that the fields of one line are all that its hash needs.

mod diff;
pub mod export;
mod mask;
#[cfg(test)]
mod tests;

pub use diff::{between, of_changes};
pub use mask::{MASK, is_secret, mask};

use mujina_core::text::sanitise;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Longest text of a field in bytes; longer ones are cut.
const MAX_TEXT: usize = 512;
/// Longest diff in bytes; a longer one is replaced by its size and hash.
const MAX_DIFF: usize = 64 * 1024;

/// Hash of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordHash(pub [u8; 32]);

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordHash({self})")
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done, or stored to be done.
    Done,
    /// The caller may not.
    Denied,
    /// It was refused or went wrong; nothing changed.
    Failed,
}

impl Outcome {
    /// How it is written and hashed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What somebody did, before it has its place in the log. Texts are made fit to be shown, and the diff is masked, here.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    who: String,
    origin: String,
    method: String,
    target: String,
    outcome: Outcome,
    detail: String,
    trace_id: String,
    diff: String,
}

impl Entry {
    /// `who` did something with `method`, from `origin` (an address, or `unix`).
    #[must_use]
    pub fn new(who: impl fmt::Display, origin: impl fmt::Display, method: &str, outcome: Outcome) -> Self {
        Self {
            who: text(&who.to_string()),
            origin: text(&origin.to_string()),
            method: text(method.strip_prefix('/').unwrap_or(method)),
            target: String::new(),
            outcome,
            detail: String::new(),
            trace_id: String::new(),
            diff: "null".into(),
        }
    }

    /// To what: a miner, a selector, a binding.
    #[must_use]
    pub fn target(self, target: impl fmt::Display) -> Self {
        Self { target: text(&target.to_string()), ..self }
    }

    /// Why it failed, or how it was allowed.
    #[must_use]
    pub fn detail(self, detail: impl fmt::Display) -> Self {
        Self { detail: text(&detail.to_string()), ..self }
    }

    /// The trace of the call, 32 hex digits.
    #[must_use]
    pub fn trace(self, trace_id: &str) -> Self {
        Self { trace_id: text(trace_id), ..self }
    }

    /// What changed. Secrets are masked by the names of their fields.
    #[must_use]
    pub fn diff(self, mut diff: Value) -> Self {
        mask(&mut diff);
        let text = diff.to_string();
        let diff = if text.len() <= MAX_DIFF {
            text
        } else {
            let hash = hex::encode(Sha256::digest(text.as_bytes()));
            serde_json::json!({ "too_long_bytes": text.len(), "sha256": hash }).to_string()
        };
        Self { diff, ..self }
    }
}

fn text(text: &str) -> String {
    sanitise(text, MAX_TEXT)
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Counts the records, from 1, without a gap.
    pub sequence: u64,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// The subject.
    pub who: String,
    /// Where it called from.
    pub origin: String,
    /// Full name of the call.
    pub method: String,
    /// To what; empty when it is about the control plane.
    pub target: String,
    /// What became of it, by its name: a name that is not known is kept, and verifies, as it is.
    pub outcome: String,
    /// Why it failed, or how it was allowed.
    pub detail: String,
    /// 32 hex digits; empty when nobody traced.
    pub trace_id: String,
    /// JSON text; `null` when nothing changed.
    pub diff: String,
    /// Hash of the record before.
    pub previous: RecordHash,
    /// Hash of this one.
    pub hash: RecordHash,
}

impl Record {
    /// Gives an entry its place after `head`.
    #[must_use]
    pub fn chained(entry: Entry, head: Head, at: SystemTime) -> Self {
        let Entry { who, origin, method, target, outcome, detail, trace_id, diff } = entry;
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut record = Self {
            sequence: head.sequence.saturating_add(1),
            at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            who,
            origin,
            method,
            target,
            outcome: outcome.name().into(),
            detail,
            trace_id,
            diff,
            previous: head.hash,
            hash: head.hash,
        };
        record.hash = record.computed();
        record
    }

    /// The hash that it should have.
    #[must_use]
    pub fn computed(&self) -> RecordHash {
        let Self { sequence, at_ms, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash: _ } =
            self;
        let mut hasher = Sha256::new();
        hasher.update(previous.0);
        let numbers = [sequence, at_ms].map(ToString::to_string);
        let texts = [who, origin, method, target, outcome, detail, trace_id, diff];
        for field in numbers.iter().chain(texts) {
            // A length never has more than 64 bits.
            hasher.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        RecordHash(hasher.finalize().into())
    }

    /// The end of a log whose last record this is.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.at_ms)).unwrap_or(UNIX_EPOCH)
    }
}

/// The end of a log: where the next record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Of the last record; 0 = none yet.
    pub sequence: u64,
    /// Its hash.
    pub hash: RecordHash,
}

impl Head {
    /// The end of the empty log of a database.
    #[must_use]
    pub fn empty(database_id: &str) -> Self {
        let hash = Sha256::new().chain_update("mujina audit 1:").chain_update(database_id).finalize();
        Self { sequence: 0, hash: RecordHash(hash.into()) }
    }

    /// Whether this record belongs here, and is what it was.
    ///
    /// # Errors
    /// See [`Broken`].
    pub fn verify(self, record: &Record) -> Result<Self, Broken> {
        let expected = self.sequence.saturating_add(1);
        let what = if record.sequence != expected {
            Fault::Missing { found: record.sequence }
        } else if record.previous != self.hash {
            Fault::Unchained
        } else if record.hash != record.computed() {
            Fault::Altered
        } else {
            return Ok(record.head());
        };
        Err(Broken { sequence: expected, what })
    }
}

/// The first place where a log is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "audit record {sequence} {what}; compare with a backup or an export, and find out who could write the database"
)]
pub struct Broken {
    /// The record.
    pub sequence: u64,
    /// How.
    pub what: Fault,
}

/// How a log is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Others are where it should be.
    #[error("is missing: record {found} follows instead")]
    Missing {
        /// What is there.
        found: u64,
    },
    /// It is missing at the end, as far as the database remembers.
    #[error("is missing: the log ends before it")]
    CutOff,
    /// It does not follow the record before.
    #[error("does not follow from the one before")]
    Unchained,
    /// Its fields do not have its hash.
    #[error("was altered")]
    Altered,
}
