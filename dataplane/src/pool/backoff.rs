//! How long to wait before a pool is tried again.   Called by `source`; randomness comes from there.

use super::Recovery;
use std::time::Duration;

/// Delays between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// First delay after a failure that may pass soon (stratum-client R5).
    pub first: Duration,
    /// Longest delay after such failures.
    pub longest: Duration,
    /// First delay after a failure that only a person, a clock or a certificate can mend (stratum-client N5, 6.6).
    pub slow_first: Duration,
    /// Longest delay after such failures.
    pub slow_longest: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            slow_first: Duration::from_secs(30),
            slow_longest: Duration::from_secs(300),
        }
    }
}

impl Delays {
    /// The delay before the next attempt, doubled with each of the `failures` in a row (1 = the first), times 0.5 to 1 by
    /// `jitter` in 0..1, so that a fleet does not return as one. `None` when another attempt makes no sense.
    #[must_use]
    pub fn delay(&self, recovery: Recovery, failures: u32, jitter: f64) -> Option<Duration> {
        let (first, longest) = match recovery {
            Recovery::Retry => (self.first, self.longest),
            Recovery::Park => (self.slow_first, self.slow_longest),
            Recovery::Stop => return None,
        };
        let doubled = first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        Some(doubled.min(longest).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(recovery: Recovery, failures: u32, jitter: f64) -> Option<Duration> {
        Delays::default().delay(recovery, failures, jitter)
    }

    #[test]
    fn delays_double_up_to_a_minute() {
        let seconds: Vec<_> = (1..=8).map(|n| delay(Recovery::Retry, n, 1.0).unwrap().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delay(Recovery::Retry, u32::MAX, 1.0), Some(Duration::from_secs(60)));
    }

    #[test]
    fn other_delays_are_kept_to() {
        let delays = Delays { first: Duration::from_secs(3), longest: Duration::from_secs(10), ..Delays::default() };
        let seconds: Vec<_> = (1..=4).map(|n| delays.delay(Recovery::Retry, n, 1.0).unwrap().as_secs()).collect();
        assert_eq!(seconds, [3, 6, 10, 10]);
    }

    #[test]
    fn parked_pools_wait_half_a_minute_to_five() {
        assert_eq!(delay(Recovery::Park, 1, 1.0), Some(Duration::from_secs(30)));
        assert_eq!(delay(Recovery::Park, 9, 0.0), Some(Duration::from_secs(150)));
        assert_eq!(delay(Recovery::Stop, 1, 0.5), None);
    }
}
