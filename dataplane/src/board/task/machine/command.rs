//! What people and the spec want of the board.

use super::{Cause, Machine, Now, Phase, test::Test};
use crate::{
    backplane::BoardRefusal,
    board::{
        limits::{BoardLimits, LimitRefusal},
        task::Reply,
    },
};
use mujina_core::{
    board::{BoardState, BoardTuning, SelfTestStep, TuningMode},
    fault::{Fault, FaultReason},
};
use std::time::Duration;
use tokio::sync::mpsc;

impl Machine {
    /// Makes it safe, forgives it its failures and starts it. Answered when it runs, or has failed.
    pub(in crate::board::task) fn reinitialize(&mut self, reply: Reply, now: Now) {
        self.restarts.forgive();
        self.waits.clear();
        self.dirty = true;
        if self.paused {
            let reason = "it is forgiven and stays paused with the miner; resume the miner to start it";
            let _ = reply.send(Err(self.refusal(reason)));
            return;
        }
        if let Some(overtaken) = self.reinit.replace(reply) {
            let _ = overtaken.send(Err(self.refusal("somebody else asked for a fresh start meanwhile")));
        }
        match self.phase {
            Phase::Safe => self.poll_due = now.at,
            Phase::Stopping(_) => {}
            Phase::PowerUp(_) | Phase::Release | Phase::BringUp | Phase::Up => self.stop(Cause::Asked, now),
        }
    }

    /// Lets its light show where it is for so long.
    pub(in crate::board::task) fn locate(&mut self, time: Duration, now: Now) -> Result<(), BoardRefusal> {
        let Some(led) = &mut self.led else {
            return Err(self.refusal("it has no light that could be steered; look for its serial number or its place"));
        };
        led.locate(time, now.at);
        self.light = None;
        self.locate_until = (!time.is_zero()).then(|| now.wall.checked_add(time)).flatten();
        self.dirty = true;
        Ok(())
    }

    /// Tests it where it runs; one that does not run gets power for it and is made safe again.
    pub(in crate::board::task) fn self_test(
        &mut self,
        steps: mpsc::Sender<Option<SelfTestStep>>,
        now: Now,
    ) -> Result<(), BoardRefusal> {
        if self.test.is_some() {
            return Err(self.refusal("it is being tested; wait for the end of that test"));
        }
        let runs = self.phase == Phase::Up && self.arrived;
        let rests = self.phase == Phase::Safe && self.unsafe_until.is_none();
        if !runs && !rests {
            let (state, reason) = self.board_state();
            let reason = if reason.is_empty() { state.as_str().to_owned() } else { reason };
            return Err(self.refusal(format!("it cannot be tested now ({reason}); try again when it runs or rests")));
        }
        self.test = Some(Test::new(steps, rests, now.at));
        self.poll_due = now.at;
        self.dirty = true;
        Ok(())
    }

    /// Stops it while the miner is paused, without power: a pause may last, and nobody has to cool what takes none. The
    /// price is a bring-up of some ten seconds when it ends.
    pub(in crate::board::task) fn pause(&mut self, paused: bool, now: Now) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        self.dirty = true;
        self.poll_due = now.at;
        let runs = !matches!(self.phase, Phase::Safe | Phase::Stopping(_));
        if paused && runs {
            self.stop(Cause::Paused, now);
        }
    }

    /// Wants another tuning of it. Of one that does not fit, the limits that it tightens are in force all the same, and
    /// nothing else: no limit gets looser by it, and clock and voltage go on as they were.
    pub(in crate::board::task) fn tune(&mut self, tuning: BoardTuning, now: Now) {
        if tuning == self.tuning && self.refused.is_none() {
            return;
        }
        self.dirty = true;
        let (limits, refusals) = self.base.tightened_where_granted(&tuning);
        if refusals.is_empty() {
            self.limit(limits, tuning.mode, now);
            self.tuning = tuning;
            self.refused = None;
            return;
        }
        self.limit(limits.tightest(&self.limits), self.tuning.mode, now);
        let words = LimitRefusal::in_words(&refusals);
        let kept = match self.limits.tightened_in_words(&self.base) {
            kept if kept.is_empty() => "the limits of its model are in force".to_owned(),
            kept => format!("tightened limits are in force: {kept}"),
        };
        let message = format!("its tuning is not granted, and clock and voltage go on without: {words}; {kept}");
        let since = self.refused.as_ref().map_or(now.wall, |fault| fault.since);
        let reason = FaultReason::TuningRefused;
        self.refused = Some(Fault { reason, subject: self.subject(), message, since });
    }

    fn limit(&mut self, limits: BoardLimits, mode: TuningMode, now: Now) {
        self.guard.set_limits(limits.clone());
        self.tuner.set(limits.clone(), mode);
        self.limits = limits;
        self.poll_due = now.at;
    }

    pub(in crate::board::task) fn refusal(&self, reason: impl Into<String>) -> BoardRefusal {
        BoardRefusal::Cannot { board: self.id.clone(), reason: reason.into() }
    }

    /// What it is doing, and why.
    pub(super) fn board_state(&self) -> (BoardState, String) {
        match &self.phase {
            Phase::Safe | Phase::Stopping(_) if self.unsafe_until.is_some() => {
                let detail = self.safe.as_ref().map_or("", |safe| safe.detail.as_str());
                (BoardState::Fault, format!("could not be confirmed to be safe ({detail}); cut its power"))
            }
            Phase::Safe if self.paused => (BoardState::Paused, "the miner is paused".to_owned()),
            Phase::Safe => {
                let never = self.restarts.failures() >= crate::board::thermal::MOST_FAILURES;
                let state = if never { BoardState::Fault } else { BoardState::Waiting };
                let parts = [self.trouble.as_ref().map_or("", |trouble| trouble.reason.as_str()), self.waits.as_str()];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                if parts.is_empty() && !never {
                    (BoardState::Starting, "is looked at before it gets power".to_owned())
                } else {
                    (state, parts.join("; "))
                }
            }
            Phase::Stopping(cause) => (BoardState::Waiting, format!("is being made safe: {cause}")),
            Phase::PowerUp(_) => (BoardState::Starting, "its core supply is brought up".to_owned()),
            Phase::Release => (BoardState::Starting, "its chips are reset".to_owned()),
            Phase::BringUp => (BoardState::Starting, "its chips are set up".to_owned()),
            Phase::Up if self.test.is_some() => (self.running_state(), "is being tested".to_owned()),
            Phase::Up if !self.arrived => {
                (BoardState::Starting, "clock and voltage are on their way to where they should be".to_owned())
            }
            Phase::Up => (self.running_state(), String::new()),
        }
    }

    fn running_state(&self) -> BoardState {
        if self.chain.hashing { BoardState::Mining } else { BoardState::Idle }
    }
}
