//! How a board is asked to show where it is.

use super::read_board;
use crate::rpc::check::{Checks, Refused};
use mujina_core::{id::BoardId, spec::Problems};
use mujina_proto::{convert, dataplane::v1};
use std::time::Duration;

/// Longest time: who has not found a board by then begins anew.
const LONGEST: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) board: BoardId,
    /// Zero ends it.
    pub(super) duration: Duration,
}

pub(super) fn read(request: v1::LocateRequest) -> Result<Wanted, Refused> {
    let v1::LocateRequest { board_id, duration } = request;
    let mut checks = Checks::default();
    let board = read_board(&mut checks, &board_id);
    let duration = match convert::length("duration", duration) {
        Ok(Some(duration)) if duration <= LONGEST => Some(duration),
        Ok(Some(_)) => {
            checks.refuse("duration", "is out of range; use up to 1h, or zero to end it");
            None
        }
        Ok(None) => {
            checks.refuse("duration", "is missing; say for how long, up to 1h, or zero to end it");
            None
        }
        Err(problem) => {
            checks.refuse("duration", problem.reason);
            None
        }
    };
    checks.done()?;
    let wanted = board.zip(duration).map(|(board, duration)| Wanted { board, duration });
    wanted.ok_or_else(|| Refused(Problems(Vec::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::check::fields;

    fn request(board: &str, seconds: Option<i64>) -> v1::LocateRequest {
        let duration = seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        v1::LocateRequest { board_id: board.into(), duration }
    }

    #[test]
    fn up_to_an_hour_is_taken_and_zero_ends_it() {
        for seconds in [0, 1, 3600] {
            let Wanted { board, duration } = read(request("gamma-1", Some(seconds))).unwrap();
            assert_eq!((board.as_str(), i64::try_from(duration.as_secs()).unwrap()), ("gamma-1", seconds));
        }
    }

    #[test]
    fn bad_id_and_bad_duration_are_reported_together() {
        for seconds in [None, Some(-1), Some(3601)] {
            let refused = read(request("No Board", seconds)).unwrap_err();
            assert_eq!(fields(&refused), ["board_id", "duration"], "{seconds:?}");
        }
    }
}
