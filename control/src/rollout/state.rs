//! A rollout under way: what is known of each target, and the ways in which a person steers it. Pure.
//!
//! ```text
//! waiting ─▶ ordered ─▶ applying ─▶ in force ─▶ proved        every one of them may also end as
//!    ▲          │           │           │         │           superseded: somebody else wrote a newer generation
//!    └ not done ┘           └─── failed ┴─────────┴─▶ reverting ─▶ reverted, or revert failed
//! ```
//!
//! Whoever performs the actions writes the state down first. An action is repeated by every step until its result is told
//! ([`Rollout::applied`] and its kin), so that one that was lost with a process is done by the next. It must therefore be
//! performed under the request id that it carries, which makes the second time answer as the first did.

mod steer;
mod step;

pub use steer::SteerError;

use super::{Strategy, gate::Finding, gate::Measured};
use crate::reconcile::{SyncState, evidence::LiveLedger};
use mujina_core::id::{Generation, MinerName};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

/// A rollout. All of it is what [`step`](Self::step) needs, and can be written down between any two steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// How far it is as a whole.
    pub course: Course,
    /// Every target.
    pub targets: BTreeMap<MinerName, Target>,
}

/// How far a rollout is as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Unique; begins every request id.
    pub id: String,
    /// How it goes about.
    pub strategy: Strategy,
    /// Who is changed with whom, in order.
    pub waves: Vec<Vec<MinerName>>,
    /// What it does.
    pub status: Status,
    /// Index of the wave that it is at.
    pub wave: usize,
    /// Where that wave stands.
    pub stage: Stage,
    /// What was found of each wave that was judged, oldest first; a wave may be judged again after a resume.
    pub reports: Vec<WaveReport>,
}

/// What a rollout does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing yet.
    Planned,
    /// Changes targets.
    Running,
    /// Changes no more until somebody says so; those on their way are watched to their end.
    Paused {
        /// Why.
        because: String,
    },
    /// Changes no more and ends when nobody is on his way.
    Aborting {
        /// Why.
        because: String,
    },
    /// Takes every target back.
    RollingBack {
        /// Why.
        because: String,
    },
    /// Done.
    Finished {
        /// How.
        outcome: Outcome,
        /// When.
        at: SystemTime,
    },
}

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every wave held.
    Succeeded,
    /// What was changed until then stays changed.
    Aborted(String),
    /// What was changed was taken back; see the targets for those where that failed.
    RolledBack(String),
}

/// Where a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its targets are being changed.
    Changing {
        /// When it began.
        since: SystemTime,
    },
    /// All are through; they are watched.
    Soaking {
        /// When its first target was ordered.
        begun: SystemTime,
        /// When the last was through.
        since: SystemTime,
    },
    /// It was watched; it is judged as soon as its counts are there.
    Judging {
        /// When its first target was ordered.
        begun: SystemTime,
        /// Begin of the soak.
        since: SystemTime,
        /// End of the soak.
        until: SystemTime,
    },
    /// It held; the next begins at this time.
    Resting {
        /// When.
        until: SystemTime,
    },
}

/// What was found of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveReport {
    /// Index of the wave.
    pub wave: usize,
    /// When it was judged.
    pub at: SystemTime,
    /// One for each gate.
    pub findings: Vec<Finding>,
}

/// One target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// How far it is.
    pub phase: Phase,
    /// The ledger of its live connection when it was ordered; `None` = it had none, or `has_baseline` is not set.
    pub ledger_before: Option<LiveLedger>,
    /// Whether its status was known when it was ordered. Otherwise the first one since counts as that.
    #[serde(default)]
    pub has_baseline: bool,
    /// Its faults when its wave began; of targets that are not touched yet, when the newest wave began. `None` = its status
    /// was not known then, and has not arrived since.
    pub faults_before: Option<BTreeSet<FaultKey>>,
    /// What was stored for it.
    pub applied: Option<Applied>,
    /// Why it failed.
    pub failure: Option<String>,
    /// A person resumed the rollout in spite of its failure.
    pub forgiven: bool,
    /// The way back.
    pub revert: Option<Revert>,
}

/// How far one target is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not touched.
    #[default]
    Waiting,
    /// Its new generation is to be stored.
    Ordered,
    /// Stored; the miner is to make it true.
    Applying,
    /// In force; no share was accepted since.
    InForce,
    /// In force, heard of since, and with an accepted share where that is asked for.
    Proved,
    /// Nothing was stored for it, because that was refused.
    Refused,
    /// Its previous generation is being brought back.
    Reverting,
    /// It is back.
    Reverted,
    /// It could not be brought back in time; what is wanted of it is its previous generation all the same. Where that was
    /// refused, the failure says so, and what the rollout brought stays.
    RevertFailed,
    /// Somebody else wrote a newer generation; it is no longer ours to judge or to take back.
    Superseded,
}

/// What was stored for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The new generation.
    pub generation: Generation,
    /// The one before, to go back to.
    pub previous: Generation,
    /// When.
    pub at: SystemTime,
}

/// The way back of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revert {
    /// When it was ordered.
    pub since: SystemTime,
    /// The generation that holds the previous spec again, once it is stored.
    pub generation: Option<Generation>,
}

/// A fault, for comparing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FaultKey {
    /// Its stable reason.
    pub reason: String,
    /// What it concerns.
    pub subject: String,
}

/// What is seen of a miner now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// When it said anything last; `None` = not since the control plane started.
    pub heard_at: Option<SystemTime>,
    /// Generation of the desired state that `sync` speaks of.
    pub desired: Generation,
    /// Whether it does what is wanted.
    pub sync: SyncState,
    /// Why not.
    pub reason: String,
    /// Whether nothing was sent to it yet because others are switched first.
    pub waits_for_turn: bool,
    /// Whether it has still to prove that it works with an earlier change.
    pub is_on_trial: bool,
    /// Whether it is known not to be reached.
    pub is_away: bool,
    /// Whether its status has arrived since the control plane started, which the rest is of.
    pub has_status: bool,
    /// Whether that status speaks of the spec that `sync` does.
    pub is_of_spec: bool,
    /// The ledger of the connection that its threads hash for.
    pub live: Option<LiveLedger>,
    /// Its faults.
    pub faults: BTreeSet<FaultKey>,
}

impl Seen {
    /// Whether its shares and faults are those of now.
    pub(super) fn is_current(&self) -> bool {
        self.has_status && !self.is_away
    }
}

/// Counts that an [`Action::Measure`] asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurements {
    /// Index of the wave that they are for.
    pub wave: usize,
    /// When the soak began that they cover; counts of an earlier soak of the same wave are no answer.
    pub since: Option<SystemTime>,
    /// By target; those of which nothing was counted may be left out.
    pub counts: BTreeMap<MinerName, Measured>,
}

/// What to do. Until the result is told, every step says it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Store the change as a new generation of this miner, under this request id, and tell [`Rollout::applied`] or
    /// [`Rollout::refused`]. A miner without a desired state is first given one of what it confirmed, to go back to.
    Apply {
        /// Whom.
        miner: MinerName,
        /// The same for every repeat.
        request_id: String,
    },
    /// Nobody is to be changed now, but an [`Action::Apply`] of this request id may have been performed without being
    /// told. Look it up, and tell [`Rollout::applied`] or [`Rollout::not_applied`].
    FindOut {
        /// Whom.
        miner: MinerName,
        /// Of the order.
        request_id: String,
    },
    /// Store the spec of generation `to` as a new generation, but only if `over` is still the newest, under this request id.
    /// Tell [`Rollout::reverting`], [`Rollout::superseded`] or [`Rollout::revert_refused`].
    RollBack {
        /// Whom.
        miner: MinerName,
        /// The previous generation.
        to: Generation,
        /// The one that this rollout stored.
        over: Generation,
        /// The same for every repeat.
        request_id: String,
    },
    /// Count shares of these miners over both spans, once they are collected, and step with the [`Measurements`].
    Measure {
        /// Index of the wave.
        wave: usize,
        /// The wave and the untouched rest.
        miners: Vec<MinerName>,
        /// Up to when "before" lasts; take as long a span before it as the soak was, or an hour if that is longer.
        before: SystemTime,
        /// Begin and end of the soak.
        during: (SystemTime, SystemTime),
    },
    /// Step again at this time, if nothing is seen before.
    WaitUntil(SystemTime),
    /// A person must look.
    Paused(String),
    /// There is nothing more to do.
    Finished(Outcome),
}
