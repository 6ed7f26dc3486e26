//! Why a board is made safe, and what follows from it.

use crate::board::thermal::StopReason;
use mujina_core::fault::FaultReason;

/// Why a board is made safe.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Cause {
    /// What watches over it said so.
    #[error("{0}")]
    Guard(StopReason),
    /// A step of its start failed.
    #[error("{step} failed: {problem}")]
    Start { step: &'static str, problem: String },
    /// A step from one set point to another failed.
    #[error("the change of {what} failed: {problem}")]
    Ramp { what: &'static str, problem: String },
    /// Its chips are silent.
    #[error("{0}")]
    ChipsSilent(String),
    /// The thread of its chain is gone.
    #[error("{0}")]
    ChainEnded(String),
    /// The tuner says that it makes no sense to go on.
    #[error("{0}")]
    Useless(String),
    /// A look at it did not end.
    #[error("the board was looked at without an end, so nobody watches it; check the cable")]
    Unseen,
    /// It could not be confirmed that it is safe.
    #[error("the safe state is tried again")]
    Again,
    /// Somebody wants it to be started anew.
    #[error("somebody asked for a fresh start")]
    Asked,
    /// The miner is paused.
    #[error("the miner is paused")]
    Paused,
    /// It had power for a test only.
    #[error("its test is over")]
    Tested,
    /// Its device was unplugged.
    #[error("it was unplugged")]
    Unplugged,
    /// The miner stops.
    #[error("the miner stops")]
    Stopping,
}

impl Cause {
    /// Its name among the faults; `None` for what is no failure.
    pub(super) fn fault(&self) -> Option<FaultReason> {
        match self {
            Self::Guard(reason) => Some(reason.fault()),
            Self::Start { .. } | Self::Ramp { .. } => Some(FaultReason::BoardFailed),
            Self::ChipsSilent(_) => Some(FaultReason::ChipSilent),
            Self::ChainEnded(_) => Some(FaultReason::ThreadDead),
            Self::Useless(_) => Some(FaultReason::HardwareErrors),
            Self::Unseen => Some(FaultReason::SupervisionLost),
            Self::Again | Self::Asked | Self::Paused | Self::Tested | Self::Unplugged | Self::Stopping => None,
        }
    }

    /// Whether the task ends with it.
    pub(super) fn ends(&self) -> bool {
        matches!(self, Self::Unplugged | Self::Stopping)
    }
}
