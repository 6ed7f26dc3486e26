//! Kernels for the SHA extensions of x86-64 in assembly: the same hashing as in `shani`, with a plan for every register.
//!
//! The loops are written by `assembly/generate.rs`, which says how they work; tests hold the checked-in text to it. What they
//! read and write is one [`Context`] each.

// JUSTIFICATION: compilers spill the states of the hashes in flight, at the price of a quarter of the hash rate.

#[cfg(test)]
mod generate;
mod loops;
#[cfg(test)]
mod tests;

use super::{
    block::{DIGEST_BITS, IV, K, Midstate, PAD, Tail, small_sigma0},
    lanes::Lanes,
    prepare::{Quad, Schedule, Start, constants, group_sum, halves, words_16_to_63},
};
use std::fmt;

/// Midstates of the rolled kernels.
const ROLLED: usize = 6;
/// Hashes that the pipelined kernels have in flight.
const HASHES: usize = 6;
/// Nonces that the fixed kernel with schedules in registers has in flight.
const FIXED: u32 = 4;
/// Nonces in a batch of the fixed kernel with schedules in memory.
const BATCH: u32 = 3;
/// Nonces that a pipelined loop is asked for at once: far fewer than there are, so that no leftover looks like a result.
const MOST_AT_ONCE: u32 = 1 << 30;
/// Candidates that the pipelined kernels note before they return.
const CAPACITY: usize = 64;
/// Beyond so many candidates there may not be room for those of one more nonce.
const ROOM: usize = CAPACITY - 2;

/// Whether the CPU has what the loops with schedules in memory need.
pub(super) fn is_supported() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("sha") && has!("avx") && has!("bmi2")
}

/// Whether the CPU has what the loops with schedules in high registers need.
pub(super) fn is_supported_with_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    is_supported() && has!("avx512f") && has!("avx512bw") && has!("avx512vl")
}

/// The kernels for several midstates and for one. Only for CPUs that [`is_supported`] says have the instructions.
pub(super) fn memory() -> (impl Lanes + 'static, impl Lanes + 'static) {
    assert!(is_supported(), "the scanner asks before it makes a kernel");
    (Pipelined::of_midstates(loops::rolled_memory), Pipelined::of_nonces(loops::fixed_memory))
}

/// The same for CPUs that [`is_supported_with_avx512`].
pub(super) fn registers() -> (impl Lanes + 'static, impl Lanes + 'static) {
    assert!(is_supported_with_avx512(), "the scanner asks before it makes a kernel");
    (Pipelined::of_midstates(loops::rolled_registers), Fixed { context: Context::boxed(), run: loops::fixed_registers })
}

/// What a loop works on. The offsets of its fields are in the loops.
#[repr(C, align(64))]
struct Context {
    /// Midstates; the fixed kernel takes the first.
    starts: [[Quad; 4]; ROLLED],
    /// Words 4 to 15 of the second chunk with their constants.
    kw: [Quad; 3],
    w16: Quad,
    x20: Quad,
    m24: Quad,
    m28: Quad,
    k: [Quad; 16],
    iv_abef: Quad,
    iv_cdgh: Quad,
    /// Words 8 to 11, and 12 to 15, of the second hash with their constants.
    k8: Quad,
    k12: Quad,
    /// The same without.
    w8: Quad,
    w12: Quad,
    iv7: Quad,
    filter: Quad,
    /// Nonces as message words, with what they add to the schedule.
    words: [Quad; FIXED as usize],
    /// What they add to words 16 to 19, for the loop that adds all four.
    sigmas: [Quad; BATCH as usize],
    word: Quad,
    spill: [Quad; 8],
    /// Words 4 to 63 of this nonce and the next, with their constants.
    schedules: [[Quad; 15]; 2],
    /// Schedules of the hashes in flight, by group: words, their `msg1`, and words with their constants.
    w: [[Quad; 16]; HASHES],
    early: [[Quad; 16]; HASHES],
    kw_of: [[Quad; 16]; HASHES],
    /// Nonces with candidates, and which midstates they are of.
    found: [(u32, u32); CAPACITY],
    found_len: u32,
    stop: u32,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Context {
    fn boxed() -> Box<Self> {
        let (iv_abef, iv_cdgh) = halves(IV);
        let (w8, w12) = ([PAD, 0, 0, 0], [0, 0, 0, DIGEST_BITS]);
        Box::new(Self {
            starts: [[[0; 4]; 4]; ROLLED],
            kw: [[0; 4]; 3],
            w16: [0; 4],
            x20: [0; 4],
            m24: [0; 4],
            m28: [0; 4],
            k: std::array::from_fn(constants),
            iv_abef,
            iv_cdgh,
            k8: group_sum(constants(2), w8),
            k12: group_sum(constants(3), w12),
            w8,
            w12,
            iv7: [IV[7]; 4],
            filter: [0; 4],
            words: [[0; 4]; FIXED as usize],
            sigmas: [[0; 4]; BATCH as usize],
            word: [0; 4],
            spill: [[0; 4]; 8],
            schedules: [[[0; 4]; 15]; 2],
            w: [[[0; 4]; 16]; HASHES],
            early: [[[0; 4]; 16]; HASHES],
            kw_of: [[[0; 4]; 16]; HASHES],
            found: [(0, 0); CAPACITY],
            found_len: 0,
            stop: 0,
        })
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        let Schedule { kw, w16, x20, m24, m28 } = Schedule::of(tail);
        (self.kw, self.w16, self.x20, self.m24, self.m28) = (kw, w16, x20, m24, m28);
        for (place, midstate) in self.starts.iter_mut().zip(midstates) {
            let Start { abef, cdgh, midstate_abef, midstate_cdgh } = Start::of(*midstate, tail);
            *place = [abef, cdgh, midstate_abef, midstate_cdgh];
        }
        for schedule in &mut self.schedules {
            for (place, quad) in schedule.iter_mut().zip(kw) {
                *place = quad;
            }
        }
        self.filter = [filter; 4];
    }

    /// Puts the schedule of the first nonce, and the words of the first batch, where the loops look for them.
    fn prime(&mut self, tail: Tail, nonce: u32) {
        let words = words_16_to_63(tail, nonce);
        let [schedule, _] = &mut self.schedules;
        let quads = schedule.iter_mut().flatten().skip(12);
        for (place, (word, k)) in quads.zip(words.into_iter().zip(K.into_iter().skip(16))) {
            *place = word.wrapping_add(k);
        }
        let mut nonce = nonce;
        for (words, sigmas) in self.words.iter_mut().zip(&mut self.sigmas) {
            let word = nonce.swap_bytes();
            *words = [0, word, 0, word];
            *sigmas = [0, 0, small_sigma0(word), word];
            nonce = nonce.wrapping_add(1);
        }
    }
}

/// A loop over `count` nonces (or batches) from `first`; it touches the context and nothing else.
type Loop = unsafe extern "sysv64" fn(context: &mut Context, first: u32, count: u64) -> u32;

/// One nonce with six midstates, or a batch of nonces with one.
#[derive(Debug)]
struct Pipelined {
    context: Box<Context>,
    tail: Tail,
    midstates: usize,
    /// Nonces of an iteration.
    batch: u32,
    run: Loop,
}

impl Pipelined {
    fn of_midstates(run: Loop) -> Self {
        Self { context: Context::boxed(), tail: Tail::default(), midstates: ROLLED, batch: 1, run }
    }

    fn of_nonces(run: Loop) -> Self {
        Self { context: Context::boxed(), tail: Tail::default(), midstates: 1, batch: BATCH, run }
    }
}

impl Lanes for Pipelined {
    fn width(&self) -> usize {
        self.midstates
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        self.tail = tail;
        self.context.load(tail, midstates, filter);
    }

    #[expect(unsafe_code, reason = "calls assembly")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        let (mut nonce, mut left) = (first, count);
        while left > 0 {
            let piece = left.min(MOST_AT_ONCE);
            self.context.prime(self.tail, nonce);
            // SAFETY: the constructors' callers have seen that the CPU has the loop's instructions. The loop keeps to the
            // fields of the context, whose offsets the compiler puts into it; what it finds is bounded by `ROOM`.
            unsafe { (self.run)(&mut self.context, nonce, u64::from(piece.div_ceil(self.batch)) + 1) };
            let Context { found, found_len, stop, .. } = &*self.context;
            // The last batch is not complete. Results for others than those asked for are of leftovers in registers.
            let done = stop.wrapping_sub(nonce);
            let found = found.iter().take(usize::try_from(*found_len).unwrap_or(usize::MAX));
            for (at, ways) in found.filter(|(at, _)| at.wrapping_sub(nonce) < done) {
                for way in (0_u32..).take(ROLLED).filter(|way| ways >> way & 1 != 0) {
                    if self.batch == 1 {
                        candidate(usize::try_from(way).unwrap_or_default(), *at);
                    } else if at.wrapping_sub(nonce) + way < left {
                        // The last batch may reach beyond the range.
                        candidate(0, at.wrapping_add(way));
                    }
                }
            }
            left = left.saturating_sub(done);
            nonce = *stop;
        }
    }
}

/// One midstate, consecutive nonces at a time.
#[derive(Debug)]
struct Fixed {
    context: Box<Context>,
    run: Loop,
}

impl Lanes for Fixed {
    fn width(&self) -> usize {
        1
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        self.context.load(tail, midstates, filter);
    }

    #[expect(unsafe_code, reason = "calls assembly")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        let (mut nonce, mut left) = (first, count);
        while left > 0 {
            let batches = u64::from(left.div_ceil(FIXED));
            // SAFETY: as for the rolled loops; this one notes nothing but where it stopped.
            let ways = unsafe { (self.run)(&mut self.context, nonce, batches) };
            let done = self.context.stop.wrapping_sub(nonce);
            // The last batch may reach beyond the range.
            for way in (0..FIXED).filter(|way| ways >> way & 1 != 0 && done + way < left) {
                candidate(0, self.context.stop.wrapping_add(way));
            }
            left = left.saturating_sub(done.saturating_add(FIXED));
            nonce = self.context.stop.wrapping_add(FIXED);
        }
    }
}
