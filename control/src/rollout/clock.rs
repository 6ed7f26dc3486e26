//! Notices that somebody set the clock of the machine ahead, or that the machine slept.
//!
//! What a rollout waits for is written down as times of day, so that it outlives a process. Within one, the time that passed
//! is known better.

use crate::store;
use std::time::{Duration, Instant, SystemTime};

/// What the clock may gain between two looks: less is how clocks are kept right.
const STEP: Duration = Duration::from_secs(10);

/// A look at the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// The time of day.
    pub(super) now: SystemTime,
    /// The same moment, of a clock that nobody sets.
    steady: Instant,
}

impl Look {
    /// At this moment.
    pub(super) fn take() -> Self {
        Self { now: store::now(), steady: Instant::now() }
    }

    /// By how much the clock was set ahead since an earlier look, if it was.
    pub(super) fn set_ahead_since(&self, earlier: &Self) -> Option<Duration> {
        let passed = self.steady.duration_since(earlier.steady);
        let gained = self.now.duration_since(earlier.now).ok()?.checked_sub(passed)?;
        (gained > STEP).then_some(gained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_is_set_ahead_is_noticed_and_one_that_is_kept_right_is_not() {
        let look = Look::take();
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
        let later = |wall: Duration, steady: Duration| Look { now: look.now + wall, steady: look.steady + steady };
        assert_eq!(later(day, day).set_ahead_since(&look), None);
        assert_eq!(later(day + second, day).set_ahead_since(&look), None);
        assert_eq!(later(day + second, second).set_ahead_since(&look), Some(day));
        assert_eq!(later(second, day).set_ahead_since(&look), None);
        assert_eq!(Look { now: look.now - day, ..look }.set_ahead_since(&look), None);
    }
}
