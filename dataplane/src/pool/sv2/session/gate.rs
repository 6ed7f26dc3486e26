//! Passes jobs on no faster than the rest of the miner can use them: of more, the newest counts.
//!
//! Source: stratum-client D12, D14, D27. A job that never got out was never hashed, so nothing is lost with it; and what
//! queues up behind us stays small however large the jobs are.

use crate::{job::Job, token_bucket::TokenBucket};
use std::time::Instant;

/// The gate of one channel.
#[derive(Debug)]
pub(super) struct JobGate {
    bucket: TokenBucket,
    waiting: Option<Box<Job>>,
}

impl JobGate {
    /// `rate` jobs a second in the long run, and as many at once.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { bucket: TokenBucket::new(rate.into(), rate.into(), now), waiting: None }
    }

    /// The job, if it may pass at once; otherwise it waits in place of the one before.
    pub(super) fn offer(&mut self, job: Box<Job>, now: Instant) -> Option<Box<Job>> {
        if self.bucket.take(now) {
            self.waiting = None;
            return Some(job);
        }
        self.waiting = Some(job);
        None
    }

    /// What waits is void.
    pub(super) fn clear(&mut self) {
        self.waiting = None;
    }

    /// When to call `take`.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|_| self.bucket.next_at())
    }

    /// The job that waits, if its time has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<Box<Job>> {
        if self.waiting.is_some() && self.bucket.take(now) { self.waiting.take() } else { None }
    }
}
