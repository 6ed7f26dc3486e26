//! A board's USB device as the host sees it.

use std::path::PathBuf;

/// A device that may be a board, with the ports that it brought. Made by discovery, or by the emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardDevice {
    /// Where it is plugged in, for example `1-2.3`: stable while the same port is used, whatever the tty is called.
    pub place: String,
    /// Manufacturer string.
    pub manufacturer: String,
    /// Product string.
    pub product: String,
    /// Serial number; not unique on old firmware.
    pub serial: String,
    /// `bcdDevice`: hardware revision and firmware version.
    pub release: u16,
    /// Port of the management controller: interface 0.
    pub control: PathBuf,
    /// Port of the chips: interface 2.
    pub data: PathBuf,
}

/// What discovery tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvent {
    /// A device is there and both ports can be opened.
    Arrived(BoardDevice),
    /// The device at this place is gone.
    Left {
        /// Its place.
        place: String,
    },
    /// A board is there, and its ports cannot be used. `Left` follows when it is gone, and before it
    /// arrives after all.
    Inaccessible {
        /// Its place.
        place: String,
        /// Product string.
        product: String,
        /// Serial number.
        serial: String,
        /// Why, and what to do.
        reason: String,
    },
    /// There is no USB, or it cannot be watched; boards that are there already go on.
    Unavailable {
        /// Why, and what to do.
        reason: String,
    },
}
