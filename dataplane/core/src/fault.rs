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
    /// A chip returns nothing although its neighbours work, or although several nonces were due.
    ChipSilent,
    /// A chip or a board returns too many nonces that meet no target.
    HardwareErrors,
    /// Chips return headers that were hashed before: their search space overlaps, or work came too late.
    DuplicateNonces,
    /// A temperature reached its hard limit; the board is in the safe state.
    BoardOverheated,
    /// The fan was told to turn and does not; the board is in the safe state.
    FanStalled,
    /// The core regulator reports a fault; the board is in the safe state.
    RegulatorFault,
    /// A temperature that must be known is not, or cannot be true; the board is in the safe state.
    SensorLost,
    /// The management controller of a board does not answer, so that nothing on it can be seen or steered.
    SupervisionLost,
    /// A board could not be brought up.
    BoardFailed,
    /// A board could not be confirmed to be in the safe state; a person must cut its power.
    BoardUnsafe,
    /// A board that this version recognises and cannot drive.
    BoardUnsupported,
    /// Something on a board is not as it should be, without a reason to stop it.
    BoardDegraded,
    /// What is wanted of a board's tuning is beyond its limits.
    TuningRefused,
    /// Boards on USB cannot be found.
    UsbUnavailable,
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
            Self::ChipSilent => "CHIP_SILENT",
            Self::HardwareErrors => "HARDWARE_ERRORS",
            Self::DuplicateNonces => "DUPLICATE_NONCES",
            Self::BoardOverheated => "BOARD_OVERHEATED",
            Self::FanStalled => "FAN_STALLED",
            Self::RegulatorFault => "REGULATOR_FAULT",
            Self::SensorLost => "SENSOR_LOST",
            Self::SupervisionLost => "SUPERVISION_LOST",
            Self::BoardFailed => "BOARD_FAILED",
            Self::BoardUnsafe => "BOARD_UNSAFE",
            Self::BoardUnsupported => "BOARD_UNSUPPORTED",
            Self::BoardDegraded => "BOARD_DEGRADED",
            Self::TuningRefused => "TUNING_REFUSED",
            Self::UsbUnavailable => "USB_UNAVAILABLE",
        })
    }
}
