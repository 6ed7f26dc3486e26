//! Which work a chip means when it names a job id.
//!
//! Ids are few and come round while answers to old jobs still wait in buffers. So every slot keeps what it held before: a
//! nonce that does not fit the newest work of its id is tried against the others before anybody calls it an error
//! (stratum-client 4.2, 4.5).

use super::{Model, model::JobIds};
use std::time::Duration;

/// Id of a job, as the byte of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u8);

/// Works that a slot remembers: the newest and two before it.
pub const OCCUPANTS: usize = 3;
/// Ids are multiples of four.
const SLOTS: usize = 64;

/// Works by job id.
#[derive(Debug)]
pub struct Slots<T> {
    ids: JobIds,
    newest: JobId,
    slots: [[Option<T>; OCCUPANTS]; SLOTS],
}

impl<T> Slots<T> {
    /// No work yet.
    #[must_use]
    pub fn new(model: Model) -> Self {
        let ids = model.constants().job_ids;
        Self { ids, newest: JobId(0), slots: std::array::from_fn(|_| std::array::from_fn(|_| None)) }
    }

    /// The id that the next work will have.
    #[must_use]
    pub fn next_id(&self) -> JobId {
        let next = (u16::from(self.newest.0) + u16::from(self.ids.step)) % self.ids.modulus.max(1);
        JobId(u8::try_from(next).unwrap_or(0))
    }

    /// Remembers the work that is sent under [`Self::next_id`], and says that id.
    pub fn put(&mut self, work: T) -> JobId {
        self.newest = self.next_id();
        if let Some(slot) = self.slots.get_mut(index(self.newest)) {
            slot.rotate_right(1);
            let [newest, ..] = slot;
            *newest = Some(work);
        }
        self.newest
    }

    /// What was sent under an id, the newest first; nothing for an id that no work was given.
    pub fn get(&self, id: JobId) -> impl Iterator<Item = &T> {
        // The two lowest bits name no job.
        let slot = self.slots.get(index(id)).filter(|_| id.0.is_multiple_of(4));
        slot.into_iter().flatten().flatten()
    }

    /// Forgets everything: the chips were reset.
    pub fn clear(&mut self) {
        *self =
            Self { ids: self.ids, newest: self.newest, slots: std::array::from_fn(|_| std::array::from_fn(|_| None)) };
    }
}

fn index(id: JobId) -> usize {
    usize::from(id.0 >> 2)
}

/// Least time between two works, so that an id comes round no sooner than twice the longest time that an answer is on its
/// way.
#[must_use]
pub fn least_renewal(model: Model, longest_way: Duration) -> Duration {
    longest_way * 2 / u32::from(model.constants().job_ids.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_steps_of_known_drivers() {
        let ids = |model| {
            let mut slots = Slots::new(model);
            (0..8).map(|turn| slots.put(turn).0).collect::<Vec<_>>()
        };
        // ESP-Miner: 24 apart modulo 128.
        assert_eq!(ids(Model::Bm1370), [24, 48, 72, 96, 120, 16, 40, 64]);
        assert_eq!(ids(Model::Bm1366), [8, 16, 24, 32, 40, 48, 56, 64]);
        assert_eq!(ids(Model::Bm1397), [4, 8, 12, 16, 20, 24, 28, 32]);
        // Stock firmware of the S19j Pro uses ids up to 0xf8.
        assert_eq!(ids(Model::Bm1362), [8, 16, 24, 32, 40, 48, 56, 64]);
    }

    #[test]
    fn ids_keep_the_bits_that_chips_need_clear() {
        for (model, clear) in [
            (Model::Bm1370, 0x87),
            (Model::Bm1368, 0x87),
            (Model::Bm1366, 0x87),
            (Model::Bm1362, 0x07),
            (Model::Bm1397, 0x83),
        ] {
            let mut slots = Slots::new(model);
            assert!((0..100).all(|turn| slots.put(turn).0 & clear == 0), "{model}");
        }
    }

    #[test]
    fn slot_remembers_its_previous_occupants_newest_first() {
        let mut slots = Slots::new(Model::Bm1370);
        for turn in 0..16 * 4 {
            slots.put(turn);
        }
        let id = slots.next_id();
        assert_eq!(slots.get(id).copied().collect::<Vec<_>>(), [48, 32, 16]);
        slots.put(64);
        assert_eq!(slots.get(id).copied().collect::<Vec<_>>(), [64, 48, 32]);
        assert_eq!(slots.get(JobId(id.0 | 1)).count(), 0);
        slots.clear();
        assert_eq!(slots.get(id).count(), 0);
        assert_ne!(slots.next_id(), id, "what is still on its way finds nothing that looks like its work");
    }

    #[test]
    fn id_that_was_never_given_has_no_work() {
        let mut slots = Slots::new(Model::Bm1370);
        slots.put(1);
        assert_eq!(slots.get(JobId(32)).count(), 0);
        assert_eq!(slots.get(JobId(0xf8)).count(), 0);
    }

    #[test]
    fn renewal_leaves_late_answers_their_slot() {
        assert_eq!(least_renewal(Model::Bm1370, Duration::from_millis(160)), Duration::from_millis(20));
        assert_eq!(least_renewal(Model::Bm1362, Duration::from_millis(160)), Duration::from_millis(10));
    }
}
