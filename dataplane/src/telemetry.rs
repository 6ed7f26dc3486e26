//! What the miner tells of itself: the status tree, the newest shares, statistics buckets, and a line in the log.
//!
//! Runs on the service runtime and only looks: it reads what scheduler, source and spec publish, and nothing that mines
//! waits for it or knows it. `rpc` hands it on.

mod board;
mod buckets;
mod connection;
mod history;
mod lifetime;
mod line;
mod rejects;
mod shares;
mod status;

pub(crate) use self::{board::board_status, connection::connection_status};
use self::{history::HistoryHandle, shares::ShareLog};
pub use self::{
    history::{BucketPage, BucketRequest, HistoryError},
    rejects::{MOST_REJECTS, Reject},
};
use crate::{
    identity::Identity,
    miner::MinerHandle,
    supervisor::{ExitPolicy, Supervisor},
};
use mujina_core::{
    id::{PoolName, ShareId},
    share::{Share, ShareOutcome},
    spec::SpecState,
    status::MinerStatus,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Everything that telemetry looks at.
#[derive(Debug)]
pub struct TelemetryPlan {
    /// Whose status it is.
    pub identity: Identity,
    /// The mining side.
    pub miner: MinerHandle,
    /// What is wanted.
    pub spec: watch::Receiver<Arc<SpecState>>,
    /// Where statistics are kept.
    pub state_dir: PathBuf,
    /// How often a status line goes to the log; `None` = never.
    pub status_line: Option<Duration>,
}

/// The way to what is told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TelemetryHandle {
    status: watch::Receiver<Arc<MinerStatus>>,
    shares: ShareLog,
    history: HistoryHandle,
}

/// Begins to look. Cancel it after the mining side has stopped: then the last buckets hold everything.
pub fn start(plan: TelemetryPlan, supervisor: &mut Supervisor, cancel: &CancellationToken) -> TelemetryHandle {
    let TelemetryPlan { identity, miner, spec, state_dir, status_line } = plan;
    let (history, history_handle) =
        history::History::new(&state_dir, miner.scheduler.snapshot(), miner.source.snapshot());
    let seen = status::Sources {
        scheduler: miner.scheduler.snapshot(),
        source: miner.source.snapshot(),
        spec,
        storage: history_handle.failure(),
        lifetimes: history_handle.lifetimes(),
        boards: miner.boards.reports(),
    };
    let (publisher, status) = status::Publisher::new(identity, seen);
    let shares = ShareLog::default();
    supervisor.spawn("history", ExitPolicy::Expendable, history.run(cancel.clone()));
    supervisor.spawn("status", ExitPolicy::Expendable, publisher.run(cancel.clone()));
    supervisor.spawn("share log", ExitPolicy::Expendable, shares.clone().run(miner.scheduler, cancel.clone()));
    if let Some(every) = status_line {
        supervisor.spawn("status line", ExitPolicy::Expendable, line::run(status.clone(), every, cancel.clone()));
    }
    TelemetryHandle { status, shares, history: history_handle }
}

impl TelemetryHandle {
    /// The status tree, newest at most a quarter of a second old.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<MinerStatus>> {
        self.status.clone()
    }

    /// The newest remembered shares whose outcome is `wanted`, newest first, only those with ids below `before`.
    #[must_use]
    pub fn list_shares(
        &self,
        before: Option<ShareId>,
        limit: usize,
        wanted: &dyn Fn(ShareOutcome) -> bool,
    ) -> Vec<Arc<Share>> {
        self.shares.list(before, limit, wanted)
    }

    /// The newest shares that pools refused, newest first; of one pool, or of all.
    #[must_use]
    pub fn list_rejects(&self, pool: Option<&PoolName>, limit: usize) -> Vec<Reject> {
        self.shares.rejects().list(pool, limit)
    }

    /// Closed buckets after a cursor, oldest first; see [`BucketRequest`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn buckets(&self, request: BucketRequest) -> Result<BucketPage, HistoryError> {
        self.history.buckets(request).await
    }
}

#[cfg(test)]
mod tests;
