//! The greatest clock that heat allows: down in steps above a soft limit, up again with hysteresis.

use crate::board::limits::BoardLimits;
use mujina_core::units::Frequency;
use std::time::{Duration, Instant};

/// Clock of one step (boards.md 2.4).
const STEP: f64 = 25.0;

/// Degrees below all soft limits from which on the clock may rise.
pub const HEADROOM: f64 = 5.0;

/// How much slower than it ran a board starts again after it was stopped by heat, in megahertz (ESP-Miner).
pub const HOT_RESTART_BELOW: f64 = 100.0;

/// What a step down needs until its effect shows: about half the time constant of a chip with its heatsink.
const STEP_EVERY: Duration = Duration::from_secs(10);

/// How long it must be cool before the clock rises; doubled each time that a rise ended in heat.
const COOL_FOR: Duration = Duration::from_secs(60);
const COOL_FOR_MOST: Duration = Duration::from_secs(4 * 3600);

#[derive(Debug)]
pub(super) struct Ceiling {
    at: Option<Frequency>,
    lowered_at: Option<Instant>,
    raised_at: Option<Instant>,
    cool_since: Option<Instant>,
    cool_for: Duration,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { at: None, lowered_at: None, raised_at: None, cool_since: None, cool_for: COOL_FOR }
    }
}

impl Ceiling {
    /// Takes the degrees to the nearest soft limit; `None` while they are unknown or the chips do not run, which holds it.
    pub(super) fn poll(
        &mut self,
        headroom: Option<f64>,
        running: Option<Frequency>,
        limits: &BoardLimits,
        now: Instant,
    ) -> Option<Frequency> {
        let Some(headroom) = headroom else {
            self.cool_since = None;
            return self.at;
        };
        if headroom <= 0.0 {
            self.cool_since = None;
            self.lower(running, limits, now);
        } else if headroom < HEADROOM {
            self.cool_since = None;
        } else {
            let since = *self.cool_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= self.cool_for {
                self.raise(limits, now);
            }
        }
        self.at
    }

    fn lower(&mut self, running: Option<Frequency>, limits: &BoardLimits, now: Instant) {
        let too_soon = self.lowered_at.is_some_and(|at| now.saturating_duration_since(at) < STEP_EVERY);
        let Some(running) = running.filter(|_| !too_soon) else { return };
        // A rise that led back here was too much: longer until the next.
        if self.raised_at.take().is_some() {
            self.cool_for = (self.cool_for * 2).min(COOL_FOR_MOST);
        }
        let from = self.at.filter(|at| *at < running).unwrap_or(running);
        self.at = Some(less(from, STEP, limits));
        self.lowered_at = Some(now);
    }

    fn raise(&mut self, limits: &BoardLimits, now: Instant) {
        let Some(at) = self.at else { return };
        let next = Frequency::from_megahertz(at.megahertz() + STEP);
        self.at = (next < limits.frequency.greatest).then_some(next);
        self.raised_at = Some(now);
        self.cool_since = Some(now);
    }

    /// A board that was stopped by heat starts slower.
    pub(super) fn after_hot_stop(&mut self, running: Option<Frequency>, limits: &BoardLimits) {
        let Some(running) = running.or(self.at) else { return };
        let lower = less(running, HOT_RESTART_BELOW, limits);
        self.at = Some(self.at.filter(|at| *at < lower).unwrap_or(lower));
        if self.raised_at.take().is_some() {
            self.cool_for = (self.cool_for * 2).min(COOL_FOR_MOST);
        }
    }
}

fn less(from: Frequency, by: f64, limits: &BoardLimits) -> Frequency {
    let lower = Frequency::from_megahertz(from.megahertz() - by);
    if lower < limits.frequency.least { limits.frequency.least } else { lower }
}
