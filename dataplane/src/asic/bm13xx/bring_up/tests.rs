//! A chain of registers in the chips' place.

use super::*;
use crate::asic::bm13xx::{fixtures, pll::LOCKED};
use mujina_core::units::Frequency;
use std::collections::BTreeMap;

fn spec(model: Model, chips: u8, address_interval: u16, baud: Option<u32>) -> ChainSpec {
    ChainSpec {
        model,
        chips,
        address_interval,
        baud,
        gate_bits: 32,
        results_per_second: 1.0,
        greatest_frequency: Frequency::from_megahertz(525.0),
    }
}

fn settings() -> Settings {
    Settings { ticket: TicketMask::new(8), version_mask: 0x1fff_e000 }
}

/// Chips that only have registers.
struct Fake {
    chips: Vec<Chip>,
    /// What was written, in order.
    written: Vec<Vec<u8>>,
    bauds: Vec<u32>,
    /// Answers that get lost, counted from the first.
    lost: usize,
}

#[derive(Default)]
struct Chip {
    chip_id: u16,
    address: Option<u8>,
    registers: BTreeMap<u8, u32>,
    /// Registers that do not take what is written.
    stuck: Vec<u8>,
    mute: bool,
}

impl Fake {
    fn new(model: Model, chips: u8) -> Self {
        let chip = |_| Chip { chip_id: model.constants().chip_id, ..Chip::default() };
        Self { chips: (0..chips).map(chip).collect(), written: Vec::new(), bauds: Vec::new(), lost: 0 }
    }

    fn hear(&mut self, frame: &[u8]) -> Vec<Response> {
        self.written.push(frame.to_vec());
        let [0x55, 0xaa, header, _, first, second, rest @ ..] = frame else { panic!("{frame:?}") };
        let meant = |chip: &Chip| header & 0x10 != 0 || chip.address.unwrap_or(0) == *first;
        match header & 0x0f {
            0 => {
                if let Some(chip) = self.chips.iter_mut().find(|chip| chip.address.is_none()) {
                    chip.address = Some(*first);
                }
                Vec::new()
            }
            1 => {
                let value = u32::from_be_bytes(rest[..4].try_into().unwrap());
                for chip in self.chips.iter_mut().filter(|chip| meant(chip)) {
                    if !chip.stuck.contains(second) {
                        chip.registers.insert(*second, value);
                    }
                }
                Vec::new()
            }
            2 => {
                let answers = self.chips.iter().filter(|chip| meant(chip) && !chip.mute);
                let all: Vec<_> = answers.map(|chip| Response::Register(chip.answer(*second))).collect();
                let heard = all.iter().skip(self.lost).copied().collect();
                self.lost = self.lost.saturating_sub(all.len());
                heard
            }
            3 => {
                self.chips.iter_mut().for_each(|chip| chip.address = None);
                Vec::new()
            }
            _ => panic!("{frame:?}"),
        }
    }

    /// Plays the whole bring-up; says how it ended and how long it took.
    fn play(&mut self, spec: &ChainSpec) -> (Action, Duration) {
        let begin = Instant::now();
        let mut now = begin;
        let mut bring_up = BringUp::new(spec, settings()).unwrap();
        for _ in 0..10_000 {
            match bring_up.next(now) {
                Action::Write(frame) => {
                    for response in self.hear(frame.as_bytes()) {
                        bring_up.receive(response, now);
                    }
                }
                Action::SetBaud(baud) => self.bauds.push(baud),
                Action::Discard => {}
                Action::Wait(until) => {
                    assert!(until > now, "waits for what is over");
                    now = until;
                }
                over => {
                    assert_eq!(bring_up.next(now), over, "the end comes again");
                    return (over, now - begin);
                }
            }
        }
        panic!("no end");
    }

    /// Whether these frames were written in this order, perhaps with others between them.
    fn assert_wrote(&self, frames: &[&str]) {
        let mut written = self.written.iter();
        for frame in frames {
            let bytes = fixtures::bytes(frame);
            assert!(written.any(|found| *found == bytes), "{frame} is missing, or out of order");
        }
    }
}

impl Chip {
    fn answer(&self, register: u8) -> RegisterValue {
        let address = self.address.unwrap_or(0);
        let held = self.registers.get(&register).copied().unwrap_or(0);
        let value = match register {
            register::CHIP_ID => ChipId { chip_id: self.chip_id, core_number: 3, address }.encode(),
            register::PLL0 if !self.stuck.contains(&register::PLL0) => held | LOCKED,
            _ => held,
        };
        RegisterValue { address, register, value }
    }
}

#[test]
fn gamma_is_brought_up_with_the_known_frames() {
    let mut fake = Fake::new(Model::Bm1370, 1);
    let (end, took) = fake.play(&spec(Model::Bm1370, 1, 256, Some(1_000_000)));
    let Action::Done(raised) = end else { panic!("{end:?}") };
    assert_eq!((raised.addresses, raised.baud, raised.pll.frequency().megahertz()), (vec![0], 1_000_000, 56.25));
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(fake.bauds, [1_000_000]);
    fake.assert_wrote(&[
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 52 05 00 00 0A",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 A8 00070000 03",
        "55AA 51 09 00 18 F000C100 04",
        "55AA 53 05 00 00 03",
        "55AA 40 05 00 00 1C",
        "55AA 51 09 00 3C 80008B00 12",
        "55AA 51 09 00 3C 8000800C 11",
        "55AA 51 09 00 14 000000FF 08",
        "55AA 51 09 00 58 00011111 0D",
        "55AA 41 09 00 A8 000701F0 15",
        "55AA 41 09 00 18 F000C100 0C",
        "55AA 41 09 00 3C 80008B00 1A",
        "55AA 41 09 00 3C 8000800C 19",
        "55AA 41 09 00 3C 800082AA 05",
        "55AA 51 09 00 B9 00004480 0D",
        "55AA 51 09 00 54 00000002 18",
        "55AA 51 09 00 B9 00004480 0D",
        "55AA 51 09 00 3C 80008DEE 1B",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 28 11300200 03",
    ]);
}

#[test]
fn ember_one_is_brought_up_with_the_known_frames() {
    let mut fake = Fake::new(Model::Bm1362, 12);
    let (end, took) = fake.play(&spec(Model::Bm1362, 12, 16, Some(3_125_000)));
    let Action::Done(raised) = end else { panic!("{end:?}") };
    assert_eq!(raised.addresses, (0..12).map(|chip| chip * 16).collect::<Vec<_>>());
    assert!(took < Duration::from_secs(5), "{took:?}");
    fake.assert_wrote(&[
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 52 05 00 00 0A",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 A8 00000000 01",
        "55AA 51 09 00 18 B000C100 14",
        "55AA 53 05 00 00 03",
        "55AA 40 05 00 00 1C",
        "55AA 40 05 10 00 0F",
        "55AA 40 05 B0 00 00",
        "55AA 51 09 00 3C 80008540 0C",
        "55AA 51 09 00 3C 80008008 05",
        "55AA 51 09 00 14 000000FF 08",
        "55AA 51 09 00 54 00000003 1D",
        "55AA 51 09 00 58 00011111 0D",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 28 11300000 1E",
    ]);
    // The pass over the chips, for the one that a capture shows.
    let mut fake = Fake::new(Model::Bm1362, 2);
    fake.play(&spec(Model::Bm1362, 2, 2, None));
    fake.assert_wrote(&[
        "55AA 40 05 02 00 01",
        "55AA 41 09 02 A8 00000002 1C",
        "55AA 41 09 02 18 B000C100 03",
        "55AA 41 09 02 3C 80008540 1B",
        "55AA 41 09 02 3C 80008008 12",
        "55AA 41 09 02 3C 800082AA 1A",
    ]);
}

#[test]
fn other_bitaxes_are_brought_up_with_the_known_frames() {
    let of = |model, baud| {
        let mut fake = Fake::new(model, 1);
        let (end, _) = fake.play(&spec(model, 1, 256, baud));
        assert!(matches!(end, Action::Done(_)), "{model}: {end:?}");
        fake
    };
    of(Model::Bm1366, Some(1_000_000)).assert_wrote(&[
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 52 05 00 00 0A",
        "55AA 51 09 00 A8 00070000 03",
        "55AA 51 09 00 18 FF0FC100 00",
        "55AA 53 05 00 00 03",
        "55AA 40 05 00 00 1C",
        "55AA 51 09 00 3C 80008540 0C",
        "55AA 51 09 00 3C 80008020 19",
        "55AA 51 09 00 14 000000FF 08",
        "55AA 51 09 00 54 00000003 1D",
        "55AA 51 09 00 58 02111111 06",
        "55AA 41 09 00 2C 007C0003 03",
        "55AA 41 09 00 A8 000701F0 15",
        "55AA 41 09 00 18 F000C100 0C",
        "55AA 41 09 00 3C 80008540 04",
        "55AA 41 09 00 3C 80008020 11",
        "55AA 41 09 00 3C 800082AA 05",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 28 11300200 03",
    ]);
    of(Model::Bm1368, Some(1_000_000)).assert_wrote(&[
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 52 05 00 00 0A",
        "55AA 53 05 00 00 03",
        "55AA 51 09 00 A8 00070000 03",
        "55AA 51 09 00 18 FF0FC100 00",
        "55AA 51 09 00 3C 80008B00 12",
        "55AA 51 09 00 3C 80008018 1F",
        "55AA 51 09 00 14 000000FF 08",
        "55AA 51 09 00 54 00000003 1D",
        "55AA 51 09 00 58 02111111 06",
        "55AA 40 05 00 00 1C",
        "55AA 41 09 00 A8 000701F0 15",
        "55AA 41 09 00 18 F000C100 0C",
        "55AA 41 09 00 3C 80008B00 1A",
        "55AA 41 09 00 3C 80008018 17",
        "55AA 41 09 00 3C 800082AA 05",
        "55AA 51 09 00 14 000000FF 08",
        "55AA 51 09 00 A4 9000FFFF 1C",
        "55AA 51 09 00 28 11300200 03",
    ]);
    let max = of(Model::Bm1397, Some(3_125_000));
    max.assert_wrote(&[
        "55AA 52 05 00 00 0A",
        "55AA 53 05 00 00 03",
        "55AA 40 05 00 00 1C",
        "55AA 51 09 00 80 00000000 1C",
        "55AA 51 09 00 84 00000000 11",
        "55AA 51 09 00 20 00000001 02",
        "55AA 51 09 00 3C 80008074 10",
        "55AA 51 09 00 14 000000FF 08",
        "55AA 51 09 00 68 C0700111 00",
        "55AA 51 09 00 28 0600000F 18",
        "55AA 51 09 00 18 00007A31 15",
        "55AA 51 09 00 70 0F0F0F00 19",
        "55AA 51 09 00 18 00006031 00",
    ]);
    assert!(
        max.written.iter().all(|frame| ![0x10, 0xa4].contains(&frame[5])),
        "a BM1397 has neither window nor rolling"
    );
}

#[test]
fn missing_chips_are_counted_and_asked_for_again() {
    let mut fake = Fake::new(Model::Bm1362, 11);
    let (end, _) = fake.play(&spec(Model::Bm1362, 12, 16, None));
    assert_eq!(end, Action::Failed(ChainError::ChipsMissing { found: 11, expected: 12 }));
    let asked = fake.written.iter().filter(|frame| frame[2] == 0x52).count();
    assert_eq!(asked, 3);
    let (end, took) = Fake::new(Model::Bm1370, 0).play(&spec(Model::Bm1370, 1, 256, None));
    assert_eq!(end, Action::Failed(ChainError::ChipsMissing { found: 0, expected: 1 }));
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn answer_that_was_lost_on_the_line_costs_a_second_question_only() {
    let mut fake = Fake::new(Model::Bm1362, 12);
    fake.lost = 1;
    let (end, _) = fake.play(&spec(Model::Bm1362, 12, 16, None));
    assert!(matches!(end, Action::Done(_)), "{end:?}");
}

#[test]
fn other_chips_and_more_chips_are_refused() {
    let (end, _) = Fake::new(Model::Bm1368, 1).play(&spec(Model::Bm1370, 1, 256, None));
    assert_eq!(end, Action::Failed(ChainError::WrongChip { index: 0, found: 0x1368, expected: 0x1370 }));
    let (end, _) = Fake::new(Model::Bm1370, 2).play(&spec(Model::Bm1370, 1, 256, None));
    assert_eq!(end, Action::Failed(ChainError::TooManyChips { found: 2, expected: 1 }));
}

#[test]
fn chip_that_does_not_hold_what_it_was_told_is_named() {
    for register in [register::MISC_CONTROL, register::TICKET_MASK, register::PLL0] {
        let mut fake = Fake::new(Model::Bm1362, 12);
        fake.chips[5].stuck.push(register);
        let (end, _) = fake.play(&spec(Model::Bm1362, 12, 16, None));
        let Action::Failed(ChainError::ReadBack { index: 5, register: found, .. }) = end else { panic!("{end:?}") };
        assert_eq!(found, register);
    }
}

#[test]
fn clock_that_is_not_locked_is_a_failure() {
    let mut fake = Fake::new(Model::Bm1370, 1);
    // Takes the dividers, and never locks.
    let written =
        BringUp::new(&spec(Model::Bm1370, 1, 256, None), settings()).unwrap().raised.pll.encode(Model::Bm1370);
    fake.chips[0].registers.insert(register::PLL0, written);
    fake.chips[0].stuck.push(register::PLL0);
    let (end, _) = fake.play(&spec(Model::Bm1370, 1, 256, None));
    let Action::Failed(ChainError::ReadBack { index: 0, register: 8, found, expected }) = end else {
        panic!("{end:?}")
    };
    assert_eq!((found, expected), (written, written | LOCKED));
}

#[test]
fn chip_that_falls_silent_after_it_was_counted_is_named() {
    let mut fake = Fake::new(Model::Bm1362, 3);
    let mut bring_up = BringUp::new(&spec(Model::Bm1362, 3, 16, None), settings()).unwrap();
    let mut now = Instant::now();
    let end = loop {
        match bring_up.next(now) {
            Action::Write(frame) => {
                let counting = frame.as_bytes()[2] == 0x52;
                fake.hear(frame.as_bytes()).into_iter().for_each(|response| bring_up.receive(response, now));
                fake.chips[1].mute |= counting;
            }
            Action::Wait(until) => now = until,
            Action::SetBaud(_) | Action::Discard => {}
            end => break end,
        }
    };
    assert!(matches!(&end, Action::Failed(ChainError::Silent { index: 1, .. })), "{end:?}");
}

#[test]
fn nonces_of_an_earlier_owner_disturb_nothing() {
    let mut fake = Fake::new(Model::Bm1370, 1);
    let mut bring_up = BringUp::new(&spec(Model::Bm1370, 1, 256, None), settings()).unwrap();
    let stale = Response::of_long(&fixtures::array("4C03 5275 0CD2 05A2 9C")).unwrap();
    let mut now = Instant::now();
    let end = loop {
        bring_up.receive(stale, now);
        match bring_up.next(now) {
            Action::Write(frame) => {
                fake.hear(frame.as_bytes()).into_iter().for_each(|response| bring_up.receive(response, now));
            }
            Action::Wait(until) => now = until,
            Action::SetBaud(_) | Action::Discard => {}
            end => break end,
        }
    };
    assert!(matches!(end, Action::Done(_)), "{end:?}");
}

#[test]
fn chain_that_cannot_be_is_refused() {
    let refused = |spec: &ChainSpec| BringUp::new(spec, settings()).err();
    assert_eq!(refused(&spec(Model::Bm1362, 12, 21, None)), Some(ChainError::Addresses { chips: 12, interval: 21 }));
    assert_eq!(refused(&spec(Model::Bm1362, 17, 16, None)), Some(ChainError::Addresses { chips: 17, interval: 16 }));
    assert_eq!(refused(&spec(Model::Bm1362, 0, 16, None)), Some(ChainError::Addresses { chips: 0, interval: 16 }));
    assert_eq!(refused(&spec(Model::Bm1370, 1, 256, Some(2_000_000))), Some(ChainError::NoSuchBaud(2_000_000)));
    assert_eq!(refused(&spec(Model::Bm1370, 1, 256, None)), None);
}
