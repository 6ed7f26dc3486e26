//! Notices a pool that refuses what it is sent (stratum-client A6).   One per connection, fed with verdicts by `state`.

use std::time::{Duration, Instant};

/// Verdicts that are looked at together, and the time after which fewer will do.
const SHARES: u32 = 50;
const SPAN: Duration = Duration::from_secs(300);
/// Fewer than this say nothing, however long they took.
const LEAST: u32 = 10;

/// Verdicts since the last look.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    judged: u32,
    rejected: u32,
    since: Option<Instant>,
}

impl Rejects {
    /// Counts a verdict. `Some` with rejected and judged shares when more than half of enough were refused.
    pub(super) fn judged(&mut self, rejected: bool, now: Instant) -> Option<(u32, u32)> {
        let since = *self.since.get_or_insert(now);
        self.judged += 1;
        self.rejected += u32::from(rejected);
        let long = now.saturating_duration_since(since) >= SPAN && self.judged >= LEAST;
        if self.judged < SHARES && !long {
            return None;
        }
        let Self { judged, rejected, .. } = std::mem::take(self);
        (rejected > judged / 2).then_some((rejected, judged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A6
    #[test]
    fn storm_is_more_than_half_of_fifty_shares_or_of_five_minutes() {
        let now = Instant::now();
        let mut rejects = Rejects::default();
        let storms: Vec<_> = (0..100).filter_map(|at| rejects.judged(at % 3 != 0, now)).collect();
        assert_eq!(storms, [(33, 50), (33, 50)]);
        let mut slow = Rejects::default();
        let minute = Duration::from_secs(60);
        let at = (0..20).find(|at| slow.judged(true, now + minute * *at).is_some());
        assert_eq!(at, Some(9), "five minutes are over, and ten shares are enough");
    }

    #[test]
    fn half_or_less_is_no_storm() {
        let mut rejects = Rejects::default();
        assert!((0..1000).all(|at| rejects.judged(at % 2 == 0, Instant::now()).is_none()));
    }
}
