//! Tells a pool that sends too much from one that is busy for a moment.
//!
//! Source: stratum-client D3.

use std::time::Duration;
use tokio::time::Instant;

/// Counts the seconds in a row with too many messages.
pub(super) struct Flood {
    second: Instant,
    messages: u32,
    full_seconds: u32,
}

impl Flood {
    pub(super) fn new(now: Instant) -> Self {
        Self { second: now, messages: 0, full_seconds: 0 }
    }

    /// A message came. Whether more than `per_second` came in each of the last `seconds`.
    pub(super) fn is_one(&mut self, now: Instant, per_second: u32, seconds: u32) -> bool {
        let elapsed = now.duration_since(self.second);
        if elapsed >= Duration::from_secs(1) {
            let in_a_row = elapsed < Duration::from_secs(2) && self.messages > per_second;
            self.full_seconds = if in_a_row { self.full_seconds + 1 } else { 0 };
            self.second = now;
            self.messages = 0;
        }
        self.messages = self.messages.saturating_add(1);
        self.full_seconds >= seconds
    }
}
