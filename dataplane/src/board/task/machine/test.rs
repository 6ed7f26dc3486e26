//! The test of a board: supplies, fan, sensors, and a golden nonce on every chip. Polls and stops go on meanwhile.

use super::{Ask, Machine, Now, Phase};
use crate::board::{limits::BoardLimits, task::cause::Cause, thermal::Readings};
use mujina_core::board::{RailReport, SelfTestOutcome, SelfTestStep};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Time for the fan to reach its full speed.
const FAN_TURNS: Duration = Duration::from_secs(5);
/// Time for every chip to find a golden nonce; the slowest should in a tenth of it.
const GOLDEN: Duration = Duration::from_secs(10);
/// How far a supply may be from what it is set to (boards 2.2).
const TOLERANCE: f64 = 0.05;

/// A test under way.
#[derive(Debug)]
pub(super) struct Test {
    steps: mpsc::Sender<Option<SelfTestStep>>,
    /// What ended and found no room yet; `None` behind the last.
    outbox: VecDeque<Option<SelfTestStep>>,
    stage: Stage,
    since: Instant,
    /// Whether the board got power for it only.
    powers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Power,
    Rails,
    Fan,
    Golden,
    Asked,
    Over,
}

impl Test {
    pub(super) fn new(steps: mpsc::Sender<Option<SelfTestStep>>, powers: bool, now: Instant) -> Self {
        let stage = if powers { Stage::Power } else { Stage::Rails };
        Self { steps, outbox: VecDeque::new(), stage, since: now, powers }
    }

    pub(super) fn waits_for_power(&self) -> bool {
        self.stage == Stage::Power
    }

    /// A step ended; the next begins.
    fn tell(&mut self, name: impl Into<String>, outcome: SelfTestOutcome, detail: impl Into<String>, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since);
        self.outbox.push_back(Some(SelfTestStep { name: name.into(), outcome, detail: detail.into(), elapsed }));
    }

    fn judge(&mut self, name: &str, judged: Result<String, String>, now: Instant) {
        match judged {
            Ok(detail) => self.tell(name, SelfTestOutcome::Passed, detail, now),
            Err(detail) => self.tell(name, SelfTestOutcome::Failed, detail, now),
        }
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        if stage == Stage::Over && self.stage != Stage::Over {
            self.outbox.push_back(None);
        }
        self.stage = stage;
        self.since = now;
    }

    /// Hands over what there is room for. Whether everything is told and over.
    fn flush(&mut self) -> bool {
        while let Some(step) = self.outbox.pop_front() {
            match self.steps.try_send(step) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(step)) => {
                    self.outbox.push_front(step);
                    break;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
        self.stage == Stage::Over && self.outbox.is_empty()
    }
}

impl Machine {
    /// Tells what ended of a test, and ends one that is over or that nobody follows. To be called at each turn.
    pub(in crate::board::task) fn tell_test(&mut self, now: Now) {
        let Some(test) = &mut self.test else { return };
        if test.flush() || test.steps.is_closed() && test.stage != Stage::Over {
            let Some(test) = self.test.take() else { return };
            self.dirty = true;
            self.end_test(test.powers, now);
        }
    }

    /// The board mines on, or goes back to where it was.
    fn end_test(&mut self, powered: bool, now: Now) {
        self.replan |= self.phase == Phase::Up;
        if powered && !matches!(self.phase, Phase::Safe | Phase::Stopping(_)) {
            self.stop(Cause::Tested, now);
        }
    }

    pub(super) fn test_with_power(&mut self, now: Now) {
        let detail = self.at.map(|at| format!("chips set up at {} and {}", at.frequency, at.voltage));
        if let Some(test) = self.test.as_mut().filter(|test| test.stage == Stage::Power) {
            test.tell("start", SelfTestOutcome::Passed, detail.unwrap_or_default(), now.at);
            test.enter(Stage::Rails, now.at);
            self.poll_due = now.at;
        }
    }

    pub(super) fn drives_fan_for_test(&self) -> bool {
        self.test.as_ref().is_some_and(|test| test.stage == Stage::Fan)
    }

    /// A look at the board that runs, for the steps that need one.
    pub(super) fn test_looks(&mut self, readings: &Readings, rails: &[RailReport], now: Now) {
        let Some(test) = &mut self.test else { return };
        if test.stage == Stage::Rails {
            test.judge("rails", judge_rails(rails, readings, &self.limits), now.at);
            test.enter(Stage::Fan, now.at);
            if readings.fan.is_some() {
                self.fan = Some(100.0);
            } else {
                test.tell("fan", SelfTestOutcome::Skipped, "this board drives no fan", now.at);
                self.test_sensors(now);
            }
        } else if test.stage == Stage::Fan && now.at.saturating_duration_since(test.since) >= FAN_TURNS {
            test.judge("fan", judge_fan(readings), now.at);
            self.test_sensors(now);
        }
    }

    fn test_sensors(&mut self, now: Now) {
        let known = self.known();
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (name, of) in &self.limits.sensors {
            match known.get(name) {
                Some(temperature) if *temperature < of.hard => good.push(format!("{name} {temperature}")),
                Some(temperature) => bad.push(format!("{name} {temperature}, at or above {}", of.hard)),
                None => bad.push(format!("no temperature of {name}: {}", self.guard.problem(name))),
            }
        }
        let Some(test) = &mut self.test else { return };
        test.enter(Stage::Fan, now.at);
        test.judge("sensors", if bad.is_empty() { Ok(good.join(", ")) } else { Err(bad.join("; ")) }, now.at);
        test.enter(Stage::Golden, now.at);
    }

    /// Nothing else is on its way to the chips.
    pub(super) fn ask_for_golden_nonces(&mut self) {
        if let Some(test) = self.test.as_mut().filter(|test| test.stage == Stage::Golden) {
            test.stage = Stage::Asked;
            self.ask = Some(Ask::FindGoldenNonces(GOLDEN));
        }
    }

    pub(super) fn golden(&mut self, result: &Result<Vec<bool>, String>, now: Now) {
        let chips = usize::from(self.board.chips);
        let Some(test) = self.test.as_mut().filter(|test| test.stage == Stage::Asked) else { return };
        for chip in 0..chips {
            let judged = match result {
                Ok(found) if found.get(chip).copied().unwrap_or_default() => Ok("found and verified".to_owned()),
                Ok(_) => Err(format!("none in {} s; check its supply and its place in the chain", GOLDEN.as_secs())),
                Err(problem) => Err(problem.clone()),
            };
            test.judge(&format!("golden nonce of chip {chip}"), judged, now.at);
        }
        test.enter(Stage::Over, now.at);
        self.tell_test(now);
    }

    /// The board is stopped, or not started, in the middle of a test: what is left of it makes no sense.
    pub(super) fn break_test(&mut self, why: &str, now: Now) {
        let Some(test) = &mut self.test else { return };
        let steps: &[&str] = match test.stage {
            Stage::Power => &["start", "rails", "fan", "sensors", "golden nonces"],
            Stage::Rails => &["rails", "fan", "sensors", "golden nonces"],
            Stage::Fan => &["fan", "sensors", "golden nonces"],
            Stage::Golden | Stage::Asked => &["golden nonces"],
            Stage::Over => &[],
        };
        for (number, step) in steps.iter().enumerate() {
            let outcome = if number == 0 { SelfTestOutcome::Failed } else { SelfTestOutcome::Skipped };
            test.tell(*step, outcome, why, now.at);
        }
        test.enter(Stage::Over, now.at);
        test.powers = false;
    }
}

fn judge_rails(rails: &[RailReport], readings: &Readings, limits: &BoardLimits) -> Result<String, String> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for RailReport { name, set, voltage, current: _, power } in rails {
        let power = power.map(|power| format!(", {power}")).unwrap_or_default();
        match (set, voltage) {
            (Some(set), Some(voltage)) if (voltage.volts() - set.volts()).abs() > set.volts() * TOLERANCE => {
                bad.push(format!("{name} is {voltage} instead of {set}"));
            }
            (Some(set), Some(voltage)) => good.push(format!("{name} {voltage} of {set}{power}")),
            (None, Some(voltage)) => good.push(format!("{name} {voltage}{power}")),
            (_, None) => bad.push(format!("{name} could not be measured")),
        }
    }
    match &readings.regulator {
        None => bad.push("the core regulator could not be read".to_owned()),
        Some(regulator) => {
            let weak = regulator.input.filter(|input| *input < limits.least_input);
            bad.extend(weak.map(|input| format!("the input is {input}, less than {}", limits.least_input)));
        }
    }
    if bad.is_empty() { Ok(good.join(", ")) } else { Err(bad.join("; ")) }
}

fn judge_fan(readings: &Readings) -> Result<String, String> {
    match &readings.fan {
        Some(fan) => match (fan.rpm, &fan.write_failed) {
            (_, Some(problem)) => Err(format!("it cannot be steered: {problem}")),
            (Some(0), None) => Err("it stands still at 100 %".to_owned()),
            (Some(rpm), None) => Ok(format!("{rpm} turns a minute at {:.0} %", fan.duty)),
            (None, None) => Err("its speed could not be read".to_owned()),
        },
        None => Err("it could not be read".to_owned()),
    }
}
