//! What hangs on a board's controller: supply, reset, sensors, fan, light. Driven by the board's task, which decides what is
//! done and when.
//!
//! A kind of board says here how its steps are taken, not in which order a board is started or why it is stopped. Tests give
//! the task a board of their own.

use crate::{
    board::{led::Rgb, thermal::Readings},
    bridge::{BridgeError, Recovery},
    peripheral::tps546::Tps546Error,
};
use mujina_core::{
    board::{RailReport, SafeStateReport},
    units::Volts,
};

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
}

impl HardwareError {
    /// Whether the device itself is gone, so that it makes no sense to try again before it is back.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Bridge(bridge) if bridge.recovery() == Recovery::Gone)
    }
}
