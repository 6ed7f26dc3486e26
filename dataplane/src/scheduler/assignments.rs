//! Which part of a connection's extranonce space each thread hashes, and from which hash on it reports. Pure.

use super::slot::{Slot, SlotSpace};
use crate::{job::extranonce::MAX_EXTRANONCE, thread::ThreadIndex};
use mujina_core::units::{HashRate, ShareTarget, Work};
use std::{collections::BTreeMap, sync::Arc};

/// Nonces per second wanted of each thread, shares or not: after 25 s its rate is known to within 10 %.
const SAMPLES_PER_SECOND: f64 = 4.0;
/// Factor by which a ticket target may miss what it should be before a thread is given another for the same job.
const TOLERANCE: f64 = 2.0;

/// The slots of one connection and who has them.
#[derive(Debug)]
pub(super) struct Slots {
    space: SlotSpace,
    places: Vec<Place>,
    /// Where each owner's place is: looked up for every thread at every job and snapshot.
    owned: BTreeMap<ThreadIndex, usize>,
    /// Hashes of each slot, by its number, that were taken.
    taken: BTreeMap<u32, u64>,
}

#[derive(Debug)]
struct Place {
    owner: Option<ThreadIndex>,
    slot: Arc<Slot>,
}

impl Slots {
    /// See [`SlotSpace::new`] for both.
    pub(super) fn new(size: u8, random: [u8; MAX_EXTRANONCE]) -> Self {
        Self { space: SlotSpace::new(size, random), places: Vec::new(), owned: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// The thread's slot: the one it has, or else the first that nobody has (stratum-client W4).
    pub(super) fn claim(&mut self, thread: ThreadIndex) -> Arc<Slot> {
        if let Some(slot) = self.of(thread) {
            return Arc::clone(slot);
        }
        if let Some((at, free)) = self.places.iter_mut().enumerate().find(|(_, place)| place.owner.is_none()) {
            free.owner = Some(thread);
            self.owned.insert(thread, at);
            return Arc::clone(&free.slot);
        }
        self.owned.insert(thread, self.places.len());
        let index = u32::try_from(self.places.len()).expect("fewer threads than u32 counts");
        let slot = self.space.slot(index);
        self.places.push(Place { owner: Some(thread), slot: Arc::clone(&slot) });
        slot
    }

    /// Frees a thread's slot. The next owner goes on with its counter.
    pub(super) fn release(&mut self, thread: ThreadIndex) {
        if let Some(place) = self.owned.remove(&thread).and_then(|at| self.places.get_mut(at)) {
            place.owner = None;
        }
    }

    /// Hashes computed in all slots.
    pub(super) fn hashes(&self) -> u64 {
        self.space.hashes()
    }

    /// The thread's slot, if it has one.
    pub(super) fn of(&self, thread: ThreadIndex) -> Option<&Arc<Slot>> {
        self.places.get(*self.owned.get(&thread)?).map(|place| &place.slot)
    }

    /// Hashes that each owner computed since the last call. Of threads that share a slot, the first takes all.
    pub(super) fn take_hashes(&mut self) -> Vec<(ThreadIndex, u64)> {
        let mut fresh = Vec::new();
        for Place { owner, slot } in &self.places {
            let Some(owner) = owner else { continue };
            let taken = self.taken.entry(slot.index()).or_default();
            let hashes = slot.hashes();
            if hashes > *taken {
                fresh.push((*owner, hashes - *taken));
                *taken = hashes;
            }
        }
        fresh
    }
}

/// The greatest hash that a thread reports.
///
/// Normally the easier of the share target and of the target that gives about four nonces a second at the thread's `rate`:
/// the latter are no shares, but without them a rate could not be measured while shares are rare. When the share target is
/// so easy that all threads together (`total`) would send more than a connection may, it is made harder until they send
/// about as much as the flood cap (`flood_rate` shares a second) lets pass; what is above it all the same is suppressed and
/// counted.
pub(super) fn ticket_target(
    share_target: ShareTarget,
    rate: HashRate,
    total: HashRate,
    flood_rate: f64,
) -> ShareTarget {
    if rate.hashes_per_second() <= 0.0 {
        return share_target;
    }
    let sample = ShareTarget::from_expected_hashes(rate.hashes_per_second() / SAMPLES_PER_SECOND);
    let flood = ShareTarget::from_expected_hashes(total.hashes_per_second() / flood_rate);
    share_target.min(flood).max(sample)
}

/// Expected hashes between two shares of all threads together (`total`): those of the share target, or more when the flood
/// cap (`flood_rate` shares a second) holds shares back.
pub(super) fn share_work(share_target: ShareTarget, total: HashRate, flood_rate: f64) -> Work {
    Work::from_hashes(share_target.expected_hashes().max(total.hashes_per_second() / flood_rate))
}

/// Whether a thread should be given `wanted` although it has `given` for the same job.
pub(super) fn misses(given: ShareTarget, wanted: ShareTarget) -> bool {
    let ratio = given.expected_hashes() / wanted.expected_hashes();
    !(1.0 / TOLERANCE..=TOLERANCE).contains(&ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const FLOOD_RATE: f64 = 20.0;

    fn rate(hashes: f64) -> HashRate {
        HashRate::from_hashes_per_second(hashes)
    }

    #[test]
    fn freed_slot_goes_to_the_next_thread_with_its_counter() {
        let mut slots = Slots::new(8, [1; 32]);
        let first = slots.claim(ThreadIndex(0));
        let _second = slots.claim(ThreadIndex(1));
        let used = first.next(1, 1).unwrap();
        slots.release(ThreadIndex(0));
        let inherited = slots.claim(ThreadIndex(7));
        assert_eq!((inherited.index(), slots.of(ThreadIndex(0)).is_none()), (0, true));
        assert_ne!(inherited.next(1, 1).unwrap(), used);
        assert_eq!(slots.claim(ThreadIndex(8)).index(), 2);
    }

    #[test]
    fn hashes_are_taken_once_and_by_their_owner() {
        let mut slots = Slots::new(8, [1; 32]);
        slots.claim(ThreadIndex(3)).add_hashes(10);
        slots.claim(ThreadIndex(4)).add_hashes(5);
        assert_eq!(slots.take_hashes(), [(ThreadIndex(3), 10), (ThreadIndex(4), 5)]);
        slots.release(ThreadIndex(3));
        slots.claim(ThreadIndex(5)).add_hashes(2);
        assert_eq!(slots.take_hashes(), [(ThreadIndex(5), 2)]);
        assert!(slots.take_hashes().is_empty());
    }

    #[test]
    fn threads_without_a_known_rate_report_shares() {
        let share_target = ShareTarget::from_expected_hashes(1e9);
        assert_eq!(ticket_target(share_target, HashRate::ZERO, HashRate::ZERO, FLOOD_RATE), share_target);
    }

    proptest! {
        #[test]
        fn ticket_reports_every_share_or_as_many_as_may_be_sent(share in 1.0..1e15_f64, one in 1e3..1e13_f64, threads in 1..64_u32) {
            let (share_target, total) = (ShareTarget::from_expected_hashes(share), one * f64::from(threads));
            let total_rate = rate(total);
            let ticket = ticket_target(share_target, rate(one), total_rate, FLOOD_RATE);
            let nonces = one / ticket.expected_hashes();
            let shares = total / ticket.expected_hashes().max(share);
            prop_assert!(nonces >= SAMPLES_PER_SECOND * 0.999, "{nonces} nonces/s");
            prop_assert!(ticket >= share_target || shares > FLOOD_RATE * 0.999, "{shares} shares/s");
            prop_assert!(share_work(share_target, total_rate, FLOOD_RATE).hashes() > ticket.expected_hashes().max(share) * 0.999);
            let most = FLOOD_RATE.max(SAMPLES_PER_SECOND * f64::from(threads));
            prop_assert!(total / ticket.expected_hashes() <= most * 1.001);
        }

        #[test]
        fn no_two_threads_have_one_slot_while_slots_last(steps in proptest::collection::vec((0..16_u32, any::<bool>()), 1..100)) {
            let mut slots = Slots::new(4, [1; 32]);
            let mut members = HashSet::new();
            for (thread, joins) in steps {
                if joins {
                    slots.claim(ThreadIndex(thread));
                    members.insert(thread);
                } else {
                    slots.release(ThreadIndex(thread));
                    members.remove(&thread);
                }
                let owned: HashSet<_> = members.iter().map(|thread| slots.of(ThreadIndex(*thread)).unwrap().index()).collect();
                prop_assert_eq!(owned.len(), members.len());
            }
        }
    }
}
