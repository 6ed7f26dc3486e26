//! Bytes written down by hand from the specification, round trips through the wire crates, and garbage.

mod fuzz;

use super::*;
use crate::pool::sv2::testing;
use proptest::{collection::vec, prelude::*};

fn split(bytes: &[u8]) -> Frame {
    let extension = u16::from_le_bytes([bytes[0], bytes[1]]) & 0x7fff;
    Frame::new(extension, bytes[2], bytes[HEADER..].to_vec())
}

fn new_job() -> NewJob {
    NewJob {
        channel_id: 1,
        job_id: 2,
        min_ntime: Some(0),
        version: 0x2000_0000,
        version_rolling_allowed: true,
        merkle_path: vec![[3; 32], [4; 32]],
        coinbase_tx_prefix: Bytes::from_static(&[5; 9]),
        coinbase_tx_suffix: Bytes::from_static(&[6; 7]),
    }
}

fn one_of_each() -> Vec<Incoming> {
    let code = || "duplicate-share".to_owned();
    vec![
        Incoming::SetupSuccess { used_version: 2, flags: 3 },
        Incoming::SetupError { flags: 4, code: code() },
        Incoming::OpenSuccess(OpenSuccess {
            request_id: 1,
            channel_id: 2,
            share_target: ShareTarget::from_expected_hashes(1e9),
            extranonce_size: 16,
            extranonce_prefix: Bytes::from_static(&[1, 2, 3]),
            group_channel_id: 4,
        }),
        Incoming::OpenError { request_id: 1, code: code() },
        Incoming::NewJob(new_job()),
        Incoming::NewJob(NewJob {
            min_ntime: None,
            merkle_path: Vec::new(),
            version_rolling_allowed: false,
            ..new_job()
        }),
        Incoming::NewTip(NewTip { channel_id: 1, job_id: 2, prev_hash: [9; 32], min_ntime: 3, nbits: 4 }),
        Incoming::SetTarget { channel_id: 1, share_target: ShareTarget::MAX },
        Incoming::SetExtranoncePrefix { channel_id: 1, prefix: Bytes::from_static(&[7; 32]) },
        Incoming::SetGroupChannel { group_channel_id: 1, channel_ids: vec![2, 3] },
        Incoming::SharesAccepted { channel_id: 1, last_sequence_number: 2, count: u32::MAX, shares_sum: u64::MAX },
        Incoming::ShareRefused { channel_id: 1, sequence_number: 2, code: code() },
        Incoming::UpdateRefused { channel_id: 1, code: code() },
        Incoming::CloseChannel { channel_id: 1, reason: code() },
        Incoming::Reconnect { host: "pool.example".into(), port: 3336 },
        Incoming::EndpointChanged { channel_id: 1 },
        Incoming::ExtensionsGranted { request_id: 1, extensions: vec![2, 0x4001] },
        Incoming::ExtensionsRefused { request_id: 1, required: vec![2] },
    ]
}

// F1, F5, 6.2
#[test]
fn setup_is_the_first_frame_by_the_letter() {
    let setup = Setup {
        flags: 4,
        host: "h".into(),
        port: 0x1234,
        vendor: "ve".into(),
        hardware_version: "hw".into(),
        firmware: "f".into(),
    };
    let mut expected = vec![0, 0, 0x00, 25, 0, 0];
    expected.extend([0, 2, 0, 2, 0, 4, 0, 0, 0]); // protocol, versions, flags
    expected.extend([1, b'h', 0x34, 0x12]);
    expected.extend([2, b'v', b'e', 2, b'h', b'w', 1, b'f', 0]); // and no device id (S2)
    expected[3] = u8::try_from(expected.len() - HEADER).unwrap();
    assert_eq!(encode(&Outgoing::Setup(setup)).unwrap().as_slice(), expected);
}

// F5, U1, U12
#[test]
fn share_has_the_channel_bit_and_its_exact_extranonce() {
    let share = Share {
        channel_id: 1,
        sequence_number: 0x0403_0201,
        job_id: 5,
        nonce: 6,
        ntime: 7,
        version: 0x2000_e000,
        extranonce: Extranonce::new(&[9, 8, 7]).unwrap(),
        worker: None,
    };
    let mut expected = vec![0, 0x80, 0x1b, 28, 0, 0];
    for field in [1_u32, 0x0403_0201, 5, 6, 7, 0x2000_e000] {
        expected.extend(field.to_le_bytes());
    }
    expected.extend([3, 9, 8, 7]);
    assert_eq!(encode(&Outgoing::Share(share.clone())).unwrap().as_slice(), expected);
    let longest = Share { extranonce: Extranonce::new(&[0; 32]).unwrap(), ..share };
    assert_eq!(encode(&Outgoing::Share(longest)).unwrap().len(), 6 + 24 + 1 + 32);
}

// F5, C3, C4
#[test]
fn channel_is_asked_for_with_target_in_little_endian() {
    let (user, max_target) = ("u".to_owned(), ShareTarget::from_expected_hashes(256.0));
    let open = Outgoing::Open { request_id: 1, user, hash_rate: 1.5, max_target, min_extranonce_size: 4 };
    let mut expected = vec![0, 0, 0x13, 44, 0, 0, 1, 0, 0, 0, 1, b'u'];
    expected.extend(1.5_f32.to_le_bytes());
    expected.extend(max_target.to_le_bytes());
    expected.extend([4, 0]);
    assert_eq!(encode(&open).unwrap().as_slice(), expected);
    let update = encode(&Outgoing::Update { channel_id: 9, hash_rate: 1.5, max_target }).unwrap();
    assert_eq!(update[..10], [0, 0x80, 0x16, 40, 0, 0, 9, 0, 0, 0]);
    let close = encode(&Outgoing::Close { channel_id: 9, reason: "bye" }).unwrap();
    assert_eq!(close.as_slice(), [0, 0x80, 0x18, 8, 0, 0, 9, 0, 0, 0, 3, b'b', b'y', b'e']);
}

// S2, C2
#[test]
fn text_of_more_than_255_bytes_is_refused_not_cut() {
    let open = |len| Outgoing::Open {
        request_id: 1,
        user: "u".repeat(len),
        hash_rate: 1.0,
        max_target: ShareTarget::MAX,
        min_extranonce_size: 4,
    };
    assert!(encode(&open(255)).is_ok());
    assert_eq!(encode(&open(256)), Err(Unsendable("the user")));
}

// F7
#[test]
fn every_message_is_read_as_it_was_written_whatever_follows_it() {
    for message in one_of_each() {
        let mut bytes = testing::encode(&message);
        assert_eq!(decode(split(&bytes)), Ok(message.clone()));
        bytes.extend([1, 2, 3, 4, 5]);
        assert_eq!(decode(split(&bytes)), Ok(message));
    }
}

// F8, G5
#[test]
fn truncated_message_is_malformed_and_never_a_panic() {
    for message in one_of_each() {
        let bytes = testing::encode(&message);
        for len in HEADER..bytes.len() {
            let expected = match message {
                Incoming::SetGroupChannel { .. } => Ok(Incoming::Ignored { extension: 0, kind: bytes[2] }),
                _ => Err(Malformed(bytes[2])),
            };
            assert_eq!(decode(split(&bytes[..len])), expected, "{message:?} cut to {len}");
        }
    }
}

// F8
#[test]
fn option_with_two_values_is_malformed() {
    let mut payload = vec![0; 8];
    payload.extend([2, 1, 0, 0, 0, 2, 0, 0, 0]); // min_ntime
    payload.extend([0; 40]);
    assert_eq!(decode(Frame::new(0, 0x1f, payload)), Err(Malformed(0x1f)));
}

// F9
#[test]
fn only_bit_zero_of_a_bool_counts() {
    let bytes = testing::encode(&Incoming::NewJob(new_job()));
    // channel, job, option with value, version
    let at = HEADER + 4 + 4 + 5 + 4;
    for (byte, allowed) in [(0xfe, false), (0x03, true), (0, false), (1, true)] {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        let Ok(Incoming::NewJob(job)) = decode(split(&bytes)) else { panic!() };
        assert_eq!(job.version_rolling_allowed, allowed, "0x{byte:02x}");
    }
}

// F6, F10, J15
#[test]
fn what_is_not_for_an_extended_channel_is_ignored() {
    for (extension, kind) in [(1, 0), (1, 3), (0x4001, 0), (0x0abc, 0x20), (0, 0x2f), (0, 0x1e), (0, 0x15), (0, 0x1b)] {
        let frame = Frame::new(extension, kind, vec![1; 3]);
        assert_eq!(decode(frame), Ok(Incoming::Ignored { extension, kind }));
    }
}

// SEC7
#[test]
fn text_of_the_pool_is_fit_for_a_log() {
    let bytes = testing::encode(&Incoming::OpenError { request_id: 1, code: "a\u{1b}[31m\nb\u{202e}".into() });
    assert_eq!(decode(split(&bytes)), Ok(Incoming::OpenError { request_id: 1, code: "ab".into() }));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(kind in 0..0x30_u8, payload in vec(any::<u8>(), 0..300)) {
        let _ = decode(Frame::new(0, kind, payload));
    }
}
