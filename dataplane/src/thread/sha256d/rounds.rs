//! How fast the CPU does SHA-256 rounds and nothing else: what no kernel made of the SHA extensions can be faster than.
//!
//! Only for `bench`. A hash of a header whose first chunk is known takes 61 `sha256rnds2` of two rounds each: the second chunk
//! begins after its third word and the second hash ends three rounds early. The schedule, the additions of constants and
//! everything else are left out, so that a real kernel can only be slower.

// JUSTIFICATION: the instruction exists as a target-feature intrinsic only.

use super::shani;
use std::{
    arch::x86_64::{__m128i, _mm_set1_epi32, _mm_sha256rnds2_epu32},
    hint::black_box,
};

/// `sha256rnds2` of one hash.
const INSTRUCTIONS: u32 = 61;
/// Chains that run beside each other: more than the instruction's latency in cycles, so that only its throughput counts.
const CHAINS: usize = 8;
/// Rounds of all chains between two looks at the clock.
const STEPS: u32 = 15_250;

/// The rounds of so many hashes, and nothing else of them; `None` on a CPU without the instruction.
pub(super) fn hasher() -> Option<impl FnMut() -> u64> {
    shani::is_supported().then_some(run)
}

#[expect(unsafe_code, reason = "enters code compiled for the CPU's features")]
fn run() -> u64 {
    // SAFETY: `hasher` gives this out only when the features were found.
    unsafe { rounds() };
    u64::from(STEPS) * CHAINS as u64 / u64::from(INSTRUCTIONS)
}

#[target_feature(enable = "sha,avx")]
fn rounds() {
    let words = black_box(_mm_set1_epi32(0x5a5a_1234));
    let mut states: [__m128i; CHAINS] =
        std::array::from_fn(|chain| black_box(_mm_set1_epi32(i32::try_from(chain).unwrap_or_default())));
    for _ in 0..STEPS {
        for state in &mut states {
            *state = _mm_sha256rnds2_epu32(*state, words, words);
        }
    }
    black_box(states);
}
