use super::*;
use crate::asic::bm13xx::{
    fixtures::{self, CapturedNonce, ScaledNonce},
    frame::{Decoder, ResponseForm},
    layout,
};
use bitcoin::hashes::{Hash, sha256d};

fn nonce(frame: &str) -> NonceReply {
    let bytes = fixtures::bytes(frame);
    let form = if bytes.len() == 9 { ResponseForm::Short } else { ResponseForm::Long };
    match Decoder::new(form).next(&mut &bytes[..]) {
        Some(Response::Nonce(nonce)) => nonce,
        other => panic!("{frame}: {other:?}"),
    }
}

/// Hash of a header with the version and the nonce of a reply, as explorers show it.
fn hash(header: &str, base: u32, mask: u32, reply: NonceReply) -> String {
    let mut header: [u8; 80] = fixtures::array(header);
    let version = rolled_version(base, mask, reply.version.unwrap_or_default()).unwrap();
    header[..4].copy_from_slice(&version.to_le_bytes());
    header[76..].copy_from_slice(&reply.nonce.to_le_bytes());
    sha256d::Hash::hash(&header).to_string()
}

#[test]
fn captured_nonces_say_where_they_come_from() {
    let of = |model, all: &'static [CapturedNonce]| all.iter().map(move |nonce| (model, nonce));
    let all = of(Model::Bm1370, &fixtures::BM1370_NONCES).chain(of(Model::Bm1362, &fixtures::BM1362_NONCES));
    for (model, captured) in all {
        let reply = nonce(&format!("AA55 {}", captured.body));
        assert_eq!(reply.job_id(model).0 >> 3, captured.job, "{}", captured.body);
        assert_eq!(reply.sub_core(model), captured.sub_core, "{}", captured.body);
        assert_eq!(reply.version, Some(captured.version), "{}", captured.body);
        let place = reply.place(model);
        assert_eq!((place.core, place.address), (captured.core, captured.address), "{}", captured.body);
        assert!(captured.counter.is_none_or(|counter| counter == place.counter), "{}: {place:x?}", captured.body);
    }
    assert_eq!(nonce("AA55 1800A640 0299 22F9 91").nonce, 0x40a6_0018);
    assert_eq!(nonce("AA55 6DB88EE1 0104 0354 94").chip(126, 2), Some(0xdc / 2));
}

#[test]
fn share_of_a_gamma_and_a_block_have_their_hashes() {
    let gamma = nonce(fixtures::GAMMA_NONCE);
    assert_eq!(gamma.job_id(Model::Bm1370), JobId(0x68));
    assert_eq!(gamma.excess >> 1, 46 - 40);
    assert_eq!(hash(fixtures::GAMMA_HEADER, 0x2000_0000, 0x1fff_e000, gamma), fixtures::GAMMA_HASH);
    for (frame, model) in fixtures::BLOCK_NONCES.into_iter().zip([Model::Bm1370, Model::Bm1362]) {
        let block = nonce(frame);
        assert_eq!(block.job_id(model), JobId(0x18));
        assert_eq!(hash(fixtures::BLOCK_HEADER, 0x2000_0000, 0x1fff_e000, block), fixtures::BLOCK_HASH);
    }
    assert_eq!(nonce(fixtures::BLOCK_NONCES[1]).job_id(Model::Bm1366), JobId(0x18));
}

#[test]
fn scaled_nonces_have_their_places_and_hashes() {
    let check = |model, address, all: [ScaledNonce; 4]| {
        for (frame, core, sub_core, counter, zeros, shown) in all {
            let reply = nonce(frame);
            assert_eq!(reply.place(model), NoncePlace { core, address, counter }, "{frame}");
            assert_eq!(reply.sub_core(model), sub_core, "{frame}");
            assert_eq!(reply.version, Some(u16::from(sub_core)), "{frame}");
            assert_eq!(reply.job_id(model), JobId(0x68), "{frame}");
            let hash = hash(fixtures::GAMMA_HEADER, 0x2000_0000, 0x1fff_e000, reply);
            assert_eq!(hash, shown, "{frame}");
            let found = u128::from_str_radix(&hash[..32], 16).unwrap().leading_zeros();
            assert_eq!((found, u32::from(reply.excess) / 2), (zeros, zeros - 16), "{frame}");
        }
    };
    check(Model::Bm1370, None, fixtures::BM1370_SCALED);
    check(Model::Bm1362, Some(2), fixtures::BM1362_SCALED);
}

#[test]
fn bm1397_names_the_midstate_that_it_used() {
    let test = nonce(fixtures::BM1397_TEST_NONCE);
    assert_eq!((test.job_id(Model::Bm1397), test.sub_core(Model::Bm1397), test.version), (JobId(0x18), 2, None));
    assert_eq!(test.nonce.to_le_bytes(), [0x9b, 0x04, 0x4c, 0x0a]);
    let block = nonce(fixtures::BM1397_BLOCK_NONCE);
    assert_eq!((block.job_id(Model::Bm1397), block.sub_core(Model::Bm1397)), (JobId(0x18), 2));
    let mut version = 0x2e59_2000;
    for _ in 0..block.sub_core(Model::Bm1397) {
        version = layout::next_version(version, 0x1fff_e000);
    }
    assert_eq!(hash(fixtures::BLOCK_HEADER, version, 0, block), fixtures::BLOCK_HASH);
}

#[test]
fn register_values_are_read_in_both_forms() {
    for (frame, value, address, register) in fixtures::REGISTER_VALUES {
        let bytes = fixtures::bytes(frame);
        let form = if bytes.len() == 9 { ResponseForm::Short } else { ResponseForm::Long };
        let read = Decoder::new(form).next(&mut &bytes[..]);
        assert_eq!(read, Some(Response::Register(RegisterValue { address, register, value })), "{frame}");
    }
}

#[test]
fn version_keeps_the_bits_outside_the_mask_and_takes_none_there() {
    assert_eq!(rolled_version(0x2000_0004, 0x1fff_e000, 0x05a2), Some(0x20b4_4004));
    assert_eq!(rolled_version(0x3fff_ffff, 0x1fff_e000, 0), Some(0x2000_1fff));
    assert_eq!(rolled_version(0x2000_0000, 0x0000_e000, 8), None);
    assert_eq!(rolled_version(0x2000_2000, 0, 0), Some(0x2000_2000));
}

#[test]
fn nonce_names_its_chip_by_address() {
    let reply = |address: u8| {
        let x = u32::from(address) << 17;
        NonceReply { nonce: x.swap_bytes(), excess: 0, header: 0, version: None }
    };
    assert!((0..12).all(|chip| reply(chip * 16 + 14).chip(12, 16) == Some(chip)));
    assert_eq!(reply(0xc0).chip(12, 16), None, "an address that no chip has");
    assert_eq!(reply(0xfe).chip(1, 256), Some(0));
    assert_eq!(reply(0x10).chip(2, 0), None);
    assert_eq!(reply(0x84).place(Model::Bm1362).address, Some(0x84));
}
