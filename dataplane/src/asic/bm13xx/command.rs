//! What is said to chips besides jobs.

use super::crc;
use std::fmt;

/// Longest command: writing a register.
const LONGEST: usize = 11;

/// Whom a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Every chip of the chain.
    All,
    /// Every chip of this address: one, once they have addresses.
    Chip(u8),
}

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// All chips forget their addresses.
    Inactive,
    /// The first chip that has none takes this address; later ones go past it.
    SetAddress(u8),
    /// Asks for a register. Each chip that is meant answers.
    Read {
        /// Who.
        to: Destination,
        /// Which.
        register: u8,
    },
    /// Sets a register. Nobody answers.
    Write {
        /// Whose.
        to: Destination,
        /// Which.
        register: u8,
        /// What to.
        value: u32,
    },
}

impl Command {
    /// Sets a register of all chips.
    #[must_use]
    pub fn write_all(register: u8, value: u32) -> Self {
        Self::Write { to: Destination::All, register, value }
    }

    /// Sets a register of one chip.
    #[must_use]
    pub fn write(address: u8, register: u8, value: u32) -> Self {
        Self::Write { to: Destination::Chip(address), register, value }
    }

    /// Asks all chips for a register.
    #[must_use]
    pub fn read_all(register: u8) -> Self {
        Self::Read { to: Destination::All, register }
    }

    /// Asks one chip for a register.
    #[must_use]
    pub fn read(address: u8, register: u8) -> Self {
        Self::Read { to: Destination::Chip(address), register }
    }

    /// The bytes on the line.
    #[must_use]
    pub fn encode(self) -> CommandFrame {
        match self {
            Self::SetAddress(address) => CommandFrame::short(0x40, address, 0),
            Self::Inactive => CommandFrame::short(0x53, 0, 0),
            Self::Read { to: Destination::All, register } => CommandFrame::short(0x52, 0, register),
            Self::Read { to: Destination::Chip(address), register } => CommandFrame::short(0x42, address, register),
            Self::Write { to: Destination::All, register, value } => CommandFrame::long(0x51, 0, register, value),
            Self::Write { to: Destination::Chip(address), register, value } => {
                CommandFrame::long(0x41, address, register, value)
            }
        }
    }
}

/// A command as bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CommandFrame {
    bytes: [u8; LONGEST],
    len: usize,
}

impl CommandFrame {
    fn short(header: u8, first: u8, second: u8) -> Self {
        let covered = [header, 5, first, second];
        let [a, b, c, d] = covered;
        Self { bytes: [0x55, 0xaa, a, b, c, d, crc::crc5(&covered), 0, 0, 0, 0], len: 7 }
    }

    fn long(header: u8, address: u8, register: u8, value: u32) -> Self {
        let [v0, v1, v2, v3] = value.to_be_bytes();
        let covered = [header, 9, address, register, v0, v1, v2, v3];
        let [a, b, c, d, e, f, g, h] = covered;
        Self { bytes: [0x55, 0xaa, a, b, c, d, e, f, g, h, crc::crc5(&covered)], len: 11 }
    }

    /// Preamble to checksum.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for CommandFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests;
