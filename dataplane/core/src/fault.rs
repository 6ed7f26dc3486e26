//! One vocabulary of alarms for status, logs and, later, fleet-wide rules.

use std::{fmt, time::SystemTime};

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What kind it is.
    pub reason: FaultReason,
    /// What it concerns, for example `pool/primary`.
    pub subject: String,
    /// What happened and what to do.
    pub message: String,
    /// Since when.
    pub since: SystemTime,
}

/// Kinds of faults; stable names for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultReason {
    /// The stored spec could not be read; the miner is paused.
    SpecUnreadable,
    /// The peer does not hold the configured authority key.
    PoolAuthenticationFailed,
    /// The pool's certificate is not valid by this machine's clock.
    PoolClockSkew,
    /// The pool refused the set-up or the channel.
    PoolRefused,
    /// No pool of the spec gives work.
    NoWork,
    /// A hash thread ended.
    ThreadDead,
    /// The statistics database cannot be written.
    StorageFailed,
    /// Hash threads work but no nonce arrives although several were due.
    NoNonces,
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SpecUnreadable => "SPEC_UNREADABLE",
            Self::PoolAuthenticationFailed => "POOL_AUTHENTICATION_FAILED",
            Self::PoolClockSkew => "POOL_CLOCK_SKEW",
            Self::PoolRefused => "POOL_REFUSED",
            Self::NoWork => "NO_WORK",
            Self::ThreadDead => "THREAD_DEAD",
            Self::StorageFailed => "STORAGE_FAILED",
            Self::NoNonces => "NO_NONCES",
        })
    }
}
