//! Errors since the set point last changed.

use crate::board::power::SetPoint;
use std::time::{Duration, Instant};

/// After a change, results may still belong to the set point before.
const SETTLE: Duration = Duration::from_secs(10);

/// Results since the set point last changed, after it has settled.
#[derive(Debug, Default)]
pub(super) struct Window {
    running: Option<SetPoint>,
    since: Option<Instant>,
    /// Counts when it had settled.
    base: Option<(u64, u64)>,
    good: u64,
    bad: u64,
}

impl Window {
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    pub(super) fn look(&mut self, running: SetPoint, verified: u64, errors: u64, now: Instant) {
        let counts_anew = self.base.is_some_and(|(good, bad)| verified < good || errors < bad);
        if self.running != Some(running) || counts_anew {
            *self = Self { running: Some(running), since: Some(now), ..Self::default() };
        }
        if self.age(now) < SETTLE {
            return;
        }
        let (good, bad) = *self.base.get_or_insert((verified, errors));
        (self.good, self.bad) = (verified - good, errors - bad);
    }

    /// Time since the set point changed.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn rate(&self) -> f64 {
        let (good, bad) = (count(self.good), count(self.bad));
        bad / (good + bad).max(1.0)
    }

    /// The part of the results that is wrong, when at least `results` say that it is `rate` or more.
    pub(super) fn rate_at_least(&self, rate: f64, results: u64) -> Option<f64> {
        (self.good + self.bad >= results && self.rate() >= rate).then(|| self.rate())
    }

    /// Whether at least `results` say that the part is less than `rate`.
    pub(super) fn is_cleaner_than(&self, rate: f64, results: u64) -> bool {
        self.good + self.bad >= results && self.rate() < rate
    }

    /// Whether there are more errors than chance would give at `rate`; one is none.
    pub(super) fn looks_worse_than(&self, rate: f64) -> bool {
        self.bad > 1 && self.rate() >= rate
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of results is far below 2^52")]
fn count(results: u64) -> f64 {
    results as f64
}
