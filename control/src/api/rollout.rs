//! Rollouts, planned, steered and followed.

mod follow;
mod message;

use super::{
    Answers, Parts, approver, bad_token,
    follow::Following,
    key, not_apart, page_size, problem,
    profile::{effect, failure as profile_failure, fragment, read},
    refuse,
    spec::failure as spec_failure,
    storage, watch,
};
use crate::{
    access::{Caller, Permission},
    registry::{Registry, select},
    rollout::{ApprovalError, Change, MOST_APPROVALS, Planned, RolloutError, RolloutRequest, Rollouts, Steer},
    store::StoredRollout,
};
use follow::FollowedRollout;
use message::{Shown, message, strategy};
use mujina_core::{
    id::MinerName,
    spec::{Problem, Problems},
};
use mujina_proto::{
    control::v1::{self, rollout_change, rollout_service_server::RolloutService},
    failure::Failure,
};
use std::{collections::BTreeSet, mem};
use tonic::{Code, Request, Response, Status};

/// Longest reason of a person in bytes.
const MAX_REASON: usize = 255;

pub(super) struct Service(pub(super) Parts);

/// What a caller sees of rollouts.
struct Eyes {
    caller: Caller,
    registry: Registry,
}

impl Eyes {
    fn of<T>(service: &Service, request: &Request<T>) -> Result<Self, Failure> {
        Ok(Self { caller: Caller::of(request)?, registry: service.0.registry.clone() })
    }

    /// Miners that are gone are for those who see every miner.
    fn see(&self, miner: &MinerName) -> bool {
        match self.registry.get(miner) {
            Some(miner) => self.caller.sees(&miner.labels()),
            None => self.caller.may(Permission::Read, None).is_ok(),
        }
    }

    /// The targets that are seen.
    fn seen(&self, stored: &StoredRollout) -> BTreeSet<MinerName> {
        stored.rollout.targets.keys().filter(|name| self.see(name)).cloned().collect()
    }

    /// A rollout with its targets, as far as they are seen; `None` = none of them is.
    fn show(&self, stored: &StoredRollout) -> Option<v1::Rollout> {
        let seen = self.seen(stored);
        (!seen.is_empty()).then(|| message(stored, &Shown { seen: &seen, targets: &seen }))
    }
}

impl Service {
    fn rollouts(&self) -> &Rollouts {
        &self.0.rollouts
    }

    async fn get(&self, id: &str, eyes: &Eyes) -> Result<v1::Rollout, Failure> {
        let stored = self.rollouts().get(id).await.map_err(|error| failure(&error))?;
        eyes.show(&stored).ok_or_else(|| failure(&RolloutError::Unknown(id.into())))
    }

    /// Does what a person wants, who must be permitted to for each target, and so sees them all.
    async fn steer<T>(&self, request: &Request<T>, id: &str, steer: Steer) -> Result<Option<v1::Rollout>, Status> {
        let eyes = Eyes::of(self, request)?;
        let stored = self.rollouts().steer(id, steer, eyes.caller.clone()).await.map_err(|error| failure(&error))?;
        let all = stored.rollout.targets.keys().cloned().collect();
        Ok(Some(message(&stored, &Shown { seen: &all, targets: &all })))
    }
}

#[tonic::async_trait]
impl RolloutService for Service {
    async fn plan_rollout(
        &self,
        request: Request<v1::PlanRolloutRequest>,
    ) -> Result<Response<v1::PlanRolloutResponse>, Status> {
        let by = Caller::of(&request)?;
        let mut request = request.into_inner();
        let key = key(&by, mem::take(&mut request.request_id), &request);
        let v1::PlanRolloutRequest { change, strategy: asked, request_id: _, validate_only, approvals } = request;
        if validate_only {
            by.only_checks();
        }
        if approvals > MOST_APPROVALS {
            return Err(refuse(problem("approvals", format!("is {approvals}; use at most {MOST_APPROVALS}"))));
        }
        let missing = || refuse(problem("change", "is missing; give a profile, or a part of a spec with a selection"));
        let v1::RolloutChange { change, selection } = change.ok_or_else(missing)?;
        let (change, miners) = match change.ok_or_else(missing)? {
            rollout_change::Change::Profile(_) if selection.is_some() => {
                let reason = "must be absent with a profile, which selects by itself; leave it out";
                return Err(refuse(problem("change.selection", reason)));
            }
            rollout_change::Change::Profile(profile) => {
                (Change::Profile(read(profile).map_err(Failure::invalid)?), Vec::new())
            }
            rollout_change::Change::Spec(said) => {
                (Change::Spec(fragment(said)), select(&self.0.registry, &selection.unwrap_or_default(), &by)?)
            }
        };
        let strategy = strategy(asked.unwrap_or_default()).map_err(Failure::invalid)?;
        let request = RolloutRequest { change, miners, strategy, key, validate_only, approvals, by };
        let Planned { stored, effects } = self.rollouts().plan(request).await.map_err(|error| failure(&error))?;
        let all = stored.rollout.targets.keys().cloned().collect();
        Ok(Response::new(v1::PlanRolloutResponse {
            rollout: Some(message(&stored, &Shown { seen: &all, targets: &all })),
            effects: effects.into_iter().map(effect).collect(),
        }))
    }

    async fn approve_rollout(
        &self,
        request: Request<v1::ApproveRolloutRequest>,
    ) -> Result<Response<v1::ApproveRolloutResponse>, Status> {
        let (by, approver) = (Caller::of(&request)?, approver(&request)?);
        let mut request = request.into_inner();
        let key = key(&by, mem::take(&mut request.request_id), &request);
        let stored =
            self.rollouts().approve(&request.rollout_id, key, approver, by).await.map_err(|error| failure(&error))?;
        let all = stored.rollout.targets.keys().cloned().collect();
        let rollout = Some(message(&stored, &Shown { seen: &all, targets: &all }));
        Ok(Response::new(v1::ApproveRolloutResponse { rollout }))
    }

    async fn start_rollout(
        &self,
        request: Request<v1::StartRolloutRequest>,
    ) -> Result<Response<v1::StartRolloutResponse>, Status> {
        let rollout = self.steer(&request, &request.get_ref().rollout_id, Steer::Start).await?;
        Ok(Response::new(v1::StartRolloutResponse { rollout }))
    }

    async fn get_rollout(
        &self,
        request: Request<v1::GetRolloutRequest>,
    ) -> Result<Response<v1::GetRolloutResponse>, Status> {
        let rollout = self.get(&request.get_ref().rollout_id, &Eyes::of(self, &request)?).await?;
        Ok(Response::new(v1::GetRolloutResponse { rollout: Some(rollout) }))
    }

    async fn list_rollouts(
        &self,
        request: Request<v1::ListRolloutsRequest>,
    ) -> Result<Response<v1::ListRolloutsResponse>, Status> {
        let eyes = Eyes::of(self, &request)?;
        let v1::ListRolloutsRequest { page_size: asked, page_token } = request.into_inner();
        let most = page_size(asked, 50, 500);
        // The token is the number of the last rollout of the page before.
        let before = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<i64>().map_err(|_| refuse(bad_token()))?),
        };
        let found = self.0.store.rollouts(before, most.saturating_add(1)).await;
        let mut found = found.map_err(|error| storage(&error))?;
        let has_more = found.len() > most;
        found.truncate(most);
        let next_page_token = found.last().filter(|_| has_more).map(|last| last.number.to_string());
        let without_targets = |stored: &StoredRollout| {
            let seen = eyes.seen(stored);
            (!seen.is_empty()).then(|| message(stored, &Shown { seen: &seen, targets: &BTreeSet::new() }))
        };
        Ok(Response::new(v1::ListRolloutsResponse {
            rollouts: found.iter().filter_map(without_targets).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    type WatchRolloutStream = Answers<v1::WatchRolloutResponse>;

    async fn watch_rollout(
        &self,
        request: Request<v1::WatchRolloutRequest>,
    ) -> Result<Response<Self::WatchRolloutStream>, Status> {
        let eyes = Eyes::of(self, &request)?;
        let v1::WatchRolloutRequest { rollout_id: id, resume_token } = request.into_inner();
        let (epoch, rollouts) = (format!("{}/{id}", self.0.store.incarnation()), self.rollouts().clone());
        let changes = rollouts.changes();
        let followed = FollowedRollout { rollouts, eyes, id };
        let following = Following::begin(followed, epoch, changes, &resume_token).await?;
        Ok(Response::new(watch(self.0.cancel.clone(), following, Following::next)))
    }

    async fn pause_rollout(
        &self,
        request: Request<v1::PauseRolloutRequest>,
    ) -> Result<Response<v1::PauseRolloutResponse>, Status> {
        let v1::PauseRolloutRequest { rollout_id, reason } = request.get_ref();
        let rollout = self.steer(&request, rollout_id, Steer::Pause(because(reason, "paused by hand")?)).await?;
        Ok(Response::new(v1::PauseRolloutResponse { rollout }))
    }

    async fn resume_rollout(
        &self,
        request: Request<v1::ResumeRolloutRequest>,
    ) -> Result<Response<v1::ResumeRolloutResponse>, Status> {
        let v1::ResumeRolloutRequest { rollout_id, accept_wave } = request.get_ref();
        let steer = if *accept_wave { Steer::AcceptWave } else { Steer::Resume };
        let rollout = self.steer(&request, rollout_id, steer).await?;
        Ok(Response::new(v1::ResumeRolloutResponse { rollout }))
    }

    async fn abort_rollout(
        &self,
        request: Request<v1::AbortRolloutRequest>,
    ) -> Result<Response<v1::AbortRolloutResponse>, Status> {
        let v1::AbortRolloutRequest { rollout_id, reason } = request.get_ref();
        let rollout = self.steer(&request, rollout_id, Steer::Abort(because(reason, "aborted by hand")?)).await?;
        Ok(Response::new(v1::AbortRolloutResponse { rollout }))
    }

    async fn roll_back_rollout(
        &self,
        request: Request<v1::RollBackRolloutRequest>,
    ) -> Result<Response<v1::RollBackRolloutResponse>, Status> {
        let v1::RollBackRolloutRequest { rollout_id, reason } = request.get_ref();
        let rollout =
            self.steer(&request, rollout_id, Steer::RollBack(because(reason, "rolled back by hand")?)).await?;
        Ok(Response::new(v1::RollBackRolloutResponse { rollout }))
    }
}

fn because(reason: &str, usual: &str) -> Result<String, Status> {
    match reason.len() {
        0 => Ok(usual.into()),
        1..=MAX_REASON => Ok(reason.into()),
        bytes => Err(refuse(problem("reason", format!("has {bytes} bytes; use at most {MAX_REASON}")))),
    }
}

fn failure(error: &RolloutError) -> Failure {
    let precondition = |reason| Failure::new(Code::FailedPrecondition, reason, error.to_string());
    match error {
        RolloutError::Invalid(Problems(problems)) => {
            let inside = |one: &Problem| Problem { field: format!("strategy.{}", one.field), ..one.clone() };
            Failure::invalid(Problems(problems.iter().map(inside).collect()))
        }
        RolloutError::Target(miner, error) => spec_failure(error).with("miner", miner),
        RolloutError::Profile(error) => profile_failure(error),
        RolloutError::Steer(_) => precondition("ROLLOUT_STATE"),
        RolloutError::Approval(ApprovalError::OwnPlan(_)) => {
            Failure::new(Code::PermissionDenied, "OWN_PLAN", error.to_string())
        }
        RolloutError::Approval(ApprovalError::Apart(error)) => not_apart(error),
        RolloutError::Approval(ApprovalError::Missing { missing, .. }) => {
            precondition("APPROVALS_MISSING").with("missing", missing)
        }
        RolloutError::Busy(miner) => precondition("MINER_IN_ROLLOUT").with("miner", miner),
        RolloutError::Outdated(profile) => precondition("PROFILE_CHANGED").with("profile", profile),
        RolloutError::Unknown(_) => Failure::new(Code::NotFound, "ROLLOUT_NOT_FOUND", error.to_string()),
        RolloutError::Denied(denied) => denied.clone().into(),
        RolloutError::Store(error) => storage(error),
    }
}
