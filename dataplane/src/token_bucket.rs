//! Lets events pass at a rate: the flood cap of shares, dispatches of jobs. Pure.

use std::time::{Duration, Instant};

/// Lets events pass at a rate, with some in reserve.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    pub(crate) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self { per_second, burst, tokens: burst, filled_at: now }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.filled_at = self.filled_at.max(now);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.per_second).min(self.burst);
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }

    /// When the next can be taken, at the latest.
    pub(crate) fn next_at(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        // A microsecond more than it takes, so that rounding cannot leave it just short.
        self.filled_at + Duration::from_secs_f64(missing / self.per_second) + Duration::from_micros(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bucket_never_lets_more_pass_than_burst_and_rate(steps in proptest::collection::vec((0..500_u64, 1..20_u32), 1..100)) {
            let start = Instant::now();
            let mut bucket = TokenBucket::new(20.0, 100.0, start);
            let (mut at, mut passed) = (start, 0_u32);
            for (millis, tries) in steps {
                at += Duration::from_millis(millis);
                let before = passed;
                passed += u32::try_from((0..tries).filter(|_| bucket.take(at)).count()).unwrap();
                prop_assert!(f64::from(passed) <= 100.0 + (at - start).as_secs_f64() * 20.0 + 1e-6);
                if passed - before < tries {
                    prop_assert!(bucket.next_at() > at && bucket.take(bucket.next_at()));
                    passed += 1;
                    at = bucket.next_at();
                }
            }
        }
    }
}
