//! How patient the source is: times and counts that an operator may change.

use crate::pool::backoff::Delays;
use std::time::Duration;

/// When pools are left, returned to and taken turns with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcePolicy {
    /// Failures in a row after which the next pool is tried as well (stratum-client R5).
    pub patience_failures: u32,
    /// Time without a usable job after which the next pool is tried as well (stratum-client R5).
    pub patience_time: Duration,
    /// How long a pool that had failed must hold a job before work returns to it (stratum-client R5).
    pub return_after: Duration,
    /// How long the first work waits for a preferred pool that has not failed yet, when another was quicker.
    pub grace: Duration,
    /// How long a pool that refused too many shares is passed over (stratum-client A6).
    pub shun: Duration,
    /// Mean time between shares from which on a pool's target is too hard (stratum-client D9).
    pub hard_target: Duration,
    /// How long that is put up with: pools take a while to find a miner's rate.
    pub hard_target_patience: Duration,
    /// Least time that a pool of a quota group is worked for at a stretch.
    pub quota_slice: Duration,
    /// How long a pool that failed is left alone.
    pub delays: Delays,
}

impl Default for SourcePolicy {
    fn default() -> Self {
        Self {
            patience_failures: 3,
            patience_time: Duration::from_secs(60),
            return_after: Duration::from_secs(600),
            grace: Duration::from_secs(2),
            shun: Duration::from_secs(600),
            hard_target: Duration::from_secs(3600),
            hard_target_patience: Duration::from_secs(1800),
            quota_slice: Duration::from_secs(60),
            delays: Delays::default(),
        }
    }
}
