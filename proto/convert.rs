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
    let refuse = || Problem { field: field.into(), reason: "is no duration from zero up; give one such as 5s".into() };
    let read = |duration: prost_types::Duration| {
        // Before it is converted: the conversion negates what is below zero, which the least number does not survive.
        if duration.seconds < 0 || duration.nanos < 0 {
            return Err(refuse());
        }
        duration.try_into().map_err(|_| refuse())
    };
    duration.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_from_outside_is_read_or_refused_whatever_its_numbers() {
        let read = |seconds, nanos| length("wait", Some(prost_types::Duration { seconds, nanos }));
        assert_eq!(length("wait", None), Ok(None));
        assert_eq!(read(5, 500_000_000), Ok(Some(Duration::from_millis(5500))));
        assert!(read(i64::MAX, i32::MAX).unwrap().is_some());
        for (seconds, nanos) in [(i64::MIN, 0), (i64::MIN, i32::MIN), (-1, 0), (0, -1), (0, i32::MIN), (-1, 1), (1, -1)]
        {
            assert_eq!(read(seconds, nanos).unwrap_err().field, "wait", "{seconds} s {nanos} ns");
        }
    }
}
