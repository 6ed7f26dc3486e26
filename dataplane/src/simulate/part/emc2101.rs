//! EMC2101 at 4C: fan and temperature. Section 2 of the sheet.

use super::{Diode, Measured, Part, high, low, whole};
use crate::simulate::record::Violation;

const STATUS: u8 = 0x02;
const CONFIGURATION: u8 = 0x03;
const FAN_CONFIGURATION: u8 = 0x4a;
const FAN_SETTING: u8 = 0x4c;
const TACH_LOW: u8 = 0x46;
const TACH_HIGH: u8 = 0x47;

/// The part.
#[derive(Debug)]
pub(in crate::simulate) struct Emc2101 {
    registers: [u8; 256],
    pointer: u8,
    /// High bytes that wait for being read after their low or high partner.
    latched_tach: u8,
    latched_temperature: u8,
    measured_tach: u16,
}

impl Emc2101 {
    pub(in crate::simulate) fn new() -> Self {
        let mut part =
            Self { registers: [0; 256], pointer: 0, latched_tach: 0xff, latched_temperature: 0, measured_tach: 0xffff };
        for (register, value) in [
            (0x04, 0x08),
            (0x17, 0x12),
            (0x18, 0x08),
            (FAN_CONFIGURATION, 0x20),
            (0xfd, 0x16),
            (0xfe, 0x5d),
            (0xff, 0x03),
        ] {
            part.set(register, value);
        }
        part
    }

    fn get(&self, register: u8) -> u8 {
        self.registers.get(usize::from(register)).copied().unwrap_or_default()
    }

    fn set(&mut self, register: u8, value: u8) {
        if let Some(place) = self.registers.get_mut(usize::from(register)) {
            *place = value;
        }
    }

    fn read_register(&mut self, register: u8) -> u8 {
        match register {
            // Low first, which latches high; for the temperature it is the other way round.
            TACH_LOW => {
                let [low, high] = self.tach().to_le_bytes();
                self.latched_tach = high;
                low
            }
            TACH_HIGH => self.latched_tach,
            0x01 => {
                self.latched_temperature = self.get(0x10);
                self.get(0x01)
            }
            0x10 => self.latched_temperature,
            _ => self.get(register),
        }
    }

    /// Without the tach input nothing is counted.
    fn tach(&self) -> u16 {
        if self.get(CONFIGURATION) & 0x04 == 0 { 0xffff } else { self.measured_tach }
    }
}

impl Part for Emc2101 {
    fn address(&self) -> u8 {
        0x4c
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let [register, data @ ..] = bytes else { return Ok(()) };
        self.pointer = *register;
        let mut result = Ok(());
        for (register, value) in (*register..=0xff).zip(data) {
            let is_writable = matches!(register, 0x03..=0x0c | 0x13..=0x19 | 0x20..=0x21 | 0x48..=0x5f);
            if is_writable {
                let value = if register == FAN_SETTING { value & 0x3f } else { *value };
                self.set(register, value);
            } else if register != 0x0f {
                result = Err(Violation::UnknownCommand);
            }
        }
        result
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| {
                let byte = self.read_register(self.pointer);
                self.pointer = self.pointer.wrapping_add(1);
                byte
            })
            .collect()
    }

    fn measure(&mut self, measured: &Measured) {
        self.set(0x00, low(whole(measured.circuit_board, -64, 127)));
        let raw = match measured.diode {
            Diode::Good => whole(measured.chip * 8.0, -512, 0x3f7),
            Diode::Open => 0x3f8,
            Diode::Short => 0x3ff,
        };
        self.set(STATUS, if measured.diode == Diode::Open { 0x04 } else { 0 });
        self.set(0x01, low(raw >> 3));
        self.set(0x10, low(raw << 5 & 0xe0));
        let count = if measured.rpm < 83.0 { 0xffff } else { whole(5_400_000.0 / measured.rpm, 1, 0xffff) };
        self.measured_tach = u16::from_le_bytes([low(count), high(count)]);
    }

    fn fan_duty(&self) -> Option<f64> {
        // Unless it is driven directly the lookup table rules, which nobody filled: the fan stands.
        let direct = self.get(FAN_CONFIGURATION) & 0x20 != 0;
        Some(if direct { f64::from(self.get(FAN_SETTING)) / 63.0 } else { 0.0 })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const MEASURED: Measured = Measured {
        chip: 60.25,
        circuit_board: 40.0,
        regulator: 50.0,
        ambient: 25.0,
        input: 5.0,
        core: 1.15,
        current: 12.0,
        power: 13.8,
        rpm: 3000.0,
        diode: Diode::Good,
    };

    fn read(part: &mut Emc2101, register: u8, count: usize) -> Vec<u8> {
        part.write(&[register]).unwrap();
        part.read(count)
    }

    #[test]
    fn ids_and_temperatures_are_those_of_the_sheet() {
        let mut part = Emc2101::new();
        assert_eq!((read(&mut part, 0xfe, 1), read(&mut part, 0xfd, 1)), (vec![0x5d], vec![0x16]));
        for (degrees, bytes) in [
            (25.0, [0x19, 0x00]),
            (45.5, [0x2d, 0x80]),
            (60.25, [0x3c, 0x40]),
            (80.0, [0x50, 0x00]),
            (-5.0, [0xfb, 0x00]),
        ] {
            part.measure(&Measured { chip: degrees, ..MEASURED });
            assert_eq!([read(&mut part, 0x01, 1)[0], read(&mut part, 0x10, 1)[0]], bytes, "{degrees}");
        }
        for (diode, bytes) in [(Diode::Open, [0x7f, 0x00]), (Diode::Short, [0x7f, 0xe0])] {
            part.measure(&Measured { diode, ..MEASURED });
            assert_eq!([read(&mut part, 0x01, 1)[0], read(&mut part, 0x10, 1)[0]], bytes, "{diode:?}");
        }
    }

    #[test]
    fn tach_counts_once_its_input_is_chosen_and_low_latches_high() {
        let mut part = Emc2101::new();
        part.measure(&MEASURED);
        assert_eq!(read(&mut part, 0x46, 1), [0xff]);
        part.write(&[0x03, 0x04]).unwrap();
        assert_eq!(read(&mut part, 0x46, 1), [0x08]);
        part.measure(&Measured { rpm: 0.0, ..MEASURED });
        assert_eq!(read(&mut part, 0x47, 1), [0x07], "of the reading before");
    }

    #[test]
    fn fan_follows_its_setting() {
        let mut part = Emc2101::new();
        part.write(&[0x4a, 0x23]).unwrap();
        part.write(&[0x4c, 0x3f]).unwrap();
        assert_eq!(part.fan_duty(), Some(1.0));
        part.write(&[0x4c, 15]).unwrap();
        assert_eq!(part.fan_duty(), Some(15.0 / 63.0));
        assert_eq!(part.write(&[0xfd, 0]), Err(Violation::UnknownCommand));
        assert_eq!(part.write(&[0x6a, 0]), Err(Violation::UnknownCommand));
    }
}
