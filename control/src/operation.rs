//! Work on several miners: stored before it is answered, done beside the API, resumed after a restart.
//!
//! The store holds all state of an operation; the runner asks it what is left to do. So a control plane that is killed at
//! any point goes on where it was: a reconnect is joined by its request id, a pause is not written twice, and what a miner
//! cannot recognise as a repeat (a restart, a self-test) is not asked for a second time but told as interrupted.

mod act;
mod bundle;
mod notes;
mod ramp;
mod run;
mod target;

use crate::{
    access::{Caller, Denied, content::of_action},
    finish::regardless,
    registry::{Miner, Registry},
    repeat::RequestKey,
    rollout::RampError,
    spec::Specs,
    store::{self, Store, StoreError},
    trace::TraceParent,
};
pub use bundle::MAX_BUNDLE;
use mujina_core::{
    id::{MinerName, PoolName},
    units::Watts,
};
pub(crate) use notes::{Begun, Note};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
pub use target::{Phase, Progress, ReconnectResult, Target, TargetEnd, TargetFailure, TargetState};
use tokio::sync::watch;
use tracing::info;

/// Most targets of one operation.
pub const MAX_TARGETS: usize = 100_000;
/// Names of miners that go into the audit log with an operation; the operation itself holds all.
const AUDITED: usize = 500;

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Unique id; empty when it was only checked.
    pub id: String,
    /// What is done to each target.
    pub action: Action,
    /// How far it is.
    pub state: OperationState,
    /// In order of the names; empty where only the operation was asked for.
    pub targets: Vec<Target>,
    /// How far all targets are.
    pub progress: Progress,
    /// When it was asked for.
    pub created_at: SystemTime,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// Trace of the request that started it; empty when nobody traces.
    pub trace_id: String,
    /// Who started it.
    pub created_by: String,
    /// Most power that may be switched per second; `None` = no bound.
    pub ramp: Option<Watts>,
    /// The operation whose failed targets it tries again; empty = none.
    pub retry_of: String,
    /// Counts the writes to it.
    pub revision: u64,
}

/// What an operation does to each target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A new pool connection.
    Reconnect {
        /// The pool; `None` = the live one.
        pool: Option<PoolName>,
        /// How.
        mode: ReconnectMode,
    },
    /// Stops hashing, through the desired state.
    Pause {
        /// For the log.
        reason: String,
    },
    /// Starts hashing, through the desired state.
    Resume,
    /// Starts boards anew.
    Restart {
        /// The board; `None` = all of each miner.
        board: Option<String>,
    },
    /// Tests pools from where each miner is.
    TestPool(TestedPool),
    /// Lets boards test themselves.
    SelfTest {
        /// The board; `None` = all of each miner, one after the other.
        board: Option<String>,
    },
    /// Collects what helps to find a fault.
    CollectBundle,
}

/// Which pool to test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestedPool {
    /// Every pool of each miner's spec.
    All,
    /// One of the spec.
    Named(PoolName),
    /// Any.
    Url {
        /// Where.
        url: String,
        /// Account there.
        user: String,
    },
}

/// How to change connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectMode {
    /// The old connection works until the new one has a job.
    Graceful,
    /// The old connection is closed first.
    Immediate,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Targets are being worked on.
    Running,
    /// All targets succeeded.
    Succeeded,
    /// All targets ended, some failed.
    PartiallyFailed,
    /// All targets failed.
    Failed,
    /// Cancelled before all targets had started.
    Cancelled,
}

impl OperationState {
    /// How far an operation with such targets is.
    #[must_use]
    pub fn of(targets: &Progress) -> Self {
        let Progress { total: _, waiting, running, succeeded, failed, skipped } = targets;
        match (waiting + running, skipped, succeeded, failed) {
            (1.., ..) => Self::Running,
            (0, 1.., ..) => Self::Cancelled,
            (0, 0, _, 0) => Self::Succeeded,
            (0, 0, 1.., _) => Self::PartiallyFailed,
            (0, 0, 0, _) => Self::Failed,
        }
    }
}

/// An operation that somebody asks for.
#[derive(Debug, Clone)]
pub struct OperationRequest {
    /// What to do.
    pub action: Action,
    /// On which miners, in order of their names, each once.
    pub miners: Vec<Arc<Miner>>,
    /// A repeat answers with the first operation.
    pub key: RequestKey,
    /// Most power that may be switched per second; `None` = no bound.
    pub ramp: Option<Watts>,
    /// Who asks.
    pub by: Caller,
    /// The operation whose failed targets it tries again; empty = none.
    pub retry_of: String,
}

/// What an operation would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The operation, without an id.
    pub operation: Operation,
    /// When each target is switched, counted from the begin; empty without a ramp.
    pub ramp: Vec<(Duration, MinerName)>,
}

/// Why there is no such operation.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// Nothing to do.
    #[error("no miner is meant; name some, select others, or ask for all")]
    NoMiners,
    /// More than one operation may hold.
    #[error("{0} miners are more than the {MAX_TARGETS} of one operation; split the list")]
    TooMany(usize),
    /// One of the miners is not for this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Power cannot be switched so slowly.
    #[error(transparent)]
    Ramp(#[from] RampError),
    /// Only pausing and resuming switches power.
    #[error("only pause and resume take a ramp; leave `ramp_watts` out")]
    NoRamp,
    /// Never existed, or was dropped with age.
    #[error("no operation has the id `{0}`; list the operations to see the newest")]
    Unknown(String),
    /// It goes on.
    #[error("operation {0} has not ended; cancel it or wait, then try its failed targets again")]
    NotEnded(String),
    /// All of it was done.
    #[error("no target of operation {0} failed or was skipped that is still known; there is nothing to try again")]
    NothingToRetry(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose request ids these are.
const SCOPE: &str = "operation";

/// The way to the operations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    store: Store,
    registry: Registry,
    /// Counts changes of any operation: whoever waits reads the store again.
    changes: watch::Sender<u64>,
    /// The ramp of those that are given none.
    ramp: Option<Watts>,
}

impl Operations {
    /// Operations on the miners of `registry`, kept in `store`.
    #[must_use]
    pub fn new(store: Store, registry: Registry) -> Self {
        Self { store, registry, changes: watch::Sender::new(0), ramp: None }
    }

    /// The same, with a ramp for those that are given none.
    #[must_use]
    pub fn ramped(self, ramp: Option<Watts>) -> Self {
        Self { ramp, ..self }
    }

    /// The task that does them until it is cancelled.
    pub(crate) fn runner(&self, specs: Specs) -> run::Runner {
        run::Runner::new(self.clone(), specs)
    }

    /// Stores an operation and has it done; answers when it is on disk.
    ///
    /// # Errors
    /// See [`OperationError`].
    ///
    /// # Cancel safety
    /// Safe: what has begun comes to its end, the handing on included.
    pub async fn start(&self, request: OperationRequest) -> Result<Operation, OperationError> {
        let operations = self.clone();
        regardless(async move { operations.start_to_the_end(request).await }).await
    }

    async fn start_to_the_end(&self, request: OperationRequest) -> Result<Operation, OperationError> {
        let OperationRequest { key, by, .. } = &request;
        let mut write = self.store.write().await?;
        if let Some(id) = write.answer(SCOPE, key).await? {
            drop(write);
            self.changed();
            return self.get(&id).await;
        }
        let trace_parent = TraceParent::current();
        let operation = Operation {
            id: uuid::Uuid::new_v4().to_string(),
            trace_id: trace_parent.trace_id(),
            ..planned(&request, self.ramp)?
        };
        write.insert_operation(&operation, &trace_parent).await?;
        if matches!(operation.action, Action::Pause { .. }) {
            let power = |miner: &Arc<Miner>| Some((miner.name.clone(), miner.power()?.watts()));
            let power: Vec<_> = request.miners.iter().filter_map(power).collect();
            let power: Vec<_> = power.iter().map(|(miner, watts)| (miner.as_str(), *watts)).collect();
            write.set_power(&power).await?;
        }
        write.remember(SCOPE, key, &operation.id).await?;
        write.append_audit(by.record(&operation.id, diff(&operation))).await?;
        write.commit().await?;
        info!(operation.id = operation.id, targets = operation.targets.len(), "operation stored");
        self.changed();
        Ok(operation)
    }

    /// What an operation would do. Starts nothing.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub fn preview(&self, request: &OperationRequest) -> Result<Preview, OperationError> {
        let operation = planned(request, self.ramp)?;
        let ramp = ramp::of(&operation)?.map(|ramp| ramp.preview()).unwrap_or_default();
        Ok(Preview { operation, ramp })
    }

    /// The operation that a request started before, if it did.
    ///
    /// # Errors
    /// The database failed.
    pub async fn repeated(&self, key: &RequestKey) -> Result<Option<Operation>, OperationError> {
        match self.store.answered(SCOPE, key).await? {
            Some(id) => self.get(&id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Starts an operation anew on those of its targets that failed or were skipped.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub async fn retry(&self, id: &str, key: RequestKey, by: Caller) -> Result<Operation, OperationError> {
        if let Some(repeated) = self.repeated(&key).await? {
            return Ok(repeated);
        }
        let before = self.get(id).await?;
        if before.state == OperationState::Running {
            return Err(OperationError::NotEnded(id.into()));
        }
        let is_open = |target: &&Target| matches!(target.state, TargetState::Failed | TargetState::Skipped);
        let open = before.targets.iter().filter(is_open);
        let miners: Vec<_> = open.filter_map(|target| self.registry.get(&target.miner)).collect();
        if miners.is_empty() {
            return Err(OperationError::NothingToRetry(id.into()));
        }
        let Operation { action, ramp, .. } = before;
        self.start(OperationRequest { action, miners, key, ramp, by, retry_of: id.into() }).await
    }

    /// One operation with all of its targets.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub async fn get(&self, id: &str) -> Result<Operation, OperationError> {
        self.since(id, None).await
    }

    /// One operation with those targets alone that were written after a revision; with all of them after none.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub async fn since(&self, id: &str, revision: Option<u64>) -> Result<Operation, OperationError> {
        let stored = self.store.operation(id, revision).await?;
        stored.map(|stored| stored.operation).ok_or_else(|| OperationError::Unknown(id.into()))
    }

    /// At most `most` operations without their targets, newest first, older than number `before`; each with its number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self, before: Option<i64>, most: usize) -> Result<Vec<(i64, Operation)>, OperationError> {
        let stored = self.store.operations(before, most).await?;
        Ok(stored.into_iter().map(|stored| (stored.number, stored.operation)).collect())
    }

    /// What an operation collected from a miner.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bundle(&self, id: &str, miner: &MinerName) -> Result<Option<Vec<u8>>, OperationError> {
        Ok(self.store.bundle(id, miner).await?)
    }

    /// Keeps further targets from starting. The caller must be permitted to do the same to all that wait.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub async fn cancel(&self, id: &str, by: &Caller) -> Result<Operation, OperationError> {
        let before = self.get(id).await?;
        let needed = of_action(&before.action);
        for target in before.targets.iter().filter(|target| target.state == TargetState::Waiting) {
            let labels = self.registry.get(&target.miner).map(|miner| miner.labels());
            by.may(needed, labels.as_deref())?;
        }
        let mut write = self.store.write().await?;
        let skipped = write.cancel_operation(id).await?.ok_or_else(|| OperationError::Unknown(id.into()))?;
        write.append_audit(by.record(id, json!({ "skipped_targets": skipped }))).await?;
        write.commit().await?;
        info!(operation.id = id, skipped, "operation cancelled");
        self.changed();
        self.get(id).await
    }

    /// Told of each change of any operation.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// An operation as it will be stored, without an id. Each miner must be permitted. The usual ramp refuses none.
fn planned(request: &OperationRequest, usual: Option<Watts>) -> Result<Operation, OperationError> {
    let OperationRequest { action, miners, key: _, ramp, by, retry_of } = request;
    match miners.len() {
        0 => return Err(OperationError::NoMiners),
        1..=MAX_TARGETS => {}
        many => return Err(OperationError::TooMany(many)),
    }
    let needed = of_action(action);
    for miner in miners {
        by.may(needed, Some(&miner.labels()))?;
    }
    if ramp.is_some() && !matches!(action, Action::Pause { .. } | Action::Resume) {
        return Err(OperationError::NoRamp);
    }
    let usual = usual.filter(|_| matches!(action, Action::Pause { .. } | Action::Resume));
    // A repeated one has the ramp of before, whoever chose it.
    let is_usual = ramp.is_none() || *ramp == usual || !retry_of.is_empty();
    let ramp = ramp.or(usual);
    let target = |miner: &Arc<Miner>| {
        let mut target = Target::waiting(miner, ramp);
        if let (true, Some(power), Some(budget)) = (is_usual, &mut target.power, ramp) {
            *power = ramp::within(*power, budget);
        }
        target
    };
    let operation = Operation {
        id: String::new(),
        action: action.clone(),
        state: OperationState::Running,
        targets: miners.iter().map(target).collect(),
        progress: Progress::waiting(miners.len()),
        created_at: store::now(),
        finished_at: None,
        trace_id: String::new(),
        created_by: by.person(),
        ramp,
        retry_of: retry_of.clone(),
        revision: 0,
    };
    ramp::of(&operation)?;
    Ok(operation)
}

/// What goes into the audit log.
fn diff(operation: &Operation) -> serde_json::Value {
    let Operation { action, targets, ramp, retry_of, .. } = operation;
    let miners: Vec<_> = targets.iter().take(AUDITED).map(|target| target.miner.as_str()).collect();
    json!({
        "action": action,
        "targets": targets.len(),
        "miners": miners,
        "ramp_watts": ramp.map(Watts::watts),
        "retry_of": retry_of,
    })
}

#[cfg(test)]
mod tests;
