//! What is left to do, said anew by every step. Pure.

use super::super::{Action, Applied, Phase, Revert, Rollout, Stage, Status};
use super::target::SETTLING;
use std::time::SystemTime;

impl Rollout {
    pub(super) fn actions(&self, now: SystemTime) -> Vec<Action> {
        let mut actions: Vec<_> = match &self.course.status {
            Status::Planned => return Vec::new(),
            Status::Finished { outcome, .. } => return vec![Action::Finished(outcome.clone())],
            Status::Paused { because } => vec![Action::Paused(because.clone())],
            Status::Running | Status::Aborting { .. } | Status::RollingBack { .. } => Vec::new(),
        };
        for (name, target) in &self.targets {
            let (miner, request_id) = (name.clone(), |what: &str| format!("rollout/{}/{name}/{what}", self.course.id));
            match (target.phase, target.applied, target.revert) {
                (Phase::Ordered, ..) if self.course.status == Status::Running => {
                    actions.push(Action::Apply { miner, request_id: request_id("apply") });
                }
                (Phase::Ordered, ..) => actions.push(Action::FindOut { miner, request_id: request_id("apply") }),
                (Phase::Reverting, Some(applied), Some(Revert { generation: None, .. })) => {
                    let Applied { generation: over, previous: to, at: _ } = applied;
                    actions.push(Action::RollBack { miner, to, over, request_id: request_id("roll-back") });
                }
                _ => {}
            }
        }
        actions.extend(self.measure());
        actions.extend(self.deadlines().filter(|at| *at > now).min().map(Action::WaitUntil));
        actions
    }

    /// The counts that a wave is judged by.
    fn measure(&self) -> Option<Action> {
        let (Status::Running, Stage::Judging { begun, since, until }) = (&self.course.status, self.course.stage) else {
            return None;
        };
        let (mut miners, rest) = self.measured_groups();
        miners.extend(rest);
        Some(Action::Measure { wave: self.course.wave, miners, before: begun, during: (since, until) })
    }

    /// When something happens by itself.
    fn deadlines(&self) -> impl Iterator<Item = SystemTime> {
        let within = self.course.strategy.confirm_within;
        let targets =
            self.targets.values().filter_map(move |target| match (target.phase, target.applied, target.revert) {
                (Phase::Applying | Phase::InForce, Some(applied), _) => Some(applied.at + within),
                (Phase::Reverting, _, Some(Revert { since, generation: Some(_) })) => Some(since + within),
                _ => None,
            });
        let wave = match (&self.course.status, self.course.stage) {
            (Status::Running, Stage::Changing { since }) => {
                let are_held = self.wave_targets().any(|(_, target)| target.phase == Phase::Waiting);
                are_held.then_some(since + SETTLING).into_iter().collect()
            }
            (Status::Running, Stage::Soaking { begun: _, since }) => {
                let due = since + self.course.strategy.soak;
                vec![due, due + within]
            }
            (Status::Running, Stage::Resting { until }) => vec![until],
            _ => Vec::new(),
        };
        targets.chain(wave)
    }
}
