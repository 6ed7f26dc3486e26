//! The duty of the fan: a PID controller towards a temperature, and fixed duties where none is known.

use super::{readings::Situation, sensors::Sensors};
use crate::board::limits::{BoardLimits, FanLimits};
use std::time::Instant;

/// Percent for each degree, for each degree and second, and for each degree a second (ESP-Miner, boards.md 2.4).
const P: f64 = 5.0;
const I: f64 = 0.1;
const D: f64 = 2.0;

/// What is left of the filtered temperature after a second. ESP-Miner mixes 0.2 of the new with 0.8 of the old ten times
/// a second; polls here are a second or two apart, so the same mixture is taken for a second.
const KEPT_AFTER_A_SECOND: f64 = 0.8;

/// Duty until the first valid reading.
const BEFORE_FIRST: f64 = 70.0;
/// Duty while paused or without a pool, when nothing needs more.
const RESTING: f64 = 30.0;
const FULL: f64 = 100.0;

/// Below the soft limit of a sensor that the fan does not aim by, from here on it helps that one too.
const HELPS_FROM: f64 = 10.0;

#[derive(Debug, Default)]
pub(super) struct FanControl {
    /// Whether a valid reading ever came.
    knows: bool,
    /// Degrees above what is aimed at, filtered.
    filtered: Option<f64>,
    integral: f64,
    at: Option<Instant>,
    /// Set by a stop; ends with the next time that the chips run.
    stopped: bool,
}

impl FanControl {
    pub(super) fn poll(
        &mut self,
        sensors: &Sensors,
        situation: &Situation,
        stops: bool,
        limits: &BoardLimits,
        now: Instant,
    ) -> Option<f64> {
        let fan = limits.fan.as_ref()?;
        self.stopped = stops || self.stopped && !situation.hashing;
        let excess = hottest(sensors, fan, limits);
        self.knows |= sensors.temperature(&fan.sensor).is_some();
        if sensors.any_missing() || self.stopped {
            self.forget(now);
            return Some(FULL);
        }
        if !situation.powered {
            self.forget(now);
            return Some(self.without_power(excess));
        }
        let Some(excess) = excess.filter(|_| sensors.temperature(&fan.sensor).is_some()) else {
            self.forget(now);
            return Some(if self.knows { FULL } else { BEFORE_FIRST });
        };
        let duty = self.control(excess, fan.least_duty, now);
        Some(if situation.resting { duty.max(RESTING) } else { duty })
    }

    /// Cooling down, or waiting to be started: what is still hot is cooled.
    fn without_power(&self, excess: Option<f64>) -> f64 {
        match excess {
            Some(excess) if excess > 0.0 => FULL,
            Some(_) => RESTING,
            None if self.knows => RESTING,
            None => BEFORE_FIRST,
        }
    }

    fn forget(&mut self, now: Instant) {
        self.filtered = None;
        self.integral = 0.0;
        self.at = Some(now);
    }

    fn control(&mut self, excess: f64, least: f64, now: Instant) -> f64 {
        let elapsed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64()).min(10.0);
        self.at = Some(now);
        let Some(before) = self.filtered else {
            // From here on bumpless: begin where the proportional part alone would be, above what is certainly enough.
            self.filtered = Some(excess);
            self.integral = BEFORE_FIRST;
            return P.mul_add(excess, self.integral).clamp(least, FULL);
        };
        let kept = KEPT_AFTER_A_SECOND.powf(elapsed);
        let filtered = before.mul_add(kept, excess * (1.0 - kept));
        self.filtered = Some(filtered);
        let slope = if elapsed > 0.0 { (filtered - before) / elapsed } else { 0.0 };
        let without_integral = P.mul_add(filtered, D * slope);
        let integral = (I * filtered).mul_add(elapsed, self.integral);
        let wanted = without_integral + integral;
        // Anti-windup: while the fan is at an end, what would press it further is not added up.
        let winds_up = wanted > FULL && filtered > 0.0 || wanted < least && filtered < 0.0;
        if !winds_up {
            self.integral = integral.clamp(0.0, FULL);
        }
        wanted.clamp(least, FULL)
    }
}

/// Degrees of the worst sensor above what the fan aims at; `None` while none is known.
fn hottest(sensors: &Sensors, fan: &FanLimits, limits: &BoardLimits) -> Option<f64> {
    let above = limits.sensors.iter().filter_map(|(name, of)| {
        let aim = if *name == fan.sensor { fan.target.default.degrees() } else { of.soft.degrees() - HELPS_FROM };
        Some(sensors.temperature(name)?.degrees() - aim)
    });
    above.reduce(f64::max)
}
