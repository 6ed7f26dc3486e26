//! The parts of SHA-256 that every kernel shares: constants, rounds, and what is computed once per header.
//!
//! Words are as the hash function sees them: four bytes read as big endian.   Source: FIPS 180-4, sections 4 to 6.

use crate::job::header::HEADER_LEN;

#[rustfmt::skip]
pub(super) const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

pub(super) const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The padding bit after the message.
pub(super) const PAD: u32 = 0x8000_0000;
/// Length of a header in bits, the last word of its second chunk.
pub(super) const HEADER_BITS: u32 = 640;
/// Length of a digest in bits, the last word of the second hash.
pub(super) const DIGEST_BITS: u32 = 256;

/// State after the first 64 bytes of a header: version, previous hash and 28 bytes of the merkle root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Midstate(pub(super) [u32; 8]);

/// The rest of a header without its nonce: 4 bytes of the merkle root, ntime and nbits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tail(pub(super) [u32; 3]);

impl Midstate {
    /// Hashes the first 64 bytes of a header.
    #[must_use]
    pub fn of(header: &[u8; HEADER_LEN]) -> Self {
        let mut state = IV;
        compress(&mut state, &words(header).0);
        Self(state)
    }
}

impl Tail {
    /// Takes it from a header; the nonce there is ignored.
    #[must_use]
    pub fn of(header: &[u8; HEADER_LEN]) -> Self {
        Self(words(header).1)
    }

    /// The 16 words of the second chunk. The nonce stands in the header in little endian.
    pub(super) fn chunk(self, nonce: u32) -> [u32; 16] {
        let [root, ntime, nbits] = self.0;
        [root, ntime, nbits, nonce.swap_bytes(), PAD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, HEADER_BITS]
    }
}

/// The whole double hash, in internal byte order. For the rare hit, and to check kernels by.
pub(super) fn double_hash(midstate: Midstate, tail: Tail, nonce: u32) -> [u8; 32] {
    let Midstate(mut first) = midstate;
    compress(&mut first, &tail.chunk(nonce));
    let [a, b, c, d, e, f, g, h] = first;
    let mut second = IV;
    compress(&mut second, &[a, b, c, d, e, f, g, h, PAD, 0, 0, 0, 0, 0, 0, DIGEST_BITS]);
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().zip(second.into_iter().flat_map(u32::to_be_bytes)) {
        *place = byte;
    }
    bytes
}

pub(super) const fn small_sigma0(x: u32) -> u32 {
    x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3)
}

pub(super) const fn small_sigma1(x: u32) -> u32 {
    x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10)
}

/// One round; `kw` is the round's constant plus its schedule word.
#[inline(always)]
pub(super) fn round(state: [u32; 8], kw: u32) -> [u32; 8] {
    let [a, b, c, d, e, f, g, h] = state;
    let sigma1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = g ^ (e & (f ^ g));
    let t1 = h.wrapping_add(sigma1).wrapping_add(choice).wrapping_add(kw);
    let sigma0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let majority = (a & b) | (c & (a | b));
    [t1.wrapping_add(sigma0).wrapping_add(majority), a, b, c, d.wrapping_add(t1), e, f, g]
}

fn compress(state: &mut [u32; 8], chunk: &[u32; 16]) {
    let mut window = *chunk;
    let mut working = *state;
    for constants in K.chunks_exact(16) {
        for (k, w) in constants.iter().zip(window) {
            working = round(working, k.wrapping_add(w));
        }
        window = expand(window);
    }
    for (word, add) in state.iter_mut().zip(working) {
        *word = word.wrapping_add(add);
    }
}

/// The next 16 words of the schedule.
#[expect(clippy::indexing_slicing, reason = "constant bounds into arrays of constant size")]
pub(super) fn expand(window: [u32; 16]) -> [u32; 16] {
    let mut w = [0_u32; 32];
    for (place, word) in w.iter_mut().zip(window) {
        *place = word;
    }
    for i in 16..32 {
        let old = w[i - 16].wrapping_add(small_sigma0(w[i - 15]));
        w[i] = old.wrapping_add(w[i - 7]).wrapping_add(small_sigma1(w[i - 2]));
    }
    std::array::from_fn(|i| w[16 + i])
}

/// A header's words: the first chunk, and the three of the tail.
fn words(header: &[u8; HEADER_LEN]) -> ([u32; 16], [u32; 3]) {
    let word = |i: usize| {
        header.get(4 * i..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
    };
    (std::array::from_fn(word), std::array::from_fn(|i| word(16 + i)))
}
