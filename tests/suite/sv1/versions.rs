//! V7, V8 and V16: which version bits are rolled, and how they are told. The verifier holds every share to the granted bits
//! and to both ways in which pools rebuild a version.

use super::{brought_up, brought_up_as, part, scripted};
use crate::rig::Rig;
use mujina_testbed::scripted_sv1::{EASY_DIFFICULTY, ScriptedSv1Pool, Sv1Job, Sv1Session, Sv1Share, Welcome, message};
use serde_json::{Value, json};

/// A pool's welcome with this result of `mining.configure`.
fn granting(configured: Value) -> Welcome {
    Welcome { configured, ..Welcome::default() }
}

/// A miner that is good at few versions, on the pool, to which nothing was said yet.
async fn plain_connected(pool: &ScriptedSv1Pool) -> (Rig, Sv1Session) {
    let url = pool.url();
    let (rig, session) = tokio::join!(Rig::plain(&url), pool.session());
    (rig, session.unwrap())
}

async fn plain_brought_up(pool: &ScriptedSv1Pool, welcome: &Welcome) -> (Rig, Sv1Session) {
    let (rig, mut session) = plain_connected(pool).await;
    session.bring_up(welcome, &Sv1Job::new("a", 0x11)).await.unwrap();
    (rig, session)
}

/// Waits for a share of this many parameters and passes over those that were on the way.
async fn share_of_length(session: &mut Sv1Session, length: usize) -> Sv1Share {
    loop {
        let share = session.expect_share().await.unwrap();
        if share.params.len() == length {
            session.judge(&share).unwrap();
            return share;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_every_shape_are_kept_to() {
    for configured in [
        json!({"version-rolling": true, "version-rolling.mask": "0x1FFFE000"}),
        json!({"version-rolling": true, "version-rolling.mask": "ffffffff"}),
        json!({"version-rolling": true}),
    ] {
        let pool = scripted().await;
        let (rig, mut session) = brought_up_as(&pool, &granting(configured)).await;
        let shares = session.accept_shares(10).await.unwrap();
        assert!(shares.iter().all(|(share, _)| share.params.len() == 6));
        part(rig, session).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_nothing_is_rolled_and_no_bits_are_sent() {
    for configured in [json!({"version-rolling": false}), json!({"version-rolling": "no such thing"}), Value::Null] {
        let pool = scripted().await;
        let (rig, mut session) = plain_brought_up(&pool, &granting(configured)).await;
        let shares = session.accept_shares(5).await.unwrap();
        assert!(shares.iter().all(|(share, _)| share.params.len() == 5));
        part(rig, session).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_on_configure_is_no_grant_until_it_is_broken() {
    let pool = scripted().await;
    let (rig, mut session) = plain_connected(&pool).await;
    let asked = session.expect_asked().await.unwrap();
    let welcome = Welcome::default();
    session.send(&message::result(&asked.subscribe.id, welcome.subscribed())).await.unwrap();
    session.send(&message::result(&asked.authorize.id, json!(true))).await.unwrap();
    session.send(&message::difficulty(EASY_DIFFICULTY)).await.unwrap();
    session.send(&Sv1Job::new("a", 0x11).notify()).await.unwrap();
    let shares = session.accept_shares(5).await.unwrap();
    assert!(shares.iter().all(|(share, _)| share.params.len() == 5));
    session.send(&message::result(&asked.configure.id, welcome.configured)).await.unwrap();
    share_of_length(&mut session, 6).await;
    session.accept_shares(5).await.unwrap();
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bits_that_the_job_has_set_stay_set() {
    let pool = scripted().await;
    let (rig, mut session) = brought_up(&pool).await;
    for (notify, version) in [(1, 0x2000_6000), (2, 0x3555_4004)] {
        let job = Sv1Job { version, ..Sv1Job::new(&notify.to_string(), 0x11) };
        session.send(&job.notify()).await.unwrap();
        let (share, judged) = session.expect_share_of(notify).await.unwrap();
        assert_eq!(judged.version & version, version, "{share:?}");
        session.accept_shares(5).await.unwrap();
    }
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_grants_and_jobs_without_a_free_bit_are_mined() {
    let narrow = granting(json!({"version-rolling": true, "version-rolling.mask": "00006000"}));
    let pool = scripted().await;
    let (rig, mut session) = plain_brought_up(&pool, &narrow).await;
    session.accept_shares(5).await.unwrap();
    let full = Sv1Job { version: 0x3fff_e000, ..Sv1Job::new("b", 0x11) };
    session.send(&full.notify()).await.unwrap();
    let (share, judged) = session.expect_share_of(1).await.unwrap();
    assert_eq!((&share.params[5], judged.version), (&json!("00006000"), 0x3fff_e000));
    part(rig, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mask_may_change_while_the_miner_mines() {
    let pool = scripted().await;
    let (rig, mut session) = plain_brought_up(&pool, &Welcome::default()).await;
    session.accept_shares(3).await.unwrap();
    session.send(&message::version_mask(0x0000_6000)).await.unwrap();
    session.send(&Sv1Job::new("b", 0x22).notify()).await.unwrap();
    session.expect_share_of(1).await.unwrap();
    session.accept_shares(10).await.unwrap();
    // No job comes after these: they hold for what is being hashed.
    session.send(&message::version_mask(0)).await.unwrap();
    share_of_length(&mut session, 5).await;
    session.accept_shares(5).await.unwrap();
    session.send(&message::version_mask(0xffff_ffff)).await.unwrap();
    share_of_length(&mut session, 6).await;
    session.accept_shares(10).await.unwrap();
    part(rig, session).await;
}
