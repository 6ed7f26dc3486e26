//! Where work comes from: which pools are connected, which one is live, and how work moves between them.
//!
//! One actor on the mining runtime. It owns the connection tasks and the decision which of them the threads hash for;
//! `scheduler` does the moving. The spec applier and the API reach it through [`SourceHandle`].

mod actor;
mod connection;
mod entry;
pub mod forced_rate;
mod hardness;
mod policy;
mod quota;
mod reconnect;
mod redirect;
mod rejects;
mod selector;
mod state;
pub mod synthetic;
mod transitions;

pub use self::{
    actor::{Connector, Lines, Source},
    policy::SourcePolicy,
};
use crate::{pool::ConnectionFacts, scheduler::SwitchReport, trace::TraceParent};
use mujina_core::{
    id::{ConnectionId, PoolName},
    pool::PoolGroup,
    status::{ConnectPhase, PoolPin, PoolRole, PoolState, PoolTransition, WorkSplit},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that may wait: they come from people and control planes.
const COMMAND_QUEUE: usize = 16;
/// Phases of one reconnect that may wait for a slow caller; there are at most eight.
pub const PHASE_QUEUE: usize = 16;

#[derive(Debug)]
pub(crate) enum Command {
    Configure {
        groups: Vec<PoolGroup>,
        trace: TraceParent,
        reply: oneshot::Sender<Result<u64, ConfigureError>>,
    },
    Reconnect {
        request: ReconnectRequest,
        phases: mpsc::Sender<ConnectPhase>,
        trace: TraceParent,
        reply: oneshot::Sender<Result<ReconnectOutcome, ReconnectError>>,
    },
    Pin {
        pool: PoolName,
        duration: Duration,
        reply: oneshot::Sender<Result<PoolPin, PinError>>,
    },
    Unpin {
        reply: oneshot::Sender<Option<PoolPin>>,
    },
}

/// The way to the source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SourceHandle {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
}

impl SourceHandle {
    /// State of all pools, newest at once after each change.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Makes these the wanted pools. Returns when the wish is taken over; the snapshot's `settled` says when it is true.
    /// The work goes on where it is until a wanted pool has a job. With no pools there is synthetic work.
    /// # Errors
    /// A pool that cannot be mined on yet; nothing is changed then.
    pub async fn configure(&self, groups: Vec<PoolGroup>) -> Result<u64, ConfigureError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Configure { groups, trace: TraceParent::current(), reply };
        self.commands.send(command).await.map_err(|_| ConfigureError::ShuttingDown)?;
        answer.await.map_err(|_| ConfigureError::ShuttingDown)?
    }

    /// Works for one pool whatever the order says until `duration` has passed; replaces a pin before it.
    /// # Errors
    /// See [`PinError`]; the pin before holds on.
    pub async fn pin(&self, pool: PoolName, duration: Duration) -> Result<PoolPin, PinError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Pin { pool, duration, reply };
        self.commands.send(command).await.map_err(|_| PinError::ShuttingDown)?;
        answer.await.map_err(|_| PinError::ShuttingDown)?
    }

    /// Ends the pin and returns it, if there is one.
    /// # Errors
    /// The miner is shutting down.
    pub async fn unpin(&self) -> Result<Option<PoolPin>, PinError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Unpin { reply }).await.map_err(|_| PinError::ShuttingDown)?;
        answer.await.map_err(|_| PinError::ShuttingDown)
    }

    /// Renews a connection. It goes on when the caller loses interest; phases are dropped when nobody takes them.
    /// # Errors
    /// See [`ReconnectError`]; the old connection stays.
    pub async fn reconnect(
        &self,
        request: ReconnectRequest,
        phases: mpsc::Sender<ConnectPhase>,
    ) -> Result<ReconnectOutcome, ReconnectError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Reconnect { request, phases, trace: TraceParent::current(), reply };
        self.commands.send(command).await.map_err(|_| ReconnectError::ShuttingDown)?;
        answer.await.map_err(|_| ReconnectError::ShuttingDown)?
    }
}

/// Which connection to renew, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconnectRequest {
    /// Pool by name; `None` = the live one.
    pub pool: Option<PoolName>,
    /// Close the old connection first; its pending shares are lost. Otherwise it works until the new one has a job.
    pub immediate: bool,
    /// A repeat with the same id joins the reconnect under way or answers with its result; empty = no repeat.
    pub request_id: String,
}

/// What a reconnect brought.
#[derive(Debug, Clone, PartialEq)]
pub struct ReconnectOutcome {
    /// Which pool.
    pub pool: PoolName,
    /// The new connection.
    pub connection: ConnectionId,
    /// What moving the threads took.
    pub switch: SwitchReport,
    /// Shares of the old connection that were never judged because of it.
    pub shares_lost: u64,
    /// All phases.
    pub phases: Vec<ConnectPhase>,
}

/// Why a reconnect did not happen; the old connection, if any, goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconnectError {
    /// Not in the spec.
    #[error("pool `{0}` is not in the spec; `pool list` shows which are")]
    PoolNotFound(PoolName),
    /// No pool was named and none is live.
    #[error("no pool is live; name one, or configure one with `pool set`")]
    NoLivePool,
    /// Another reconnect of the same pool is under way under another request id.
    #[error("pool `{0}` is being reconnected already; wait for it")]
    UnderWay(PoolName),
    /// The new connection failed.
    #[error("pool `{pool}` could not be reconnected: {message}")]
    Failed {
        /// Which.
        pool: PoolName,
        /// What happened and what to do.
        message: String,
    },
    /// The spec changed meanwhile and the pool is gone or moved.
    #[error("pool `{0}` was changed while it was being reconnected; look at `pool list`")]
    Superseded(PoolName),
    /// The miner is shutting down.
    #[error("the miner is shutting down")]
    ShuttingDown,
}

/// Why pools were not taken over; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigureError {
    /// The miner is shutting down.
    #[error("the miner is shutting down")]
    ShuttingDown,
}

/// Why a pool was not pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not in the spec.
    #[error("pool `{0}` is not in the spec; `pool list` shows which are")]
    PoolNotFound(PoolName),
    /// The miner is shutting down.
    #[error("the miner is shutting down")]
    ShuttingDown,
}

/// State of all pools at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Pool that the threads hash for.
    pub live: Option<PoolName>,
    /// Whether the live work is synthetic because no pool is configured.
    pub synthetic: bool,
    /// Pools of the spec in order of preference, then those that still drain.
    pub pools: Vec<PoolSnapshot>,
    /// Counts the accepted configurations of this process.
    pub configured: u64,
    /// Configuration whose first choice (or a working stand-in) is live and whose removed pools are gone.
    pub settled: u64,
    /// The pool that is pinned.
    pub pin: Option<PoolPin>,
    /// Every connection with its use, in the order of their ids; without synthetic work.
    pub channels: Vec<ChannelSnapshot>,
    /// The newest moves of the work, newest first; at most [`MAX_TRANSITIONS`].
    pub transitions: Arc<VecDeque<PoolTransition>>,
}

/// Moves that are remembered.
pub const MAX_TRANSITIONS: usize = 256;

/// One connection and its use.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelSnapshot {
    /// Its pool.
    pub pool: PoolName,
    /// First 16 hex digits of the SHA-256 of the authority key; empty for V1.
    pub authority_fingerprint: String,
    /// What it is used for.
    pub role: PoolRole,
    /// The connection.
    pub connection: Arc<ConnectionSnapshot>,
}

/// State of one pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSnapshot {
    /// Name from the spec.
    pub name: PoolName,
    /// URL from the spec.
    pub url: String,
    /// User from the spec.
    pub user: String,
    /// First 16 hex digits of the SHA-256 of the authority key; empty for V1.
    pub authority_fingerprint: String,
    /// Where it stands.
    pub state: PoolState,
    /// Why, for a person.
    pub reason: String,
    /// Since when.
    pub since: SystemTime,
    /// When the next attempt is due.
    pub retry_at: Option<SystemTime>,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// The newest connection.
    pub connection: Option<Arc<ConnectionSnapshot>>,
    /// What it is used for.
    pub role: PoolRole,
    /// Its split of the work, in a group with quotas.
    pub work_split: Option<WorkSplit>,
}

/// State of one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionSnapshot {
    /// Its number.
    pub id: ConnectionId,
    /// What the connection says of itself.
    pub facts: ConnectionFacts,
    /// When the first usable job arrived.
    pub ready_at: Option<SystemTime>,
    /// The pool's name of the current job.
    pub job_label: String,
    /// When it arrived.
    pub job_received_at: Option<SystemTime>,
    /// Version bits that may be rolled in it.
    pub version_mask: u32,
    /// Jobs so far.
    pub jobs: u64,
    /// Steps that led to the first job.
    pub phases: Vec<ConnectPhase>,
}
