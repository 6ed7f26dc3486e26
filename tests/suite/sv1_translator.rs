//! The SV1 client against `translator_sv2` and the real pool behind it: nobody here wrote what it is understood by.

use crate::rig::{Rig, totals};
use mujina_proto::dataplane::v1::{PauseRequest, miner_service_client::MinerServiceClient};
use mujina_testbed::{
    sv1_translator::{Sv1Translator, TranslatorOptions},
    sv2_pool::{PoolOptions, Sv2Pool},
    world::at_rest,
};

async fn world() -> (Sv2Pool, Sv1Translator, Rig) {
    let pool = Sv2Pool::start(PoolOptions::default()).await.unwrap();
    let translator = Sv1Translator::start(&pool, TranslatorOptions::default()).await.unwrap();
    let rig = Rig::on(&translator.url()).await;
    (pool, translator, rig)
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_accepted_on_both_sides_and_both_count_the_same() {
    let (mut pool, translator, rig) = world().await;
    rig.wait_for(|status| totals(status).accepted >= 20).await;
    pool.provider().new_template();
    rig.wait_for(|status| totals(status).accepted >= 40).await;
    MinerServiceClient::new(rig.miner.clients.channel()).pause(PauseRequest::default()).await.unwrap();
    let status = rig.wait_for(at_rest).await;
    let accepted = totals(&status).accepted;
    assert_eq!((totals(&status).rejected, totals(&status).lost), (0, 0));
    // The translator answers before the pool does.
    let counts = pool.wait_for(|counts| counts.accepted >= accepted).await.unwrap();
    assert_eq!((counts.accepted, counts.rejected_total()), (accepted, 0), "{counts:?}");
    rig.finish().await;
    translator.stop().await.unwrap();
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tips_cost_no_more_than_what_was_under_way() {
    let (mut pool, translator, rig) = world().await;
    for round in 1..=3 {
        rig.wait_for(|status| totals(status).accepted >= round * 10).await;
        pool.provider().new_block();
    }
    let status = rig.wait_for(|status| totals(status).accepted >= 40).await;
    let refused = &totals(&status).rejected_by_reason;
    assert!(refused.keys().all(|reason| reason == "stale"), "{refused:?}");
    assert!(totals(&status).rejected <= 3, "{refused:?}");
    rig.finish().await;
    translator.stop().await.unwrap();
    pool.stop().await.unwrap();
}
