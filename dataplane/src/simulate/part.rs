//! The parts on the I2C bus of a board. Source: peripheral fact sheet.

mod emc2101;
mod pmbus;
mod simple;
mod tps546;

pub(super) use self::{
    emc2101::Emc2101,
    simple::{Ds4432u, Ina260, Tmp451, Tmp1075},
    tps546::Tps546,
};
use super::record::Violation;

/// What parts measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// Degrees Celsius of the chip that has the diode.
    pub(super) chip: f64,
    pub(super) circuit_board: f64,
    pub(super) regulator: f64,
    pub(super) ambient: f64,
    pub(super) input: f64,
    pub(super) core: f64,
    pub(super) current: f64,
    pub(super) power: f64,
    pub(super) rpm: f64,
    pub(super) diode: Diode,
}

/// The diode on a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diode {
    Good,
    Open,
    Short,
}

/// A part on the bus. A write carries a register and data; a read goes on from the register written last.
pub(super) trait Part: std::fmt::Debug + Send {
    /// Its seven-bit address.
    fn address(&self) -> u8;
    /// Takes a write that is not empty. `Err` names what is wrong with it; the part takes it nevertheless.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation>;
    /// Gives so many bytes.
    fn read(&mut self, count: usize) -> Vec<u8>;
    /// Takes what is measured now.
    fn measure(&mut self, measured: &Measured);
    /// Whether it answers.
    fn answers(&self) -> bool {
        true
    }
    /// Duty of the fan that it drives.
    fn fan_duty(&self) -> Option<f64> {
        None
    }
    /// The regulator, if it is one.
    fn regulator(&mut self) -> Option<&mut Tps546> {
        None
    }
    /// Core voltage that it sets, on boards without a digital regulator.
    fn trimmed_volts(&self) -> Option<f64> {
        None
    }
}

/// A number as it fits: parts saturate.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of the target")]
fn whole(value: f64, least: i32, most: i32) -> i32 {
    value.round().clamp(f64::from(least), f64::from(most)) as i32
}

/// The low byte of a number.
fn low(value: i32) -> u8 {
    let [byte, ..] = value.to_le_bytes();
    byte
}

/// The second byte of a number.
fn high(value: i32) -> u8 {
    let [_, byte, ..] = value.to_le_bytes();
    byte
}
