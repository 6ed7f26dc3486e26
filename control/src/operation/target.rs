//! One miner of an operation, and how far all of them are.

use crate::registry::Miner;
use mujina_core::{id::MinerName, units::Watts};
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
    /// What was found, in words.
    pub detail: String,
    /// Power that counts for it in a ramp; `None` = not known.
    pub power: Option<Watts>,
    /// Of the operation when it was written last.
    pub revision: u64,
}

impl Target {
    /// Not started. Its power matters with a ramp alone.
    pub(super) fn waiting(miner: &Miner, ramp: Option<Watts>) -> Self {
        Self {
            miner: miner.name.clone(),
            state: TargetState::Waiting,
            phases: Vec::new(),
            failure: None,
            result: None,
            elapsed: None,
            detail: String::new(),
            power: ramp.and_then(|_| miner.power()),
            revision: 0,
        }
    }
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

/// How many targets are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// All.
    pub total: u32,
    /// Not started.
    pub waiting: u32,
    /// Under way.
    pub running: u32,
    /// Done.
    pub succeeded: u32,
    /// Failed.
    pub failed: u32,
    /// Never started.
    pub skipped: u32,
}

impl Progress {
    /// None has started.
    #[must_use]
    pub fn waiting(targets: usize) -> Self {
        let targets = u32::try_from(targets).unwrap_or(u32::MAX);
        Self { total: targets, waiting: targets, ..Self::default() }
    }

    /// Of some targets alone.
    #[must_use]
    pub fn of(targets: &[Target]) -> Self {
        let mut progress = Self::default();
        for target in targets {
            progress.add(target.state, 1);
        }
        progress
    }

    /// Counts more that are so far.
    pub fn add(&mut self, state: TargetState, more: u32) {
        let count = match state {
            TargetState::Waiting => &mut self.waiting,
            TargetState::Running => &mut self.running,
            TargetState::Succeeded => &mut self.succeeded,
            TargetState::Failed => &mut self.failed,
            TargetState::Skipped => &mut self.skipped,
        };
        *count = count.saturating_add(more);
        self.total = self.total.saturating_add(more);
    }
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
pub struct TargetEnd {
    /// Well, a reconnect with its result, or badly.
    pub outcome: Result<Option<ReconnectResult>, TargetFailure>,
    /// What was found, in words.
    pub detail: String,
    /// What was collected.
    pub bundle: Option<Vec<u8>>,
}

impl TargetEnd {
    /// Well.
    #[must_use]
    pub fn succeeded() -> Self {
        Self { outcome: Ok(None), detail: String::new(), bundle: None }
    }

    /// Badly.
    #[must_use]
    pub fn failed(failure: TargetFailure) -> Self {
        Self { outcome: Err(failure), ..Self::succeeded() }
    }

    /// With what was found.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}
