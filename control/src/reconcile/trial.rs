//! Commit-confirmed changes: one that may cut a miner off is taken back unless the miner proves in time that it still works.
//! Pure.
//!
//! ```text
//! stored ── sent ──▶ running ── in force, heard of, a share accepted ──▶ confirmed
//!   │                  │
//!   │ refused          └─ time is up ─▶ reverting ── previous spec stored ──▶ reverted
//!   └───────────────────────────────────▲        └─ somebody wrote meanwhile ─▶ superseded
//! ```
//!
//! The clock runs from the moment the change is sent, not from its answer, which is what a bad change may cost. The way back
//! is a new generation with the previous spec; a miner that is cut off gets it when it is reached again.

use super::evidence::{LiveLedger, has_new_share, is_same_connection};
use crate::spec::SpecParts;
use mujina_core::{id::Generation, spec::SpecChange};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// Time to prove itself for a miner whose change says none: a handshake, a job and a share of a slow miner fit well.
pub const CONFIRM: Duration = Duration::from_secs(5 * 60);

/// A change on trial. Kept in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The generation on trial.
    pub generation: Generation,
    /// The one to go back to.
    pub previous: Generation,
    /// The generation that was sent with what is on trial, where another carries that on; `None` = `generation`.
    #[serde(default)]
    pub brought_by: Option<Generation>,
    /// How long it may take.
    pub within: Duration,
    /// Whether a share must be accepted; not so where the new spec says not to hash.
    pub needs_share: bool,
    /// The live ledger when it was sent.
    pub before: Option<LiveLedger>,
    /// How far it is.
    pub state: TrialState,
    /// The rollout that takes the change back by itself; empty = none does.
    #[serde(default)]
    pub rollout: String,
    /// What it changed, and what goes back.
    #[serde(default = "all_parts")]
    pub parts: SpecParts,
}

/// Of trials that were stored before parts were told apart.
fn all_parts() -> SpecParts {
    SpecParts::ALL
}

/// How far a trial is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// Not sent yet; the clock does not run.
    Stored,
    /// The clock runs.
    Running {
        /// When it was sent first.
        sent_at: SystemTime,
        /// When the miner was heard of with the change in force; absent while it was not.
        heard_at: Option<SystemTime>,
    },
    /// It stays.
    Confirmed {
        /// Since when.
        at: SystemTime,
    },
    /// The previous spec is to be stored again.
    Reverting {
        /// Why.
        because: String,
    },
    /// It is stored again.
    Reverted {
        /// As this generation.
        generation: Generation,
        /// Why.
        because: String,
    },
    /// Somebody wrote a newer generation, which is not ours to take back.
    Superseded,
}

/// What is seen of the miner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Newest generation that is wanted of it.
    pub desired: Generation,
    /// Newest generation that it accepted.
    pub accepted: Generation,
    /// Whether that, which may be older than what is wanted, is in force and nobody changed it on the miner.
    pub in_force: bool,
    /// When it said so; `None` = never.
    pub heard_at: Option<SystemTime>,
    /// The ledger of its live connection.
    pub live: Option<LiveLedger>,
    /// Why it will not take the generation on trial.
    pub rejected: Option<String>,
}

/// What to do about a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialAction {
    /// Look again at this time, or at the next news.
    WaitUntil(SystemTime),
    /// Store the spec of generation `to` as a new one, if `over` is still the newest; then tell [`Trial::reverted`] or
    /// [`Trial::superseded`]. Repeated until told.
    Revert {
        /// The previous generation.
        to: Generation,
        /// The one on trial.
        over: Generation,
    },
}

impl Trial {
    /// A trial of a change that was just stored as `generation` over `previous`.
    #[must_use]
    pub fn new(generation: Generation, previous: Generation, within: Duration, needs_share: bool) -> Self {
        let (before, state, rollout, parts) = (None, TrialState::Stored, String::new(), SpecParts::ALL);
        Self { generation, previous, brought_by: None, within, needs_share, before, state, rollout, parts }
    }

    /// The same trial, gone on with by a newer generation that changes none of `parts`: the clock runs on, and what was tried
    /// out must still be proved; by what is in force already too, for the newer one may wait for its turn to be sent. The
    /// session takes it back, also where a rollout would have.
    #[must_use]
    pub fn carried(&self, generation: Generation, parts: SpecParts) -> Self {
        let (state, brought_by) = match &self.state {
            TrialState::Running { sent_at, .. } => {
                let brought_by = self.brought_by.unwrap_or(self.generation);
                (TrialState::Running { sent_at: *sent_at, heard_at: None }, Some(brought_by))
            }
            _ => (TrialState::Stored, None),
        };
        Self { generation, brought_by, state, rollout: String::new(), parts, ..self.clone() }
    }

    /// Whether a change is one to try: all that says where and how a miner connects.
    #[must_use]
    pub fn is_due(changes: &[SpecChange]) -> bool {
        SpecParts::of(changes).pool_groups
    }

    /// The change is about to be sent. The first time counts.
    pub fn sending(&mut self, live: Option<LiveLedger>, now: SystemTime) {
        if self.state == TrialState::Stored {
            self.before = live;
            self.state = TrialState::Running { sent_at: now, heard_at: None };
        }
    }

    /// Whether it has had its time: the next step decides.
    #[must_use]
    pub fn is_time_up(&self, now: SystemTime) -> bool {
        matches!(self.state, TrialState::Running { sent_at, .. } if now >= sent_at + self.within)
    }

    /// Goes as far as the evidence and the time allow.
    pub fn step(&mut self, evidence: &Evidence, now: SystemTime) -> Option<TrialAction> {
        if matches!(self.state, TrialState::Stored | TrialState::Running { .. } | TrialState::Reverting { .. })
            && evidence.desired > self.generation
        {
            self.state = TrialState::Superseded;
        }
        if let TrialState::Stored | TrialState::Running { .. } = self.state
            && evidence.desired == self.generation
            && let Some(why) = &evidence.rejected
        {
            self.state = TrialState::Reverting { because: format!("the miner refused it: {why}") };
        }
        if let TrialState::Running { sent_at, heard_at } = &mut self.state {
            // A clock that was set back gives no more time than there was.
            *sent_at = (*sent_at).min(now);
            let sent_at = *sent_at;
            let brought_by = self.brought_by.unwrap_or(self.generation);
            let says_so = (brought_by..=self.generation).contains(&evidence.accepted) && evidence.in_force;
            if heard_at.is_none() && says_so {
                *heard_at = evidence.heard_at.filter(|at| *at > sent_at);
                if heard_at.is_some() && is_same_connection(self.before.as_ref(), evidence.live.as_ref()) {
                    // What it counted before the change was in force proves nothing, and was read some time ago.
                    self.before.clone_from(&evidence.live);
                }
            }
            let is_heard = heard_at.is_some();
            let has_share = !self.needs_share || has_new_share(self.before.as_ref(), evidence.live.as_ref());
            self.state = match () {
                () if is_heard && says_so && has_share => TrialState::Confirmed { at: now },
                () if now < sent_at + self.within => return Some(TrialAction::WaitUntil(sent_at + self.within)),
                () => {
                    let lack =
                        if is_heard { "no share was accepted" } else { "the miner was not heard of with it in force" };
                    TrialState::Reverting { because: format!("{lack} within {} s", self.within.as_secs()) }
                }
            };
        }
        matches!(self.state, TrialState::Reverting { .. })
            .then_some(TrialAction::Revert { to: self.previous, over: self.generation })
    }

    /// The previous spec is stored again, as `generation`.
    pub fn reverted(&mut self, generation: Generation) {
        if let TrialState::Reverting { because } = &self.state {
            self.state = TrialState::Reverted { generation, because: because.clone() };
        }
    }

    /// Somebody had written meanwhile.
    pub fn superseded(&mut self) {
        if let TrialState::Reverting { .. } = self.state {
            self.state = TrialState::Superseded;
        }
    }

    /// Whether the miner may still show that it works.
    #[must_use]
    pub fn may_be_proved(&self) -> bool {
        matches!(self.state, TrialState::Stored | TrialState::Running { .. })
    }

    /// Whether there is nothing more to do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.state {
            TrialState::Stored | TrialState::Running { .. } | TrialState::Reverting { .. } => false,
            TrialState::Confirmed { .. } | TrialState::Reverted { .. } | TrialState::Superseded => true,
        }
    }
}

#[cfg(test)]
mod tests;
