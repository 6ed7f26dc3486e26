//! Over folder trees that are made by hand as the kernel makes them.

use super::{
    sysfs::{Look, Ports, UsbDevice},
    *,
};
use crate::transport::device::BoardDevice;
use std::{fs, path::Path};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);

fn wanted(manufacturer: &str, product: &str) -> bool {
    (manufacturer, product) == ("OSMU", "Bitaxe")
}

/// A machine's `/sys` and `/dev`.
struct Machine(TempDir);

impl Machine {
    fn without_usb() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn new() -> Self {
        let machine = Self::without_usb();
        fs::create_dir_all(machine.devices()).unwrap();
        fs::create_dir_all(machine.0.path().join("dev")).unwrap();
        machine
    }

    fn devices(&self) -> PathBuf {
        self.0.path().join("sys/bus/usb/devices")
    }

    fn node(&self, tty: &str) -> PathBuf {
        self.0.path().join("dev").join(tty)
    }

    fn plug_strings(&self, place: &str, number: u32, manufacturer: &str, product: &str) -> PathBuf {
        let folder = self.devices().join(place);
        fs::create_dir_all(&folder).unwrap();
        put(&folder, "manufacturer", manufacturer);
        put(&folder, "product", product);
        put(&folder, "serial", "0badcafe");
        put(&folder, "bcdDevice", "0501");
        put(&folder, "devnum", &number.to_string());
        folder
    }

    /// A board whose control port is the first of these ttys.
    fn plug(&self, place: &str, number: u32, ttys: [&str; 2]) {
        let folder = self.plug_strings(place, number, "OSMU", "Bitaxe");
        for interface in 0..4 {
            // As the kernel does it, an interface is a child of its device and stands beside it in the listing.
            for parent in [&folder, &self.devices()] {
                let child = parent.join(format!("{place}:1.{interface}"));
                fs::create_dir_all(&child).unwrap();
                put(&child, "bInterfaceNumber", &format!("{interface:02x}"));
                if interface % 2 == 0 {
                    fs::create_dir_all(child.join("tty").join(ttys[interface / 2])).unwrap();
                }
            }
        }
        ttys.iter().for_each(|tty| fs::write(self.node(tty), "").unwrap());
    }

    fn unplug(&self, place: &str) {
        for entry in fs::read_dir(self.devices()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_str().unwrap().starts_with(place) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }

    fn sysfs(&self) -> Sysfs {
        Sysfs::new(self.0.path().join("sys"), self.0.path().join("dev"))
    }

    fn look(&self) -> Vec<UsbDevice> {
        match self.sysfs().look(wanted) {
            Look::Devices(devices) => devices,
            Look::Unavailable { reason } => panic!("{reason}"),
        }
    }

    fn plan(&self) -> UsbPlan {
        UsbPlan { sysfs: self.0.path().join("sys"), dev: self.0.path().join("dev"), wanted }
    }
}

fn put(folder: &Path, attribute: &str, value: &str) {
    fs::write(folder.join(attribute), format!("{value}\n")).unwrap();
}

fn arrived(events: &[DeviceEvent]) -> &BoardDevice {
    match events {
        [DeviceEvent::Arrived(device)] => device,
        others => panic!("{others:?}"),
    }
}

#[test]
fn board_is_found_with_everything_that_is_known_of_it() {
    let machine = Machine::new();
    machine.plug("1-2.3", 7, ["ttyACM0", "ttyACM1"]);
    let ports = Ports { control: machine.node("ttyACM0"), data: machine.node("ttyACM1") };
    let [device] = &machine.look()[..] else { panic!() };
    let UsbDevice { place, number, manufacturer, product, serial, release, ports: found } = device;
    assert_eq!((place.as_str(), *number, manufacturer.as_str(), product.as_str()), ("1-2.3", 7, "OSMU", "Bitaxe"));
    assert_eq!((serial.as_str(), *release, found), ("0badcafe", 0x0501, &Ok(ports)));
}

#[test]
fn ports_are_told_apart_by_interface_and_not_by_name() {
    let machine = Machine::new();
    machine.plug("1-1", 3, ["ttyACM10", "ttyACM9"]);
    let device = machine.look().remove(0);
    assert_eq!(device.ports, Ok(Ports { control: machine.node("ttyACM10"), data: machine.node("ttyACM9") }));
}

#[test]
fn devices_that_are_no_boards_are_ignored() {
    let machine = Machine::new();
    machine.plug_strings("1-1", 2, "Logitech", "Mouse");
    let root_hub = machine.devices().join("usb1");
    fs::create_dir_all(&root_hub).unwrap();
    put(&root_hub, "product", "Bitaxe");
    fs::create_dir_all(machine.devices().join("1-4")).unwrap();
    assert_eq!(machine.look(), []);
}

#[test]
fn unplugging_one_device_touches_no_other() {
    let (machine, mut watch, now) = (Machine::new(), Watch::new(), Instant::now());
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    machine.plug("1-2", 3, ["ttyACM2", "ttyACM3"]);
    machine.plug_strings("1-3", 4, "Logitech", "Mouse");
    assert_eq!(watch.step(machine.sysfs().look(wanted), now).len(), 2);
    machine.unplug("1-3");
    assert_eq!(watch.step(machine.sysfs().look(wanted), now), []);
    machine.unplug("1-1");
    assert_eq!(watch.step(machine.sysfs().look(wanted), now), [DeviceEvent::Left { place: "1-1".into() }]);
    assert_eq!(watch.step(machine.sysfs().look(wanted), now), []);
}

#[test]
fn replug_between_two_looks_with_other_names_is_a_new_arrival() {
    let (machine, mut watch, now) = (Machine::new(), Watch::new(), Instant::now());
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    arrived(&watch.step(machine.sysfs().look(wanted), now));
    machine.unplug("1-1");
    machine.plug("1-1", 9, ["ttyACM5", "ttyACM4"]);
    let events = watch.step(machine.sysfs().look(wanted), now);
    assert_eq!(events[0], DeviceEvent::Left { place: "1-1".into() });
    let device = arrived(&events[1..]);
    assert_eq!((&device.control, &device.data), (&machine.node("ttyACM5"), &machine.node("ttyACM4")));
}

#[test]
fn driver_that_gives_other_names_to_the_same_device_is_followed() {
    let (machine, mut watch, now) = (Machine::new(), Watch::new(), Instant::now());
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    arrived(&watch.step(machine.sysfs().look(wanted), now));
    machine.unplug("1-1");
    machine.plug("1-1", 2, ["ttyACM2", "ttyACM3"]);
    let events = watch.step(machine.sysfs().look(wanted), now);
    assert_eq!(events[0], DeviceEvent::Left { place: "1-1".into() });
    assert_eq!(arrived(&events[1..]).data, machine.node("ttyACM3"));
}

#[test]
fn board_waits_for_its_nodes_and_says_so_when_they_do_not_come() {
    let (machine, mut watch, start) = (Machine::new(), Watch::new(), Instant::now());
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    fs::remove_file(machine.node("ttyACM1")).unwrap();
    let mut step = |after| watch.step(machine.sysfs().look(wanted), start + Duration::from_secs(after));
    assert_eq!(step(0), []);
    assert_eq!(step(9), []);
    let events = step(10);
    let [DeviceEvent::Inaccessible { place, reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert!(place == "1-1" && reason.contains("ttyACM1") && reason.contains("not there yet"), "{reason}");
    assert_eq!(step(11), [], "it is told once");
    fs::write(machine.node("ttyACM1"), "").unwrap();
    let events = step(3600);
    assert_eq!(events[0], DeviceEvent::Left { place: "1-1".into() });
    assert_eq!(arrived(&events[1..]).place, "1-1");
}

#[test]
fn looks_are_quick_only_while_ports_are_awaited() {
    let (machine, mut watch, start) = (Machine::new(), Watch::new(), Instant::now());
    watch.step(machine.sysfs().look(wanted), start);
    assert!(!watch.awaits_ports(start));
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    fs::remove_file(machine.node("ttyACM0")).unwrap();
    watch.step(machine.sysfs().look(wanted), start);
    assert!(watch.awaits_ports(start));
    assert!(!watch.awaits_ports(start + Duration::from_secs(10)));
    fs::write(machine.node("ttyACM0"), "").unwrap();
    arrived(&watch.step(machine.sysfs().look(wanted), start));
    assert!(!watch.awaits_ports(start));
}

#[test]
fn no_usb_is_told_once_and_takes_no_board_away() {
    let (machine, mut watch, now) = (Machine::new(), Watch::new(), Instant::now());
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    arrived(&watch.step(machine.sysfs().look(wanted), now));
    let none = Machine::without_usb().sysfs();
    let events = watch.step(none.look(wanted), now);
    let [DeviceEvent::Unavailable { reason }] = &events[..] else { panic!("{events:?}") };
    assert!(reason.contains("/sys"), "{reason}");
    assert_eq!(watch.step(none.look(wanted), now), []);
    assert_eq!(watch.step(machine.sysfs().look(wanted), now), []);
}

#[tokio::test(start_paused = true)]
async fn coming_and_going_is_told_as_it_happens() {
    let machine = Machine::new();
    let (sender, mut events) = mpsc::channel(4);
    let cancel = CancellationToken::new();
    let mut looking = tokio::task::JoinSet::new();
    looking.spawn(run(machine.plan(), sender, cancel.clone()));
    machine.plug("1-1", 2, ["ttyACM0", "ttyACM1"]);
    let event = tokio::time::timeout(SOON, events.recv()).await.unwrap().unwrap();
    assert_eq!(arrived(&[event]).control, machine.node("ttyACM0"));
    machine.unplug("1-1");
    let event = tokio::time::timeout(SOON, events.recv()).await.unwrap();
    assert_eq!(event, Some(DeviceEvent::Left { place: "1-1".into() }));
    cancel.cancel();
    looking.join_next().await.unwrap().unwrap();
}
