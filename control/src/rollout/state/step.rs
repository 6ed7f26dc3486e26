//! One step of a rollout: what is seen moves targets, what became of them moves the waves, and what is left to do is said.
//! Pure.

mod actions;
mod target;
mod wave;

use super::{Action, Measurements, Outcome, Phase, Rollout, Seen, Stage, Status};
use crate::rollout::OnFailure;
use mujina_core::id::MinerName;
use std::{collections::BTreeMap, time::SystemTime};

/// Targets in these phases are, or may be, without work on account of the rollout.
const IN_FLIGHT: [Phase; 4] = [Phase::Ordered, Phase::Applying, Phase::InForce, Phase::Reverting];

impl Rollout {
    /// Goes as far as can be gone at `now`, and says what to do. Write the rollout down before doing it.
    pub fn step(
        &mut self,
        now: SystemTime,
        seen: &BTreeMap<MinerName, Seen>,
        measured: Option<&Measurements>,
    ) -> Vec<Action> {
        if !matches!(self.course.status, Status::Planned | Status::Finished { .. }) {
            self.begin_nothing_later_than(now);
            for (name, target) in &mut self.targets {
                target.observe(seen.get(name), &self.course.strategy, now);
            }
            while self.advance(now, seen, measured) {}
        }
        self.actions(now)
    }

    /// Times that lie ahead were written before somebody set the clock back: what began then begins now.
    fn begin_nothing_later_than(&mut self, now: SystemTime) {
        self.course.stage = match self.course.stage {
            Stage::Changing { since } => Stage::Changing { since: since.min(now) },
            Stage::Soaking { begun, since } => Stage::Soaking { begun: begun.min(now), since: since.min(now) },
            Stage::Judging { begun, until, .. } if until > now => Stage::Soaking { begun: begun.min(now), since: now },
            Stage::Resting { until } => Stage::Resting { until: until.min(now + self.course.strategy.pause_between) },
            judging @ Stage::Judging { .. } => judging,
        };
        for target in self.targets.values_mut() {
            if let Some(applied) = &mut target.applied {
                applied.at = applied.at.min(now);
            }
            if let Some(revert) = &mut target.revert {
                revert.since = revert.since.min(now);
            }
        }
    }

    /// Whether the rollout as a whole moved, so that there may be more to move.
    fn advance(&mut self, now: SystemTime, seen: &BTreeMap<MinerName, Seen>, measured: Option<&Measurements>) -> bool {
        match &self.course.status {
            Status::Planned | Status::Paused { .. } | Status::Finished { .. } => false,
            Status::Running => self.advance_wave(now, seen, measured),
            Status::Aborting { because } => {
                let outcome = Outcome::Aborted(because.clone());
                self.finish_when_landed(outcome, now)
            }
            Status::RollingBack { because } => {
                let because = because.clone();
                self.order_reverts(now);
                let outcome = Outcome::RolledBack(self.with_those_not_back(because));
                self.finish_when_landed(outcome, now)
            }
        }
    }

    /// Sends back those on their way, who are without work already, and of those that are proved as many as may be.
    fn order_reverts(&mut self, now: SystemTime) {
        let mut room = self.room();
        for target in self.targets.values_mut() {
            let is_due = match target.phase {
                Phase::Applying | Phase::InForce => true,
                Phase::Proved => {
                    let has_room = room > 0;
                    room = room.saturating_sub(1);
                    has_room
                }
                _ => false,
            };
            if is_due {
                target.revert(now);
            }
        }
    }

    /// A reason, and how many targets could not be brought back.
    fn with_those_not_back(&self, because: String) -> String {
        match self.count(&[Phase::RevertFailed]) {
            0 => because,
            failed => {
                let all = self.targets.values().filter(|target| target.revert.is_some()).count();
                format!("{because}; {failed} of {all} targets could not be brought back")
            }
        }
    }

    fn finish_when_landed(&mut self, outcome: Outcome, now: SystemTime) -> bool {
        let is_to_come = matches!(outcome, Outcome::RolledBack(_)) && self.count(&[Phase::Proved]) > 0;
        let has_landed = self.count(&IN_FLIGHT) == 0 && !is_to_come;
        if has_landed {
            self.course.status = Status::Finished { outcome, at: now };
        }
        has_landed
    }

    /// A gate failed.
    fn trip(&mut self, because: String) {
        self.course.status = match self.course.strategy.on_failure {
            OnFailure::Pause => Status::Paused { because },
            OnFailure::Abort => Status::Aborting { because },
            OnFailure::RollBack => Status::RollingBack { because },
        };
    }

    /// How many more targets may be in flight.
    fn room(&self) -> usize {
        let most = self.course.strategy.max_unavailable.of(self.targets.len());
        most.saturating_sub(self.count(&IN_FLIGHT))
    }
}

#[cfg(test)]
mod tests;
