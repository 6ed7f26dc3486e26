//! A whole connection over loopback, against a scripted pool with a real Noise responder.

mod options;
mod spans;

use super::*;
use crate::{
    job::{Job, extranonce::Extranonce},
    pool::{
        FailureKind, PoolFailure, Recovery, SHARE_QUEUE, ShareSubmission, Verdict,
        sv2::{
            message::Incoming,
            testing::{Authority, CHANNEL, Line, PATIENCE, ScriptedPool},
        },
    },
};
use mujina_core::{
    id::ShareId,
    pool::{PoolEndpoint, PoolSpec},
    share::DropReason,
    units::HashRate,
};
use std::{sync::Arc, time::Duration};
use stratum_apps::stratum_core::{binary_sv2, common_messages_sv2 as common, mining_sv2 as mining};
use tokio::sync::watch;

/// The miner's end of a connection.
struct Miner {
    events: mpsc::Receiver<(ConnectionId, ConnectionEvent)>,
    shares: mpsc::Sender<ShareSubmission>,
    rate: watch::Sender<Option<HashRate>>,
    close: CancellationToken,
    abort: CancellationToken,
    tasks: JoinSet<()>,
    found: u64,
}

impl Miner {
    fn connect(endpoint: PoolEndpoint) -> Self {
        Self::with(endpoint, Limits::default(), tracing::Span::none())
    }

    fn with(endpoint: PoolEndpoint, limits: Limits, span: tracing::Span) -> Self {
        Self::plan(endpoint, limits, span, &Memory::default(), |_| {})
    }

    /// The plan as `change` wants it.
    fn plan(
        endpoint: PoolEndpoint,
        limits: Limits,
        span: tracing::Span,
        memory: &Memory,
        change: impl FnOnce(&mut ConnectionPlan),
    ) -> Self {
        let (events, event_queue) = mpsc::channel(8);
        let (shares, share_queue) = mpsc::channel(SHARE_QUEUE);
        let (rate, rate_line) = watch::channel(Some(HashRate::from_megahashes_per_second(1.0)));
        let (close, abort) = (CancellationToken::new(), CancellationToken::new());
        let user = "bc1user.worker".into();
        let name = "pool".parse().unwrap();
        let mut plan = ConnectionPlan {
            id: ConnectionId(7),
            pool: PoolSpec {
                name,
                endpoint,
                user,
                password: None,
                nominal_hash_rate: None,
                quota: mujina_core::pool::DEFAULT_QUOTA,
                options: mujina_core::pool::PoolOptions::default(),
            },
            target: None,
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
            span,
        };
        change(&mut plan);
        let mut tasks = JoinSet::new();
        tasks.spawn(run(plan, limits, memory.clone()));
        Self { events: event_queue, shares, rate, close, abort, tasks, found: 0 }
    }

    async fn next(&mut self) -> ConnectionEvent {
        let event = timeout(PATIENCE, self.events.recv()).await.expect("an event in time");
        let (id, event) = event.expect("an event before the end");
        assert_eq!(id, ConnectionId(7));
        event
    }

    /// The next event that `pick` wants.
    async fn next_that<T>(&mut self, pick: impl Fn(ConnectionEvent) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.next().await) {
                return picked;
            }
        }
    }

    async fn job(&mut self) -> Arc<Job> {
        self.next_that(|event| if let ConnectionEvent::Job(job) = event { Some(job) } else { None }).await
    }

    /// Everything up to the end, after which nothing comes and the task is gone.
    async fn ended(&mut self) -> (Vec<ConnectionEvent>, Option<PoolFailure>, Option<(String, u16)>) {
        let mut before = Vec::new();
        loop {
            match self.next().await {
                ConnectionEvent::Ended { failure, redirect } => {
                    assert!(self.events.recv().await.is_none());
                    self.tasks.join_next().await.unwrap().unwrap();
                    return (before, failure, redirect);
                }
                event => before.push(event),
            }
        }
    }

    async fn failed(&mut self) -> (FailureKind, Recovery, Option<PhaseName>, String) {
        let (_, failure, _) = self.ended().await;
        let PoolFailure { kind, recovery, phase, message } = failure.expect("a failure");
        (kind, recovery, phase, message)
    }

    async fn find(&mut self, job: &Job) {
        self.found += 1;
        let share = ShareSubmission {
            id: ShareId(self.found),
            job: job.handle,
            extranonce: Extranonce::new(&vec![7; job.extranonce_size.into()]).unwrap(),
            ntime: job.min_ntime,
            nonce: 3,
            version: job.version,
            block: false,
            hash: [0; 32],
            span: tracing::Span::none(),
        };
        self.shares.send(share).await.unwrap();
    }
}

/// A connection with a job.
async fn working(extranonce_size: u16) -> (Miner, Line, Arc<Job>) {
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::connect(pool.endpoint());
    let mut line = pool.accept().await;
    line.set_up().await;
    line.open(extranonce_size).await;
    line.give_job(10, 50).await;
    let job = miner.job().await;
    (miner, line, job)
}

fn is_sent(event: &ConnectionEvent, id: u64) -> bool {
    matches!(event, ConnectionEvent::Sent { share } if share.0 == id)
}

// S1, S2, C2, C3
#[tokio::test]
async fn connection_comes_up_in_order_mines_and_closes_in_order() {
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::connect(pool.endpoint());
    let mut line = pool.accept().await;
    let mut payload = line.hear_kind(common::MESSAGE_TYPE_SETUP_CONNECTION).await;
    let setup: common::SetupConnection<'_> = binary_sv2::from_bytes(&mut payload).unwrap();
    assert_eq!((setup.min_version, setup.max_version, setup.flags), (2, 2, 0));
    assert_eq!(setup.endpoint_host.as_bytes(), b"127.0.0.1");
    assert_eq!(setup.endpoint_port, pool.endpoint().port());
    assert_eq!((setup.vendor.as_bytes(), setup.firmware.as_bytes()), (&b"Mujina"[..], &b"1.2.3"[..]));
    assert!(setup.device_id.is_empty());
    line.say(&Incoming::SetupSuccess { used_version: 2, flags: 0 }).await;
    line.open(4).await;
    line.give_job(10, 50).await;

    let mut phases = Vec::new();
    let mut told = Vec::new();
    let job = loop {
        match miner.next().await {
            ConnectionEvent::Phase { name, .. } => phases.push(name),
            ConnectionEvent::Job(job) => break job,
            other => told.push(other),
        }
    };
    let all = [
        PhaseName::Dns,
        PhaseName::Tcp,
        PhaseName::Noise,
        PhaseName::SetupConnection,
        PhaseName::OpenChannel,
        PhaseName::FirstJob,
    ];
    assert_eq!(phases, all);
    assert!(told.iter().any(|event| matches!(event, ConnectionEvent::Opened { extranonce_size: 4 })));
    let facts =
        told.iter().rev().find_map(|event| if let ConnectionEvent::Facts(facts) = event { Some(facts) } else { None });
    let facts = facts.unwrap();
    assert!(facts.authenticated && facts.certificate_not_after.is_some() && facts.channel_id == Some(CHANNEL));
    assert_eq!(facts.peer_address.parse::<std::net::SocketAddr>().unwrap().port(), pool.endpoint().port());
    assert!(job.first && job.connection == ConnectionId(7));

    miner.find(&job).await;
    miner.find(&job).await;
    assert_eq!(line.hear_share().await, (1, vec![7; 4]));
    assert_eq!(line.hear_share().await, (2, vec![7; 4]));
    assert!(is_sent(&miner.next().await, 1) && is_sent(&miner.next().await, 2));
    line.say(&Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 1, count: 1, shares_sum: 0 }).await;
    assert!(matches!(
        miner.next().await,
        ConnectionEvent::Judged { share: ShareId(1), verdict: Verdict::Accepted, .. }
    ));

    // G4: what is in the line is still sent, its verdict awaited, then CloseChannel and FIN.
    miner.find(&job).await;
    miner.close.cancel();
    assert_eq!(line.hear_share().await, (3, vec![7; 4]));
    line.say(&Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 3, count: 2, shares_sum: 0 }).await;
    let mut payload = line.hear_kind(mining::MESSAGE_TYPE_CLOSE_CHANNEL).await;
    let goodbye: mining::CloseChannel<'_> = binary_sv2::from_bytes(&mut payload).unwrap();
    assert_eq!((goodbye.channel_id, goodbye.reason_code.as_bytes()), (CHANNEL, &b"shutdown"[..]));
    assert!(line.hear().await.is_none());
    let (before, failure, redirect) = miner.ended().await;
    assert_eq!((failure, redirect), (None, None));
    let accepted =
        before.iter().filter(|event| matches!(event, ConnectionEvent::Judged { verdict: Verdict::Accepted, .. }));
    assert_eq!(accepted.count(), 2);
}

// S6
#[tokio::test]
async fn refused_setup_is_told_with_the_pools_word_and_parks() {
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::connect(pool.endpoint());
    let mut line = pool.accept().await;
    line.hear().await.unwrap();
    line.say(&Incoming::SetupError { flags: 0, code: "maintenance\u{1b}[31m".into() }).await;
    drop(line);
    let (kind, recovery, phase, message) = miner.failed().await;
    assert_eq!((kind, recovery, phase), (FailureKind::Refused, Recovery::Park, Some(PhaseName::SetupConnection)));
    assert!(message.contains("`maintenance`"), "{message}");
}

// N4, B15
#[tokio::test]
async fn wrong_key_is_an_authentication_failure_and_nothing_is_said() {
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::connect(pool.endpoint());
    let mut stream = pool.accept_tcp().await;
    Authority::new(9).respond(&mut stream, 0).await;
    let (kind, recovery, phase, _) = miner.failed().await;
    assert_eq!((kind, recovery, phase), (FailureKind::Authentication, Recovery::Park, Some(PhaseName::Noise)));
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.unwrap();
    assert!(rest.is_empty());
}

// N5
#[tokio::test]
async fn certificate_from_the_future_is_clock_skew_with_the_times() {
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::connect(pool.endpoint());
    let mut stream = pool.accept_tcp().await;
    pool.authority.respond(&mut stream, 3600).await;
    let (kind, recovery, _, message) = miner.failed().await;
    assert_eq!((kind, recovery), (FailureKind::ClockSkew, Recovery::Park));
    assert!(message.contains("valid from") && message.contains("check the clock"), "{message}");
}

// N9, B16
#[tokio::test]
async fn mute_pool_is_given_up_in_every_phase() {
    let short = Duration::from_millis(60);
    let limits = Limits { noise: short, setup: short, open: short, first_job: short, ..Limits::default() };
    for (steps, phase) in [PhaseName::Noise, PhaseName::SetupConnection, PhaseName::OpenChannel, PhaseName::FirstJob]
        .into_iter()
        .enumerate()
    {
        // Only the step in question is short.
        let defaults = Limits::default();
        let limits = Limits {
            noise: if steps == 0 { limits.noise } else { defaults.noise },
            setup: if steps == 1 { limits.setup } else { defaults.setup },
            open: if steps == 2 { limits.open } else { defaults.open },
            first_job: if steps == 3 { limits.first_job } else { defaults.first_job },
            ..defaults
        };
        let pool = ScriptedPool::listen().await;
        let mut miner = Miner::with(pool.endpoint(), limits, tracing::Span::none());
        let mut stream = None;
        let mut line = None;
        if steps == 0 {
            stream = Some(pool.accept_tcp().await);
        } else {
            line = Some(pool.accept().await);
        }
        if let Some(line) = &mut line {
            if steps >= 2 {
                line.set_up().await;
            }
            if steps >= 3 {
                line.open(8).await;
            }
        }
        let (kind, recovery, failed_in, _) = miner.failed().await;
        assert_eq!((kind, recovery, failed_in), (FailureKind::Mute, Recovery::Retry, Some(phase)));
        drop((stream, line));
    }
}

// N9
#[tokio::test]
async fn bring_up_as_a_whole_has_a_deadline() {
    let pool = ScriptedPool::listen().await;
    let limits = Limits { bring_up: Duration::from_millis(500), ..Limits::default() };
    let mut miner = Miner::with(pool.endpoint(), limits, tracing::Span::none());
    let _stream = pool.accept_tcp().await;
    let (kind, _, phase, _) = miner.failed().await;
    assert_eq!((kind, phase), (FailureKind::Mute, Some(PhaseName::Noise)));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let pool = ScriptedPool::listen().await;
    let endpoint = pool.endpoint();
    drop(pool);
    let (kind, recovery, phase, _) = Miner::connect(endpoint).failed().await;
    assert_eq!((kind, recovery, phase), (FailureKind::Unreachable, Recovery::Retry, Some(PhaseName::Tcp)));
}

// C6, C7, U1
#[tokio::test]
async fn extranonces_of_every_size_are_sent_in_full() {
    for size in [1, 3, 16, 28] {
        let (mut miner, mut line, job) = working(size).await;
        miner.find(&job).await;
        assert_eq!(line.hear_share().await, (1, vec![7; size.into()]));
        miner.abort.cancel();
        miner.ended().await;
    }
}

// F2, F3, F5, F6, F7
#[tokio::test]
async fn odd_frames_do_not_disturb_a_session() {
    let (mut miner, mut line, _) = working(8).await;
    for (extension, kind) in [(0x4001, 0), (0x8abc, 0), (0, 0x2f), (0, 0x1e)] {
        line.say(&Incoming::Ignored { extension, kind }).await;
    }
    line.give_job(11, 65_500).await;
    let job = miner.job().await;
    assert_eq!((job.label.as_ref(), job.coinbase_tx_suffix.len()), ("11", 65_500));
    miner.find(&job).await;
    line.hear_share().await;
    miner.abort.cancel();
    miner.ended().await;
}

// F8
#[tokio::test]
async fn malformed_message_ends_the_connection() {
    let (mut miner, mut line, _) = working(8).await;
    line.say_raw(&[0, 0x80, 0x20, 3, 0, 0, 1, 2, 3]).await;
    let (kind, recovery, phase, _) = miner.failed().await;
    assert_eq!((kind, recovery, phase), (FailureKind::Protocol, Recovery::Retry, None));
}

// R7
#[tokio::test]
async fn vanished_pool_loses_what_was_pending() {
    let (mut miner, mut line, job) = working(8).await;
    miner.find(&job).await;
    line.hear_share().await;
    drop(line);
    let (before, failure, _) = miner.ended().await;
    assert!(is_sent(&before[0], 1));
    assert!(matches!(before[1], ConnectionEvent::Judged { share: ShareId(1), verdict: Verdict::Lost, .. }));
    let failure = failure.unwrap();
    assert_eq!((failure.kind, failure.recovery, failure.phase), (FailureKind::Vanished, Recovery::Retry, None));
}

#[tokio::test]
async fn abort_loses_what_is_pending_and_drops_what_is_in_the_line() {
    let (mut miner, mut line, job) = working(8).await;
    miner.find(&job).await;
    line.hear_share().await;
    assert!(is_sent(&miner.next().await, 1));
    miner.abort.cancel();
    for _ in 0..3 {
        miner.find(&job).await;
    }
    let (before, failure, _) = miner.ended().await;
    assert_eq!(failure.unwrap().kind, FailureKind::Aborted);
    let lost = before.iter().filter(|event| matches!(event, ConnectionEvent::Judged { verdict: Verdict::Lost, .. }));
    let dropped =
        before.iter().filter(|event| matches!(event, ConnectionEvent::NotSent { reason: DropReason::Stale, .. }));
    assert_eq!((lost.count(), dropped.count()), (1, 3));
}

#[tokio::test]
async fn close_and_abort_before_the_channel_is_open_end_at_once() {
    for abort in [false, true] {
        let pool = ScriptedPool::listen().await;
        let mut miner = Miner::connect(pool.endpoint());
        let stream = pool.accept_tcp().await;
        if abort {
            miner.abort.cancel();
        } else {
            miner.close.cancel();
        }
        let (_, failure, _) = miner.ended().await;
        assert_eq!(failure.map(|failure| failure.kind), abort.then_some(FailureKind::Aborted));
        drop(stream);
    }
}

// R1
#[tokio::test]
async fn reconnect_ends_with_where_to_go() {
    let (mut miner, mut line, _) = working(8).await;
    line.say(&Incoming::Reconnect { host: "127.0.0.2".into(), port: 3336 }).await;
    drop(line);
    let (_, failure, redirect) = miner.ended().await;
    assert_eq!(failure.unwrap().kind, FailureKind::Redirected);
    assert_eq!(redirect, Some(("127.0.0.2".into(), 3336)));
}

// C3
#[tokio::test]
async fn channel_is_opened_when_a_hash_rate_is_known() {
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::connect(pool.endpoint());
    miner.rate.send(None).unwrap();
    let mut line = pool.accept().await;
    line.set_up().await;
    // Only after the answer was heard.
    while !matches!(miner.next().await, ConnectionEvent::Phase { name: PhaseName::SetupConnection, .. }) {}
    miner.rate.send(Some(HashRate::from_hashes_per_second(2.5e5))).unwrap();
    let mut payload = line.hear_kind(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL).await;
    let open: mining::OpenExtendedMiningChannel<'_> = binary_sv2::from_bytes(&mut payload).unwrap();
    assert_eq!((open.nominal_hash_rate, open.min_extranonce_size), (2.5e5, 4));
    assert_eq!(open.user_identity.as_bytes(), b"bc1user.worker");
    assert_eq!(open.max_target.to_array(), [0xff; 32]);
    miner.abort.cancel();
    miner.ended().await;
}
