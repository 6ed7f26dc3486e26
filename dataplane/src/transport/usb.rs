//! Finds boards on USB and tells when they come and go.   Called by `backplane`; needs no system library.
//!
//! The kernel's own listing (sysfs) is read once a second: twenty devices are a few dozen small reads, and a device that
//! leaves is noticed sooner by whoever has its ports open. `nusb` was left aside: it knows no tty of a device, so that
//! the same folders would be read anyway, and its watch needs a netlink socket that containers may not have.
//!
//! ```text
//! new device ─▶ are its strings a board's? ─no─▶ ignored for as long as it stays
//!                        yes
//!                         ▼
//!       ports there and accessible? ─yes─▶ Arrived ─▶ ... ─▶ gone, or another at its place ─▶ Left
//!                         no ─▶ looked at ten times a second; after 10 s Inaccessible, once, then once a second
//! ```

pub mod sysfs;
mod watch;

use super::device::DeviceEvent;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use sysfs::Sysfs;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use watch::Watch;

/// Between two looks while nothing is awaited.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks while ports of a board are awaited (bitaxe-raw 1: nodes and permissions come after the device).
const LOOK_SOON: Duration = Duration::from_millis(100);

/// What to look for, and where.
#[derive(Debug, Clone)]
pub struct UsbPlan {
    /// Root of the kernel's listing; `/sys` but in tests.
    pub sysfs: PathBuf,
    /// Folder of the device nodes; `/dev` but in tests.
    pub dev: PathBuf,
    /// Whether a device with these strings (manufacturer, product) may be a board.
    pub wanted: fn(&str, &str) -> bool,
}

impl UsbPlan {
    /// The devices of this machine.
    #[must_use]
    pub fn of_this_machine(wanted: fn(&str, &str) -> bool) -> Self {
        Self { sysfs: "/sys".into(), dev: "/dev".into(), wanted }
    }
}

/// Looks until `cancel`, or until nobody listens.
pub async fn run(plan: UsbPlan, events: mpsc::Sender<DeviceEvent>, cancel: CancellationToken) {
    let UsbPlan { sysfs, dev, wanted } = plan;
    let mut watch = Watch::new();
    let sysfs = Sysfs::new(sysfs, dev);
    loop {
        let looking = sysfs.clone();
        // On a thread that may block: the kernel gives a string only after the device's lock, which enumeration holds.
        let Ok(seen) = tokio::task::spawn_blocking(move || looking.look(wanted)).await else { return };
        for event in watch.step(seen, Instant::now()) {
            let told = tokio::select! {
                () = cancel.cancelled() => return,
                told = events.send(event) => told,
            };
            if told.is_err() {
                return;
            }
        }
        let pause = if watch.awaits_ports(Instant::now()) { LOOK_SOON } else { LOOK };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests;
