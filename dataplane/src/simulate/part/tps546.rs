//! TPS546D24A at 24: the core regulator, by PMBus. Section 3 of the sheet.
//!
//! Values that another board's regulator would have at power-up are not known; it begins switched off by OPERATION.

use super::{
    Measured, Part,
    pmbus::{from_linear11, from_linear16, linear11, linear16},
};
use crate::simulate::{fault::RegulatorFault, record::Violation};
use std::collections::BTreeMap;

const OPERATION: u8 = 0x01;
const ON_OFF_CONFIG: u8 = 0x02;
const CLEAR_FAULTS: u8 = 0x03;
const STORE_USER_ALL: u8 = 0x15;
const VOUT_COMMAND: u8 = 0x21;
const VOUT_MAX: u8 = 0x24;
const VOUT_MIN: u8 = 0x2b;
const VIN_ON: u8 = 0x35;
const VIN_OFF: u8 = 0x36;
const IOUT_OC_FAULT_LIMIT: u8 = 0x46;
const OT_FAULT_LIMIT: u8 = 0x4f;

/// Bits of STATUS_WORD.
const OFF: u16 = 1 << 6;
const VOUT_OV: u16 = 1 << 5;
const IOUT_OC: u16 = 1 << 4;
const VIN_UV: u16 = 1 << 3;
const TEMPERATURE: u16 = 1 << 2;
const CML: u16 = 1 << 1;
const NOT_GOOD: u16 = 1 << 11;
const INPUT: u16 = 1 << 13;
const IOUT: u16 = 1 << 14;
const VOUT: u16 = 1 << 15;

/// The part.
#[derive(Debug)]
pub(in crate::simulate) struct Tps546 {
    stored: BTreeMap<u8, Vec<u8>>,
    pointer: u8,
    measured: Measured,
    /// The CONTROL pin.
    control: bool,
    has_input: bool,
    refuses: bool,
    /// Faults that lie outside, for as long as they last.
    pressed: Vec<RegulatorFault>,
    latched: Vec<RegulatorFault>,
    /// STATUS_CML and the limit bit of STATUS_VOUT.
    cml: u8,
    vout_limit: bool,
    /// Above VIN_ON once, and not below VIN_OFF since.
    input_is_up: bool,
}

impl Tps546 {
    pub(in crate::simulate) fn new(measured: Measured) -> Self {
        Self {
            stored: power_on(),
            pointer: 0,
            measured,
            control: true,
            has_input: true,
            refuses: false,
            pressed: Vec::new(),
            latched: Vec::new(),
            cml: 0,
            vout_limit: false,
            input_is_up: false,
        }
    }

    /// Takes the state of what is outside; without input power it forgets everything.
    pub(in crate::simulate) fn surround(
        &mut self,
        has_input: bool,
        control: bool,
        refuses: bool,
        pressed: Vec<RegulatorFault>,
    ) {
        if !has_input && self.has_input {
            *self = Self::new(self.measured);
        }
        (self.has_input, self.control, self.refuses, self.pressed) = (has_input, control, refuses, pressed);
        if !has_input {
            return;
        }
        let volts = self.measured.input;
        self.input_is_up = volts >= self.linear(VIN_ON) || (self.input_is_up && volts >= self.linear(VIN_OFF));
        let mut faults = self.pressed.clone();
        if self.measured.regulator >= self.linear(OT_FAULT_LIMIT) {
            faults.push(RegulatorFault::OverTemperature);
        }
        if self.measured.current >= self.linear(IOUT_OC_FAULT_LIMIT) {
            faults.push(RegulatorFault::OverCurrent);
        }
        for fault in faults {
            if !self.latched.contains(&fault) {
                self.latched.push(fault);
            }
        }
    }

    /// Volts at the output, as the registers have it.
    pub(in crate::simulate) fn output(&self) -> f64 {
        let config = self.byte(ON_OFF_CONFIG);
        let is_commanded = config & 0x08 == 0 || self.byte(OPERATION) & 0x80 != 0;
        let is_controlled = config & 0x04 == 0 || (self.control == (config & 0x02 != 0));
        // Without bit 4 it starts by itself.
        let wants = config & 0x10 == 0 || (is_commanded && is_controlled);
        let is_on = self.has_input && self.input_is_up && wants && !self.refuses && self.latched.is_empty();
        if is_on { self.linear16(VOUT_COMMAND) } else { 0.0 }
    }

    /// Whether something else than a command keeps the output off.
    pub(in crate::simulate) fn is_faulted(&self) -> bool {
        !self.has_input || self.refuses || !self.latched.is_empty()
    }

    fn byte(&self, command: u8) -> u8 {
        self.stored.get(&command).and_then(|bytes| bytes.first()).copied().unwrap_or_default()
    }

    fn word(&self, command: u8) -> [u8; 2] {
        self.stored.get(&command).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default()
    }

    fn linear(&self, command: u8) -> f64 {
        from_linear11(self.word(command))
    }

    fn linear16(&self, command: u8) -> f64 {
        from_linear16(self.word(command))
    }

    fn status_word(&self) -> u16 {
        let is_off = self.output() <= 0.0;
        let mut word = if is_off { OFF | NOT_GOOD } else { 0 };
        for fault in &self.latched {
            word |= match fault {
                RegulatorFault::OverTemperature => TEMPERATURE,
                RegulatorFault::OverCurrent => IOUT_OC | IOUT,
                RegulatorFault::OverVoltage => VOUT_OV | VOUT,
                RegulatorFault::InputLow => VIN_UV | INPUT,
            };
        }
        let cml = if self.cml == 0 { 0 } else { CML };
        word | cml | if self.vout_limit { VOUT } else { 0 }
    }

    fn status_byte(&self, fault: RegulatorFault, bit: u8) -> u8 {
        if self.latched.contains(&fault) { bit } else { 0 }
    }

    /// What lies outside is latched again at once.
    fn clear_faults(&mut self) {
        self.latched.retain(|fault| self.pressed.contains(fault));
        (self.cml, self.vout_limit) = (0, false);
    }

    fn answer(&self, command: u8) -> Option<Vec<u8>> {
        let Measured { input, current, regulator, .. } = self.measured;
        Some(match command {
            0x78 => self.status_word().to_le_bytes().first().map(|byte| vec![*byte]).unwrap_or_default(),
            0x79 => self.status_word().to_le_bytes().to_vec(),
            0x7a => vec![self.status_byte(RegulatorFault::OverVoltage, 0x80) | if self.vout_limit { 0x08 } else { 0 }],
            0x7b => vec![self.status_byte(RegulatorFault::OverCurrent, 0x80)],
            0x7c => {
                let low = if self.input_is_up { 0 } else { 0x08 };
                vec![self.status_byte(RegulatorFault::InputLow, 0x10) | low]
            }
            0x7d => vec![self.status_byte(RegulatorFault::OverTemperature, 0x80)],
            0x7e => vec![self.cml],
            0x7f | 0x80 => vec![0],
            0x88 => linear11(input).to_vec(),
            0x8b => linear16(self.output()).to_vec(),
            0x8c => linear11(current).to_vec(),
            0x8d => linear11(regulator).to_vec(),
            _ => self.stored.get(&command)?.clone(),
        })
    }
}

impl Part for Tps546 {
    fn address(&self) -> u8 {
        0x24
    }

    fn answers(&self) -> bool {
        self.has_input
    }

    fn regulator(&mut self) -> Option<&mut Tps546> {
        Some(self)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let [command, data @ ..] = bytes else { return Ok(()) };
        self.pointer = *command;
        match *command {
            CLEAR_FAULTS => {
                self.clear_faults();
                return Ok(());
            }
            STORE_USER_ALL => return Err(Violation::StoreAll),
            _ => {}
        }
        let Some(before) = self.answer(*command) else {
            self.cml |= 0x80;
            return Err(Violation::UnknownCommand);
        };
        if data.is_empty() {
            return Ok(());
        }
        let is_telemetry = (0x78..=0x8d).contains(command) || matches!(command, 0x20 | 0x99..=0x9b | 0xad);
        if is_telemetry || data.len() != before.len() {
            self.cml |= 0x40;
            return Err(Violation::UnknownCommand);
        }
        if *command == VOUT_COMMAND {
            let volts = data.first_chunk().copied().map_or(0.0, from_linear16);
            if volts > self.linear16(VOUT_MAX) || volts < self.linear16(VOUT_MIN) {
                self.vout_limit = true;
                return Err(Violation::VoltageRefused);
            }
        }
        let was_on = self.byte(OPERATION) & 0x80 != 0;
        self.stored.insert(*command, data.to_vec());
        if *command == OPERATION && !was_on && self.byte(OPERATION) & 0x80 != 0 {
            // Off and on again clears what was latched.
            self.latched.retain(|fault| self.pressed.contains(fault));
        }
        Ok(())
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let answer = self.answer(self.pointer).unwrap_or_default();
        answer.into_iter().chain(std::iter::repeat(0xff)).take(count).collect()
    }

    fn measure(&mut self, measured: &Measured) {
        self.measured = *measured;
    }
}

/// Bytes of each command at power-up; blocks begin with their length.
fn power_on() -> BTreeMap<u8, Vec<u8>> {
    let linear = |value| linear11(value).to_vec();
    let volts = |value| linear16(value).to_vec();
    let mut stored: BTreeMap<u8, Vec<u8>> = [
        (0x00, vec![0x00]),
        (OPERATION, vec![0x00]),
        (ON_OFF_CONFIG, vec![0x1f]),
        (0x04, vec![0xff]),
        (0x10, vec![0x00]),
        (0x19, vec![0xd0]),
        (0x20, vec![0x97]),
        (VOUT_COMMAND, volts(0.5)),
        (VOUT_MAX, volts(1.5)),
        (0x25, volts(1.05)),
        (0x26, volts(0.95)),
        (0x29, linear(1.0)),
        (VOUT_MIN, volts(0.5)),
        (0x33, linear(650.0)),
        (VIN_ON, linear(2.75)),
        (VIN_OFF, linear(2.5)),
        (0x37, vec![0x20, 0x00]),
        (0x38, linear(1.0)),
        (0x39, linear(0.0)),
        (0x40, volts(1.15)),
        (0x42, volts(1.1)),
        (0x43, volts(0.9)),
        (0x44, volts(0.85)),
        (IOUT_OC_FAULT_LIMIT, linear(52.0)),
        (0x4a, linear(40.0)),
        (OT_FAULT_LIMIT, linear(150.0)),
        (0x51, linear(125.0)),
        (0x55, linear(21.0)),
        (0x58, linear(2.5)),
        (0x60, linear(0.0)),
        (0x61, linear(3.0)),
        (0x62, linear(0.0)),
        (0x64, linear(0.0)),
        (0x65, linear(0.5)),
        (0x99, vec![3, b'T', b'I', 0]),
        (0x9a, vec![3, 0, 0, 0]),
        (0x9b, vec![3, 0, 0, 0]),
        (0xad, vec![6, 0x54, 0x49, 0x54, 0x6d, 0x24, 0x41]),
        (0xb1, vec![5, 0x22, 0x18, 0xc2, 0x1d, 0x06]),
        (0xb5, vec![1, 0x70]),
        (0xd0, vec![6, 3, 3, 3, 3, 3, 0]),
        (0xe4, vec![0xf0]),
        (0xec, vec![0x00, 0x00]),
        (0xee, vec![0xff, 0xff]),
    ]
    .into();
    for response in [0x41, 0x45, 0x47, 0x50, 0x56, 0x63] {
        stored.insert(response, vec![0xb7]);
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::{super::emc2101::tests::MEASURED, *};

    fn part() -> Tps546 {
        let mut part = Tps546::new(MEASURED);
        part.surround(true, true, false, Vec::new());
        part
    }

    fn on() -> Tps546 {
        let mut part = part();
        for bytes in [&[0x24, 0x00, 0x04][..], &[0x2b, 0x00, 0x02], &[0x21, 0x4d, 0x02], &[0x03], &[0x01, 0x80]] {
            part.write(bytes).unwrap();
        }
        part
    }

    fn read(part: &mut Tps546, command: u8, count: usize) -> Vec<u8> {
        part.write(&[command]).unwrap();
        part.read(count)
    }

    #[test]
    fn device_id_is_a_block() {
        assert_eq!(read(&mut part(), 0xad, 7), [6, 0x54, 0x49, 0x54, 0x6d, 0x24, 0x41]);
    }

    #[test]
    fn output_follows_operation_and_voltage() {
        let mut off = part();
        assert_eq!((off.output(), read(&mut off, 0x79, 2)), (0.0, vec![0x40, 0x08]));
        let mut on = on();
        assert_eq!(on.output(), 1.150_390_625);
        assert_eq!((read(&mut on, 0x79, 2), read(&mut on, 0x8b, 2)), (vec![0, 0], vec![0x4d, 0x02]));
        on.write(&[0x01, 0x00]).unwrap();
        assert_eq!(on.output(), 0.0);
    }

    #[test]
    fn control_pin_counts_only_when_it_is_obeyed() {
        let mut part = on();
        part.surround(true, false, false, Vec::new());
        assert_eq!(part.output(), 0.0, "1F obeys the pin");
        part.write(&[0x02, 0x1b]).unwrap();
        assert!(part.output() > 1.0, "1B does not");
    }

    #[test]
    fn fault_is_latched_until_it_is_cleared_and_gone() {
        let mut part = on();
        part.surround(true, true, false, vec![RegulatorFault::OverCurrent]);
        assert_eq!(part.output(), 0.0);
        assert_eq!(read(&mut part, 0x79, 2)[0], 0x50);
        assert_eq!(read(&mut part, 0x7b, 1), [0x80]);
        part.write(&[0x03]).unwrap();
        assert_eq!(part.output(), 0.0, "it is still there");
        part.surround(true, true, false, Vec::new());
        assert_eq!(part.output(), 0.0, "it is latched");
        part.write(&[0x03]).unwrap();
        assert!(part.output() > 1.0);
    }

    #[test]
    fn wrong_commands_leave_their_mark() {
        let mut part = on();
        assert_eq!(part.write(&[0xcc, 0]), Err(Violation::UnknownCommand));
        assert_eq!(read(&mut part, 0x7e, 1), [0x80]);
        assert_eq!(part.write(&[0x21, 0x00, 0x08]), Err(Violation::VoltageRefused));
        assert_eq!(read(&mut part, 0x7a, 1), [0x08]);
        assert_eq!(part.write(&[0x15]), Err(Violation::StoreAll));
        part.write(&[0x03]).unwrap();
        assert_eq!(read(&mut part, 0x79, 2), [0, 0]);
    }

    #[test]
    fn without_input_it_is_silent_and_forgets() {
        let mut part = on();
        part.surround(false, true, false, Vec::new());
        assert!(!part.answers());
        part.surround(true, true, false, Vec::new());
        assert!(part.answers());
        assert_eq!(part.output(), 0.0);
    }

    #[test]
    fn refused_operation_reads_back_and_stays_off() {
        let mut part = on();
        part.surround(true, true, true, Vec::new());
        assert_eq!((read(&mut part, 0x01, 1), read(&mut part, 0x79, 2)), (vec![0x80], vec![0x40, 0x08]));
    }
}
