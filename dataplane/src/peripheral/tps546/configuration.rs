//! What the regulator of each board is set to.   Source: peripherals 3.2, which names the firmware that each value is from.
//!
//! Where firmwares disagree: Bitaxe boards do not obey the CONTROL pin (`ON_OFF_CONFIG` 1B, as both do by now: noise on
//! the pin could switch the rail). EmberOne boards do (1F): it is what takes the core supply away when the controller resets
//! or the cable is pulled (boards 5.4).

use crate::peripheral::pmbus::VoutMode;
use mujina_core::units::Volts;

/// Values of a board.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// `ON_OFF_CONFIG`: 1B obeys commands only, 1F the CONTROL pin as well.
    pub on_off: u8,
    /// `PHASE`.
    pub phase: u8,
    /// `FREQUENCY_SWITCH`, in kHz.
    pub switching_khz: f64,
    /// Input from which on it works, in volts.
    pub vin_on: f64,
    /// Input below which it stops, in volts.
    pub vin_off: f64,
    /// Input from which on it protects itself, in volts.
    pub vin_ov_fault: f64,
    /// `VOUT_SCALE_LOOP`: the divider of the output.
    pub scale_loop: f64,
    /// Output that the part itself refuses to exceed or fall below.
    pub vout_min: Volts,
    /// The same, upwards.
    pub vout_max: Volts,
    /// Output that it is told first, while it is off.
    pub vout_initial: Volts,
    /// Output current that is warned of, in amperes.
    pub iout_warn: f64,
    /// Output current that turns it off, in amperes.
    pub iout_fault: f64,
    /// `PIN_DETECT_OVERRIDE`.
    pub pin_detect: u16,
    /// What only this board needs, written last.
    pub extras: &'static [(u8, Value)],
}

/// A register's content.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// As it is.
    Byte(u8),
    /// As it is.
    Word(u16),
    /// A number in SLINEAR11.
    Linear11(f64),
    /// A voltage or ratio in the format of `VOUT_MODE`.
    Voltage(f64),
    /// Bytes behind their count.
    Block(&'static [u8]),
}

/// Registers that keep a board from harm and are therefore read back: greatest output, currents, temperatures, input, and
/// what is done about them.
pub const PROTECTS: [u8; 9] = [0x02, 0x24, 0x2B, 0x46, 0x47, 0x4F, 0x50, 0x55, 0x56];

/// Bitaxe boards of one chip on 5 V.
#[must_use]
pub fn bitaxe(initial: Volts) -> Configuration {
    Configuration {
        on_off: 0x1B,
        phase: 0x00,
        switching_khz: 650.0,
        vin_on: 4.8,
        vin_off: 4.5,
        vin_ov_fault: 6.5,
        scale_loop: 0.25,
        vout_min: Volts::from_millivolts(1000),
        vout_max: Volts::from_millivolts(2000),
        vout_initial: initial,
        iout_warn: 25.0,
        iout_fault: 30.0,
        pin_detect: 0xFFFF,
        extras: &[],
    }
}

/// EmberOne/00 of version 5: twelve chips in series. The form of B5 is not certain (peripherals 9.4): a block of one byte.
#[must_use]
pub fn ember_one() -> Configuration {
    Configuration {
        on_off: 0x1F,
        phase: 0xFF,
        switching_khz: 325.0,
        vin_on: 11.0,
        vin_off: 10.5,
        vin_ov_fault: 14.0,
        scale_loop: 0.125,
        vout_min: Volts::from_millivolts(3000),
        vout_max: Volts::from_millivolts(4000),
        vout_initial: Volts::from_millivolts(3040),
        iout_warn: 50.0,
        iout_fault: 55.0,
        pin_detect: 0x0000,
        extras: &[
            (0xB1, Value::Block(&[0x13, 0x20, 0xC6, 0x19, 0xC6])),
            (0x41, Value::Byte(0xB7)),
            (0x45, Value::Byte(0xB7)),
            (0xB5, Value::Block(&[0x70])),
            (0xD0, Value::Block(&[3, 3, 3, 3, 3, 0])),
            (0x38, Value::Word(0xC880)),
            (0x39, Value::Word(0xE000)),
        ],
    }
}

impl Configuration {
    /// All registers in the order in which they are written: Mujina's, but for the limits of the output.
    pub(super) fn settings(&self, mode: VoutMode) -> impl Iterator<Item = (u8, Value)> {
        // Limits of the output are ratios on this part; where it says otherwise, they are so many times the first voltage.
        let unit = if mode.is_relative() { 1.0 } else { self.vout_initial.volts() };
        let ratio = move |value: f64| Value::Voltage(value * unit);
        let settings = [
            (0x02, Value::Byte(self.on_off)),
            (0x04, Value::Byte(self.phase)),
            (0x33, Value::Linear11(self.switching_khz)),
            (0x35, Value::Linear11(self.vin_on)),
            (0x36, Value::Linear11(self.vin_off)),
            (0x55, Value::Linear11(self.vin_ov_fault)),
            (0x56, Value::Byte(0xB7)),
            (0x29, Value::Linear11(self.scale_loop)),
            // Before the voltage itself, which the part refuses outside of what it was told before.
            (0x24, Value::Voltage(self.vout_max.volts())),
            (0x2B, Value::Voltage(self.vout_min.volts())),
            (0x21, Value::Voltage(self.vout_initial.volts())),
            (0x40, ratio(1.25)),
            (0x42, ratio(1.16)),
            (0x25, ratio(1.10)),
            (0x26, ratio(0.90)),
            (0x43, ratio(0.90)),
            (0x44, ratio(0.75)),
            (0x4A, Value::Linear11(self.iout_warn)),
            (0x46, Value::Linear11(self.iout_fault)),
            (0x47, Value::Byte(0xC0)),
            (0x51, Value::Linear11(105.0)),
            (0x4F, Value::Linear11(145.0)),
            (0x50, Value::Byte(0xFF)),
            (0x60, Value::Linear11(0.0)),
            (0x61, Value::Linear11(3.0)),
            (0x62, Value::Linear11(0.0)),
            (0x63, Value::Byte(0x3B)),
            (0x64, Value::Linear11(0.0)),
            (0x65, Value::Linear11(0.0)),
            (0xEE, Value::Word(self.pin_detect)),
        ];
        settings.into_iter().chain(self.extras.iter().copied())
    }
}
