//! When a certificate is renewed.   Called by `renewal`; randomness and the wall clock come from there.
//!
//! Pure. Times are those of the wall clock, which may jump either way between two looks.

use std::time::{Duration, SystemTime};

/// Longest time between two looks at the wall clock.
const LOOK: Duration = Duration::from_secs(60);
/// First and longest time between two attempts.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
/// Part of what is left of its life over which the renewals of a fleet are spread that was enrolled in one minute.
const SPREAD: f64 = 0.1;

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Look again after this.
    Wait(Duration),
    /// Renew.
    Now,
}

/// When one certificate is to be renewed.
#[derive(Debug)]
pub(super) struct Schedule {
    due: SystemTime,
    /// In a row.
    failures: u32,
    retry_at: Option<SystemTime>,
}

impl Schedule {
    /// Of a certificate that should be renewed at `renew_at` and ends at `expires_at`; `spread` is in 0..1.
    pub(super) fn new(renew_at: SystemTime, expires_at: SystemTime, spread: f64) -> Self {
        let left = expires_at.duration_since(renew_at).unwrap_or_default();
        let due = renew_at.checked_add(left.mul_f64(SPREAD * spread.clamp(0.0, 1.0))).unwrap_or(renew_at);
        Self { due, failures: 0, retry_at: None }
    }

    /// Decides; to be asked again after each wait and each failure.
    pub(super) fn look(&mut self, now: SystemTime) -> Due {
        // A clock that was set back must not put the next attempt off by as much.
        self.retry_at = self.retry_at.filter(|at| at.duration_since(now).is_ok_and(|left| left <= LONGEST_RETRY));
        let at = self.retry_at.map_or(self.due, |at| at.max(self.due));
        match at.duration_since(now) {
            Ok(left) if !left.is_zero() => Due::Wait(left.min(LOOK)),
            _ => Due::Now,
        }
    }

    /// Takes note of an attempt that failed, whose answer may have said when to come again; `jitter` is in 0..1. Whether people
    /// are told: at the first, second, fourth failure and so on.
    pub(super) fn failed(&mut self, now: SystemTime, asked: Option<Duration>, jitter: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let doubled = 1_u32.checked_shl(self.failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = FIRST_RETRY.saturating_mul(doubled).min(LONGEST_RETRY).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        self.retry_at = now.checked_add(asked.unwrap_or_default().max(pause).min(LONGEST_RETRY));
        self.failures.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    const DAY: u64 = 24 * 60 * 60;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A certificate of thirty days.
    fn schedule(spread: f64) -> Schedule {
        Schedule::new(at(20 * DAY), at(30 * DAY), spread)
    }

    #[test]
    fn renewal_begins_at_two_thirds_and_a_fleet_does_not_come_as_one() {
        for (spread, due) in [(0.0, 20 * DAY), (1.0, 21 * DAY)] {
            let mut schedule = schedule(spread);
            assert_eq!(schedule.look(at(due - 1)), Due::Wait(Duration::from_secs(1)));
            assert_eq!(schedule.look(at(due)), Due::Now);
        }
    }

    #[test]
    fn clock_is_looked_at_every_minute_however_far_the_day_is() {
        assert_eq!(schedule(0.0).look(at(0)), Due::Wait(LOOK));
    }

    #[test]
    fn clock_that_jumps_forward_renews_at_the_next_look() {
        let mut schedule = schedule(0.0);
        assert_eq!(schedule.look(at(DAY)), Due::Wait(LOOK));
        assert_eq!(schedule.look(at(29 * DAY)), Due::Now);
        assert_eq!(schedule.look(at(99 * DAY)), Due::Now, "its clock may be the wrong one");
    }

    #[test]
    fn failed_attempts_are_repeated_slower_and_slower_up_to_an_hour() {
        let mut schedule = schedule(0.0);
        let mut now = at(20 * DAY);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(schedule.look(now), Due::Now);
            schedule.failed(now, None, 1.0);
            let begin = now;
            while let Due::Wait(time) = schedule.look(now) {
                assert!(time <= LOOK);
                now += time;
            }
            waits.push(now.duration_since(begin).unwrap().as_secs() / 60);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn control_plane_is_asked_when_it_wants_to_be_but_never_put_off_for_long() {
        let mut schedule = schedule(0.0);
        let now = at(20 * DAY);
        schedule.failed(now, Some(Duration::from_secs(300)), 0.0);
        assert!(matches!(schedule.look(now + Duration::from_secs(299)), Due::Wait(_)));
        assert_eq!(schedule.look(now + Duration::from_secs(300)), Due::Now);
        schedule.failed(now, Some(Duration::MAX), 0.0);
        assert_eq!(schedule.look(now + LONGEST_RETRY), Due::Now);
    }

    #[test]
    fn clock_that_is_set_back_does_not_put_the_next_attempt_off() {
        let mut schedule = schedule(0.0);
        schedule.failed(at(25 * DAY), None, 1.0);
        assert_eq!(schedule.look(at(21 * DAY)), Due::Now);
    }

    #[test]
    fn failures_are_told_less_and_less_often() {
        let mut schedule = schedule(0.0);
        let told: Vec<_> = (1..=40).filter(|_| schedule.failed(at(0), None, 0.0)).collect();
        assert_eq!(told, [1, 2, 4, 8, 16, 32]);
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_the_next_look_is_within_a_minute(
            moments in proptest::collection::vec((0..u64::from(u32::MAX), any::<bool>(), 0..u64::MAX, 0.0..1.0_f64), 1..50),
        ) {
            let mut schedule = schedule(0.5);
            for (now, fails, asked, jitter) in moments {
                if fails {
                    schedule.failed(at(now), Some(Duration::from_secs(asked)), jitter);
                }
                match schedule.look(at(now)) {
                    Due::Wait(time) => prop_assert!(!time.is_zero() && time <= LOOK),
                    Due::Now => prop_assert!(at(now) >= schedule.due),
                }
            }
        }
    }
}
