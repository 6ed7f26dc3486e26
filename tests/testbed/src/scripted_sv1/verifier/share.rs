//! A share as it came, and what may be wrong with it.

use super::reading::bytes;
use crate::sv1_wire::Request;
use serde_json::Value;

/// A `mining.submit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sv1Share {
    /// To be answered with.
    pub id: Value,
    /// Worker, job id, extranonce2, ntime, nonce, and version bits when versions are rolled.
    pub params: Vec<Value>,
}

/// What is wrong with a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A parameter is missing or not a string.
    #[error("parameter {0} is missing or no string; a share has five or six strings")]
    Parameter(usize),
    /// More than there may be.
    #[error("a share of {0} parameters; there are at most six")]
    TooMany(usize),
    /// Two requests of this connection have it.
    #[error("id {0} was used before on this connection; count on")]
    RepeatedId(String),
    /// Not authorised on this connection.
    #[error("worker `{0}` was not authorised on this connection; submit as who was")]
    Worker(String),
    /// Never announced on this connection.
    #[error("job `{0}` is unknown; ids do not outlive a connection")]
    UnknownJob(String),
    /// A clean job, another tip or another job of the same id came since.
    #[error("job `{0}` is dead; it must not be submitted")]
    DeadJob(String),
    /// No extranonce was given on this connection.
    #[error("no extranonce was given yet; wait for the answer to mining.subscribe")]
    NoExtranonce,
    /// Longer or shorter than agreed, or no hex.
    #[error("extranonce2 `{text}` instead of {agreed} bytes of hex; all of them belong in a share")]
    Extranonce2 {
        /// As agreed at the job's notify.
        agreed: usize,
        /// As in the share.
        text: String,
    },
    /// Not as numbers are written.
    #[error("`{0}` is not eight hex digits; numbers are written as {{:08x}}")]
    EightDigits(String),
    /// Version bits where no version may be rolled.
    #[error("version bits {0:#010x} though no bit may be rolled; leave the parameter out")]
    VersionNotRolled(u32),
    /// No version bits where versions are rolled.
    #[error("no version bits though {mask:#010x} was granted; send them with every share")]
    VersionMissing {
        /// What may be rolled.
        mask: u32,
    },
    /// Bits that were not granted.
    #[error("version bits {bits:#010x} outside of {mask:#010x}; only granted bits may be rolled")]
    VersionMask {
        /// As in the share.
        bits: u32,
        /// What may be rolled.
        mask: u32,
    },
    /// Pools would hash different headers.
    #[error("BIP 310 makes {bip310:#010x} of the version bits and ckpool {ckpool:#010x}; keep the job's own bits set")]
    VersionRules {
        /// (base & !mask) | bits.
        bip310: u32,
        /// base | bits.
        ckpool: u32,
    },
    /// Before the job or ahead of the clock.
    #[error("ntime {ntime} is not in {first}..={last}; it may rise with the clock only")]
    Ntime {
        /// Of the share.
        ntime: u32,
        /// The job's.
        first: u32,
        /// First, plus the seconds since the notify, plus one.
        last: u32,
    },
    /// Not enough work.
    #[error("hash {0} is above the share target of its job; verify before submitting")]
    AboveTarget(String),
    /// Submitted before, on this connection or an earlier one.
    #[error("header {0} was submitted before; search each header once")]
    Repeated(String),
}

impl Sv1Share {
    /// Of a line, if it is one.
    #[must_use]
    pub fn of(line: &Value) -> Option<Self> {
        let Request { id, method, params } = Request::of(line)?;
        let params = params.as_array()?.clone();
        (method == "mining.submit").then_some(Self { id, params })
    }

    /// Who submits it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn worker(&self) -> Result<&str, Violation> {
        self.text(0)
    }

    /// The pool's name of its job.
    ///
    /// # Errors
    /// When it is not there.
    pub fn job_id(&self) -> Result<&str, Violation> {
        self.text(1)
    }

    pub(super) fn extranonce2(&self, agreed: usize) -> Result<Vec<u8>, Violation> {
        let text = self.text(2)?;
        let right = bytes(text).filter(|bytes| bytes.len() == agreed);
        right.ok_or_else(|| Violation::Extranonce2 { agreed, text: text.into() })
    }

    pub(super) fn ntime(&self) -> Result<u32, Violation> {
        self.number(3)
    }

    pub(super) fn nonce(&self) -> Result<u32, Violation> {
        self.number(4)
    }

    /// The version that its header has, by every rule that pools have.
    pub(super) fn version(&self, base: u32, mask: u32) -> Result<u32, Violation> {
        if self.params.len() > 6 {
            return Err(Violation::TooMany(self.params.len()));
        }
        if self.params.len() < 6 {
            return if mask == 0 { Ok(base) } else { Err(Violation::VersionMissing { mask }) };
        }
        let bits = self.number(5)?;
        if mask == 0 {
            return Err(Violation::VersionNotRolled(bits));
        }
        if bits & !mask != 0 {
            return Err(Violation::VersionMask { bits, mask });
        }
        let (bip310, ckpool) = ((base & !mask) | bits, base | bits);
        if bip310 == ckpool { Ok(bip310) } else { Err(Violation::VersionRules { bip310, ckpool }) }
    }

    fn text(&self, at: usize) -> Result<&str, Violation> {
        self.params.get(at).and_then(Value::as_str).ok_or(Violation::Parameter(at))
    }

    fn number(&self, at: usize) -> Result<u32, Violation> {
        let text = self.text(at)?;
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.ok_or_else(|| Violation::EightDigits(text.into()))
    }
}

pub(super) fn reversed_hex(hash: &[u8; 32]) -> String {
    hash.iter().rev().map(|byte| format!("{byte:02x}")).collect()
}
