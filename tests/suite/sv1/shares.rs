//! V17 and V20, and what holds over reconnects: what becomes of a share.

use super::{SOURCE, brought_up, brought_up_as, part, scripted};
use crate::rig::totals;
use mujina_testbed::scripted_sv1::{Sv1Job, Welcome, message};
use serde_json::{Value, json};
use std::collections::HashMap;

#[tokio::test(flavor = "multi_thread")]
async fn many_shares_wait_at_once_and_are_answered_in_any_order() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let mut shares = Vec::new();
    for _ in 0..64 {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
        shares.push(share);
    }
    let status = rig.wait_for(|status| totals(status).pending >= 64).await;
    assert_eq!(totals(&status).accepted, 0);
    for (at, share) in shares.iter().rev().enumerate() {
        let id = if at % 2 == 0 { share.id.clone() } else { Value::String(share.id.to_string()) };
        session.send(&message::result(&id, json!(true))).await.unwrap();
    }
    // The first of the answers a second time: it counts once.
    session.accept(&shares[63]).await.unwrap();
    session.send(&message::ask("last", "mining.ping", json!([]))).await.unwrap();
    session.expect_answer(&json!("last")).await.unwrap();
    let status = rig.wait_for(|status| totals(status).accepted >= 64).await;
    assert_eq!((totals(&status).accepted, totals(&status).rejected, totals(&status).lost), (64, 0, 0));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_an_error_counts_in_its_bucket() {
    let answers = [
        (json!({"result": null, "error": [21, "Job not found", null]}), "stale"),
        (json!({"result": null, "error": [23, "Low difficulty share", ""]}), "low-difficulty"),
        (json!({"error": {"code": 22, "message": "duplicate share", "data": null}}), "duplicate"),
        (json!({"jsonrpc": "2.0", "result": null, "error": {"code": 22, "message": "?", "data": null}}), "duplicate"),
        (json!({"result": null, "error": "Stale"}), "stale"),
        (json!({"result": false, "error": null, "reject-reason": "Above target 2"}), "low-difficulty"),
        (json!({"result": false, "error": null}), "other"),
        (json!({"error": [21, "?", null]}), "stale"),
        (json!({"result": false}), "other"),
        (json!({"result": null, "error": [22]}), "duplicate"),
        (json!({"result": null, "error": ["24", "Unauthorized worker", null]}), "unauthorized"),
        (json!({"result": null, "error": [20, "Ntime out of range", null]}), "ntime"),
        (json!({"result": null, "error": [20, "Invalid version mask", null]}), "version-rolling"),
        (json!({"result": null, "error": [20, "\u{1b}[31m\u{202e}?", null]}), "other"),
        (json!({"result": null, "error": [-3, "Method not found", null]}), "other"),
        (json!({"result": true, "error": null}), "accepted"),
        (json!({"result": true}), "accepted"),
        (json!({"result": null, "error": null}), "lost"),
        (json!({}), "lost"),
    ];
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let mut expected: HashMap<String, u64> = HashMap::new();
    for (mut answer, bucket) in answers {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
        answer["id"] = share.id;
        session.send(&answer).await.unwrap();
        *expected.entry(bucket.into()).or_default() += 1;
    }
    let (accepted, lost) = (expected.remove("accepted").unwrap(), expected.remove("lost").unwrap());
    let rejected = expected.values().sum();
    let status =
        rig.wait_for(|status| totals(status).accepted + totals(status).rejected + totals(status).lost >= 19).await;
    let ours = totals(&status);
    assert_eq!((ours.accepted, ours.rejected, ours.lost), (accepted, rejected, lost));
    assert_eq!(ours.rejected_by_reason.iter().filter(|(_, count)| **count > 0).count(), expected.len());
    assert!(expected.iter().all(|(reason, count)| ours.rejected_by_reason.get(reason) == Some(count)), "{ours:?}");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_forgot_the_subscription_is_subscribed_to_again() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    rig.log.expect_warn(SOURCE, "pool connection failed");
    let share = session.expect_share().await.unwrap();
    session.reject(&share, json!([25, "Not subscribed", null])).await.unwrap();
    session.ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    let status = rig.wait_for(|status| totals(status).accepted >= 3).await;
    assert_eq!(totals(&status).rejected_by_reason.get("unauthorized"), Some(&1));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_is_reset_loses_its_shares_by_name_and_no_header_comes_again() {
    let pool = scripted().await;
    let job = Sv1Job::new("a", 0x11);
    let (rig, mut session) = super::connected(&pool).await;
    session.bring_up(&Welcome::default(), &job).await.unwrap();
    rig.log.allow_warn(SOURCE, "pool connection failed");
    for _ in 0..20 {
        let share = session.expect_share().await.unwrap();
        session.judge(&share).unwrap();
    }
    session.reset().unwrap();
    let status = rig.wait_for(|status| totals(status).lost >= 20).await;
    assert_eq!((totals(&status).pending, totals(&status).accepted), (0, 0));
    // The same extranonce and the same job to the letter: the verifier knows every header of before.
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &job).await.unwrap();
    session.accept_shares(20).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trivial_difficulty_is_mined_by_and_no_verdict_is_lost() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up_as(&pool, &Welcome { difficulty: 1e-9, ..Welcome::default() }).await;
    session.accept_shares(60).await.unwrap();
    let status = rig.wait_for(|status| totals(status).accepted >= 60).await;
    assert_eq!((totals(&status).rejected, totals(&status).lost), (0, 0));
    part(rig, session).await;
}
