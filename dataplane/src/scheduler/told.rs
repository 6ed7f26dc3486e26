//! The hash rate that pools are told: nominal at first, measured once it is known to within 10 %. Pure.

use super::members::Thread;
use mujina_core::{status::ThreadState, units::HashRate};
use std::time::{Duration, Instant};

/// Standard error up to which a measured rate is better than the nominal one.
const KNOWN: f64 = 0.1;
/// Least change that is worth telling, and least number of standard errors.
const CHANGE: f64 = 0.1;
const ERRORS: f64 = 3.0;
/// Least time between two measured rates.
const DEBOUNCE: Duration = Duration::from_secs(10);

/// What was told last.
#[derive(Debug)]
pub(super) struct Told {
    rate: Option<HashRate>,
    nominal: HashRate,
    measured: bool,
    at: Instant,
}

impl Told {
    pub(super) fn new(now: Instant) -> Self {
        Self { rate: None, nominal: HashRate::ZERO, measured: false, at: now }
    }

    /// The rate to tell now. Nothing without a living thread.
    pub(super) fn update<'a>(
        &mut self,
        threads: impl Iterator<Item = &'a Thread> + Clone,
        now: Instant,
    ) -> Option<HashRate> {
        let living = threads.filter(|thread| thread.is_alive());
        let nominal = living.clone().map(|thread| thread.entry.nominal_hash_rate).sum();
        if living.clone().next().is_none() {
            *self = Self::new(now);
        } else if self.rate.is_none() || nominal != self.nominal {
            *self = Self { rate: Some(nominal), nominal, measured: false, at: now };
        } else if let Some((rate, error)) = measured(living, now) {
            let told = self.rate.unwrap_or_default().hashes_per_second();
            let change = (rate.hashes_per_second() / told - 1.0).abs();
            let is_news = !self.measured || change > CHANGE.max(ERRORS * error);
            if is_news && now.saturating_duration_since(self.at) >= DEBOUNCE {
                *self = Self { rate: Some(rate), nominal, measured: true, at: now };
            }
        }
        self.rate
    }
}

/// The rate of all threads and its standard error, when it is known well enough and all of them hash.
fn measured<'a>(living: impl Iterator<Item = &'a Thread>, now: Instant) -> Option<(HashRate, f64)> {
    let (mut rate, mut variance) = (0.0, 0.0);
    for thread in living {
        let (one, error) = thread.pace.rate(now).filter(|_| thread.state == ThreadState::Hashing)?;
        rate += one.hashes_per_second();
        variance += (one.hashes_per_second() * error).powi(2);
    }
    let error = variance.sqrt() / rate;
    (error <= KNOWN).then(|| (HashRate::from_hashes_per_second(rate), error))
}
