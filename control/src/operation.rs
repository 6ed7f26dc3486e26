//! Work on several miners: stored before it is answered, done beside the API, resumed after a restart.
//!
//! The store holds all state of an operation; the runner asks it what is left to do. So a control plane that is killed at
//! any point goes on where it was: a reconnect is joined by its request id, a pause is not written twice.

mod run;

use crate::{
    finish::regardless,
    registry::Registry,
    spec::Specs,
    store::{self, Store, StoreError},
    trace::TraceParent,
};
use mujina_core::id::{MinerName, PoolName};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;
use tracing::info;

/// Most targets of one operation.
pub const MAX_TARGETS: usize = 1000;

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Unique id.
    pub id: String,
    /// What is done to each target.
    pub action: Action,
    /// How far it is.
    pub state: OperationState,
    /// In order of the names.
    pub targets: Vec<Target>,
    /// When it was asked for.
    pub created_at: SystemTime,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// Trace of the request that started it; empty when nobody traces.
    pub trace_id: String,
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
    /// How far an operation with targets in these states is.
    #[must_use]
    pub fn of(targets: &[TargetState]) -> Self {
        let any = |state| targets.contains(&state);
        if any(TargetState::Waiting) || any(TargetState::Running) {
            Self::Running
        } else if any(TargetState::Skipped) {
            Self::Cancelled
        } else {
            match (any(TargetState::Succeeded), any(TargetState::Failed)) {
                (_, false) => Self::Succeeded,
                (true, true) => Self::PartiallyFailed,
                (false, true) => Self::Failed,
            }
        }
    }
}

/// One miner of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name.
    pub miner: MinerName,
    /// How far it is.
    pub state: TargetState,
    /// Phases that ended.
    pub phases: Vec<Phase>,
    /// Why it failed.
    pub failure: Option<TargetFailure>,
    /// Result of a reconnect.
    pub result: Option<ReconnectResult>,
    /// How long it took.
    pub elapsed: Option<Duration>,
}

/// How far one miner of an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Not started.
    Waiting,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
    /// Never started because the operation was cancelled.
    Skipped,
}

/// A step of a reconnect that ended. Steps of newer miners are passed on as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Facts for a person.
    pub detail: String,
}

/// How a reconnect ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconnectResult {
    /// The pool.
    pub pool: String,
    /// The new connection.
    pub connection: u64,
    /// Longest time that a hash thread had no work because of it; `None` when the miner did not say.
    pub work_gap: Option<Duration>,
    /// Shares of the old connection that were never judged because of it.
    pub shares_lost: u64,
    /// All phases.
    pub phases: Vec<Phase>,
}

/// Why a target failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFailure {
    /// Number of the `google.rpc.Code`.
    pub code: i32,
    /// Stable reason for machines.
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
}

/// How a target ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetEnd {
    /// Well; a reconnect with its result.
    Succeeded(Option<ReconnectResult>),
    /// Badly.
    Failed(TargetFailure),
}

/// An operation that somebody asks for.
#[derive(Debug, Clone)]
pub struct OperationRequest {
    /// What to do.
    pub action: Action,
    /// On which miners; `None` = all that are known now.
    pub miners: Option<BTreeSet<MinerName>>,
    /// A repeat with the same id answers with the first operation; empty = no repeat.
    pub request_id: String,
}

/// Why there is no such operation.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// Not in the configuration.
    #[error("no miner is named {0}; see the list of miners, or add it to the configuration")]
    UnknownMiners(String),
    /// Nothing to do.
    #[error("no miner is named; name some, or ask for all")]
    NoMiners,
    /// More than one operation may hold.
    #[error("{0} miners are more than the {MAX_TARGETS} of one operation; split the list")]
    TooMany(usize),
    /// Never existed, or was dropped with age.
    #[error("no operation has the id `{0}`; list the operations to see the newest")]
    Unknown(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The way to the operations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    store: Store,
    registry: Registry,
    /// Counts changes of any operation: whoever waits reads the store again.
    changes: watch::Sender<u64>,
}

impl Operations {
    /// Operations on the miners of `registry`, kept in `store`.
    #[must_use]
    pub fn new(store: Store, registry: Registry) -> Self {
        Self { store, registry, changes: watch::Sender::new(0) }
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
        const SCOPE: &str = "operation";
        let OperationRequest { action, miners, request_id } = request;
        let mut write = self.store.write().await?;
        if !request_id.is_empty()
            && let Some(id) = write.answer(SCOPE, &request_id).await?
        {
            drop(write);
            self.changed();
            return self.get(&id).await;
        }
        let miners = self.freeze(miners)?;
        let trace_parent = TraceParent::current();
        let waiting = |miner| Target {
            miner,
            state: TargetState::Waiting,
            phases: Vec::new(),
            failure: None,
            result: None,
            elapsed: None,
        };
        let operation = Operation {
            id: uuid::Uuid::new_v4().to_string(),
            action,
            state: OperationState::Running,
            targets: miners.into_iter().map(waiting).collect(),
            created_at: store::now(),
            finished_at: None,
            trace_id: trace_parent.trace_id(),
        };
        write.insert_operation(&operation, &trace_parent).await?;
        if !request_id.is_empty() {
            write.remember(SCOPE, &request_id, &operation.id).await?;
        }
        write.commit().await?;
        info!(operation.id = operation.id, targets = operation.targets.len(), "operation stored");
        self.changed();
        Ok(operation)
    }

    /// The miners that the operation is for, now and for good.
    fn freeze(&self, miners: Option<BTreeSet<MinerName>>) -> Result<BTreeSet<MinerName>, OperationError> {
        let miners = match miners {
            Some(miners) => {
                let unknown: Vec<_> =
                    miners.iter().filter(|name| self.registry.get(name).is_none()).map(MinerName::as_str).collect();
                if !unknown.is_empty() {
                    return Err(OperationError::UnknownMiners(unknown.join(", ")));
                }
                miners
            }
            None => self.registry.all().keys().cloned().collect(),
        };
        match miners.len() {
            0 => Err(OperationError::NoMiners),
            1..=MAX_TARGETS => Ok(miners),
            many => Err(OperationError::TooMany(many)),
        }
    }

    /// One operation.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub async fn get(&self, id: &str) -> Result<Operation, OperationError> {
        let stored = self.store.operation(id).await?;
        stored.map(|stored| stored.operation).ok_or_else(|| OperationError::Unknown(id.into()))
    }

    /// At most `most` operations, newest first, older than number `before`; each with its number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self, before: Option<i64>, most: usize) -> Result<Vec<(i64, Operation)>, OperationError> {
        let stored = self.store.operations(before, most).await?;
        Ok(stored.into_iter().map(|stored| (stored.number, stored.operation)).collect())
    }

    /// Keeps further targets from starting.
    ///
    /// # Errors
    /// See [`OperationError`].
    pub async fn cancel(&self, id: &str) -> Result<Operation, OperationError> {
        let mut write = self.store.write().await?;
        if !write.cancel_operation(id).await? {
            return Err(OperationError::Unknown(id.into()));
        }
        write.commit().await?;
        info!(operation.id = id, "operation cancelled");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_is_as_far_as_its_targets() {
        use TargetState::{Failed, Running, Skipped, Succeeded, Waiting};
        for (targets, state) in [
            ([Waiting, Failed, Skipped], OperationState::Running),
            ([Running, Succeeded, Succeeded], OperationState::Running),
            ([Succeeded, Failed, Skipped], OperationState::Cancelled),
            ([Succeeded, Succeeded, Succeeded], OperationState::Succeeded),
            ([Succeeded, Failed, Succeeded], OperationState::PartiallyFailed),
            ([Failed, Failed, Failed], OperationState::Failed),
        ] {
            assert_eq!(OperationState::of(&targets), state, "{targets:?}");
        }
    }
}
