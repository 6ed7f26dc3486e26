//! An operation as it is followed.

use super::{failure, message::message, shown::Shown};
use crate::{
    api::follow::{Followed, Found, Told},
    operation::OperationState,
};
use mujina_proto::{control::v1, failure::Failure};

/// An operation, as one caller sees it.
pub(super) struct FollowedOperation {
    pub(super) shown: Shown,
    pub(super) id: String,
}

impl Followed for FollowedOperation {
    type Message = v1::Operation;
    type Answer = v1::WatchOperationResponse;

    async fn read(&self, seen: Option<u64>) -> Result<Found<v1::Operation>, Failure> {
        let operation = self.shown.since(&self.id, seen).await.map_err(|error| failure(&error))?;
        let (revision, has_ended) = (operation.revision, operation.state != OperationState::Running);
        Ok(Found { revision, has_ended, message: message(operation) })
    }

    fn answer(operation: v1::Operation, told: Told) -> v1::WatchOperationResponse {
        let Told { snapshot, resume_token, gap } = told;
        v1::WatchOperationResponse { operation: Some(operation), snapshot, resume_token, gap }
    }
}
