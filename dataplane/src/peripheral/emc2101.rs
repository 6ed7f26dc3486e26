//! EMC2101: fan controller with its own temperature sensor and an input for the diode of a chip.   Source: peripherals 2.
//!
//! The `emc2101` crate was looked at and left: it gives an open or shorted diode as 127 °C, knows neither ideality nor beta,
//! and brings a tree of procedural macros.

use super::{BusError, I2c, ReadingError, plausible, read};
use mujina_core::units::Celsius;
use std::time::Duration;

/// Where it is on every board.
const ADDRESS: u8 = 0x4C;
const MANUFACTURER: u8 = 0x5D;
const PRODUCTS: [u8; 2] = [0x16, 0x28];
/// After the pin was made an input for turns.
const SETTLE: Duration = Duration::from_millis(10);
/// Greatest fan setting.
const FULL: u8 = 63;

const INTERNAL: u8 = 0x00;
const EXTERNAL_HIGH: u8 = 0x01;
const CONFIGURATION: u8 = 0x03;
const EXTERNAL_LOW: u8 = 0x10;
const IDEALITY: u8 = 0x17;
const BETA: u8 = 0x18;
const TACH_LOW: u8 = 0x46;
const TACH_HIGH: u8 = 0x47;
const FAN_CONFIGURATION: u8 = 0x4A;
const FAN: u8 = 0x4C;

/// Pin ALERT/TACH is an input for turns.
const TACH_INPUT: u8 = 0x04;
/// The fan follows its setting and no table; turns are counted in mode 3.
const DIRECT_DRIVE: u8 = 0x23;

/// Which sensor tells the temperature of the chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChipSensor {
    /// The diode on the chip, with the corrections that it needs, if any.
    Diode(Option<DiodeCorrection>),
    /// The sensor in the EMC2101 itself, so many degrees below the chip.
    Internal {
        /// What is added.
        offset: f64,
    },
}

/// What a diode needs to be read rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiodeCorrection {
    /// Code of the ideality factor.
    pub ideality: u8,
    /// Code of the transistor's beta.
    pub beta: u8,
}

/// For chips of the BM1370: ideality 1.0319, beta 0.11.
pub const BM1370_DIODE: DiodeCorrection = DiodeCorrection { ideality: 0x24, beta: 0x00 };

/// Why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Emc2101Error {
    /// It does not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Something else answers at its address.
    #[error(
        "the fan controller says it is {manufacturer:#04x} {product:#04x}, no EMC2101; this is not the board it says it is"
    )]
    WrongDevice {
        /// What it says.
        manufacturer: u8,
        /// What it says.
        product: u8,
    },
}

/// The fan controller of a board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Emc2101 {
    sensor: ChipSensor,
}

impl Emc2101 {
    /// One that reads its chip with this sensor.
    #[must_use]
    pub fn new(sensor: ChipSensor) -> Self {
        Self { sensor }
    }

    /// Makes sure that it is one, then lets it drive the fan as it is told, at full speed until told otherwise.
    ///
    /// # Errors
    /// It does not answer, or something else does.
    pub async fn start(self, bus: &mut impl I2c) -> Result<(), Emc2101Error> {
        let [manufacturer] = read(bus, ADDRESS, 0xFE).await?;
        let [product] = read(bus, ADDRESS, 0xFD).await?;
        if manufacturer != MANUFACTURER || !PRODUCTS.contains(&product) {
            return Err(Emc2101Error::WrongDevice { manufacturer, product });
        }
        // First of all: whatever follows may fail with the fan at full speed.
        bus.write(ADDRESS, &[FAN_CONFIGURATION, DIRECT_DRIVE]).await?;
        self.drive(bus, 100.0).await?;
        let [configuration] = read(bus, ADDRESS, CONFIGURATION).await?;
        bus.write(ADDRESS, &[CONFIGURATION, configuration | TACH_INPUT]).await?;
        if let ChipSensor::Diode(Some(DiodeCorrection { ideality, beta })) = self.sensor {
            bus.write(ADDRESS, &[IDEALITY, ideality]).await?;
            bus.write(ADDRESS, &[BETA, beta]).await?;
        }
        tokio::time::sleep(SETTLE).await;
        Ok(())
    }

    /// Sets the fan, and returns what it was set to, in percent: its steps are coarse.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn drive(self, bus: &mut impl I2c, percent: f64) -> Result<f64, BusError> {
        let setting = setting(percent);
        bus.write(ADDRESS, &[FAN, setting]).await?;
        Ok(percent_of(setting))
    }

    /// What the fan is set to, in percent.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn duty(self, bus: &mut impl I2c) -> Result<f64, BusError> {
        let [setting] = read(bus, ADDRESS, FAN).await?;
        Ok(percent_of(setting.min(FULL)))
    }

    /// Turns of the fan per minute; 0 = it stands still.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn rpm(self, bus: &mut impl I2c) -> Result<u32, BusError> {
        // The low byte first: reading it holds the high one.
        let [low] = read(bus, ADDRESS, TACH_LOW).await?;
        let [high] = read(bus, ADDRESS, TACH_HIGH).await?;
        Ok(rpm(u16::from_le_bytes([low, high])))
    }

    /// Temperature of the chip. Means something only while the chip has power and has been out of reset for half a second.
    ///
    /// # Errors
    /// There is none that could be trusted.
    pub async fn chip_temperature(self, bus: &mut impl I2c) -> Result<Celsius, ReadingError> {
        match self.sensor {
            ChipSensor::Diode(_) => {
                let [high] = read(bus, ADDRESS, EXTERNAL_HIGH).await?;
                let [low] = read(bus, ADDRESS, EXTERNAL_LOW).await?;
                diode(high, low)
            }
            ChipSensor::Internal { offset } => {
                let [degrees] = read(bus, ADDRESS, INTERNAL).await?;
                plausible(f64::from(degrees.cast_signed()) + offset)
            }
        }
    }

    /// Temperature of the EMC2101 itself, which sits on the board.
    ///
    /// # Errors
    /// There is none that could be trusted.
    pub async fn board_temperature(self, bus: &mut impl I2c) -> Result<Celsius, ReadingError> {
        let [degrees] = read(bus, ADDRESS, INTERNAL).await?;
        plausible(f64::from(degrees.cast_signed()))
    }
}

/// The transfer that sets the fan to full speed, for those who cannot wait: address and bytes.
#[must_use]
pub fn full_speed() -> (u8, Vec<u8>) {
    (ADDRESS, vec![FAN, FULL])
}

fn setting(percent: f64) -> u8 {
    let setting = (f64::from(FULL) * percent.clamp(0.0, 100.0) / 100.0).floor();
    // What is no number is full speed, not none.
    let setting = if setting.is_nan() { f64::from(FULL) } else { setting };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 63 by construction")]
    let setting = setting as u8;
    setting
}

fn percent_of(setting: u8) -> f64 {
    (100.0 * f64::from(setting) / f64::from(FULL)).floor()
}

/// Turns per minute of a count; 82 is what a fan that stands still counts to.
fn rpm(count: u16) -> u32 {
    match count {
        0 => 0,
        count => match 5_400_000 / u32::from(count) {
            82 => 0,
            rpm => rpm,
        },
    }
}

fn diode(high: u8, low: u8) -> Result<Celsius, ReadingError> {
    let raw = (u16::from(high) << 3) | (u16::from(low) >> 5);
    match raw {
        0x3F8 => Err(ReadingError::Open),
        0x3FF => Err(ReadingError::Shorted),
        // Eleven bits in two's complement, an eighth of a degree each.
        raw => plausible(f64::from((raw << 5).cast_signed() >> 5) / 8.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peripheral::scripted::{Registers, Scripted, holds, silent, write};

    const GAMMA: Emc2101 = Emc2101 { sensor: ChipSensor::Diode(Some(BM1370_DIODE)) };

    fn degrees(high: u8, low: u8) -> f64 {
        diode(high, low).unwrap().degrees()
    }

    #[test]
    fn worked_temperatures_are_read() {
        let worked = [
            (25.0, 0x19, 0),
            (45.5, 0x2D, 0x80),
            (60.25, 0x3C, 0x40),
            (75.0, 0x4B, 0),
            (80.0, 0x50, 0),
            (-5.0, 0xFB, 0),
        ];
        for (value, high, low) in worked {
            assert!((degrees(high, low) - value).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn broken_diode_is_no_temperature() {
        assert_eq!(diode(0x7F, 0x00), Err(ReadingError::Open));
        assert_eq!(diode(0x7F, 0xE0), Err(ReadingError::Shorted));
        assert!(matches!(diode(0x7F, 0x20), Err(ReadingError::Implausible(_))));
        assert!(matches!(diode(0x80, 0x00), Err(ReadingError::Implausible(_))));
    }

    #[test]
    fn worked_turns_are_read() {
        for (count, turns) in [(0x0708, 3000), (0x0438, 5000), (0x1518, 1000), (0x02A3, 8000), (0, 0), (0xFFFF, 0)] {
            assert_eq!(rpm(count), turns, "{count:#06x}");
        }
    }

    #[test]
    fn worked_duties_are_set() {
        for (percent, value) in [
            (0.0, 0),
            (25.0, 15),
            (30.0, 18),
            (50.0, 31),
            (70.0, 44),
            (100.0, 63),
            (250.0, 63),
            (-1.0, 0),
            (f64::NAN, 63),
        ] {
            assert_eq!(setting(percent), value, "{percent}");
        }
        assert!((percent_of(15) - 23.0).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn fan_runs_at_full_speed_before_anything_else_is_set() {
        let mut bus = Scripted::new([
            holds(0x4C, 0xFE, &[0x5D]),
            holds(0x4C, 0xFD, &[0x28]),
            write(0x4C, &[0x4A, 0x23]),
            write(0x4C, &[0x4C, 0x3F]),
            holds(0x4C, 0x03, &[0x40]),
            write(0x4C, &[0x03, 0x44]),
            write(0x4C, &[0x17, 0x24]),
            write(0x4C, &[0x18, 0x00]),
        ]);
        GAMMA.start(&mut bus).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn other_device_at_its_address_is_refused() {
        let mut bus = Registers::default();
        bus.set(0x4C, 0xFE, &[0x5D]);
        bus.set(0x4C, 0xFD, &[0x35]);
        let error = GAMMA.start(&mut bus).await.unwrap_err();
        assert_eq!(error, Emc2101Error::WrongDevice { manufacturer: 0x5D, product: 0x35 });
        assert_eq!(bus.writes, [], "nothing is written to it");
    }

    #[tokio::test]
    async fn readings_come_from_the_sensor_of_the_board() {
        let mut bus = Scripted::new([
            holds(0x4C, 0x01, &[0x2D]),
            holds(0x4C, 0x10, &[0x80]),
            holds(0x4C, 0x00, &[0x28]),
            holds(0x4C, 0x00, &[0x28]),
            holds(0x4C, 0x46, &[0x08]),
            holds(0x4C, 0x47, &[0x07]),
            holds(0x4C, 0x4C, &[0x0F]),
            silent(0x4C, 0x01),
        ]);
        let ultra = Emc2101::new(ChipSensor::Internal { offset: 5.0 });
        assert_eq!(GAMMA.chip_temperature(&mut bus).await.map(Celsius::degrees), Ok(45.5));
        assert_eq!(ultra.chip_temperature(&mut bus).await.map(Celsius::degrees), Ok(45.0));
        assert_eq!(ultra.board_temperature(&mut bus).await.map(Celsius::degrees), Ok(40.0));
        assert_eq!(GAMMA.rpm(&mut bus).await, Ok(3000));
        assert_eq!(GAMMA.duty(&mut bus).await, Ok(23.0));
        assert!(matches!(GAMMA.chip_temperature(&mut bus).await, Err(ReadingError::Bus(_))));
    }
}
