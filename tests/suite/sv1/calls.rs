//! V13 and V14: what the pool asks and tells.

use super::{brought_up, connected, part, scripted};
use mujina_testbed::scripted_sv1::{Sv1Job, Welcome, message};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_the_pool_are_answered_and_notifications_are_not() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.send(&message::call("mining.ping", json!([]))).await.unwrap();
    session.send(&message::call("mining.unheard_of", json!([]))).await.unwrap();
    session.send(&message::ask(7, "mining.ping", json!([]))).await.unwrap();
    session.send(&message::ask("v", "client.get_version", json!([]))).await.unwrap();
    session.send(&json!({"id": 8, "method": "mining.unheard_of"})).await.unwrap();
    let pong = session.expect_answer(&json!(7)).await.unwrap();
    assert_eq!(pong, json!({"id": 7, "result": "pong", "error": null}));
    let version = session.expect_answer(&json!("v")).await.unwrap();
    assert!(version["result"].as_str().is_some_and(|version| version.contains('/')), "{version}");
    let unsupported = session.expect_answer(&json!(8)).await.unwrap();
    assert_eq!(unsupported["error"][0], 20, "{unsupported}");
    // Answers keep their order: one to a notification would have come by now.
    assert!(!session.has_come(|line| line.get("method").is_none() && line["id"] == Value::Null));
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_for_people_are_logged_without_control_characters() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let evil = format!("maintenance\u{1b}[31m\u{7}\nat\u{202e}\u{200b} noon{}", "x".repeat(10_000));
    session.send(&message::call("client.show_message", json!([evil]))).await.unwrap();
    let record = rig.log.wait_for_info("mujina_dataplane", "maintenance").await;
    let is_bad = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}');
    assert!(!record.text.chars().any(is_bad) && !record.text.contains("\\u{"), "{}", record.text);
    assert!(record.text.len() < 400, "{}", record.text.len());
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnect_leads_to_another_port_of_the_same_host_and_nowhere_else() {
    let pool = scripted().await;
    let other = pool.on_another_port().await.unwrap();
    let (rig, mut session) = brought_up(&pool).await;
    let port = other.address().port();
    for host in ["pool.evil.example", "10.9.8.7", "127.0.0.1.evil.example", "localhost"] {
        session.send(&message::reconnect(host, port)).await.unwrap();
        rig.log.wait_for_info("mujina_dataplane", host).await;
    }
    session.accept_shares(10).await.unwrap();
    let same = message::call("client.reconnect", json!(["127.0.0.1", port.to_string(), 0]));
    session.send(&same).await.unwrap();
    let mut next = other.session().await.unwrap();
    next.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    next.accept_shares(10).await.unwrap();
    rig.log.allow_warn(super::SOURCE, "pool connection failed");
    drop(session);
    part(rig, next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnect_without_parameters_is_followed_also_before_the_set_up_is_answered() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    rig.log.allow_warn(super::SOURCE, "pool connection failed");
    session.expect_asked().await.unwrap();
    session.send(&json!({"id": null, "method": "client.reconnect"})).await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    session.send(&message::call("client.reconnect", json!([null, null, null]))).await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x22)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}
