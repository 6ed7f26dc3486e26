//! Bounds of the scheduler in one place.   Source: stratum-client 2.2 and 6.6; the configuration may set them.

use std::time::Duration;

/// Bounds per connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Header hashes of a tip that are remembered (U7).
    pub seen_hashes: usize,
    /// Shares per second that a connection sends in the long run (U10).
    pub share_rate: f64,
    /// Shares that it sends at once (U10).
    pub share_burst: f64,
    /// Dispatches that jobs may cause, per second and at once (D12, D14).
    pub dispatch_rate: f64,
    /// Expected shares without a single one that are no bad luck any more (L4): with 20 it would take half a billion
    /// shares to see that once by chance.
    pub starvation_shares: f64,
    /// Least time for that (L4).
    pub starvation_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seen_hashes: 4096,
            share_rate: 20.0,
            share_burst: 100.0,
            dispatch_rate: 20.0,
            starvation_shares: 20.0,
            starvation_time: Duration::from_secs(60),
        }
    }
}
