//! How a pool is pinned.

use crate::rpc::check::{Checks, Refused};
use mujina_core::id::PoolName;
use mujina_proto::{convert, dataplane::v1};
use std::time::Duration;

/// Shortest pin: less would end before the pool is connected.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest pin: who wants a pool for longer writes it into the spec.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn read(request: v1::PinPoolRequest) -> Result<(PoolName, Duration), Refused> {
    let v1::PinPoolRequest { pool, duration } = request;
    let mut checks = Checks::default();
    let pool = pool.parse::<PoolName>().map_err(|error| checks.refuse("pool", error.to_string())).ok();
    let duration = match convert::length("duration", duration) {
        Ok(Some(duration)) if (SHORTEST..=LONGEST).contains(&duration) => Some(duration),
        Ok(Some(_)) => {
            checks.refuse("duration", "is out of range; use 1s to 7d, and the order of the spec for longer");
            None
        }
        Ok(None) => {
            checks.refuse("duration", "is missing; say for how long, from 1s to 7d");
            None
        }
        Err(problem) => {
            checks.refuse("duration", problem.reason);
            None
        }
    };
    checks.done()?;
    pool.zip(duration).ok_or_else(|| Refused(mujina_core::spec::Problems(Vec::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::check::fields;

    fn request(pool: &str, seconds: Option<i64>) -> v1::PinPoolRequest {
        let duration = seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        v1::PinPoolRequest { pool: pool.into(), duration }
    }

    #[test]
    fn name_and_length_are_read_up_to_their_limits() {
        for seconds in [1, 3600, 604_800] {
            let (pool, duration) = read(request("main", Some(seconds))).unwrap();
            assert_eq!((pool.as_str(), i64::try_from(duration.as_secs()).unwrap()), ("main", seconds));
        }
    }

    #[test]
    fn all_problems_are_reported_together() {
        for seconds in [None, Some(0), Some(-1), Some(604_801)] {
            assert_eq!(fields(&read(request("No Name", seconds)).unwrap_err()), ["pool", "duration"], "{seconds:?}");
        }
    }
}
