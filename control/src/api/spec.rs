//! Desired states, read and written.

use super::{Parts, key, miner_name, problem, refuse, registry::sync_state, storage, unknown_miner};
use crate::{
    access::Caller,
    reconcile::{Trial, TrialState},
    spec::{DesiredState, Left, SpecError, SpecOutcome, SpecParts, SpecRequest},
};
use mujina_core::spec::{Problem, Problems};
use mujina_proto::{
    control::v1::{self, spec_service_server::SpecService},
    convert::{length, timestamp},
    failure::Failure,
    types,
};
use std::{mem, ops::RangeInclusive, time::Duration};
use tonic::{Code, Request, Response, Status};

/// Times that miners take to prove themselves.
const CONFIRM_WITHIN: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(24 * 60 * 60);

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl SpecService for Service {
    async fn get_spec(&self, request: Request<v1::GetSpecRequest>) -> Result<Response<v1::GetSpecResponse>, Status> {
        let by = Caller::of(&request)?;
        let name = miner_name("miner", &request.into_inner().miner).map_err(refuse)?;
        let miner = self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?;
        by.decide(Some(&miner.labels())).map_err(Failure::from)?;
        let view = miner.view();
        let desired = match miner.desired() {
            Some(desired) => Some(self.message(&desired).await?),
            None => None,
        };
        Ok(Response::new(v1::GetSpecResponse {
            desired,
            confirmed: view.spec_state.as_deref().cloned(),
            sync_state: sync_state(view.agreement.state).into(),
        }))
    }

    async fn apply_spec(
        &self,
        request: Request<v1::ApplySpecRequest>,
    ) -> Result<Response<v1::ApplySpecResponse>, Status> {
        let by = Caller::of(&request)?;
        let request = asked(request.into_inner(), by.clone()).map_err(Failure::invalid)?;
        let is_stored = !request.validate_only;
        if !is_stored {
            by.only_checks();
        }
        let SpecOutcome { desired, changes, previous: _ } =
            self.0.specs.apply(request).await.map_err(|error| failure(&error))?;
        let changes = changes.into_iter().map(Into::into).collect();
        let desired = if is_stored { self.message(&desired).await? } else { message(&desired) };
        Ok(Response::new(v1::ApplySpecResponse { desired: Some(desired), changes }))
    }
}

impl Service {
    /// A desired state with the trial that it stands.
    async fn message(&self, desired: &DesiredState) -> Result<v1::DesiredSpec, Failure> {
        let trial = self.0.store.trial(&desired.miner, desired.generation).await.map_err(|error| storage(&error))?;
        Ok(v1::DesiredSpec { trial: trial.as_ref().map(trial_message), ..message(desired) })
    }
}

fn asked(mut request: v1::ApplySpecRequest, by: Caller) -> Result<SpecRequest, Problems> {
    let key = key(&by, mem::take(&mut request.request_id), &request);
    let v1::ApplySpecRequest { miner, spec, update_mask, etag, request_id: _, validate_only, confirm_within } = request;
    let miner = miner_name("miner", &miner).map_err(one)?;
    let spec = spec.ok_or_else(|| one(problem("spec", "is missing; give the spec or its masked parts")))?;
    let parts = parts(update_mask.map(|mask| mask.paths).unwrap_or_default())?;
    let confirm_within = length("confirm_within", confirm_within).map_err(one)?;
    if confirm_within.is_some_and(|within| !within.is_zero() && !CONFIRM_WITHIN.contains(&within)) {
        let reason = "is not from 10 s to 24 h; give such a time, or zero for no bound";
        return Err(one(problem("confirm_within", reason)));
    }
    let request = SpecRequest::new(miner, spec.into(), parts, by);
    Ok(SpecRequest { etag, key, validate_only, confirm_within, ..request })
}

/// The parts that a mask names; an empty one names all.
fn parts(paths: Vec<String>) -> Result<SpecParts, Problems> {
    if paths.is_empty() {
        return Ok(SpecParts::ALL);
    }
    let mut parts = SpecParts::NONE;
    let mut problems = Vec::new();
    for path in paths {
        match path.as_str() {
            "pool_groups" => parts.pool_groups = true,
            "paused" => parts.paused = true,
            "boards" => parts.boards = true,
            _ => problems.push(Problem {
                field: "update_mask".into(),
                reason: format!("`{}` is no part of a spec; use pool_groups, paused and boards", path.escape_debug()),
            }),
        }
    }
    if problems.is_empty() { Ok(parts) } else { Err(Problems(problems)) }
}

fn one(problem: Problem) -> Problems {
    Problems(vec![problem])
}

fn message(desired: &DesiredState) -> v1::DesiredSpec {
    let mut spec = types::v1::MinerSpec::from(&desired.wanted.spec);
    for pool in spec.pool_groups.iter_mut().flat_map(|group| &mut group.pools) {
        let left = desired.wanted.left_to_miner.iter().find(|(name, _)| name.as_str() == pool.name);
        pool.password_set |= left.is_some_and(|(_, left)| *left == Left::Kept);
    }
    v1::DesiredSpec {
        miner: desired.miner.to_string(),
        spec: Some(spec),
        generation: desired.generation.0,
        etag: desired.etag.clone(),
        stored_at: Some(timestamp(desired.stored_at)),
        trial: None,
    }
}

fn trial_message(trial: &Trial) -> v1::SpecTrial {
    let (state, until, reason) = match &trial.state {
        TrialState::Stored => (v1::SpecTrialState::Waiting, None, ""),
        TrialState::Running { sent_at, heard_at: _ } => {
            (v1::SpecTrialState::Running, Some(*sent_at + trial.within), "")
        }
        TrialState::Confirmed { at: _ } => (v1::SpecTrialState::Confirmed, None, ""),
        TrialState::Reverting { because } | TrialState::Reverted { generation: _, because } => {
            (v1::SpecTrialState::Reverted, None, because.as_str())
        }
        TrialState::Superseded => (v1::SpecTrialState::Superseded, None, ""),
    };
    v1::SpecTrial { state: state.into(), until: until.map(timestamp), reason: reason.into() }
}

pub(super) fn failure(error: &SpecError) -> Failure {
    match error {
        SpecError::UnknownMiner(name) => unknown_miner(name),
        SpecError::Invalid(Problems(problems)) => {
            let inside = |problem: &Problem| Problem { field: format!("spec.{}", problem.field), ..problem.clone() };
            Failure::invalid(Problems(problems.iter().map(inside).collect()))
        }
        SpecError::EtagMismatch { current } => {
            Failure::new(Code::Aborted, "ETAG_MISMATCH", error.to_string()).with("etag", current)
        }
        SpecError::RepeatTooOld { generation } => {
            Failure::new(Code::FailedPrecondition, "REPEAT_TOO_OLD", error.to_string()).with("generation", generation)
        }
        SpecError::NeverSeen(name) => {
            Failure::new(Code::FailedPrecondition, "MINER_NOT_SEEN", error.to_string()).with("miner", name)
        }
        SpecError::Denied(denied) => denied.clone().into(),
        SpecError::Payout(problems) => payout("spec.", problems),
        SpecError::Store(error) => storage(error),
    }
}

/// Work would go where the guard does not allow it; says so for each field.
pub(super) fn payout(within: &str, Problems(problems): &Problems) -> Failure {
    let inside = |problem: &Problem| Problem { field: format!("{within}{}", problem.field), ..problem.clone() };
    let message =
        "the payout guard does not allow this; choose pools and accounts of its list, or propose a change of it";
    let mut failure = Failure::new(Code::FailedPrecondition, "PAYOUT_NOT_ALLOWED", message);
    failure.problems = problems.iter().map(inside).collect();
    failure
}
