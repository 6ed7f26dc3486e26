//! Desired states, read and written.

use super::{Parts, miner_name, problem, refuse, registry::sync_state, storage, unknown_miner};
use crate::spec::{DesiredState, Left, SpecError, SpecOutcome, SpecParts, SpecRequest};
use mujina_core::spec::{Problem, Problems};
use mujina_proto::{
    control::v1::{self, spec_service_server::SpecService},
    convert::timestamp,
    failure::Failure,
    types,
};
use tonic::{Code, Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl SpecService for Service {
    async fn get_spec(&self, request: Request<v1::GetSpecRequest>) -> Result<Response<v1::GetSpecResponse>, Status> {
        let name = miner_name("miner", &request.into_inner().miner).map_err(refuse)?;
        let miner = self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?;
        let view = miner.view();
        Ok(Response::new(v1::GetSpecResponse {
            desired: miner.desired().as_deref().map(message),
            confirmed: view.spec_state.as_deref().cloned(),
            sync_state: sync_state(view.agreement.state).into(),
        }))
    }

    async fn apply_spec(
        &self,
        request: Request<v1::ApplySpecRequest>,
    ) -> Result<Response<v1::ApplySpecResponse>, Status> {
        let request = asked(request.into_inner()).map_err(Failure::invalid)?;
        let SpecOutcome { desired, changes } = self.0.specs.apply(request).await.map_err(|error| failure(&error))?;
        let changes = changes.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ApplySpecResponse { desired: Some(message(&desired)), changes }))
    }
}

fn asked(request: v1::ApplySpecRequest) -> Result<SpecRequest, Problems> {
    let v1::ApplySpecRequest { miner, spec, update_mask, etag, request_id, validate_only, confirm_within: _ } = request;
    let miner = miner_name("miner", &miner).map_err(one)?;
    let spec = spec.ok_or_else(|| one(problem("spec", "is missing; give the spec or its masked parts")))?;
    let parts = parts(update_mask.map(|mask| mask.paths).unwrap_or_default())?;
    Ok(SpecRequest { miner, draft: spec.into(), parts, etag, request_id, validate_only })
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

fn failure(error: &SpecError) -> Failure {
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
        SpecError::Store(error) => storage(error),
    }
}
