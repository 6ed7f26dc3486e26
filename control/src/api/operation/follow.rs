//! Following an operation: all of it, then those targets that changed, to its end.

use super::{failure, message::message, shown::Shown};
use crate::operation::OperationState;
use mujina_proto::control::v1;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tonic::Status;

/// Least time between two messages, so that a thousand targets do not make a thousand of them.
const PACE: Duration = Duration::from_millis(50);

/// A reader, between two messages. It costs one message at a time.
pub(super) struct Following {
    shown: Shown,
    id: String,
    changes: watch::Receiver<u64>,
    /// The revision that was told; `None` = nothing was.
    seen: Option<u64>,
    has_ended: bool,
    told_at: Instant,
}

impl Following {
    pub(super) fn new(shown: Shown, id: String, changes: watch::Receiver<u64>) -> Self {
        Self { shown, id, changes, seen: None, has_ended: false, told_at: Instant::now() }
    }

    /// The next message; `None` after the end.
    pub(super) async fn next(mut self) -> Option<(Result<v1::WatchOperationResponse, Status>, Self)> {
        loop {
            if self.has_ended {
                return None;
            }
            if self.seen.is_some() {
                self.changes.changed().await.ok()?;
                sleep_until(self.told_at + PACE).await;
            }
            self.changes.borrow_and_update();
            let found = match self.seen {
                None => self.shown.get(&self.id).await,
                Some(seen) => self.shown.since(&self.id, seen).await,
            };
            let operation = match found {
                Ok(operation) => operation,
                Err(error) => {
                    self.has_ended = true;
                    return Some((Err(failure(&error).into()), self));
                }
            };
            self.has_ended = operation.state != OperationState::Running;
            if self.seen.is_some_and(|seen| operation.revision <= seen) && !self.has_ended {
                continue;
            }
            let snapshot = self.seen.is_none();
            (self.seen, self.told_at) = (Some(operation.revision), Instant::now());
            let answer = v1::WatchOperationResponse { operation: Some(message(operation)), snapshot };
            return Some((Ok(answer), self));
        }
    }
}
