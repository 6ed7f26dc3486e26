//! Every kernel against the definition, against the others, and against real blocks.

use super::*;
use crate::job::header::{self, HEADER_LEN};
use mujina_core::units::ShareTarget;
use proptest::prelude::*;

fn header(version: u32, prev_hash: &str, root: &str, ntime: u32, nbits: u32, nonce: u32) -> [u8; HEADER_LEN] {
    let fields = [
        version.to_le_bytes().to_vec(),
        hex::decode(prev_hash).unwrap(),
        hex::decode(root).unwrap(),
        ntime.to_le_bytes().to_vec(),
        nbits.to_le_bytes().to_vec(),
        nonce.to_le_bytes().to_vec(),
    ];
    fields.concat().try_into().unwrap()
}

/// Mainnet blocks 0, 100,000 and 881,423, hashes in header order.
fn blocks() -> [[u8; HEADER_LEN]; 3] {
    let zero = "00".repeat(32);
    [
        header(
            1,
            &zero,
            "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a",
            1_231_006_505,
            0x1d00_ffff,
            2_083_236_893,
        ),
        header(
            1,
            "50120119172a610421a6c3011dd330d9df07b63616c2cc1f1cd0020000000000",
            "6657a9252aacd5c0b2940996ecff952228c3067cc38d4885efb5a4ac4247e9f3",
            1_293_623_863,
            0x1b04_864c,
            0x10572b0f,
        ),
        header(
            0x2e59_6000,
            "e3c96a8a70ca15fe215e99f84ab64c43e1b5d2c43b5401000000000000000000",
            "76f63a35f1b8b5016d3eb0cce2eebbdf58bf8fbea4e870c8f770346bdfcf622d",
            0x679a_c169,
            0x1702_9a8a,
            0xff05_fb02,
        ),
    ]
}

/// A share that a BM1370 found, of difficulty 29,588: mask 1fffe000, rolled version 20b44000.
fn chip_share() -> [u8; HEADER_LEN] {
    use crate::job::merkle;
    let unhex = |text: &str| hex::decode(text).unwrap();
    let branches = [
        "21af451ddb51e887ff1feb5592b87290098565035eb8500031aedcc776d4e72a",
        "c5af269519c809a9546d5a58ca6445d3dbb80cb7045448ecc48309af034da8f8",
        "fb9f8f9959f6bb0ceb63fa53aed1d5a615c6b6d3f50a468ea89a45a1234bda74",
        "a4f4fee8e5fc19ca8d93e67b9236c37ddb864982010434745c0abfe9b914980c",
        "33092206642744fbe5499c3e621cd5c6b52733e54fbebd869f070082b807f740",
        "3b857e32c5cff4864efab967b9a456ca03b2167ab96bd9076ce294c8a67a7fe2",
        "881a07cd881d0c3e590b4b090ea8d58e1439dc56c63686f7de23c47045441e30",
        "315e4dbcc8e7b1c9d594a73978268791880dddb2c26eec8e75768668dad99d80",
        "69952b77c632be16b1ac7ac7048f13d4e962b2e215d79a343f01e6e281d7c304",
        "fc63eb4392c4d6c6d689788875fca35143fdcd4f4a82e8698e0e441751a70b4a",
        "09e419bbe20aa3a7640f1b91f50599ceddff899e90d3f18951ad5418c4850a6b",
        "004978aa346b4f1880bcadb3ca3792d771ee6aeca427f61e74baba44b75cfb88",
    ];
    // The notification gives the previous hash as eight words with their bytes swapped.
    let words = unhex("6b6455fd6db962c101f2d4fc0d67f4a3bc96391d000152960000000000000000");
    let prev_hash: Vec<u8> = words.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
    let job = crate::job::Job {
        prev_hash: prev_hash.try_into().unwrap(),
        nbits: 0x1702_3a04,
        coinbase_tx_prefix: unhex(
            "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff170330c30d5075626c69632d506f6f6c",
        )
        .into(),
        extranonce_prefix: unhex("4128064f").into(),
        coinbase_tx_suffix: unhex(
            "ffffffff02e5b5c61200000000220020984a77c289084ff2d434c316bdada021c6c183d507c8a20d3b159b09ac02fe280000000000000000266a24aa21a9edb98ee50410ed4abd48401ed484fc874409d086a3faf0816136a8ad6168314c5800000000",
        )
        .into(),
        merkle_path: branches.iter().map(|branch| unhex(branch).try_into().unwrap()).collect(),
        ..crate::job::tests::job()
    };
    let root = merkle::root(&job, &unhex("17000000"));
    header::with_root(&job, &root, 0x20b4_4000, 0x6854_68d7, 0x7552_034c)
}

fn nonce_of(header: &[u8; HEADER_LEN]) -> u32 {
    u32::from_le_bytes(*header.last_chunk().unwrap())
}

fn hash_target(header: &[u8; HEADER_LEN]) -> ShareTarget {
    ShareTarget::from_le_bytes(header::hash(header))
}

fn scanners() -> Vec<HeaderScanner> {
    supported().into_iter().map(|kernel| HeaderScanner::new(kernel).unwrap()).collect()
}

fn scan(scanner: &mut HeaderScanner, first: u32, count: u32) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    scanner.scan(first, count, |hit| found.push((hit.midstate, hit.nonce)));
    found.sort_unstable();
    found
}

#[test]
fn every_kernel_finds_the_nonces_of_real_blocks_wherever_they_stand_in_a_range() {
    let headers = [blocks().to_vec(), vec![chip_share()]].concat();
    for header in headers {
        let (nonce, tail) = (nonce_of(&header), Tail::of(&header));
        for mut scanner in scanners() {
            scanner.set_target(hash_target(&header));
            let mut other = header;
            other[0] ^= 4;
            for width in [1, scanner.width(), scanner.width() + 1] {
                for index in 0..width {
                    let mut midstates = vec![Midstate::of(&other); width];
                    midstates[index] = Midstate::of(&header);
                    scanner.load(tail, &midstates);
                    for (before, count) in
                        [(0, 1), (0, 100), (1, 2), (2, 3), (3, 4), (4, 5), (7, 8), (50, 51), (50, 100)]
                    {
                        let found = scan(&mut scanner, nonce.wrapping_sub(before), count);
                        assert_eq!(found, [(index, nonce)], "{} {before} {count}", scanner.kernel());
                    }
                    assert_eq!(
                        scan(&mut scanner, nonce.wrapping_sub(9), 9),
                        [],
                        "{}: beyond the end",
                        scanner.kernel()
                    );
                    assert_eq!(scan(&mut scanner, nonce.wrapping_add(1), 9), [], "{}: before", scanner.kernel());
                }
            }
        }
    }
}

#[test]
fn real_headers_hash_to_what_explorers_show() {
    let [genesis, block, newer] = blocks();
    let shown = |header: &[u8; HEADER_LEN]| hash_target(header).to_string();
    assert_eq!(shown(&genesis), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
    assert_eq!(shown(&block), "000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506");
    assert_eq!(shown(&newer), "0000000000000000000269d52c24ea451225613aab095d90d771d4e29aa96cdd");
    assert!((hash_target(&chip_share()).difficulty().as_f64() - 29_588.01).abs() < 0.01);
    for header in [genesis, block, newer] {
        let hash = block::double_hash(Midstate::of(&header), Tail::of(&header), nonce_of(&header));
        assert_eq!(hash, header::hash(&header));
    }
}

#[test]
fn target_is_inclusive() {
    let [genesis, ..] = blocks();
    for mut scanner in scanners() {
        scanner.load(Tail::of(&genesis), &[Midstate::of(&genesis)]);
        let mut bytes = hash_target(&genesis).to_be_bytes();
        scanner.set_target(ShareTarget::from_be_bytes(bytes));
        assert_eq!(scan(&mut scanner, nonce_of(&genesis), 1).len(), 1);
        bytes[31] -= 1;
        scanner.set_target(ShareTarget::from_be_bytes(bytes));
        assert_eq!(scan(&mut scanner, nonce_of(&genesis), 1).len(), 0);
    }
}

#[test]
fn easiest_target_reports_every_hash_once() {
    let [genesis, ..] = blocks();
    for mut scanner in scanners() {
        for width in 1..=scanner.width() {
            scanner.load(Tail::of(&genesis), &vec![Midstate::of(&genesis); width]);
            scanner.set_target(ShareTarget::MAX);
            let found = scan(&mut scanner, u32::MAX - 10, 33);
            let nonces = (0..33).map(|step| (u32::MAX - 10).wrapping_add(step));
            let mut all: Vec<_> = nonces.flat_map(|nonce| (0..width).map(move |index| (index, nonce))).collect();
            all.sort_unstable();
            assert_eq!(found, all, "{} {width}", scanner.kernel());
            assert_eq!(scan(&mut scanner, 7, 0), [], "nothing asked, nothing found");
        }
    }
}

#[test]
fn kernels_have_names_that_read_back() {
    for kernel in Kernel::ALL {
        assert_eq!(kernel.to_string().parse(), Ok(KernelChoice::Only(kernel)));
    }
    assert_eq!("auto".parse(), Ok(KernelChoice::Auto));
    assert_eq!(KernelChoice::default().to_string(), "auto");
    let message = "fast".parse::<KernelChoice>().unwrap_err().to_string();
    assert!(message.contains("`portable`"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_kernel_finds_exactly_what_the_definition_says(
        bytes in prop::collection::vec(any::<u8>(), 80),
        versions in prop::collection::vec(any::<u32>(), MAX_WIDTH),
        first in prop_oneof![any::<u32>(), (u32::MAX - 300)..=u32::MAX],
        count in 0..300_u32,
        zero_bits in 0..9_i32,
    ) {
        let header: [u8; HEADER_LEN] = bytes.try_into().unwrap();
        let tail = Tail::of(&header);
        let midstates: Vec<_> = versions.iter().map(|version| {
            let mut rolled = header;
            rolled[..4].copy_from_slice(&version.to_le_bytes());
            (Midstate::of(&rolled), rolled)
        }).collect();
        let share_target = ShareTarget::from_expected_hashes(2_f64.powi(zero_bits) * 1.3);
        for mut scanner in scanners() {
            for width in [1, scanner.width()] {
                scanner.load(tail, &midstates.iter().take(width).map(|(midstate, _)| *midstate).collect::<Vec<_>>());
                scanner.set_target(share_target);
                let mut right = Vec::new();
                for (index, (_, rolled)) in midstates.iter().enumerate().take(width) {
                    for nonce in (0..count).map(|step| first.wrapping_add(step)) {
                        let mut header = *rolled;
                        header[76..].copy_from_slice(&nonce.to_le_bytes());
                        if share_target.is_met_by(header::hash(&header)) {
                            right.push((index, nonce));
                        }
                    }
                }
                right.sort_unstable();
                prop_assert_eq!(scan(&mut scanner, first, count), right, "{}", scanner.kernel());
            }
        }
    }
}
