//! V1 and V4: lines, however they come.

use super::{SOURCE, brought_up, connected, part, scripted};
use mujina_testbed::scripted_sv1::{
    EASY_DIFFICULTY, Sv1Job, Welcome,
    message::{self, line},
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn lines_may_be_cut_anywhere_and_come_together() {
    let pool = scripted().await;
    let (rig, mut session) = connected(&pool).await;
    let asked = session.expect_asked().await.unwrap();
    let welcome = Welcome::default();
    let snowman = message::call("client.show_message", json!(["grüße ☃"]));
    let crlf = |message: &Value| format!("  {message}\r\n").into_bytes();
    let mut bytes = "\u{feff}\n\r\n   \n".as_bytes().to_vec();
    bytes.extend(crlf(&message::result(&asked.configure.id, welcome.configured.clone())));
    bytes.extend(crlf(&message::result(&asked.subscribe.id, welcome.subscribed())));
    bytes.extend(line(&snowman));
    bytes.extend(crlf(&message::result(&asked.authorize.id, json!(true))));
    bytes.extend(crlf(&message::difficulty(EASY_DIFFICULTY)));
    bytes.extend(line(&Sv1Job::new("a", 0x11).notify()));
    for piece in bytes.chunks(3) {
        session.send_bytes(piece).await.unwrap();
    }
    session.accept_shares(3).await.unwrap();
    rig.log.wait_for_info("mujina_dataplane", "grüße ☃").await;
    let together = [message::difficulty(EASY_DIFFICULTY / 2.0), Sv1Job::new("b", 0x22).notify(), snowman];
    session.send_together(&together).await.unwrap();
    session.expect_share_of(1).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn line_beyond_the_cap_ends_the_connection() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    rig.log.expect_warn(SOURCE, "pool connection failed");
    for _ in 0..300 {
        // The miner may be gone already.
        let _ = session.send_bytes(&[b'x'; 1024]).await;
    }
    session.ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_of_130_kilobytes_is_mined() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let large = Sv1Job { padding: 0xffff, ..Sv1Job::new("b", 0x22) };
    assert!(line(&large.notify()).len() > 130_000);
    session.send(&large.notify()).await.unwrap();
    session.expect_share_of(1).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_or_answers_nothing_is_passed_over() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    for bad in ["not json", "[]", "7", "{\"id\":", deep.as_str()] {
        session.send_bytes(format!("{bad}\n").as_bytes()).await.unwrap();
    }
    for odd in [
        json!({"id": null, "result": null, "error": [20, "nobody asked", null]}),
        json!({"id": 999_999, "result": true, "error": null}),
        json!({"id": "not ours", "result": true}),
        json!({"id": null, "method": "client.show_message"}),
        json!({"method": "mining.unheard_of", "params": {"a": 1}}),
    ] {
        session.send(&odd).await.unwrap();
    }
    // Lines are read in order: whoever answers this has read those before.
    session.send(&message::ask("last", "mining.ping", json!([]))).await.unwrap();
    session.expect_answer(&json!("last")).await.unwrap();
    session.accept_shares(5).await.unwrap();
    let counted = |status: &mujina_proto::types::v1::MinerStatus| {
        status.pools.iter().any(|pool| pool.connection.as_ref().is_some_and(|one| one.unknown_messages >= 4))
    };
    rig.wait_for(counted).await;
    part(rig, session).await;
}
