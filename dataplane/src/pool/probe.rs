//! Tries a pool out: one connection up to its first job, beside those that mine, and closed again in order.
//!
//! Runs where its caller runs, on the service side, with the very connection task that mines; `source` and `scheduler` do
//! not know of it, so that no thread moves and no share is sent. The pool is told the rate that it would be told in earnest.
//!
//! ```text
//! caller ─▶ probe ─plan─▶ connection task ─events─▶ Watch ─▶ phases, report
//!                              ▲ close after the first job, abort when late
//! ```

use super::{
    ConnectionEvent, ConnectionFacts, ConnectionPlan, EVENT_QUEUE, FailureKind, MinerIdentity, PoolFailure, Recovery,
};
use crate::job::Job;
use mujina_core::{
    id::ConnectionId,
    pool::PoolSpec,
    share::ShareTotals,
    status::{ConnectPhase, PoolConnection},
    units::HashRate,
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{Semaphore, TryAcquireError, mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{field::Empty, info_span};

/// Tests at one time: a person runs one, and nobody shall make the miner knock at doors in numbers.
pub const MOST_AT_ONCE: usize = 2;
/// Time from the beginning to the first job, whatever the connection's own deadlines add up to.
const DEADLINE: Duration = Duration::from_secs(60);
/// Time that a connection has to say farewell, and again that one has to end which was cut.
const FAREWELL: Duration = Duration::from_secs(3);

/// A running connection.
pub type ConnectionTask = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Makes the task of a connection to a pool, by what the pool speaks.
pub type Stratum = Arc<dyn Fn(ConnectionPlan) -> ConnectionTask + Send + Sync>;

/// Tests pools. Clones share the bound on tests at one time.
#[derive(Clone)]
pub struct Prober {
    stratum: Stratum,
    identity: MinerIdentity,
    hash_rate: watch::Receiver<Option<HashRate>>,
    places: Arc<Semaphore>,
}

/// As many tests as may be are running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_AT_ONCE} pools are being tested already; wait until one of the tests has ended")]
pub struct Busy;

/// What a test found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Why the pool gave no usable job; `None` when it did.
    pub failure: Option<PoolFailure>,
    /// What became known of the connection. Its number is 0: it was never one of the miner's.
    pub connection: PoolConnection,
}

impl Prober {
    /// Tells pools what the miner tells them.
    #[must_use]
    pub fn new(stratum: Stratum, identity: MinerIdentity, hash_rate: watch::Receiver<Option<HashRate>>) -> Self {
        Self { stratum, identity, hash_rate, places: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    /// Begins a test. Phases are dropped when nobody takes them; the report has them all. Dropping the test ends it at once.
    ///
    /// # Errors
    /// Too many are running.
    pub fn probe(
        &self,
        pool: PoolSpec,
        phases: mpsc::Sender<ConnectPhase>,
    ) -> Result<impl Future<Output = Report> + Send + 'static, Busy> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => return Err(Busy),
        };
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        // The line stays open and silent: a connection whose senders are gone might take that for its end.
        let (shares, no_shares) = mpsc::channel(1);
        let (close, abort) = (CancellationToken::new(), CancellationToken::new());
        let url = pool.endpoint.to_string();
        let fingerprint = pool.endpoint.authority().map(|key| key.fingerprint()).unwrap_or_default();
        let plan = ConnectionPlan {
            id: ConnectionId::default(),
            pool,
            target: None,
            identity: self.identity.clone(),
            hash_rate: self.hash_rate.clone(),
            shares: no_shares,
            events: told,
            close: close.clone(),
            abort: abort.clone(),
            span: info_span!("pool.test", pool.url = url, otel.status_code = Empty, otel.status_description = Empty),
        };
        let connection = (self.stratum)(plan);
        let watch = Watch { events, phases, close, abort, seen: Seen::new(fingerprint, SystemTime::now()) };
        Ok(async move {
            let report = watch.run(connection).await;
            drop((shares, place));
            report
        })
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("free", &self.places.available_permits()).finish_non_exhaustive()
    }
}

/// Follows one connection to its end.
struct Watch {
    events: mpsc::Receiver<(ConnectionId, ConnectionEvent)>,
    phases: mpsc::Sender<ConnectPhase>,
    close: CancellationToken,
    abort: CancellationToken,
    seen: Seen,
}

impl Watch {
    async fn run(mut self, connection: ConnectionTask) -> Report {
        let both = async {
            let followed = async {
                self.follow().await;
                // What it may still say is for nobody; a full queue would hold it up.
                self.events.close();
            };
            tokio::join!(connection, followed);
        };
        // The steps within have their deadlines; this one holds if a connection does not heed its abort.
        if timeout(DEADLINE + FAREWELL * 3, both).await.is_err() {
            self.seen.end(None);
        }
        self.seen.report()
    }

    async fn follow(&mut self) {
        let mut until = Instant::now() + DEADLINE;
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = sleep_until(until) => {
                    if self.abort.is_cancelled() {
                        return self.seen.end(None);
                    }
                    self.seen.late();
                    self.abort.cancel();
                    until = Instant::now() + FAREWELL;
                    continue;
                }
            };
            let first_job = match event {
                None => return self.seen.end(None),
                Some((_, ConnectionEvent::Ended { failure, redirect: _ })) => return self.seen.end(failure),
                Some((_, event)) => self.seen.note(event, &self.phases, SystemTime::now()),
            };
            if first_job {
                self.close.cancel();
                until = Instant::now() + FAREWELL;
            }
        }
    }
}

/// What was seen so far. Pure.
struct Seen {
    connection: PoolConnection,
    facts: ConnectionFacts,
    failure: Option<PoolFailure>,
}

impl Seen {
    fn new(authority_fingerprint: String, now: SystemTime) -> Self {
        let facts = ConnectionFacts::default();
        let connection = PoolConnection {
            id: ConnectionId::default(),
            peer_address: String::new(),
            ready_at: None,
            authenticated: false,
            authority_fingerprint,
            certificate_not_after: None,
            channel_id: None,
            group_channel_id: None,
            extranonce_prefix: Vec::new(),
            extranonce_size: 0,
            share_difficulty: None,
            version_mask: 0,
            job_id: String::new(),
            job_received_at: None,
            jobs: 0,
            unknown_messages: 0,
            told_hash_rate: HashRate::ZERO,
            totals: ShareTotals::default(),
            totals_since: now,
            phases: Vec::new(),
        };
        Self { connection, facts, failure: None }
    }

    /// Takes note; true at the first usable job.
    fn note(&mut self, event: ConnectionEvent, phases: &mpsc::Sender<ConnectPhase>, now: SystemTime) -> bool {
        match event {
            ConnectionEvent::Phase { name, elapsed, detail } => {
                let phase = ConnectPhase { name, elapsed, detail };
                // A caller that does not take them does not want them.
                let _ = phases.try_send(phase.clone());
                self.connection.phases.push(phase);
            }
            ConnectionEvent::Opened { extranonce_size } => self.connection.extranonce_size = extranonce_size,
            ConnectionEvent::Facts(facts) => self.facts = *facts,
            ConnectionEvent::Job(job) => return self.job(&job, now),
            // None of them befalls a connection without shares, or says anything about the pool.
            ConnectionEvent::Cleared { .. }
            | ConnectionEvent::Sent { .. }
            | ConnectionEvent::NotSent { .. }
            | ConnectionEvent::Judged { .. }
            | ConnectionEvent::Reclassified { .. }
            | ConnectionEvent::Ended { .. } => {}
        }
        false
    }

    fn job(&mut self, job: &Job, now: SystemTime) -> bool {
        let connection = &mut self.connection;
        connection.jobs += 1;
        connection.job_id = job.label.to_string();
        connection.job_received_at = Some(now);
        connection.version_mask = job.version_mask;
        connection.ready_at.replace(now).is_none()
    }

    fn late(&mut self) {
        if self.connection.ready_at.is_none() && self.failure.is_none() {
            let message = format!(
                "no usable job within {} s; the pool answers too slowly, or this miner has no hash rate to tell it yet",
                DEADLINE.as_secs()
            );
            self.failure =
                Some(PoolFailure { kind: FailureKind::Mute, message, phase: None, recovery: Recovery::Retry });
        }
    }

    /// The connection is over. What happens after the first job is no failure of the test.
    fn end(&mut self, failure: Option<PoolFailure>) {
        if self.connection.ready_at.is_none() {
            let gone = || PoolFailure {
                kind: FailureKind::Vanished,
                message: "the connection ended before a job came; try again, and see the log if it stays so".into(),
                phase: None,
                recovery: Recovery::Retry,
            };
            self.failure.get_or_insert_with(|| failure.unwrap_or_else(gone));
        }
    }

    fn report(self) -> Report {
        let Self { mut connection, facts, failure } = self;
        let ConnectionFacts {
            peer_address,
            authenticated,
            authority,
            certificate_not_after,
            channel_id,
            group_channel_id,
            extranonce_prefix,
            extranonce_size,
            share_difficulty,
            unknown_messages,
            told_hash_rate,
            shares_sum: _,
        } = facts;
        if let Some(authority) = authority {
            connection.authority_fingerprint = authority.fingerprint();
        }
        connection.peer_address = peer_address;
        connection.authenticated = authenticated;
        connection.certificate_not_after = certificate_not_after;
        connection.channel_id = channel_id;
        connection.group_channel_id = group_channel_id;
        connection.extranonce_prefix = extranonce_prefix;
        connection.extranonce_size = extranonce_size.max(connection.extranonce_size);
        connection.share_difficulty = share_difficulty;
        connection.unknown_messages = unknown_messages;
        connection.told_hash_rate = told_hash_rate;
        Report { failure, connection }
    }
}

#[cfg(test)]
mod tests;
