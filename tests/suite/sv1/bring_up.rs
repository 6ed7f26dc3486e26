//! V2, V3, V5, V6, V12, V15 and N9: from the first line to the first job.

use super::{SOURCE, brought_up, connected, give, idle, part, scripted};
use mujina_proto::types::v1::{MinerStatus, PoolOptions, PoolState};
use mujina_testbed::scripted_sv1::{EASY_DIFFICULTY, Sv1Job, Welcome, message};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_asked_at_once_and_wishes_come_after_it() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    let asked = session.expect_asked().await.unwrap();
    assert_eq!(asked.configure.params[0], json!(["version-rolling"]));
    assert_eq!(asked.configure.params[1]["version-rolling.mask"], "1fffe000");
    assert!(asked.subscribe.params[0].as_str().is_some_and(|agent| agent.contains('/')), "{:?}", asked.subscribe);
    assert_eq!(asked.authorize.params[0], "alice");
    session.welcome(&asked, &Welcome::default()).await.unwrap();
    session.send(&message::difficulty(EASY_DIFFICULTY)).await.unwrap();
    session.send(&Sv1Job::new("a", 0x11).notify()).await.unwrap();
    let extranonce = session.expect_request("mining.extranonce.subscribe").await.unwrap();
    let suggest = session.expect_request("mining.suggest_difficulty").await.unwrap();
    assert_eq!(extranonce.params, json!([]));
    assert!(suggest.params[0].as_f64().is_some_and(|difficulty| difficulty > 0.0), "{suggest:?}");
    for wish in [extranonce, suggest] {
        assert!(wish.id.is_u64(), "a notification drops miners at some pools: {wish:?}");
        session.send(&message::error(&wish.id, json!([20, "Not supported", null]))).await.unwrap();
    }
    session.accept_shares(5).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_are_kept_to_oneself_where_the_owner_says_so() {
    let pool = scripted().await;
    let (rig, url) = (idle().await, pool.url());
    let options = PoolOptions { no_extranonce_subscribe: true, no_suggest_difficulty: true, ..PoolOptions::default() };
    let ((), session) = tokio::join!(give(&rig, &url, options), pool.session());
    let mut session = session.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(10).await.unwrap();
    let is_wish = |line: &Value| ["mining.extranonce.subscribe", "mining.suggest_difficulty"].contains(&method(line));
    assert!(!session.has_come(is_wish));
    part(rig, session).await;
}

fn method(line: &Value) -> &str {
    line.get("method").and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_early_job_is_mined_when_the_answers_come_backwards_with_text_ids() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    let asked = session.expect_asked().await.unwrap();
    session.send(&Sv1Job::new("a", 0x11).notify()).await.unwrap();
    session.send(&message::difficulty(EASY_DIFFICULTY)).await.unwrap();
    session.send(&Sv1Job::new("b", 0x22).notify()).await.unwrap();
    let welcome = Welcome::default();
    let text = |id: &Value| Value::String(id.to_string());
    session.send(&message::result(&text(&asked.authorize.id), json!(true))).await.unwrap();
    session.send(&message::result(&text(&asked.configure.id), welcome.configured.clone())).await.unwrap();
    session.send(&message::result(&text(&asked.subscribe.id), welcome.subscribed())).await.unwrap();
    // A second answer is none, and neither is one that comes too late to be believed.
    session.send(&message::result(&asked.subscribe.id, json!([[], "00", 2]))).await.unwrap();
    let shares = session.accept_shares(5).await.unwrap();
    assert!(shares.iter().all(|(_, judged)| judged.notify == 1), "{shares:?}");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_job_waits_for_its_difficulty_and_then_is_mined_at_it() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    let asked = session.expect_asked().await.unwrap();
    session.welcome(&asked, &Welcome::default()).await.unwrap();
    session.send(&Sv1Job::new("a", 0x11).notify()).await.unwrap();
    session.send(&message::difficulty(EASY_DIFFICULTY)).await.unwrap();
    session.accept_shares(5).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_a_subscription_is_understood() {
    for (subscribed, digits) in [
        (json!([null, "", 8]), 16),
        (json!([[], "a0", "4"]), 8),
        (json!(["d1", "000102030405060708090a0b0c0d0e0f", 16]), 32),
        (json!([[[["mining.notify", "n1"]]], "A0B1", 2, "more"]), 4),
    ] {
        let pool = scripted().await;
        let (rig, mut session) = connected(&pool).await;
        let asked = session.expect_asked().await.unwrap();
        session.send(&message::result(&asked.configure.id, Welcome::default().configured)).await.unwrap();
        session.send(&message::result(&asked.subscribe.id, subscribed.clone())).await.unwrap();
        session.send(&message::result(&asked.authorize.id, json!(true))).await.unwrap();
        session.send(&message::difficulty(EASY_DIFFICULTY)).await.unwrap();
        session.send(&Sv1Job::new("a", 0x11).notify()).await.unwrap();
        let shares = session.accept_shares(3).await.unwrap();
        assert!(shares.iter().all(|(share, _)| share.params[2].as_str().unwrap().len() == digits), "{subscribed}");
        part(rig, session).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscription_that_cannot_be_used_ends_the_connection_and_the_next_is_tried() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    rig.log.expect_warn(SOURCE, "pool connection failed");
    for subscribed in [json!([[], "a0b", 8]), json!([[], "a0", 17])] {
        let asked = session.expect_asked().await.unwrap();
        session.send(&message::result(&asked.subscribe.id, subscribed)).await.unwrap();
        session.ended().await.unwrap();
        session = pool.session().await.unwrap();
    }
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_that_is_refused_gets_no_work_and_the_pool_is_shown_as_refusing() {
    for refusal in
        [json!({"result": false, "error": null}), json!({"result": null, "error": [24, "Unknown user", null]})]
    {
        let pool = scripted().await;
        let (rig, mut session) = connected(&pool).await;
        rig.log.expect_warn(SOURCE, "pool connection failed");
        let asked = session.expect_asked().await.unwrap();
        let mut answer = refusal;
        answer["id"] = asked.authorize.id;
        session.send(&answer).await.unwrap();
        session.ended().await.unwrap();
        let is_refused = |status: &MinerStatus| status.pools[0].state() == PoolState::Refused;
        let status = rig.wait_for(is_refused).await;
        assert!(status.pools[0].state_reason.contains("user"), "{}", status.pools[0].state_reason);
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_flow_before_the_worker_is_authorised() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    let asked = session.expect_asked().await.unwrap();
    session.send(&message::result(&asked.configure.id, Welcome::default().configured)).await.unwrap();
    session.send(&message::result(&asked.subscribe.id, Welcome::default().subscribed())).await.unwrap();
    session.send(&message::difficulty(EASY_DIFFICULTY)).await.unwrap();
    session.send(&Sv1Job::new("a", 0x11).notify()).await.unwrap();
    session.accept_shares(3).await.unwrap();
    session.send(&message::result(&asked.authorize.id, json!(true))).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_answers_nothing_is_left_and_tried_again() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    rig.log.expect_warn(SOURCE, "pool connection failed");
    session.expect_asked().await.unwrap();
    session.ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(1).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn miner_that_is_stopped_leaves_in_order() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(3).await.unwrap();
    let (_, ended) = tokio::join!(rig.finish(), session.ended());
    ended.unwrap();
}
