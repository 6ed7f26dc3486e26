//! What can be asked of the management controller, as bytes.   Source: bitaxe-raw 3, 4.1 and 5.
//!
//! ```text
//! LEN (2, little-endian, all bytes) | ID | BUS = 0 | PAGE | CMD | DATA ...
//! ```

/// Greatest I2C transfer: far below the one packet of 64 bytes that a reply must fit in (bitaxe-raw 5.6).
pub const MOST_I2C_BYTES: usize = 32;
/// Never an id: with it the controller answers what it could not read.
pub const NO_ID: u8 = 0xFF;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Sets the clock of the I2C bus, in hertz.
    I2cFrequency(u32),
    /// Writes to a device.
    I2cWrite {
        /// Seven-bit address.
        address: u8,
        /// What.
        bytes: Vec<u8>,
    },
    /// Reads from a device.
    I2cRead {
        /// Seven-bit address.
        address: u8,
        /// How many bytes.
        count: u8,
    },
    /// Writes to a device, then reads from it without letting go of the bus.
    I2cWriteRead {
        /// Seven-bit address.
        address: u8,
        /// What is written.
        bytes: Vec<u8>,
        /// How many bytes are read.
        count: u8,
    },
    /// Reads back a line.
    GpioRead(u8),
    /// Drives a line.
    GpioWrite(u8, bool),
    /// Reads an analogue input; the scale is not documented.
    Adc(AdcInput),
    /// Sets the colour of the status LED: red, green, blue.
    Led([u8; 3]),
    /// Restarts the controller. Nothing is answered; the device comes back.
    Reboot,
    /// Restarts the controller into its boot loader.
    RebootToBootloader,
}

/// An analogue input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdcInput {
    /// Core voltage.
    Vdd,
    /// Input voltage; EmberOne only.
    Vin,
}

/// A request that must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No seven-bit address.
    #[error("{0:#04x} is no seven-bit I2C address; this is a bug, please report it")]
    Address(u8),
    /// A transfer of a length that must not be asked for.
    #[error("an I2C transfer of {0} bytes must not be asked for; this is a bug, please report it")]
    Length(usize),
}

impl Request {
    /// Whether it may be sent: not longer than one packet of a reply, and not of a length that makes success and error look
    /// alike (bitaxe-raw 4.1: a read of 18 bytes, a write-read of 23).
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), RequestError> {
        let (address, written, read) = match self {
            Self::I2cWrite { address, bytes } => (*address, bytes.len(), None),
            Self::I2cRead { address, count } => (*address, 1, Some(*count)),
            Self::I2cWriteRead { address, bytes, count } => (*address, bytes.len(), Some(*count)),
            _ => return Ok(()),
        };
        if address > 0x7F {
            return Err(RequestError::Address(address));
        }
        let sizes = 1..=MOST_I2C_BYTES;
        if !sizes.contains(&written) {
            return Err(RequestError::Length(written));
        }
        let Some(read) = read.map(usize::from) else { return Ok(()) };
        let is_ambiguous = self.error_length() == Some(read);
        if sizes.contains(&read) && !is_ambiguous { Ok(()) } else { Err(RequestError::Length(read)) }
    }

    /// The whole frame, to be written in one go.
    #[must_use]
    pub fn encode(&self, id: u8) -> Vec<u8> {
        let (page, command, data) = match self {
            Self::I2cFrequency(hertz) => (0x05, 0x10, hertz.to_le_bytes().to_vec()),
            Self::I2cWrite { address, bytes } => (0x05, 0x20, [&[*address], &bytes[..]].concat()),
            Self::I2cRead { address, count } => (0x05, 0x30, vec![*address, *count]),
            Self::I2cWriteRead { address, bytes, count } => (0x05, 0x40, [&[*address], &bytes[..], &[*count]].concat()),
            Self::GpioRead(line) => (0x06, *line, Vec::new()),
            Self::GpioWrite(line, level) => (0x06, *line, vec![u8::from(*level)]),
            Self::Adc(AdcInput::Vdd) => (0x07, 0x50, Vec::new()),
            Self::Adc(AdcInput::Vin) => (0x07, 0x51, Vec::new()),
            Self::Led(colour) => (0x08, 0x10, colour.to_vec()),
            Self::Reboot => (0x09, 0x01, vec![0xDE, 0xAD, 0xBE, 0xEF]),
            Self::RebootToBootloader => (0x09, 0x02, vec![0xB0, 0x07, 0x10, 0xAD]),
        };
        let length = u16::try_from(6 + data.len()).unwrap_or(u16::MAX);
        let [low, high] = length.to_le_bytes();
        [&[low, high, id, 0, page, command], &data[..]].concat()
    }

    /// Data bytes of a successful reply; `None` when none is sent.
    #[must_use]
    pub fn reply_length(&self) -> Option<usize> {
        match self {
            Self::I2cFrequency(_) => Some(4),
            Self::I2cWrite { .. } | Self::GpioRead(_) | Self::GpioWrite(..) => Some(1),
            Self::I2cRead { count, .. } | Self::I2cWriteRead { count, .. } => Some(usize::from(*count)),
            Self::Adc(_) => Some(2),
            Self::Led(_) => Some(3),
            Self::Reboot | Self::RebootToBootloader => None,
        }
    }

    /// Length of the whole reply when it fails while being carried out; `None` for what cannot.
    #[must_use]
    pub fn error_length(&self) -> Option<usize> {
        match self {
            Self::I2cFrequency(_) => Some(0x1B),
            Self::I2cWrite { .. } => Some(0x13),
            Self::I2cRead { .. } | Self::Adc(_) => Some(0x12),
            Self::I2cWriteRead { .. } => Some(0x17),
            Self::GpioRead(_) | Self::GpioWrite(..) | Self::Led(_) | Self::Reboot | Self::RebootToBootloader => None,
        }
    }

    /// Whether these data say that it was done as it was asked.
    #[must_use]
    pub fn is_done(&self, data: &[u8]) -> bool {
        match self {
            Self::I2cFrequency(hertz) => *data == hertz.to_le_bytes(),
            Self::I2cWrite { bytes, .. } => matches!(*data, [count] if usize::from(count) == bytes.len()),
            Self::I2cRead { count, .. } | Self::I2cWriteRead { count, .. } => data.len() == usize::from(*count),
            Self::GpioRead(_) => matches!(*data, [0 | 1]),
            Self::GpioWrite(_, level) => *data == [u8::from(*level)],
            Self::Adc(_) => data.len() == 2,
            Self::Led(colour) => *data == *colour,
            Self::Reboot | Self::RebootToBootloader => data.is_empty(),
        }
    }
}
