//! Hashing, and no share found: a fault of ours, like a target read from the wrong end.
//!
//! Source: stratum-client L4. Pure. Counts the shares that the computed hashes should have given since the last one.

use super::limits::Limits;
use std::time::Instant;

/// What is expected of one connection.
#[derive(Debug)]
pub(super) struct Starvation {
    since: Instant,
    hashes: u64,
    expected: f64,
    warned: bool,
}

impl Starvation {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, hashes: 0, expected: 0.0, warned: false }
    }

    /// A hash met the share target.
    pub(super) fn fed(&mut self, now: Instant) {
        *self = Self { hashes: self.hashes, ..Self::new(now) };
    }

    /// So many hashes were computed for the connection so far, the newest at `hashes_per_share`. Whether it is time for an
    /// alarm, which comes once.
    pub(super) fn looks(&mut self, hashes: u64, hashes_per_share: f64, limits: &Limits, now: Instant) -> bool {
        let fresh = hashes.saturating_sub(self.hashes);
        self.hashes = hashes;
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let fresh = fresh as f64;
        self.expected += fresh / hashes_per_share;
        let starves = self.expected >= limits.starvation_shares
            && now.saturating_duration_since(self.since) >= limits.starvation_time;
        starves && !std::mem::replace(&mut self.warned, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    // L4
    #[test]
    fn hashes_without_a_share_are_an_alarm_once_and_a_share_ends_it() {
        let (limits, start) = (Limits::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut starvation = Starvation::new(start);
        assert!(!starvation.looks(10_000, 100.0, &limits, at(59)));
        assert!(starvation.looks(10_000, 100.0, &limits, at(60)));
        assert!(!starvation.looks(20_000, 100.0, &limits, at(61)));
        starvation.fed(at(62));
        assert!(!starvation.looks(21_900, 100.0, &limits, at(600)));
        assert!(starvation.looks(22_000, 100.0, &limits, at(601)));
    }
}
