//! Where a board's clock and voltage should stand, and what keeps them from more. Pure.
//!
//! Called at each poll, after the guard. Set points of the model and of the owner are taken at once; a power or a rate is
//! walked to in steps. Every step up asks first whether heat, power, current and errors leave room for it; every step back
//! is remembered, and tried again ever more rarely, so that it comes to rest.
//!
//! ```text
//! poll ─▶ not there yet: wait ─▶ too much: step back, learn ─▶ room: step up ─▶ at rest: try less voltage
//! ```

mod cause;
mod learnt;
mod plan;
#[cfg(test)]
mod tests;
mod window;

pub use cause::Cause;
pub use learnt::{Learnt, LearntCeiling, Settled};

use crate::board::{
    limits::BoardLimits,
    power::{self, SetPoint},
};
use mujina_core::{
    board::TuningMode,
    units::{Amperes, Frequency, Watts},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use window::Window;

/// Between two steps up: temperature has a time constant of 20 s (boards.md 6.3).
pub const RISE_EVERY: Duration = Duration::from_secs(45);

/// At rest for so long, a set point counts as good: it is remembered, and less voltage is tried.
pub const AT_REST: Duration = Duration::from_secs(600);

/// Parts of all results that are errors (stratum-client 4.6): no more speed, less speed, as slow as can be.
const WARN_RATE: f64 = 0.005;
const HIGH_RATE: f64 = 0.02;
const BAD_RATE: f64 = 0.10;

/// As slow as can be and still bad for so long: it makes no sense to go on.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// Voltage of one step below the curve, in millivolts.
const LESS_VOLTAGE: i32 = 10;

/// What the tuner looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TunerReading {
    /// Where clock and voltage stand; `None` while the chips do not run.
    pub running: Option<SetPoint>,
    /// Nonces of all chips that met their ticket, since any time.
    pub verified: u64,
    /// Nonces of all chips that met no work, since the same time.
    pub errors: u64,
    /// Measured power.
    pub power: Option<Watts>,
    /// Measured core current.
    pub current: Option<Amperes>,
    /// Degrees to the nearest soft limit, from the guard.
    pub headroom: Option<f64>,
    /// Greatest clock that heat allows, from the guard.
    pub ceiling: Option<Frequency>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub struct TunerStep {
    /// Where clock and voltage should stand.
    pub wanted: SetPoint,
    /// What keeps them from more.
    pub limited_by: Vec<String>,
    /// Why it makes no sense to go on: make the board safe, it returns next to nothing but errors.
    pub give_up: Option<String>,
}

/// Tunes one board.
#[derive(Debug)]
pub struct Tuner {
    limits: BoardLimits,
    mode: TuningMode,
    learnt: Learnt,
    /// Clock that is wanted, heat left aside.
    frequency: Frequency,
    window: Window,
    /// Until when what was learnt is not tried again.
    retry_at: BTreeMap<Cause, Instant>,
    limited_by: BTreeSet<Cause>,
}

impl Tuner {
    /// One that begins with what an earlier one learnt. What no longer fits the limits is brought within them.
    #[must_use]
    pub fn new(limits: BoardLimits, mode: TuningMode, learnt: Learnt) -> Self {
        let mut tuner = Self {
            frequency: limits.frequency.default,
            limits,
            mode,
            learnt,
            window: Window::default(),
            retry_at: BTreeMap::new(),
            limited_by: BTreeSet::new(),
        };
        tuner.keep_within_limits();
        tuner.frequency = tuner.start();
        tuner
    }

    /// Wants something else, under other limits. A walk towards a power or a rate goes on from where it is.
    pub fn set(&mut self, limits: BoardLimits, mode: TuningMode) {
        if (&self.limits, self.mode) == (&limits, mode) {
            return;
        }
        let walks_on = matches!((self.mode, mode), (TuningMode::Power(_), TuningMode::Power(_)));
        self.limits = limits;
        if self.mode != mode {
            self.mode = mode;
            self.forget(Cause::PowerTarget);
        }
        self.keep_within_limits();
        self.frequency = if walks_on { self.limits.frequency.clamp(self.frequency) } else { self.start() };
        self.window.begin_anew();
    }

    /// What was learnt, to keep for the next time.
    #[must_use]
    pub fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    /// Where clock and voltage should stand now, for a start.
    #[must_use]
    pub fn wanted(&self, ceiling: Option<Frequency>) -> SetPoint {
        let frequency = ceiling.filter(|ceiling| *ceiling < self.frequency).unwrap_or(self.frequency);
        power::within(SetPoint { frequency, voltage: self.voltage(frequency) }, &self.limits)
    }

    /// Looks at one poll.
    pub fn poll(&mut self, reading: &TunerReading, now: Instant) -> TunerStep {
        let mut give_up = None;
        if let Some(running) = reading.running {
            self.window.look(running, reading.verified, reading.errors, now);
            self.obey_heat(reading.ceiling);
            if self.has_arrived(running, reading.ceiling) {
                give_up = self.gives_up(now);
                if !self.steps_back(reading, running, now) {
                    self.rises_or_rests(reading, running, now);
                }
            }
        } else {
            self.window.begin_anew();
        }
        let limited_by = self.limited_by.iter().map(ToString::to_string).collect();
        TunerStep { wanted: self.wanted(reading.ceiling), limited_by, give_up }
    }

    /// From a clock that heat does not allow it walks up again, and does not jump.
    fn obey_heat(&mut self, ceiling: Option<Frequency>) {
        if let Some(ceiling) = ceiling.filter(|ceiling| *ceiling < self.frequency) {
            self.frequency = self.limits.frequency.clamp(ceiling);
            self.limited_by.insert(Cause::Temperature);
        }
    }

    /// A chain runs at the nearest clock that its PLL can do.
    fn has_arrived(&self, running: SetPoint, ceiling: Option<Frequency>) -> bool {
        let wanted = self.wanted(ceiling);
        (running.frequency.megahertz() - wanted.frequency.megahertz()).abs() <= plan::FINEST
            && (running.voltage.volts() - wanted.voltage.volts()).abs() < 1e-3
    }

    fn gives_up(&self, now: Instant) -> Option<String> {
        let slowest = self.frequency <= self.limits.frequency.least;
        let rate = self.window.rate_at_least(BAD_RATE, 20).filter(|_| slowest)?;
        let lasts = self.window.age(now) >= GIVE_UP_AFTER;
        lasts.then(|| {
            let percent = rate * 100.0;
            format!("{percent:.0} % of what its chips return is wrong at its least clock; check supply and cooling")
        })
    }

    /// Whether it was too much, and less is wanted now.
    fn steps_back(&mut self, reading: &TunerReading, running: SetPoint, now: Instant) -> bool {
        let least = self.limits.frequency.least;
        let (cap, cap_cause) = self.power_cap();
        let too_much = [
            self.fitting(reading.power.map(Watts::watts), cap.watts(), 2, running).map(|to| (to, cap_cause)),
            self.fitting(reading.current.map(Amperes::amperes), self.limits.current.amperes(), 1, running)
                .map(|to| (to, Cause::Current)),
            self.fewer_errors().map(|to| (to, Cause::HardwareErrors)),
        ];
        let deepest = too_much.into_iter().flatten().reduce(|a, b| if b.0 < a.0 { b } else { a });
        if let Some((to, cause)) = deepest {
            self.limited_by = BTreeSet::from([cause]);
            if self.frequency <= least {
                self.limited_by.insert(Cause::LeastFrequency);
                return false;
            }
            self.learn_ceiling(cause, to, now);
            self.frequency = to;
            self.window.begin_anew();
            return true;
        }
        self.needs_more_voltage(now)
    }

    /// The clock at which errors should be fewer; none when voltage below the curve is to blame.
    fn fewer_errors(&self) -> Option<Frequency> {
        if self.window.rate_at_least(BAD_RATE, 20).is_some() {
            return Some(self.limits.frequency.least);
        }
        if self.learnt.below_curve_millivolts > 0 {
            return None;
        }
        self.window.rate_at_least(HIGH_RATE, 100)?;
        Some(plan::less(self.frequency, plan::COARSEST, &self.limits))
    }

    /// Below the curve, errors are answered with voltage first.
    fn needs_more_voltage(&mut self, now: Instant) -> bool {
        let errs =
            self.window.rate_at_least(HIGH_RATE, 100).or_else(|| self.window.rate_at_least(WARN_RATE, 400)).is_some();
        let moves = errs && self.explores() && self.learnt.below_curve_millivolts > 0;
        if moves {
            self.learnt.below_curve_millivolts = (self.learnt.below_curve_millivolts - LESS_VOLTAGE).max(0);
            self.learnt.least_voltage_tries = self.learnt.least_voltage_tries.saturating_add(1);
            self.retry_at.insert(Cause::Undervolt, now + learnt::retry_after(self.learnt.least_voltage_tries));
            self.window.begin_anew();
        }
        moves
    }

    fn rises_or_rests(&mut self, reading: &TunerReading, running: SetPoint, now: Instant) {
        let goal = self.goal();
        if self.frequency >= goal {
            let at_end = matches!(self.mode, TuningMode::Power(_));
            self.limited_by = at_end.then_some(Cause::GreatestFrequency).into_iter().collect();
            self.rests(now);
            return;
        }
        let mut objections = BTreeSet::new();
        for step in plan::STEPS {
            let next = plan::more(self.frequency, step, goal);
            objections = self.objections(next, reading, running, now);
            if objections.is_empty() {
                if self.window.age(now) >= RISE_EVERY {
                    self.frequency = next;
                    self.window.begin_anew();
                }
                break;
            }
        }
        self.limited_by = objections;
        if !self.limited_by.is_empty() {
            self.rests(now);
        }
    }

    /// What speaks against a higher clock.
    fn objections(
        &mut self,
        next: Frequency,
        reading: &TunerReading,
        running: SetPoint,
        now: Instant,
    ) -> BTreeSet<Cause> {
        let mut found = BTreeSet::new();
        let hot = reading.headroom.is_none_or(|headroom| headroom < super::thermal::HEADROOM);
        if hot || reading.ceiling.is_some_and(|ceiling| ceiling < next) {
            found.insert(Cause::Temperature);
        }
        let (cap, cap_cause) = self.power_cap();
        match reading.power {
            Some(power) if self.expected(power.watts(), 2, running, next) > cap.watts() * plan::ROOM => {
                found.insert(cap_cause);
            }
            None if matches!(self.mode, TuningMode::Power(_)) => {
                found.insert(Cause::PowerUnknown);
            }
            Some(_) | None => {}
        }
        let most = self.limits.current.amperes() * plan::ROOM;
        if reading.current.is_some_and(|current| self.expected(current.amperes(), 1, running, next) > most) {
            found.insert(Cause::Current);
        }
        if self.window.looks_worse_than(WARN_RATE) {
            found.insert(Cause::HardwareErrors);
        }
        found.extend(self.ceilings_in_force(next, now));
        found
    }

    /// Nothing moves: what holds for long is remembered, and with less voltage it may hold as well.
    fn rests(&mut self, now: Instant) {
        if self.window.age(now) < AT_REST {
            return;
        }
        self.learnt.settled = Some(Settled { mode: plan::describe(self.mode), frequency: self.frequency });
        self.learnt.ceilings.retain(|_, ceiling| ceiling.frequency >= self.frequency);
        let least = i32::try_from(plan::millivolts(self.limits.undervolt)).unwrap_or(0);
        let waits = self.learnt.least_voltage_tries > 0 && !self.may_retry(Cause::Undervolt, now);
        let room = self.learnt.below_curve_millivolts + LESS_VOLTAGE <= least;
        if self.explores() && room && !waits && self.window.is_cleaner_than(WARN_RATE, 400) {
            self.learnt.below_curve_millivolts += LESS_VOLTAGE;
            self.window.begin_anew();
        }
    }

    /// Whether the voltage is the tuner's to choose.
    fn explores(&self) -> bool {
        matches!(self.mode, TuningMode::Power(_) | TuningMode::HashRate(_))
    }
}
