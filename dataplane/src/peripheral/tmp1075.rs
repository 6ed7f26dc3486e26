//! TMP1075: temperature of the board beneath it.   Source: peripherals 4.
//!
//! The `tmp1075` crate reads the same two registers; what it gives is a number for every word, and the checks around it
//! would be the whole of this file.

use super::{BusError, I2c, ReadingError, plausible, read};
use mujina_core::units::Celsius;

const TEMPERATURE: u8 = 0x00;
const DEVICE_ID: u8 = 0x0F;
const TMP1075: u16 = 0x7500;

/// Why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tmp1075Error {
    /// It does not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Something else answers at its address.
    #[error("the sensor says it is {0:#06x}, no TMP1075; this is not the board it says it is")]
    WrongDevice(u16),
}

/// A sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tmp1075 {
    address: u8,
}

impl Tmp1075 {
    /// The one at this address.
    #[must_use]
    pub fn new(address: u8) -> Self {
        Self { address }
    }

    /// Makes sure that it is one.
    ///
    /// # Errors
    /// It does not answer, or something else does.
    pub async fn start(self, bus: &mut impl I2c) -> Result<(), Tmp1075Error> {
        match u16::from_be_bytes(read(bus, self.address, DEVICE_ID).await?) {
            TMP1075 => Ok(()),
            other => Err(Tmp1075Error::WrongDevice(other)),
        }
    }

    /// Its temperature.
    ///
    /// # Errors
    /// There is none that could be trusted.
    pub async fn temperature(self, bus: &mut impl I2c) -> Result<Celsius, ReadingError> {
        plausible(degrees(u16::from_be_bytes(read(bus, self.address, TEMPERATURE).await?)))
    }
}

/// The upper twelve bits in two's complement, a sixteenth of a degree each.
fn degrees(word: u16) -> f64 {
    f64::from(word.cast_signed() >> 4) / 16.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peripheral::scripted::{Registers, Scripted, holds};

    #[test]
    fn worked_temperatures_are_read() {
        let worked = [
            (0x7FF0, 127.9375),
            (0x6400, 100.0),
            (0x5000, 80.0),
            (0x1900, 25.0),
            (0x0010, 0.0625),
            (0xFFF0, -0.0625),
            (0xE700, -25.0),
            (0x8000, -128.0),
            (0x1A20, 26.125),
        ];
        for (word, value) in worked {
            assert!((degrees(word) - value).abs() < 1e-9, "{word:#06x}");
        }
    }

    #[tokio::test]
    async fn ends_of_the_scale_are_no_temperatures() {
        let mut bus =
            Scripted::new([holds(0x4A, 0, &[0x1A, 0x20]), holds(0x4A, 0, &[0x7F, 0xF0]), holds(0x4A, 0, &[0x80, 0])]);
        let sensor = Tmp1075::new(0x4A);
        assert_eq!(sensor.temperature(&mut bus).await.map(Celsius::degrees), Ok(26.125));
        for _ in 0..2 {
            assert!(matches!(sensor.temperature(&mut bus).await, Err(ReadingError::Implausible(_))));
        }
    }

    #[tokio::test]
    async fn other_device_at_its_address_is_refused() {
        let mut bus = Scripted::new([holds(0x4A, 0x0F, &[0x75, 0]), holds(0x4A, 0x0F, &[0, 0])]);
        assert_eq!(Tmp1075::new(0x4A).start(&mut bus).await, Ok(()));
        assert_eq!(Tmp1075::new(0x4A).start(&mut bus).await, Err(Tmp1075Error::WrongDevice(0)));
        let absent = Tmp1075::new(0x4B).start(&mut Registers::default()).await;
        assert!(matches!(absent, Err(Tmp1075Error::Bus(BusError::NoAnswer { address: 0x4B, .. }))), "{absent:?}");
    }
}
