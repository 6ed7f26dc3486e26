//! The kernel in plain Rust: runs everywhere, and is what the others are checked by.
//!
//! What does not depend on the nonce is computed once per header: rounds 0 to 2, and the constant parts of the schedule.
//! Round 3 is linear in the nonce. The second hash ends after round 60, when its last word is known.

#![expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "constant bounds into arrays of constant size, unrolled by the compiler"
)]

use super::{
    block::{DIGEST_BITS, HEADER_BITS, IV, K, Midstate, PAD, Tail, round, small_sigma0, small_sigma1},
    scanner::Lanes,
};

/// One midstate, one nonce at a time.
#[derive(Debug, Default)]
pub(super) struct Portable {
    midstate: [u32; 8],
    /// State after round 3 for a nonce word of zero: the nonce adds to its `a` and `e`.
    after_round_3: [u32; 8],
    /// Second chunk for a nonce word of zero.
    chunk: [u32; 16],
    /// Schedule words 16 to 31 for a nonce word of zero, as far as they do not depend on it otherwise.
    fixed: Fixed,
    filter: u32,
}

/// Parts of the schedule that no nonce changes.
#[derive(Debug, Default)]
struct Fixed {
    w16: u32,
    w17: u32,
    /// Without the nonce's own term.
    w18: u32,
    w19: u32,
}

impl Lanes for Portable {
    fn width(&self) -> usize {
        1
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        let Some(Midstate(midstate)) = midstates.first() else { return };
        let chunk = tail.chunk(0);
        self.midstate = *midstate;
        self.after_round_3 =
            K.into_iter().zip(chunk).take(4).fold(*midstate, |state, (k, w)| round(state, k.wrapping_add(w)));
        let [w0, w1, w2, ..] = chunk;
        let w16 = small_sigma0(w1).wrapping_add(w0);
        let w17 = small_sigma1(HEADER_BITS).wrapping_add(small_sigma0(w2)).wrapping_add(w1);
        self.fixed = Fixed {
            w16,
            w17,
            w18: small_sigma1(w16).wrapping_add(w2),
            w19: small_sigma1(w17).wrapping_add(small_sigma0(PAD)),
        };
        self.chunk = chunk;
        self.filter = filter;
    }

    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        for step in 0..count {
            let nonce = first.wrapping_add(step);
            if self.last_word(nonce.swap_bytes()) & self.filter == 0 {
                candidate(0, nonce);
            }
        }
    }
}

/// Rounds `$from` to `$from + 15` with a window of 16 schedule words.
macro_rules! sixteen_rounds {
    ($state:ident, $w:ident, $from:literal, $count:literal) => {
        for i in 0..$count {
            $state = round($state, K[$from + i].wrapping_add($w[i]));
        }
    };
}

/// Replaces word `i` of the window by the one that comes 16 later.
#[inline(always)]
fn step(w: &mut [u32; 16], i: usize) {
    w[i & 15] = w[i & 15]
        .wrapping_add(small_sigma0(w[(i + 1) & 15]))
        .wrapping_add(w[(i + 9) & 15])
        .wrapping_add(small_sigma1(w[(i + 14) & 15]));
}

impl Portable {
    /// The last word of the double hash. `word` is the nonce as a message word.
    #[inline]
    fn last_word(&self, word: u32) -> u32 {
        let mut state = self.after_round_3;
        state[0] = state[0].wrapping_add(word);
        state[4] = state[4].wrapping_add(word);
        for i in 4..15 {
            state = round(state, K[i].wrapping_add(self.chunk[i]));
        }
        state = round(state, K[15].wrapping_add(HEADER_BITS));
        let mut w = self.chunk;
        w[3] = word;
        w[0] = self.fixed.w16;
        w[1] = self.fixed.w17;
        w[2] = self.fixed.w18.wrapping_add(small_sigma0(word));
        w[3] = self.fixed.w19.wrapping_add(word);
        for i in 4..16 {
            step(&mut w, i);
        }
        sixteen_rounds!(state, w, 16, 16);
        for i in 0..16 {
            step(&mut w, i);
        }
        sixteen_rounds!(state, w, 32, 16);
        for i in 0..16 {
            step(&mut w, i);
        }
        sixteen_rounds!(state, w, 48, 16);

        let mut w = [0; 16];
        for i in 0..8 {
            w[i] = state[i].wrapping_add(self.midstate[i]);
        }
        w[8] = PAD;
        w[15] = DIGEST_BITS;
        let mut state = IV;
        sixteen_rounds!(state, w, 0, 16);
        for i in 0..16 {
            step(&mut w, i);
        }
        sixteen_rounds!(state, w, 16, 16);
        for i in 0..16 {
            step(&mut w, i);
        }
        sixteen_rounds!(state, w, 32, 16);
        for i in 0..13 {
            step(&mut w, i);
        }
        sixteen_rounds!(state, w, 48, 13);
        // Three rounds later this `e` is `h`.
        state[4].wrapping_add(IV[7])
    }
}
