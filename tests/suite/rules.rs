//! Rules that only a pool under a test's control can show, on a whole data plane: what is sent is rebuilt and judged by the
//! pool's own record.

use crate::rig::{Rig, totals};
use mujina_proto::types::v1::MinerState;
use mujina_testbed::scripted_pool::{ChannelPlan, JobPlan, ScriptedOptions, ScriptedPool, Session, message, now};

async fn scripted() -> ScriptedPool {
    ScriptedPool::start(ScriptedOptions::default()).await.unwrap()
}

/// A miner on the pool, whose session is up on `channel`.
async fn brought_up(pool: &ScriptedPool, channel: &ChannelPlan) -> (Rig, Session) {
    let url = pool.url();
    let script = async {
        let mut session = pool.session().await.unwrap();
        session.bring_up(channel).await.unwrap();
        session
    };
    tokio::join!(Rig::on(&url), script)
}

/// The end of a test whose pool leaves first.
async fn part(rig: Rig, session: Session) {
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    drop(session);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn set_up_says_who_connects_where_and_how_fast() {
    let pool = scripted().await;
    let url = pool.url();
    let script = async {
        let mut session = pool.session().await.unwrap();
        let asked = session.bring_up(&ChannelPlan::default()).await.unwrap();
        (session, asked)
    };
    let (rig, (session, (setup, open))) = tokio::join!(Rig::on(&url), script);
    assert_eq!((setup.min_version, setup.max_version, setup.flags), (2, 2, 0));
    assert_eq!(
        (setup.endpoint_host.as_utf8_or_hex(), setup.endpoint_port),
        ("127.0.0.1".into(), pool.address().port())
    );
    assert!(!setup.vendor.as_utf8_or_hex().is_empty() && !setup.firmware.as_utf8_or_hex().is_empty());
    assert!(setup.device_id.as_utf8_or_hex().is_empty(), "no telemetry unless it is asked for");
    assert_eq!(open.user_identity.as_utf8_or_hex(), "alice");
    assert!(open.nominal_hash_rate.is_finite() && open.nominal_hash_rate > 1e4, "{}", open.nominal_hash_rate);
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extranonces_have_exactly_the_granted_length() {
    for (prefix, size) in [(4, 16), (4, 3), (0, 32), (31, 1)] {
        let pool = scripted().await;
        let channel =
            ChannelPlan { extranonce_prefix: vec![0xa5; prefix], extranonce_size: size, ..ChannelPlan::default() };
        let (rig, mut session) = brought_up(&pool, &channel).await;
        let shares = session.accept_shares(5).await.unwrap();
        assert!(shares.iter().all(|share| share.extranonce.as_ref().len() == usize::from(size)), "{size}");
        part(rig, session).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_share_counts_under_its_reason() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool, &ChannelPlan::default()).await;
    let share = session.expect_share().await.unwrap();
    session.judge(&share).unwrap();
    session.reject(&share, "difficulty-too-low").await.unwrap();
    let status = rig.wait_for(|status| totals(status).rejected == 1).await;
    assert_eq!(totals(&status).rejected_by_reason.get("low-difficulty"), Some(&1));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_for_a_dead_tip() {
    let pool = scripted().await;
    let channel = ChannelPlan::default();
    let (rig, mut session) = brought_up(&pool, &channel).await;
    session.accept_shares(3).await.unwrap();
    session.send(message::job(channel.group, &JobPlan::future(2, channel.extranonce_length()))).await.unwrap();
    session.send(message::tip(channel.group, 2, [0x22; 32], now())).await.unwrap();
    // What was on the wire already may still arrive; after the first share of the new job nothing of the old one may.
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.unwrap();
    let shares = session.accept_shares(10).await.unwrap();
    assert!(shares.iter().all(|share| share.job_id == 2));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_shares_of_a_refreshed_job_are_still_sent() {
    let pool = scripted().await;
    let channel = ChannelPlan::default();
    let (rig, mut session) = brought_up(&pool, &channel).await;
    session.accept_shares(2).await.unwrap();
    session.send(message::job(channel.id, &JobPlan::immediate(2, channel.extranonce_length(), now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.unwrap();
    let status = rig.wait_for(|status| totals(status).submitted >= 3).await;
    assert_eq!(totals(&status).stale, 0, "a refresh on the same tip makes nothing stale");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tip_of_an_unknown_job_stops_the_old_work_and_the_next_job_is_on_it() {
    let pool = scripted().await;
    let channel = ChannelPlan::default();
    let (rig, mut session) = brought_up(&pool, &channel).await;
    session.accept_shares(2).await.unwrap();
    session.send(message::tip(channel.id, 99, [0x33; 32], now())).await.unwrap();
    rig.wait_for(|status| status.state() != MinerState::Mining).await;
    session.send(message::job(channel.id, &JobPlan::immediate(3, channel.extranonce_length(), now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(3).await.unwrap();
    verdict.expect("the share is on the tip that came with the unknown job");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefix_and_target_belong_to_the_job_that_came_with_them() {
    let pool = scripted().await;
    let channel = ChannelPlan::default();
    let (rig, mut session) = brought_up(&pool, &channel).await;
    session.accept_shares(2).await.unwrap();
    let length = channel.extranonce_length();
    session.send(message::job(channel.id, &JobPlan::future(2, length))).await.unwrap();
    session.send(message::extranonce_prefix(channel.id, &[0xb0, 0xb1, 0xb2, 0xb3])).await.unwrap();
    session.send(message::tip(channel.id, 2, [0x44; 32], now())).await.unwrap();
    let (_, verdict) = session.expect_share_of(2).await.unwrap();
    verdict.expect("a future job keeps the prefix that it came with");
    session.send(message::job(channel.id, &JobPlan::immediate(3, length, now()))).await.unwrap();
    let (_, verdict) = session.expect_share_of(3).await.unwrap();
    verdict.expect("a later job has the new prefix");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn miner_that_is_stopped_before_its_pool_answers_goes_cleanly() {
    let pool = scripted().await;
    let (rig, stream) = tokio::join!(async { Rig::on(&pool.url()).await }, pool.mute());
    let _mute = stream.unwrap();
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_is_reset_with_shares_open_loses_them_by_name() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool, &ChannelPlan::default()).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    for _ in 0..3 {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
    }
    session.reset().unwrap();
    let status = rig.wait_for(|status| totals(status).lost >= 3).await;
    assert_eq!((totals(&status).pending, totals(&status).accepted), (0, 0));
    // It comes back, with other extranonces: the verifier knows every header of before.
    let mut session = pool.session().await.unwrap();
    session.bring_up(&ChannelPlan::default()).await.unwrap();
    session.accept_shares(5).await.unwrap();
    part(rig, session).await;
}
