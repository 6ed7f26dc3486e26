//! What changed between two looks at the devices.

use super::sysfs::{Look, Ports, UsbDevice};
use crate::transport::device::{BoardDevice, DeviceEvent};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long ports are awaited before somebody is told: twice what a slow udev needs, and some.
const PORTS_AWAITED: Duration = Duration::from_secs(10);

/// What was told of the devices that are there.
#[derive(Debug)]
pub(super) struct Watch {
    known: BTreeMap<String, Known>,
    unavailable: bool,
}

/// A device that is there.
#[derive(Debug)]
struct Known {
    number: u32,
    since: Instant,
    told: Told,
}

/// What was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Nothing,
    Inaccessible,
    Arrived(Ports),
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { known: BTreeMap::new(), unavailable: false }
    }

    /// Takes a look and tells what changed.
    pub(super) fn step(&mut self, look: Look, now: Instant) -> Vec<DeviceEvent> {
        match look {
            // Boards that are there go on: their own ports tell when they are gone.
            Look::Unavailable { .. } if self.unavailable => Vec::new(),
            Look::Unavailable { reason } => {
                self.unavailable = true;
                vec![DeviceEvent::Unavailable { reason }]
            }
            Look::Devices(devices) => {
                self.unavailable = false;
                let mut events = self.departures(&devices);
                events.extend(devices.into_iter().flat_map(|device| self.arrival(device, now)));
                events
            }
        }
    }

    /// Whether a board's ports may appear at any moment.
    pub(super) fn awaits_ports(&self, now: Instant) -> bool {
        self.known.values().any(|known| known.told == Told::Nothing && now < known.since + PORTS_AWAITED)
    }

    /// Devices that are gone, or whose place another has taken.
    fn departures(&mut self, devices: &[UsbDevice]) -> Vec<DeviceEvent> {
        let stays = |place: &String, known: &Known| {
            devices.iter().any(|device| device.place == *place && device.number == known.number)
        };
        let gone: Vec<_> =
            self.known.iter().filter(|(place, known)| !stays(place, known)).map(|(place, _)| place.clone()).collect();
        let left = gone.into_iter().filter_map(|place| {
            let told = self.known.remove(&place)?.told;
            (told != Told::Nothing).then_some(DeviceEvent::Left { place })
        });
        left.collect()
    }

    /// A new device, one whose ports can be used at last, or one whose ports are others than they were.
    fn arrival(&mut self, device: UsbDevice, now: Instant) -> Vec<DeviceEvent> {
        let UsbDevice { place, number, manufacturer, product, serial, release, ports } = device;
        let known = self.known.entry(place.clone()).or_insert(Known { number, since: now, told: Told::Nothing });
        let mut events = Vec::new();
        match (&known.told, ports) {
            // Whoever has them open sees for himself when they are gone.
            (Told::Arrived(_) | Told::Inaccessible, Err(_)) => {}
            (Told::Arrived(told), Ok(ports)) if *told == ports => {}
            (told, Ok(ports)) => {
                if *told != Told::Nothing {
                    events.push(DeviceEvent::Left { place: place.clone() });
                }
                known.told = Told::Arrived(ports.clone());
                let Ports { control, data } = ports;
                let device = BoardDevice { place, manufacturer, product, serial, release, control, data };
                events.push(DeviceEvent::Arrived(device));
            }
            (Told::Nothing, Err(reason)) if now >= known.since + PORTS_AWAITED => {
                known.told = Told::Inaccessible;
                events.push(DeviceEvent::Inaccessible { place, product, serial, reason });
            }
            (Told::Nothing, Err(_)) => {}
        }
        events
    }
}
