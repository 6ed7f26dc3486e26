//! Why a board is made safe.

use super::REGULATOR_FAULTS;
use mujina_core::{fault::FaultReason, units::Celsius};
use std::time::Duration;

/// Why a board is made safe. Each says what was seen and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StopReason {
    /// A temperature reached its hard limit.
    #[error(
        "{sensor} is {temperature}, at or above its hard limit of {limit}; check fan, heatsink and the air around it"
    )]
    Overheated {
        /// Which sensor.
        sensor: String,
        /// What it read.
        temperature: Celsius,
        /// Its limit.
        limit: Celsius,
    },
    /// A temperature that must be known is not.
    #[error(
        "the temperature of {sensor} was not to be had in {polls} polls ({problem}); check the sensor and its wiring"
    )]
    SensorLost {
        /// Which sensor.
        sensor: String,
        /// Polls in a row without a plausible reading.
        polls: u32,
        /// What was wrong with the newest.
        problem: String,
    },
    /// The fan stands still.
    #[error("the fan stands still at {duty:.0} % since {} s; check its plug and that nothing blocks it", .stood.as_secs())]
    FanStalled {
        /// What it was told, in percent.
        duty: f64,
        /// Since when.
        stood: Duration,
    },
    /// The fan cannot be told anything.
    #[error("the fan cannot be steered: {problem}; check the fan controller")]
    FanUnsteerable {
        /// Why.
        problem: String,
    },
    /// The core regulator reports a fault.
    #[error("the core regulator reports {} (status {status_word:#06x}); check the supply, its cable and the load", names(*.status_word))]
    RegulatorFault {
        /// STATUS_WORD.
        status_word: u16,
    },
    /// The core regulator does not answer while it is on.
    #[error("the core regulator did not answer in {polls} polls; check the input supply")]
    RegulatorSilent {
        /// Polls in a row.
        polls: u32,
    },
    /// The management controller does not answer.
    #[error("the board did not answer in {polls} polls ({problem}), so nobody watches it; check the cable")]
    SupervisionLost {
        /// Polls in a row.
        polls: u32,
        /// What was wrong with the newest.
        problem: String,
    },
    /// Chips have gone silent.
    #[error("{lost} of {of} chips are silent{}; the board is started anew", if *.series { ", and in a stack they endanger the others" } else { "" })]
    ChipsLost {
        /// How many.
        lost: u32,
        /// Of how many.
        of: u32,
        /// Whether they share one current.
        series: bool,
    },
}

impl StopReason {
    /// Its name among the faults of the miner.
    #[must_use]
    pub fn fault(&self) -> FaultReason {
        match self {
            Self::Overheated { .. } => FaultReason::BoardOverheated,
            Self::SensorLost { .. } => FaultReason::SensorLost,
            Self::FanStalled { .. } | Self::FanUnsteerable { .. } => FaultReason::FanStalled,
            Self::RegulatorFault { .. } | Self::RegulatorSilent { .. } => FaultReason::RegulatorFault,
            Self::SupervisionLost { .. } => FaultReason::SupervisionLost,
            Self::ChipsLost { .. } => FaultReason::ChipSilent,
        }
    }
}

/// Names of the bits that matter.
fn names(status_word: u16) -> String {
    let bits = [
        (0x0040, "output off"),
        (0x0020, "output over-voltage"),
        (0x0010, "output over-current"),
        (0x0008, "input under-voltage"),
        (0x0004, "its own over-temperature"),
    ];
    let faults = status_word & REGULATOR_FAULTS;
    let named: Vec<_> = bits.iter().filter(|(bit, _)| faults & bit != 0).map(|(_, name)| *name).collect();
    named.join(", ")
}
