//! Shares jobs out to hash threads, verifies what they find, and keeps the ledger.
//!
//! One actor on the mining runtime. `source` tells it which connections exist and which is live; `thread` takes work from
//! mailboxes and sends nonces. It waits for nobody: threads are written to without waiting, shares are handed to
//! connections without waiting. Knows no pool protocol, chip or board.

mod actor;
mod assignments;
pub(crate) mod estimate;
mod limits;
mod members;
mod rescue;
mod share;
pub mod slot;
mod starvation;
mod state;
mod told;
mod verify;
mod waiting;

pub use self::{actor::Scheduler, limits::Limits};

use crate::{
    job::Job,
    pool::{ShareSubmission, Verdict},
    thread::ThreadEntry,
};
use mujina_core::{
    id::{BoardId, ConnectionId, PoolName, ShareId, ThreadId},
    share::{DropReason, RateEstimate, RejectReason, Share, ShareTotals},
    status::{LatencySummary, ThreadState},
    units::{HashRate, Work},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Commands that may wait: the source sends at most a few per pool message.
const COMMAND_QUEUE: usize = 256;
/// Share events that a slow watcher may be behind before it is told of a gap.
const SHARE_EVENTS: usize = 1024;

/// What `source` and the composition root ask of the scheduler.
#[derive(Debug)]
pub(crate) enum Command {
    /// A thread joins.
    AddThread(ThreadEntry),
    /// A connection opened its channel.
    Begin { connection: ConnectionId, pool: PoolName, shares: mpsc::Sender<ShareSubmission>, extranonce_size: u8 },
    /// A usable job of a connection: replaces the one before.
    Job(Arc<Job>),
    /// All jobs of a connection are void.
    Clear { connection: ConnectionId },
    /// Makes a connection the live one: all threads move to its current job, at once when it has one, with its next otherwise.
    Activate { connection: ConnectionId, reply: oneshot::Sender<SwitchReport> },
    /// A share went to the writer.
    Sent { share: ShareId },
    /// A share did not go to the writer.
    NotSent { share: ShareId, reason: DropReason },
    /// A sent share was judged, or never will be.
    Judged { share: ShareId, verdict: Verdict, latency: Duration },
    /// A share judged accepted was refused after all.
    Reclassified { share: ShareId, reason: RejectReason },
    /// A connection is over and all its shares have had their verdicts. If it was live, threads idle.
    End { connection: ConnectionId },
    /// Stops or resumes all hashing; answered when every living thread has stopped (or was given work again).
    SetPaused { paused: bool, reply: oneshot::Sender<()> },
    /// Like SetPaused but for good: threads end. Answered when all have.
    Stop { reply: oneshot::Sender<()> },
}

/// What moving the threads took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SwitchReport {
    /// Longest time that a thread which was hashing had nothing valid to hash, over all threads.
    pub work_gap: Duration,
    /// Threads that moved.
    pub threads: u32,
    /// Threads that did not report within the deadline; each counts with the deadline in `work_gap`.
    pub late: u32,
}

/// The scheduler is gone, because the miner is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scheduler has ended; the miner is shutting down")]
pub struct SchedulerGone;

/// The way to the scheduler. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SchedulerHandle {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    shares: broadcast::WeakSender<Share>,
    hash_rate: watch::Receiver<Option<HashRate>>,
}

impl SchedulerHandle {
    /// Counters and rates, newest at most 250 ms old; every snapshot balances.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Shares as they are sent, dropped at the door of the connection, or judged. `None` once the scheduler is gone.
    #[must_use]
    pub fn watch_shares(&self) -> Option<broadcast::Receiver<Share>> {
        self.shares.upgrade().map(|sender| sender.subscribe())
    }

    /// Rate to tell pools: the threads' nominal rate, and the measured one once it is known to within 10 %.
    #[must_use]
    pub fn hash_rate(&self) -> watch::Receiver<Option<HashRate>> {
        self.hash_rate.clone()
    }

    /// Stops all hashing. Returns when no thread hashes.
    /// # Errors
    /// The scheduler is gone.
    pub async fn pause(&self) -> Result<(), SchedulerGone> {
        self.ask(|reply| Command::SetPaused { paused: true, reply }).await
    }

    /// Lets threads hash again. Returns when they were given work, or at once when there is none.
    /// # Errors
    /// The scheduler is gone.
    pub async fn resume(&self) -> Result<(), SchedulerGone> {
        self.ask(|reply| Command::SetPaused { paused: false, reply }).await
    }

    /// Ends all threads. Returns when they have ended.
    /// # Errors
    /// The scheduler is gone.
    pub async fn stop(&self) -> Result<(), SchedulerGone> {
        self.ask(|reply| Command::Stop { reply }).await
    }

    pub(crate) async fn send(&self, command: Command) -> Result<(), SchedulerGone> {
        self.commands.send(command).await.map_err(|_| SchedulerGone)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, SchedulerGone> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| SchedulerGone)
    }
}

/// Everything the scheduler counts, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When.
    pub at: SystemTime,
    /// Since when `miner`, pools, boards and threads count: start of the process.
    pub since: SystemTime,
    /// Connection whose work is hashed.
    pub live: Option<ConnectionId>,
    /// Whether hashing is paused.
    pub paused: bool,
    /// Whether at least one thread hashes.
    pub hashing: bool,
    /// Expected hashes between two shares of the live work, the flood cap considered; absent while there is none.
    pub share_work: Option<Work>,
    /// Of all threads.
    pub miner: Scope,
    /// Per pool, over all its connections of this process.
    pub pools: BTreeMap<PoolName, PoolScope>,
    /// Per connection that has not ended, and the newest ended one of each pool.
    pub connections: BTreeMap<ConnectionId, ConnectionScope>,
    /// Per board.
    pub boards: BTreeMap<BoardId, Scope>,
    /// Per thread, in order of joining.
    pub threads: Vec<ThreadScope>,
    /// Duplicate, hardware and similar counters beyond the ledger that hint at bugs: verdicts for unknown shares.
    pub unknown_verdicts: u64,
}

/// Ledger and rates of one scope.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    /// The ledger.
    pub totals: ShareTotals,
    /// One estimate per window.
    pub rates: Vec<RateEstimate>,
    /// Hashes that the threads say they computed.
    pub hashes: u64,
}

/// A pool's scope.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolScope {
    /// Ledger and rates of the work done for it.
    pub scope: Scope,
    /// Hand-over to verdict, over the newest verdicts.
    pub verdict_latency: LatencySummary,
}

/// A connection's scope.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionScope {
    /// Whose.
    pub pool: PoolName,
    /// Since when it counts.
    pub since: SystemTime,
    /// The ledger.
    pub totals: ShareTotals,
    /// Hashes computed for it.
    pub hashes: u64,
}

/// A thread's scope.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadScope {
    /// Who.
    pub id: ThreadId,
    /// On which board.
    pub board: BoardId,
    /// What it does.
    pub state: ThreadState,
    /// Why it is dead.
    pub failure: Option<String>,
    /// Slot on the live connection.
    pub slot: Option<u32>,
    /// Rate it is expected to reach.
    pub nominal_hash_rate: HashRate,
    /// Ledger and rates.
    pub scope: Scope,
}
