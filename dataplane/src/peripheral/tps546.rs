//! TPS546D24: core regulator on PMBus.   Source: peripherals 3.
//!
//! No crate fits: there is none for the part, and what matters here are the limits that it is given before it is ever turned
//! on, and the order. Everything is set at every start; `STORE_USER_ALL` is never sent, because it can ruin the part.

pub mod configuration;
pub mod status;

use super::{
    BusError, I2c,
    pmbus::{VoutMode, linear11, to_linear11},
    read,
};
use configuration::{Configuration, Value};
use mujina_core::units::{Amperes, Celsius, Volts, Watts};
use status::{Part, Status};
use std::time::Duration;

/// Where it is on every board.
const ADDRESS: u8 = 0x24;
/// Parts that the configurations are made for: D24A, D24S, and one that other firmware accepts too.
const PARTS: [[u8; 6]; 3] =
    [[0x54, 0x49, 0x54, 0x6D, 0x24, 0x41], [0x54, 0x49, 0x54, 0x6D, 0x24, 0x62], [0x54, 0x49, 0x54, 0x6B, 0x24, 0x41]];
/// Reads of the id before it counts as absent, and the time between them: it may have just been given power.
const ID_READS: u32 = 6;
const ID_PAUSE: Duration = Duration::from_millis(3);
/// A limit that reads back further off than this was not taken. The part may round limits its own way.
const LIMIT_TOLERANCE: f64 = 0.1;

const OPERATION: u8 = 0x01;
const CLEAR_FAULTS: u8 = 0x03;
const PHASE: u8 = 0x04;
const VOUT_MODE: u8 = 0x20;
const VOUT_COMMAND: u8 = 0x21;
const STATUS_WORD: u8 = 0x79;
const READ_VIN: u8 = 0x88;
const READ_VOUT: u8 = 0x8B;
const READ_IOUT: u8 = 0x8C;
const READ_TEMPERATURE: u8 = 0x8D;
const IC_DEVICE_ID: u8 = 0xAD;

const OFF: u8 = 0x00;
const ON: u8 = 0x80;
const ALL_PHASES: u8 = 0xFF;

/// Why it does not do as it should.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Tps546Error {
    /// It does not answer.
    #[error("the core regulator does not answer: {0}; without input power it never does, so check that first")]
    Bus(#[from] BusError),
    /// Something else answers at its address.
    #[error("the core regulator says it is {0:02x?}, which is none that is known; it was not turned on")]
    WrongDevice([u8; 6]),
    /// It writes voltages in a format that is not known.
    #[error("the core regulator has VOUT_MODE {0:#04x}, which is not linear; it was not turned on")]
    Format(u8),
    /// It did not take a limit.
    #[error("the core regulator holds {holds} in register {register:#04x}, not {wanted}; it was not turned on")]
    NotHeld {
        /// Which register.
        register: u8,
        /// What was written.
        wanted: f64,
        /// What it reads back as.
        holds: f64,
    },
    /// A voltage that the board must not be given.
    #[error("{wanted} is outside of {least} to {greatest}, which is what this board stands; ask for another voltage")]
    OutOfRange {
        /// What was asked.
        wanted: Volts,
        /// Least.
        least: Volts,
        /// Greatest.
        greatest: Volts,
    },
    /// It was told to turn on or off and did not.
    #[error("the core regulator did not turn {}: {status}; check the input power", if *.on { "on" } else { "off" })]
    NotSwitched {
        /// What was wanted.
        on: bool,
        /// What it says.
        status: Status,
    },
}

/// What it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Telemetry {
    /// Input voltage.
    pub vin: Volts,
    /// Output voltage.
    pub vout: Volts,
    /// Output current.
    pub iout: Amperes,
    /// Its own temperature; not checked for being plausible.
    pub temperature: Celsius,
}

impl Telemetry {
    /// Power of its output.
    #[must_use]
    pub fn power(self) -> Watts {
        self.vout.times(self.iout)
    }
}

/// The regulator of a board, configured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tps546 {
    mode: VoutMode,
    least: Volts,
    greatest: Volts,
}

impl Tps546 {
    /// Makes sure that it is one that is known, turns its output off, sets everything, and reads back the limits that
    /// protect the board. The output is off afterwards, and old faults are forgotten.
    ///
    /// # Errors
    /// It does not answer, is another part, or did not take a limit.
    pub async fn start(bus: &mut impl I2c, configuration: &Configuration) -> Result<Self, Tps546Error> {
        let id = Self::identify(bus).await?;
        if !PARTS.contains(&id) {
            return Err(Tps546Error::WrongDevice(id));
        }
        bus.write(ADDRESS, &[OPERATION, OFF]).await?;
        let [register] = read(bus, ADDRESS, VOUT_MODE).await?;
        let mode = VoutMode::new(register).ok_or(Tps546Error::Format(register))?;
        for (register, value) in configuration.settings(mode) {
            let data = value.bytes(mode).ok_or(Tps546Error::Format(register))?;
            bus.write(ADDRESS, &[&[register], &data[..]].concat()).await?;
        }
        let regulator = Self { mode, least: configuration.vout_min, greatest: configuration.vout_max };
        for (register, value) in
            configuration.settings(mode).filter(|(register, _)| configuration::PROTECTS.contains(register))
        {
            regulator.verify(bus, register, value).await?;
        }
        regulator.clear_faults(bus).await?;
        Ok(regulator)
    }

    async fn identify(bus: &mut impl I2c) -> Result<[u8; 6], BusError> {
        for _ in 1..ID_READS {
            if let Ok([6, id @ ..]) = read::<7>(bus, ADDRESS, IC_DEVICE_ID).await {
                return Ok(id);
            }
            tokio::time::sleep(ID_PAUSE).await;
        }
        let [_, id @ ..] = read::<7>(bus, ADDRESS, IC_DEVICE_ID).await?;
        Ok(id)
    }

    /// Compares values and not words, since the part may keep a limit with another exponent.
    async fn verify(self, bus: &mut impl I2c, register: u8, value: Value) -> Result<(), Tps546Error> {
        let (wanted, holds) = match value {
            Value::Linear11(wanted) => (wanted, linear11(u16::from_le_bytes(read(bus, ADDRESS, register).await?))),
            Value::Voltage(wanted) => {
                (wanted, self.mode.value(u16::from_le_bytes(read(bus, ADDRESS, register).await?)))
            }
            Value::Byte(wanted) => {
                let [holds] = read(bus, ADDRESS, register).await?;
                (f64::from(wanted), f64::from(holds))
            }
            Value::Word(_) | Value::Block(_) => return Ok(()),
        };
        let tolerance = if matches!(value, Value::Byte(_)) { 0.0 } else { LIMIT_TOLERANCE * wanted.abs() };
        if (holds - wanted).abs() <= tolerance { Ok(()) } else { Err(Tps546Error::NotHeld { register, wanted, holds }) }
    }

    /// Sets the voltage that it gives when it is on.
    ///
    /// # Errors
    /// The board must not be given it, or the regulator does not answer.
    pub async fn set_voltage(self, bus: &mut impl I2c, wanted: Volts) -> Result<(), Tps546Error> {
        let Self { mode, least, greatest } = self;
        let word = mode.word(wanted.volts()).filter(|_| (least..=greatest).contains(&wanted));
        let [low, high] = word.ok_or(Tps546Error::OutOfRange { wanted, least, greatest })?.to_le_bytes();
        bus.write(ADDRESS, &[VOUT_COMMAND, low, high]).await?;
        Ok(())
    }

    /// Turns its output on and makes sure that it is.
    ///
    /// # Errors
    /// It does not turn on.
    pub async fn turn_on(self, bus: &mut impl I2c) -> Result<(), Tps546Error> {
        self.clear_faults(bus).await?;
        bus.write(ADDRESS, &[OPERATION, ON]).await?;
        let [operation] = read(bus, ADDRESS, OPERATION).await?;
        let status = self.status(bus).await?;
        if operation == ON && !status.is_off() { Ok(()) } else { Err(Tps546Error::NotSwitched { on: true, status }) }
    }

    /// Turns its output off at once and makes sure that it is.
    ///
    /// # Errors
    /// It does not turn off.
    pub async fn turn_off(self, bus: &mut impl I2c) -> Result<(), Tps546Error> {
        bus.write(ADDRESS, &[OPERATION, OFF]).await?;
        let [operation] = read(bus, ADDRESS, OPERATION).await?;
        if operation == OFF {
            return Ok(());
        }
        Err(Tps546Error::NotSwitched { on: false, status: self.status(bus).await? })
    }

    /// Forgets faults that are over.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn clear_faults(self, bus: &mut impl I2c) -> Result<(), BusError> {
        bus.write(ADDRESS, &[CLEAR_FAULTS]).await
    }

    /// What it measures.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn telemetry(self, bus: &mut impl I2c) -> Result<Telemetry, BusError> {
        // The current of all phases together, whatever was read last.
        bus.write(ADDRESS, &[PHASE, ALL_PHASES]).await?;
        let vin = linear11(word(bus, READ_VIN).await?);
        let vout = self.mode.value(word(bus, READ_VOUT).await?);
        let iout = linear11(word(bus, READ_IOUT).await?);
        let temperature = linear11(word(bus, READ_TEMPERATURE).await?);
        Ok(Telemetry {
            vin: Volts::from_volts(vin),
            vout: Volts::from_volts(vout),
            iout: Amperes::from_amperes(iout),
            temperature: Celsius::from_degrees(temperature),
        })
    }

    /// What it says of itself. The parts of the status are read only when there is something in them.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(self, bus: &mut impl I2c) -> Result<Status, BusError> {
        let mut status = Status::new(word(bus, STATUS_WORD).await?);
        for part in Part::ALL {
            if status.has(part) {
                let [bits] = read(bus, ADDRESS, part.register()).await?;
                status.set(part, bits);
            }
        }
        Ok(status)
    }
}

async fn word(bus: &mut impl I2c, register: u8) -> Result<u16, BusError> {
    Ok(u16::from_le_bytes(read(bus, ADDRESS, register).await?))
}

/// The transfer that turns its output off, for those who cannot wait: address and bytes.
#[must_use]
pub fn off() -> (u8, Vec<u8>) {
    (ADDRESS, vec![OPERATION, OFF])
}

/// The register that then reads 0: address, register.
#[must_use]
pub fn off_read_back() -> (u8, u8) {
    (ADDRESS, OPERATION)
}

impl Value {
    /// As it is written, without the register; `None` for what the format cannot hold.
    fn bytes(self, mode: VoutMode) -> Option<Vec<u8>> {
        Some(match self {
            Self::Byte(byte) => vec![byte],
            Self::Word(word) => word.to_le_bytes().to_vec(),
            Self::Linear11(value) => to_linear11(value)?.to_le_bytes().to_vec(),
            Self::Voltage(value) => mode.word(value)?.to_le_bytes().to_vec(),
            Self::Block(block) => [&[u8::try_from(block.len()).ok()?], block].concat(),
        })
    }
}

#[cfg(test)]
mod tests;
