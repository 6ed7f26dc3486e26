//! What the tuner learnt of one board, and how long it believes it.

use super::{Cause, Tuner};
use mujina_core::units::Frequency;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// What was learnt of one board. Kept across restarts; every field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// Clocks that were too much, by what was.
    pub ceilings: BTreeMap<Cause, LearntCeiling>,
    /// How far below the curve of the model its chips run without errors.
    pub below_curve_millivolts: i32,
    /// Times that less voltage made errors.
    pub least_voltage_tries: u32,
    /// Where it came to rest.
    pub settled: Option<Settled>,
}

/// A clock that was too much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearntCeiling {
    /// The greatest clock that was not.
    pub frequency: Frequency,
    /// How often it was found out.
    pub times: u32,
}

/// Where a board came to rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// What was wanted.
    pub mode: String,
    /// The clock that fitted it.
    pub frequency: Frequency,
}

/// How long what was learnt is believed before it is tried again; doubled each time it turns out to be still so.
const RETRY_FIRST: Duration = Duration::from_secs(30 * 60);
const RETRY_LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) fn retry_after(times: u32) -> Duration {
    let doublings = times.saturating_sub(1).min(10);
    RETRY_FIRST.saturating_mul(1_u32 << doublings).min(RETRY_LONGEST)
}

impl Learnt {
    /// In words, for a person.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut found: Vec<_> = self
            .ceilings
            .iter()
            .map(|(cause, LearntCeiling { frequency, times })| {
                let again = if *times > 1 { format!(", found {times} times") } else { String::new() };
                format!("no more than {frequency} for {cause}{again}")
            })
            .collect();
        if self.below_curve_millivolts > 0 {
            let below = self.below_curve_millivolts;
            found.push(format!("runs without errors {below} mV below the curve of its model"));
        }
        if let Some(Settled { mode, frequency }) = &self.settled {
            found.push(format!("{frequency} fits {mode}"));
        }
        found
    }
}

impl Tuner {
    pub(super) fn learn_ceiling(&mut self, cause: Cause, frequency: Frequency, now: Instant) {
        let times = self.learnt.ceilings.get(&cause).map_or(0, |ceiling| ceiling.times).saturating_add(1);
        self.learnt.ceilings.insert(cause, LearntCeiling { frequency, times });
        self.retry_at.insert(cause, now + retry_after(times));
        self.learnt.settled = None;
    }

    pub(super) fn forget(&mut self, cause: Cause) {
        self.learnt.ceilings.remove(&cause);
        self.retry_at.remove(&cause);
    }

    /// What is believed to be too much about a clock.
    pub(super) fn ceilings_in_force(&mut self, next: Frequency, now: Instant) -> BTreeSet<Cause> {
        let lower = self.learnt.ceilings.iter().filter(|(_, ceiling)| ceiling.frequency < next);
        let causes: Vec<_> = lower.map(|(cause, _)| *cause).collect();
        causes.into_iter().filter(|cause| !self.may_retry(*cause, now)).collect()
    }

    /// Whether what was learnt may be tried again. What an earlier process learnt is believed from now on.
    pub(super) fn may_retry(&mut self, cause: Cause, now: Instant) -> bool {
        let times = match cause {
            Cause::Undervolt => self.learnt.least_voltage_tries,
            _ => self.learnt.ceilings.get(&cause).map_or(0, |ceiling| ceiling.times),
        };
        now >= *self.retry_at.entry(cause).or_insert(now + retry_after(times))
    }

    /// Brings what was learnt under other limits, or read from a file, within these.
    pub(super) fn keep_within_limits(&mut self) {
        let most = i32::try_from(super::plan::millivolts(self.limits.undervolt)).unwrap_or(0);
        self.learnt.below_curve_millivolts = self.learnt.below_curve_millivolts.clamp(0, most);
        for ceiling in self.learnt.ceilings.values_mut() {
            ceiling.frequency = self.limits.frequency.clamp(ceiling.frequency);
        }
    }
}
