//! What hangs on a board's controller: supply, reset, sensors, fan, light. Driven by the board's task, which decides what is
//! done and when.
//!
//! A kind of board says here how its steps are taken, not in which order a board is started or why it is stopped. Tests give
//! the task a board of their own.

use crate::{
    board::{known::Board, led::Rgb, thermal::Readings},
    bridge::{BridgeError, Recovery},
    peripheral::{BusError, tps546::Tps546Error},
    transport::device::BoardDevice,
};
use mujina_core::{
    board::{RailReport, SafeStateReport},
    id::BoardId,
    units::Volts,
};
use std::collections::BTreeMap;

/// Turns a device into a board that can be driven. Each board's task has a clone of its own, so that boards are opened at
/// the same time.
pub trait Opener: Clone + Send + 'static {
    /// What it opens.
    type Hardware: Hardware;

    /// Opens the control port and finds out what the device is, for which it may get power for a moment. When this returns
    /// its chips are in reset and the core supply is off, also when it failed; from the first request on the board is one
    /// that the last resort makes safe. The chips' own port, [`BoardDevice::data`], is left alone but for that moment.
    ///
    /// Has a deadline of its own. Not cancel safe: a call that was given up leaves the board to the last resort.
    ///
    /// # Errors
    /// It is a board that cannot be driven, or it failed; then it may be opened again.
    fn open(
        &mut self,
        device: &BoardDevice,
        id: &BoardId,
    ) -> impl Future<Output = Result<Opened<Self::Hardware>, OpenError>> + Send;
}

/// A board that can be driven.
#[derive(Debug)]
pub struct Opened<H> {
    /// Its model.
    pub board: Board,
    /// The way to everything on it but its chips.
    pub hardware: H,
    /// What is known of this piece: firmware, revision, serial number, place.
    pub facts: BTreeMap<String, String>,
}

/// Why a device was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is known, and this version cannot drive it.
    #[error("{model} cannot be driven: {reason}")]
    Unsupported {
        /// What it is, as well as is known.
        model: String,
        /// Why, and what to do.
        reason: String,
    },
    /// Something on it failed.
    #[error(transparent)]
    Failed(#[from] HardwareError),
    /// Its control port cannot be opened, or another program has it.
    #[error("the control port does not open: {0}; check the cable, the rights on the port, and who else uses it")]
    Port(String),
}

/// Everything of a board but its chain.
///
/// Each method has a deadline of its own and is called by one task. None is cancel safe: a call that was given up leaves
/// unknown what was done, and only [`Hardware::make_safe`] may follow.
pub trait Hardware: Send + 'static {
    /// Brings the core supply up, with the chips held in reset from before until after: fan to full, parts configured and
    /// read back, supply on at this voltage and seen to be. From the first step on the board is one that the last resort
    /// makes safe.
    ///
    /// # Errors
    /// The first step that failed. The board must then be made safe.
    fn power_up(&mut self, voltage: Volts) -> impl Future<Output = Result<(), HardwareError>> + Send;

    /// Holds the chips in reset for as long as they need, releases it, and waits until they listen. The core supply is on.
    ///
    /// # Errors
    /// It was not done, or that is unknown.
    fn restart_chips(&mut self) -> impl Future<Output = Result<(), HardwareError>> + Send;

    /// Moves the core supply while it is on, and waits until it has settled.
    ///
    /// # Errors
    /// It was not done, or that is unknown.
    fn set_voltage(&mut self, voltage: Volts) -> impl Future<Output = Result<(), HardwareError>> + Send;

    /// Chips into reset, core supply off, and read back; whatever fails, the next step is taken. Never given up half-way:
    /// it has a deadline of its own. If the controller cannot be spoken to, the last resort tries too.
    fn make_safe(&mut self, reason: &str) -> impl Future<Output = SafeStateReport> + Send;

    /// Reads everything once. A part that cannot be read is told as such and keeps no other from being read.
    fn survey(&mut self) -> impl Future<Output = Survey> + Send;

    /// Tells the fan a duty in percent. On a board without one nothing happens. A failure shows in the next survey.
    fn drive_fan(&mut self, percent: f64) -> impl Future<Output = ()> + Send;

    /// Lets the status LED shine like this. On a board without one, and on a failure, nothing happens.
    fn shine(&mut self, light: Rgb) -> impl Future<Output = ()> + Send;

    /// Whether it has a status LED.
    fn has_led(&self) -> bool;
}

/// What one look at a board found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// For the guard; what the chain knows of the chips is left for the task to fill in.
    pub readings: Readings,
    /// Supplies.
    pub rails: Vec<RailReport>,
}

/// Why a board did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// Its controller.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// Its core regulator.
    #[error(transparent)]
    Regulator(#[from] Tps546Error),
    /// Another of its parts.
    #[error("{part}: {problem}")]
    Part {
        /// Which.
        part: &'static str,
        /// What, and what to do.
        problem: String,
    },
    /// The device went away while one of its parts was spoken to.
    #[error("{0}")]
    Gone(String),
}

impl HardwareError {
    /// Whether the device itself is gone, so that it makes no sense to try again before it is back.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Bridge(bridge) => bridge.recovery() == Recovery::Gone,
            Self::Regulator(Tps546Error::Bus(BusError::Gone(_))) | Self::Gone(_) => true,
            Self::Regulator(_) | Self::Part { .. } => false,
        }
    }
}
