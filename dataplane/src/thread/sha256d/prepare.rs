//! What the kernels with SHA instructions compute once per header: in groups of four words, as the instructions take them.

use super::block::{HEADER_BITS, K, Midstate, PAD, Tail, expand, round, small_sigma0, small_sigma1};

/// Four words, the first in the lowest lane.
pub(super) type Quad = [u32; 4];

/// What is known of a header's second chunk before the nonce is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schedule {
    /// Words 4 to 15 with their round constants.
    pub(super) kw: [Quad; 3],
    /// Words 16 to 19 without the nonce's terms.
    pub(super) w16: Quad,
    /// Words 20 to 23 before the step that takes the newest words in.
    pub(super) x20: Quad,
    /// `msg1` of words 8 to 15.
    pub(super) m24: Quad,
    /// `msg1` of words 12 to 19: the nonce is not in it.
    pub(super) m28: Quad,
}

impl Schedule {
    pub(super) fn of(tail: Tail) -> Self {
        let mut w = [0_u32; 20];
        for (place, word) in w.iter_mut().zip(tail.chunk(0)) {
            *place = word;
        }
        w[16] = small_sigma0(w[1]).wrapping_add(w[0]);
        w[17] = small_sigma1(HEADER_BITS).wrapping_add(small_sigma0(w[2])).wrapping_add(w[1]);
        w[18] = small_sigma1(w[16]).wrapping_add(w[2]);
        w[19] = small_sigma1(w[17]).wrapping_add(small_sigma0(PAD));
        let quad = |i: usize| -> Quad { std::array::from_fn(|lane| w.get(i + lane).copied().unwrap_or_default()) };
        let msg1 = |i: usize| group_sum(quad(i), quad(i + 1).map(small_sigma0));
        Self {
            kw: std::array::from_fn(|group| group_sum(constants(group + 1), quad(4 * group + 4))),
            w16: quad(16),
            x20: group_sum(msg1(4), quad(13)),
            m24: msg1(8),
            m28: msg1(12),
        }
    }
}

/// A midstate, ready for round 4.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Start {
    /// After round 3, but for the nonce's own term in `a` and `e`.
    pub(super) abef: Quad,
    pub(super) cdgh: Quad,
    /// To be added at the end.
    pub(super) midstate_abef: Quad,
    pub(super) midstate_cdgh: Quad,
}

impl Start {
    pub(super) fn of(Midstate(midstate): Midstate, tail: Tail) -> Self {
        let rounds = K.into_iter().zip(tail.chunk(0)).take(4);
        let after = rounds.fold(midstate, |state, (k, w)| round(state, k.wrapping_add(w)));
        let (abef, cdgh) = halves(after);
        let (midstate_abef, midstate_cdgh) = halves(midstate);
        Self { abef, cdgh, midstate_abef, midstate_cdgh }
    }
}

pub(super) fn halves([a, b, c, d, e, f, g, h]: [u32; 8]) -> (Quad, Quad) {
    ([f, e, b, a], [h, g, d, c])
}

pub(super) fn group_sum(a: Quad, b: Quad) -> Quad {
    std::array::from_fn(|lane| {
        let word = |quad: Quad| quad.get(lane).copied().unwrap_or_default();
        word(a).wrapping_add(word(b))
    })
}

/// Round constants of a group of four rounds.
pub(super) const fn constants(group: usize) -> Quad {
    let (_, rest) = K.split_at(4 * group);
    match rest.first_chunk() {
        Some(quad) => *quad,
        None => [0; 4],
    }
}

/// Schedule words 16 to 63 of the second chunk.
pub(super) fn words_16_to_63(tail: Tail, nonce: u32) -> [u32; 48] {
    let mut windows = [[0; 16]; 3];
    let mut window = tail.chunk(nonce);
    for place in &mut windows {
        window = expand(window);
        *place = window;
    }
    let mut words = [0; 48];
    for (place, word) in words.iter_mut().zip(windows.into_iter().flatten()) {
        *place = word;
    }
    words
}
