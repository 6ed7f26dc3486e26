//! What the regulator says of itself.   Source: peripherals 3.3 (TON_MAX where the PMBus standard has it).

use std::fmt;

/// `STATUS_WORD`: its output is off, for whatever reason.
const OFF: u16 = 1 << 6;

/// A part of the status, in a register of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Output voltage.
    Vout,
    /// Output current.
    Iout,
    /// Input.
    Input,
    /// Temperature.
    Temperature,
    /// Communication, memory, logic.
    Cml,
    /// What the maker defines.
    Manufacturer,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Vout, Self::Iout, Self::Input, Self::Temperature, Self::Cml, Self::Manufacturer];

    pub(super) fn register(self) -> u8 {
        match self {
            Self::Vout => 0x7A,
            Self::Iout => 0x7B,
            Self::Input => 0x7C,
            Self::Temperature => 0x7D,
            Self::Cml => 0x7E,
            Self::Manufacturer => 0x80,
        }
    }

    /// Bits of the word that say that there is something in it: its summary, and its worst faults in the lower byte.
    fn summary(self) -> u16 {
        match self {
            Self::Vout => 1 << 15 | 1 << 5,
            Self::Iout => 1 << 14 | 1 << 4,
            Self::Input => 1 << 13 | 1 << 3,
            Self::Temperature => 1 << 2,
            Self::Cml => 1 << 1,
            Self::Manufacturer => 1 << 12,
        }
    }

    /// Its bits from 7 down: name, and whether it is a fault.
    fn bits(self) -> [(&'static str, bool); 8] {
        let none = ("", false);
        match self {
            Self::Vout => [
                ("output over-voltage", true),
                ("output voltage high", false),
                ("output voltage low", false),
                ("output under-voltage", true),
                ("output voltage outside of its range", false),
                ("output did not rise in time", true),
                none,
                none,
            ],
            Self::Iout => [
                ("output over-current", true),
                ("output over-current and low voltage", true),
                ("output current high", false),
                ("output under-current", true),
                ("phases share badly", true),
                ("output power limited", false),
                ("output over-power", true),
                ("output power high", false),
            ],
            Self::Input => [
                ("input over-voltage", true),
                ("input voltage high", false),
                ("input voltage low", false),
                ("input under-voltage", true),
                ("off because the input is low", true),
                ("input over-current", true),
                ("input current high", false),
                ("input power high", false),
            ],
            Self::Temperature => [
                ("regulator over-temperature", true),
                ("regulator hot", false),
                ("regulator cold", false),
                ("regulator under-temperature", true),
                none,
                none,
                none,
                none,
            ],
            Self::Cml => [
                ("unknown command", true),
                ("bad data", true),
                ("bad checksum", true),
                ("memory fault", true),
                ("processor fault", true),
                none,
                ("communication fault", true),
                ("logic fault", true),
            ],
            Self::Manufacturer => [
                ("power-on reset", false),
                ("self-check running", false),
                none,
                none,
                ("output voltage was reset", false),
                ("back-channel fault", true),
                ("synchronisation fault", true),
                none,
            ],
        }
    }
}

/// The status at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    word: u16,
    parts: [u8; 6],
}

/// Something that the status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// What, for a person.
    pub name: &'static str,
    /// Whether the regulator calls it a fault; otherwise it warns.
    pub is_fault: bool,
}

impl Status {
    /// A status without its parts.
    #[must_use]
    pub fn new(word: u16) -> Self {
        Self { word, parts: [0; 6] }
    }

    /// `STATUS_WORD`.
    #[must_use]
    pub fn word(self) -> u16 {
        self.word
    }

    /// Whether the output is off, for whatever reason.
    #[must_use]
    pub fn is_off(self) -> bool {
        self.word & OFF != 0
    }

    /// Whether there is something in a part.
    #[must_use]
    pub fn has(self, part: Part) -> bool {
        self.word & part.summary() != 0
    }

    /// Puts a part in its place.
    pub fn set(&mut self, part: Part, bits: u8) {
        for (place, other) in self.parts.iter_mut().zip(Part::ALL) {
            if other == part {
                *place = bits;
            }
        }
    }

    /// Everything that it says, besides that the output is off. A summary whose part says nothing counts as a fault.
    pub fn conditions(self) -> impl Iterator<Item = Condition> {
        Part::ALL.into_iter().zip(self.parts).flat_map(move |(part, bits)| {
            let named = (0_u8..8).zip(part.bits()).filter_map(move |(at, (name, is_fault))| {
                (bits & (0x80 >> at) != 0 && !name.is_empty()).then_some(Condition { name, is_fault })
            });
            let unsaid = (self.has(part) && bits == 0).then_some(match part {
                Part::Vout => "output voltage fault",
                Part::Iout => "output current fault",
                Part::Input => "input fault",
                Part::Temperature => "temperature fault",
                Part::Cml => "communication fault",
                Part::Manufacturer => "fault of the maker's own",
            });
            named.chain(unsaid.map(|name| Condition { name, is_fault: true }))
        })
    }

    /// Whether it says that something is wrong, besides that the output is off.
    #[must_use]
    pub fn has_fault(self) -> bool {
        self.conditions().any(|condition| condition.is_fault)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.word)?;
        let state = if self.is_off() { "off" } else { "on" };
        std::iter::once(state)
            .chain(self.conditions().map(|condition| condition.name))
            .try_for_each(|name| write!(f, ", {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_wrong_says_nothing() {
        assert_eq!(Status::new(0).to_string(), "0x0000, on");
        assert_eq!(Status::new(0x0840).to_string(), "0x0840, off");
        assert!(!Status::new(0x0840).has_fault());
    }

    #[test]
    fn every_part_is_read_when_its_summary_is_set() {
        for (word, part) in [
            (0x8000, Part::Vout),
            (0x0020, Part::Vout),
            (0x4000, Part::Iout),
            (0x0010, Part::Iout),
            (0x2000, Part::Input),
            (0x0008, Part::Input),
            (0x1000, Part::Manufacturer),
            (0x0004, Part::Temperature),
            (0x0002, Part::Cml),
        ] {
            let status = Status::new(word);
            let found: Vec<_> = Part::ALL.into_iter().filter(|part| status.has(*part)).collect();
            assert_eq!(found, [part], "{word:#06x}");
            assert!(status.has_fault(), "a summary that nobody explains is a fault: {word:#06x}");
        }
    }

    #[test]
    fn faults_are_told_from_warnings() {
        let mut status = Status::new(0x4010);
        status.set(Part::Iout, 0x80);
        assert!(status.has_fault());
        assert_eq!(status.to_string(), "0x4010, on, output over-current");
        let mut status = Status::new(0x4000);
        status.set(Part::Iout, 0x20);
        assert!(!status.has_fault());
        let mut status = Status::new(0x8000);
        status.set(Part::Vout, 0x04);
        assert_eq!(status.to_string(), "0x8000, on, output did not rise in time");
    }
}
