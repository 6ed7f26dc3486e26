//! Devices on the I2C bus of a board: regulator, fan, temperatures.   Driven by board tasks.
//!
//! Each device is a small value that knows its address; the bus is lent to it for each call, because all devices of a board
//! share the one way through the management controller. The trait is our own and not that of `embedded-hal-async`: futures
//! must be `Send`, errors must tell a device that does not answer from a controller that is gone, and transfers go
//! through a bridge with lengths that must not be used, so that drivers written for a microcontroller do not fit anyway.
//! No reading is ever a number when it is not known: see [`ReadingError`].

pub mod emc2101;
pub mod pmbus;
#[cfg(test)]
pub(crate) mod scripted;
pub mod tmp1075;
pub mod tmp451;
pub mod tps546;

use mujina_core::units::Celsius;

/// Why a transfer failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The device did not acknowledge, or the bus is stuck.
    #[error("nothing answers at I2C address {address:#04x} ({said}); check the board's supply")]
    NoAnswer {
        /// Which device.
        address: u8,
        /// What the controller says.
        said: String,
    },
    /// The controller did not answer as it should; the next transfer may succeed.
    #[error("{0}")]
    Controller(String),
    /// The controller is gone.
    #[error("{0}")]
    Gone(String),
}

/// The bus.
pub trait I2c: Send {
    /// Writes to a device.
    fn write(&mut self, address: u8, bytes: &[u8]) -> impl Future<Output = Result<(), BusError>> + Send;

    /// Writes to a device, then reads as many bytes as `reply` has.
    fn write_read(
        &mut self,
        address: u8,
        bytes: &[u8],
        reply: &mut [u8],
    ) -> impl Future<Output = Result<(), BusError>> + Send;
}

/// Reads registers that follow each other.
pub(crate) async fn read<const N: usize>(bus: &mut impl I2c, address: u8, register: u8) -> Result<[u8; N], BusError> {
    let mut reply = [0; N];
    bus.write_read(address, &[register], &mut reply).await?;
    Ok(reply)
}

/// Why there is no temperature. A reading that cannot be trusted is one of these, never a number.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadingError {
    /// It could not be read.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The diode is not connected.
    #[error("the temperature diode is open; check its wiring, and that the chip has power")]
    Open,
    /// The diode is shorted.
    #[error("the temperature diode is shorted; check its wiring")]
    Shorted,
    /// It is at the end of its scale, or no board can be that cold or hot.
    #[error("{0} is no plausible temperature; check the sensor")]
    Implausible(Celsius),
}

/// A temperature that a running board can have. Down to a cold shed in winter, up to what chips do not survive.
fn plausible(degrees: f64) -> Result<Celsius, ReadingError> {
    plausible_up_to(125.0, degrees)
}

/// The same for what survives another greatest temperature.
pub(crate) fn plausible_up_to(greatest: f64, degrees: f64) -> Result<Celsius, ReadingError> {
    let temperature = Celsius::from_degrees(degrees);
    if (-30.0..=greatest).contains(&degrees) { Ok(temperature) } else { Err(ReadingError::Implausible(temperature)) }
}
