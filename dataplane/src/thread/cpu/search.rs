//! Where in the search space of its work a thread is: extranonce and ntime, then versions, then nonces.
//!
//! Every second, with the job's greatest ntime, a new extranonce is taken from the slot; it gives a merkle root and as many
//! rolled versions at a time as the kernel takes. What was hashed is thus never hashed again, also not by another thread
//! that shares the slot, and ntime is never ahead (stratum-client U3, W1, W2).

use crate::{
    job::{Job, extranonce::Extranonce, header, merkle},
    thread::{
        Work,
        sha256d::{HeaderScanner, MAX_WIDTH, Midstate, Tail},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Nonces of one header.
const NONCES: u64 = 1 << 32;

/// A range of nonces to scan with what is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// The search of one thread for one job.
#[derive(Debug)]
pub(super) struct Search {
    work: Arc<Work>,
    fingerprint: u64,
    place: Option<Place>,
    /// Nonces per header, for tests that want to see the end.
    nonces: u64,
}

/// Where it is.
#[derive(Debug)]
struct Place {
    extranonce: Extranonce,
    root: [u8; 32],
    ntime: u32,
    /// First of the rolled versions at work, as a number of [`versions`].
    version: u64,
    /// How many.
    width: u64,
    /// Next nonce, up to [`NONCES`].
    nonce: u64,
}

impl Search {
    /// A search for other work. When only the target has changed the search goes on where it was.
    pub(super) fn resume(before: Option<Self>, work: Arc<Work>) -> Self {
        let same = |old: &Work| old.job.handle == work.job.handle && Arc::ptr_eq(&old.slot, &work.slot);
        match before {
            Some(before) if same(&before.work) => Self { work, ..before },
            _ => Self { fingerprint: work.job.fingerprint(), work, place: None, nonces: NONCES },
        }
    }

    pub(super) fn work(&self) -> &Arc<Work> {
        &self.work
    }

    /// The next unit, loaded into the scanner. `None` when there is nothing to hash before [`Self::retry_at`].
    pub(super) fn next(&mut self, scanner: &mut HeaderScanner, now: Instant, count: u32) -> Option<Unit> {
        let job = &self.work.job;
        if job.is_expired(now) {
            return None;
        }
        let ntime = job.max_ntime(now);
        let versions = versions(job.version_mask);
        let is_current = |place: &Place| place.ntime == ntime;
        let has_more = |place: &Place| place.nonce < self.nonces || place.version + place.width < versions;
        if !self.place.as_ref().is_some_and(|place| is_current(place) && has_more(place)) {
            match self.work.slot.next(self.fingerprint, ntime) {
                Some(extranonce) => {
                    let root = merkle::root(job, extranonce.as_bytes());
                    let place = Place { extranonce, root, ntime, version: 0, width: 0, nonce: self.nonces };
                    self.place = Some(place);
                }
                // The slot is used up, but not the place.
                None if self.place.as_ref().is_some_and(has_more) => {}
                None => return None,
            }
        }
        let place = self.place.as_mut()?;
        if place.nonce >= self.nonces {
            place.version += place.width;
            place.nonce = 0;
            place.width = load(scanner, job, place, versions);
        }
        let count = u64::from(count).min(self.nonces - place.nonce);
        let unit = Unit {
            first: u32::try_from(place.nonce).expect("below 2^32 by the lines above"),
            count: u32::try_from(count).expect("not above a u32"),
        };
        place.nonce += count;
        Some(unit)
    }

    /// What a hit of the newest unit was hashed with: extranonce, version and ntime.
    pub(super) fn found(&self, midstate: usize) -> Option<(Extranonce, u32, u32)> {
        let place = self.place.as_ref()?;
        let number = place.version + u64::try_from(midstate).ok()?;
        Some((place.extranonce, version(&self.work.job, number), place.ntime))
    }

    /// When there may be something to hash again: with the next second, if ntime still follows the clock.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        let job = &self.work.job;
        let next = job.max_ntime(now).wrapping_sub(job.min_ntime).saturating_add(1);
        let at = job.ntime_origin.checked_add(Duration::from_secs(next.into()))?;
        (job.max_ntime(at) > job.max_ntime(now) && !job.is_expired(at)).then_some(at)
    }
}

/// Loads the rolled versions at the place and says how many they are.
fn load(scanner: &mut HeaderScanner, job: &Job, place: &Place, versions: u64) -> u64 {
    let width = versions.saturating_sub(place.version).min(u64::try_from(scanner.width().min(MAX_WIDTH)).unwrap_or(1));
    let header = |number| header::with_root(job, &place.root, version(job, number), place.ntime, 0);
    let mut midstates = [Midstate::default(); MAX_WIDTH];
    let mut loaded = 0;
    for (midstate, number) in midstates.iter_mut().zip(place.version..place.version + width) {
        *midstate = Midstate::of(&header(number));
        loaded += 1;
    }
    scanner.load(Tail::of(&header(place.version)), midstates.get(..loaded).unwrap_or_default());
    width
}

/// Versions that a mask allows.
fn versions(mask: u32) -> u64 {
    1 << mask.count_ones()
}

/// The version of a number below [`versions`]: its bits take the places of the mask, whatever the job has there
/// (stratum-client J12). A mask of zero leaves the version as it is (J11).
fn version(job: &Job, number: u64) -> u32 {
    let (mut rolled, mut mask, mut number) = (0, job.version_mask, number);
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if number & 1 != 0 {
            rolled |= lowest;
        }
        number >>= 1;
        mask ^= lowest;
    }
    (job.version & !job.version_mask) | rolled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{job::tests::job, scheduler::slot::SlotSpace, thread::sha256d::Kernel};
    use mujina_core::units::ShareTarget;
    use std::collections::HashSet;

    fn search(job: Job) -> Search {
        let slot = SlotSpace::new(job.extranonce_size, [3; 32]).slot(0);
        let work = Work { generation: 1, job: Arc::new(job), slot, ticket_target: ShareTarget::MAX };
        Search { nonces: 3, ..Search::resume(None, Arc::new(work)) }
    }

    fn scanner() -> HeaderScanner {
        HeaderScanner::new(Kernel::Portable).unwrap()
    }

    #[test]
    fn whole_space_is_searched_once_and_again_with_the_next_second() {
        let job = Job { extranonce_size: 1, version_mask: 0x0000_6000, ..job() };
        let begin = job.ntime_origin;
        let (mut search, mut scanner, mut seen) = (search(job), scanner(), HashSet::new());
        for second in 0..2 {
            let now = begin + Duration::from_secs(second);
            while let Some(unit) = search.next(&mut scanner, now, 2) {
                for midstate in 0..scanner.loaded() {
                    let (extranonce, version, ntime) = search.found(midstate).unwrap();
                    assert!(search.work.job.allows_version(version));
                    assert_eq!(u64::from(ntime), u64::from(search.work.job.min_ntime) + second);
                    for nonce in unit.first..unit.first + unit.count {
                        assert!(seen.insert((extranonce, version, ntime, nonce)));
                    }
                }
            }
            assert_eq!(search.retry_at(now), Some(begin + Duration::from_secs(second + 1)));
        }
        assert_eq!(seen.len(), 2 * 16 * 4 * 3);
    }

    #[test]
    fn fixed_version_is_hashed_as_it_is() {
        let job = Job { version: 0x3fff_e001, version_mask: 0, ..job() };
        let now = job.ntime_origin;
        let mut search = search(job);
        let mut scanner = scanner();
        search.next(&mut scanner, now, 1).unwrap();
        assert_eq!((scanner.loaded(), search.found(0).unwrap().1), (1, 0x3fff_e001));
    }

    #[test]
    fn rolled_bits_replace_those_of_the_job() {
        let job = Job { version: 0x3fff_e001, version_mask: 0x1fff_e000, ..job() };
        let all: HashSet<_> = (0..versions(job.version_mask)).map(|number| version(&job, number)).collect();
        assert_eq!(all.len(), 65_536);
        assert!(all.iter().all(|version| job.allows_version(*version)));
        assert_eq!(version(&job, 0), 0x2000_0001);
    }

    // 0.2
    #[test]
    fn all_24_bits_of_bip323_are_rolled_each_value_once() {
        let job = Job { version: 0x3fff_ffff, version_mask: crate::job::BIP323_MASK, ..job() };
        assert_eq!(versions(job.version_mask), 1 << 24);
        let step = 4099;
        let some: Vec<_> = (0..1 << 24).step_by(step).map(|number| version(&job, number)).collect();
        let all: HashSet<_> = some.iter().collect();
        assert_eq!((all.len(), some.len()), (4094, 4094));
        assert!(some.iter().all(|version| job.allows_version(*version) && version & 0xe000_001f == 0x2000_001f));
        assert_eq!((version(&job, 0xff), version(&job, 0x100)), (0x2000_1fff, 0x2000_201f));
        // The scanner takes as many as the job has, and the search goes on with the next.
        let now = job.ntime_origin;
        let (mut search, mut scanner) = (search(job), scanner());
        search.next(&mut scanner, now, 3).unwrap();
        let first = search.found(0).unwrap().1;
        search.next(&mut scanner, now, 3).unwrap();
        let loaded = u32::try_from(scanner.loaded()).unwrap();
        assert_eq!(search.found(0).unwrap().1, first + 0x20 * loaded);
    }

    #[test]
    fn other_target_does_not_move_the_search() {
        let job = job();
        let now = job.ntime_origin;
        let (mut search, mut scanner) = (search(job), scanner());
        assert_eq!(search.next(&mut scanner, now, 2), Some(Unit { first: 0, count: 2 }));
        let before = search.found(0);
        let old = Arc::clone(search.work());
        let ticket_target = ShareTarget::from_expected_hashes(1e6);
        let work = Work { generation: 2, job: Arc::clone(&old.job), slot: Arc::clone(&old.slot), ticket_target };
        let mut search = Search::resume(Some(search), Arc::new(work));
        assert_eq!(search.next(&mut scanner, now, 2), Some(Unit { first: 2, count: 1 }));
        assert_eq!(search.found(0), before);
        // Other work does.
        let work = Work {
            generation: 3,
            job: Arc::new(Job { handle: crate::job::JobHandle::fresh(), ..(*old.job).clone() }),
            slot: Arc::clone(&old.slot),
            ticket_target,
        };
        let mut search = Search::resume(Some(search), Arc::new(work));
        assert_eq!(search.next(&mut scanner, now, 2), Some(Unit { first: 0, count: 2 }));
        assert_ne!(search.found(0), before);
    }

    #[test]
    fn job_whose_ntime_cannot_follow_is_not_hashed() {
        let job = job();
        let late = job.received_at + Duration::from_secs(7000);
        let mut search = search(job);
        assert_eq!(search.next(&mut scanner(), late, 2), None);
        assert_eq!(search.retry_at(late), None);
    }
}
