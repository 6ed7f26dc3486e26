//! V9 and V10, and V11 where the same job comes again at another difficulty. The verifier knows the exact target of every
//! notify.

use super::{brought_up, part, scripted};
use mujina_testbed::scripted_sv1::{EASY_DIFFICULTY, Sv1Job, message};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn difficulty_belongs_to_the_jobs_that_come_after_it() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(1).await.unwrap();
    // Were it used at once, nearly every share would be too easy for its job.
    session.send(&message::difficulty(EASY_DIFFICULTY / 64.0)).await.unwrap();
    session.accept_shares(20).await.unwrap();
    session.send(&Sv1Job::refresh("b", 0x11).notify()).await.unwrap();
    session.expect_share_of(1).await.unwrap();
    session.send(&message::difficulty(EASY_DIFFICULTY * 3.75)).await.unwrap();
    session.send(&Sv1Job::refresh("c", 0x11).notify()).await.unwrap();
    session.expect_share_of(2).await.unwrap();
    let shares = session.accept_shares(5).await.unwrap();
    assert!(shares.iter().all(|(_, judged)| judged.notify == 2), "{shares:?}");
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fractions_and_texts_are_exact_and_nonsense_is_ignored() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    let spoken = [
        json!(1.234_567_89e-6),
        json!("0.00000095"),
        json!(0),
        json!(-3),
        json!("NaN"),
        json!(1e300),
        json!(null),
        json!({}),
        json!(7.000_001e-7),
    ];
    for (number, spoken) in (1..).zip(spoken) {
        session.send(&message::call("mining.set_difficulty", json!([spoken]))).await.unwrap();
        session.send(&Sv1Job::new(&number.to_string(), 0x11).notify()).await.unwrap();
        session.expect_share_of(number).await.unwrap();
        session.accept_shares(3).await.unwrap();
    }
    session.send(&message::call("mining.set_difficulty", json!([]))).await.unwrap();
    session.accept_shares(3).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_is_said_again_takes_the_new_difficulty_and_repeats_no_header() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    session.accept_shares(5).await.unwrap();
    // A second later the clock is another one, and the job the same to the letter.
    let job = Sv1Job { clean_jobs: false, ..Sv1Job::new("b", 0x22) };
    session.send(&job.notify()).await.unwrap();
    session.expect_share_of(1).await.unwrap();
    for (notify, factor) in [(2, 1.0 / 8.0), (3, 2.0)] {
        session.send(&message::difficulty(EASY_DIFFICULTY * factor)).await.unwrap();
        session.send(&job.notify()).await.unwrap();
        session.expect_share_of(notify).await.unwrap();
        let shares = session.accept_shares(10).await.unwrap();
        assert!(shares.iter().all(|(_, judged)| judged.notify == notify), "{shares:?}");
    }
    for _ in 0..3 {
        session.send(&job.notify()).await.unwrap();
        session.accept_shares(5).await.unwrap();
    }
    part(rig, session).await;
}
