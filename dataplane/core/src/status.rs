//! Observed state of a miner, as a tree of values.

use crate::{
    board::BoardSummary,
    fault::Fault,
    id::{BoardId, ConnectionId, Generation, MinerId, PoolName, ThreadId},
    share::{RateEstimate, ShareTotals},
    units::{Difficulty, HashRate},
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// The status tree of one miner.
#[derive(Debug, Clone, PartialEq)]
pub struct MinerStatus {
    /// Stable id.
    pub miner_id: MinerId,
    /// Name from the configuration.
    pub name: String,
    /// Version of the data plane.
    pub version: String,
    /// Changes with every start of the process.
    pub boot_id: String,
    /// When the process started.
    pub started_at: SystemTime,
    /// When this tree was assembled.
    pub observed_at: SystemTime,
    /// What the miner is doing.
    pub state: MinerState,
    /// Why, for a person.
    pub state_reason: String,
    /// Since when.
    pub state_since: SystemTime,
    /// Newest accepted spec generation.
    pub generation: Generation,
    /// Newest spec generation fully in force.
    pub observed_generation: Generation,
    /// Pool that the threads hash for.
    pub live_pool: Option<PoolName>,
    /// Pools of the spec, and those still draining.
    pub pools: Vec<PoolStatus>,
    /// Boards with their threads.
    pub boards: Vec<BoardStatus>,
    /// Ledger of the process over all pools, counting since `started_at`.
    pub totals: ShareTotals,
    /// Hash rate of all threads.
    pub rates: Vec<RateEstimate>,
    /// Rate that the boards are expected to reach.
    pub nominal_hash_rate: Option<HashRate>,
    /// What needs attention.
    pub faults: Vec<Fault>,
    /// The pool that is pinned.
    pub pool_pin: Option<PoolPin>,
}

impl MinerStatus {
    /// Whether something has happened between two trees of one miner: more than counters, rates, readings and texts that
    /// differ.
    #[must_use]
    pub fn tells_news_after(&self, before: &Self) -> bool {
        self.news() != before.news()
    }

    /// What people and machines act upon.
    fn news(&self) -> impl PartialEq + use<'_> {
        let miner = (&self.boot_id, &self.name, self.state, self.generation, self.observed_generation);
        let pools: Vec<_> = self.pools.iter().map(PoolStatus::news).collect();
        let boards: Vec<_> = self.boards.iter().map(BoardStatus::news).collect();
        let faults: Vec<_> = self.faults.iter().map(|fault| (fault.reason, &fault.subject, fault.since)).collect();
        (miner, &self.live_pool, &self.pool_pin, pools, boards, faults)
    }
}

impl PoolStatus {
    fn news(&self) -> impl PartialEq + use<'_> {
        // The first share that is accepted is what others wait for; the next ones count.
        let connection = self.connection.as_ref().map(|connection| (connection.id, connection.totals.accepted > 0));
        (&self.name, self.state, self.live, self.role, connection)
    }
}

impl BoardStatus {
    fn news(&self) -> impl PartialEq + use<'_> {
        let threads: Vec<_> = self.threads.iter().map(|thread| thread.state).collect();
        (&self.id, self.summary.state, &self.summary.faults, threads)
    }
}

/// What a miner is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinerState {
    /// Boards or pools are being brought up.
    Starting,
    /// Work flows.
    Mining,
    /// Paused by the spec.
    Paused,
    /// Pools are configured but none gives work.
    NoWork,
    /// No pool is configured.
    NoPool,
    /// Shutting down.
    Stopping,
}

/// Observed state of one pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolStatus {
    /// Name from the spec.
    pub name: PoolName,
    /// URL from the spec.
    pub url: String,
    /// User from the spec.
    pub user: String,
    /// Where the connection stands.
    pub state: PoolState,
    /// Why, for a person.
    pub state_reason: String,
    /// Since when.
    pub state_since: SystemTime,
    /// Whether the hash threads work for it.
    pub live: bool,
    /// When the next attempt is due.
    pub retry_at: Option<SystemTime>,
    /// Attempts that failed in a row.
    pub consecutive_failures: u32,
    /// The newest connection.
    pub connection: Option<PoolConnection>,
    /// Ledger over all connections of this process.
    pub totals: ShareTotals,
    /// When `totals` began to count.
    pub totals_since: SystemTime,
    /// Hand-over of a share to its verdict.
    pub verdict_latency: LatencySummary,
    /// What it is used for now.
    pub role: PoolRole,
    /// Its split of the work, in a group with quotas.
    pub work_split: Option<WorkSplit>,
    /// Ledger over all processes of this miner, with the time of the first.
    pub lifetime: Option<(ShareTotals, SystemTime)>,
}

/// What a pool, or one of its connections, is used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PoolRole {
    /// Neither connected nor wanted now.
    #[default]
    None,
    /// The threads hash for it.
    Live,
    /// Connected with a current job, ready to take over.
    Standby,
    /// Being connected to, or waiting for the next attempt.
    Connecting,
    /// Replaced; its last shares are being answered.
    Draining,
}

/// Parts of a group's work, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorkSplit {
    /// By quota, among the members that give work now.
    pub target: f64,
    /// Of the work since the quotas were set; `None` while there was none.
    pub achieved: Option<f64>,
}

/// A pool that is worked for whatever the order says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolPin {
    /// Which.
    pub pool: PoolName,
    /// When the order holds again.
    pub expires_at: SystemTime,
}

/// One move of the work from a connection to another.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolTransition {
    /// Counts the moves of this process, from 1.
    pub sequence: u64,
    /// When every thread had the new work.
    pub at: SystemTime,
    /// Who was worked for; `None` at the first work.
    pub from: Option<(PoolName, ConnectionId)>,
    /// Who is worked for.
    pub to: (PoolName, ConnectionId),
    /// Why.
    pub reason: TransitionReason,
    /// Facts for a person, for example the failure of the pool before.
    pub detail: String,
    /// Longest time that a hash thread had no work because of it; without a connection to leave, since the last one was gone.
    pub work_gap: Duration,
    /// Threads that were moved.
    pub threads: u32,
    /// Shares of the old connection that were never judged.
    pub shares_lost: u64,
    /// How the new connection came about.
    pub phases: Vec<ConnectPhase>,
}

/// Why the work moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionReason {
    /// The first work of this process, or the first after none was wanted.
    Started,
    /// The spec changed.
    Configured,
    /// The pool before gave no usable work any more.
    FailedOver,
    /// The pool before refused too many shares.
    Rejects,
    /// A preferred pool is good again.
    Returned,
    /// Somebody pinned the pool.
    Pinned,
    /// A pin ended.
    Unpinned,
    /// Somebody, or the pool, asked for a new connection.
    Reconnected,
    /// The turn of another pool of the group, by quota.
    Quota,
}

impl TransitionReason {
    /// Stable name for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Configured => "configured",
            Self::FailedOver => "failed_over",
            Self::Rejects => "rejects",
            Self::Returned => "returned",
            Self::Pinned => "pinned",
            Self::Unpinned => "unpinned",
            Self::Reconnected => "reconnected",
            Self::Quota => "quota",
        }
    }
}

/// Where a pool connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolState {
    /// Configured, not wanted now.
    Idle,
    /// Under way.
    Connecting,
    /// Channel open, no usable job yet.
    WaitingForJob,
    /// Has a usable job.
    Ready,
    /// No more work; outstanding shares are being answered.
    Draining,
    /// Waiting for the next attempt.
    BackingOff,
    /// The peer does not hold the configured authority key.
    AuthenticationFailed,
    /// The certificate is not valid by this machine's clock.
    ClockSkew,
    /// The pool refused the set-up or the channel.
    Refused,
    /// Not tried again by itself.
    Parked,
}

/// One connection to a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConnection {
    /// Its number.
    pub id: ConnectionId,
    /// Address that was reached.
    pub peer_address: String,
    /// When the first usable job arrived.
    pub ready_at: Option<SystemTime>,
    /// Whether the peer proved the configured authority key.
    pub authenticated: bool,
    /// First 16 hex digits of the SHA-256 of the authority key.
    pub authority_fingerprint: String,
    /// End of the peer certificate's validity.
    pub certificate_not_after: Option<SystemTime>,
    /// Channel id.
    pub channel_id: Option<u32>,
    /// Group of the channel.
    pub group_channel_id: Option<u32>,
    /// Extranonce prefix of the channel.
    pub extranonce_prefix: Vec<u8>,
    /// Bytes of extranonce that the miner fills.
    pub extranonce_size: u8,
    /// Difficulty of the newest share target.
    pub share_difficulty: Option<Difficulty>,
    /// Version bits that may be rolled in the current job.
    pub version_mask: u32,
    /// The pool's name of the current job.
    pub job_id: String,
    /// When that job arrived.
    pub job_received_at: Option<SystemTime>,
    /// Jobs received.
    pub jobs: u64,
    /// Messages ignored because they are not known.
    pub unknown_messages: u64,
    /// Rate last told to the pool.
    pub told_hash_rate: HashRate,
    /// Ledger of this connection.
    pub totals: ShareTotals,
    /// When `totals` began to count.
    pub totals_since: SystemTime,
    /// Times of the steps that led to the first job.
    pub phases: Vec<ConnectPhase>,
}

/// One step of connecting to a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectPhase {
    /// Which step.
    pub name: PhaseName,
    /// How long it took.
    pub elapsed: Duration,
    /// Facts for a person, for example the address.
    pub detail: String,
}

/// Steps of connecting to a pool and moving work to it, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseName {
    /// Resolving the host.
    Dns,
    /// Opening the TCP connection.
    Tcp,
    /// Noise handshake and certificate.
    Noise,
    /// TLS handshake and certificate.
    Tls,
    /// SetupConnection; on V1 `mining.subscribe`.
    SetupConnection,
    /// OpenExtendedMiningChannel.
    OpenChannel,
    /// First usable job.
    FirstJob,
    /// Moving the hash threads.
    Switch,
    /// Waiting for the verdicts of the old connection.
    Drain,
}

impl PhaseName {
    /// Stable name for machines; also the suffix of its span.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Noise => "noise",
            Self::Tls => "tls",
            Self::SetupConnection => "setup_connection",
            Self::OpenChannel => "open_channel",
            Self::FirstJob => "first_job",
            Self::Switch => "switch",
            Self::Drain => "drain",
        }
    }
}

/// Percentiles of a set of durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencySummary {
    /// How many durations.
    pub count: u64,
    /// Median.
    pub p50: Option<Duration>,
    /// 99th percentile.
    pub p99: Option<Duration>,
}

/// Observed state of one board.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardStatus {
    /// Stable id.
    pub id: BoardId,
    /// Model, for example `cpu`.
    pub model: String,
    /// Its hash threads.
    pub threads: Vec<ThreadStatus>,
    /// Ledger over its threads.
    pub totals: ShareTotals,
    /// Hash rate over its threads.
    pub rates: Vec<RateEstimate>,
    /// Facts of the model, for example kernel and duty.
    pub facts: BTreeMap<String, String>,
    /// Rate that its threads are expected to reach.
    pub nominal_hash_rate: Option<HashRate>,
    /// State and the readings that matter most.
    pub summary: BoardSummary,
}

/// Observed state of one hash thread.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadStatus {
    /// Stable id.
    pub id: ThreadId,
    /// What it does.
    pub state: ThreadState,
    /// Its ledger.
    pub totals: ShareTotals,
    /// Hash rate from its nonces.
    pub rates: Vec<RateEstimate>,
    /// Hashes that it says it has computed.
    pub hashes: u64,
    /// Slot of the extranonce space that it works in.
    pub slot: Option<u32>,
}

/// What a hash thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadState {
    /// Has work.
    Hashing,
    /// Has none.
    Idle,
    /// Ended and not coming back.
    Dead,
}
