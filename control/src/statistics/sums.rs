//! What a span of time amounts to. Pure.

use mujina_core::share::{ShareBucket, ShareTotals};

/// Widths of the sums that are kept, in milliseconds: a minute, an hour, a day, each by the clock of UTC.
pub const RESOLUTIONS: [i64; 3] = [60_000, 60 * 60_000, 24 * 60 * 60_000];

/// Sums over buckets of one miner and pool.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Lengths of the buckets.
    pub length_ms: i64,
    /// Lengths of those that cover a time that no bucket of another pool did.
    pub first_ms: i64,
    /// How many.
    pub buckets: u64,
    /// Shares that were not handed in because a newer block had come.
    pub stale: u64,
    /// Shares handed in.
    pub submitted: u64,
    /// Of them, counted by the pool.
    pub accepted: u64,
    /// Of them, refused.
    pub rejected: u64,
    /// Expected hashes of the shares handed in.
    pub submitted_work: f64,
    /// Expected hashes of those that were counted.
    pub accepted_work: f64,
    /// Hashes that the threads report.
    pub hashes: f64,
}

impl Sums {
    /// Adds a bucket; `first_ms` is its length, or 0 when another pool's bucket covered the same time.
    pub fn add(&mut self, bucket: &ShareBucket, first_ms: i64) {
        let ShareTotals { stale, submitted, accepted, rejected, submitted_work, accepted_work, .. } = &bucket.added;
        let length = i64::try_from(bucket.length.as_millis()).unwrap_or(i64::MAX);
        self.length_ms = self.length_ms.saturating_add(length);
        self.first_ms = self.first_ms.saturating_add(first_ms);
        self.buckets += 1;
        self.stale = self.stale.saturating_add(*stale);
        self.submitted = self.submitted.saturating_add(*submitted);
        self.accepted = self.accepted.saturating_add(*accepted);
        self.rejected = rejected.iter().fold(self.rejected, |sum, (_, count)| sum.saturating_add(count));
        self.submitted_work += submitted_work;
        self.accepted_work += accepted_work;
        self.hashes += bucket.hashes;
    }
}
