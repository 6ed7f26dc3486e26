//! The program killed while a real miner mines on the real pool: the miner does not notice, and no bucket is lost or doubled.

use crate::process::{Process, connected, program};
use mujina_proto::{
    control::v1::{SummarizeSharesRequest, statistics_service_client::StatisticsServiceClient},
    dial::Client,
    types::v1::MinerStatus,
};
use mujina_testbed::{
    PATIENCE,
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedMiner, Telling, miner_config},
};
use std::{fs, time::Duration};

fn accepted(status: &MinerStatus) -> u64 {
    status.totals.as_ref().map_or(0, |totals| totals.accepted)
}

/// Sums and number of the buckets that control has, and of those that it missed.
async fn collected(client: &Client) -> (u64, u64, u64) {
    let request = SummarizeSharesRequest { miner: "rig1".into(), ..Default::default() };
    let summary = StatisticsServiceClient::new(client.clone()).summarize_shares(request).await.unwrap().into_inner();
    (summary.totals.map_or(0, |totals| totals.accepted), summary.buckets, summary.missing_buckets)
}

#[tokio::test(flavor = "multi_thread")]
async fn miner_does_not_notice_a_killed_control_plane_and_no_bucket_is_lost() {
    let mut pool = Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = miner_config(&folder.path().join("miner"), Some(&pool.url()), 1);
    let miner = HostedMiner::start(config, &Telling::default(), None).await.unwrap();
    let file = folder.path().join("control.toml");
    fs::write(&file, format!("[miners.rig1]\naddress = \"{}\"\n", miner.address)).unwrap();
    let state = folder.path().join("control");
    let start = || Process(program(&state).arg("--config").arg(&file).spawn().unwrap());

    let mut last = 0;
    for _ in 0..3 {
        let mut control = start();
        connected(&state).await;
        control.0.kill().unwrap();
        control.ended().await;
        let status = miner.clients.wait_for(|status| accepted(status) >= last + 10).await.unwrap();
        last = accepted(&status);
    }
    let _control = start();
    let client = connected(&state).await;
    let give_up = tokio::time::Instant::now() + 2 * PATIENCE;
    loop {
        let buckets = miner.clients.buckets().await.unwrap();
        let theirs: u64 = buckets.iter().filter_map(|bucket| bucket.added.as_ref()).map(|added| added.accepted).sum();
        let (sum, count, missing) = collected(&client).await;
        if theirs > 10 && sum == theirs && count == buckets.len() as u64 {
            assert_eq!(missing, 0);
            break;
        }
        assert!(tokio::time::Instant::now() < give_up, "control has {sum} of {theirs}, {count} buckets");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    miner.stop().await.unwrap();
    pool.stop().await.unwrap();
}
