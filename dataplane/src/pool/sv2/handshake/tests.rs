//! Against the responder of the reference implementation, over streams in memory.

use super::*;
use crate::pool::sv2::{
    clock,
    limits::Limits,
    testing::Authority,
    transport::{Reader, Writer},
};
use tokio::io::{DuplexStream, duplex};

const DEADLINE: Duration = Duration::from_secs(10);
const LEEWAY: Duration = Duration::from_secs(10);

fn trust(authorities: &[AuthorityKey]) -> Trust<'_> {
    Trust { authorities, now: clock::wall(), leeway: LEEWAY }
}

async fn shake(ours: Authority, theirs: Authority, ahead: i64) -> Result<Secured, HandshakeError> {
    let (mut client, mut server) = duplex(1024);
    let keys = [ours.key];
    let (shaken, _) =
        tokio::join!(initiate(&mut client, trust(&keys), DEADLINE), async { theirs.respond(&mut server, ahead).await });
    shaken
}

async fn act_1(stream: &mut DuplexStream) -> [u8; 64] {
    let mut act_1 = [0; 64];
    stream.read_exact(&mut act_1).await.unwrap();
    act_1
}

// N1, N9
#[tokio::test(start_paused = true)]
async fn act_1_is_64_bytes_and_a_mute_responder_is_given_up() {
    let (mut client, mut server) = duplex(1024);
    let begun = tokio::time::Instant::now();
    let failed = initiate(&mut client, trust(&[Authority::new(1).key]), DEADLINE).await;
    assert!(matches!(failed, Err(HandshakeError::Mute(DEADLINE))), "{failed:?}");
    assert_eq!(begun.elapsed(), DEADLINE);
    drop(client);
    let mut said = Vec::new();
    server.read_to_end(&mut said).await.unwrap();
    assert_eq!(said.len(), 64);
}

// N2
#[tokio::test]
async fn act_2_may_come_in_bytes_and_with_the_first_frame_behind_it() {
    for at_once in [false, true] {
        let authority = Authority::new(1);
        let (mut client, mut server) = duplex(4096);
        let pool = async {
            let (act_2, engine) = authority.answer(act_1(&mut server).await, 0);
            let mut bytes = act_2.to_vec();
            let (encrypt, _) = engine.into_split();
            let mut sealed = Vec::new();
            Writer::new(&mut sealed, encrypt, Limits::default()).send(&[0, 0, 0x21, 2, 0, 0, 8, 9]).await.unwrap();
            bytes.extend(sealed);
            if at_once {
                server.write_all(&bytes).await.unwrap();
            } else {
                for byte in bytes {
                    server.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        };
        let miner = async {
            let secured = initiate(&mut client, trust(&[authority.key]), DEADLINE).await.unwrap();
            let (_, decrypt) = secured.engine.into_split();
            Reader::new(&mut client, decrypt, Limits::default()).next().await.unwrap()
        };
        let (frame, ()) = tokio::join!(miner, pool);
        assert_eq!((frame.kind, frame.payload), (0x21, vec![8, 9]));
    }
}

// N4
#[tokio::test]
async fn other_authority_is_a_wrong_key_whatever_its_clock_says() {
    for ahead in [0, 600, -7200] {
        let failed = shake(Authority::new(1), Authority::new(2), ahead).await;
        assert!(matches!(failed, Err(HandshakeError::WrongKey)), "{ahead}: {failed:?}");
    }
}

// N5
#[tokio::test]
async fn clocks_may_differ_by_seconds_but_not_by_a_minute() {
    let authority = Authority::new(1);
    for ahead in [-5, 0, 5] {
        let secured = shake(authority, authority, ahead).await.unwrap();
        let lasts = secured.certificate_not_after.unwrap().duration_since(SystemTime::now()).unwrap();
        assert!(lasts > Duration::from_secs(3500) && lasts < Duration::from_secs(3700), "{lasts:?}");
    }
    for ahead in [60, -3660] {
        match shake(authority, authority, ahead).await {
            Err(HandshakeError::ClockSkew { valid_from, not_valid_after, now }) => {
                assert_eq!(not_valid_after - valid_from, 3600);
                assert!(now < valid_from || not_valid_after < now);
            }
            other => panic!("{ahead}: {other:?}"),
        }
    }
}

// N10
#[tokio::test]
async fn flipped_bit_in_act_2_is_no_handshake() {
    for at in [0, 70, 200, 233] {
        let authority = Authority::new(1);
        let (mut client, mut server) = duplex(1024);
        let pool = async {
            let (mut act_2, _) = authority.answer(act_1(&mut server).await, 0);
            act_2[at] ^= 1;
            server.write_all(&act_2).await.unwrap();
        };
        let keys = [authority.key];
        let (failed, ()) = tokio::join!(initiate(&mut client, trust(&keys), DEADLINE), pool);
        assert!(matches!(failed, Err(HandshakeError::Garbled)), "{at}: {failed:?}");
    }
}

#[tokio::test]
async fn responder_that_hangs_up_is_told_apart() {
    let (mut client, mut server) = duplex(1024);
    let pool = async {
        act_1(&mut server).await;
        server.write_all(&[0; 100]).await.unwrap();
        drop(server);
    };
    let keys = [Authority::new(1).key];
    let (failed, ()) = tokio::join!(initiate(&mut client, trust(&keys), DEADLINE), pool);
    assert!(matches!(failed, Err(HandshakeError::Closed(_))), "{failed:?}");
}

// N5, N6
#[test]
fn certificate_counts_in_its_time_with_ten_seconds_leeway_and_in_version_0_only() {
    let at = |now| Trust { authorities: &[], now: Some(now), leeway: LEEWAY };
    let in_force = |now| is_in_force(0, 1_000, 2_000, at(now)).unwrap();
    assert!(in_force(990) && in_force(2_010) && !in_force(989) && !in_force(2_011));
    assert!(is_in_force(0, 5, u32::MAX, at(u32::MAX)).unwrap());
    assert!(matches!(is_in_force(1, 1_000, 2_000, at(1_500)), Err(HandshakeError::CertificateVersion(1))));
}

// N5
#[test]
fn message_about_the_clock_has_all_three_times_and_the_way_out() {
    let said = HandshakeError::ClockSkew { valid_from: 111, not_valid_after: 222, now: 333 }.to_string();
    assert!(["111", "222", "333", "check the clock"].iter().all(|part| said.contains(part)), "{said}");
}

// SEC1
#[tokio::test]
async fn any_of_several_authorities_may_have_signed_and_no_other() {
    let theirs = Authority::new(3);
    for (keys, trusted) in [([1, 2, 3], true), ([3, 1, 2], true), ([1, 2, 4], false)] {
        let keys = keys.map(|number| Authority::new(number).key);
        let (mut client, mut server) = duplex(1024);
        let (shaken, _) = tokio::join!(initiate(&mut client, trust(&keys), DEADLINE), theirs.respond(&mut server, 0));
        match shaken {
            Ok(secured) => assert!(trusted && secured.authority == theirs.key),
            Err(refused) => assert!(!trusted && matches!(refused, HandshakeError::WrongKey), "{refused:?}"),
        }
    }
}

// SEC5
#[tokio::test]
async fn without_a_clock_the_signature_alone_counts_and_still_counts() {
    for (theirs, trusted) in [(1, true), (2, false)] {
        let keys = [Authority::new(1).key];
        let trust = Trust { authorities: &keys, now: None, leeway: LEEWAY };
        let (mut client, mut server) = duplex(1024);
        let theirs = Authority::new(theirs);
        let (shaken, _) = tokio::join!(initiate(&mut client, trust, DEADLINE), theirs.respond(&mut server, 86_400));
        assert_eq!(shaken.is_ok(), trusted);
    }
}

// N12
#[tokio::test]
async fn handshake_says_nothing_in_the_log() {
    let (lines, _guard) = crate::log_lines::LogLines::take();
    let authority = Authority::new(1);
    shake(authority, authority, 0).await.unwrap();
    shake(authority, authority, 600).await.unwrap_err();
    shake(authority, Authority::new(2), 0).await.unwrap_err();
    assert_eq!(lines.all(), Vec::<String>::new());
    tracing::warn!("and would have been heard");
    assert_eq!(lines.all().len(), 1);
}
