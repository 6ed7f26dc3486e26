//! What a pool's owner may ask for, and where a pool may lead us: stratum-client SEC1, R1, R3, S2, S5, E2, U11, 0.2, 0.3.

use super::*;
use crate::pool::Target;
use mujina_core::pool::Host;

fn connect(endpoint: PoolEndpoint, memory: &Memory, change: impl FnOnce(&mut ConnectionPlan)) -> Miner {
    Miner::plan(endpoint, Limits::default(), tracing::Span::none(), memory, change)
}

fn names_worker(plan: &mut ConnectionPlan) {
    plan.pool.options.worker_name = Some("shed-3".into());
}

/// Ends a miner whose end does not matter.
async fn cut(mut miner: Miner) {
    miner.abort.cancel();
    miner.ended().await;
}

// SEC1, SEC4
#[tokio::test]
async fn pool_may_hold_any_of_the_configured_keys() {
    let pool = ScriptedPool::listen().await;
    let other = Authority::new(9);
    let PoolEndpoint::V2 { host, port, .. } = pool.endpoint() else { panic!("a V2 pool") };
    let endpoint = PoolEndpoint::V2 { host, port, authority: other.key };
    let rolled = pool.authority.key;
    let mut miner = connect(endpoint.clone(), &Memory::default(), |plan| {
        plan.pool.options.authority_keys = vec![Authority::new(8).key, rolled];
    });
    let mut line = pool.accept().await;
    line.set_up().await;
    let told = miner.next_that(|event| match event {
        ConnectionEvent::Phase { name: PhaseName::Noise, detail, .. } => Some(detail),
        _ => None,
    });
    assert!(told.await.contains(&rolled.fingerprint()), "the key that counted is named");
    let proved = miner.next_that(|event| match event {
        ConnectionEvent::Facts(facts) => facts.authority,
        _ => None,
    });
    assert_eq!(proved.await, rolled);
    cut(miner).await;
    let mut miner = connect(endpoint, &Memory::default(), |plan| {
        plan.pool.options.authority_keys = vec![Authority::new(8).key];
    });
    let mut stream = pool.accept_tcp().await;
    pool.authority.respond(&mut stream, 0).await;
    assert_eq!(miner.failed().await.0, FailureKind::Authentication);
}

// R1, S2
#[tokio::test]
async fn target_of_a_redirect_is_dialled_by_its_own_name_and_the_pools_own_key() {
    let home = ScriptedPool::listen().await;
    let elsewhere = ScriptedPool::listen().await;
    let target = || Target { host: "127.0.0.1".parse().unwrap(), port: elsewhere.endpoint().port() };
    let miner = connect(home.endpoint(), &Memory::default(), |plan| plan.target = Some(target()));
    let mut line = elsewhere.accept().await;
    let mut payload = line.hear_kind(common::MESSAGE_TYPE_SETUP_CONNECTION).await;
    let setup: common::SetupConnection<'_> = binary_sv2::from_bytes(&mut payload).unwrap();
    assert_eq!((setup.endpoint_host.as_bytes(), setup.endpoint_port), (&b"127.0.0.1"[..], target().port));
    cut(miner).await;
    let mut miner = connect(home.endpoint(), &Memory::default(), |plan| plan.target = Some(target()));
    let mut stream = elsewhere.accept_tcp().await;
    Authority::new(9).respond(&mut stream, 0).await;
    assert_eq!(miner.failed().await.0, FailureKind::Authentication);
}

// R3
#[tokio::test]
async fn name_that_a_pool_gave_and_that_leads_to_this_machine_is_not_dialled() {
    let pool = ScriptedPool::listen().await;
    let port = pool.endpoint().port();
    let far = PoolEndpoint::V2 { host: "192.0.2.1".parse().unwrap(), port, authority: pool.authority.key };
    let host: Host = "localhost".parse().unwrap();
    let mut miner = connect(far, &Memory::default(), |plan| plan.target = Some(Target { host, port }));
    let (kind, recovery, phase, _) = miner.failed().await;
    assert_eq!((kind, recovery, phase), (FailureKind::Protocol, Recovery::Retry, Some(PhaseName::Dns)));
}

// E1, U11, 0.3
#[tokio::test]
async fn worker_stands_behind_every_share_once_the_pool_agreed() {
    let pool = ScriptedPool::listen().await;
    let mut miner = connect(pool.endpoint(), &Memory::default(), names_worker);
    let mut line = pool.accept().await;
    line.set_up().await;
    let request = line.hear().await.unwrap();
    assert_eq!((request.extension, request.kind), (1, 0));
    assert_eq!(request.payload, [1, 0, 1, 0, 2, 0]);
    line.say(&Incoming::ExtensionsGranted { request_id: 1, extensions: vec![2] }).await;
    line.open(4).await;
    line.give_job(10, 50).await;
    let job = miner.job().await;
    for _ in 0..2 {
        miner.find(&job).await;
        let payload = line.hear_kind(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED).await;
        assert!(payload.ends_with(b"\x07\x07\x07\x07\x02\x00\x01\x06\x00shed-3"), "{payload:?}");
    }
    cut(miner).await;
}

// E2
#[tokio::test]
async fn pool_that_ignores_extensions_is_asked_twice_and_then_mined_on_without() {
    let pool = ScriptedPool::listen().await;
    let memory = Memory::default();
    for _ in 0..2 {
        let mut miner = connect(pool.endpoint(), &memory, names_worker);
        let mut line = pool.accept().await;
        line.set_up().await;
        assert_eq!(line.hear().await.unwrap().extension, 1);
        let (kind, recovery, phase, _) = miner.failed().await;
        assert_eq!((kind, recovery, phase), (FailureKind::Mute, Recovery::Retry, Some(PhaseName::OpenChannel)));
    }
    let mut miner = connect(pool.endpoint(), &memory, names_worker);
    let mut line = pool.accept().await;
    line.set_up().await;
    line.open(4).await;
    line.give_job(10, 50).await;
    let job = miner.job().await;
    miner.find(&job).await;
    assert_eq!(line.hear_share().await, (1, vec![7; 4]));
    cut(miner).await;
}

// R3, D21
#[tokio::test]
async fn fourth_redirect_in_a_row_is_not_followed() {
    let pool = ScriptedPool::listen().await;
    let memory = Memory::default();
    for round in 0..4 {
        let mut miner = connect(pool.endpoint(), &memory, |_| {});
        let mut line = pool.accept().await;
        line.set_up().await;
        line.say(&Incoming::Reconnect { host: String::new(), port: 0 }).await;
        if round < 3 {
            let (_, failure, redirect) = miner.ended().await;
            assert_eq!((failure.unwrap().kind, redirect), (FailureKind::Redirected, Some((String::new(), 0))));
        } else {
            line.open(4).await;
            line.give_job(10, 50).await;
            miner.job().await;
            cut(miner).await;
        }
    }
}

// 0.2
#[tokio::test]
async fn wide_version_rolling_is_a_matter_of_the_pools_owner() {
    for (wide, mask) in [(false, 0x1fff_e000), (true, 0x1fff_ffe0)] {
        let pool = ScriptedPool::listen().await;
        let mut miner = connect(pool.endpoint(), &Memory::default(), |plan| {
            plan.pool.options.wide_version_rolling = wide;
        });
        let mut line = pool.accept().await;
        line.set_up().await;
        line.open(4).await;
        line.give_job(10, 50).await;
        assert_eq!(miner.job().await.version_mask, mask);
        cut(miner).await;
    }
}
