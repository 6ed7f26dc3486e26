//! What keeps a board from harm: heat, fan, regulator, supervision, lost chips. Pure.
//!
//! Called once per poll by the board's task, whatever mining and the API do. Figures are those of boards.md 2.4, 3.4 and 5
//! and peripherals.md 3.3. An unreadable temperature is never treated as a good one: it holds the clock, drives the fan to
//! full, and stops the board when it lasts.
//!
//! ```text
//! readings ─▶ supervision ─▶ sensors ─▶ regulator, fan, chips ─▶ Verdict { stop?, fan, ceiling }
//! ```

mod ceiling;
mod fan;
mod readings;
mod restart;
mod sensors;
mod stop;
#[cfg(test)]
mod tests;

pub use ceiling::{HEADROOM, HOT_RESTART_BELOW};
pub use readings::{FanReading, Readings, RegulatorReading, Situation};
pub use restart::{COOL, MOST_FAILURES, Restarts, StartDecision};
pub use stop::StopReason;

use crate::board::limits::BoardLimits;
use ceiling::Ceiling;
use fan::FanControl;
use mujina_core::units::{Celsius, Frequency};
use sensors::Sensors;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Failed polls in a row after which nothing is known any more (boards.md 2.4 and 5).
pub const MOST_FAILED_POLLS: u32 = 3;

/// After reset release the diode of a chip shows garbage for so long (peripherals.md 2).
pub const IGNORED_AFTER_RESET: Duration = Duration::from_millis(500);

/// Time that a fan told to turn may stand still.
pub const STALL_AFTER: Duration = Duration::from_secs(10);

/// Duty from which on a fan must turn, in percent.
pub const MUST_TURN_FROM: f64 = 30.0;

/// Bits of STATUS_WORD that end hashing: OFF, VOUT_OV, IOUT_OC, VIN_UV, TEMPERATURE.
pub const REGULATOR_FAULTS: u16 = 0x007C;

/// What one poll says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Make the board safe now, because of this.
    pub stop: Option<StopReason>,
    /// What the fan has to be told, in percent; `None` for a board without one.
    pub fan_duty: Option<f64>,
    /// Greatest clock that heat allows; `None` = any.
    pub ceiling: Option<Frequency>,
    /// Degrees to the nearest soft limit; negative above it, `None` while a temperature is unknown.
    pub headroom: Option<f64>,
    /// What is not as it should be, without a reason to stop; for a person.
    pub warnings: Vec<String>,
}

/// Watches over one board.
#[derive(Debug)]
pub struct Guard {
    limits: BoardLimits,
    sensors: Sensors,
    fan: FanControl,
    ceiling: Ceiling,
    failed_polls: u32,
    unread_regulator: u32,
    still_since: Option<Instant>,
}

impl Guard {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(limits: BoardLimits) -> Self {
        Self {
            sensors: Sensors::default(),
            fan: FanControl::default(),
            ceiling: Ceiling::default(),
            failed_polls: 0,
            unread_regulator: 0,
            still_since: None,
            limits,
        }
    }

    /// Puts other limits in force, at the next poll.
    pub fn set_limits(&mut self, limits: BoardLimits) {
        self.limits = limits;
    }

    /// Newest plausible temperatures, by sensor; absent for one that is unknown now.
    #[must_use]
    pub fn temperatures(&self) -> BTreeMap<String, Celsius> {
        self.sensors.known()
    }

    /// Why a sensor has no reading; empty when it has one.
    #[must_use]
    pub fn problem(&self, sensor: &str) -> String {
        self.sensors.problem(sensor)
    }

    /// Begins anew with a start of the board: what was counted of the last run is forgotten, what heat taught is not.
    pub fn starting(&mut self) {
        self.sensors.forget_misses();
        self.failed_polls = 0;
        self.unread_regulator = 0;
        self.still_since = None;
    }

    /// Judges one poll.
    #[must_use]
    pub fn poll(&mut self, readings: &Readings, situation: &Situation, now: Instant) -> Verdict {
        let mut stops = Vec::new();
        stops.extend(self.supervision(readings, situation));
        if readings.answered {
            self.sensors.take(readings, situation, &self.limits, now);
            stops.extend(self.sensors.stop(situation, &self.limits));
            stops.extend(self.regulator(readings, situation));
            stops.extend(self.stalled_fan(readings, situation, now));
        } else {
            self.sensors.nothing_read();
        }
        stops.extend(self.lost_chips(readings, situation));
        let stop = stops.into_iter().next();
        if matches!(stop, Some(StopReason::Overheated { .. })) {
            self.ceiling.after_hot_stop(situation.frequency, &self.limits);
        }
        let headroom = self.sensors.headroom(situation, &self.limits);
        let running = situation.hashing && stop.is_none();
        let ceiling = self.ceiling.poll(headroom.filter(|_| running), situation.frequency, &self.limits, now);
        let fan_duty = self.fan.poll(&self.sensors, situation, stop.is_some(), &self.limits, now);
        Verdict { stop, fan_duty, ceiling, headroom, warnings: self.warnings(readings, situation) }
    }

    fn supervision(&mut self, readings: &Readings, situation: &Situation) -> Option<StopReason> {
        self.failed_polls = if readings.answered { 0 } else { self.failed_polls.saturating_add(1) };
        let lost = situation.powered && self.failed_polls >= MOST_FAILED_POLLS;
        lost.then(|| StopReason::SupervisionLost { polls: self.failed_polls, problem: readings.problem.clone() })
    }

    fn regulator(&mut self, readings: &Readings, situation: &Situation) -> Option<StopReason> {
        if !situation.powered {
            self.unread_regulator = 0;
            return None;
        }
        let Some(RegulatorReading { status_word, .. }) = readings.regulator else {
            self.unread_regulator = self.unread_regulator.saturating_add(1);
            let lost = self.unread_regulator >= MOST_FAILED_POLLS;
            return lost.then_some(StopReason::RegulatorSilent { polls: self.unread_regulator });
        };
        self.unread_regulator = 0;
        (status_word & REGULATOR_FAULTS != 0).then_some(StopReason::RegulatorFault { status_word })
    }

    fn stalled_fan(&mut self, readings: &Readings, situation: &Situation, now: Instant) -> Option<StopReason> {
        let FanReading { duty, rpm, write_failed } = readings.fan.as_ref()?;
        if let Some(problem) = write_failed.as_ref().filter(|_| situation.powered) {
            return Some(StopReason::FanUnsteerable { problem: problem.clone() });
        }
        match rpm {
            Some(0) if *duty >= MUST_TURN_FROM => {
                let since = *self.still_since.get_or_insert(now);
                let stood = now.saturating_duration_since(since);
                let stalled = situation.powered && stood >= STALL_AFTER;
                stalled.then_some(StopReason::FanStalled { duty: *duty, stood })
            }
            // Not measured this time: neither turning nor standing still.
            None => None,
            Some(_) => {
                self.still_since = None;
                None
            }
        }
    }

    /// In a stack, a lost chip puts its voltage on its neighbours. A board whose only chips are lost hashes nothing.
    fn lost_chips(&self, readings: &Readings, situation: &Situation) -> Option<StopReason> {
        let lost = readings.lost_chips;
        let ends = situation.hashing && lost > 0 && (self.limits.series || lost >= readings.chips);
        ends.then_some(StopReason::ChipsLost { lost, of: readings.chips, series: self.limits.series })
    }

    fn warnings(&self, readings: &Readings, situation: &Situation) -> Vec<String> {
        let mut found = self.sensors.warnings();
        let input = readings.regulator.as_ref().and_then(|regulator| regulator.input);
        if let Some(input) = input.filter(|input| situation.powered && *input < self.limits.least_input) {
            let least = self.limits.least_input;
            found.push(format!("input is {input}, less than {least}; use a stronger supply or a shorter cable"));
        }
        found
    }
}
