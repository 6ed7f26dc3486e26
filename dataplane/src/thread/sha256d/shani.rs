//! Kernels for the SHA extensions of x86-64.
//!
//! `sha256rnds2` does two rounds of one hash and waits four cycles for its own result, so several hashes are interleaved:
//! in [`Rolled`] they share one message schedule and differ in their midstates, in [`Fixed`] they are consecutive nonces of
//! one midstate. The instructions hold a state as two vectors, ABEF and CDGH, lowest word last.
//! Source: Intel's "SHA Extensions" white paper for the meaning of the instructions; FIPS 180-4.

// JUSTIFICATION: the kernels are made of target-feature intrinsics; only the step from code without the features to code
// with them is unsafe.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "constant bounds into arrays of constant size, unrolled by the compiler"
)]

use super::{
    block::{DIGEST_BITS, IV, Midstate, PAD, Tail, small_sigma0},
    lanes::Lanes,
    prepare::{Quad, Schedule, Start, constants, group_sum, halves},
};
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_and_si128, _mm_castps_si128, _mm_castsi128_ps, _mm_cmpeq_epi32,
    _mm_cvtsi128_si32, _mm_or_si128, _mm_set_epi32, _mm_set1_epi32, _mm_setzero_si128, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_shuffle_ps,
};

/// Hashes in flight: 4 × 2 registers of state, and the schedule beside them.
const WAYS: usize = 4;
/// The same, as a distance of nonces.
const STEP: u32 = 4;

/// Whether the CPU has all that the kernels use.
pub(super) fn is_supported() -> bool {
    std::arch::is_x86_feature_detected!("sha") && std::arch::is_x86_feature_detected!("avx")
}

/// The kernel for several midstates. Only for CPUs that [`is_supported`] says have the instructions.
pub(super) fn rolled() -> impl Lanes {
    assert!(is_supported(), "the scanner asks before it makes a kernel");
    Rolled { tail: Schedule::default(), midstates: [Start::default(); WAYS], filter: 0 }
}

/// The kernel for one midstate. Only for CPUs that [`is_supported`] says have the instructions.
pub(super) fn fixed() -> impl Lanes {
    assert!(is_supported(), "the scanner asks before it makes a kernel");
    Fixed { tail: Schedule::default(), midstate: Start::default(), filter: 0 }
}

/// Several midstates, one nonce at a time.
#[derive(Debug)]
struct Rolled {
    tail: Schedule,
    midstates: [Start; WAYS],
    filter: u32,
}

impl Lanes for Rolled {
    fn width(&self) -> usize {
        WAYS
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        self.tail = Schedule::of(tail);
        for (place, midstate) in self.midstates.iter_mut().zip(midstates) {
            *place = Start::of(*midstate, tail);
        }
        self.filter = filter;
    }

    #[expect(unsafe_code, reason = "enters code compiled for the CPU's features")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        let (mut nonce, mut left) = (first, count);
        while left > 0 {
            // SAFETY: `rolled()` makes a value of this type only when `is_supported` has found the features.
            let found = unsafe { scan_rolled(&self.tail, &self.midstates, self.filter, nonce, left) };
            let last = found.first.wrapping_add(1);
            for way in (0..WAYS).filter(|way| found.ways >> way & 1 != 0) {
                candidate(way, found.first);
            }
            left = left.saturating_sub(last.wrapping_sub(nonce));
            nonce = last;
        }
    }
}

/// One midstate, several consecutive nonces at a time.
#[derive(Debug)]
struct Fixed {
    tail: Schedule,
    midstate: Start,
    filter: u32,
}

impl Lanes for Fixed {
    fn width(&self) -> usize {
        1
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        self.tail = Schedule::of(tail);
        if let Some(midstate) = midstates.first() {
            self.midstate = Start::of(*midstate, tail);
        }
        self.filter = filter;
    }

    #[expect(unsafe_code, reason = "enters code compiled for the CPU's features")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        let (mut nonce, mut left) = (first, count);
        while left > 0 {
            // SAFETY: `fixed()` makes a value of this type only when `is_supported` has found the features.
            let found = unsafe { scan_fixed(&self.tail, &self.midstate, self.filter, nonce, left) };
            let done = found.first.wrapping_sub(nonce);
            for way in (0_u32..).take(WAYS).filter(|way| found.ways >> way & 1 != 0) {
                // The last batch may reach beyond the range.
                if done + way < left {
                    candidate(0, found.first.wrapping_add(way));
                }
            }
            let step = done.saturating_add(STEP);
            left = left.saturating_sub(step);
            nonce = nonce.wrapping_add(step);
        }
    }
}

/// Where a scan stopped: at the first batch with a candidate, or at the last one.
struct Stop {
    /// First nonce of the batch.
    first: u32,
    /// Hashes of the batch that are candidates, one bit each.
    ways: u32,
}

/// States of the hashes in flight: ABEF and CDGH.
type States<const N: usize> = ([__m128i; N], [__m128i; N]);

#[target_feature(enable = "sha,avx")]
fn scan_rolled(tail: &Schedule, starts: &[Start; WAYS], filter: u32, first: u32, count: u32) -> Stop {
    let kw = tail.kw.map(|quad| vector(quad));
    let mut nonce = first;
    let last = first.wrapping_add(count - 1);
    loop {
        let word = nonce.swap_bytes();
        let schedule = shared_schedule(tail, word);
        let add = vector([0, word, 0, word]);
        let mut states: States<WAYS> =
            (starts.map(|start| _mm_add_epi32(vector(start.abef), add)), starts.map(|start| vector(start.cdgh)));
        for group in kw.into_iter().chain(schedule) {
            four_shared(&mut states, group);
        }
        for way in 0..WAYS {
            states.0[way] = _mm_add_epi32(states.0[way], vector(starts[way].midstate_abef));
            states.1[way] = _mm_add_epi32(states.1[way], vector(starts[way].midstate_cdgh));
        }
        let ways = candidates(second_hash(states), filter);
        if ways != 0 || nonce == last {
            return Stop { first: nonce, ways };
        }
        nonce = nonce.wrapping_add(1);
    }
}

#[target_feature(enable = "sha,avx")]
fn scan_fixed(tail: &Schedule, start: &Start, filter: u32, first: u32, count: u32) -> Stop {
    let kw = tail.kw.map(|quad| vector(quad));
    let mut nonce = first;
    let mut batches = count.div_ceil(STEP);
    loop {
        let mut states: States<WAYS> = ([_mm_setzero_si128(); WAYS], [vector(start.cdgh); WAYS]);
        let mut w = [[_mm_setzero_si128(); WAYS]; 4];
        let mut lane_nonce = nonce;
        for way in 0..WAYS {
            let word = lane_nonce.swap_bytes();
            states.0[way] = _mm_add_epi32(vector(start.abef), vector([0, word, 0, word]));
            w[0][way] = _mm_add_epi32(vector(tail.w16), vector([0, 0, small_sigma0(word), word]));
            lane_nonce = lane_nonce.wrapping_add(1);
        }
        for group in kw {
            four_shared(&mut states, group);
        }
        four::<WAYS, 4>(&mut states, &w[0]);
        for way in 0..WAYS {
            w[1][way] = _mm_sha256msg2_epu32(vector(tail.x20), w[0][way]);
        }
        four::<WAYS, 5>(&mut states, &w[1]);
        for way in 0..WAYS {
            let x = _mm_add_epi32(vector(tail.m24), _mm_alignr_epi8::<4>(w[1][way], w[0][way]));
            w[2][way] = _mm_sha256msg2_epu32(x, w[1][way]);
        }
        four::<WAYS, 6>(&mut states, &w[2]);
        for way in 0..WAYS {
            let x = _mm_add_epi32(vector(tail.m28), _mm_alignr_epi8::<4>(w[2][way], w[1][way]));
            w[3][way] = _mm_sha256msg2_epu32(x, w[2][way]);
        }
        four::<WAYS, 7>(&mut states, &w[3]);
        group::<WAYS, 8>(&mut states, &mut w);
        group::<WAYS, 9>(&mut states, &mut w);
        group::<WAYS, 10>(&mut states, &mut w);
        group::<WAYS, 11>(&mut states, &mut w);
        group::<WAYS, 12>(&mut states, &mut w);
        group::<WAYS, 13>(&mut states, &mut w);
        group::<WAYS, 14>(&mut states, &mut w);
        group::<WAYS, 15>(&mut states, &mut w);
        for way in 0..WAYS {
            states.0[way] = _mm_add_epi32(states.0[way], vector(start.midstate_abef));
            states.1[way] = _mm_add_epi32(states.1[way], vector(start.midstate_cdgh));
        }
        let ways = candidates(second_hash(states), filter);
        batches -= 1;
        if ways != 0 || batches == 0 {
            return Stop { first: nonce, ways };
        }
        nonce = nonce.wrapping_add(STEP);
    }
}

/// Words 16 to 63 of the second chunk with their round constants.
#[inline]
#[target_feature(enable = "sha,avx")]
fn shared_schedule(tail: &Schedule, word: u32) -> [__m128i; 12] {
    let mut w = [_mm_setzero_si128(); 12];
    w[0] = _mm_add_epi32(vector(tail.w16), vector([0, 0, small_sigma0(word), word]));
    w[1] = _mm_sha256msg2_epu32(vector(tail.x20), w[0]);
    w[2] = _mm_sha256msg2_epu32(_mm_add_epi32(vector(tail.m24), _mm_alignr_epi8::<4>(w[1], w[0])), w[1]);
    w[3] = _mm_sha256msg2_epu32(_mm_add_epi32(vector(tail.m28), _mm_alignr_epi8::<4>(w[2], w[1])), w[2]);
    for i in 4..12 {
        w[i] = next_words(w[i - 4], w[i - 3], w[i - 2], w[i - 1]);
    }
    for (i, group) in w.iter_mut().enumerate() {
        *group = _mm_add_epi32(*group, vector(constants(i + 4)));
    }
    w
}

/// Hashes digests again, as far as the last word needs it: that word less its initial value, in the lowest lane.
#[inline]
#[target_feature(enable = "sha,avx")]
fn second_hash<const N: usize>(digests: States<N>) -> [__m128i; N] {
    let (abef, cdgh) = halves(IV);
    let mut states: States<N> = ([vector(abef); N], [vector(cdgh); N]);
    let mut w = [[_mm_setzero_si128(); N]; 4];
    for way in 0..N {
        let (abef, cdgh) = (_mm_castsi128_ps(digests.0[way]), _mm_castsi128_ps(digests.1[way]));
        w[0][way] = _mm_castps_si128(_mm_shuffle_ps::<0xbb>(abef, cdgh));
        w[1][way] = _mm_castps_si128(_mm_shuffle_ps::<0x11>(abef, cdgh));
    }
    four::<N, 0>(&mut states, &w[0]);
    four::<N, 1>(&mut states, &w[1]);
    let (w8, w12) = (vector([PAD, 0, 0, 0]), vector([0, 0, 0, DIGEST_BITS]));
    four_shared(&mut states, vector(group_sum(constants(2), [PAD, 0, 0, 0])));
    four_shared(&mut states, vector(group_sum(constants(3), [0, 0, 0, DIGEST_BITS])));
    // Words 8 to 15 are constants, most of them zero: what needs no instruction gets none.
    for way in 0..N {
        w[0][way] = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(w[0][way], w[1][way]), w12);
    }
    four::<N, 4>(&mut states, &w[0]);
    for way in 0..N {
        let x = _mm_add_epi32(_mm_sha256msg1_epu32(w[1][way], w8), _mm_alignr_epi8::<4>(w[0][way], w12));
        w[1][way] = _mm_sha256msg2_epu32(x, w[0][way]);
    }
    four::<N, 5>(&mut states, &w[1]);
    for way in 0..N {
        let x = _mm_add_epi32(w8, _mm_alignr_epi8::<4>(w[1][way], w[0][way]));
        w[2][way] = _mm_sha256msg2_epu32(x, w[1][way]);
    }
    four::<N, 6>(&mut states, &w[2]);
    for way in 0..N {
        let x = _mm_add_epi32(_mm_sha256msg1_epu32(w12, w[0][way]), _mm_alignr_epi8::<4>(w[2][way], w[1][way]));
        w[3][way] = _mm_sha256msg2_epu32(x, w[2][way]);
    }
    four::<N, 7>(&mut states, &w[3]);
    group::<N, 8>(&mut states, &mut w);
    group::<N, 9>(&mut states, &mut w);
    group::<N, 10>(&mut states, &mut w);
    group::<N, 11>(&mut states, &mut w);
    group::<N, 12>(&mut states, &mut w);
    group::<N, 13>(&mut states, &mut w);
    group::<N, 14>(&mut states, &mut w);
    // Rounds 60 and 61 put what will be `h` into the lane of `f`; three more would only move it.
    let mut last = [_mm_setzero_si128(); N];
    for way in 0..N {
        let words = next_words(w[3][way], w[0][way], w[1][way], w[2][way]);
        let kw = _mm_add_epi32(words, vector(constants(15)));
        last[way] = _mm_sha256rnds2_epu32(states.1[way], states.0[way], kw);
    }
    last
}

/// Which hashes have no bit of the filter in their last word.
#[inline]
#[target_feature(enable = "sha,avx")]
fn candidates<const N: usize>(last: [__m128i; N], filter: u32) -> u32 {
    let zero = _mm_setzero_si128();
    let filter = _mm_set1_epi32(filter.cast_signed());
    let initial = _mm_set1_epi32(IV[7].cast_signed());
    let equal = last.map(|word| _mm_cmpeq_epi32(_mm_and_si128(_mm_add_epi32(word, initial), filter), zero));
    if _mm_cvtsi128_si32(equal.into_iter().fold(zero, |any, one| _mm_or_si128(any, one))) == 0 {
        return 0;
    }
    let bits = equal.map(|one| _mm_cvtsi128_si32(one) & 1);
    bits.into_iter().rev().fold(0, |ways, bit| ways << 1 | bit.cast_unsigned())
}

/// Makes the schedule's group `G` from the four before it, and does its rounds.
#[inline]
#[target_feature(enable = "sha,avx")]
fn group<const N: usize, const G: usize>(states: &mut States<N>, w: &mut [[__m128i; N]; 4]) {
    for way in 0..N {
        w[G & 3][way] = next_words(w[G & 3][way], w[(G + 1) & 3][way], w[(G + 2) & 3][way], w[(G + 3) & 3][way]);
    }
    four::<N, G>(states, &w[G & 3]);
}

/// The four schedule words after the sixteen given.
#[inline]
#[target_feature(enable = "sha,avx")]
fn next_words(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> __m128i {
    let x = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8::<4>(d, c));
    _mm_sha256msg2_epu32(x, d)
}

/// Rounds 4·G to 4·G + 3 with words of each hash's own.
#[inline]
#[target_feature(enable = "sha,avx")]
fn four<const N: usize, const G: usize>(states: &mut States<N>, words: &[__m128i; N]) {
    let mut kw = *words;
    for way in 0..N {
        kw[way] = _mm_add_epi32(words[way], vector(const { constants(G) }));
        states.1[way] = _mm_sha256rnds2_epu32(states.1[way], states.0[way], kw[way]);
    }
    for way in 0..N {
        states.0[way] = _mm_sha256rnds2_epu32(states.0[way], states.1[way], _mm_shuffle_epi32::<0x0e>(kw[way]));
    }
}

/// Four rounds with words that all hashes share.
#[inline]
#[target_feature(enable = "sha,avx")]
fn four_shared<const N: usize>(states: &mut States<N>, kw: __m128i) {
    for way in 0..N {
        states.1[way] = _mm_sha256rnds2_epu32(states.1[way], states.0[way], kw);
    }
    let high = _mm_shuffle_epi32::<0x0e>(kw);
    for way in 0..N {
        states.0[way] = _mm_sha256rnds2_epu32(states.0[way], states.1[way], high);
    }
}

#[inline]
#[target_feature(enable = "sha,avx")]
fn vector([a, b, c, d]: Quad) -> __m128i {
    _mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
}
