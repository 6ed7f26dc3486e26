//! Kernels for the SHA2 instructions of AArch64: control boards and ARM servers.
//!
//! An instruction does four rounds of one hash and waits for its own result, so several hashes are interleaved: in
//! [`Rolled`] they share one message schedule and differ in their midstates, in [`Fixed`] they are consecutive nonces of one
//! midstate. A state is two vectors, ABCD and EFGH, first word in the lowest lane.
//!
//! Knows only `block` and `lanes`, so that `aarch64/check.rs` can compile it without a build of this crate for AArch64.
//! Source: Arm Architecture Reference Manual, SHA256H, SHA256H2, SHA256SU0, SHA256SU1; FIPS 180-4.

// JUSTIFICATION: the kernels are made of target-feature intrinsics; only the step from code without the features to code
// with them is unsafe.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "constant bounds into arrays of constant size, unrolled by the compiler"
)]

use super::{
    block::{DIGEST_BITS, IV, K, Midstate, PAD, Tail, round},
    lanes::Lanes,
};
use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vcombine_u32, vcreate_u32, vgetq_lane_u32, vsha256h2q_u32, vsha256hq_u32, vsha256su0q_u32,
    vsha256su1q_u32,
};

/// Hashes in flight.
const WAYS: usize = 4;
/// The same, as a distance of nonces.
const STEP: u32 = 4;

/// Whether the CPU has the instructions.
pub(super) fn is_supported() -> bool {
    std::arch::is_aarch64_feature_detected!("sha2")
}

/// The kernels for several midstates and for one. Only for CPUs that [`is_supported`] says have the instructions.
pub(super) fn kernels() -> (impl Lanes + 'static, impl Lanes + 'static) {
    assert!(is_supported(), "the scanner asks before it makes a kernel");
    (Rolled::default(), Fixed::default())
}

/// A midstate, ready for round 4.
#[derive(Debug, Clone, Copy, Default)]
struct Start {
    midstate: [u32; 8],
    /// After round 3, but for the nonce's own term in `a` and `e`.
    after_round_3: [u32; 8],
}

impl Start {
    fn of(Midstate(midstate): Midstate, tail: Tail) -> Self {
        let rounds = K.into_iter().zip(tail.chunk(0)).take(4);
        let after_round_3 = rounds.fold(midstate, |state, (k, w)| round(state, k.wrapping_add(w)));
        Self { midstate, after_round_3 }
    }
}

/// Several midstates, one nonce at a time.
#[derive(Debug, Default)]
struct Rolled {
    tail: Tail,
    starts: [Start; WAYS],
    filter: u32,
}

impl Lanes for Rolled {
    fn width(&self) -> usize {
        WAYS
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        for (place, midstate) in self.starts.iter_mut().zip(midstates) {
            *place = Start::of(*midstate, tail);
        }
        (self.tail, self.filter) = (tail, filter);
    }

    #[expect(unsafe_code, reason = "enters code compiled for the CPU's features")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        for nonce in (0..count).map(|step| first.wrapping_add(step)) {
            // SAFETY: `kernels()` makes a value of this type only when `is_supported` has found the feature.
            let last = unsafe { last_words_rolled(&self.starts, self.tail, nonce) };
            for (way, _) in last.iter().enumerate().filter(|(_, word)| **word & self.filter == 0) {
                candidate(way, nonce);
            }
        }
    }
}

/// One midstate, several consecutive nonces at a time.
#[derive(Debug, Default)]
struct Fixed {
    tail: Tail,
    start: Start,
    filter: u32,
}

impl Lanes for Fixed {
    fn width(&self) -> usize {
        1
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        if let Some(midstate) = midstates.first() {
            self.start = Start::of(*midstate, tail);
        }
        (self.tail, self.filter) = (tail, filter);
    }

    #[expect(unsafe_code, reason = "enters code compiled for the CPU's features")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        for batch in 0..count.div_ceil(STEP) {
            let begin = first.wrapping_add(batch * STEP);
            // The last batch may reach beyond the range.
            let left = count - batch * STEP;
            // SAFETY: `kernels()` makes a value of this type only when `is_supported` has found the feature.
            let last = unsafe { last_words_fixed(&self.start, self.tail, begin) };
            for (way, _) in (0..left).zip(last).filter(|(_, word)| word & self.filter == 0) {
                candidate(0, begin.wrapping_add(way));
            }
        }
    }
}

/// A state of a hash in flight: ABCD and EFGH.
type State = (uint32x4_t, uint32x4_t);

/// Last words of the double hashes of one nonce with each midstate.
#[target_feature(enable = "neon,sha2")]
fn last_words_rolled(starts: &[Start; WAYS], tail: Tail, nonce: u32) -> [u32; WAYS] {
    let mut states = starts.each_ref().map(|start| begin(start, nonce));
    for words in second_chunk(tail, nonce) {
        for state in &mut states {
            *state = four_rounds(*state, words);
        }
    }
    for way in 0..WAYS {
        states[way] = feed_forward(states[way], &starts[way]);
    }
    second_hash(states)
}

/// Last words of the double hashes of consecutive nonces.
#[target_feature(enable = "neon,sha2")]
fn last_words_fixed(start: &Start, tail: Tail, first: u32) -> [u32; WAYS] {
    let nonces = [0, 1, 2, 3].map(|way| first.wrapping_add(way));
    let schedules = nonces.map(|nonce| second_chunk(tail, nonce));
    let mut states = nonces.map(|nonce| begin(start, nonce));
    for group in 0..15 {
        for way in 0..WAYS {
            states[way] = four_rounds(states[way], schedules[way][group]);
        }
    }
    second_hash(states.map(|state| feed_forward(state, start)))
}

/// The state after round 3: the nonce is in `a` and `e`.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn begin(start: &Start, nonce: u32) -> State {
    let word = vector([nonce.swap_bytes(), 0, 0, 0]);
    let (abcd, efgh) = halves(start.after_round_3);
    (vaddq_u32(abcd, word), vaddq_u32(efgh, word))
}

#[inline]
#[target_feature(enable = "neon,sha2")]
fn feed_forward((abcd, efgh): State, start: &Start) -> State {
    let (add_abcd, add_efgh) = halves(start.midstate);
    (vaddq_u32(abcd, add_abcd), vaddq_u32(efgh, add_efgh))
}

/// Words 4 to 63 of the second chunk with their constants.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn second_chunk(tail: Tail, nonce: u32) -> [uint32x4_t; 15] {
    let chunk = tail.chunk(nonce);
    let mut w = [0, 4, 8, 12].map(|i| vector([chunk[i], chunk[i + 1], chunk[i + 2], chunk[i + 3]]));
    let mut words = [w[0]; 15];
    for group in 1..16 {
        words[group - 1] = next_words(&mut w, group);
    }
    words
}

/// Hashes digests again: the last words of the results.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn second_hash(digests: [State; WAYS]) -> [u32; WAYS] {
    let (w8, w12) = (vector([PAD, 0, 0, 0]), vector([0, 0, 0, DIGEST_BITS]));
    let mut w = digests.map(|(abcd, efgh)| [abcd, efgh, w8, w12]);
    let mut states = [halves(IV); WAYS];
    for group in 0..16 {
        for way in 0..WAYS {
            let words = next_words(&mut w[way], group);
            states[way] = four_rounds(states[way], words);
        }
    }
    states.map(|(_, efgh)| vgetq_lane_u32::<3>(efgh).wrapping_add(IV[7]))
}

/// Words of a group with their constants; from group 4 on the window is moved.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn next_words(w: &mut [uint32x4_t; 4], group: usize) -> uint32x4_t {
    let at = |i: usize| (group + i) & 3;
    if group >= 4 {
        w[at(0)] = vsha256su1q_u32(vsha256su0q_u32(w[at(0)], w[at(1)]), w[at(2)], w[at(3)]);
    }
    let k = vector([K[4 * group], K[4 * group + 1], K[4 * group + 2], K[4 * group + 3]]);
    vaddq_u32(w[at(0)], k)
}

#[inline]
#[target_feature(enable = "neon,sha2")]
fn four_rounds((abcd, efgh): State, words: uint32x4_t) -> State {
    (vsha256hq_u32(abcd, efgh, words), vsha256h2q_u32(efgh, abcd, words))
}

#[inline]
#[target_feature(enable = "neon,sha2")]
fn halves([a, b, c, d, e, f, g, h]: [u32; 8]) -> State {
    (vector([a, b, c, d]), vector([e, f, g, h]))
}

#[inline]
#[target_feature(enable = "neon,sha2")]
fn vector([a, b, c, d]: [u32; 4]) -> uint32x4_t {
    let pair = |low: u32, high: u32| vcreate_u32(u64::from(high) << 32 | u64::from(low));
    vcombine_u32(pair(a, b), pair(c, d))
}
