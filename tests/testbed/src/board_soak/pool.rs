//! A pool that judges every share to the letter, brings tips and jobs, and breaks its connections.

use super::BoardSoakError;
use crate::{
    scripted_pool::{ChannelPlan, JobPlan, ScriptedPool, Session, Violation, message, now},
    sv2_wire::WireError,
};
use rand::{Rng, rngs::StdRng};
use std::{
    collections::HashSet,
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use stratum_apps::stratum_core::mining_sv2::SubmitSharesExtendedOwned;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// One hash in 65 536 is a share: about fifteen a second for the whole rack, little-endian.
const TARGET: [u8; 32] = {
    let mut target = [0xff; 32];
    target[31] = 0;
    target[30] = 0;
    target
};
/// Between two jobs, in milliseconds; one of three is on a new tip.
const JOB_EVERY: std::ops::Range<u64> = 500..4000;
/// How long a connection lasts, in milliseconds.
const CONNECTION_LASTS: std::ops::Range<u64> = 15_000..45_000;
/// How long nobody is let in after that, in milliseconds.
const DEAF_FOR: std::ops::Range<u64> = 0..3000;
/// Of what is wrong with shares, so much is remembered.
const REMEMBERED: usize = 20;

/// The pool's side of the books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolBooks {
    /// Connections that came as far as a channel.
    pub connections: u64,
    /// Tips that were announced.
    pub tips: u64,
    /// Jobs that were announced, those of tips among them.
    pub jobs: u64,
    /// Shares that arrived.
    pub received: u64,
    /// Shares that were right.
    pub accepted: u64,
    /// Shares for a tip that had just gone.
    pub stale: u64,
    /// Headers that had been submitted before.
    pub repeated: u64,
    /// What else was wrong, the first of it.
    pub wrong: Vec<String>,
}

/// The pool at work.
#[derive(Debug)]
pub(super) struct Pool {
    tasks: JoinSet<()>,
    books: watch::Receiver<PoolBooks>,
    breaks: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Pool {
    pub(super) fn start(pool: ScriptedPool, dice: StdRng) -> Self {
        let (sender, books) = watch::channel(PoolBooks::default());
        let (breaks, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let desk = Desk { pool, dice, books: sender, breaks: Arc::clone(&breaks), number: 0, seen: HashSet::new() };
        let mut tasks = JoinSet::new();
        let until = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = until.cancelled() => {}
                () = desk.run() => {}
            }
        });
        Self { tasks, books, breaks, stop }
    }

    /// Breaks its connections from now on.
    pub(super) fn break_connections(&self) {
        self.breaks.store(true, Ordering::Relaxed);
    }

    /// Breaks no connection any more.
    pub(super) fn calm_down(&self) {
        self.breaks.store(false, Ordering::Relaxed);
    }

    /// Waits for a share that should not have come.
    pub(super) async fn failed(&self) -> Result<Infallible, BoardSoakError> {
        let mut books = self.books.clone();
        match books.wait_for(|books| books.repeated > 0 || !books.wrong.is_empty()).await {
            Ok(books) => Err(BoardSoakError::Shares { repeated: books.repeated, wrong: books.wrong.clone() }),
            // It has ended, and was told to.
            Err(_) => pending().await,
        }
    }

    /// Ends it.
    pub(super) async fn stop(mut self) -> PoolBooks {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.books.borrow().clone()
    }
}

/// What the pool is made of.
struct Desk {
    pool: ScriptedPool,
    dice: StdRng,
    books: watch::Sender<PoolBooks>,
    breaks: Arc<AtomicBool>,
    /// Of the newest job or connection, never used twice.
    number: u32,
    /// Job, version, time, nonce and extranonce of every share.
    seen: HashSet<(u32, u32, u32, u32, Vec<u8>)>,
}

impl Desk {
    async fn run(mut self) {
        loop {
            // Who leaves while he is let in comes again.
            let Ok(session) = self.pool.session().await else { continue };
            let Ok(session) = self.bring_up(session).await else { continue };
            self.books.send_modify(|books| books.connections += 1);
            // However it ended.
            let _ = self.serve(session).await;
            if self.breaks.load(Ordering::Relaxed) {
                sleep(self.milliseconds(DEAF_FOR)).await;
            }
        }
    }

    /// From set-up to the first job, with an extranonce prefix that no connection had before.
    async fn bring_up(&mut self, mut session: Session) -> Result<Session, WireError> {
        self.number += 1;
        let channel = ChannelPlan {
            extranonce_prefix: self.number.to_be_bytes().to_vec(),
            target: TARGET,
            ..ChannelPlan::default()
        };
        session.expect_setup().await?;
        session.agree(0).await?;
        let open = session.expect_open().await?;
        session.open(open.request_id, &channel).await?;
        self.tip(&mut session).await?;
        Ok(session)
    }

    async fn serve(&mut self, mut session: Session) -> Result<(), WireError> {
        let mut job_due = Instant::now() + self.milliseconds(JOB_EVERY);
        let ends = Instant::now() + self.milliseconds(CONNECTION_LASTS);
        loop {
            tokio::select! {
                share = session.expect_share() => match share {
                    Ok(share) => self.judge(&mut session, &share).await?,
                    // Nothing for a while: all boards may be down.
                    Err(WireError::Late { .. }) => {}
                    Err(ended) => return Err(ended),
                },
                () = sleep_until(job_due) => {
                    job_due = Instant::now() + self.milliseconds(JOB_EVERY);
                    self.news(&mut session).await?;
                }
                () = sleep_until(ends), if self.breaks.load(Ordering::Relaxed) => {
                    if self.dice.random() {
                        session.reset()?;
                    }
                    return Ok(());
                }
            }
        }
    }

    async fn news(&mut self, session: &mut Session) -> Result<(), WireError> {
        if self.dice.random_ratio(1, 3) {
            return self.tip(session).await;
        }
        self.number += 1;
        let job = JobPlan::immediate(self.number, session.channel().extranonce_length(), now());
        self.books.send_modify(|books| books.jobs += 1);
        session.send(message::job(session.channel().id, &job)).await
    }

    async fn tip(&mut self, session: &mut Session) -> Result<(), WireError> {
        self.number += 1;
        let (number, channel) = (self.number, session.channel().id);
        let job = JobPlan::future(number, session.channel().extranonce_length());
        session.send(message::job(channel, &job)).await?;
        let mut prev_hash = [0x22; 32];
        prev_hash.split_at_mut(4).0.copy_from_slice(&number.to_le_bytes());
        self.books.send_modify(|books| (books.tips, books.jobs) = (books.tips + 1, books.jobs + 1));
        session.send(message::tip(channel, number, prev_hash, now())).await
    }

    async fn judge(&mut self, session: &mut Session, share: &SubmitSharesExtendedOwned) -> Result<(), WireError> {
        let verdict = session.judge(share);
        let extranonce = share.extranonce.as_bytes().to_vec();
        let is_new = self.seen.insert((share.job_id, share.version, share.ntime, share.nonce, extranonce));
        self.books.send_modify(|books| {
            books.received += 1;
            match &verdict {
                _ if !is_new => books.repeated += 1,
                Ok(_) => books.accepted += 1,
                Err(Violation::DeadTip(_)) => books.stale += 1,
                Err(Violation::Repeated(_)) => books.repeated += 1,
                Err(wrong) if books.wrong.len() < REMEMBERED => books.wrong.push(format!("{wrong}: {share}")),
                Err(_) => {}
            }
        });
        match verdict {
            Ok(_) => session.accept(share).await,
            Err(Violation::DeadTip(_)) => session.reject(share, "stale-share").await,
            Err(_) => session.reject(share, "duplicate-share").await,
        }
    }

    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.dice.random_range(range))
    }
}
