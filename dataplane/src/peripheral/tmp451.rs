//! TMP451: temperature of the board, and of a chip through its diode.   Source: peripherals 5.
//!
//! The `tmp451` crate gives status and temperature apart and a number for each; that an open diode is no temperature would
//! be left to every caller.

use super::{BusError, I2c, ReadingError, plausible, read};
use mujina_core::units::Celsius;

const LOCAL_HIGH: u8 = 0x00;
const REMOTE_HIGH: u8 = 0x01;
const STATUS: u8 = 0x02;
const REMOTE_LOW: u8 = 0x10;
const REMOTE_OFFSET: u8 = 0x11;
const LOCAL_LOW: u8 = 0x15;
const MANUFACTURER_ID: u8 = 0xFE;
const TEXAS_INSTRUMENTS: u8 = 0x55;

/// Status: the diode is open.
const DIODE_OPEN: u8 = 0x04;

/// Why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tmp451Error {
    /// It does not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Something else answers at its address.
    #[error("the sensor says it is made by {0:#04x}, no TMP451; this is not the board it says it is")]
    WrongDevice(u8),
}

/// A sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tmp451 {
    address: u8,
}

impl Tmp451 {
    /// The one at this address.
    #[must_use]
    pub fn new(address: u8) -> Self {
        Self { address }
    }

    /// Makes sure that it is one, and sets what it adds to the diode's temperature, in whole degrees.
    ///
    /// # Errors
    /// It does not answer, or something else does.
    pub async fn start(self, bus: &mut impl I2c, remote_offset: i8) -> Result<(), Tmp451Error> {
        let [manufacturer] = read(bus, self.address, MANUFACTURER_ID).await?;
        if manufacturer != TEXAS_INSTRUMENTS {
            return Err(Tmp451Error::WrongDevice(manufacturer));
        }
        bus.write(self.address, &[REMOTE_OFFSET, remote_offset.cast_unsigned()]).await?;
        Ok(())
    }

    /// Temperature of the sensor itself, which sits on the board.
    ///
    /// # Errors
    /// There is none that could be trusted.
    pub async fn local(self, bus: &mut impl I2c) -> Result<Celsius, ReadingError> {
        let [high] = read(bus, self.address, LOCAL_HIGH).await?;
        let [low] = read(bus, self.address, LOCAL_LOW).await?;
        plausible(degrees(high, low))
    }

    /// Temperature of the chip with the diode. Means something only while the chip has power.
    ///
    /// # Errors
    /// There is none that could be trusted: also at the foot of the scale, which frost and a short share.
    pub async fn remote(self, bus: &mut impl I2c) -> Result<Celsius, ReadingError> {
        let [status] = read(bus, self.address, STATUS).await?;
        if status & DIODE_OPEN != 0 {
            return Err(ReadingError::Open);
        }
        let [high] = read(bus, self.address, REMOTE_HIGH).await?;
        let [low] = read(bus, self.address, REMOTE_LOW).await?;
        match (high, low >> 4) {
            (0, 0) => Err(ReadingError::Implausible(Celsius::from_degrees(0.0))),
            _ => plausible(degrees(high, low)),
        }
    }
}

/// Twelve bits without sign, a sixteenth of a degree each: the standard range.
fn degrees(high: u8, low: u8) -> f64 {
    f64::from((u16::from(high) << 4) | (u16::from(low) >> 4)) / 16.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peripheral::scripted::{Scripted, holds, write};

    const SENSOR: Tmp451 = Tmp451 { address: 0x49 };

    fn remote(status: u8, high: u8, low: u8) -> Scripted {
        Scripted::new([holds(0x49, 2, &[status]), holds(0x49, 1, &[high]), holds(0x49, 0x10, &[low])])
    }

    #[test]
    fn worked_temperatures_are_read() {
        assert!((degrees(0x19, 0x10) - 25.0625).abs() < 1e-9);
        assert!((degrees(0x7F, 0xF0) - 127.9375).abs() < 1e-9);
    }

    #[tokio::test]
    async fn offset_of_the_diode_is_set() {
        let mut bus = Scripted::new([holds(0x49, 0xFE, &[0x55]), write(0x49, &[0x11, 0xF9]), holds(0x49, 0xFE, &[0])]);
        assert_eq!(SENSOR.start(&mut bus, -7).await, Ok(()));
        assert_eq!(SENSOR.start(&mut bus, -7).await, Err(Tmp451Error::WrongDevice(0)));
    }

    #[tokio::test]
    async fn board_and_chip_are_read() {
        let mut bus = Scripted::new([holds(0x49, 0, &[0x19]), holds(0x49, 0x15, &[0x10])]);
        assert_eq!(SENSOR.local(&mut bus).await.map(Celsius::degrees), Ok(25.0625));
        assert_eq!(SENSOR.remote(&mut remote(0x80, 0x3C, 0x40)).await.map(Celsius::degrees), Ok(60.25));
    }

    #[tokio::test]
    async fn broken_diode_is_no_temperature() {
        let mut open = Scripted::new([holds(0x49, 2, &[0x04])]);
        assert_eq!(SENSOR.remote(&mut open).await, Err(ReadingError::Open));
        for (high, low) in [(0, 0), (0x7F, 0xF0)] {
            let reading = SENSOR.remote(&mut remote(0, high, low)).await;
            assert!(matches!(reading, Err(ReadingError::Implausible(_))), "{reading:?}");
        }
    }
}
