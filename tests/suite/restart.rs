//! Control planes that come and go while a miner mines: it does not notice, and no bucket is lost or counted twice.

use crate::rig::{Rig, totals};
use mujina_proto::types::v1::MinerStatus;
use mujina_testbed::{
    PATIENCE,
    log_watcher::LogWatcher,
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedControl, Telling, control_config},
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn no_bucket_is_lost_or_doubled_over_restarts_of_control() {
    let mut pool = Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap();
    let rig = Rig::on(&pool.url()).await;
    let folder = rig.folder.path().join("control");
    let config = || control_config(&folder, &[("rig1", &rig.miner.address)]);
    let log = LogWatcher::new("control");
    let mut accepted = 0;
    for _ in 0..2 {
        let control = HostedControl::start(config(), &Telling::default(), Some(&log)).await.unwrap();
        control.clients.wait_for_known("rig1", |miner| miner.status.is_some()).await.unwrap();
        control.stop().await.unwrap();
        let rises = |status: &MinerStatus| totals(status).accepted > accepted + 20;
        let status = rig.wait_for(rises).await;
        accepted = totals(&status).accepted;
    }
    let control = HostedControl::start(config(), &Telling::default(), Some(&log)).await.unwrap();
    // Buckets close every ten seconds: wait for one, then for control to have what the miner has.
    let deadline = tokio::time::Instant::now() + 2 * PATIENCE;
    let (theirs, ours) = loop {
        let buckets = rig.miner.clients.buckets().await.unwrap();
        let theirs: u64 = buckets.iter().filter_map(|bucket| bucket.added.as_ref()).map(|added| added.accepted).sum();
        let summary = control.clients.summary("rig1").await.unwrap();
        let collected = summary.totals.as_ref().map_or(0, |totals| totals.accepted);
        if theirs > 20 && collected == theirs {
            assert_eq!((summary.buckets, summary.missing_buckets), (buckets.len() as u64, 0));
            break (theirs, collected);
        }
        assert!(tokio::time::Instant::now() < deadline, "control has {collected} of {theirs}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(theirs, ours);
    control.stop().await.unwrap();
    log.finish();
    rig.finish().await;
    pool.stop().await.unwrap();
}
