//! Changes that have to prove themselves: sent with a bound, confirmed when the miner showed that it works, taken back when
//! it did not, also while it is away.

use super::{STORE_RETRY, Session, at, notes::Note};
use crate::{
    access::Caller,
    event::EventKind,
    reconcile::{Evidence, Plan, Trial, TrialAction, TrialState},
    registry::{CallError, CallKind, Told},
    repeat::RequestKey,
    spec::{Claim, DesiredState, Restore, SpecError, SpecParts},
    store,
};
use mujina_core::{id::Generation, spec::SpecOrigin};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// Bounds that miners take.
const BOUNDS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(24 * 60 * 60));

impl Session {
    /// Learns of the trials that were stored with a desired state.
    pub(super) async fn learn_trials(&mut self, told: Option<&Told>) {
        let newest = told.map(|told| told.desired.generation);
        if let Some((previous, trial)) = told.and_then(|told| told.stored.as_ref())
            && self.trials_of == Some(*previous)
        {
            // Nothing was stored between what is known and this. It may have been read already with the one before.
            let is_new = |trial: &&Trial| self.trials.iter().all(|known| known.generation != trial.generation);
            let trial = trial.as_ref().filter(is_new).cloned();
            self.trials.extend(trial);
            self.trials_of = newest;
        }
        while self.trials_of != newest {
            match self.around.store.open_trials_of(&self.miner.name).await {
                Ok(trials) => (self.trials, self.trials_of) = (trials, newest),
                Err(error) => self.unstored(&error).await,
            }
        }
    }

    /// A desired state is about to be sent: its clock runs from now on.
    pub(super) async fn sending(&mut self, desired: &DesiredState) {
        let live = self.live.as_ref().map(|(_, live)| live.clone());
        let found = self.trials.iter().find(|trial| trial.generation == desired.generation).cloned();
        if let Some(mut trial) = found {
            trial.sending(live, store::now());
            self.keep_trial(trial).await;
        }
    }

    /// The time that is left to a generation on trial, as the miner takes it.
    pub(super) fn confirm_within(&self, generation: Generation) -> Option<Duration> {
        let trial = self.trials.iter().find(|trial| trial.generation == generation)?;
        let TrialState::Running { sent_at, .. } = trial.state else { return None };
        let (least, most) = BOUNDS;
        let left = (sent_at + trial.within).duration_since(store::now()).unwrap_or_default();
        // A clock that was set back gives no more time than there was.
        Some(left.min(trial.within).clamp(least, most))
    }

    /// Goes on with the trials of a miner that is not reached; returns when to look again.
    pub(super) async fn try_out_unreached(&mut self) -> Option<Instant> {
        let told = self.desired.borrow().clone();
        self.learn_trials(told.as_ref()).await;
        let desired = told.map(|told| told.desired);
        let evidence = Evidence {
            desired: desired.map(|desired| desired.generation).unwrap_or_default(),
            heard_at: self.heard_at,
            live: self.live_now(),
            ..Evidence::default()
        };
        let mut due = None;
        for mut trial in self.trials.clone() {
            if let Some(action) = trial.step(&evidence, store::now()) {
                let next = self.act(&action, &mut trial).await;
                due = sooner(due, next);
            }
            self.keep_trial(trial).await;
        }
        self.tell_trials();
        due
    }

    /// Goes on with the trials; returns when to look again.
    pub(super) async fn try_out(
        &mut self,
        desired: Option<&DesiredState>,
        plan: &Plan,
    ) -> Result<Option<Instant>, CallError> {
        if self.trials.iter().any(|trial| trial.is_time_up(store::now())) {
            // Figures come slowly: the share that it waits for may have been accepted meanwhile.
            let status = self.miner.link.status().await?;
            self.hear(&status);
        }
        let confirmed = self.spec.as_ref().map(|spec| spec.confirmed.clone());
        let is_before_in_force = confirmed.as_ref().is_some_and(|confirmed| {
            let is_older = desired.is_some_and(|desired| confirmed.control_generation < desired.generation);
            let is_done = confirmed.observed_generation >= confirmed.generation;
            is_older && is_done && confirmed.origin == SpecOrigin::Control
        });
        // What boards cannot do is no matter of where it connects.
        let tries_boards = self.trials.iter().any(|trial| trial.parts.boards);
        let evidence = Evidence {
            desired: desired.map(|desired| desired.generation).unwrap_or_default(),
            accepted: confirmed.map(|confirmed| confirmed.control_generation).unwrap_or_default(),
            in_force: match plan {
                Plan::InSync => true,
                Plan::Impossible(_) => !tries_boards,
                // It waits for its turn, and what was sent before is still on trial.
                Plan::Wait(_) => is_before_in_force,
                _ => false,
            },
            heard_at: self.heard_at,
            live: self.live_now(),
            rejected: match plan {
                Plan::Rejected(reason) => Some(reason.clone()),
                Plan::Impossible(reason) if tries_boards => Some(reason.clone()),
                _ => None,
            },
        };
        let mut due = None;
        for before in self.trials.clone() {
            let mut trial = before.clone();
            if let Some(action) = trial.step(&evidence, store::now()) {
                let next = self.act(&action, &mut trial).await;
                due = sooner(due, next);
                if let TrialState::Running { heard_at: None, .. } = trial.state {
                    // A miner that does not hash says little of itself.
                    due = sooner(due, Some(self.look_again()));
                }
            }
            if let TrialState::Confirmed { .. } = trial.state
                && !self.confirm().await?
            {
                trial = before;
                due = sooner(due, Some(self.look_again()));
            }
            self.keep_trial(trial).await;
        }
        self.tell_trials();
        Ok(due)
    }

    /// Tells whether anything has still to prove itself.
    fn tell_trials(&self) {
        let is_on_trial = self.trials.iter().any(Trial::may_be_proved);
        if self.miner.view().is_on_trial == is_on_trial {
            return;
        }
        let known = self.trials_of.unwrap_or_default();
        self.miner.change(|view| {
            // Of a newer desired state the next round tells.
            if view.desired_generation <= known {
                view.is_on_trial = is_on_trial;
            }
        });
    }

    /// Tells the miner to keep what it was sent; `false` = it holds something else by now.
    async fn confirm(&mut self) -> Result<bool, CallError> {
        // Miners that take nothing back by themselves need not be told.
        let Some(generation) =
            self.spec.as_ref().filter(|spec| spec.message.reverts_at.is_some()).map(|spec| spec.confirmed.generation)
        else {
            return Ok(true);
        };
        match self.miner.link.confirm(generation).await {
            Ok(reading) => {
                info!(miner.name = %self.miner.name, %generation, "change confirmed");
                self.spec = Some(reading);
                Ok(true)
            }
            Err(error) if error.failure.code == tonic::Code::Unimplemented => Ok(true),
            Err(error) if error.kind == CallKind::Unreachable => Err(error),
            Err(error) => {
                warn!(miner.name = %self.miner.name, %generation, %error, "change not confirmed; looking again");
                Ok(false)
            }
        }
    }

    /// Does what a trial says; returns when to look again.
    async fn act(&mut self, action: &TrialAction, trial: &mut Trial) -> Option<Instant> {
        let (to, over) = match action {
            TrialAction::WaitUntil(time) => return Some(at(*time)),
            TrialAction::Revert { to, over } => (*to, *over),
        };
        if !trial.rollout.is_empty() {
            // The rollout brings it back, and judges itself by that.
            return None;
        }
        let (name, parts) = (&self.miner.name, trial.parts);
        let because =
            if let TrialState::Reverting { because } = &trial.state { because.clone() } else { String::new() };
        let restore = |parts| Restore {
            miner: name.clone(),
            to,
            parts,
            over,
            key: RequestKey::own(format!("trial/{over}")),
            claim: Claim::BeforeProfiles,
            by: Caller::itself("the trial of a change", "revert"),
        };
        let mut restored = self.around.specs.restore(restore(parts)).await;
        if let (Err(SpecError::Invalid(_)), SpecParts { pool_groups: true, .. }) = (&restored, parts) {
            // Limits that a profile says cannot be taken away from one miner: what it connects to must go back all the same.
            restored = self.around.specs.restore(restore(SpecParts::POOL_GROUPS)).await;
        }
        match restored {
            Ok(Some(outcome)) => {
                let generation = outcome.desired.generation;
                trial.reverted(generation);
                let message = format!(
                    "generation {over} was taken back, and generation {generation} is as {to} was: {because}; see the miner and its pools, then write it again (where a profile says it, `mujinactl profile clear-override {name}` lets the profile count again)"
                );
                self.around.events.tell(EventKind::SpecReverted, Some(name), "", message);
                None
            }
            Ok(None) => {
                trial.superseded();
                None
            }
            Err(SpecError::Store(error)) => {
                warn!(miner.name = %name, error = &error as &dyn std::error::Error, "a change cannot be taken back now");
                Some(Instant::now() + STORE_RETRY)
            }
            Err(error) => {
                trial.superseded();
                let message = format!("generation {over} should be taken back ({because}), and cannot be: {error}");
                self.around.events.tell(EventKind::SpecReverted, Some(name), "", message);
                None
            }
        }
    }

    /// Keeps a trial as it stands, if that is news.
    async fn keep_trial(&mut self, trial: Trial) {
        let Some(known) = self.trials.iter_mut().find(|known| known.generation == trial.generation) else { return };
        if *known == trial {
            return;
        }
        known.clone_from(&trial);
        // If it is not kept, it goes on here; another process would begin its clock anew.
        self.note(Note::Trial(trial)).await;
        self.trials.retain(|trial| !trial.is_over());
    }
}

fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
