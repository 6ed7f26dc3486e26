//! The management controller: requests taken from USB packets, replies put into them. Source: bitaxe-raw sheet, sections 3
//! to 5.
//!
//! One request is parsed for each packet, what is incomplete after 4 ms without a packet is discarded, and a reply that does
//! not fit into a packet is lost. What a request does to the board is up to [`Bus`].

use super::record::Violation;
use std::time::{Duration, Instant};

/// Most bytes of a USB packet.
pub(super) const PACKET: usize = 64;
/// Silence after which the beginning of a request is discarded.
const PATIENCE: Duration = Duration::from_millis(4);
/// Most bytes of an I2C write.
const LONGEST_WRITE: usize = 256;
const INVALID: u8 = 0x11;
const OVERFLOW: u8 = 0x12;

/// How replies are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Length of the data only, no status; errors have another length rule.
    V0,
    /// Whole length and a status.
    V1,
}

/// What the firmware of a board knows beside I2C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Firmware {
    pub(super) protocol: Protocol,
    pub(super) gpio_lines: u8,
    pub(super) has_led: bool,
    pub(super) has_input_adc: bool,
    pub(super) has_system: bool,
}

/// No part answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nak;

/// What the controller reaches.
pub(super) trait Bus {
    fn i2c_frequency(&mut self, hertz: u32);
    fn i2c_write(&mut self, address: u8, bytes: &[u8]) -> Result<(), Nak>;
    fn i2c_read(&mut self, address: u8, count: usize) -> Result<Vec<u8>, Nak>;
    fn gpio(&mut self, line: u8) -> bool;
    fn set_gpio(&mut self, line: u8, high: bool);
    fn led(&mut self, colour: [u8; 3]);
    /// Raw codes of the core (true: input) voltage.
    fn adc(&mut self, input: bool) -> u16;
    fn complain(&mut self, violation: Violation, bytes: &[u8]);
}

/// What follows from a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// More must come.
    Nothing,
    Reply(Vec<u8>),
    /// The controller restarts: told to, or it ran over a length that it does not check.
    Restart,
}

/// The controller's buffer.
#[derive(Debug)]
pub(super) struct Mcu {
    firmware: Firmware,
    buffer: Vec<u8>,
    packet_at: Option<Instant>,
}

/// What a request comes to.
enum Done {
    Data(Vec<u8>),
    Text(&'static str),
    Invalid(u8),
    Restart,
}

impl Mcu {
    pub(super) fn new(firmware: Firmware) -> Self {
        Self { firmware, buffer: Vec::new(), packet_at: None }
    }

    /// As after a restart.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
        self.packet_at = None;
    }

    /// When what is there so far is discarded, unless a packet comes before.
    pub(super) fn discards_at(&self) -> Option<Instant> {
        self.packet_at.filter(|_| !self.buffer.is_empty()).map(|at| at + PATIENCE)
    }

    /// Discards what has waited too long. Call it when nothing waits on the port.
    pub(super) fn discard(&mut self, now: Instant, bus: &mut dyn Bus) {
        if self.discards_at().is_some_and(|at| now >= at) {
            bus.complain(Violation::Discarded, &self.buffer);
            self.buffer.clear();
        }
    }

    /// Takes one packet.
    pub(super) fn packet(&mut self, bytes: &[u8], now: Instant, bus: &mut dyn Bus) -> Outcome {
        self.packet_at = Some(now);
        self.buffer.extend_from_slice(bytes);
        let (Some(length), true) = (self.buffer.first_chunk::<2>(), self.buffer.len() >= 5) else {
            return Outcome::Nothing;
        };
        let length = usize::from(u16::from_le_bytes(*length));
        if length < 5 {
            bus.complain(Violation::ShortRequest, &self.buffer);
            self.buffer.clear();
            return Outcome::Restart;
        }
        if self.buffer.len() < length {
            return Outcome::Nothing;
        }
        let request: Vec<u8> = self.buffer.drain(..length).collect();
        if !self.buffer.is_empty() {
            bus.complain(Violation::Pipelined, &self.buffer);
        }
        let id = request.get(2).copied().unwrap_or_default();
        let done = self.execute(&request, bus);
        if let Done::Invalid(_) = done {
            bus.complain(Violation::UnknownRequest, &request);
        }
        match done {
            Done::Restart => Outcome::Restart,
            done => {
                let reply = self.frame(id, done);
                if reply.len() > PACKET {
                    bus.complain(Violation::LongReply, &request);
                    return Outcome::Nothing;
                }
                Outcome::Reply(reply)
            }
        }
    }

    fn frame(&self, id: u8, done: Done) -> Vec<u8> {
        let whole = |id, code, text: &[u8]| framed(4 + text.len(), &[id, code], text);
        match (done, self.firmware.protocol) {
            (Done::Data(data), Protocol::V0) => framed(data.len(), &[id], &data),
            (Done::Data(data), Protocol::V1) => whole(id, 0, &data),
            (Done::Text(text), _) => whole(id, 0xff, text.as_bytes()),
            // The id is lost while parsing.
            (Done::Invalid(code), _) => whole(0xff, code, &[]),
            (Done::Restart, _) => Vec::new(),
        }
    }

    fn execute(&self, request: &[u8], bus: &mut dyn Bus) -> Done {
        let [_, _, _, _, page, command, data @ ..] = request else { return Done::Invalid(INVALID) };
        let Firmware { gpio_lines, has_led, has_input_adc, has_system, .. } = self.firmware;
        match (page, command, data) {
            (0x05, 0x10, [a, b, c, d]) => {
                bus.i2c_frequency(u32::from_le_bytes([*a, *b, *c, *d]));
                Done::Data(data.to_vec())
            }
            (0x05, 0x20, [_, bytes @ ..]) | (0x05, 0x40, [_, bytes @ .., _]) if bytes.len() > LONGEST_WRITE => {
                Done::Invalid(OVERFLOW)
            }
            (0x05, 0x20, [address, bytes @ ..]) => match bus.i2c_write(*address, bytes) {
                Ok(()) => Done::Data(vec![u8::try_from(bytes.len()).unwrap_or(u8::MAX)]),
                Err(Nak) => Done::Text("I2C Write Error"),
            },
            (0x05, 0x30, [address, count]) => {
                self.check_length(*count, 18, request, bus);
                bus.i2c_read(*address, (*count).into()).map_or(Done::Text("I2C Read Error"), Done::Data)
            }
            (0x05, 0x40, [address, bytes @ .., count]) if !bytes.is_empty() => {
                self.check_length(*count, 23, request, bus);
                let read = bus.i2c_write(*address, bytes).and_then(|()| bus.i2c_read(*address, (*count).into()));
                read.map_or(Done::Text("I2C WriteRead Error"), Done::Data)
            }
            (0x06, line, []) if *line < gpio_lines => Done::Data(vec![u8::from(bus.gpio(*line))]),
            (0x06, line, [level]) if *line < gpio_lines => {
                bus.set_gpio(*line, *level > 0);
                Done::Data(vec![u8::from(*level > 0)])
            }
            (0x07, 0x50, []) => Done::Data(bus.adc(false).to_le_bytes().to_vec()),
            (0x07, 0x51, []) if has_input_adc => Done::Data(bus.adc(true).to_le_bytes().to_vec()),
            (0x08, 0x10, [red, green, blue]) if has_led => {
                bus.led([*red, *green, *blue]);
                Done::Data(data.to_vec())
            }
            (0x09, 0x01, [0xde, 0xad, 0xbe, 0xef]) | (0x09, 0x02, [0xb0, 0x07, 0x10, 0xad]) if has_system => {
                Done::Restart
            }
            _ => Done::Invalid(INVALID),
        }
    }

    /// A plain read of 18 or a write-read of 23 bytes cannot be told from its error.
    fn check_length(&self, count: u8, ambiguous: u8, request: &[u8], bus: &mut dyn Bus) {
        if count == ambiguous && self.firmware.protocol == Protocol::V0 {
            bus.complain(Violation::AmbiguousReply, request);
        }
    }
}

fn framed(length: usize, head: &[u8], rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    [&length.to_le_bytes(), head, rest].concat()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[derive(Default)]
    struct Scripted {
        done: Vec<String>,
        violations: Vec<Violation>,
    }

    impl Bus for Scripted {
        fn i2c_frequency(&mut self, hertz: u32) {
            self.done.push(format!("{hertz} Hz"));
        }
        fn i2c_write(&mut self, address: u8, bytes: &[u8]) -> Result<(), Nak> {
            self.done.push(format!("{address:02x} {bytes:02x?}"));
            if address == 0x50 { Err(Nak) } else { Ok(()) }
        }
        fn i2c_read(&mut self, _: u8, count: usize) -> Result<Vec<u8>, Nak> {
            Ok([0x1a, 0x20].into_iter().cycle().take(count).collect())
        }
        fn gpio(&mut self, _: u8) -> bool {
            true
        }
        fn set_gpio(&mut self, line: u8, high: bool) {
            self.done.push(format!("{line} {high}"));
        }
        fn led(&mut self, colour: [u8; 3]) {
            self.done.push(format!("{colour:?}"));
        }
        fn adc(&mut self, _: bool) -> u16 {
            0x0600
        }
        fn complain(&mut self, violation: Violation, _: &[u8]) {
            self.violations.push(violation);
        }
    }

    const EMBERONE: Firmware =
        Firmware { protocol: Protocol::V0, gpio_lines: 3, has_led: true, has_input_adc: true, has_system: true };

    fn ask(firmware: Firmware, request: &str) -> (Outcome, Scripted) {
        let mut bus = Scripted::default();
        let bytes = hex::decode(request.replace(' ', "")).unwrap();
        let outcome = Mcu::new(firmware).packet(&bytes, Instant::now(), &mut bus);
        (outcome, bus)
    }

    fn replies(request: &str, reply: &str) {
        let expected = Outcome::Reply(hex::decode(reply.replace(' ', "")).unwrap());
        assert_eq!(ask(EMBERONE, request).0, expected, "{request}");
    }

    #[test]
    fn worked_frames_of_the_sheet_are_answered() {
        replies("0A 00 01 00 05 10 A0 86 01 00", "04 00 01 A0 86 01 00");
        replies("08 00 01 00 05 20 4F DE", "01 00 01 01");
        replies("09 00 01 00 05 40 32 FE 02", "02 00 01 1A 20");
        replies("09 00 0E 00 05 40 4A 00 02", "02 00 0E 1A 20");
        replies("0A 00 05 00 05 20 24 21 4D 02", "01 00 05 03");
        replies("07 00 09 00 06 00 00", "01 00 09 00");
        replies("07 00 0A 00 06 00 01", "01 00 0A 01");
        replies("06 00 00 00 06 00", "01 00 00 01");
        replies("06 00 00 00 07 50", "02 00 00 00 06");
        replies("09 00 00 00 08 10 FF 00 FF", "03 00 00 FF 00 FF");
        replies("09 00 05 00 05 20 50 00 00", "13 00 05 FF 49 32 43 20 57 72 69 74 65 20 45 72 72 6F 72");
        replies("06 00 33 00 0A 00", "04 00 FF 11");
        replies("06 00 34 00 06 07", "04 00 FF 11");
    }

    #[test]
    fn version_1_tells_whole_length_and_status() {
        let firmware = Firmware { protocol: Protocol::V1, ..EMBERONE };
        let reply = |request| ask(firmware, request).0;
        let bytes = |text: &str| Outcome::Reply(hex::decode(text.replace(' ', "")).unwrap());
        assert_eq!(reply("09 00 0E 00 05 40 4A 00 02"), bytes("06 00 0E 00 1A 20"));
        assert_eq!(reply("07 00 0A 00 06 00 01"), bytes("05 00 0A 00 01"));
        let error = bytes("13 00 05 FF 49 32 43 20 57 72 69 74 65 20 45 72 72 6F 72");
        assert_eq!(reply("09 00 05 00 05 20 50 00 00"), error);
    }

    #[test]
    fn bitaxe_knows_neither_led_nor_other_lines() {
        let bitaxe = Firmware { gpio_lines: 1, has_led: false, has_input_adc: false, has_system: false, ..EMBERONE };
        let invalid = Outcome::Reply(vec![4, 0, 0xff, 0x11]);
        for request in
            ["07 00 01 00 06 01 01", "09 00 00 00 08 10 FF 00 FF", "06 00 00 00 07 51", "0A 00 0D 00 09 01 DE AD BE EF"]
        {
            assert_eq!(ask(bitaxe, request).0, invalid, "{request}");
        }
        assert_eq!(ask(EMBERONE, "0A 00 0D 00 09 01 DE AD BE EF").0, Outcome::Restart);
    }

    #[test]
    fn reply_beyond_a_packet_is_lost_and_one_that_fits_is_not() {
        assert!(matches!(ask(EMBERONE, "08 00 01 00 05 30 4C 3D").0, Outcome::Reply(reply) if reply.len() == 64));
        let (outcome, bus) = ask(EMBERONE, "08 00 01 00 05 30 4C 3E");
        assert_eq!((outcome, bus.violations), (Outcome::Nothing, vec![Violation::LongReply]));
        assert_eq!(ask(EMBERONE, "08 00 01 00 05 30 4C 12").1.violations, [Violation::AmbiguousReply]);
    }

    #[test]
    fn one_request_is_parsed_for_each_packet_and_the_rest_dies_after_4_ms() {
        let (mut mcu, mut bus, now) = (Mcu::new(EMBERONE), Scripted::default(), Instant::now());
        let request = [6, 0, 1, 0, 6, 0];
        let second = [6, 0, 2, 0, 6, 1];
        assert!(matches!(mcu.packet(&[request, second].concat(), now, &mut bus), Outcome::Reply(_)));
        assert_eq!(bus.violations, [Violation::Pipelined]);
        // Another packet makes it look again.
        assert_eq!(mcu.packet(&[6], now, &mut bus), Outcome::Reply(vec![1, 0, 2, 1]));
        assert_eq!(mcu.discards_at(), Some(now + PATIENCE));
        mcu.discard(now + PATIENCE / 2, &mut bus);
        assert_eq!(mcu.buffer, [6]);
        mcu.discard(now + PATIENCE, &mut bus);
        assert_eq!((mcu.buffer.len(), bus.violations.last()), (0, Some(&Violation::Discarded)));
    }

    #[test]
    fn impossible_length_resets_the_controller() {
        assert_eq!(ask(EMBERONE, "04 00 01 00 06 00").0, Outcome::Restart);
        assert_eq!(ask(EMBERONE, "04 00 01 00").0, Outcome::Nothing, "too little to look at");
    }

    #[test]
    fn write_of_more_than_256_bytes_overflows() {
        let (mut mcu, mut bus, now) = (Mcu::new(EMBERONE), Scripted::default(), Instant::now());
        let mut request = vec![0; 7 + 257];
        request[..7].copy_from_slice(&[8, 1, 1, 0, 5, 0x20, 0x24]);
        let mut outcomes = request.chunks(PACKET).map(|packet| mcu.packet(packet, now, &mut bus)).collect::<Vec<_>>();
        assert_eq!(outcomes.pop(), Some(Outcome::Reply(vec![4, 0, 0xff, 0x12])));
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Nothing));
    }
}
