//! Another pool while mining: no restart, no idle thread, no lost share.

use crate::rig::{Rig, pool_totals, totals};
use mujina_testbed::{
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{at_rest, mujinactl},
};

async fn pool() -> Sv2Pool {
    Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_to_a_new_pool_without_a_restart_or_a_lost_share() {
    let (mut first, mut second) = (pool().await, pool().await);
    let rig = Rig::on(&first.url()).await;
    let before = rig.wait_for(|status| totals(status).accepted >= 10).await;
    let said =
        mujinactl(&rig.miner.address, &["pool", "set", &second.url(), "--user", "bob", "--name", "second", "--wait"])
            .await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let status = rig.wait_for(|status| status.live_pool == "second" && totals(status).accepted >= 30).await;
    assert_eq!(status.boot_id, before.boot_id);
    assert_eq!(totals(&status).lost, 0);
    assert!(pool_totals(&status, "second").accepted > 0);
    let settled =
        rig.wait_for(|status| status.pools.len() == 1 && status.observed_generation == status.generation).await;
    assert_eq!(settled.pools[0].name, "second");
    let paused = mujinactl(&rig.miner.address, &["pause"]).await;
    assert_eq!(paused.code, 0, "{paused:?}");
    let status = rig.wait_for(at_rest).await;
    assert_eq!(totals(&status).accepted, first.counts().accepted + second.counts().accepted);
    rig.finish().await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_url_is_refused_with_its_field_and_changes_nothing() {
    let mut pool = pool().await;
    let rig = Rig::on(&pool.url()).await;
    let before = rig.wait_for(|status| totals(status).accepted >= 1).await;
    for (url, reason) in [
        ("stratum://pool.example", "stratum"),
        ("stratum2+tcp://pool.example", "key"),
        ("stratum+tcp://pool.example:3333/mining", "path"),
    ] {
        let said = mujinactl(&rig.miner.address, &["pool", "set", url, "--user", "bob"]).await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(".url") && said.err.contains(reason), "{}", said.err);
    }
    let after = rig.miner.clients.status().await.unwrap();
    assert_eq!((after.generation, &after.live_pool), (before.generation, &before.live_pool));
    rig.finish().await;
    pool.stop().await.unwrap();
}
