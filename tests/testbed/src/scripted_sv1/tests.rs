use super::*;
use crate::{
    scripted_pool::EASY_TARGET,
    sv1_client::{Sv1Client, Sv1Work},
    sv1_wire::Flaw,
};
use message::{ask, line};

/// A raw miner on a pool, set up by both.
async fn set_up(pool: &ScriptedSv1Pool, trusted: Option<&TlsIdentity>) -> (Sv1Client, Sv1Session, Sv1Work) {
    let job = Sv1Job::new("a", 0x11);
    let welcome = Welcome::default();
    let miner = async {
        let mut miner = match trusted {
            None => Sv1Client::connect(pool.address()).await.unwrap(),
            Some(trusted) => Sv1Client::connect_tls(pool.address(), trusted).await.unwrap(),
        };
        let subscribed = miner.set_up("alice", 0x1fff_e000).await.unwrap();
        assert_eq!((subscribed.extranonce1.as_str(), subscribed.extranonce2_size), ("a0a1a2a3", 8));
        miner
    };
    let script = async {
        let mut session = pool.session().await.unwrap();
        let asked = session.bring_up(&welcome, &job).await.unwrap();
        assert_eq!(asked.authorize.params, json!(["alice", "x"]));
        session
    };
    let (mut miner, session) = tokio::join!(miner, script);
    let notify = Notify::read(&miner.called("mining.notify").await.unwrap()).unwrap();
    assert_eq!(notify, job.read());
    let extranonce1 = welcome.extranonce1;
    let work = Sv1Work { worker: "alice".into(), notify, extranonce1, target: EASY_TARGET, version_bits: Some(0) };
    (miner, session, work)
}

#[tokio::test]
async fn share_of_a_raw_miner_is_judged_good_and_the_verdict_arrives() {
    let pool = ScriptedSv1Pool::start().await.unwrap();
    let (mut miner, mut session, work) = set_up(&pool, None).await;
    let good = miner.ask("mining.submit", work.mine(&[7; 8], 0)).await.unwrap();
    assert_eq!(session.accept_shares(1).await.unwrap()[0].1.notify, 0);
    assert_eq!(miner.answer(&good).await.unwrap()["result"], true);
    let bad = miner.ask("mining.submit", work.mine(&[7; 8], 0)).await.unwrap();
    let share = session.expect_share().await.unwrap();
    assert!(matches!(session.judge(&share), Err(Violation::Repeated(_))));
    session.reject(&share, json!([22, "Duplicate share", null])).await.unwrap();
    assert_eq!(miner.answer(&bad).await.unwrap()["error"][0], 22);
}

#[tokio::test]
async fn lines_are_noted_however_they_are_cut_and_whatever_is_between() {
    let pool = ScriptedSv1Pool::start().await.unwrap();
    let (mut miner, mut session, _) = set_up(&pool, None).await;
    let next = Sv1Job::refresh("b", 0x11);
    let mut bytes = b"\r\n   \n{\"id\":\nnot json\n".to_vec();
    bytes.extend("\u{feff}".bytes());
    bytes.extend(line(&next.notify()));
    for piece in bytes.chunks(7) {
        session.send_bytes(piece).await.unwrap();
    }
    assert_eq!(session.notifies(), 2);
    session.send_together(&[Sv1Job::new("c", 0x22).notify(), Sv1Job::new("d", 0x33).notify()]).await.unwrap();
    assert_eq!(session.notifies(), 4);
    let mut lines = Vec::new();
    while lines.len() < 7 {
        lines.push(miner.peer().next_line().await.unwrap());
    }
    assert_eq!((lines[2].as_str(), lines[3].as_str()), ("{\"id\":", "not json"));
    assert!(lines[4].ends_with(&next.notify().to_string()), "{}", lines[4]);
    let id = ask("x", "mining.ping", json!([]));
    session.send(&id).await.unwrap();
    assert!(miner.peer().next_line().await.unwrap().contains("mining.ping"));
    miner.peer().send_bytes(b"{\"id\":\"x\",\"result\":\"pong\",\"error\":null}\n").await.unwrap();
    assert_eq!(session.expect_answer(&json!("x")).await.unwrap()["result"], "pong");
}

#[tokio::test]
async fn tls_is_believed_when_it_is_good_and_only_then() {
    let good = TlsIdentity::new(Flaw::None).unwrap();
    let pool = ScriptedSv1Pool::start_tls(good.clone()).await.unwrap();
    assert!(pool.url().starts_with("stratum+ssl://127.0.0.1:"));
    let (mut miner, mut session, work) = set_up(&pool, Some(&good)).await;
    let id = miner.ask("mining.submit", work.mine(&[7; 8], 0)).await.unwrap();
    session.accept_shares(1).await.unwrap();
    assert_eq!(miner.answer(&id).await.unwrap()["result"], true);

    for flaw in [Flaw::None, Flaw::OtherHost, Flaw::Expired, Flaw::FromTheFuture] {
        let identity = TlsIdentity::new(flaw).unwrap();
        let pool = ScriptedSv1Pool::start_tls(identity.clone()).await.unwrap();
        // A good certificate under a root that the miner does not know.
        let trusted = if flaw == Flaw::None { &good } else { &identity };
        let (miner, session) = tokio::join!(Sv1Client::connect_tls(pool.address(), trusted), pool.session());
        assert!(matches!(miner, Err(LineError::Io(_))), "{flaw:?}");
        assert!(session.is_err(), "{flaw:?}: the miner breaks the handshake off");
    }
}

#[tokio::test]
async fn resets_and_muteness_reach_the_miner_and_ports_share_their_memory() {
    let pool = ScriptedSv1Pool::start().await.unwrap();
    let (mut miner, session, _) = set_up(&pool, None).await;
    session.reset().unwrap();
    assert!(matches!(miner.peer().next_line().await, Err(LineError::Io(_))));

    let (waiting, mute) = tokio::join!(Sv1Client::connect(pool.address()), pool.mute());
    let (mut waiting, mute) = (waiting.unwrap(), mute.unwrap());
    assert!(waiting.peer().is_silent_for(Duration::from_millis(50)).await);
    assert!(pool.is_left_alone_for(Duration::from_millis(50)).await);
    drop(mute);

    // Work of this session: that of the one before may be a second too old.
    let (mut first, mut session, work) = set_up(&pool, None).await;
    first.ask("mining.submit", work.mine(&[7; 8], 0)).await.unwrap();
    let share = session.accept_shares(1).await.unwrap().remove(0).0;
    let other = pool.on_another_port().await.unwrap();
    assert_ne!(other.address(), pool.address());
    let (mut second, mut session, mut work) = set_up(&other, None).await;
    work.notify.ntime = u32::from_str_radix(share.params[3].as_str().unwrap(), 16).unwrap();
    let job = Sv1Job { ntime: work.notify.ntime, ..Sv1Job::new("a", 0x11) };
    session.send(&job.notify()).await.unwrap();
    second.ask("mining.submit", Value::Array(share.params)).await.unwrap();
    let share = session.expect_share().await.unwrap();
    assert!(matches!(session.judge(&share), Err(Violation::Repeated(_))));
    drop(second);
    session.ended().await.unwrap();
}
