//! Makes the waves of a rollout: canaries first, every target in exactly one. Pure.

use super::{Order, Strategy};
use mujina_core::id::MinerName;
use std::collections::BTreeMap;

/// Labels of the targets by name; each target is there once.
pub type Targets = BTreeMap<MinerName, BTreeMap<String, String>>;

/// The waves in order, none of them empty; no wave for no target. The same input gives the same waves, and adding a target
/// does not change the order of the others.
#[must_use]
pub fn plan(targets: &Targets, strategy: &Strategy) -> Vec<Vec<MinerName>> {
    let mut rest: std::collections::VecDeque<_> = ordered(targets, strategy).into();
    let mut sizes = strategy.waves.iter();
    let mut size = 1;
    let mut waves = Vec::new();
    while !rest.is_empty() {
        if let Some(next) = sizes.next() {
            size = next.of(targets.len()).max(1);
        }
        waves.push(rest.drain(..size.min(rest.len())).collect());
    }
    waves
}

fn ordered(targets: &Targets, strategy: &Strategy) -> Vec<MinerName> {
    let place = |name: &MinerName, labels: &BTreeMap<String, String>| {
        let is_late = strategy.canary.as_ref().is_some_and(|canary| !canary.matches(labels));
        let (missing, value, random) = match &strategy.order {
            Order::Name => (false, String::new(), 0),
            Order::Random(seed) => (false, String::new(), scatter(*seed, name.as_str())),
            Order::Label(key) => (!labels.contains_key(key), labels.get(key).cloned().unwrap_or_default(), 0),
        };
        (is_late, missing, value, random)
    };
    let mut all: Vec<_> = targets.iter().map(|(name, labels)| (place(name, labels), name.clone())).collect();
    all.sort();
    all.into_iter().map(|(_, name)| name).collect()
}

/// A number that depends on every bit of both, the same in every version: FNV-1a, then the finish of SplitMix64.
fn scatter(seed: u64, name: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in seed.to_le_bytes().iter().chain(name.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests;
