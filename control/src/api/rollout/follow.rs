//! A rollout as it is followed.

use super::{
    Eyes, failure,
    message::{Shown, message},
};
use crate::{
    api::follow::{Followed, Found, Told},
    rollout::{RolloutError, Rollouts, Status as Course},
};
use mujina_proto::{control::v1, failure::Failure};

/// A rollout, as one caller sees it.
pub(super) struct FollowedRollout {
    pub(super) rollouts: Rollouts,
    pub(super) eyes: Eyes,
    pub(super) id: String,
}

impl Followed for FollowedRollout {
    type Message = v1::Rollout;
    type Answer = v1::WatchRolloutResponse;

    async fn read(&self, seen: Option<u64>) -> Result<Found<v1::Rollout>, Failure> {
        let (stored, written) = self.rollouts.since(&self.id, seen).await.map_err(|error| failure(&error))?;
        let seen = self.eyes.seen(&stored);
        if seen.is_empty() {
            return Err(failure(&RolloutError::Unknown(self.id.clone())));
        }
        let targets = seen.intersection(&written).cloned().collect();
        let has_ended = matches!(stored.rollout.course.status, Course::Finished { .. });
        let message = message(&stored, &Shown { seen: &seen, targets: &targets });
        Ok(Found { revision: stored.revision, has_ended, message })
    }

    fn answer(rollout: v1::Rollout, told: Told) -> v1::WatchRolloutResponse {
        let Told { snapshot, resume_token, gap } = told;
        v1::WatchRolloutResponse { rollout: Some(rollout), snapshot, resume_token, gap }
    }
}
