//! Where work comes from: which pools are connected, which one is live, and how work moves between them.
//!
//! One actor on the mining runtime. It owns the connection tasks and the decision which of them the threads hash for;
//! `scheduler` does the moving. The spec applier and the API reach it through [`SourceHandle`].

mod actor;
mod connection;
mod entry;
pub mod forced_rate;
mod reconnect;
mod selector;
mod state;
pub mod synthetic;

pub use self::actor::{Connector, Lines, Source};
use crate::{pool::ConnectionFacts, scheduler::SwitchReport, trace::TraceParent};
use mujina_core::{
    id::{ConnectionId, PoolName},
    pool::PoolGroup,
    status::{ConnectPhase, PoolState},
};
use std::{sync::Arc, time::SystemTime};
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
    pub connection: Option<ConnectionSnapshot>,
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
