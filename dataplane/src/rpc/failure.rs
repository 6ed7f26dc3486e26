//! What the errors of the modules behind the services are on the wire: a gRPC code and a stable reason each.

use crate::{
    backplane::BoardRefusal,
    pool::probe::Busy,
    source::{PinError, ReconnectError},
    spec::SpecError,
    telemetry::HistoryError,
};
use mujina_proto::failure::Failure;
use std::time::Duration;
use tonic::{Code, Status};

/// When a miner that shuts down may be back.
const RESTART: Duration = Duration::from_secs(2);
/// When one of the tests under way may have ended: most take less than a second.
const TEST: Duration = Duration::from_secs(5);

/// The miner is shutting down, or the part of it that was asked has ended already.
pub(super) fn shutting_down() -> Status {
    Failure::new(Code::Unavailable, "SHUTTING_DOWN", "the miner is shutting down; try again once it is up")
        .retry_after(RESTART)
        .into()
}

impl From<SpecError> for Status {
    fn from(error: SpecError) -> Self {
        let message = error.to_string();
        match error {
            SpecError::Invalid(problems) => Failure::invalid(problems),
            SpecError::EtagMismatch { current } => {
                Failure::new(Code::Aborted, "ETAG_MISMATCH", message).with("etag", current)
            }
            SpecError::StaleGeneration { asked, accepted } => Failure::new(Code::Aborted, "STALE_GENERATION", message)
                .with("asked_generation", asked)
                .with("accepted_generation", accepted),
            SpecError::OtherGeneration { asked, current } => Failure::new(Code::Aborted, "OTHER_GENERATION", message)
                .with("asked_generation", asked)
                .with("generation", current),
            SpecError::Storage(_) => Failure::new(Code::Internal, "STORAGE_FAILED", message),
            SpecError::ShuttingDown => return shutting_down(),
        }
        .into()
    }
}

impl From<ReconnectError> for Status {
    fn from(error: ReconnectError) -> Self {
        let message = error.to_string();
        match error {
            ReconnectError::PoolNotFound(pool) => {
                Failure::new(Code::NotFound, "POOL_NOT_FOUND", message).with("pool", pool)
            }
            ReconnectError::NoLivePool => Failure::new(Code::FailedPrecondition, "NO_LIVE_POOL", message),
            ReconnectError::UnderWay(pool) => {
                Failure::new(Code::FailedPrecondition, "RECONNECT_UNDER_WAY", message).with("pool", pool)
            }
            ReconnectError::Failed { pool, message: _ } => {
                Failure::new(Code::Unavailable, "POOL_FAILED", message).with("pool", pool)
            }
            ReconnectError::Superseded(pool) => Failure::new(Code::Aborted, "POOL_CHANGED", message).with("pool", pool),
            ReconnectError::ShuttingDown => return shutting_down(),
        }
        .into()
    }
}

impl From<PinError> for Status {
    fn from(error: PinError) -> Self {
        let message = error.to_string();
        match error {
            PinError::PoolNotFound(pool) => {
                Failure::new(Code::NotFound, "POOL_NOT_FOUND", message).with("pool", pool).into()
            }
            PinError::ShuttingDown => shutting_down(),
        }
    }
}

impl From<Busy> for Status {
    fn from(busy: Busy) -> Self {
        Failure::new(Code::ResourceExhausted, "TOO_MANY_TESTS", busy.to_string()).retry_after(TEST).into()
    }
}

impl From<BoardRefusal> for Status {
    fn from(refusal: BoardRefusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            BoardRefusal::Unknown(board) => {
                Failure::new(Code::NotFound, "BOARD_NOT_FOUND", message).with("board_id", board)
            }
            BoardRefusal::Cannot { board, reason: _ } => {
                Failure::new(Code::FailedPrecondition, "BOARD_REFUSED", message).with("board_id", board)
            }
            BoardRefusal::Stopping => return shutting_down(),
        }
        .into()
    }
}

impl From<HistoryError> for Status {
    fn from(error: HistoryError) -> Self {
        let message = error.to_string();
        match error {
            HistoryError::OtherDatabase { current } => {
                Failure::new(Code::OutOfRange, "OTHER_DATABASE", message).with("database_id", current)
            }
            HistoryError::Unavailable(_) => {
                // It is tried again by itself.
                Failure::new(Code::Unavailable, "STORAGE_FAILED", message).retry_after(Duration::from_secs(10))
            }
            HistoryError::ShuttingDown => return shutting_down(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::{
        id::Generation,
        spec::{Problem, Problems},
    };

    fn told(status: impl Into<Status>) -> (Code, String, bool) {
        let failure = Failure::from(&status.into());
        (failure.code, failure.reason, failure.retry_after.is_some())
    }

    #[test]
    fn every_error_has_its_code_and_reason() {
        let pool = || "main".parse().unwrap();
        let invalid = Problems(vec![Problem { field: "paused".into(), reason: "is odd".into() }]);
        let other = SpecError::OtherGeneration { asked: Generation(1), current: Generation(2) };
        let stale = SpecError::StaleGeneration { asked: Generation(1), accepted: Generation(2) };
        let failed = ReconnectError::Failed { pool: pool(), message: "refused".into() };
        let cannot = BoardRefusal::Cannot { board: "b".parse().unwrap(), reason: "no light".into() };
        for (status, code, reason, retry) in [
            (Status::from(SpecError::Invalid(invalid)), Code::InvalidArgument, "INVALID_ARGUMENT", false),
            (SpecError::EtagMismatch { current: "e".into() }.into(), Code::Aborted, "ETAG_MISMATCH", false),
            (stale.into(), Code::Aborted, "STALE_GENERATION", false),
            (other.into(), Code::Aborted, "OTHER_GENERATION", false),
            (SpecError::Storage("full".into()).into(), Code::Internal, "STORAGE_FAILED", false),
            (SpecError::ShuttingDown.into(), Code::Unavailable, "SHUTTING_DOWN", true),
            (ReconnectError::PoolNotFound(pool()).into(), Code::NotFound, "POOL_NOT_FOUND", false),
            (ReconnectError::NoLivePool.into(), Code::FailedPrecondition, "NO_LIVE_POOL", false),
            (ReconnectError::UnderWay(pool()).into(), Code::FailedPrecondition, "RECONNECT_UNDER_WAY", false),
            (failed.into(), Code::Unavailable, "POOL_FAILED", false),
            (ReconnectError::Superseded(pool()).into(), Code::Aborted, "POOL_CHANGED", false),
            (ReconnectError::ShuttingDown.into(), Code::Unavailable, "SHUTTING_DOWN", true),
            (PinError::PoolNotFound(pool()).into(), Code::NotFound, "POOL_NOT_FOUND", false),
            (PinError::ShuttingDown.into(), Code::Unavailable, "SHUTTING_DOWN", true),
            (BoardRefusal::Unknown("b".into()).into(), Code::NotFound, "BOARD_NOT_FOUND", false),
            (cannot.into(), Code::FailedPrecondition, "BOARD_REFUSED", false),
            (BoardRefusal::Stopping.into(), Code::Unavailable, "SHUTTING_DOWN", true),
            (Busy.into(), Code::ResourceExhausted, "TOO_MANY_TESTS", true),
            (HistoryError::OtherDatabase { current: "d".into() }.into(), Code::OutOfRange, "OTHER_DATABASE", false),
            (HistoryError::Unavailable("full".into()).into(), Code::Unavailable, "STORAGE_FAILED", true),
            (HistoryError::ShuttingDown.into(), Code::Unavailable, "SHUTTING_DOWN", true),
        ] {
            assert_eq!(told(status), (code, reason.to_owned(), retry));
        }
    }

    #[test]
    fn facts_for_machines_travel_along() {
        let mismatch = Status::from(SpecError::EtagMismatch { current: "e7".into() });
        assert_eq!(Failure::from(&mismatch).facts.get("etag").map(String::as_str), Some("e7"));
    }
}
