//! Which nonces and versions a chip walks, and in which order. Source: BM13xx fact sheet, sections 8, 13 and 14.
//!
//! A batch of versions is hashed over the chip's window of counters, then the next batch over the same window; after the
//! last it begins again. The counter has 25 bits and stands below the core in a nonce. A chip that hashes only a part of what
//! silicon would takes every 2^k-th counter, another residue for each batch: which ones depends on counter and batch alone,
//! so that chips whose windows overlap hash the same headers twice, and one that begins again repeats itself.

/// Bits of the counter.
const COUNTER: u32 = (1 << 25) - 1;
/// Batches without one counter that are skipped in one step.
const SKIP: u32 = 1 << 16;

/// Where a chip's counters begin and how many it tries in a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: u32,
    pub(super) length: u64,
}

/// One counter of one batch: as many hashes as there are cores and versions in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Step {
    pub(super) batch: u32,
    pub(super) counter: u32,
}

/// How far a chip is with its job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sweep {
    batch: u32,
    /// Counters of the window that are done.
    done: u64,
}

impl Sweep {
    /// The next counter to hash when every `stride`-th is, a power of two; `None` when none was found soon.
    pub(super) fn next(&mut self, window: Window, stride: u32, batches: u32) -> Option<Step> {
        let mask = stride.max(1) - 1;
        for _ in 0..SKIP {
            let residue = residue(self.batch, mask);
            let here = window.start.wrapping_add(low_bits(self.done));
            let skip = residue.wrapping_sub(here) & mask;
            let at = self.done + u64::from(skip);
            if at < window.length {
                self.done = at + 1;
                return Some(Step { batch: self.batch, counter: here.wrapping_add(skip) & COUNTER });
            }
            self.batch = (self.batch + 1) % batches.max(1);
            self.done = 0;
        }
        None
    }
}

/// Which counters of a batch are hashed: far from those of the batch before, each residue once in a round.
fn residue(batch: u32, mask: u32) -> u32 {
    batch.wrapping_mul(0x9e37_79b1) & mask
}

fn low_bits(number: u64) -> u32 {
    u32::try_from(number & u64::from(COUNTER)).unwrap_or_default()
}

/// The number of a nonce as it is read in transmission order: core, then counter.
pub(super) fn number(core: u8, counter: u32) -> u32 {
    u32::from(core) << 25 | (counter & COUNTER)
}

/// The version field of the n-th version that a mask allows, and how many there are.
pub(super) fn version_field(number: u32, mask: u16) -> u16 {
    let (mut field, mut left, mut number) = (0, mask, number);
    while left != 0 {
        let lowest = left & left.wrapping_neg();
        if number & 1 == 1 {
            field |= lowest;
        }
        number >>= 1;
        left ^= lowest;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn walk(window: Window, stride: u32, batches: u32, steps: usize) -> Vec<Step> {
        let mut sweep = Sweep::default();
        (0..steps).filter_map(|_| sweep.next(window, stride, batches)).collect()
    }

    #[test]
    fn dense_sweep_tries_each_counter_of_a_batch_in_order() {
        let steps = walk(Window { start: 7, length: 3 }, 1, 2, 7);
        let expected = [(0, 7), (0, 8), (0, 9), (1, 7), (1, 8), (1, 9), (0, 7)];
        assert_eq!(steps, expected.map(|(batch, counter)| Step { batch, counter }));
    }

    #[test]
    fn thin_sweep_takes_the_same_counters_wherever_it_begins() {
        let of =
            |start, length| walk(Window { start, length }, 1 << 12, 16, 1 << 12).into_iter().collect::<HashSet<_>>();
        let (whole, part) = (of(0, 1 << 18), of(100_000, 50_000));
        assert!(!part.is_empty() && part.is_subset(&whole));
        let inside = |step: &&Step| (100_000..150_000).contains(&step.counter);
        assert_eq!(whole.iter().filter(inside).count(), part.len());
    }

    #[test]
    fn thin_sweep_is_as_thin_as_it_should_be() {
        let length = 1 << 20;
        let mut sweep = Sweep::default();
        let window = Window { start: 0x0123_4567, length };
        let mut steps = 0_u64;
        while sweep.batch < 1000 {
            sweep.next(window, 1 << 16, 4096).unwrap();
            steps += 1;
        }
        let expected = 1000 * length / (1 << 16);
        assert!(steps.abs_diff(expected) <= 1000, "{steps} of {expected}");
    }

    #[test]
    fn window_beyond_the_counter_wraps_and_repeats() {
        let steps = walk(Window { start: COUNTER, length: (1 << 25) + 2 }, 1 << 24, 1, 3);
        assert_eq!(steps.iter().map(|step| step.counter).collect::<Vec<_>>(), [0, 1 << 24, 0]);
    }

    #[test]
    fn windows_that_follow_each_other_share_no_step_and_overlapping_ones_do() {
        let of =
            |start, length| walk(Window { start, length }, 1 << 8, 1024, 20_000).into_iter().collect::<HashSet<_>>();
        let first = of(0, 1 << 18);
        assert_eq!(first.intersection(&of(1 << 18, 1 << 18)).count(), 0);
        assert!(of(0, (1 << 18) + 5000).intersection(&of(1 << 18, 1 << 18)).count() > 0);
    }

    #[test]
    fn version_bits_take_the_places_of_the_mask() {
        assert_eq!(version_field(0x05a2, 0xffff), 0x05a2);
        assert_eq!([0, 1, 2, 3].map(|number| version_field(number, 0x0a00)), [0, 0x0200, 0x0800, 0x0a00]);
        assert_eq!(version_field(5, 0), 0);
        assert_eq!(number(48, 35).to_be_bytes(), [0x60, 0, 0, 0x23]);
    }
}
