use super::*;
use crate::{
    scripted_pool::EASY_TARGET,
    scripted_sv1::Notify,
    sv1_client::{Sv1Client, Sv1Work},
    sv2_pool::PoolOptions,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn share_of_a_raw_miner_passes_through_to_the_pool() {
    let mut pool = Sv2Pool::start(PoolOptions::default()).await.unwrap();
    let translator = Sv1Translator::start(&pool, TranslatorOptions::default()).await.unwrap();
    let mut miner = Sv1Client::connect(translator.address()).await.unwrap();
    let subscribed = miner.set_up("alice", 0x1fff_e000).await.unwrap();
    assert_eq!(subscribed.extranonce2_size, usize::from(EXTRANONCE2_SIZE));
    let difficulty = miner.called("mining.set_difficulty").await.unwrap()[0].as_f64().unwrap();
    assert!(difficulty > 0.0 && difficulty < 1e-4, "{difficulty}");
    let notify = Notify::read(&miner.called("mining.notify").await.unwrap()).unwrap();
    let extranonce1 = subscribed.extranonce1_bytes().unwrap();
    let mut target = EASY_TARGET;
    target[30] = 0; // an eighth of what the difficulty asks for, and more than enough
    let work = Sv1Work { worker: "alice".into(), notify, extranonce1, target, version_bits: Some(0x2000) };
    for number in 0..3 {
        let accepted = miner.result("mining.submit", work.mine(&[number; 4], 0)).await.unwrap();
        assert_eq!(accepted, json!(true));
    }
    let counts = pool.wait_for(|counts| counts.accepted == 3).await.unwrap();
    assert!(counts.balanced() && counts.rejected.is_empty(), "{counts:?}");
    let again = miner.ask("mining.submit", work.mine(&[0; 4], 0)).await.unwrap();
    assert_eq!(miner.answer(&again).await.unwrap()["error"][0], 22);
    translator.stop().await.unwrap();
    pool.stop().await.unwrap();
}
