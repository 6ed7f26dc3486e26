//! Pools that lie, flood and break off, against a whole data plane: every share is rebuilt and judged by the pool's own
//! record. The cases of `rules.rs` are those of an honest pool.

use crate::rig::{Rig, totals};
use mujina_core::units::ShareTarget;
use mujina_proto::{
    dataplane::v1::{ApplySpecRequest, miner_service_client::MinerServiceClient},
    types::v1::{MinerSpec, MinerState, PoolGroup, PoolOptions, PoolSpec, PoolStrategy},
};
use mujina_testbed::{
    proxy::{Cut, Direction, FaultProxy, Flow},
    scripted_pool::{ChannelPlan, EASY_TARGET, JobPlan, ScriptedOptions, ScriptedPool, Session, message, now},
    sv2_wire::{Authority, Frame, WireError},
    world::Telling,
};
use std::time::Duration;

async fn scripted() -> ScriptedPool {
    ScriptedPool::start(ScriptedOptions::default()).await.unwrap()
}

/// A miner on the pool, whose session is up on the usual channel.
async fn brought_up(pool: &ScriptedPool) -> (Rig, Session) {
    brought_up_by(pool, &pool.url()).await
}

/// The same by another way than the pool's own URL.
async fn brought_up_by(pool: &ScriptedPool, url: &str) -> (Rig, Session) {
    let script = async {
        let mut session = pool.session().await.unwrap();
        session.bring_up(&ChannelPlan::default()).await.unwrap();
        session
    };
    tokio::join!(Rig::on(url), script)
}

/// The pool leaves first.
async fn part(rig: Rig, session: Session) {
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    drop(session);
    rig.finish().await;
}

/// Reads shares until one is good by the newest record: those on the wire before a change belong to what was. From the
/// first good one on all must be.
async fn settled(session: &mut Session, shares: usize) {
    for _ in 0..2_000 {
        let share = session.expect_share().await.unwrap();
        if session.judge(&share).is_ok() {
            session.accept(&share).await.unwrap();
            session.accept_shares(shares).await.unwrap();
            return;
        }
    }
    panic!("no share is good any more");
}

fn length() -> usize {
    ChannelPlan::default().extranonce_length()
}

/// The target that one hash in two to the power of `bits` meets, little-endian.
fn target_of(bits: u32) -> [u8; 32] {
    let mut target = [0xff; 32];
    for (byte, zeros) in target.iter_mut().rev().zip((0..bits).step_by(8)) {
        *byte = 0xff_u8.checked_shr(bits - zeros).unwrap_or(0);
    }
    target
}

fn meets(hash: [u8; 32], target: [u8; 32]) -> bool {
    ShareTarget::from_le_bytes(target).is_met_by(hash)
}

/// A miner on the pool with a target that gives four to eight shares a second, so that the flood cap, which makes targets
/// harder by itself, has no part in what is seen. The bits of the target are returned.
async fn brought_up_slowly(pool: &ScriptedPool) -> (Rig, Session, u32) {
    let script = async {
        let mut session = pool.session().await.unwrap();
        session.expect_setup().await.unwrap();
        session.agree(0).await.unwrap();
        let open = session.expect_open().await.unwrap();
        let hashes = f64::from(open.nominal_hash_rate) / 8.0;
        let bits = (0..64).find(|bits| 2_f64.powi(*bits) >= hashes).and_then(|bits| u32::try_from(bits).ok());
        let bits = bits.expect("a rate is below 2^64");
        let channel = ChannelPlan { target: target_of(bits), ..ChannelPlan::default() };
        session.open(open.request_id, &channel).await.unwrap();
        session.send(message::job(channel.id, &JobPlan::future(1, length()))).await.unwrap();
        session.send(message::tip(channel.id, 1, [0x11; 32], now())).await.unwrap();
        (session, bits)
    };
    let url = pool.url();
    let (rig, (session, bits)) = tokio::join!(Rig::on(&url), script);
    (rig, session, bits)
}

#[tokio::test(flavor = "multi_thread")]
async fn job_id_that_comes_again_on_another_tip_is_another_job() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(3).await.unwrap();
    for tip in [0x22, 0x33, 0x44] {
        // The same id, but not the same transactions: a share of the old one is no share of the new.
        let again = JobPlan { merkle_depth: tip / 0x11, ..JobPlan::future(1, length()) };
        session.send(message::job(2, &again)).await.unwrap();
        session.send(message::tip(1, 1, [tip; 32], now())).await.unwrap();
        settled(&mut session, 5).await;
    }
    let status = rig.wait_for(|status| totals(status).accepted >= 15).await;
    assert_eq!(totals(&status).rejected, 0);
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_content_under_new_ids_is_not_hashed_again() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(3).await.unwrap();
    let begun = now();
    for id in 2..8 {
        let plan = JobPlan::immediate(1, length(), begun);
        session.send(message::job_with(2, &plan, |job| job.job_id = id)).await.unwrap();
        // The verifier knows every header of before: a search that began anew would find them again.
        session.accept_shares(10).await.unwrap();
    }
    let status = rig.miner.clients.status().await.unwrap();
    assert_eq!(totals(&status).duplicate, 0);
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_around_a_future_job_stay_with_the_jobs_they_came_with() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(2).await.unwrap();
    session.send(message::extranonce_prefix(2, &[0xb0; 4])).await.unwrap();
    session.send(message::job(1, &JobPlan::future(2, length()))).await.unwrap();
    session.send(message::extranonce_prefix(2, &[0xc0; 4])).await.unwrap();
    session.send(message::job(1, &JobPlan::future(3, length()))).await.unwrap();
    session.send(message::extranonce_prefix(2, &[0xd0; 4])).await.unwrap();
    // To a group, and too late to matter.
    session.send(message::extranonce_prefix(1, &[0xe0; 4])).await.unwrap();
    session.accept_shares(2).await.unwrap();
    session.send(message::tip(1, 2, [0x22; 32], now())).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.expect("the first future job has the prefix of its time");
    session.send(message::job(1, &JobPlan::immediate(4, length(), now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(4).await.unwrap();
    verdict.expect("a later job has the newest prefix of the channel");
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_belong_to_later_jobs_and_to_those_that_wait() {
    let pool = scripted().await;
    let (rig, mut session, bits) = brought_up_slowly(&pool).await;
    let harder = target_of(bits + 1);
    session.send(message::job(2, &JobPlan::future(2, length()))).await.unwrap();
    session.send(message::target(1, harder)).await.unwrap();
    let mut easy = 0;
    for _ in 0..20 {
        let share = session.expect_share().await.unwrap();
        easy += u32::from(!meets(session.judge(&share).unwrap(), harder));
        session.accept(&share).await.unwrap();
    }
    assert!(easy > 0, "the job at work keeps its target");
    session.send(message::tip(2, 2, [0x22; 32], now())).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.expect("the job that waited has the new target");
    session.accept_shares(4).await.unwrap();
    session.send(message::target(2, EASY_TARGET)).await.unwrap();
    session.send(message::job(2, &JobPlan::immediate(3, length(), now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(3).await.unwrap();
    verdict.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_after_the_success_that_counted_them_take_back() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let mut sequences = Vec::new();
    for _ in 0..6 {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
        sequences.push(share.sequence_number);
    }
    session.send(message::accepted(2, sequences[5], 6)).await.unwrap();
    rig.wait_for(|status| totals(status).accepted == 6).await;
    session.send(message::rejected(2, sequences[2], "stale-share")).await.unwrap();
    session.send(message::rejected(2, sequences[4], "\u{1b}[2Jno\u{202e}thing known")).await.unwrap();
    // About no share at all.
    session.send(message::rejected(2, sequences[5].wrapping_add(100_000), "stale-share")).await.unwrap();
    session.send(message::accepted(2, sequences[5].wrapping_add(100_000), u32::MAX)).await.unwrap();
    let status = rig.wait_for(|status| totals(status).rejected == 2).await;
    assert_eq!(totals(&status).accepted, 4);
    let reasons = &totals(&status).rejected_by_reason;
    assert_eq!((reasons.get("stale"), reasons.get("other")), (Some(&1), Some(&1)));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coinbase_of_130_kilobytes_is_hashed_as_it_is() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    let plan = JobPlan { padding: 65_000, merkle_depth: 32, ..JobPlan::immediate(2, length(), now()) };
    // No transaction begins like that; what it hashes to is clear all the same.
    let odd = message::job_with(2, &plan, |job| job.coinbase_tx_prefix = vec![0x5a; 65_000].try_into().unwrap());
    session.send(odd).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_jobs_ends_on_the_newest_and_every_share_is_good() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    let newest = 3_000;
    for id in 2..=newest {
        let plan = JobPlan { padding: 500, ..JobPlan::immediate(id, length(), now()) };
        session.send(message::job(2, &plan)).await.unwrap();
    }
    let (_, verdict) = session.expect_share_of(newest).await.unwrap();
    verdict.unwrap();
    session.accept_shares(5).await.unwrap();
    let status = rig.miner.clients.status().await.unwrap();
    assert_eq!((totals(&status).hardware_error, status.state()), (0, MinerState::Mining));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn future_job_that_was_pushed_out_by_others_is_an_unknown_one() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    for id in 2..=18 {
        session.send(message::job(2, &JobPlan::future(id, length()))).await.unwrap();
    }
    session.send(message::tip(2, 2, [0x22; 32], now())).await.unwrap();
    rig.wait_for(|status| status.state() != MinerState::Mining).await;
    session.send(message::job(2, &JobPlan::immediate(20, length(), now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(20).await.unwrap();
    verdict.expect("the next job is on the tip of the one that was lost");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirect_to_another_authority_gets_no_word_from_us() {
    let pool = scripted().await;
    let stranger = Authority::stranger();
    let impostor = ScriptedPool::start(ScriptedOptions { authority: stranger, ..Default::default() }).await.unwrap();
    let (rig, mut session) = brought_up(&pool).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    session.accept_shares(2).await.unwrap();
    session.peer().send(message::reconnect("127.0.0.1", impostor.address().port())).await.unwrap();
    let home = async {
        let mut session = pool.session().await.unwrap();
        session.bring_up(&ChannelPlan::default()).await.unwrap();
        session.accept_shares(3).await.unwrap();
        session
    };
    let elsewhere = async {
        loop {
            let Ok(mut visitor) = impostor.session().await else { continue };
            let heard = visitor.peer().next_frame().await;
            assert!(matches!(heard, Err(WireError::Closed | WireError::Io(_))), "{heard:?}");
        }
    };
    let back = tokio::select! {
        back = home => back,
        () = elsewhere => unreachable!("it never ends"),
    };
    part(rig, back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_in_the_middle_of_a_share_loses_it_by_name() {
    let pool = scripted().await;
    let proxy = FaultProxy::start(pool.address()).await.unwrap();
    let url = pool.url().replace(&pool.address().to_string(), &proxy.address().to_string());
    let (rig, mut session) = brought_up_by(&pool, &url).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    session.accept_shares(2).await.unwrap();
    // Ten bytes of what comes next, and then nothing for longer than the test takes.
    proxy.set(Direction::Upstream, Flow::Split { bytes: 10, pause: Duration::from_secs(3600) });
    rig.wait_for(|status| totals(status).pending >= 2).await;
    proxy.cut(Cut::Reset).await;
    proxy.set_both(Flow::Pass);
    let status = rig.wait_for(|status| totals(status).lost >= 2).await;
    assert_eq!(totals(&status).pending, 0);
    drop(session);
    let mut session = pool.session().await.unwrap();
    session.bring_up(&ChannelPlan::default()).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_delivered_byte_by_byte_is_a_session() {
    let pool = scripted().await;
    let proxy = FaultProxy::start(pool.address()).await.unwrap();
    proxy.set_both(Flow::Split { bytes: 1, pause: Duration::ZERO });
    let url = pool.url().replace(&pool.address().to_string(), &proxy.address().to_string());
    let (rig, mut session) = brought_up_by(&pool, &url).await;
    session.accept_shares(3).await.unwrap();
    session.send(message::job(1, &JobPlan::immediate(2, length(), now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_frames_are_understood_or_passed_over() {
    let pool = scripted().await;
    let (rig, mut session, bits) = brought_up_slowly(&pool).await;
    let harder = target_of(bits + 2);
    session.accept_shares(1).await.unwrap();
    for (extension, kind, len) in [
        (0x4001, 0x00, 0),       // another extension, without payload
        (0x8abc, 0x20, 3),       // with the channel bit, and a number that the protocol has
        (0x0000, 0x2f, 100_000), // no message
        (0x8000, 0x1e, 0),       // reserved
        (0x0000, 0x15, 40),      // a job for standard channels
        (0x0001, 0x07, 2),       // a negotiation that nobody knows
    ] {
        session.send_frame(Frame::new(extension, kind, vec![0xa5; len])).await.unwrap();
    }
    // Fields of the future behind a message, and the channel bit where it does not belong.
    let mut target = Frame::of_mining(message::target(2, harder));
    target.payload.extend([1, 2, 3, 4, 5]);
    target.extension_type = 0;
    session.send_as(message::target(2, harder), target).await.unwrap();
    let job = message::job(1, &JobPlan::immediate(2, length(), now()));
    let mut frame = Frame::of_mining(job.clone());
    frame.extension_type = 0;
    session.send_as(job, frame).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.expect("the target with something behind it was applied");
    session.accept_shares(5).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frame_that_cannot_be_read_ends_the_connection_and_the_next_one_works() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    session.accept_shares(1).await.unwrap();
    session.send_frame(Frame::new(0x8000, 0x20, vec![1; 7])).await.unwrap();
    session.peer().ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&ChannelPlan::default()).await.unwrap();
    session.accept_shares(2).await.unwrap();
    // More than any message may have: it goes before the payload comes.
    let liar = Frame { announced: Some(0x00ff_ffff), ..Frame::new(0x8000, 0x1f, vec![1]) };
    session.send_frame(liar).await.unwrap();
    session.peer().ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&ChannelPlan::default()).await.unwrap();
    session.accept_shares(2).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_applies_a_target_at_once_gets_what_it_wants_after_three_refusals() {
    let pool = scripted().await;
    let (rig, mut session, bits) = brought_up_slowly(&pool).await;
    let harder = target_of(bits + 1);
    rig.log.allow_warn("mujina_dataplane::pool::sv2", "holds shares of a job to a target that came after it");
    session.send(message::target(2, harder)).await.unwrap();
    let (mut refused, mut good_in_a_row) = (0, 0);
    while good_in_a_row < 12 {
        let share = session.expect_share().await.unwrap();
        if meets(session.judge(&share).unwrap(), harder) {
            session.accept(&share).await.unwrap();
            good_in_a_row += 1;
        } else {
            session.reject(&share, "difficulty-too-low").await.unwrap();
            (refused, good_in_a_row) = (refused + 1, 0);
        }
        assert!(refused < 100, "it never learns");
    }
    assert!(refused >= 3);
    rig.wait_for(|status| totals(status).below_target > 0).await;
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_knows_none_of_our_jobs_is_connected_to_anew() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    for _ in 0..5 {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
        session.reject(&share, "invalid-job-id").await.unwrap();
    }
    session.peer().ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&ChannelPlan::default()).await.unwrap();
    session.accept_shares(2).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_that_is_closed_is_opened_again_and_works() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(2).await.unwrap();
    session.send(message::close(77, "not ours")).await.unwrap();
    session.accept_shares(2).await.unwrap();
    session.send(message::close(1, "the whole group")).await.unwrap();
    let open = session.expect_open().await.unwrap();
    let again = ChannelPlan { id: 5, group: 4, ..ChannelPlan::default() };
    session.open(open.request_id, &again).await.unwrap();
    session.send(message::job(5, &JobPlan::future(9, length()))).await.unwrap();
    session.send(message::tip(4, 9, [0x55; 32], now())).await.unwrap();
    settled(&mut session, 3).await;
    part(rig, session).await;
}

/// A miner on the pool with options, whose session is up.
async fn brought_up_with(pool: &ScriptedPool, options: PoolOptions) -> (Rig, Session) {
    let rig = Rig::with(None, &Telling::default()).await;
    let wanted = PoolSpec {
        name: "scripted".into(),
        url: pool.url(),
        user: "alice".into(),
        options: Some(options),
        ..PoolSpec::default()
    };
    let strategy = PoolStrategy::Failover.into();
    let group = PoolGroup { name: "main".into(), strategy, pools: vec![wanted] };
    let spec = Some(MinerSpec { pool_groups: vec![group], ..MinerSpec::default() });
    let request = ApplySpecRequest { spec, ..ApplySpecRequest::default() };
    MinerServiceClient::new(rig.miner.clients.channel()).apply_spec(request).await.unwrap();
    let session = pool.session().await.unwrap();
    (rig, session)
}

// Kernels elsewhere hash one version at a time, and it would take 2^32 hashes to see a second one.
#[cfg(target_arch = "x86_64")]
#[tokio::test(flavor = "multi_thread")]
async fn wide_version_rolling_rolls_the_eight_bits_more_until_the_pool_refuses_them() {
    let pool = ScriptedPool::start(ScriptedOptions { version_mask: 0x1fff_ffe0, ..Default::default() }).await.unwrap();
    let options = PoolOptions { wide_version_rolling: true, ..PoolOptions::default() };
    let (rig, mut session) = brought_up_with(&pool, options).await;
    rig.log.allow_warn("mujina_dataplane::pool::sv2", "refuses rolled versions");
    session.bring_up(&ChannelPlan::default()).await.unwrap();
    let is_wide = |version: u32| version & 0x0000_1fe0 != 0;
    let (mut refused, mut seen) = (0, 0);
    while refused < 3 {
        seen += 1;
        assert!(seen < 1_000, "no share has a bit of BIP323");
        let share = session.expect_share().await.unwrap();
        session.judge(&share).expect("all 24 bits may differ, and no other");
        if is_wide(share.version) {
            session.reject(&share, "invalid-non-rollable-version-bit").await.unwrap();
            refused += 1;
        } else {
            session.accept(&share).await.unwrap();
        }
    }
    let mut narrow = 0;
    for _ in 0..500 {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
        session.accept(&share).await.unwrap();
        narrow = if is_wide(share.version) { 0 } else { narrow + 1 };
        if narrow == 20 {
            break;
        }
    }
    assert_eq!(narrow, 20, "the bits of BIP320 are enough now");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_is_named_in_every_share_that_is_otherwise_the_same() {
    let pool = scripted().await;
    let options = PoolOptions { worker_name: "shed-3".into(), ..PoolOptions::default() };
    let (rig, mut session) = brought_up_with(&pool, options).await;
    session.expect_setup().await.unwrap();
    session.agree(0).await.unwrap();
    let request = session.peer().next_frame().await.unwrap();
    assert_eq!((request.extension_type, request.message_type), (1, 0));
    assert_eq!(request.payload, [1, 0, 1, 0, 2, 0]);
    session.send_frame(Frame::new(1, 1, vec![1, 0, 1, 0, 2, 0])).await.unwrap();
    let channel = ChannelPlan::default();
    let open = session.expect_open().await.unwrap();
    session.open(open.request_id, &channel).await.unwrap();
    session.send(message::job(channel.id, &JobPlan::future(1, length()))).await.unwrap();
    session.send(message::tip(channel.id, 1, [0x11; 32], now())).await.unwrap();
    for _ in 0..3 {
        let frame = session.peer().next_frame().await.unwrap();
        assert_eq!((frame.extension_type, frame.message_type), (0x8000, 0x1b));
        assert!(frame.payload.ends_with(b"\x02\x00\x01\x06\x00shed-3"), "{:?}", frame.payload);
    }
    // A field behind it does not hide the share from who knows nothing of the extension.
    let share = session.expect_share().await.unwrap();
    session.judge(&share).unwrap();
    part(rig, session).await;
}
