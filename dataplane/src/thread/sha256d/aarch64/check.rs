//! Runs the AArch64 kernels, under an emulator if need be, and compares them with the portable one: a program of its own,
//! for a compiler that has the AArch64 standard library but nothing else. `.ci/run` says how it is built.
//!
//! The kernels are the files that the service is made of, not copies.

#[path = "../aarch64.rs"]
mod aarch64;
#[path = "../block.rs"]
mod block;
#[path = "../lanes.rs"]
mod lanes;
#[path = "../portable.rs"]
mod portable;

/// What `block` takes from the rest of the crate.
mod job {
    pub(crate) mod header {
        pub(crate) const HEADER_LEN: usize = 80;
    }
}

use block::{Midstate, Tail, double_hash};
use lanes::Lanes;
use portable::Portable;

/// Random headers that are compared.
const HEADERS: usize = 480;

fn main() {
    assert!(aarch64::is_supported(), "this CPU lacks the SHA2 instructions; emulate one that has them");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut passed = 0;
    for number in 0..HEADERS {
        let (mut rolled, mut fixed) = aarch64::kernels();
        let tail = Tail::of(&random.header());
        let midstates: Vec<_> = (0..rolled.width()).map(|_| Midstate::of(&random.header())).collect();
        // From every hash to one in 256; ranges of all lengths, also over the end of the nonces.
        let filter = [0, 0x0100_0000, 0x0f00_0000, 0xff00_0000][number % 4];
        let first = if number % 3 == 0 { u32::MAX - random.below(40) } else { random.next() };
        let count = random.below(80);
        compare(&mut rolled, tail, &midstates, filter, first, count);
        compare(&mut fixed, tail, &midstates[..1], filter, first, count);
        passed += 2;
    }
    for header in [GENESIS, BLOCK_881423] {
        let nonce = u32::from_le_bytes(header[76..].try_into().expect("four bytes"));
        let (tail, midstate) = (Tail::of(&header), Midstate::of(&header));
        assert!(double_hash(midstate, tail, nonce).ends_with(&[0; 4]), "the header is not a block's");
        let (mut rolled, mut fixed) = aarch64::kernels();
        let mut other = header;
        other[0] ^= 4;
        for way in 0..rolled.width() {
            let mut midstates = vec![Midstate::of(&other); rolled.width()];
            midstates[way] = midstate;
            assert_eq!(found(&mut rolled, tail, &midstates, u32::MAX, nonce.wrapping_sub(9), 20), [(way, nonce)]);
            passed += 1;
        }
        for before in 0..9 {
            assert_eq!(found(&mut fixed, tail, &[midstate], u32::MAX, nonce.wrapping_sub(before), 9), [(0, nonce)]);
            passed += 1;
        }
    }
    println!("{passed} passed, 0 failed");
}

/// Compares with the portable kernel, which takes one midstate at a time.
fn compare(lanes: &mut dyn Lanes, tail: Tail, midstates: &[Midstate], filter: u32, first: u32, count: u32) {
    let mut right = Vec::new();
    for (index, midstate) in midstates.iter().enumerate() {
        let mut portable = Portable::default();
        let of_one = found(&mut portable, tail, &[*midstate], filter, first, count);
        right.extend(of_one.into_iter().map(|(_, nonce)| (index, nonce)));
    }
    right.sort_unstable();
    let found = found(lanes, tail, midstates, filter, first, count);
    assert_eq!(found, right, "{lanes:?} from {first:#x}, {count} nonces, filter {filter:#x}");
}

fn found(
    lanes: &mut dyn Lanes,
    tail: Tail,
    midstates: &[Midstate],
    filter: u32,
    first: u32,
    count: u32,
) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    lanes.load(tail, midstates, filter);
    lanes.scan(first, count, &mut |index, nonce| found.push((index, nonce)));
    found.sort_unstable();
    found
}

/// Marsaglia's xorshift64*: always the same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    fn below(&mut self, end: u32) -> u32 {
        self.next() % end
    }

    fn header(&mut self) -> [u8; 80] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

/// Mainnet block 0.
#[rustfmt::skip]
const GENESIS: [u8; 80] = [
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x3b, 0xa3, 0xed, 0xfd, 0x7a, 0x7b, 0x12, 0xb2, 0x7a, 0xc7, 0x2c, 0x3e,
    0x67, 0x76, 0x8f, 0x61, 0x7f, 0xc8, 0x1b, 0xc3, 0x88, 0x8a, 0x51, 0x32, 0x3a, 0x9f, 0xb8, 0xaa,
    0x4b, 0x1e, 0x5e, 0x4a, 0x29, 0xab, 0x5f, 0x49, 0xff, 0xff, 0x00, 0x1d, 0x1d, 0xac, 0x2b, 0x7c,
];

/// Mainnet block 881,423.
#[rustfmt::skip]
const BLOCK_881423: [u8; 80] = [
    0x00, 0x60, 0x59, 0x2e, 0xe3, 0xc9, 0x6a, 0x8a, 0x70, 0xca, 0x15, 0xfe, 0x21, 0x5e, 0x99, 0xf8,
    0x4a, 0xb6, 0x4c, 0x43, 0xe1, 0xb5, 0xd2, 0xc4, 0x3b, 0x54, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x76, 0xf6, 0x3a, 0x35, 0xf1, 0xb8, 0xb5, 0x01, 0x6d, 0x3e, 0xb0, 0xcc,
    0xe2, 0xee, 0xbb, 0xdf, 0x58, 0xbf, 0x8f, 0xbe, 0xa4, 0xe8, 0x70, 0xc8, 0xf7, 0x70, 0x34, 0x6b,
    0xdf, 0xcf, 0x62, 0x2d, 0x69, 0xc1, 0x9a, 0x67, 0x8a, 0x9a, 0x02, 0x17, 0x02, 0xfb, 0x05, 0xff,
];
