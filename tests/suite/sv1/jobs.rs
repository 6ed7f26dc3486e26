//! V11, V12, V18, V22 and the bounds on jobs: which job is mined, with what, and which shares are still sent.

use super::{SOURCE, brought_up, part, scripted};
use crate::rig::totals;
use mujina_testbed::scripted_sv1::{Sv1Job, Welcome, message, now};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_for_jobs_that_a_clean_job_or_a_new_tip_ended() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(3).await.unwrap();
    let clean = Sv1Job::new("b", 0x11);
    let new_tip = Sv1Job::refresh("c", 0x22);
    let same_id = Sv1Job { tag: "another".into(), ..Sv1Job::refresh("c", 0x22) };
    for (notify, job) in [(1, clean), (2, new_tip), (3, same_id)] {
        session.send(&job.notify()).await.unwrap();
        // What was on the wire already may still arrive; after the first share of the new job nothing of the old one may.
        session.expect_share_of(notify).await.unwrap();
        let shares = session.accept_shares(10).await.unwrap();
        assert!(shares.iter().all(|(_, judged)| judged.notify == notify), "{shares:?}");
    }
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_shares_of_a_refreshed_job_are_still_sent() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(2).await.unwrap();
    for number in 1..=20 {
        session.send(&Sv1Job::refresh(&number.to_string(), 0x11).notify()).await.unwrap();
        session.accept_shares(2).await.unwrap();
    }
    let status = rig.wait_for(|status| totals(status).accepted >= 40).await;
    assert_eq!(totals(&status).stale, 0, "a refresh on the same tip makes nothing stale");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_jobs_may_be_missing_or_a_number_or_behind_more_parameters() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let ends = [json!([]), json!([0]), json!([1]), json!(["more", {"and": "more"}, true]), json!([null])];
    for (number, end) in (1..).zip(ends) {
        let mut params = Sv1Job::new(&number.to_string(), 0x11).params();
        let list = params.as_array_mut().unwrap();
        list.truncate(8);
        list.extend(end.as_array().unwrap().clone());
        session.send(&message::call("mining.notify", params)).await.unwrap();
        session.expect_share_of(number).await.unwrap();
        session.accept_shares(2).await.unwrap();
    }
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extranonce_belongs_to_the_jobs_that_come_after_it() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(2).await.unwrap();
    for (notify, extranonce1, size) in [(1, &[0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5][..], 6), (2, &[], 12)] {
        session.send(&message::extranonce(extranonce1, size)).await.unwrap();
        let shares = session.accept_shares(10).await.unwrap();
        assert!(shares.iter().all(|(_, judged)| judged.notify < notify), "{shares:?}");
        session.send(&Sv1Job::refresh(&notify.to_string(), 0x11).notify()).await.unwrap();
        let (share, _) = session.expect_share_of(notify).await.unwrap();
        assert_eq!(share.params[2].as_str().unwrap().len(), 2 * size);
        session.accept_shares(3).await.unwrap();
    }
    // The same job again, behind another extranonce.
    session.send(&message::extranonce(&[0xc0], 8)).await.unwrap();
    session.send(&Sv1Job::refresh("2", 0x11).notify()).await.unwrap();
    session.expect_share_of(3).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clocks_are_mined_by_and_impossible_jobs_are_dropped() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    let behind = Sv1Job { ntime: now() - 7_000, ..Sv1Job::new("behind", 0x22) };
    session.send(&behind.notify()).await.unwrap();
    session.expect_share_of(1).await.unwrap();
    let ahead = Sv1Job { ntime: now() + 9_000, ..Sv1Job::refresh("ahead", 0x22) };
    let tall = Sv1Job { merkle_depth: 33, ..Sv1Job::refresh("tall", 0x22) };
    session.send_together(&[ahead.notify(), tall.notify()]).await.unwrap();
    let shares = session.accept_shares(5).await.unwrap();
    assert!(shares.iter().all(|(_, judged)| judged.notify == 1), "{shares:?}");
    let deepest = Sv1Job { merkle_depth: 32, ..Sv1Job::refresh("deepest", 0x22) };
    session.send(&deepest.notify()).await.unwrap();
    session.expect_share_of(4).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_whose_jobs_cannot_be_hashed_is_left() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    rig.log.expect_warn(SOURCE, "pool connection failed");
    for number in 0..3 {
        let ahead = Sv1Job { ntime: now() + 9_000, ..Sv1Job::new(&number.to_string(), 0x22) };
        session.send(&ahead.notify()).await.unwrap();
    }
    session.ended().await.unwrap();
    let mut session = pool.session().await.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x33)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_of_a_flood_of_jobs_is_mined() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    for round in 0..20 {
        let jobs: Vec<_> = (0..100).map(|job| Sv1Job::new(&format!("{round}-{job}"), round).notify()).collect();
        session.send_together(&jobs).await.unwrap();
    }
    session.expect_share_of(2000).await.unwrap();
    let shares = session.accept_shares(5).await.unwrap();
    assert!(shares.iter().all(|(_, judged)| judged.notify == 2000), "{shares:?}");
    part(rig, session).await;
}
