//! What others see of the board.

use super::{Machine, Now, Phase};
use crate::board::tuner::Learnt;
use mujina_core::{
    board::{BoardReport, BoardState, FanReport, SensorReport, TuningReport},
    fault::{Fault, FaultReason},
};
use std::time::SystemTime;

impl Machine {
    pub(super) fn report(&mut self, now: Now) -> BoardReport {
        let (state, state_reason) = self.board_state();
        let state_since = match self.state {
            Some((before, since)) if before == state => since,
            Some(_) | None => now.wall,
        };
        self.state = Some((state, state_since));
        BoardReport {
            id: self.id.clone(),
            model: self.board.name.to_owned(),
            state,
            state_reason,
            state_since,
            facts: self.facts.clone(),
            expected_chips: u32::from(self.board.chips),
            chips: self.chain.chips.clone(),
            sensors: self.sensors(),
            fans: self.fans(),
            rails: self.seen.as_ref().map(|seen| seen.rails.clone()).unwrap_or_default(),
            tuning: self.tuning_report(),
            constraints: self.base.constraints(),
            led: self.led.as_ref().map(|led| led.state(now.at)),
            locate_until: self.locate_until.filter(|until| *until > now.wall),
            safe_state: self.safe.clone(),
            starts: self.starts,
            faults: self.faults(state, now.wall),
        }
    }

    fn sensors(&self) -> Vec<SensorReport> {
        let known = self.known();
        let sensor = |(name, of): (&String, &crate::board::limits::SensorLimits)| {
            let temperature = known.get(name).copied();
            SensorReport {
                name: name.clone(),
                temperature,
                soft_limit: of.soft,
                hard_limit: of.hard,
                problem: if temperature.is_some() { String::new() } else { self.guard.problem(name) },
            }
        };
        self.limits.sensors.iter().map(sensor).collect()
    }

    fn fans(&self) -> Vec<FanReport> {
        let fan = self.seen.as_ref().filter(|seen| seen.answered).and_then(|seen| seen.fan.as_ref());
        let report = |fan: &crate::board::thermal::FanReading| FanReport {
            name: "fan".to_owned(),
            duty_percent: fan.write_failed.is_none().then_some(fan.duty),
            rpm: fan.rpm,
        };
        fan.map(report).into_iter().collect()
    }

    fn tuning_report(&self) -> TuningReport {
        let up = self.phase == Phase::Up;
        let mut learnt = Learnt::words(self.tuner.learnt());
        learnt.extend(self.ceiling().map(|ceiling| format!("no more than {ceiling} for heat, until it is cooler")));
        TuningReport {
            wanted: self.tuning.mode,
            frequency: self.at.filter(|_| up).map(|at| self.sent.map_or(at.frequency, |sent| sent.frequency)),
            voltage: self.at.map(|at| at.voltage),
            limited_by: self.limited_by.clone(),
            learnt,
        }
    }

    fn faults(&self, state: BoardState, wall: SystemTime) -> Vec<Fault> {
        let mut found: Vec<_> = self.unsafe_fault().into_iter().collect();
        found.extend(self.trouble.as_ref().map(|trouble| {
            let mut fault = trouble.fault.clone();
            if state == BoardState::Fault && self.unsafe_until.is_none() {
                fault.message =
                    format!("{}; not tried again by itself: `mujinactl board reinit` starts it", fault.message);
            }
            fault
        }));
        found.extend(self.refused.clone());
        let warnings = self.verdict.as_ref().map(|verdict| verdict.warnings.as_slice()).unwrap_or_default();
        found.extend(warnings.iter().map(|warning| Fault {
            reason: FaultReason::BoardDegraded,
            subject: self.subject(),
            message: warning.clone(),
            since: self.warned_since.unwrap_or(wall),
        }));
        found
    }
}
