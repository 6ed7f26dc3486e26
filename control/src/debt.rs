//! Rates with bursts, and who used them up. Pure; the caller gives the time.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// So many at once, then one per interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) interval: Duration,
}

/// When all that was charged will be paid: the only state of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Debt(Instant);

impl Debt {
    pub(crate) fn none(now: Instant) -> Self {
        Self(now)
    }

    /// Whether anything is left to pay.
    pub(crate) fn is_owed(self, now: Instant) -> bool {
        self.0 > now
    }

    /// How long until one more may be charged; zero = now.
    pub(crate) fn wait(self, rate: Rate, now: Instant) -> Duration {
        let most = rate.interval.saturating_mul(rate.burst.saturating_sub(1));
        self.0.saturating_duration_since(now).saturating_sub(most)
    }

    pub(crate) fn charge(&mut self, rate: Rate, now: Instant) {
        self.0 = self.0.max(now) + rate.interval;
    }
}

/// Makes room among those who are remembered, of whom there may be `most`: forgets all that need not be kept, or else the one
/// who owes least.
pub(crate) fn make_room<K: Clone + Eq + Hash, V>(
    all: &mut HashMap<K, V>,
    most: usize,
    is_kept: impl Fn(&V) -> bool,
    debt: impl Fn(&V) -> Debt,
) {
    if all.len() < most {
        return;
    }
    all.retain(|_, one| is_kept(one));
    if all.len() >= most
        && let Some(least) = all.iter().min_by_key(|(_, one)| debt(one)).map(|(key, _)| key.clone())
    {
        all.remove(&least);
    }
}
