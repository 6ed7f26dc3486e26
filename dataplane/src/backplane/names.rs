//! Which board a device is: by its family and serial number, or by its place where serial numbers repeat. Pure.
//!
//! Ids are the same after a replug and after a restart. Old firmware gives one serial number to many boards (boards 3.1):
//! once two of them were there at a time, those after the first go by the place where they are plugged in.

use crate::{board::task::provisional_model, transport::device::BoardDevice};
use mujina_core::id::BoardId;
use std::collections::{BTreeMap, BTreeSet};

/// The longest id.
const MOST: usize = 63;

/// Ids that were given.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// What a device with this serial number at this place was called.
    given: BTreeMap<(String, BoardId), BoardId>,
    /// Ids by serial number that more than one device would have.
    repeated: BTreeSet<BoardId>,
}

impl Names {
    /// The id of a device. `is_elsewhere`: whether a board with that id is there, at another place.
    pub(crate) fn of(&mut self, device: &BoardDevice, is_elsewhere: impl Fn(&BoardId) -> bool) -> BoardId {
        let model = provisional_model(device);
        let by_place = label(&[&model, "at", &device.place]);
        if device.serial.is_empty() {
            return by_place;
        }
        let by_serial = label(&[&model, &device.serial]);
        let key = (device.place.clone(), by_serial.clone());
        if let Some(id) = self.given.get(&key).filter(|id| !is_elsewhere(id)) {
            return id.clone();
        }
        let repeats = is_elsewhere(&by_serial) || self.repeated.contains(&by_serial);
        let id = if repeats {
            self.repeated.insert(by_serial);
            by_place
        } else {
            by_serial
        };
        self.given.insert(key, id.clone());
        id
    }
}

/// A name of these parts, whatever they hold.
fn label(parts: &[&str]) -> BoardId {
    let mut text = String::new();
    for letter in parts.join("-").chars().map(|letter| letter.to_ascii_lowercase()) {
        match letter {
            'a'..='z' | '0'..='9' => text.push(letter),
            _ if text.is_empty() || text.ends_with('-') => {}
            _ => text.push('-'),
        }
    }
    text.truncate(MOST);
    let text = text.trim_end_matches('-');
    let text = if text.is_empty() { "board" } else { text };
    text.parse().expect("only letters, digits and single dashes within it, and none at its ends")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(place: &str, serial: &str) -> BoardDevice {
        BoardDevice {
            place: place.into(),
            manufacturer: "256F".into(),
            product: "EmberOne00".into(),
            serial: serial.into(),
            release: 0,
            control: "/dev/control".into(),
            data: "/dev/data".into(),
        }
    }

    #[test]
    fn board_is_called_by_model_and_serial_wherever_it_is_plugged_in() {
        let mut names = Names::default();
        let first = names.of(&device("1-2.3", "AB:CD"), |_| false);
        assert_eq!(first.as_str(), "emberone-00-ab-cd");
        assert_eq!(names.of(&device("1-4", "AB:CD"), |_| false), first);
    }

    #[test]
    fn boards_that_share_a_serial_number_go_by_their_places_and_keep_their_names() {
        let mut names = Names::default();
        let first = names.of(&device("1-1", "0"), |_| false);
        let second = names.of(&device("1-2", "0"), |id| *id == first);
        assert_eq!(second.as_str(), "emberone-00-at-1-2");
        // Both come back, the second first.
        assert_eq!(names.of(&device("1-2", "0"), |_| false), second);
        assert_eq!(names.of(&device("1-1", "0"), |_| false), first);
    }

    #[test]
    fn any_text_makes_a_name() {
        for (parts, expected) in [
            (vec!["", "--", "é"], "board"),
            (vec!["Bitaxe", " 01 "], "bitaxe-01"),
            (vec!["-x-", &"y".repeat(80)], &*format!("x-{}", "y".repeat(61))),
        ] {
            assert_eq!(label(&parts).as_str(), expected);
        }
    }
}
