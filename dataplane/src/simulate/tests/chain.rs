//! Chains driven directly, in virtual time.

use super::{BM1370, HCN_525, bring_up_bm1362, bytes, chain, frame, job, nonces, options};
use crate::simulate::{
    Chain, ChipModel, Options, Statistics, Supply, Violation,
    job::tests::{EXAMPLE_A, HEADER_A},
};
use mujina_core::units::HashRate;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// Hashes for a while, in steps; gives the nonces.
fn run(chain: &mut Chain, from: Instant, time: Duration) -> Vec<Vec<u8>> {
    let step = Duration::from_millis(5);
    let steps = u32::try_from(time.as_millis() / 5).unwrap();
    (1..=steps).flat_map(|step_number| nonces(&chain.run(from + step * step_number))).collect()
}

fn gamma(options: &Options, hcn: &str) -> (Chain, Instant) {
    let (mut chain, now) = chain(ChipModel::Bm1370, 1, options);
    for frames in BM1370 {
        chain.receive(&bytes(frames), now);
    }
    chain.receive(&bytes(hcn), now);
    chain.receive(&frame("5109001400000000"), now);
    (chain, now)
}

fn violations(chain: &Chain) -> Vec<Violation> {
    chain.violations().into_iter().map(|record| record.violation).collect()
}

/// Hash of example A's header with a version field and a nonce as the chip returns it.
fn hash_a(version: u32, nonce: &[u8]) -> [u8; 32] {
    let mut header = hex::decode(HEADER_A).unwrap();
    header[..4].copy_from_slice(&(0x2000_0000 | version << 13).to_le_bytes());
    header.extend(nonce);
    let mut hash: [u8; 32] = Sha256::digest(Sha256::digest(header)).into();
    hash.reverse();
    hash
}

#[test]
fn bm1370_returns_the_scaled_vectors_of_the_sheet() {
    let (mut chain, now) = gamma(&options(16), HCN_525);
    chain.hash_densely();
    chain.receive(&bytes(EXAMPLE_A), now);
    let mut found = Vec::new();
    let mut at = now;
    while found.len() < 4 {
        at += Duration::from_millis(20);
        found.extend(nonces(&chain.run(at)));
    }
    let expected =
        ["AA55600000230 0D4000494", "AA55940000BF00DD000D9C", "AA550200011506D300039B", "AA55F200012D00DD000D98"];
    assert_eq!(found[..4], expected.map(bytes));
    assert_eq!(violations(&chain), []);
}

#[test]
fn bm1362_returns_the_scaled_vectors_of_the_sheet() {
    let (mut chain, now) = chain(ChipModel::Bm1362, 2, &options(16));
    chain.hash_densely();
    chain.receive(&bring_up_bm1362(2, 2, 0x1799), now);
    chain.receive(&bytes(EXAMPLE_A), now);
    let mut found = Vec::new();
    let mut at = now;
    while found.len() < 4 {
        at += Duration::from_millis(20);
        let of_second = |frame: &Vec<u8>| frame[3] & 0xfe == 0x04;
        found.extend(nonces(&chain.run(at)).into_iter().filter(of_second));
    }
    let expected =
        ["AA550C040107066E000680", "AA550004015A026A00028B", "AA5526040221006C00048D", "AA555E04041902680000 93"];
    assert_eq!(found[..4], expected.map(bytes));
    assert_eq!(violations(&chain), []);
}

#[test]
fn fresh_chips_answer_short_and_long_once_versions_are_rolled() {
    let (mut chain, now) = chain(ChipModel::Bm1362, 3, &options(12));
    let enumerate = bytes("55AA520500000A");
    assert_eq!(chain.receive(&enumerate, now), bytes("AA551362030000000D").repeat(3));
    chain.receive(&bytes("55AA510900A49000FFFF1C"), now);
    assert_eq!(chain.receive(&enumerate, now), bytes("AA551362030000000000 1E").repeat(3));
}

#[test]
fn chips_take_addresses_in_chain_order_and_answer_to_them() {
    let (mut chain, now) = chain(ChipModel::Bm1362, 3, &options(12));
    chain.receive(&bring_up_bm1362(3, 2, 0x1799), now);
    assert_eq!(chain.statistics().chips.iter().map(|chip| chip.address).collect::<Vec<_>>(), [0, 2, 4]);
    let reply = chain.receive(&frame("42050400"), now);
    assert_eq!(reply[..8], bytes("AA55 13620304 04 00"));
    assert_eq!(chain.receive(&frame("42050600"), now), Vec::<u8>::new(), "nobody has this address");
    assert_eq!(violations(&chain), []);
    // More addresses than chips do no harm.
    chain.receive(&frame("40050600"), now);
    assert_eq!(violations(&chain), []);
}

#[test]
fn registers_read_back_what_was_written_and_the_lock_bit() {
    let (mut chain, now) = gamma(&options(12), HCN_525);
    let mut read = |register| chain.receive(&frame(&format!("420500{register:02X}")), now)[2..6].to_vec();
    assert_eq!((read(0x18), read(0x10)), (bytes("F000C100"), bytes("000C2FB7")));
    assert_eq!(read(0x08), bytes("C0A80230"));
}

#[test]
fn rate_is_nominal_and_every_nonce_is_true() {
    let (mut chain, now) = gamma(&options(12), HCN_525);
    chain.receive(&bytes(EXAMPLE_A), now);
    let seconds = 3;
    let found = run(&mut chain, now, Duration::from_secs(seconds));
    let nominal = chain.nominal_hash_rate().hashes_per_second();
    assert!((nominal - 525e6 * 2040.0 / f64::from(1 << 20)).abs() < 1.0);
    let Statistics { duplicates, missed, .. } = chain.statistics();
    assert_eq!((duplicates, missed), (0, 0.0));
    let hits = f64::from(u32::try_from(found.len()).unwrap());
    let expected = nominal * 3.0 / 4096.0;
    assert!((hits - expected).abs() <= 3.0 * expected.sqrt(), "{hits} of {expected}");
    for frame in &found {
        let version = u32::from(u16::from_be_bytes([frame[8], frame[9]]));
        let hash = hash_a(version, &frame[2..6]);
        let zeros = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros();
        assert!(zeros >= 12, "{frame:02x?}");
        assert_eq!(u32::from(frame[6]), 2 * (zeros - 12), "excess");
        assert_eq!((frame[7] >> 4, u32::from(frame[7] & 0x0f)), (13, version & 0x0f));
        assert_eq!(crate::simulate::crc::response_crc5(&frame[2..10], 4) | 0x80, frame[10]);
    }
    let distinct: HashSet<_> = found.iter().map(|frame| (&frame[2..6], &frame[8..10])).collect();
    assert_eq!(distinct.len(), found.len());
    assert_eq!(violations(&chain), []);
}

#[test]
fn ticket_mask_thins_nonces_out() {
    let (mut chain, now) = gamma(&options(10), HCN_525);
    // Difficulty 8: three bits more.
    chain.receive(&frame("51090014000000E0"), now);
    chain.receive(&bytes(EXAMPLE_A), now);
    let found = run(&mut chain, now, Duration::from_secs(4));
    let expected = chain.nominal_hash_rate().hashes_per_second() * 4.0 / f64::from(1 << 13);
    let hits = f64::from(u32::try_from(found.len()).unwrap());
    assert!((hits - expected).abs() <= 3.0 * expected.sqrt(), "{hits} of {expected}");
    assert!(found.iter().all(|frame| hash_a(u16::from_be_bytes([frame[8], frame[9]]).into(), &frame[2..6])[1] < 8));
}

/// Hashes of a chain of four for a while, with this HCN; duplicates and hits.
fn duplicates(hcn: u32, time: Duration) -> (u64, u64) {
    let (mut chain, now) = chain(ChipModel::Bm1362, 4, &options(10));
    chain.receive(&bring_up_bm1362(4, 2, hcn), now);
    chain.receive(&bytes(EXAMPLE_A), now);
    run(&mut chain, now, time);
    let statistics = chain.statistics();
    (statistics.duplicates, statistics.hits())
}

#[test]
fn right_hash_counting_number_gives_no_duplicates_within_the_epoch() {
    // 6041: interval 2 at 525 MHz. The epoch is (2^16 / 8) x (6041 + 130) / 25 MHz = 2.02 s.
    let (duplicates, hits) = duplicates(6041, Duration::from_millis(1950));
    assert!(hits > 400, "{hits}");
    assert_eq!(duplicates, 0);
}

#[test]
fn epoch_that_is_over_repeats() {
    let (duplicates, hits) = duplicates(6041, Duration::from_secs(4));
    let part = f64::from(u32::try_from(duplicates).unwrap()) / f64::from(u32::try_from(hits).unwrap());
    assert!((0.40..0.55).contains(&part), "{duplicates} of {hits}");
}

#[test]
fn too_great_hash_counting_number_overlaps_with_the_neighbour() {
    // A quarter too long: the window's last fifth is the next chip's first quarter. Three of four chips have a neighbour.
    let (duplicates, hits) = duplicates(7670, Duration::from_millis(2300));
    let part = f64::from(u32::try_from(duplicates).unwrap()) / f64::from(u32::try_from(hits).unwrap());
    assert!((0.08..0.22).contains(&part), "{duplicates} of {hits}");
}

#[test]
fn chips_without_addresses_hash_the_same() {
    let (mut chain, now) = chain(ChipModel::Bm1362, 2, &options(10));
    let all = bring_up_bm1362(1, 2, 6041);
    // Without `chain inactive` both take address 0.
    let inactive = bytes("55AA5305000003");
    let at = all.windows(inactive.len()).position(|window| window == inactive).unwrap();
    chain.receive(&[&all[..at], &all[at + inactive.len()..]].concat(), now);
    chain.receive(&bytes(EXAMPLE_A), now);
    run(&mut chain, now, Duration::from_secs(1));
    let statistics = chain.statistics();
    assert_eq!(statistics.duplicates * 2, statistics.hits());
    assert_eq!(violations(&chain), [Violation::AddressBeforeInactive]);
}

#[test]
fn masked_versions_and_cores_are_obeyed() {
    let (mut chain, now) = gamma(&options(10), HCN_525);
    chain.receive(&frame("510900A49000000F"), now);
    // Nonces of cores 32 to 63 only.
    chain.receive(&frame("510900182000C100"), now);
    chain.receive(&bytes(EXAMPLE_A), now);
    let found = run(&mut chain, now, Duration::from_secs(1));
    assert!(!found.is_empty());
    assert!(found.iter().all(|frame| frame[8] == 0 && frame[9] < 16 && (32..64).contains(&(frame[2] >> 1))));
}

#[test]
fn fixed_version_is_not_rolled() {
    let (mut chain, now) = gamma(&options(8), HCN_525);
    chain.receive(&frame("510900A490000000"), now);
    chain.receive(&bytes(EXAMPLE_A), now);
    let found = run(&mut chain, now, Duration::from_millis(500));
    assert!(!found.is_empty() && found.iter().all(|frame| frame[8..10] == [0, 0]));
    assert_eq!(violations(&chain), []);
}

#[test]
fn nothing_hashes_before_everything_is_set() {
    for missing in [HCN_525, "55AA4109003C800082AA05", "55AA5109000840A8023003"] {
        let (mut chain, now) = chain(ChipModel::Bm1370, 1, &options(8));
        let all = [BM1370.concat().replace(' ', ""), HCN_525.to_owned()].concat();
        let mut init = all.replace(missing, "");
        if missing.contains("0840A8") {
            // A clock that cannot be.
            init.push_str(&hex::encode(frame("51090008409F0230")));
        }
        chain.receive(&bytes(&init), now);
        chain.receive(&bytes(EXAMPLE_A), now);
        assert_eq!(run(&mut chain, now, Duration::from_millis(100)).len(), 0, "{missing}");
    }
}

#[test]
fn reset_forgets_everything() {
    let (mut chain, now) = gamma(&options(8), HCN_525);
    chain.receive(&bytes(EXAMPLE_A), now);
    chain.supply(Supply { running: false, ..Supply::GOOD }, now);
    assert_eq!(chain.receive(&bytes("55AA520500000A"), now), Vec::<u8>::new());
    assert_eq!(violations(&chain), [Violation::ChipsOff]);
    chain.supply(Supply::GOOD, now);
    let later = now + Duration::from_millis(10);
    assert_eq!(chain.receive(&bytes("55AA520500000A"), later), bytes("AA55137000000000 06"));
    assert_eq!(run(&mut chain, later, Duration::from_millis(100)).len(), 0);
}

#[test]
fn baud_divider_is_read_from_the_right_register() {
    let near = |chain: &Chain, baud: f64| (chain.baud() - baud).abs() < 1.0;
    let (mut chain_1370, now) = gamma(&options(12), HCN_525);
    assert!(near(&chain_1370, 115_740.7));
    chain_1370.receive(&bytes("55AA510900281130020003"), now);
    assert!(near(&chain_1370, 1_041_666.7));
    let (mut chain_1397, now) = chain(ChipModel::Bm1397, 1, &options(12));
    assert!(near(&chain_1397, 115_740.7));
    chain_1397.receive(&bytes("55AA510900180000603100"), now);
    assert!(near(&chain_1397, 3_125_000.0));
}

#[test]
fn replies_keep_the_pace_of_the_line() {
    let line = Options { pacing: crate::simulate::Pacing::Line, ..options(12) };
    let (mut chain, now) = chain(ChipModel::Bm1362, 2, &line);
    assert_eq!(chain.receive(&bytes("55AA520500000A"), now), Vec::<u8>::new());
    let byte = Duration::from_secs_f64(10.0 / 115_740.74);
    assert_eq!(chain.due(now + byte * 8), Vec::<u8>::new());
    assert_eq!(chain.due(now + byte * 9 + Duration::from_micros(1)).len(), 9);
    assert_eq!(chain.due(now + byte * 18), Vec::<u8>::new(), "a gap of a byte between frames");
    assert_eq!(chain.due(now + byte * 19 + Duration::from_micros(2)).len(), 9);
}

#[test]
fn bm1397_hashes_midstates_and_names_theirs() {
    let (mut chain, now) = chain(ChipModel::Bm1397, 1, &options(10));
    assert_eq!(chain.receive(&bytes("55AA520500000A"), now), bytes("AA5513971800000006"));
    chain.receive(&bytes("55AA5305000003 55AA400500001C 55AA510900084044022107"), now);
    let frame = "55AA219604040000000001DD0517D88B6564C604A8464D3185F25F7D5DE0E3591741CB21CAE11574DDD65D490D3D68739F8A52EADF91\
                 1223A956E9EF56CB49D27F0829C7AFEAD0908EAD93772919D4BC33EFCB6996584176317EF2641293A3EFFCA4188675380C97DAA3\
                 2F37D00D3228F08966C0B97D73828AE1E589678BC3F03B5A863835599CD73C42E3B67BBDC47F5B51EAEC465A1F08";
    chain.receive(&bytes(frame), now);
    let mut replies = Vec::new();
    for step in 1..=100 {
        replies.extend(chain.run(now + Duration::from_millis(step)));
    }
    assert_eq!(violations(&chain), []);
    assert!(replies.len() >= 5 * 9, "{}", replies.len());
    let mut midstates = HashSet::new();
    for reply in replies.chunks(9) {
        let version: u32 = 0x2000_0004 + 0x2000 * u32::from(reply[7] & 3);
        let mut header = version.to_le_bytes().to_vec();
        header.extend(bytes("35fd44bf837bdc13c6e5607db472b528a804d248490700000000000000000000"));
        header.extend(bytes("cd1be82132ef0d12053dcece1fa0247fcfdb61d4dbd3eb32ea9ef9b4c604a846 d88b6564 01dd0517"));
        header.extend(&reply[2..6]);
        let hash = Sha256::digest(Sha256::digest(header));
        assert!(hash[31] == 0 && hash[30] < 0x40, "{reply:02x?}");
        assert_eq!(reply[7] & 0xfc, 4);
        midstates.insert(reply[7] & 3);
    }
    assert!(midstates.len() > 1);
}

#[test]
fn new_job_replaces_the_old_within_milliseconds() {
    let (mut chain, now) = gamma(&options(8), HCN_525);
    chain.receive(&job(0x18, 1_700_000_000), now);
    run(&mut chain, now, Duration::from_millis(50));
    let at = now + Duration::from_millis(60);
    chain.receive(&job(0x30, 1_700_000_001), at);
    let found = run(&mut chain, at, Duration::from_millis(100));
    assert!(found.iter().any(|frame| frame[7] >> 4 == 6) && found.iter().all(|frame| frame[7] >> 4 == 6));
}

#[test]
fn counters_advance_as_in_silicon() {
    let (mut chain, now) = gamma(&options(12), HCN_525);
    chain.receive(&bytes(EXAMPLE_A), now);
    run(&mut chain, now, Duration::from_secs(1));
    let reply = chain.receive(&frame("4205008C"), now + Duration::from_secs(1));
    let count = u32::from_be_bytes([reply[2], reply[3], reply[4], reply[5]]);
    assert!(count.abs_diff(249) <= 1, "{count}");
}

#[test]
fn budget_slows_chips_and_nothing_else() {
    let half = Options { hash_budget: Some(HashRate::from_hashes_per_second(510_681.0)), ..options(12) };
    let (mut chain, now) = gamma(&half, HCN_525);
    chain.receive(&bytes(EXAMPLE_A), now);
    run(&mut chain, now, Duration::from_secs(1));
    assert!(chain.statistics().hashes().abs_diff(510_681) < 4096);
}

#[test]
fn mistakes_in_frames_are_noticed() {
    let (mut chain, now) = gamma(&options(12), HCN_525);
    for (sent, violation) in [
        (bytes("55AA520500000B"), Violation::BadChecksum),
        (bytes("55AA510500000A"), Violation::BadLength),
        (bytes("55AA6005000000"), Violation::UnknownHeader),
        (bytes("00"), Violation::NoFrame),
        (frame("510900F000000000"), Violation::UnknownRegister),
        (frame("5109008C00000000"), Violation::ReadOnly),
        (frame("5109001400000001"), Violation::TicketMask),
        (frame("5109001800007A31"), Violation::MiscControl),
        (frame("5109000840F00230"), Violation::PllRange),
        (job(0x19, 1), Violation::JobId),
    ] {
        let before = chain.violations().len();
        chain.receive(&sent, now);
        let new = violations(&chain)[before..].to_vec();
        assert_eq!(new.first(), Some(&violation), "{sent:02x?}: {new:?}");
        // The parser finds its feet again.
        assert!(!chain.receive(&frame("42050000"), now).is_empty(), "{sent:02x?}");
        chain.receive(&frame("510900184000C100"), now);
        chain.receive(&bytes("55AA5109000840A8023003"), now);
    }
}

#[test]
fn order_of_the_bring_up_is_watched() {
    let (mut chain_1, now) = chain(ChipModel::Bm1370, 1, &options(12));
    chain_1.receive(&bytes("55AA510900A49000FFFF1C 55AA4109003C800082AA05"), now);
    assert_eq!(violations(&chain_1), [Violation::DirectedBeforeAddressed, Violation::CoresBeforeClock]);
    let (mut chain_2, now) = chain(ChipModel::Bm1370, 1, &options(12));
    chain_2.receive(&bytes("55AA510900A49000FFFF1C"), now);
    chain_2.receive(&bytes(EXAMPLE_A), now);
    assert_eq!(violations(&chain_2), [Violation::JobTooEarly]);
    let (mut chain_3, now) = gamma(&options(12), HCN_525);
    let mut rolled = bytes(EXAMPLE_A);
    rolled[82..86].copy_from_slice(&[0, 0x60, 0, 0x20]);
    let sum = crate::simulate::crc::crc16(&rolled[2..86]);
    rolled[86..].copy_from_slice(&sum.to_be_bytes());
    chain_3.receive(&rolled, now);
    assert_eq!(violations(&chain_3), [Violation::VersionInMask]);
}

#[test]
fn too_little_voltage_makes_wrong_nonces_and_then_hangs() {
    let (mut chain, now) = gamma(&options(10), HCN_525);
    chain.receive(&bytes(EXAMPLE_A), now);
    chain.supply(Supply { wrong: 0.5, ..Supply::GOOD }, now);
    let found = run(&mut chain, now, Duration::from_secs(1));
    let is_wrong = |frame: &&Vec<u8>| {
        let hash = hash_a(u16::from_be_bytes([frame[8], frame[9]]).into(), &frame[2..6]);
        hash[0] != 0 || hash[1] > 0x3f
    };
    let wrong = found.iter().filter(is_wrong).count();
    assert!(wrong * 4 > found.len() && wrong * 4 < found.len() * 3, "{wrong} of {}", found.len());
    assert_eq!(u64::try_from(wrong).unwrap(), chain.statistics().wrong);
    let later = now + Duration::from_secs(2);
    chain.supply(Supply { hangs: true, ..Supply::GOOD }, later);
    chain.supply(Supply::GOOD, later);
    assert_eq!(chain.receive(&bytes("55AA520500000A"), later), Vec::<u8>::new(), "until reset");
}
