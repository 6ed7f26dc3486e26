//! From a real pool's job to its verdict on a share, and everything that may happen to the pool meanwhile.

use crate::rig::{Rig, pool_totals, totals};
use mujina_core::pool::AuthorityKey;
use mujina_proto::{
    dataplane::v1::{PauseRequest, miner_service_client::MinerServiceClient},
    types::v1::{MinerState, PoolState},
};
use mujina_testbed::{
    sv2_pool::{PoolOptions, Sv2Pool},
    sv2_wire::Authority,
    template_provider::{ProviderOptions, SOME_BLOCKS},
    world::at_rest,
};

/// Shares come fast, so that tests need not wait for luck.
async fn fast_pool() -> Sv2Pool {
    Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_miner_counts_is_what_the_pool_counts() {
    let mut pool = fast_pool().await;
    let rig = Rig::on(&pool.url()).await;
    rig.wait_for(|status| totals(status).accepted >= 20).await;
    pool.provider().new_template();
    rig.wait_for(|status| totals(status).accepted >= 40).await;
    let mut client = MinerServiceClient::new(rig.miner.clients.channel());
    client.pause(PauseRequest::default()).await.unwrap();
    // A share that was found last may still be on its way to the pool.
    let status = rig.wait_for(|status| at_rest(status) && totals(status).accepted >= pool.counts().accepted).await;
    let ours = totals(&status);
    let theirs = pool.counts();
    assert_eq!((ours.accepted, ours.rejected, ours.lost), (theirs.accepted, 0, 0), "{:?}", theirs.warnings);
    assert!(theirs.balanced());
    assert_eq!(ours, &{
        let mut same = pool_totals(&status, "primary").clone();
        same.since = ours.since;
        same
    });
    assert_eq!(status.state(), MinerState::Paused);
    rig.finish().await;
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn block_found_by_the_cpu_is_verified_by_the_chain() {
    let chain = ProviderOptions { nbits: SOME_BLOCKS, ..ProviderOptions::default() };
    let options = PoolOptions { shares_per_minute: 600.0, chain, ..PoolOptions::default() };
    let mut pool = Sv2Pool::start(options).await.unwrap();
    let rig = Rig::on(&pool.url()).await;
    let solutions = pool.provider().wait_for_solutions(1).await.expect("a block is found");
    assert!(pool.provider().refused().is_empty(), "{solutions:?}");
    let status = rig.wait_for(|status| totals(status).blocks >= 1).await;
    assert!(totals(&status).best_difficulty.is_some());
    rig.finish().await;
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tips_cost_no_more_than_what_was_under_way() {
    let mut pool = fast_pool().await;
    let rig = Rig::on(&pool.url()).await;
    for round in 1..=5 {
        rig.wait_for(|status| totals(status).accepted >= round * 10).await;
        pool.provider().new_block();
    }
    let status = rig.wait_for(|status| totals(status).accepted >= 60).await;
    let refused = &totals(&status).rejected_by_reason;
    assert!(refused.keys().all(|reason| reason == "stale"), "{refused:?}");
    assert!(totals(&status).rejected <= 5, "{refused:?}");
    rig.finish().await;
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_dies_and_returns_is_mined_on_again() {
    let mut pool = fast_pool().await;
    let rig = Rig::on(&pool.url()).await;
    rig.wait_for(|status| totals(status).accepted >= 5).await;
    rig.log.expect_warn("mujina_dataplane::source", "pool connection failed");
    pool.stop().await.unwrap();
    let status = rig.wait_for(|status| status.state() == MinerState::NoWork).await;
    assert_eq!(status.pools[0].state(), PoolState::BackingOff);
    assert!(!status.pools[0].state_reason.is_empty());
    let before = totals(&status).accepted;
    pool.start_again().await.unwrap();
    let status = rig.wait_for(|status| totals(status).accepted >= before + 5).await;
    assert_eq!(status.state(), MinerState::Mining);
    let ours = totals(&status).clone();
    assert!(pool.counts().accepted >= ours.accepted);
    rig.finish().await;
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_with_another_key_is_told_apart_and_gets_no_work() {
    let mut pool = fast_pool().await;
    let stranger = AuthorityKey::from_bytes(Authority::stranger().key_bytes()).unwrap();
    let url = format!("stratum2+tcp://{}/{stranger}", pool.address());
    let folder = tempfile::tempdir().unwrap();
    let log = mujina_testbed::log_watcher::LogWatcher::new("miner");
    log.expect_warn("mujina_dataplane::source", "pool connection failed");
    let config = mujina_testbed::world::miner_config(folder.path(), Some(&url), 1);
    let miner = mujina_testbed::world::HostedMiner::start(config, &Default::default(), Some(&log)).await.unwrap();
    let refused = |status: &mujina_proto::types::v1::MinerStatus| {
        status.pools.iter().any(|pool| pool.state() == PoolState::AuthenticationFailed)
    };
    let status = miner.clients.wait_for(refused).await.unwrap();
    assert!(status.faults.iter().any(|fault| fault.reason == "POOL_AUTHENTICATION_FAILED"), "{:?}", status.faults);
    assert_eq!(pool.counts().received, 0);
    miner.stop().await.unwrap();
    log.finish();
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_during_a_session_leaves_no_share_open_and_the_last_spec_on_disk() {
    let mut pool = fast_pool().await;
    let rig = Rig::on(&pool.url()).await;
    rig.wait_for(|status| totals(status).accepted >= 5).await;
    // No pool in the configuration: the stored spec must do.
    let rig = rig.restart(None).await;
    // At once, before the second run has shares of its own.
    let buckets = rig.miner.clients.buckets().await.unwrap();
    let first_run: Vec<_> = buckets.iter().filter_map(|bucket| bucket.added.as_ref()).collect();
    let accepted: u64 = first_run.iter().map(|added| added.accepted).sum();
    assert!(accepted >= 5, "the first run's shares are in its buckets");
    assert_eq!(buckets.iter().map(|bucket| bucket.pending_delta).sum::<i64>(), 0);
    let status = rig.wait_for(|status| totals(status).accepted >= 5).await;
    assert_eq!(status.live_pool, "primary");
    rig.finish().await;
    pool.stop().await.unwrap();
}
