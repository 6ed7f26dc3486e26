//! Reads which USB devices are there, with their serial ports, from the kernel's listing.
//!
//! Source: Linux, Documentation/ABI (sysfs-bus-usb); the interfaces of a board from bitaxe-raw 1: the control port is that
//! of interface 0, the port of the chips that of interface 2. Names of ttys say nothing and sort wrongly.

use nix::unistd::{AccessFlags, access};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Interface of the control port.
const CONTROL: u8 = 0;
/// Interface of the port of the chips.
const DATA: u8 = 2;

/// One look at all devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The devices that are there and may be boards.
    Devices(Vec<UsbDevice>),
    /// There is no listing.
    Unavailable {
        /// Why, and what to do.
        reason: String,
    },
}

/// A device that may be a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// Bus and ports that lead to it, for example `1-2.3`.
    pub place: String,
    /// Counts up with every device that is plugged into the bus, so that a quick replug is seen.
    pub number: u32,
    /// Manufacturer string.
    pub manufacturer: String,
    /// Product string.
    pub product: String,
    /// Serial number.
    pub serial: String,
    /// `bcdDevice`.
    pub release: u16,
    /// Its two ports, or why they cannot be used yet.
    pub ports: Result<Ports, String>,
}

/// The ports of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Of the management controller.
    pub control: PathBuf,
    /// Of the chips.
    pub data: PathBuf,
}

/// The kernel's listing.
#[derive(Debug, Clone)]
pub struct Sysfs {
    root: PathBuf,
    dev: PathBuf,
}

impl Sysfs {
    /// The listing under this root, with device nodes in that folder.
    #[must_use]
    pub fn new(root: PathBuf, dev: PathBuf) -> Self {
        Self { root, dev }
    }

    /// Looks once. Blocks for as long as the kernel does.
    #[must_use]
    pub fn look(&self, wanted: fn(&str, &str) -> bool) -> Look {
        let folder = self.root.join("bus/usb/devices");
        match fs::read_dir(&folder) {
            Ok(entries) => {
                let mut devices: Vec<_> =
                    entries.filter_map(|entry| self.device(&entry.ok()?.path(), wanted)).collect();
                devices.sort_by(|a, b| a.place.cmp(&b.place));
                Look::Devices(devices)
            }
            Err(error) => Look::Unavailable { reason: unavailable(&folder, &error) },
        }
    }

    /// A device, unless it is an interface or a hub's root, of no interest, or going away while it is read.
    fn device(&self, folder: &Path, wanted: fn(&str, &str) -> bool) -> Option<UsbDevice> {
        let place = folder.file_name()?.to_str()?.to_owned();
        if place.contains(':') || !place.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let manufacturer = attribute(folder, "manufacturer").unwrap_or_default();
        let product = attribute(folder, "product").unwrap_or_default();
        if !wanted(&manufacturer, &product) {
            return None;
        }
        let number = attribute(folder, "devnum")?.parse().ok()?;
        let release = u16::from_str_radix(&attribute(folder, "bcdDevice").unwrap_or_default(), 16).unwrap_or(0);
        let serial = attribute(folder, "serial").unwrap_or_default();
        Some(UsbDevice { place, number, manufacturer, product, serial, release, ports: self.ports(folder) })
    }

    fn ports(&self, folder: &Path) -> Result<Ports, String> {
        Ok(Ports { control: self.port(folder, CONTROL)?, data: self.port(folder, DATA)? })
    }

    /// The node of the tty of an interface, once it can be opened. Opening it would tell the firmware that a host is
    /// there, so the system is asked instead.
    fn port(&self, folder: &Path, interface: u8) -> Result<PathBuf, String> {
        let tty = interface_folder(folder, interface).and_then(|folder| only_entry(&folder.join("tty")));
        let Some(tty) = tty else {
            return Err(format!("interface {interface} has no serial port; is the kernel module cdc_acm there?"));
        };
        let node = self.dev.join(&tty);
        match access(&node, AccessFlags::R_OK | AccessFlags::W_OK) {
            Ok(()) => Ok(node),
            Err(nix::errno::Errno::ENOENT) => Err(format!("{} is not there yet", node.display())),
            Err(errno) => Err(format!(
                "{} may not be read and written by this user ({}); see the udev rule in docs/hardware.md",
                node.display(),
                errno.desc()
            )),
        }
    }
}

fn unavailable(folder: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be read ({error}); USB needs a kernel with it, and a container that shows /sys",
        folder.display()
    )
}

/// The folder of an interface: a child of the device whose own attribute has that number.
fn interface_folder(device: &Path, interface: u8) -> Option<PathBuf> {
    fs::read_dir(device).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find(|folder| {
        let number = attribute(folder, "bInterfaceNumber").and_then(|text| u8::from_str_radix(&text, 16).ok());
        number == Some(interface)
    })
}

fn only_entry(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).min()
}

/// An attribute without the line's end; `None` when the device has no such thing or is gone.
fn attribute(folder: &Path, name: &str) -> Option<String> {
    let bytes = fs::read(folder.join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}
