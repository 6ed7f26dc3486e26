//! Parts of a connection's extranonce space: `[filler | slot | counter]`, so that no two threads ever hash the same coinbase.
//!
//! The counter of a slot starts at random and never goes back for the life of the connection: not with a new job, not
//! with a target, not when the same content comes again under another id (stratum-client W1 to W4). A thread that leaves
//! hands its slot on, counter included.

use crate::job::extranonce::{Extranonce, MAX_EXTRANONCE};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Job contents of which a slot remembers where they began. Old ones matter only if the pool sends them again *and* the
/// counter has wrapped.
const CONTENTS: usize = 16;

/// All slots of one connection.
#[derive(Debug)]
pub struct SlotSpace {
    size: usize,
    slot_bits: u32,
    counter_bits: u32,
    filler: [u8; MAX_EXTRANONCE],
    slots: Vec<Arc<Slot>>,
}

impl SlotSpace {
    /// Lays out an extranonce of `size` bytes (1 to 32; more is cut). `random` must be new for every connection: a pool may
    /// hand out the same prefix and template again (stratum-client W3).
    #[must_use]
    pub fn new(size: u8, random: [u8; MAX_EXTRANONCE]) -> Self {
        let size = usize::from(size).clamp(1, MAX_EXTRANONCE);
        let bits = u32::try_from(size.min(8) * 8).expect("at most 64");
        let slot_bits = (bits / 2).min(8);
        Self { size, slot_bits, counter_bits: bits - slot_bits, filler: random, slots: Vec::new() }
    }

    /// The slot of a number. Threads beyond the number of slots share one: its counter serves them in turn.
    pub fn slot(&mut self, index: u32) -> Arc<Slot> {
        let index = index % (1 << self.slot_bits);
        if let Some(slot) = self.slots.iter().find(|slot| slot.index == index) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot {
            index,
            size: self.size,
            counter_bits: self.counter_bits,
            filler: self.filler,
            hashes: AtomicU64::new(0),
            state: Mutex::new(Counter { steps: 0, start: self.start(index), contents: VecDeque::new() }),
        });
        self.slots.push(Arc::clone(&slot));
        slot
    }

    /// Hashes computed in all slots.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.slots.iter().map(|slot| slot.hashes()).sum()
    }

    /// A random start that differs per slot.
    fn start(&self, index: u32) -> u64 {
        let random = self.filler.first_chunk().copied().map_or(0, u64::from_le_bytes);
        random.wrapping_add(u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// One thread's part of a connection's extranonce space.
#[derive(Debug)]
pub struct Slot {
    index: u32,
    size: usize,
    counter_bits: u32,
    filler: [u8; MAX_EXTRANONCE],
    hashes: AtomicU64,
    state: Mutex<Counter>,
}

#[derive(Debug)]
struct Counter {
    /// Extranonces given out.
    steps: u64,
    start: u64,
    contents: VecDeque<Content>,
}

/// What was hashed with the counter's values since `first_step`.
#[derive(Debug)]
struct Content {
    fingerprint: u64,
    first_step: u64,
    /// Values before `first_step` were hashed with an older ntime only.
    oldest_ntime: u32,
    newest_ntime: u32,
}

impl Slot {
    /// Number of the slot.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// An extranonce that was not hashed before with a job of this fingerprint at this ntime. `None` when the counter went
    /// round for this content and ntime has not moved on since, or is behind that of another thread: there is nothing new
    /// to hash until it does.
    pub fn next(&self, fingerprint: u64, ntime: u32) -> Option<Extranonce> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Counter { steps, start, contents } = &mut *state;
        let capacity = 1_u64.checked_shl(self.counter_bits).unwrap_or(u64::MAX);
        match contents.iter_mut().find(|content| content.fingerprint == fingerprint) {
            Some(content) if ntime < content.oldest_ntime => return None,
            Some(content) if steps.wrapping_sub(content.first_step) < capacity => {
                content.newest_ntime = content.newest_ntime.max(ntime);
            }
            Some(content) if ntime > content.newest_ntime => {
                *content = Content { first_step: *steps, oldest_ntime: ntime, newest_ntime: ntime, ..*content };
            }
            Some(_) => return None,
            None => {
                contents.truncate(CONTENTS - 1);
                let fresh = Content { fingerprint, first_step: *steps, oldest_ntime: 0, newest_ntime: ntime };
                contents.push_front(fresh);
            }
        }
        let counter = start.wrapping_add(*steps) & (capacity - 1);
        *steps += 1;
        Some(self.encode(counter))
    }

    /// Adds to the count of hashes computed in this slot.
    pub fn add_hashes(&self, hashes: u64) {
        self.hashes.fetch_add(hashes, Ordering::Relaxed);
    }

    /// Hashes computed in this slot.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// Filler first, then slot and counter as one big-endian number in the last eight bytes (or in all, when there are fewer).
    fn encode(&self, counter: u64) -> Extranonce {
        let number = (u64::from(self.index) << self.counter_bits | counter).to_be_bytes();
        let mut bytes = self.filler;
        let window = bytes.get_mut(..self.size).unwrap_or_default();
        for (place, byte) in window.iter_mut().rev().zip(number.iter().rev()) {
            *place = *byte;
        }
        Extranonce::new(window).expect("at most 32 bytes by construction")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn space(size: u8) -> SlotSpace {
        SlotSpace::new(size, [0xa5; MAX_EXTRANONCE])
    }

    #[test]
    fn smallest_space_is_searched_whole_and_once() {
        let mut space = space(1);
        let mut seen = HashSet::new();
        for index in 0..16 {
            let slot = space.slot(index);
            while let Some(extranonce) = slot.next(1, 100) {
                assert!(seen.insert(extranonce), "{extranonce:?} twice");
            }
        }
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn used_up_slot_goes_on_when_ntime_or_content_moves() {
        let slot = space(1).slot(3);
        while slot.next(1, 100).is_some() {}
        assert!(slot.next(1, 100).is_none() && slot.next(1, 99).is_none());
        assert_eq!(std::iter::from_fn(|| slot.next(1, 101)).count(), 16);
        assert_eq!(std::iter::from_fn(|| slot.next(2, 101)).count(), 16);
    }

    #[test]
    fn thread_whose_ntime_is_behind_repeats_nothing_of_the_round_before() {
        let slot = space(1).slot(3);
        let before: HashSet<_> = std::iter::from_fn(|| slot.next(1, 100)).collect();
        let ahead = slot.next(1, 101).unwrap();
        let behind = slot.next(1, 100);
        assert!(behind.is_none_or(|extranonce| !before.contains(&extranonce)), "{behind:?} at ntime 100 twice");
        assert!(slot.next(1, 101).is_some_and(|next| next != ahead));
    }

    #[test]
    fn content_that_comes_back_does_not_restart_the_counter() {
        let slot = space(4).slot(0);
        let first = slot.next(1, 100).unwrap();
        assert!((0..1000).all(|i| slot.next(i % 2 + 1, 100) != Some(first)));
    }

    #[test]
    fn late_thread_with_the_slot_of_another_inherits_its_counter() {
        let mut space = space(2);
        let first = space.slot(5).next(1, 1).unwrap();
        assert_ne!(space.slot(5).next(1, 1).unwrap(), first);
        space.slot(5).add_hashes(7);
        assert_eq!(space.hashes(), 7);
    }

    proptest! {
        #[test]
        fn extranonces_have_the_granted_length_and_never_meet(size in 1..=32_u8, random: [u8; 32], a in 0..16_u32, b in 0..16_u32) {
            let mut space = SlotSpace::new(size, random);
            let (left, right) = (space.slot(a), space.slot(b));
            let all: Vec<_> = (0..8).flat_map(|_| [left.next(9, 1), right.next(9, 1)]).flatten().collect();
            prop_assert!(all.iter().all(|extranonce| extranonce.as_bytes().len() == usize::from(size)));
            prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        }
    }
}
