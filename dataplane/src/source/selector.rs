//! Which pools should be connected and which should be worked for.   Pure: called by `state` with what is known now.
//!
//! Pools stand in order of preference. The first that has a usable job is worked for. All before it are kept being tried,
//! so that work returns to them; those after it are left alone. While none is usable, the next one is tried as soon as the
//! one before has had its chance (stratum-client R5).

use std::time::{Duration, Instant};

/// Failures in a row after which the next pool is tried as well.
const PATIENCE_FAILURES: u32 = 3;
/// Time without a usable job after which the next pool is tried as well.
const PATIENCE_TIME: Duration = Duration::from_secs(60);

/// What matters of a pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// It has a job that can be hashed now.
    pub(super) usable: bool,
    /// Attempts that failed in a row.
    pub(super) failures: u32,
    /// Its newest failure will not pass soon.
    pub(super) parked: bool,
    /// Since when it is wanted without being usable.
    pub(super) unusable_since: Instant,
}

impl Candidate {
    fn had_its_chance(&self, now: Instant) -> bool {
        self.parked
            || self.failures >= PATIENCE_FAILURES
            || now.saturating_duration_since(self.unusable_since) >= PATIENCE_TIME
    }
}

/// The pool to work for.
pub(super) fn choice(candidates: &[Candidate]) -> Option<usize> {
    candidates.iter().position(|candidate| candidate.usable)
}

/// How many of the pools, from the first on, should be connected.
pub(super) fn wanted(candidates: &[Candidate], now: Instant) -> usize {
    match choice(candidates) {
        Some(chosen) => chosen + 1,
        None => {
            let had_their_chance = candidates.iter().take_while(|candidate| candidate.had_its_chance(now)).count();
            (had_their_chance + 1).min(candidates.len())
        }
    }
}

/// When [`wanted`] may change by itself.
pub(super) fn deadline(candidates: &[Candidate], now: Instant) -> Option<Instant> {
    let last = wanted(candidates, now).checked_sub(1)?;
    let waiting = candidates.get(last).filter(|candidate| !candidate.usable && !candidate.had_its_chance(now))?;
    Some(waiting.unusable_since + PATIENCE_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(now: Instant) -> Candidate {
        Candidate { usable: false, failures: 0, parked: false, unusable_since: now }
    }

    #[test]
    fn first_usable_pool_is_worked_for_and_those_after_it_are_left_alone() {
        let now = Instant::now();
        let pools = [idle(now), Candidate { usable: true, ..idle(now) }, Candidate { usable: true, ..idle(now) }];
        assert_eq!((choice(&pools), wanted(&pools, now)), (Some(1), 2));
        assert_eq!(deadline(&pools, now), None);
    }

    #[test]
    fn next_pool_is_tried_after_three_failures_a_minute_or_a_refusal() {
        let now = Instant::now();
        let second = idle(now);
        for first in [Candidate { failures: 3, ..idle(now) }, Candidate { parked: true, ..idle(now) }] {
            assert_eq!(wanted(&[first, second], now), 2);
        }
        assert_eq!(wanted(&[Candidate { failures: 2, ..idle(now) }, second], now), 1);
        assert_eq!(deadline(&[idle(now), second], now), Some(now + PATIENCE_TIME));
        assert_eq!(wanted(&[idle(now), second], now + PATIENCE_TIME), 2);
    }

    #[test]
    fn no_pools_want_nothing() {
        let now = Instant::now();
        assert_eq!((choice(&[]), wanted(&[], now), deadline(&[], now)), (None, 0, None));
    }
}
