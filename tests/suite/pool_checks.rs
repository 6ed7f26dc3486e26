//! Looking at pools while mining: tests that move nothing, and totals that outlive the process.

use crate::rig::{Rig, pool_totals, totals};
use mujina_proto::types::v1::{MinerStatus, ShareTotals};
use mujina_testbed::{
    log_watcher::LogWatcher,
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedControl, Telling, at_rest, control_config, mujinactl},
};

/// A key that no pool of the testbed holds.
const OTHER_KEY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

async fn pool() -> Sv2Pool {
    Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap()
}

fn lifetime(status: &MinerStatus) -> ShareTotals {
    status.pools[0].lifetime_totals.clone().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn test_of_a_pool_tells_who_it_is_and_moves_no_hashing() {
    let (mut live, mut other) = (pool().await, pool().await);
    let rig = Rig::on(&live.url()).await;
    let before = rig.wait_for(|status| totals(status).accepted >= 5).await;
    let log = LogWatcher::new("control");
    let config = control_config(&rig.folder.path().join("control"), &[("rig1", &rig.miner.address)]);
    let control = HostedControl::start(config, &Telling::default(), Some(&log)).await.unwrap();

    let words = ["pool", "test", &other.url(), "--user", "bob"];
    let mut told = Vec::new();
    for address in [&rig.miner.address, &control.address] {
        let said = mujinactl(address, &words).await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
        for part in ["noise", "setup_connection", "open_channel", "first_job", "gives work", "proven by the pool"] {
            assert!(said.out.contains(part), "{part}: {}", said.out);
        }
        told.push(said.out.lines().filter(|line| line.starts_with("Key ")).map(str::to_owned).collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1]);
    let said = mujinactl(&rig.miner.address, &["pool", "test", &before.live_pool, "-o", "json"]).await;
    assert!(said.code == 0 && said.out.contains("\"usable\": true"), "{said:?}");

    let forged = other.url().rsplit_once('/').map(|(place, _)| format!("{place}/{OTHER_KEY}")).unwrap();
    let said = mujinactl(&control.address, &["pool", "test", &forged]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("failed in noise, authentication failed"), "{said:?}");

    let after = rig.wait_for(|status| totals(status).accepted >= totals(&before).accepted + 5).await;
    assert_eq!((&after.live_pool, after.pools.len(), totals(&after).lost), (&before.live_pool, 1, 0));
    assert_eq!(other.counts().accepted, 0);
    control.stop().await.unwrap();
    log.finish();
    rig.finish().await;
    live.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetime_totals_of_a_pool_are_its_own_count_over_restarts() {
    let mut pool = pool().await;
    let mut rig = Rig::on(&pool.url()).await;
    let mut began = None;
    for _ in 0..2 {
        let status = rig.wait_for(|status| totals(status).accepted >= 5 && lifetime(status).accepted > 0).await;
        let since = lifetime(&status).since;
        assert_eq!(*began.get_or_insert(since), since, "it counts since the first process");
        rig = rig.restart(None).await;
    }
    let name = rig.wait_for(|status| totals(status).accepted >= 5).await.live_pool;
    let paused = mujinactl(&rig.miner.address, &["pause"]).await;
    assert_eq!(paused.code, 0, "{paused:?}");
    let status = rig.wait_for(|status| at_rest(status) && status.pools[0].lifetime_totals.is_some()).await;
    let (ever, now) = (lifetime(&status), pool_totals(&status, &name));
    assert!(ever.balanced && ever.accepted >= now.accepted + 10, "{ever:?} {now:?}");
    assert_eq!(ever.accepted, pool.counts().accepted);
    rig.finish().await;
    pool.stop().await.unwrap();
}
