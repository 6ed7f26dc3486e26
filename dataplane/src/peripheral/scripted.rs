//! A bus for tests, which answers what the test says: transfer for transfer, or as a file of registers.

use super::{BusError, I2c};
use std::collections::{BTreeMap, VecDeque};

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transfer {
    Write(u8, Vec<u8>),
    WriteRead(u8, Vec<u8>, Result<Vec<u8>, BusError>),
}

/// A write that is expected.
pub(crate) fn write(address: u8, bytes: &[u8]) -> Transfer {
    Transfer::Write(address, bytes.to_vec())
}

/// A register that is expected to be read, and what it holds.
pub(crate) fn holds(address: u8, register: u8, data: &[u8]) -> Transfer {
    Transfer::WriteRead(address, vec![register], Ok(data.to_vec()))
}

/// A register that is expected to be read and does not answer.
pub(crate) fn silent(address: u8, register: u8) -> Transfer {
    Transfer::WriteRead(address, vec![register], Err(no_answer(address)))
}

pub(crate) fn no_answer(address: u8) -> BusError {
    BusError::NoAnswer { address, said: "I2C WriteRead Error".into() }
}

/// Expects these transfers in this order. All of them must have happened when it is dropped.
#[derive(Debug)]
pub(crate) struct Scripted(VecDeque<Transfer>);

impl Scripted {
    pub(crate) fn new(transfers: impl IntoIterator<Item = Transfer>) -> Self {
        Self(transfers.into_iter().collect())
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.is_empty(), "never happened: {:02x?}", self.0);
    }
}

impl I2c for Scripted {
    async fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), BusError> {
        assert_eq!(self.0.pop_front(), Some(write(address, bytes)), "unexpected write {bytes:02x?}");
        Ok(())
    }

    async fn write_read(&mut self, address: u8, bytes: &[u8], reply: &mut [u8]) -> Result<(), BusError> {
        match self.0.pop_front() {
            Some(Transfer::WriteRead(to, written, data)) if to == address && written == bytes => {
                reply.copy_from_slice(&data?);
                Ok(())
            }
            other => panic!("{bytes:02x?} is read from {address:#04x}, expected: {other:02x?}"),
        }
    }
}

/// Devices that keep what is written to them. An address that holds nothing does not answer.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    held: BTreeMap<(u8, u8), Vec<u8>>,
    /// Every write, in order.
    pub(crate) writes: Vec<(u8, Vec<u8>)>,
}

impl Registers {
    pub(crate) fn set(&mut self, address: u8, register: u8, data: &[u8]) {
        self.held.insert((address, register), data.to_vec());
    }

    pub(crate) fn get(&self, address: u8, register: u8) -> &[u8] {
        self.held.get(&(address, register)).map_or(&[], |data| &data[..])
    }

    fn check(&self, address: u8) -> Result<(), BusError> {
        let is_there = self.held.keys().any(|(held, _)| *held == address);
        if is_there { Ok(()) } else { Err(no_answer(address)) }
    }
}

impl I2c for Registers {
    async fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), BusError> {
        self.check(address)?;
        self.writes.push((address, bytes.to_vec()));
        let [register, data @ ..] = bytes else { return Ok(()) };
        if !data.is_empty() {
            self.set(address, *register, data);
        }
        Ok(())
    }

    async fn write_read(&mut self, address: u8, bytes: &[u8], reply: &mut [u8]) -> Result<(), BusError> {
        self.check(address)?;
        let held = self.get(address, bytes[0]);
        reply.iter_mut().enumerate().for_each(|(at, place)| *place = held.get(at).copied().unwrap_or(0));
        Ok(())
    }
}
