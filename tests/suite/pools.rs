//! Several pools: a reserve that takes over, a return without flapping, pins, turns, and pools that send us elsewhere.

use crate::rig::{Rig, totals};
use mujina_proto::{
    dataplane::v1::{
        ListPoolTransitionsRequest, PinPoolRequest, PoolTransition, TransitionReason,
        pool_service_client::PoolServiceClient,
    },
    types::v1::{MinerStatus, PoolRole, PoolState, PoolStatus},
};
use mujina_testbed::{
    proxy::{Cut, FaultProxy, Flow},
    scripted_pool::{ChannelPlan, ScriptedOptions, ScriptedPool, message},
    sv2_pool::{PoolOptions, Sv2Pool},
    sv2_wire::Authority,
    world::{HostedMiner, Telling, miner_config, mujinactl},
};
use std::time::Duration;

async fn pool() -> Sv2Pool {
    Sv2Pool::start(PoolOptions { shares_per_minute: 1200.0, ..PoolOptions::default() }).await.unwrap()
}

/// A miner that forgives failed pools after `return_after`.
async fn miner_that_returns_after(return_after: Duration) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let log = mujina_testbed::log_watcher::LogWatcher::new("miner");
    let mut config = miner_config(folder.path(), None, 1);
    config.synthetic = None;
    config.failover.return_after = return_after;
    config.failover.quota_slice = Duration::from_millis(200);
    let miner = HostedMiner::start(config, &Telling::default(), Some(&log)).await.unwrap();
    Rig { miner, log, folder }
}

/// Makes these the pools of the miner, by name and URL.
async fn apply(rig: &Rig, strategy: &str, pools: &[(&str, &str, u32)]) {
    let pools = pools.iter().map(|(name, url, quota)| {
        let quota = if strategy == "QUOTA" { *quota } else { 0 };
        format!("{{name: {name}, url: {url}, user: alice, quota: {quota}}}")
    });
    let pools = pools.collect::<Vec<_>>().join(", ");
    let spec = format!("{{poolGroups: [{{name: main, strategy: POOL_STRATEGY_{strategy}, pools: [{pools}]}}]}}");
    let file = rig.folder.path().join("spec.yaml");
    std::fs::write(&file, spec).unwrap();
    let said = mujinactl(&rig.miner.address, &["spec", "apply", "-f", file.to_str().unwrap()]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

/// The moves of the work so far, oldest first.
async fn moves(rig: &Rig) -> Vec<PoolTransition> {
    let mut client = PoolServiceClient::new(rig.miner.clients.channel());
    let request = ListPoolTransitionsRequest { page_size: 0 };
    let mut moves = client.list_pool_transitions(request).await.unwrap().into_inner().transitions;
    moves.reverse();
    moves
}

fn role(status: &MinerStatus, pool: &str) -> PoolRole {
    status.pools.iter().find(|one| one.name == pool).map_or(PoolRole::None, PoolStatus::role)
}

fn accepted(status: &MinerStatus, pool: &str) -> u64 {
    let pool = status.pools.iter().find(|one| one.name == pool);
    pool.and_then(|one| one.totals.as_ref()).map_or(0, |totals| totals.accepted)
}

fn is_live(status: &MinerStatus, pool: &str) -> bool {
    status.live_pool == pool && role(status, pool) == PoolRole::Live
}

#[tokio::test(flavor = "multi_thread")]
async fn reserve_takes_over_from_a_killed_pool_and_gives_back_after_a_while() {
    let (mut first, mut second) = (pool().await, pool().await);
    let proxy = FaultProxy::start(first.address()).await.unwrap();
    let rig = miner_that_returns_after(Duration::from_millis(500)).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    apply(&rig, "FAILOVER", &[("first", &first.url_at(proxy.address()), 0), ("second", &second.url(), 0)]).await;
    rig.wait_for(|status| is_live(status, "first") && role(status, "second") == PoolRole::Standby).await;
    rig.wait_for(|status| accepted(status, "first") >= 3).await;
    assert_eq!(second.counts().accepted, 0, "the reserve gets no share");

    proxy.refuse().await.unwrap();
    proxy.cut(Cut::Reset).await;
    rig.wait_for(|status| is_live(status, "second") && accepted(status, "second") >= 3).await;
    proxy.admit().await.unwrap();
    rig.wait_for(|status| is_live(status, "first") && role(status, "second") == PoolRole::Standby).await;

    let moves = moves(&rig).await;
    let reasons: Vec<_> = moves.iter().map(|one| (one.to_pool.as_str(), one.reason())).collect();
    assert_eq!(
        reasons,
        [
            ("first", TransitionReason::Started),
            ("second", TransitionReason::FailedOver),
            ("first", TransitionReason::Returned)
        ]
    );
    assert!(!moves[1].detail.is_empty() && moves[1].from_pool == "first", "{:?}", moves[1]);
    assert!(moves[2].phases.iter().any(|phase| phase.name == "first_job"), "{:?}", moves[2]);
    assert_eq!(moves[2].shares_lost, 0, "a pool that is left in order loses nothing");
    totals(&rig.wait_for(|_| true).await);
    rig.finish().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pin_moves_the_work_and_ends_by_itself_without_losing_a_share() {
    let (mut first, mut second) = (pool().await, pool().await);
    let rig = miner_that_returns_after(Duration::from_secs(600)).await;
    apply(&rig, "FAILOVER", &[("first", &first.url(), 0), ("second", &second.url(), 0)]).await;
    rig.wait_for(|status| is_live(status, "first") && role(status, "second") == PoolRole::Standby).await;
    let mut client = PoolServiceClient::new(rig.miner.clients.channel());
    let duration = prost_types::Duration { seconds: 2, nanos: 0 };
    let request = PinPoolRequest { pool: "second".into(), duration: Some(duration) };
    let pin = client.pin_pool(request).await.unwrap().into_inner().pin.unwrap();
    assert!(pin.pool == "second" && pin.expires_at.is_some());
    let pinned = rig.wait_for(|status| is_live(status, "second")).await;
    assert_eq!(pinned.pool_pin.map(|pin| pin.pool), Some("second".into()));
    let back = rig.wait_for(|status| is_live(status, "first")).await;
    assert_eq!((back.pool_pin.as_ref(), totals(&back).lost), (None, 0));
    let reasons: Vec<_> = moves(&rig).await.iter().map(PoolTransition::reason).collect();
    assert_eq!(reasons, [TransitionReason::Started, TransitionReason::Pinned, TransitionReason::Unpinned]);
    let unknown = PinPoolRequest { pool: "third".into(), duration: Some(duration) };
    assert_eq!(client.pin_pool(unknown).await.unwrap_err().code(), tonic::Code::NotFound);
    rig.finish().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reordering_moves_the_work_and_keeps_every_connection() {
    let (mut first, mut second) = (pool().await, pool().await);
    let rig = miner_that_returns_after(Duration::from_secs(600)).await;
    let (a, b) = (("first", first.url()), ("second", second.url()));
    apply(&rig, "FAILOVER", &[(a.0, &a.1, 0), (b.0, &b.1, 0)]).await;
    let before = rig.wait_for(|status| is_live(status, "first") && role(status, "second") == PoolRole::Standby).await;
    apply(&rig, "FAILOVER", &[(b.0, &b.1, 0), (a.0, &a.1, 0)]).await;
    let after = rig.wait_for(|status| is_live(status, "second") && role(status, "first") == PoolRole::Standby).await;
    let ids = |status: &MinerStatus| {
        let mut ids: Vec<_> =
            status.pools.iter().filter_map(|pool| pool.connection.as_ref()).map(|one| one.connection_id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&before), ids(&after));
    assert_eq!(totals(&after).lost, 0);
    rig.finish().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_of_a_quota_group_get_their_parts_of_the_work() {
    let (mut first, mut second) = (pool().await, pool().await);
    let rig = miner_that_returns_after(Duration::from_secs(600)).await;
    apply(&rig, "QUOTA", &[("first", &first.url(), 3), ("second", &second.url(), 1)]).await;
    let is_near = |status: &MinerStatus, pool: &str, part: f64| {
        let pool = status.pools.iter().find(|one| one.name == pool).unwrap();
        let near = |ratio: Option<f64>| ratio.is_some_and(|ratio| (ratio - part).abs() < 0.05);
        near(pool.target_work_ratio) && near(pool.achieved_work_ratio)
    };
    let both = |status: &MinerStatus| accepted(status, "first") >= 20 && accepted(status, "second") >= 5;
    let status =
        rig.wait_for(|status| both(status) && is_near(status, "first", 0.75) && is_near(status, "second", 0.25)).await;
    assert_eq!(totals(&status).lost, 0);
    assert!(status.pools.iter().all(|pool| pool.state() == PoolState::Ready));
    rig.finish().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_falls_silent_is_left_when_its_socket_stalls() {
    let (mut first, mut second) = (pool().await, pool().await);
    let proxy = FaultProxy::start(first.address()).await.unwrap();
    let rig = miner_that_returns_after(Duration::from_secs(600)).await;
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    apply(&rig, "FAILOVER", &[("first", &first.url_at(proxy.address()), 0), ("second", &second.url(), 0)]).await;
    rig.wait_for(|status| is_live(status, "first") && role(status, "second") == PoolRole::Standby).await;
    proxy.set_both(Flow::Blackhole);
    proxy.cut(Cut::Close).await;
    rig.wait_for(|status| is_live(status, "second") && accepted(status, "second") >= 3).await;
    rig.finish().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

// R1 (a)
#[tokio::test(flavor = "multi_thread")]
async fn pool_that_sends_us_to_a_twin_of_its_own_key_is_followed() {
    let (first, second) = (scripted(Authority::usual()).await, scripted(Authority::usual()).await);
    let url = first.url();
    let script = async {
        let mut session = first.session().await.unwrap();
        session.bring_up(&ChannelPlan::default()).await.unwrap();
        session.accept_shares(2).await.unwrap();
        session.peer().send(message::reconnect("127.0.0.1", second.address().port())).await.unwrap();
        let mut taken = second.session().await.unwrap();
        let (setup, _) = taken.bring_up(&ChannelPlan::default()).await.unwrap();
        assert_eq!(setup.endpoint_port, second.address().port(), "it names the host that it was sent to");
        taken.accept_shares(2).await.unwrap();
        taken
    };
    let (rig, taken) = tokio::join!(Rig::on(&url), script);
    let moved = moves(&rig).await;
    assert_eq!(moved.last().unwrap().reason(), TransitionReason::Reconnected, "{moved:?}");
    rig.log.allow_warn("mujina_dataplane::source", "pool connection failed");
    drop(taken);
    rig.finish().await;
}

// R1 (b): the key is never the pool's to change
#[tokio::test(flavor = "multi_thread")]
async fn pool_that_sends_us_to_another_key_is_not_believed_and_tried_again_itself() {
    let (first, second) = (scripted(Authority::usual()).await, scripted(Authority::stranger()).await);
    let url = first.url();
    let script = async {
        let mut session = first.session().await.unwrap();
        session.bring_up(&ChannelPlan::default()).await.unwrap();
        session.peer().send(message::reconnect("127.0.0.1", second.address().port())).await.unwrap();
        let mut impostor = second.session().await.unwrap();
        assert!(impostor.expect_setup().await.is_err(), "the miner hangs up on the impostor");
        let mut again = first.session().await.unwrap();
        again.bring_up(&ChannelPlan::default()).await.unwrap();
        again.accept_shares(2).await.unwrap();
        again
    };
    let folder = tempfile::tempdir().unwrap();
    let log = mujina_testbed::log_watcher::LogWatcher::new("miner");
    log.allow_warn("mujina_dataplane::source", "pool connection failed");
    let config = miner_config(folder.path(), Some(&url), 1);
    let start = async { HostedMiner::start(config, &Telling::default(), Some(&log)).await.unwrap() };
    let (miner, again) = tokio::join!(start, script);
    let rig = Rig { miner, log, folder };
    drop(again);
    rig.finish().await;
}

async fn scripted(authority: Authority) -> ScriptedPool {
    let options = ScriptedOptions { advertised: authority.clone(), authority, ..ScriptedOptions::default() };
    ScriptedPool::start(options).await.unwrap()
}
