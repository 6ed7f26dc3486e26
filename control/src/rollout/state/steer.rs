//! What people and the performer of the actions tell a rollout. Pure.

use super::{Applied, Course, Outcome, Phase, Revert, Rollout, Stage, Status, Target};
use crate::rollout::{Strategy, plan};
use mujina_core::{
    id::{Generation, MinerName},
    spec::{Problem, Problems},
};
use std::time::{Duration, SystemTime};

/// Why a rollout does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SteerError {
    /// Not from here.
    #[error("the rollout is {0}, and cannot {1}; see where it stands, or plan a new one")]
    NotNow(&'static str, &'static str),
}

impl Rollout {
    /// A rollout to these targets, waiting to be started.
    ///
    /// # Errors
    /// Everything wrong with the strategy, or no target at all.
    pub fn new(id: String, targets: &plan::Targets, strategy: Strategy) -> Result<Self, Problems> {
        strategy.check()?;
        if targets.is_empty() {
            let reason = "selects no miner; see their labels in the list of miners".into();
            return Err(Problems(vec![Problem { field: "targets".into(), reason }]));
        }
        let waves = plan::plan(targets, &strategy);
        let stage = Stage::Changing { since: SystemTime::UNIX_EPOCH };
        let course = Course { id, strategy, waves, status: Status::Planned, wave: 0, stage, reports: Vec::new() };
        Ok(Self { course, targets: targets.keys().map(|name| (name.clone(), Target::default())).collect() })
    }

    /// Begins with the first wave.
    ///
    /// # Errors
    /// It has begun already.
    pub fn start(&mut self, now: SystemTime) -> Result<(), SteerError> {
        match &self.course.status {
            Status::Planned => {
                self.course.status = Status::Running;
                self.course.stage = Stage::Changing { since: now };
                Ok(())
            }
            other => Err(SteerError::NotNow(other.name(), "start")),
        }
    }

    /// Changes no more until it is resumed.
    ///
    /// # Errors
    /// It is not running.
    pub fn pause(&mut self, because: &str) -> Result<(), SteerError> {
        match &self.course.status {
            Status::Running => {
                self.course.status = Status::Paused { because: because.into() };
                Ok(())
            }
            other => Err(SteerError::NotNow(other.name(), "pause")),
        }
    }

    /// Goes on in spite of what failed: targets that failed so far are forgiven, and a wave that was soaking is watched
    /// anew, from now on. A wave that fails again pauses again.
    ///
    /// # Errors
    /// It is not paused.
    pub fn resume(&mut self, now: SystemTime) -> Result<(), SteerError> {
        match &self.course.status {
            Status::Paused { .. } => {}
            other => return Err(SteerError::NotNow(other.name(), "resume")),
        }
        self.course.status = Status::Running;
        for target in self.targets.values_mut().filter(|target| target.failure.is_some()) {
            target.forgiven = true;
        }
        if let Stage::Soaking { begun, .. } | Stage::Judging { begun, .. } = self.course.stage {
            self.course.stage = Stage::Soaking { begun, since: now };
        }
        Ok(())
    }

    /// Takes the wave that failed for good as it is and goes on with the next.
    ///
    /// # Errors
    /// It is not paused, or its wave was not watched yet.
    pub fn accept_wave(&mut self, now: SystemTime) -> Result<(), SteerError> {
        match (&self.course.status, self.course.stage) {
            (Status::Paused { .. }, Stage::Soaking { .. } | Stage::Judging { .. }) => {}
            (other, _) => return Err(SteerError::NotNow(other.name(), "accept its wave")),
        }
        self.resume(now)?;
        self.course.stage = Stage::Resting { until: now };
        Ok(())
    }

    /// Changes no more and ends; what holds stays. Targets on their way are watched until they are proved or back.
    ///
    /// # Errors
    /// It has ended, or is on its way back.
    pub fn abort(&mut self, because: &str) -> Result<(), SteerError> {
        match &self.course.status {
            Status::Planned | Status::Running | Status::Paused { .. } => {
                self.course.status = Status::Aborting { because: because.into() };
                Ok(())
            }
            other => Err(SteerError::NotNow(other.name(), "abort")),
        }
    }

    /// Takes every target that was changed back to its previous generation. A rollout that ended can still be taken back.
    ///
    /// # Errors
    /// It was taken back already, or has not begun.
    pub fn roll_back(&mut self, because: &str) -> Result<(), SteerError> {
        match &self.course.status {
            Status::Running
            | Status::Paused { .. }
            | Status::Aborting { .. }
            | Status::Finished { outcome: Outcome::Succeeded | Outcome::Aborted(_), .. } => {
                self.course.status = Status::RollingBack { because: because.into() };
                Ok(())
            }
            other => Err(SteerError::NotNow(other.name(), "roll back")),
        }
    }

    /// Somebody set the clock ahead by so much: what is awaited is awaited no shorter for that, and a wave that is watched is
    /// watched anew, as what was counted bears other times than the clock.
    pub fn clock_set_ahead(&mut self, by: Duration, now: SystemTime) {
        let later = |at: SystemTime| at.checked_add(by).map_or(now, |at| at.min(now));
        match &mut self.course.stage {
            Stage::Changing { .. } => {}
            Stage::Soaking { begun, .. } | Stage::Judging { begun, .. } => {
                self.course.stage = Stage::Soaking { begun: *begun, since: now };
            }
            Stage::Resting { until } => *until = until.checked_add(by).unwrap_or(*until),
        }
        for target in self.targets.values_mut() {
            if let (Phase::Applying | Phase::InForce, Some(applied)) = (target.phase, &mut target.applied) {
                applied.at = later(applied.at);
            }
            if let (Phase::Reverting, Some(revert)) = (target.phase, &mut target.revert) {
                revert.since = later(revert.since);
            }
        }
    }

    /// The change is stored as `generation`, over `previous`. Telling it twice changes nothing.
    pub fn applied(&mut self, miner: &MinerName, generation: Generation, previous: Generation, now: SystemTime) {
        if let Some(target) = self.targets.get_mut(miner)
            && matches!(target.phase, Phase::Waiting | Phase::Ordered)
        {
            target.phase = Phase::Applying;
            target.applied = Some(Applied { generation, previous, at: now });
        }
    }

    /// An order that was looked up was not performed, and will not be.
    pub fn not_applied(&mut self, miner: &MinerName) {
        if let Some(target) = self.targets.get_mut(miner)
            && target.phase == Phase::Ordered
        {
            target.phase = Phase::Waiting;
        }
    }

    /// The change is not possible for this miner; nothing was stored.
    pub fn refused(&mut self, miner: &MinerName, why: &str) {
        if let Some(target) = self.targets.get_mut(miner)
            && target.phase == Phase::Ordered
        {
            target.phase = Phase::Refused;
            target.failure = Some(why.into());
        }
    }

    /// The previous spec is stored as `generation`. Telling it twice changes nothing.
    pub fn reverting(&mut self, miner: &MinerName, generation: Generation) {
        if let Some(target) = self.targets.get_mut(miner)
            && let Some(Revert { generation: known @ None, .. }) = &mut target.revert
        {
            *known = Some(generation);
        }
    }

    /// The previous spec may not be stored again, and is not; what this rollout brought stays in force.
    pub fn revert_refused(&mut self, miner: &MinerName, why: &str) {
        if let Some(target) = self.targets.get_mut(miner)
            && target.phase == Phase::Reverting
        {
            target.phase = Phase::RevertFailed;
            let refused = format!("cannot be brought back: {why}");
            let failure = target.failure.take();
            target.failure = Some(failure.map_or_else(|| refused.clone(), |first| format!("{first}; it {refused}")));
        }
    }

    /// Somebody wrote a newer generation than this rollout did, so that it was left alone.
    pub fn superseded(&mut self, miner: &MinerName) {
        if let Some(target) = self.targets.get_mut(miner)
            && target.applied.is_some()
            && !matches!(target.phase, Phase::Reverted)
        {
            target.phase = Phase::Superseded;
        }
    }

    /// How many targets are in each phase, for a line of progress.
    #[must_use]
    pub fn count(&self, phases: &[Phase]) -> usize {
        self.targets.values().filter(|target| phases.contains(&target.phase)).count()
    }
}

impl Status {
    /// For messages and lists.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Aborting { .. } => "aborting",
            Self::RollingBack { .. } => "rolling back",
            Self::Finished { .. } => "finished",
        }
    }
}
