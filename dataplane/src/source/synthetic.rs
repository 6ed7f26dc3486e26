//! Invented work, for as long as no pool is configured: a connection that is its own pool.
//!
//! Speaks the events of `pool` like any connection, so that everything behind it is exercised as on a real one: first steps,
//! burn-in, demonstrations. What the work is, and which shares count, decides `ledger`.

mod ledger;

use self::ledger::Ledger;
use crate::{
    job::Job,
    pool::{ConnectionEvent, ConnectionFacts, ShareSubmission},
};
use mujina_core::{id::ConnectionId, share::DropReason, units::HashRate};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A told rate that differs by this factor from the one of the newest job gives a new job with a fitting share target.
const RATE_CHANGE: f64 = 1.5;

/// What is invented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticWork {
    /// A share is found about this often at the told hash rate.
    pub share_every: Duration,
    /// A job comes this often.
    pub job_every: Duration,
    /// Every so many jobs the tip changes, and shares of older jobs are stale.
    pub jobs_per_tip: u32,
    /// Version bits that may be rolled.
    pub version_mask: u32,
}

impl Default for SyntheticWork {
    fn default() -> Self {
        Self {
            share_every: Duration::from_secs(4),
            job_every: Duration::from_secs(30),
            jobs_per_tip: 10,
            version_mask: crate::job::BIP320_MASK,
        }
    }
}

/// Everything the connection is made of; see `pool::ConnectionPlan` for what each line carries.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the plan of a pool's connection")]
pub struct SyntheticPlan {
    pub id: ConnectionId,
    pub work: SyntheticWork,
    pub hash_rate: watch::Receiver<Option<HashRate>>,
    pub shares: mpsc::Receiver<ShareSubmission>,
    pub events: mpsc::Sender<(ConnectionId, ConnectionEvent)>,
    pub close: CancellationToken,
    pub abort: CancellationToken,
}

/// Runs the connection until it is closed or aborted, or until nobody listens any more.
pub async fn run(plan: SyntheticPlan) {
    let SyntheticPlan { id, work, hash_rate, shares, events, close, abort } = plan;
    let ledger = Ledger::new(id, work, rand::random());
    let mut connection = Connection { id, work, hash_rate, shares: Some(shares), events, ledger, told: HashRate::ZERO };
    // Whoever stops listening is shutting down.
    let _ = connection.run(&close, &abort).await;
    let _ = connection.finish(&abort).await;
}

/// Nobody takes events any more.
#[derive(Debug)]
struct Gone;

struct Connection {
    id: ConnectionId,
    work: SyntheticWork,
    hash_rate: watch::Receiver<Option<HashRate>>,
    /// `None` once all senders are gone.
    shares: Option<mpsc::Receiver<ShareSubmission>>,
    events: mpsc::Sender<(ConnectionId, ConnectionEvent)>,
    ledger: Ledger,
    told: HashRate,
}

/// What woke the loop.
enum Wake {
    Over,
    Share(Option<ShareSubmission>),
    JobDue,
    RateChanged(bool),
}

impl Connection {
    async fn run(&mut self, close: &CancellationToken, abort: &CancellationToken) -> Result<(), Gone> {
        if !self.rate_is_known(close, abort).await {
            return Ok(());
        }
        self.tell(ConnectionEvent::Opened { extranonce_size: ledger::EXTRANONCE_SIZE }).await?;
        let mut due = Instant::now();
        let mut rate_may_change = true;
        loop {
            let wake = tokio::select! {
                biased;
                () = abort.cancelled() => Wake::Over,
                () = close.cancelled() => Wake::Over,
                share = next(&mut self.shares) => Wake::Share(share),
                () = tokio::time::sleep_until(due) => Wake::JobDue,
                changed = self.hash_rate.changed(), if rate_may_change => Wake::RateChanged(changed.is_ok()),
            };
            match wake {
                Wake::Over => return Ok(()),
                Wake::Share(Some(share)) => self.judge(&share).await?,
                Wake::Share(None) => self.shares = None,
                Wake::JobDue => {
                    due = Instant::now() + self.work.job_every;
                    self.renew().await?;
                }
                Wake::RateChanged(still_told) => {
                    rate_may_change = still_told;
                    if self.rate_has_moved() {
                        due = Instant::now();
                    }
                }
            }
        }
    }

    /// Waits for the first rate, as a pool's connection does before it opens its channel.
    async fn rate_is_known(&mut self, close: &CancellationToken, abort: &CancellationToken) -> bool {
        let known = self.hash_rate.wait_for(|rate| rate.is_some_and(|rate| rate > HashRate::ZERO));
        tokio::select! {
            biased;
            () = abort.cancelled() => false,
            () = close.cancelled() => false,
            known = known => known.is_ok(),
        }
    }

    fn rate(&self) -> HashRate {
        self.hash_rate.borrow().filter(|rate| *rate > HashRate::ZERO).unwrap_or(self.told)
    }

    fn rate_has_moved(&self) -> bool {
        let (now, told) = (self.rate().hashes_per_second(), self.told.hashes_per_second());
        now > told * RATE_CHANGE || now * RATE_CHANGE < told
    }

    /// The next job.
    async fn renew(&mut self) -> Result<(), Gone> {
        self.told = self.rate();
        let (now, unix) = (Instant::now().into_std(), unix_time());
        let job: Arc<Job> = self.ledger.next_job(self.told, now, unix);
        let facts = ConnectionFacts {
            extranonce_prefix: job.extranonce_prefix.to_vec(),
            extranonce_size: job.extranonce_size,
            share_difficulty: Some(job.share_target.difficulty()),
            told_hash_rate: self.told,
            ..ConnectionFacts::default()
        };
        self.tell(ConnectionEvent::Facts(Box::new(facts))).await?;
        self.tell(ConnectionEvent::Job(job)).await
    }

    async fn judge(&mut self, share: &ShareSubmission) -> Result<(), Gone> {
        let begin = Instant::now();
        self.tell(ConnectionEvent::Sent { share: share.id }).await?;
        let verdict = self.ledger.judge(share, Instant::now().into_std());
        self.tell(ConnectionEvent::Judged { share: share.id, verdict, latency: begin.elapsed() }).await
    }

    /// Leaves no share without an outcome, then says that it is over.
    async fn finish(&mut self, abort: &CancellationToken) -> Result<(), Gone> {
        if let Some(mut shares) = self.shares.take() {
            shares.close();
            while let Some(share) = shares.recv().await {
                if abort.is_cancelled() {
                    self.tell(ConnectionEvent::NotSent { share: share.id, reason: DropReason::Stale }).await?;
                } else {
                    self.judge(&share).await?;
                }
            }
        }
        self.tell(ConnectionEvent::Ended { failure: None, redirect: None }).await
    }

    async fn tell(&self, event: ConnectionEvent) -> Result<(), Gone> {
        self.events.send((self.id, event)).await.map_err(|_| Gone)
    }
}

async fn next(shares: &mut Option<mpsc::Receiver<ShareSubmission>>) -> Option<ShareSubmission> {
    match shares {
        Some(shares) => shares.recv().await,
        None => std::future::pending().await,
    }
}

/// Unix time in whole seconds.
fn unix_time() -> u32 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
