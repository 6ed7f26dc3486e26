//! V21: who is believed to be the pool, and that nobody is fallen back upon.

use super::{POOL, SOURCE, give, idle, part, scripted};
use crate::rig::pool_totals;
use mujina_proto::types::v1::{MinerStatus, PoolOptions, PoolState};
use mujina_testbed::{
    scripted_sv1::{
        ScriptedSv1Pool, Sv1Job, Welcome,
        message::{self, hex},
    },
    sv1_wire::{Flaw, TlsIdentity},
};
use tokio::io::AsyncReadExt as _;

fn has_pool(status: &MinerStatus) -> bool {
    status.pools.iter().any(|pool| pool.name == POOL)
}

fn pinned(tls_pins: Vec<String>) -> PoolOptions {
    PoolOptions { tls_pins, ..PoolOptions::default() }
}

fn identity(flaw: Flaw) -> TlsIdentity {
    TlsIdentity::new(flaw).unwrap()
}

/// Mines on the pool, and says whether it is shown as authenticated.
async fn is_authenticated(url: &str, pool: &ScriptedSv1Pool, pins: Vec<String>) -> bool {
    let rig = idle().await;
    let ((), session) = tokio::join!(give(&rig, url, pinned(pins)), pool.session());
    let mut session = session.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(5).await.unwrap();
    let status = rig.wait_for(|status| has_pool(status) && pool_totals(status, POOL).accepted >= 5).await;
    let authenticated = status.pools[0].connection.as_ref().unwrap().authenticated;
    part(rig, session).await;
    authenticated
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_whose_key_is_pinned_is_mined_on_and_shown_as_authenticated() {
    let good = identity(Flaw::None);
    let pool = ScriptedSv1Pool::start_tls(good.clone()).await.unwrap();
    let pins = vec!["00".repeat(32), hex(&good.spki_sha256())];
    assert!(is_authenticated(&pool.url(), &pool, pins).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnect_leads_to_a_host_that_the_owner_listed_when_the_pool_is_proven() {
    let good = identity(Flaw::None);
    let pool = ScriptedSv1Pool::start_tls(good.clone()).await.unwrap();
    let other = pool.on_another_port().await.unwrap();
    let options = PoolOptions { redirect_hosts: vec!["localhost".into()], ..pinned(vec![hex(&good.spki_sha256())]) };
    let (rig, url) = (idle().await, pool.url());
    rig.log.allow_warn(SOURCE, "pool connection failed");
    let ((), session) = tokio::join!(give(&rig, &url, options), pool.session());
    let mut session = session.unwrap();
    session.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    session.accept_shares(3).await.unwrap();
    session.send(&message::reconnect("localhost", other.address().port())).await.unwrap();
    let mut next = other.session().await.unwrap();
    next.bring_up(&Welcome::default(), &Sv1Job::new("a", 0x11)).await.unwrap();
    next.accept_shares(5).await.unwrap();
    drop(session);
    part(rig, next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_mined_on_only_where_the_owner_says_so_and_shown_as_not_authenticated() {
    let pool = ScriptedSv1Pool::start_tls(identity(Flaw::OtherHost)).await.unwrap();
    assert!(!is_authenticated(&format!("{}?tls=insecure", pool.url()), &pool, Vec::new()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_cannot_prove_itself_gets_no_line() {
    let pin = |identity: &TlsIdentity| vec![hex(&identity.spki_sha256())];
    let (good, expired) = (identity(Flaw::None), identity(Flaw::Expired));
    for (offered, pins, state) in [
        // Signed by nobody whom the web trusts.
        (good.clone(), Vec::new(), PoolState::AuthenticationFailed),
        (good.clone(), pin(&identity(Flaw::None)), PoolState::AuthenticationFailed),
        (expired.clone(), pin(&expired), PoolState::ClockSkew),
    ] {
        let pool = ScriptedSv1Pool::start_tls(offered).await.unwrap();
        let (rig, url) = (idle().await, pool.url());
        rig.log.expect_warn(SOURCE, "pool connection failed");
        let ((), session) = tokio::join!(give(&rig, &url, pinned(pins)), pool.session());
        assert!(session.is_err(), "the miner breaks the handshake off");
        let status = rig.wait_for(|status| has_pool(status) && status.pools[0].state() == state).await;
        assert_eq!(pool_totals(&status, POOL).submitted, 0);
        rig.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_not_given_up_when_a_pool_does_not_speak_it() {
    let pool = scripted().await;
    let url = format!("stratum+ssl://{}", pool.address());
    let rig = idle().await;
    rig.log.expect_warn(SOURCE, "pool connection failed");
    let ((), stream) = tokio::join!(give(&rig, &url, PoolOptions::default()), pool.mute());
    let mut stream = stream.unwrap();
    for _ in 0..2 {
        assert_eq!(stream.read_u8().await.unwrap(), 0x16, "a TLS handshake, never a line");
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"{\"id\":1,\"result\":true}\n").await.unwrap();
        stream = pool.mute().await.unwrap();
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn url_in_clear_on_a_tls_port_is_told_apart() {
    let pool = ScriptedSv1Pool::start_tls(identity(Flaw::None)).await.unwrap();
    let url = format!("stratum+tcp://{}", pool.address());
    let rig = idle().await;
    rig.log.expect_warn(SOURCE, "pool connection failed");
    let ((), session) = tokio::join!(give(&rig, &url, PoolOptions::default()), pool.session());
    assert!(session.is_err(), "lines of JSON are no handshake");
    let told = |status: &MinerStatus| has_pool(status) && status.pools[0].state_reason.contains("TLS");
    rig.wait_for(told).await;
    rig.finish().await;
}
