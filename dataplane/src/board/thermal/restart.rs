//! When a board that was made safe may be started again: cool, after a while, and not for ever.

use super::StopReason;
use crate::board::limits::BoardLimits;
use mujina_core::units::Celsius;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// All known temperatures must be below this (boards.md 2.3 and 2.4).
pub const COOL: f64 = 45.0;

/// The shortest rest (ESP-Miner: six times five seconds); doubled with each failure in a row.
const REST: Duration = Duration::from_secs(30);
const REST_MOST: Duration = Duration::from_secs(15 * 60);

/// Failures in a row after which a person has to look.
pub const MOST_FAILURES: u32 = 6;

/// A run this long ends the row.
const RAN_WELL: Duration = Duration::from_secs(30 * 60);

/// Whether a board may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartDecision {
    /// Yes.
    Now,
    /// Not yet, for this reason; ask again at the next poll.
    Wait(String),
    /// Not by itself: somebody must look, and reinitialise or replug it.
    Never(String),
}

/// Failures of one board, and what follows from them. Starts that never succeeded count like runs that were stopped.
#[derive(Debug, Default)]
pub struct Restarts {
    failures: u32,
    failed_at: Option<Instant>,
    started_at: Option<Instant>,
    hot: bool,
}

impl Restarts {
    /// The board runs.
    pub fn started(&mut self, now: Instant) {
        self.started_at = Some(now);
    }

    /// The board was made safe because of this.
    pub fn stopped(&mut self, reason: &StopReason, now: Instant) {
        self.failed(now);
        self.hot = matches!(reason, StopReason::Overheated { .. } | StopReason::FanStalled { .. });
    }

    /// The board could not be brought up.
    pub fn failed(&mut self, now: Instant) {
        let ran_well = self.started_at.take().is_some_and(|at| now.saturating_duration_since(at) >= RAN_WELL);
        self.failures = if ran_well { 1 } else { self.failures.saturating_add(1) };
        self.failed_at = Some(now);
        self.hot = false;
    }

    /// Somebody asked for a fresh start, or the board was plugged in anew.
    pub fn forgive(&mut self) {
        *self = Self::default();
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The least time between a failure and the next start.
    #[must_use]
    pub fn rest(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(10);
        REST.saturating_mul(1_u32 << doublings).min(REST_MOST)
    }

    /// Whether it may be started now. After heat, a temperature that can be read with the chips off and is not counts as hot.
    #[must_use]
    pub fn decide(&self, known: &BTreeMap<String, Celsius>, limits: &BoardLimits, now: Instant) -> StartDecision {
        if self.failures >= MOST_FAILURES {
            let failures = self.failures;
            return StartDecision::Never(format!(
                "failed {failures} times in a row; mend the cause, then reinitialise the board"
            ));
        }
        let rested = self.failed_at.map(|at| now.saturating_duration_since(at));
        let left = rested.map_or(Duration::ZERO, |rested| self.rest().saturating_sub(rested));
        if !left.is_zero() {
            // Rounded up, so that it never says 0 s.
            return StartDecision::Wait(format!("starts again in {} s", left.as_millis().div_ceil(1000)));
        }
        for (name, of) in limits.sensors.iter().filter(|(_, of)| of.readable_when_off) {
            // A board that did not fail may be warm from whoever ran it before.
            let cool = if self.failures > 0 { Celsius::from_degrees(COOL) } else { of.soft };
            match known.get(name) {
                Some(temperature) if *temperature >= cool => {
                    return StartDecision::Wait(format!("waits until {name} is below {cool}, now {temperature}"));
                }
                None if self.hot => return StartDecision::Wait(format!("waits for a temperature of {name}")),
                Some(_) | None => {}
            }
        }
        StartDecision::Now
    }
}
