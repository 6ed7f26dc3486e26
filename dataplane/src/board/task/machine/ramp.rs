//! From where clock and voltage are to where the tuner wants them, in steps between which the board is looked at.

use super::{Action, Ask, Failure, Machine, Next, Now, Phase};
use crate::board::{
    power::{self, PowerStep},
    task::cause::Cause,
};
use mujina_core::units::{Frequency, Volts};

/// The clock moves by no more than this at once: the chain takes 0.4 s for it and does not turn round on the way.
const AT_ONCE: f64 = 25.0;

impl Machine {
    /// While chips run: the next step of the way, or of a test.
    pub(super) fn next_step(&mut self, now: Now) -> Option<Next> {
        loop {
            if self.asked || self.ask.is_some() {
                return None;
            }
            if self.settles_until.is_some_and(|until| now.at < until) {
                return None;
            }
            self.settles_until = None;
            if std::mem::take(&mut self.replan) {
                self.plan();
            }
            match self.ramp.front().copied() {
                Some(PowerStep::Voltage(voltage)) => return Some(Next::Do(Action::SetVoltage(voltage))),
                Some(PowerStep::Wait(time)) => {
                    self.ramp.pop_front();
                    self.settles_until = Some(now.at + time);
                }
                Some(PowerStep::Frequency(to)) => {
                    let from = self.at.map_or(to, |at| at.frequency);
                    self.ask = Some(Ask::SetFrequency(towards(from, to)));
                    return None;
                }
                None => {
                    if !self.arrived && self.test.is_none() {
                        self.arrive(now);
                    }
                    self.ask_for_golden_nonces();
                    return None;
                }
            }
        }
    }

    fn plan(&mut self) {
        let Some(at) = self.at else { return };
        let wanted = self.tuner.wanted(self.ceiling());
        self.ramp = power::steps(at, wanted, &self.limits).into();
        self.sent = Some(wanted);
    }

    pub(super) fn moved_voltage(&mut self, voltage: Volts, result: Result<(), Failure>, now: Now) {
        if self.phase != Phase::Up {
            return;
        }
        match result {
            Ok(()) => {
                self.ramp.pop_front_if(|step| *step == PowerStep::Voltage(voltage));
                self.at.iter_mut().for_each(|at| at.voltage = voltage);
                self.dirty = true;
            }
            Err(Failure { problem, gone }) => {
                self.needs_opening |= gone;
                self.stop(Cause::Ramp { what: "voltage", problem }, now);
            }
        }
    }

    pub(super) fn moved_clock(&mut self, result: Result<Frequency, String>, now: Now) {
        let Some(at) = &mut self.at else { return };
        match result {
            Ok(frequency) => {
                let from = std::mem::replace(&mut at.frequency, frequency);
                // The nearest that the chips can do is an arrival, be it where they were.
                self.ramp.pop_front_if(|step| match *step {
                    PowerStep::Frequency(to) => towards(from, to) == to,
                    PowerStep::Voltage(_) | PowerStep::Wait(_) => false,
                });
                self.dirty = true;
            }
            Err(problem) => self.stop(Cause::Ramp { what: "clock", problem }, now),
        }
    }
}

/// The next clock on the way.
fn towards(from: Frequency, to: Frequency) -> Frequency {
    let way = to.megahertz() - from.megahertz();
    if way.abs() <= AT_ONCE { to } else { Frequency::from_megahertz(from.megahertz() + AT_ONCE.copysign(way)) }
}
