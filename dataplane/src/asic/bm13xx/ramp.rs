//! The way of the clock from one frequency to another: in steps of 6.25 MHz every 100 ms, up and down.

use super::{Model, command::Command, pll::Pll, register};
use mujina_core::units::Frequency;
use std::time::Duration;

/// What a step changes.
pub const STEP: f64 = 6.25;
/// Time between two steps.
pub const STEP_TIME: Duration = Duration::from_millis(100);
/// Clock that chips are set to first: a step above what they have out of reset, by ESP-Miner; the same by Mujina.
pub const START: f64 = 56.25;
/// Pause around the writes of a BM1397.
const QUIRK: Duration = Duration::from_millis(10);

/// The next frequency on the way: a multiple of the step, or the end of the way when that is nearer.
#[must_use]
pub fn next(from: Frequency, to: Frequency) -> Frequency {
    let (from, to) = (from.megahertz(), to.megahertz());
    let next = if to > from {
        ((from / STEP).floor() * STEP + STEP).min(to)
    } else {
        ((from / STEP).ceil() * STEP - STEP).max(to)
    };
    Frequency::from_megahertz(next)
}

/// What is written to set the clock of all chips, with the pause after each. A BM1397 has dividers of its own in front,
/// and everything is written twice, as ESP-Miner does.
#[must_use]
pub fn writes(model: Model, pll: &Pll) -> Vec<(Command, Duration)> {
    let clock = Command::write_all(register::PLL0, pll.encode(model));
    if model.rolls_versions() {
        return vec![(clock, Duration::ZERO)];
    }
    let divider = Command::write_all(register::PLL0_DIVIDER, 0x0f0f_0f00);
    [divider, divider, clock, clock].map(|command| (command, QUIRK)).to_vec()
}

#[cfg(test)]
mod tests;
