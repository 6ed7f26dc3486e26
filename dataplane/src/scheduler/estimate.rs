//! Estimates hash rates from verified nonces: each one proves the expected hashes of the ticket target it was found at.
//!
//! [`Estimator`] serves `ledger`: sliding windows for people. [`Pace`] serves the scheduler's own decisions (ticket
//! targets, the rate told to pools): how fast a thread is while it hashes. Both are pure: the caller says what time it is.

use mujina_core::{
    share::{RATE_WINDOWS, RateEstimate},
    units::{HashRate, Work},
};
use std::time::{Duration, Instant};

/// Whole buckets of a window. A window therefore reaches up to 1/60 further back than its name says; the rate is taken
/// over the exact time, so that this is no bias.
const BUCKETS: u64 = 60;
/// The whole ones and the one that is being filled.
const RING: usize = 61;

/// Rates over all of [`RATE_WINDOWS`]. Memory is fixed, about 6 KiB.
#[derive(Debug, Clone)]
pub(crate) struct Estimator {
    start: Instant,
    rings: [Ring; RATE_WINDOWS.len()],
}

#[derive(Debug, Clone)]
struct Ring {
    window: Duration,
    /// Number of the newest bucket that was written, counted from the start.
    newest: u64,
    buckets: [Bucket; RING],
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    work: f64,
    nonces: u64,
}

impl Estimator {
    /// Begins to observe.
    pub(crate) fn new(start: Instant) -> Self {
        let ring = |window| Ring { window, newest: 0, buckets: [Bucket::default(); RING] };
        Self { start, rings: RATE_WINDOWS.map(ring) }
    }

    /// Counts one nonce that proves `work` expected hashes.
    pub(crate) fn add(&mut self, work: f64, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start);
        for ring in &mut self.rings {
            ring.add(work, elapsed);
        }
    }

    /// One estimate per window, the shortest first.
    pub(crate) fn estimates(&self, now: Instant) -> Vec<RateEstimate> {
        let elapsed = now.saturating_duration_since(self.start);
        self.rings.iter().map(|ring| ring.estimate(elapsed)).collect()
    }
}

impl Ring {
    fn add(&mut self, work: f64, elapsed: Duration) {
        // A time before the newest bucket cannot come from a monotonic clock; it counts as now.
        let number = self.number(elapsed).max(self.newest);
        let first = (self.newest + 1).max(number.saturating_sub(BUCKETS));
        for fresh in first..=number {
            *self.bucket_mut(fresh) = Bucket::default();
        }
        self.newest = number;
        let bucket = self.bucket_mut(number);
        bucket.work += work;
        bucket.nonces += 1;
    }

    fn estimate(&self, elapsed: Duration) -> RateEstimate {
        let oldest = self.number(elapsed).saturating_sub(BUCKETS);
        let begin = self.length().mul_f64(oldest as f64);
        let covered = elapsed.saturating_sub(begin);
        let (mut work, mut nonces) = (0.0, 0);
        for number in oldest..=self.newest {
            let bucket = self.bucket(number);
            work += bucket.work;
            nonces += bucket.nonces;
        }
        RateEstimate {
            window: self.window,
            observed: covered.min(self.window),
            hash_rate: Work::from_hashes(work).rate_over(covered),
            shares: nonces,
            relative_standard_error: (nonces > 0).then(|| 1.0 / (nonces as f64).sqrt()),
        }
    }

    fn length(&self) -> Duration {
        self.window / u32::try_from(BUCKETS).expect("60 fits")
    }

    fn number(&self, elapsed: Duration) -> u64 {
        u64::try_from(elapsed.as_nanos() / self.length().as_nanos()).unwrap_or(u64::MAX)
    }

    fn place(number: u64) -> usize {
        usize::try_from(number % (BUCKETS + 1)).expect("below 61 by construction")
    }

    fn bucket(&self, number: u64) -> Bucket {
        self.buckets.get(Self::place(number)).copied().expect("below 61 by construction")
    }

    fn bucket_mut(&mut self, number: u64) -> &mut Bucket {
        self.buckets.get_mut(Self::place(number)).expect("below 61 by construction")
    }
}

/// Age at which a pace forgets half of what it knows, so that it follows a thread that became slower.
const FORGET_AFTER: Duration = Duration::from_secs(120);

/// How fast one thread is since it began to hash; pauses do not count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    since: Instant,
    work: f64,
    nonces: f64,
}

impl Pace {
    pub(super) fn new(since: Instant) -> Self {
        Self { since, work: 0.0, nonces: 0.0 }
    }

    pub(super) fn add(&mut self, work: f64, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age > FORGET_AFTER {
            self.since += age / 2;
            self.work /= 2.0;
            self.nonces /= 2.0;
        }
        self.work += work;
        self.nonces += 1.0;
    }

    /// The rate, and its standard error as part of it. Absent before the first nonce.
    pub(super) fn rate(&self, now: Instant) -> Option<(HashRate, f64)> {
        let age = now.saturating_duration_since(self.since);
        let rate = Work::from_hashes(self.work).rate_over(age)?;
        (self.nonces >= 1.0).then(|| (rate, 1.0 / self.nonces.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    const WORK: f64 = 1e6;

    /// Feeds nonces at `per_second`, Poisson distributed, for `seconds`.
    fn fed(seed: u64, per_second: f64, seconds: f64) -> (Estimator, Instant) {
        let start = Instant::now();
        let mut random = StdRng::seed_from_u64(seed);
        let mut estimator = Estimator::new(start);
        let mut at = 0.0;
        loop {
            at -= (1.0 - random.random::<f64>()).ln() / per_second;
            if at > seconds {
                return (estimator, start + Duration::from_secs_f64(seconds));
            }
            estimator.add(WORK, start + Duration::from_secs_f64(at));
        }
    }

    #[test]
    fn nothing_is_known_at_the_start() {
        let start = Instant::now();
        let at_once = Estimator::new(start).estimates(start);
        assert!(at_once.iter().all(|estimate| estimate.hash_rate.is_none() && estimate.observed.is_zero()));
        let later = Estimator::new(start).estimates(start + Duration::from_secs(10));
        assert_eq!(later[0].observed, RATE_WINDOWS[0]);
        assert_eq!(later[1].observed, Duration::from_secs(10));
        assert!(later.iter().all(|estimate| estimate.hash_rate == Some(HashRate::ZERO) && estimate.shares == 0));
        assert!(later.iter().all(|estimate| estimate.relative_standard_error.is_none()));
    }

    #[test]
    fn first_nonce_counts_over_the_time_since_the_start() {
        let start = Instant::now();
        let mut estimator = Estimator::new(start);
        estimator.add(WORK, start + Duration::from_millis(500));
        let estimates = estimator.estimates(start + Duration::from_secs(2));
        for estimate in estimates {
            assert_eq!(estimate.hash_rate, Some(HashRate::from_hashes_per_second(WORK / 2.0)));
            assert_eq!((estimate.shares, estimate.relative_standard_error), (1, Some(1.0)));
        }
    }

    #[test]
    fn silence_empties_the_windows_one_after_the_other() {
        let (estimator, end) = fed(1, 10.0, 100.0);
        let counts = |at: Instant| estimator.estimates(at).iter().map(|estimate| estimate.shares).collect::<Vec<_>>();
        let later = counts(end + Duration::from_secs(6));
        assert_eq!(later[0], 0);
        assert!(later[1] > 0 && later[1] < later[2]);
        let much_later = counts(end + Duration::from_secs(16 * 60));
        assert_eq!(much_later[..4], [0; 4]);
        assert!(much_later[4] > 0 && much_later[4] == much_later[5]);
        assert_eq!(counts(end + Duration::from_secs(48 * 3600)), [0; 6]);
    }

    #[test]
    fn whole_day_is_kept_in_the_longest_window() {
        let (estimator, end) = fed(2, 0.5, 30.0 * 3600.0);
        let day = estimator.estimates(end)[5];
        let expected = 0.5 * 24.0 * 3600.0;
        assert!((day.shares as f64 - expected).abs() < expected / 60.0 + 4.0 * expected.sqrt(), "{day:?}");
        assert_eq!(day.observed, RATE_WINDOWS[5]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]
        #[test]
        fn estimate_lies_within_four_standard_errors(seed: u64, per_second in 5.0..50.0_f64, seconds in 3.0..400.0_f64) {
            let (estimator, end) = fed(seed, per_second, seconds);
            let truth = per_second * WORK;
            for (estimate, window) in estimator.estimates(end).into_iter().zip(RATE_WINDOWS) {
                let expected = per_second * seconds.min(window.as_secs_f64());
                let rate = estimate.hash_rate.unwrap().hashes_per_second();
                // The error of the estimate by what is true, and the one it states by what it counted.
                prop_assert!((rate / truth - 1.0).abs() < 4.0 / expected.sqrt() + 0.02, "{estimate:?} of {truth}");
                let stated = estimate.relative_standard_error.unwrap();
                prop_assert!((stated * (estimate.shares as f64).sqrt() - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn pace_follows_a_thread_that_became_slower() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!(pace.rate(start + Duration::from_secs(1)).is_none());
        let mut at = start;
        for (gap, nonces) in [(Duration::from_millis(100), 1200), (Duration::from_millis(400), 3000)] {
            for _ in 0..nonces {
                at += gap;
                pace.add(WORK, at);
            }
            let (rate, error) = pace.rate(at).unwrap();
            let truth = WORK / gap.as_secs_f64();
            assert!((rate.hashes_per_second() / truth - 1.0).abs() < 0.05, "{rate} of {truth}");
            assert!(error < 0.1);
        }
    }
}
