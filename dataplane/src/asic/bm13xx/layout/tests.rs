use super::*;
use crate::asic::bm13xx::fixtures;
use proptest::prelude::*;

/// The header that a frame with a whole header means, read without the encoder. The nonce is zero.
fn header_of(frame: &[u8; HEADER_FRAME]) -> [u8; HEADER_LEN] {
    let words = |from: &[u8]| from.chunks(4).rev().flatten().copied().collect::<Vec<_>>();
    let fields =
        [&frame[82..86], &words(&frame[50..82]), &words(&frame[18..50]), &frame[14..18], &frame[10..14], &[0; 4]];
    fields.concat().try_into().unwrap()
}

fn with(header: &str, version: u32) -> [u8; HEADER_LEN] {
    let mut header: [u8; HEADER_LEN] = fixtures::array(header);
    header[..4].copy_from_slice(&version.to_le_bytes());
    header[76..].fill(0);
    header
}

#[test]
fn jobs_of_a_gamma_and_of_a_block_are_laid_out_as_known() {
    let gamma = whole(JobId(0x68), &with(fixtures::GAMMA_HEADER, 0x2000_0000));
    assert_eq!(gamma, fixtures::array(fixtures::GAMMA_JOB));
    let block = whole(JobId(0x18), &with(fixtures::BLOCK_HEADER, 0x2000_0000));
    assert_eq!(block, fixtures::array(fixtures::BLOCK_JOB));
}

#[test]
fn captured_jobs_have_the_checksum_and_the_layout_of_ours() {
    for (job, id) in fixtures::JOBS.into_iter().zip([JobId(0x18), JobId(0)]) {
        let captured: [u8; HEADER_FRAME] = fixtures::array(job);
        assert_eq!(crc::crc16(&captured[2..86]).to_be_bytes(), captured[86..]);
        let mut ours = whole(id, &header_of(&captured));
        // Stock firmware names another length.
        ours[3] = captured[3];
        assert_eq!(ours[..86], captured[..86]);
    }
    let mut block: [u8; HEADER_FRAME] = fixtures::array(fixtures::BLOCK_JOB);
    block[3] = 0x36;
    assert_eq!(crc::crc16(&block[2..86]), 0xac50);
}

#[test]
fn midstates_are_those_of_the_known_jobs() {
    let header = fixtures::array(fixtures::BM1397_HEADER);
    let four = midstates(JobId(4), &header, 0x1fff_e000, [0; 4]);
    assert_eq!(four.as_bytes(), fixtures::bytes(fixtures::BM1397_JOB));
    let one = midstates(JobId(4), &header, 0, [0; 4]);
    let (one, four) = (one.as_bytes(), four.as_bytes());
    assert_eq!((one.len(), &one[2..6]), (56, &[0x21, 0x36, 4, 1][..]));
    assert_eq!(one[6..54], four[6..54]);
    assert_eq!(crc::crc16(&one[2..54]).to_be_bytes(), one[54..]);
    let block = with(fixtures::BLOCK_HEADER, 0x2e59_2000);
    let block = midstates(JobId(0x18), &block, 0x1fff_e000, [0x02, 0xfb, 0x05, 0xff]);
    assert_eq!(block.as_bytes(), fixtures::bytes(fixtures::BM1397_BLOCK_JOB));
}

#[test]
fn byte_order_of_midstates_is_the_one_that_gives_the_known_hash() {
    // The frame has the state's last word first. The rest of the hash, from there.
    let words: Vec<u8> = fixtures::bytes(fixtures::BM1397_TEST_MIDSTATE).chunks(4).rev().flatten().copied().collect();
    let state = sha256::Midstate::from_byte_array(words.try_into().unwrap());
    let mut engine = sha256::HashEngine::from_midstate(state, 64);
    engine.input(&fixtures::bytes(fixtures::BM1397_TEST_TAIL));
    let first = <sha256::Hash as bitcoin::hashes::Hash>::from_engine(engine);
    assert_eq!(first.hash_again().to_string(), fixtures::BM1397_TEST_HASH);
}

proptest! {
    #[test]
    fn headers_round_trip(header in proptest::array::uniform32(any::<u8>()), rest in proptest::array::uniform32(any::<u8>()), end: [u8; 12], id: u8) {
        let header: [u8; HEADER_LEN] = [&header[..], &rest, &end, &[0; 4]].concat().try_into().unwrap();
        let frame = whole(JobId(id), &header);
        prop_assert_eq!(header_of(&frame), header);
        prop_assert_eq!(&frame[..10], &[0x55, 0xaa, 0x21, 0x56, id, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn versions_count_up_within_their_mask(version: u32, mask: u32) {
        let lowest_first = |version: u32| (0..32).filter(|bit| mask >> bit & 1 != 0).enumerate()
            .fold(0_u64, |number, (place, bit)| number | u64::from(version >> bit & 1) << place);
        let next = next_version(version, mask);
        prop_assert_eq!(next & !mask, version & !mask);
        prop_assert_eq!(lowest_first(next), (lowest_first(version) + 1) % (1 << mask.count_ones()));
    }
}
