//! From the safe state to chips that run, and back.

use super::{Ask, Failure, Machine, Next, Now, Phase, SAFE_AGAIN, Trouble, test::Test};
use crate::{
    asic::bm13xx::ramp,
    board::{
        power::{Ramp, SetPoint},
        task::cause::Cause,
        thermal::{Restarts, StartDecision},
    },
};
use mujina_core::{
    board::SafeStateReport,
    fault::{Fault, FaultReason},
    units::{Frequency, Volts},
};
use tracing::{error, info, warn};

impl Machine {
    /// In the safe state: whether it is time to leave it.
    pub(super) fn next_start(&mut self, now: Now) -> Option<Next> {
        if let Some(until) = self.unsafe_until {
            if now.at >= until {
                self.stop(Cause::Again, now);
                return Some(self.next(now));
            }
            return None;
        }
        let tests = self.test.as_ref().is_some_and(Test::waits_for_power);
        // Nothing is known yet of how warm it is.
        if self.seen.is_none() || self.paused && !tests {
            return None;
        }
        // A test is a wish of somebody who looks: it does not wait for a rest, but for heat.
        let decision = if tests {
            Restarts::default().decide(&self.known(), &self.limits, now.at)
        } else {
            self.restarts.decide(&self.known(), &self.limits, now.at)
        };
        match decision {
            StartDecision::Now if self.needs_opening => Some(Next::Reopen),
            StartDecision::Now => {
                self.start();
                Some(self.next(now))
            }
            StartDecision::Wait(why) if tests => {
                self.break_test(&why, now);
                None
            }
            StartDecision::Wait(why) | StartDecision::Never(why) => {
                self.dirty |= self.waits != why;
                self.waits = why;
                None
            }
        }
    }

    fn start(&mut self) {
        self.guard.starting();
        self.waits.clear();
        self.arrived = false;
        self.phase = Phase::PowerUp(self.first_voltage());
        self.dirty = true;
        info!(board.id = %self.id, model = self.board.name, failures = self.restarts.failures(), "board starts");
    }

    /// The voltage that chips are brought up with. A stack starts where its curve does (boards 3.2); a lone chip at what it
    /// will be run with, for no source starts one with less (boards 2.2).
    fn first_voltage(&self) -> Volts {
        let voltage = match self.limits.ramp {
            Ramp::AtOnce => self.tuner.wanted(self.ceiling()).voltage,
            Ramp::Together { .. } => self.limits.curve.at(Frequency::from_megahertz(ramp::START)),
        };
        self.limits.voltage.clamp(voltage)
    }

    pub(super) fn powered_up(&mut self, voltage: Volts, result: Result<(), Failure>, now: Now) {
        match result {
            Ok(()) => {
                self.powered = true;
                self.at = Some(SetPoint { frequency: Frequency::ZERO, voltage });
                self.phase = Phase::Release;
            }
            Err(failure) => self.fail("power-up", failure, now),
        }
    }

    pub(super) fn released(&mut self, result: Result<(), Failure>, now: Now) {
        match result {
            Ok(()) => {
                self.released_at = Some(now.at);
                self.phase = Phase::BringUp;
                self.ask = Some(Ask::BringUp);
            }
            Err(failure) => self.fail("the reset of the chips", failure, now),
        }
    }

    fn fail(&mut self, step: &'static str, failure: Failure, now: Now) {
        let Failure { problem, gone } = failure;
        self.needs_opening |= gone;
        self.stop(Cause::Start { step, problem }, now);
    }

    pub(super) fn raised(&mut self, result: Result<(), String>, now: Now) {
        if let Err(problem) = result {
            self.fail("the bring-up of the chips", Failure { problem, gone: false }, now);
            return;
        }
        let Some(at) = &mut self.at else { return };
        at.frequency = self.chain.frequency.unwrap_or_else(|| Frequency::from_megahertz(ramp::START));
        self.sent = Some(*at);
        self.phase = Phase::Up;
        self.starts = self.starts.saturating_add(1);
        self.dirty = true;
        if self.test.is_some() {
            self.test_with_power(now);
        } else {
            self.replan = true;
        }
    }

    /// It is where it was first sent: the start is over.
    pub(super) fn arrive(&mut self, now: Now) {
        self.arrived = true;
        self.dirty = true;
        self.restarts.started(now.at);
        self.trouble = None;
        if let Some(reply) = self.reinit.take() {
            // Who asked may have gone.
            let _ = reply.send(Ok(()));
        }
        if let Some(SetPoint { frequency, voltage }) = self.at {
            info!(board.id = %self.id, %frequency, %voltage, starts = self.starts, "board is up");
        }
    }

    /// The board was made safe, or could not be.
    pub(super) fn stopped(&mut self, report: SafeStateReport, now: Now) {
        let Phase::Stopping(cause) = std::mem::replace(&mut self.phase, Phase::Safe) else { return };
        let SafeStateReport { confirmed, detail, .. } = &report;
        if *confirmed {
            self.powered = false;
            self.unsafe_until = None;
        } else {
            // The same again every ten seconds is said once.
            if self.unsafe_until.is_none() {
                error!(board.id = %self.id, %cause, detail, "board could not be confirmed to be safe; cut its power");
            }
            self.unsafe_until = Some(now.at + SAFE_AGAIN);
            self.needs_opening = true;
        }
        self.released_at = None;
        (self.at, self.sent) = (None, None);
        self.arrived = false;
        self.poll_due = now.at;
        self.safe = Some(report);
        self.dirty = true;
        self.blame(&cause, now);
        self.over = cause.ends();
    }

    /// What follows from why it was stopped.
    fn blame(&mut self, cause: &Cause, now: Now) {
        if let Some(fault) = cause.fault() {
            match cause {
                Cause::Guard(reason) => self.restarts.stopped(reason, now.at),
                _ => self.restarts.failed(now.at),
            }
            let failures = self.restarts.failures();
            warn!(board.id = %self.id, %cause, failures, "board was stopped");
            let since = now.wall;
            let fault = Fault { reason: fault, subject: self.subject(), message: cause.to_string(), since };
            self.trouble = Some(Trouble { fault, reason: cause.to_string() });
        } else if *cause != Cause::Again {
            info!(board.id = %self.id, %cause, "board was made safe");
        }
        let is_over = cause.fault().is_some() || cause.ends() || *cause == Cause::Paused;
        if let Some(reply) = self.reinit.take_if(|_| is_over) {
            let _ = reply.send(Err(self.refusal(cause.to_string())));
        }
    }

    /// What faults of this board are about.
    pub(super) fn subject(&self) -> String {
        format!("board/{}", self.id)
    }

    /// The safe state could not be confirmed.
    pub(super) fn unsafe_fault(&self) -> Option<Fault> {
        let safe = self.safe.as_ref().filter(|_| self.unsafe_until.is_some())?;
        Some(Fault {
            reason: FaultReason::BoardUnsafe,
            subject: self.subject(),
            message: format!("could not be confirmed to be safe ({}); cut its power", safe.detail),
            since: safe.at,
        })
    }
}
