//! A whole connection over loopback, against a scripted pool, in clear and in TLS.

use super::*;
use crate::{
    job::{Job, extranonce::Extranonce},
    pool::{
        ConnectionEvent, FailureKind, PoolFailure, Recovery, SHARE_QUEUE, ShareSubmission, Verdict,
        sv1::testing::{PATIENCE, PoolLine, ScriptedPool, TlsIdentity, impatient, notify},
    },
};
use mujina_core::{id::ShareId, pool::PoolOptions, share::DropReason, units::HashRate};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

/// The miner's end of a connection.
struct Miner {
    events: mpsc::Receiver<(ConnectionId, ConnectionEvent)>,
    shares: mpsc::Sender<ShareSubmission>,
    close: CancellationToken,
    abort: CancellationToken,
    _rate: watch::Sender<Option<HashRate>>,
    tasks: JoinSet<()>,
    found: u64,
}

/// How a connection is made, where it is not as usual.
struct Wish {
    limits: Limits,
    options: PoolOptions,
    roots: Arc<RootCertStore>,
    target: Option<Target>,
}

impl Default for Wish {
    fn default() -> Self {
        let (limits, roots) = (Limits::default(), Arc::new(RootCertStore::empty()));
        Self { limits, options: PoolOptions::default(), roots, target: None }
    }
}

impl Miner {
    fn connect(endpoint: PoolEndpoint) -> Self {
        Self::with(endpoint, Wish::default())
    }

    fn with(endpoint: PoolEndpoint, wish: Wish) -> Self {
        // Room for all that a test lets happen before it looks.
        let (events, event_queue) = mpsc::channel(1_024);
        let (shares, share_queue) = mpsc::channel(SHARE_QUEUE);
        let (rate, rate_line) = watch::channel(Some(HashRate::from_megahashes_per_second(1.0)));
        let (close, abort) = (CancellationToken::new(), CancellationToken::new());
        let plan = ConnectionPlan {
            id: ConnectionId(7),
            pool: PoolSpec {
                name: "pool".parse().unwrap(),
                endpoint,
                user: "alice.worker".into(),
                password: None,
                nominal_hash_rate: None,
                quota: mujina_core::pool::DEFAULT_QUOTA,
                options: wish.options,
            },
            target: wish.target,
            identity: MinerIdentity {
                vendor: "Mujina".into(),
                hardware_version: "cpu".into(),
                firmware: "1.2.3".into(),
            },
            hash_rate: rate_line,
            shares: share_queue,
            events,
            close: close.clone(),
            abort: abort.clone(),
            span: tracing::Span::none(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { run(plan, wish.limits, &wish.roots).await });
        Self { events: event_queue, shares, close, abort, _rate: rate, tasks, found: 0 }
    }

    async fn event(&mut self) -> ConnectionEvent {
        let (id, event) = timeout(PATIENCE, self.events.recv()).await.expect("an event").expect("no end yet");
        assert_eq!(id, ConnectionId(7));
        event
    }

    async fn job(&mut self) -> Arc<Job> {
        loop {
            match self.event().await {
                ConnectionEvent::Job(job) => return job,
                ConnectionEvent::Ended { failure, .. } => panic!("{failure:?}"),
                _ => {}
            }
        }
    }

    /// Everything up to the end, and how it came.
    async fn end(&mut self) -> (Vec<ConnectionEvent>, Option<PoolFailure>, Option<(String, u16)>) {
        let mut events = Vec::new();
        loop {
            match self.event().await {
                ConnectionEvent::Ended { failure, redirect } => {
                    timeout(PATIENCE, self.tasks.join_next()).await.unwrap().unwrap().unwrap();
                    assert!(self.events.recv().await.is_none());
                    return (events, failure, redirect);
                }
                event => events.push(event),
            }
        }
    }

    async fn failure(&mut self) -> PoolFailure {
        self.end().await.1.unwrap()
    }

    async fn find(&mut self, job: &Job) {
        self.found += 1;
        let share = ShareSubmission {
            id: ShareId(self.found),
            job: job.handle,
            extranonce: Extranonce::new(&vec![7; job.extranonce_size.into()]).unwrap(),
            ntime: job.min_ntime,
            nonce: 0x0102_0304,
            version: job.version | 0x2000,
            block: false,
            hash: [0; 32],
            span: tracing::Span::none(),
        };
        self.shares.send(share).await.unwrap();
    }
}

fn verdicts(events: &[ConnectionEvent]) -> Vec<(u64, Verdict)> {
    let judged = |event: &ConnectionEvent| match event {
        ConnectionEvent::Judged { share, verdict, .. } => Some((share.0, *verdict)),
        _ => None,
    };
    events.iter().filter_map(judged).collect()
}

/// Mines one share to its acceptance.
async fn mine(miner: &mut Miner, line: &mut PoolLine) {
    line.set_up(8).await;
    line.give_job("a1").await;
    let job = miner.job().await;
    assert_eq!((job.extranonce_size, job.first), (4, true));
    miner.find(&job).await;
    let (id, params) = loop {
        let message = line.hear().await.unwrap();
        if message["method"] == "mining.submit" {
            break (message["id"].clone(), message["params"].clone());
        }
    };
    let prefix = hex::encode(&job.extranonce_prefix[4..]);
    let extranonce2 = format!("{prefix}07070707");
    assert_eq!(params, json!(["alice.worker", "a1", extranonce2, "6553f100", "01020304", "00002000"]));
    line.say(&json!({"id": id, "result": true, "error": null})).await;
    loop {
        if let ConnectionEvent::Judged { share, verdict, .. } = miner.event().await {
            assert_eq!((share, verdict), (ShareId(1), Verdict::Accepted));
            return;
        }
    }
}

// V2, V5, V7, V16
#[tokio::test]
async fn share_travels_from_the_first_word_to_its_verdict() {
    let pool = ScriptedPool::in_clear().await;
    let mut miner = Miner::connect(pool.endpoint("stratum+tcp", ""));
    let mut line = pool.accept().await;
    mine(&mut miner, &mut line).await;
    miner.close.cancel();
    let (_, failure, redirect) = miner.end().await;
    assert_eq!((failure, redirect), (None, None));
    assert_eq!(line.hear().await, None);
}

// N9
#[tokio::test]
async fn every_phase_is_told_with_its_facts() {
    let pool = ScriptedPool::in_clear().await;
    let mut miner = Miner::connect(pool.endpoint("stratum+tcp", ""));
    let mut line = pool.accept().await;
    line.set_up(8).await;
    line.give_job("a1").await;
    let (mut phases, mut facts) = (Vec::new(), ConnectionFacts::default());
    loop {
        match miner.event().await {
            ConnectionEvent::Phase { name, .. } => phases.push(name),
            ConnectionEvent::Facts(newest) => facts = *newest,
            ConnectionEvent::Opened { extranonce_size } => assert_eq!(extranonce_size, 4),
            ConnectionEvent::Job(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(phases, [PhaseName::Dns, PhaseName::Tcp, PhaseName::SetupConnection, PhaseName::FirstJob]);
    assert_eq!(facts.peer_address, pool.listener.local_addr().unwrap().to_string());
    assert_eq!((facts.extranonce_prefix, facts.extranonce_size), (vec![1, 2, 3, 4], 8));
    assert!(!facts.authenticated && facts.share_difficulty.unwrap().as_f64() < 1e-8);
    miner.abort.cancel();
    let failure = miner.failure().await;
    assert_eq!((failure.kind, failure.recovery), (FailureKind::Aborted, Recovery::Retry));
}

/// In TLS, with a certificate that our roots know.
async fn in_tls() -> (TlsIdentity, ScriptedPool) {
    let identity = TlsIdentity::good();
    let pool = ScriptedPool::in_tls(&identity).await;
    (identity, pool)
}

// V21
#[tokio::test]
async fn share_travels_in_tls() {
    let (identity, pool) = in_tls().await;
    let wish = Wish { roots: identity.roots(), ..Wish::default() };
    let mut miner = Miner::with(pool.endpoint("stratum+ssl", ""), wish);
    let mut line = pool.accept().await;
    let (mut phases, mut facts) = (Vec::new(), ConnectionFacts::default());
    while !phases.contains(&PhaseName::Tls) || !facts.authenticated {
        match miner.event().await {
            ConnectionEvent::Phase { name, detail, .. } => {
                assert!(name != PhaseName::Tls || detail == format!("key {}", identity.pin()), "{detail}");
                phases.push(name);
            }
            ConnectionEvent::Facts(newest) => facts = *newest,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(phases, [PhaseName::Dns, PhaseName::Tcp, PhaseName::Tls]);
    assert!(facts.certificate_not_after.is_some());
    mine(&mut miner, &mut line).await;
    miner.close.cancel();
    assert_eq!(miner.end().await.1, None);
    // It says goodbye, as a peer in TLS must.
    assert_eq!(line.hear().await, None);
}

// V21
#[tokio::test]
async fn pins_and_insecure_do_without_an_authority() {
    let (identity, pool) = in_tls().await;
    let options = PoolOptions { tls_pins: vec![identity.pin()], ..PoolOptions::default() };
    let mut miner = Miner::with(pool.endpoint("stratum+tls", ""), Wish { options, ..Wish::default() });
    mine(&mut miner, &mut pool.accept().await).await;
    let mut miner = Miner::connect(pool.endpoint("ssl", "?tls=insecure"));
    mine(&mut miner, &mut pool.accept().await).await;
}

/// The end of a connection to a TLS pool that it must not trust.
async fn distrusted(pool: &ScriptedPool, wish: Wish) -> PoolFailure {
    let mut miner = Miner::with(pool.endpoint("stratum+ssl", ""), wish);
    let stream = pool.accept_tcp().await;
    let acceptor = TlsIdentity::good().acceptor(&[&rustls::version::TLS13]);
    assert!(timeout(PATIENCE, acceptor.accept(stream)).await.unwrap().is_err());
    let failure = miner.failure().await;
    assert!(timeout(Duration::from_millis(50), pool.listener.accept()).await.is_err(), "no other way is tried");
    failure
}

// V21, R6
#[tokio::test]
async fn certificate_that_proves_nothing_parks_the_pool_and_nothing_weaker_is_tried() {
    let (_, pool) = in_tls().await;
    let pins = PoolOptions { tls_pins: vec![TlsIdentity::good().pin()], ..PoolOptions::default() };
    let strange = TlsIdentity::good().roots();
    for wish in [Wish { options: pins, ..Wish::default() }, Wish { roots: strange, ..Wish::default() }] {
        let failure = distrusted(&pool, wish).await;
        assert_eq!((failure.kind, failure.recovery), (FailureKind::Authentication, Recovery::Park));
        assert_eq!(failure.phase, Some(PhaseName::Tls));
    }
}

// V21
#[tokio::test]
async fn wrong_scheme_for_a_port_is_told_in_both_directions() {
    // In clear to a port for TLS: the server answers what it cannot read with an alert.
    let (_, pool) = in_tls().await;
    let mut miner = Miner::connect(pool.endpoint("stratum+tcp", ""));
    let stream = pool.accept_tcp().await;
    let acceptor = TlsIdentity::good().acceptor(&[&rustls::version::TLS13]);
    // The stream stays, so that what was not read does not cut off what was said.
    let (_, kept) = timeout(PATIENCE, acceptor.accept(stream).into_fallible()).await.unwrap().unwrap_err();
    let failure = miner.failure().await;
    drop(kept);
    assert!(failure.message.contains("stratum+ssl"), "{failure}");
    assert_eq!((failure.kind, failure.recovery), (FailureKind::Protocol, Recovery::Park));
    // In TLS to a port in clear: the server answers what it cannot read with an error.
    let pool = ScriptedPool::in_clear().await;
    let wish = Wish { roots: TlsIdentity::good().roots(), ..Wish::default() };
    let mut miner = Miner::with(pool.endpoint("stratum+ssl", ""), wish);
    let stream = pool.accept_tcp().await;
    stream.writable().await.unwrap();
    assert!(stream.try_write(b"{\"id\":null,\"result\":null,\"error\":[20,\"what?\",null]}\n").unwrap() > 0);
    let failure = miner.failure().await;
    assert!(failure.message.contains("does not speak TLS"), "{failure}");
}

// N9
#[tokio::test]
async fn pool_that_stalls_is_given_up_at_every_step() {
    let (identity, pool) = in_tls().await;
    for (steps, phase) in [PhaseName::Tls, PhaseName::SetupConnection, PhaseName::FirstJob].into_iter().enumerate() {
        let wish = Wish { limits: impatient(), roots: identity.roots(), ..Wish::default() };
        let mut miner = Miner::with(pool.endpoint("stratum+ssl", ""), wish);
        let (mut held_stream, mut held_line) = (None, None);
        if steps == 0 {
            held_stream = Some(pool.accept_tcp().await);
        } else {
            let line = held_line.insert(pool.accept().await);
            if steps == 2 {
                line.set_up(8).await;
            }
        }
        let failure = miner.failure().await;
        assert_eq!((failure.kind, failure.recovery), (FailureKind::Mute, Recovery::Retry), "{failure}");
        assert_eq!(failure.phase, Some(phase));
        drop((held_stream, held_line));
    }
}

#[tokio::test]
async fn unreachable_pool_is_told_with_its_phase() {
    let pool = ScriptedPool::in_clear().await;
    let endpoint = pool.endpoint("stratum+tcp", "");
    drop(pool);
    let failure = Miner::connect(endpoint).failure().await;
    assert_eq!((failure.kind, failure.phase), (FailureKind::Unreachable, Some(PhaseName::Tcp)));
}

#[tokio::test]
async fn v2_url_is_no_matter_of_this_client() {
    let key = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
    let failure = Miner::connect(format!("stratum2+tcp://127.0.0.1:1/{key}").parse().unwrap()).failure().await;
    assert_eq!(failure.recovery, Recovery::Stop);
}

// V13
#[tokio::test]
async fn target_is_dialled_in_place_of_the_address_and_must_prove_the_same() {
    let (identity, pool) = in_tls().await;
    let address = pool.listener.local_addr().unwrap();
    let wish = || Wish {
        roots: identity.roots(),
        target: Some(Target { host: address.ip().into(), port: address.port() }),
        ..Wish::default()
    };
    let mut miner = Miner::with("stratum+ssl://pool.example".parse().unwrap(), wish());
    mine(&mut miner, &mut pool.accept().await).await;
    let mut miner = Miner::with(
        "stratum+ssl://pool.example".parse().unwrap(),
        Wish { roots: TlsIdentity::good().roots(), ..wish() },
    );
    let stream = pool.accept_tcp().await;
    let acceptor = identity.acceptor(&[&rustls::version::TLS13]);
    assert!(timeout(PATIENCE, acceptor.accept(stream)).await.unwrap().is_err());
    assert_eq!(miner.failure().await.kind, FailureKind::Authentication);
}

/// A connection with a job, in clear.
async fn working() -> (Miner, PoolLine, Arc<Job>) {
    let pool = ScriptedPool::in_clear().await;
    let mut miner = Miner::connect(pool.endpoint("stratum+tcp", ""));
    let mut line = pool.accept().await;
    line.set_up(4).await;
    line.give_job("a").await;
    let job = miner.job().await;
    (miner, line, job)
}

/// The id of the next share that the pool hears.
async fn hear_share(line: &mut PoolLine) -> serde_json::Value {
    loop {
        let message = line.hear().await.expect("a share");
        if message["method"] == "mining.submit" {
            return message["id"].clone();
        }
    }
}

#[tokio::test]
async fn pool_that_hangs_up_leaves_a_word_on_every_share() {
    let (mut miner, mut line, job) = working().await;
    miner.find(&job).await;
    hear_share(&mut line).await;
    drop(line);
    let (events, failure, _) = miner.end().await;
    assert_eq!(verdicts(&events), [(1, Verdict::Lost)]);
    assert_eq!(failure.unwrap().kind, FailureKind::Vanished);
}

// V17
#[tokio::test]
async fn answers_in_any_order_find_their_shares() {
    let (mut miner, mut line, job) = working().await;
    for _ in 0..100 {
        miner.find(&job).await;
    }
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(hear_share(&mut line).await);
    }
    for (at, id) in ids.iter().enumerate().rev() {
        let error = if at % 3 == 0 { json!([22, "Duplicate", null]) } else { json!(null) };
        line.say(&json!({"id": id, "result": at % 3 != 0, "error": error})).await;
    }
    miner.close.cancel();
    let (events, failure, _) = miner.end().await;
    let judged = verdicts(&events);
    assert_eq!((judged.len(), failure), (100, None));
    assert!(judged.iter().rev().map(|(id, _)| *id).eq(1..=100));
    assert_eq!(judged.iter().filter(|(_, verdict)| *verdict == Verdict::Accepted).count(), 66);
}

#[tokio::test]
async fn share_of_a_dead_job_is_not_sent() {
    let (mut miner, mut line, job) = working().await;
    line.say(&notify("b", true)).await;
    miner.job().await;
    miner.find(&job).await;
    loop {
        if let ConnectionEvent::NotSent { share, reason } = miner.event().await {
            assert_eq!((share, reason), (ShareId(1), DropReason::Stale));
            break;
        }
    }
}

// V1
#[tokio::test]
async fn garbage_and_bad_jobs_end_the_connection_with_a_word_on_why() {
    let (mut miner, mut line, _) = working().await;
    line.say_raw("HTTP/1.1 400 Bad Request\r\n".repeat(8).as_bytes()).await;
    let failure = miner.failure().await;
    assert!(failure.kind == FailureKind::Protocol && failure.message.contains("Stratum V1"), "{failure}");
    let (mut miner, mut line, _) = working().await;
    line.say_raw(b"{\"method\":\"mining.notify\",\"params\":[1,2,3]}\n").await;
    let failure = miner.failure().await;
    assert!(failure.message.contains("mining.notify with 3 parameters"), "{failure}");
}

// V13
#[tokio::test]
async fn pool_that_asks_to_come_again_is_told_on() {
    let (mut miner, mut line, _) = working().await;
    line.say(&json!({"id": null, "method": "client.reconnect", "params": ["127.0.0.1", "3334"]})).await;
    let (_, failure, redirect) = miner.end().await;
    assert_eq!((failure.unwrap().kind, redirect), (FailureKind::Redirected, Some(("127.0.0.1".into(), 3334))));
}
