//! What a miner is called in its fleet when nobody says.

use crate::identity::machine_name;
use mujina_core::id::MinerName;

/// Longest name of a miner.
const LONGEST: usize = 63;

/// The configured name, else the host's, made fit; `None` when nothing of either can be used.
#[must_use]
pub fn default_name(configured: Option<&str>) -> Option<MinerName> {
    configured.and_then(fit).or_else(|| machine_name().as_deref().and_then(fit))
}

/// Makes a name of a text: small letters and digits stay, whatever is between them becomes one '-'.
#[must_use]
pub fn fit(text: &str) -> Option<MinerName> {
    let mut name = String::new();
    for character in text.chars().map(|character| character.to_ascii_lowercase()) {
        match character {
            'a'..='z' | '0'..='9' => name.push(character),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(LONGEST);
    name.trim_end_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_people_become_names_of_a_fleet() {
        for (text, name) in [
            ("rig1", "rig1"),
            ("Garage Rig", "garage-rig"),
            ("  cellar / left! ", "cellar-left"),
            ("über.rig_2", "ber-rig-2"),
            ("a--b", "a-b"),
        ] {
            assert_eq!(fit(text).unwrap().as_str(), name);
        }
        assert_eq!(fit(&"x".repeat(200)).unwrap().as_str().len(), 63);
        assert_eq!(fit(&format!("{}- b", "x".repeat(62))).unwrap().as_str(), "x".repeat(62));
        assert!(["", "---", "鉱山"].iter().all(|text| fit(text).is_none()));
    }

    #[test]
    fn configured_name_goes_before_that_of_the_machine() {
        assert_eq!(default_name(Some("Rig 7")).unwrap().as_str(), "rig-7");
    }
}
