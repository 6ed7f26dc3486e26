//! What chips answer: values of registers, and nonces.
//!
//! Register values and rolled versions come with the most significant byte first, nonces in the byte order of the header.

use super::{Model, slots::JobId};

/// Type of an answer to a read; the upper three bits of the last byte.
const REGISTER: u8 = 0;
/// Type of a nonce.
const NONCE: u8 = 4;

/// One response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// A register was read, or a chip tells of one unasked.
    Register(RegisterValue),
    /// A hash met the ticket mask.
    Nonce(NonceReply),
}

/// The value of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterValue {
    /// Who says so.
    pub address: u8,
    /// Which register.
    pub register: u8,
    /// What it holds.
    pub value: u32,
}

/// A nonce as a chip returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceReply {
    /// The nonce as a number: bytes 76 to 79 of the header in little endian.
    pub nonce: u32,
    /// Half bits beyond the ticket mask, where the chip tells (on BM1370; others are not known to).
    pub excess: u8,
    /// Job id and sub-core or midstate; see [`Self::job_id`].
    pub header: u8,
    /// Bits 28 to 13 of the version; `None` from a chip that rolls none.
    pub version: Option<u16>,
}

impl Response {
    /// Reads the 9 bytes behind the preamble of a long response, checksum not looked at. `None` for an unknown type.
    #[must_use]
    pub fn of_long(body: &[u8; 9]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, tail] = *body;
        match tail >> 5 {
            REGISTER => Some(Self::register([a, b, c, d], e, f)),
            NONCE => Some(Self::nonce([a, b, c, d], e, f, Some(u16::from_be_bytes([g, h])))),
            _ => None,
        }
    }

    /// Reads the 7 bytes behind the preamble of a short response, checksum not looked at. `None` for an unknown type.
    #[must_use]
    pub fn of_short(body: &[u8; 7]) -> Option<Self> {
        let [a, b, c, d, e, f, tail] = *body;
        match tail >> 5 {
            REGISTER => Some(Self::register([a, b, c, d], e, f)),
            NONCE => Some(Self::nonce([a, b, c, d], e, f, None)),
            _ => None,
        }
    }

    fn register(value: [u8; 4], address: u8, register: u8) -> Self {
        Self::Register(RegisterValue { address, register, value: u32::from_be_bytes(value) })
    }

    fn nonce(nonce: [u8; 4], excess: u8, header: u8, version: Option<u16>) -> Self {
        Self::Nonce(NonceReply { nonce: u32::from_le_bytes(nonce), excess, header, version })
    }
}

/// How the header byte of a nonce is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultHeader {
    /// Job id in the upper four bits, one below where it was sent; sub-core in the lower four.
    FourAndFour,
    /// Job id in the upper five bits, sub-core in the lower three.
    FiveAndThree,
    /// Job id in the upper six bits, midstate in the lower two.
    SixAndTwo,
}

impl NonceReply {
    /// The job, by the byte that its frame had.
    #[must_use]
    pub fn job_id(&self, model: Model) -> JobId {
        JobId(match model.constants().result_header {
            ResultHeader::FourAndFour => (self.header & 0xf0) >> 1,
            ResultHeader::FiveAndThree => self.header & 0xf8,
            ResultHeader::SixAndTwo => self.header & 0xfc,
        })
    }

    /// The sub-core that found it; on a BM1397 the midstate that it was found with.
    #[must_use]
    pub fn sub_core(&self, model: Model) -> u8 {
        match model.constants().result_header {
            ResultHeader::FourAndFour => self.header & 0x0f,
            ResultHeader::FiveAndThree => self.header & 0x07,
            ResultHeader::SixAndTwo => self.header & 0x03,
        }
    }

    /// Where in the search space it lies, by its bits.
    #[must_use]
    pub fn place(&self, model: Model) -> NoncePlace {
        let [first, second, third, fourth] = self.nonce.to_le_bytes();
        let core = first >> 1;
        let rest = u32::from_be_bytes([first & 1, second, third, fourth]);
        if model.constants().names_chip {
            // The lowest bit of the address is not among them: neighbours are an even step apart.
            NoncePlace { core, address: Some(first << 7 | (second >> 1 & 0x7e)), counter: rest & 0x3_ffff }
        } else {
            NoncePlace { core, address: None, counter: rest }
        }
    }

    /// Which chip of a chain returned it. By the address where the nonce has one; ESP-Miner takes the same bits on chips
    /// where nobody has shown that they are the address, which only matters when there are several.
    #[must_use]
    pub fn chip(&self, chips: u8, address_interval: u16) -> Option<u8> {
        if chips == 1 {
            return Some(0);
        }
        let [first, second, ..] = self.nonce.to_le_bytes();
        let address = first << 7 | second >> 1;
        let index = u16::from(address).checked_div(address_interval)?;
        u8::try_from(index).ok().filter(|index| *index < chips)
    }
}

/// What the bits of a nonce say of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoncePlace {
    /// Core.
    pub core: u8,
    /// Address of the chip, bits 7 to 1; `None` where nonces have none.
    pub address: Option<u8>,
    /// Place in the sweep of the core.
    pub counter: u32,
}

/// The version that a nonce was found with, from the job's own: `None` when the chip rolled bits that are not its to roll.
/// `base` keeps its bits outside the mask.
#[must_use]
pub fn rolled_version(base: u32, mask: u32, rolled: u16) -> Option<u32> {
    let bits = u32::from(rolled) << 13;
    (bits & !mask == 0).then_some((base & !mask) | bits)
}

#[cfg(test)]
mod tests;
