//! Percentiles of the newest verdict latencies of a pool.

use mujina_core::status::LatencySummary;
use std::{collections::VecDeque, time::Duration};

/// Verdicts that are looked at: enough for a 99th percentile, few enough to sort at every snapshot.
const WINDOW: usize = 512;

/// A bounded window of durations.
#[derive(Debug, Default)]
pub(super) struct Latencies(VecDeque<Duration>);

impl Latencies {
    pub(super) fn extend(&mut self, latency: Option<Duration>) {
        self.0.extend(latency);
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
    }

    pub(super) fn summary(&self) -> LatencySummary {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        // Nearest rank: the least value that at least so many per cent do not exceed.
        let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let count = u64::try_from(sorted.len()).expect("a length fits");
        LatencySummary { count, p50: rank(50), p99: rank(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_newest_verdicts() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.summary(), LatencySummary::default());
        for millis in (1..=5000).rev() {
            latencies.extend(Some(Duration::from_millis(millis)));
        }
        latencies.extend(None);
        let LatencySummary { count, p50, p99 } = latencies.summary();
        assert_eq!((count, p50, p99), (512, Some(Duration::from_millis(256)), Some(Duration::from_millis(507))));
    }
}
