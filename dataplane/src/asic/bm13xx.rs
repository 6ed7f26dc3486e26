//! The BM13xx family: frames, registers, clock, nonce space, work, and the bring-up of a chain. Pure throughout.

pub mod bring_up;
pub mod command;
pub mod crc;
pub mod frame;
pub mod layout;
pub mod model;
pub mod nonce_space;
pub mod pll;
pub mod ramp;
pub mod register;
pub mod response;
pub mod slots;
pub mod ticket;

#[cfg(test)]
mod fixtures;

use mujina_core::units::{Frequency, HashRate};

/// The chips that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// Bitaxe Max.
    Bm1397,
    /// EmberOne/00.
    Bm1362,
    /// Bitaxe Ultra.
    Bm1366,
    /// Bitaxe Supra.
    Bm1368,
    /// Bitaxe Gamma.
    Bm1370,
}

/// A chain of chips as its board has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainSpec {
    /// What its chips are.
    pub model: Model,
    /// Chips that must answer.
    pub chips: u8,
    /// Step between the addresses of neighbours; even, at most 256 (a lone chip).
    pub address_interval: u16,
    /// Rate of the serial line after set-up; `None` = as out of reset.
    pub baud: Option<u32>,
    /// Leading zero bits that the hardware demands before its ticket mask: 32 in silicon, fewer in emulated chips.
    pub gate_bits: u8,
    /// Results per second that the ticket mask is set for, as long as no share target asks for more.
    pub results_per_second: f64,
    /// Greatest clock that may be asked for.
    pub greatest_frequency: Frequency,
}

impl ChainSpec {
    /// Rate that it should reach at a clock. Emulated chips with fewer gate bits count as that much slower.
    #[must_use]
    pub fn nominal_hash_rate(&self, frequency: Frequency) -> HashRate {
        let units = f64::from(self.model.constants().hashing_units) * f64::from(self.chips);
        let gate = (f64::from(self.gate_bits) - 32.0).exp2();
        HashRate::from_hashes_per_second(frequency.hertz() * units * gate)
    }
}

/// Why a chain does not do as it should.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// Not all chips answered.
    #[error("{found} of {expected} chips answered; check power, reset and the connection at chip {found}")]
    ChipsMissing {
        /// How many did.
        found: u32,
        /// How many there are.
        expected: u32,
    },
    /// More chips answered than the board has.
    #[error("{found} chips answered instead of {expected}; this is not the board it says it is")]
    TooManyChips {
        /// How many did.
        found: u32,
        /// How many there are.
        expected: u32,
    },
    /// Others than expected answered.
    #[error("chip {index} says it is {found:#06x}, not {expected:#06x}; this is not the board it says it is")]
    WrongChip {
        /// Which.
        index: u32,
        /// What it said.
        found: u16,
        /// What it should say.
        expected: u16,
    },
    /// A register does not hold what was written to it.
    #[error(
        "chip {index} holds {found:#010x} in register {register:#04x}, not {expected:#010x}; the line or the chip is bad"
    )]
    ReadBack {
        /// Which chip.
        index: u32,
        /// Which register.
        register: u8,
        /// What it holds.
        found: u32,
        /// What was written.
        expected: u32,
    },
    /// A chip did not answer in time.
    #[error("chip {index} did not answer in time while {step}; check power and reset")]
    Silent {
        /// Which.
        index: u32,
        /// At what.
        step: String,
    },
    /// No divider gives that clock.
    #[error("no setting of the PLL gives {0}; ask for another frequency")]
    NoSuchFrequency(Frequency),
    /// No divider gives that rate of the line.
    #[error("chips cannot speak at {0} baud; ask for 115200, 1000000 or 3125000")]
    NoSuchBaud(u32),
    /// The addresses do not fit into a byte.
    #[error("{chips} chips cannot have addresses {interval} apart; take an even step, and at most 256 for all of them")]
    Addresses {
        /// How many chips.
        chips: u8,
        /// The step.
        interval: u16,
    },
    /// The port failed or is gone.
    #[error("the port of the chips failed: {0}; check the cable")]
    Port(String),
    /// It was told to halt meanwhile.
    #[error("the chain was halted")]
    Halted,
}
