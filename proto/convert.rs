//! Messages from and to the values of `mujina-core`. Once, for the three programs that need it.
//!
//! Values become messages with `From`; messages become values with `TryFrom` where they may be wrong, and with the checks
//! of the value itself.

pub mod board;
pub mod pool;
pub mod share;
pub mod spec;
pub mod status;

use mujina_core::spec::Problem;
use std::time::{Duration, SystemTime};

/// A time as it travels. Times before the epoch or after the year 9999 do not occur.
#[must_use]
pub fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    time.into()
}

/// A duration as it travels; more than 10,000 years are cut.
#[must_use]
pub fn duration(duration: Duration) -> prost_types::Duration {
    duration.try_into().unwrap_or(prost_types::Duration { seconds: 315_576_000_000, nanos: 0 })
}

/// A time that a peer sent; absent when it is absent or no time.
#[must_use]
pub fn time(timestamp: Option<prost_types::Timestamp>) -> Option<SystemTime> {
    timestamp.and_then(|at| at.try_into().ok())
}

/// A duration that a peer sent.
///
/// # Errors
/// It is negative or out of range; `field` says where.
pub fn length(field: &str, duration: Option<prost_types::Duration>) -> Result<Option<Duration>, Problem> {
    let refuse = |_| Problem { field: field.into(), reason: "is no duration from zero up; give one such as 5s".into() };
    duration.map(|duration| duration.try_into().map_err(refuse)).transpose()
}
