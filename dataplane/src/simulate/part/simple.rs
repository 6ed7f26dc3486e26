//! Parts that are little more than registers: TMP1075, TMP451, DS4432U, INA260. Sections 4 to 6 of the sheet.

use super::{Diode, Measured, Part, high, low, whole};
use crate::simulate::record::Violation;

/// TMP1075: one temperature, sixteen-bit registers with the high byte first.
#[derive(Debug)]
pub(in crate::simulate) struct Tmp1075 {
    address: u8,
    words: [[u8; 2]; 16],
    pointer: u8,
}

impl Tmp1075 {
    pub(in crate::simulate) fn at(address: u8) -> Self {
        let mut words = [[0; 2]; 16];
        words[1] = [0x00, 0xff];
        words[2] = [0x4b, 0x00];
        words[3] = [0x50, 0x00];
        words[15] = [0x75, 0x00];
        Self { address, words, pointer: 0 }
    }
}

impl Part for Tmp1075 {
    fn address(&self) -> u8 {
        self.address
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let [register, data @ ..] = bytes else { return Ok(()) };
        self.pointer = *register & 0x0f;
        let is_known = matches!(register, 0x00..=0x03 | 0x0f);
        if let ([high, low], 0x01..=0x03) = (data, register)
            && let Some(word) = self.words.get_mut(usize::from(*register))
        {
            *word = [*high, *low];
        } else if !is_known || !data.is_empty() {
            return Err(Violation::UnknownCommand);
        }
        Ok(())
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let word = self.words.get(usize::from(self.pointer)).copied().unwrap_or_default();
        word.into_iter().cycle().take(count).collect()
    }

    fn measure(&mut self, measured: &Measured) {
        let raw = whole(measured.circuit_board * 16.0, -2048, 2047) << 4;
        self.words[0] = [high(raw), low(raw)];
    }
}

/// TMP451 at 49: local temperature, and the diode of the chip nearest the host.
#[derive(Debug)]
pub(in crate::simulate) struct Tmp451 {
    registers: [u8; 256],
    pointer: u8,
}

/// The remote reading before the host's correction is this much too high.
const REMOTE_ERROR: f64 = 7.0;

impl Tmp451 {
    pub(in crate::simulate) fn new() -> Self {
        let mut registers = [0; 256];
        registers[0xfe] = 0x55;
        Self { registers, pointer: 0 }
    }

    fn set(&mut self, register: u8, value: u8) {
        if let Some(place) = self.registers.get_mut(usize::from(register)) {
            *place = value;
        }
    }
}

impl Part for Tmp451 {
    fn address(&self) -> u8 {
        0x49
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let [register, data @ ..] = bytes else { return Ok(()) };
        self.pointer = *register;
        for value in data {
            if !matches!(register, 0x03..=0x14 | 0x19..=0x24) {
                return Err(Violation::UnknownCommand);
            }
            // Limits and configuration are written at 09 to 0E and read at 03 to 08.
            let place = if (0x09..=0x0e).contains(register) { register - 6 } else { *register };
            self.set(place, *value);
        }
        Ok(())
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let byte = self.registers.get(usize::from(self.pointer)).copied().unwrap_or_default();
        vec![byte; count]
    }

    fn measure(&mut self, measured: &Measured) {
        let offset = f64::from(i8::from_le_bytes([self.registers[0x11]]));
        let is_open = measured.diode == Diode::Open;
        let remote = match measured.diode {
            Diode::Good => whole((measured.chip + REMOTE_ERROR + offset) * 16.0, 0, 0x07ff),
            Diode::Open => 0,
            Diode::Short => 0x07ff,
        };
        let local = whole(measured.circuit_board * 16.0, 0, 0x07ff);
        for (register, value) in [
            (0x00, low(local >> 4)),
            (0x15, low(local << 4)),
            (0x01, low(remote >> 4)),
            (0x10, low(remote << 4)),
            (0x02, if is_open { 0x04 } else { 0 }),
        ] {
            self.set(register, value);
        }
    }
}

/// DS4432U at 48: trims the core voltage of boards without a digital regulator.
#[derive(Debug, Default)]
pub(in crate::simulate) struct Ds4432u {
    registers: [u8; 2],
    pointer: u8,
}

impl Part for Ds4432u {
    fn address(&self) -> u8 {
        0x48
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let [register, data @ ..] = bytes else { return Ok(()) };
        self.pointer = register.wrapping_sub(0xf8);
        let Some(place) = self.registers.get_mut(usize::from(self.pointer)) else {
            return Err(Violation::UnknownCommand);
        };
        if let Some(value) = data.first() {
            *place = *value;
        }
        Ok(())
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        vec![self.registers.get(usize::from(self.pointer)).copied().unwrap_or_default(); count]
    }

    fn measure(&mut self, _: &Measured) {}

    fn trimmed_volts(&self) -> Option<f64> {
        // The inverse of the formula for 5 V boards: code 0 is about 1.45 V, a set sign lowers it.
        let [code, _] = self.registers;
        let current = f64::from(code & 0x7f) / 127.0 * 98.921e-6;
        let signed = if code & 0x80 == 0 { -current } else { current };
        Some(0.6 + (0.6 / 3320.0 - signed) * 4750.0)
    }
}

/// INA260 at 40: current, voltage and power of the input.
#[derive(Debug, Default)]
pub(in crate::simulate) struct Ina260 {
    words: [i32; 3],
    pointer: u8,
}

impl Part for Ina260 {
    fn address(&self) -> u8 {
        0x40
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let [register, data @ ..] = bytes else { return Ok(()) };
        self.pointer = *register;
        let is_known = matches!(register, 0x00..=0x03 | 0x06 | 0x07 | 0xfe | 0xff);
        let is_writable = matches!(register, 0x00 | 0x06 | 0x07);
        if is_known && (data.is_empty() || is_writable) { Ok(()) } else { Err(Violation::UnknownCommand) }
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let [current, volts, power] = self.words;
        let word = match self.pointer {
            0x01 => current,
            0x02 => volts,
            0x03 => power,
            // "TI", as the maker writes itself.
            0xfe => 0x5449,
            _ => 0,
        };
        [high(word), low(word)].into_iter().cycle().take(count).collect()
    }

    fn measure(&mut self, measured: &Measured) {
        let drawn = if measured.input > 0.0 { measured.power / 0.9 / measured.input } else { 0.0 };
        self.words = [
            whole(drawn / 1.25e-3, -0x8000, 0x7fff),
            whole(measured.input / 1.25e-3, 0, 0xffff),
            whole(drawn * measured.input / 10e-3, 0, 0xffff),
        ];
    }
}

#[cfg(test)]
mod tests {
    use super::{super::emc2101::tests::MEASURED, *};

    fn read(part: &mut dyn Part, register: u8, count: usize) -> Vec<u8> {
        part.write(&[register]).unwrap();
        part.read(count)
    }

    #[test]
    fn tmp1075_tells_the_words_of_the_sheet() {
        let mut part = Tmp1075::at(0x4a);
        assert_eq!(read(&mut part, 0x0f, 2), [0x75, 0x00]);
        for (degrees, word) in [
            (26.125, [0x1a, 0x20]),
            (100.0, [0x64, 0x00]),
            (-0.0625, [0xff, 0xf0]),
            (-25.0, [0xe7, 0x00]),
            (200.0, [0x7f, 0xf0]),
        ] {
            part.measure(&Measured { circuit_board: degrees, ..MEASURED });
            assert_eq!(read(&mut part, 0x00, 2), word, "{degrees}");
        }
        assert_eq!(part.write(&[0x05]), Err(Violation::UnknownCommand));
    }

    #[test]
    fn tmp451_reads_high_until_its_offset_is_set() {
        let mut part = Tmp451::new();
        assert_eq!(read(&mut part, 0xfe, 1), [0x55]);
        part.measure(&Measured { chip: 25.0625, ..MEASURED });
        assert_eq!(read(&mut part, 0x01, 1), [32]);
        part.write(&[0x11, 0xf9]).unwrap();
        part.measure(&Measured { chip: 25.0625, ..MEASURED });
        assert_eq!((read(&mut part, 0x01, 1), read(&mut part, 0x10, 1)), (vec![0x19], vec![0x10]));
        part.measure(&Measured { diode: Diode::Open, ..MEASURED });
        assert_eq!(read(&mut part, 0x02, 1), [0x04]);
    }

    #[test]
    fn ds4432u_codes_of_the_sheet_give_their_volts() {
        let mut part = Ds4432u::default();
        for (code, volts) in [(0xe1, 1.10), (0xd4, 1.15), (0xc6, 1.20), (0x90, 1.40), (0x00, 1.458), (0x0c, 1.50)] {
            part.write(&[0xf8, code]).unwrap();
            let trimmed = part.trimmed_volts().unwrap();
            assert!((trimmed - volts).abs() < 0.006, "{code:02x}: {trimmed}");
        }
    }

    #[test]
    fn ina260_measures_the_input() {
        let mut part = Ina260::default();
        part.measure(&Measured { power: 9.0, input: 5.0, ..MEASURED });
        assert_eq!(read(&mut part, 0x02, 2), 4000_u16.to_be_bytes());
        assert_eq!(read(&mut part, 0x01, 2), 1600_u16.to_be_bytes());
        assert_eq!(read(&mut part, 0x03, 2), 1000_u16.to_be_bytes());
    }
}
