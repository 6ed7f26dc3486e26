//! Profiles, written and resolved.

use super::{
    Parts, key, miner_name, problem, refuse,
    spec::{failure as spec_failure, payout},
    storage, unknown_miner,
};
use crate::{
    access::Caller,
    profile::{
        Fragment, Profile, ProfileError, ProfileOutcome, ProfileRequest, Resolution, TuningFragment,
        resolve::{Affected, Source},
    },
};
use mujina_core::{
    id::ProfileName,
    spec::{BoardTuningDraft, Problem, Problems, SpecDraft, TuningModeDraft},
};
use mujina_proto::{
    control::v1::{self, profile_service_server::ProfileService},
    failure::Failure,
    types,
};
use std::mem;
use tonic::{Code, Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl ProfileService for Service {
    async fn list_profiles(
        &self,
        _: Request<v1::ListProfilesRequest>,
    ) -> Result<Response<v1::ListProfilesResponse>, Status> {
        let profiles = self.0.profiles.list().await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::ListProfilesResponse { profiles: profiles.iter().map(message).collect() }))
    }

    async fn get_profile(
        &self,
        request: Request<v1::GetProfileRequest>,
    ) -> Result<Response<v1::GetProfileResponse>, Status> {
        let name = profile_name("name", &request.into_inner().name).map_err(refuse)?;
        let profiles = self.0.profiles.list().await.map_err(|error| failure(&error))?;
        let found = profiles.iter().find(|profile| profile.name == name).map(message);
        let profile = found.ok_or_else(|| failure(&ProfileError::Unknown(name)))?;
        Ok(Response::new(v1::GetProfileResponse { profile: Some(profile) }))
    }

    async fn apply_profile(
        &self,
        request: Request<v1::ApplyProfileRequest>,
    ) -> Result<Response<v1::ApplyProfileResponse>, Status> {
        let by = Caller::of(&request)?;
        let mut request = request.into_inner();
        let key = key(&by, mem::take(&mut request.request_id), &request);
        let v1::ApplyProfileRequest { profile, etag, request_id: _, validate_only } = request;
        if validate_only {
            by.only_checks();
        }
        let profile = profile.ok_or_else(|| refuse(problem("profile", "is missing")))?;
        let Profile { name, selector, priority, fragment, .. } = read(profile).map_err(Failure::invalid)?;
        let content = Some((selector, priority, fragment));
        let request = ProfileRequest { name, content, etag, key, validate_only, by };
        let ProfileOutcome { profile, affected } =
            self.0.profiles.write(request).await.map_err(|error| failure(&error))?;
        let effects = affected.into_iter().map(effect).collect();
        Ok(Response::new(v1::ApplyProfileResponse { profile: profile.as_ref().map(message), effects }))
    }

    async fn delete_profile(
        &self,
        request: Request<v1::DeleteProfileRequest>,
    ) -> Result<Response<v1::DeleteProfileResponse>, Status> {
        let by = Caller::of(&request)?;
        let mut request = request.into_inner();
        let key = key(&by, mem::take(&mut request.request_id), &request);
        let v1::DeleteProfileRequest { name, etag, request_id: _, validate_only } = request;
        if validate_only {
            by.only_checks();
        }
        let name = profile_name("name", &name).map_err(refuse)?;
        let request = ProfileRequest { name, content: None, etag, key, validate_only, by };
        let outcome = self.0.profiles.write(request).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::DeleteProfileResponse { effects: outcome.affected.into_iter().map(effect).collect() }))
    }

    async fn resolve_spec(
        &self,
        request: Request<v1::ResolveSpecRequest>,
    ) -> Result<Response<v1::ResolveSpecResponse>, Status> {
        let by = Caller::of(&request)?;
        let name = miner_name("miner", &request.into_inner().miner).map_err(refuse)?;
        let miner = self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?;
        by.decide(Some(&miner.labels())).map_err(Failure::from)?;
        let Resolution { resolved, is_stored } =
            self.0.profiles.resolved(&name).await.map_err(|error| failure(&error))?;
        Ok(Response::new(match resolved {
            Ok(resolved) => v1::ResolveSpecResponse {
                spec: Some((&resolved.spec).into()),
                origins: resolved.provenance.iter().map(origin).collect(),
                stored: is_stored,
                problem: String::new(),
            },
            Err(problem) => {
                v1::ResolveSpecResponse { problem: problem.to_string(), ..v1::ResolveSpecResponse::default() }
            }
        }))
    }

    async fn clear_override(
        &self,
        request: Request<v1::ClearOverrideRequest>,
    ) -> Result<Response<v1::ClearOverrideResponse>, Status> {
        let by = Caller::of(&request)?;
        let v1::ClearOverrideRequest { miner, validate_only } = request.into_inner();
        if validate_only {
            by.only_checks();
        }
        let name = miner_name("miner", &miner).map_err(refuse)?;
        let changes = self.0.profiles.clear_override(name, validate_only, by).await;
        let changes = changes.map_err(|error| failure(&error))?.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ClearOverrideResponse { changes }))
    }
}

fn origin((path, source): (&String, &Source)) -> v1::FieldOrigin {
    let profile = match source {
        Source::Own => String::new(),
        Source::Profile(name) => name.to_string(),
    };
    v1::FieldOrigin { path: path.clone(), profile }
}

fn profile_name(field: &str, text: &str) -> Result<ProfileName, Problem> {
    text.parse().map_err(|error| problem(field, format!("`{}` {error}", text.escape_debug())))
}

/// A profile as somebody wrote it; its generation and etag are not for writing.
pub(super) fn read(profile: v1::Profile) -> Result<Profile, Problems> {
    let v1::Profile { name, selector, priority, spec, generation: _, etag } = profile;
    let name = profile_name("profile.name", &name);
    let selector = selector.parse().map_err(|error| problem("profile.selector", format!("{error}")));
    match (name, selector) {
        (Ok(name), Ok(selector)) => {
            let fragment = fragment(spec.unwrap_or_default());
            Ok(Profile { name, selector, priority, fragment, etag, generation: mujina_core::id::Generation(0) })
        }
        (name, selector) => Err(Problems(name.err().into_iter().chain(selector.err()).collect())),
    }
}

/// What a fragment says.
pub(super) fn fragment(said: v1::SpecFragment) -> Fragment {
    let v1::SpecFragment { pool_groups, paused, boards } = said;
    let pools = pool_groups.map(|list| types::v1::MinerSpec { pool_groups: list.groups, ..Default::default() });
    let tuning = |tuning: types::v1::BoardTuning| {
        // An absent mode is not said, where a whole spec would take it for the model's.
        let is_said = tuning.mode.is_some();
        let BoardTuningDraft { mode, soft_limits, hard_limits, fan_target } = tuning.into();
        TuningFragment { mode: is_said.then_some(mode), soft_limits, hard_limits, fan_target }
    };
    Fragment {
        pool_groups: pools.map(|spec| SpecDraft::from(spec).pool_groups),
        paused,
        boards: boards.into_iter().map(|(name, said)| (name, tuning(said))).collect(),
    }
}

/// A fragment for readers: passwords are left out.
pub(super) fn fragment_message(fragment: &Fragment) -> v1::SpecFragment {
    let Fragment { pool_groups, paused, boards } = fragment;
    // What was stored checked out, so that nothing is left out here.
    let only_pools = SpecDraft { pool_groups: pool_groups.clone().unwrap_or_default(), ..SpecDraft::default() };
    let spec = only_pools.check(None).as_ref().map(types::v1::MinerSpec::from).unwrap_or_default();
    let tuning = |said: &TuningFragment| {
        let TuningFragment { mode, soft_limits, hard_limits, fan_target } = said.clone();
        types::v1::BoardTuning {
            mode: mode.and_then(mode_message),
            soft_limits_celsius: soft_limits.into_iter().collect(),
            hard_limits_celsius: hard_limits.into_iter().collect(),
            fan_target_celsius: fan_target,
        }
    };
    v1::SpecFragment {
        pool_groups: pool_groups.as_ref().map(|_| v1::PoolGroupList { groups: spec.pool_groups }),
        paused: *paused,
        boards: boards.iter().map(|(name, said)| (name.clone(), tuning(said))).collect(),
    }
}

fn mode_message(mode: TuningModeDraft) -> Option<types::v1::board_tuning::Mode> {
    use types::v1::board_tuning::Mode;
    Some(match mode {
        TuningModeDraft::Default => return None,
        TuningModeDraft::Fixed { frequency_megahertz, voltage_volts } => {
            Mode::Fixed(types::v1::FixedTuning { frequency_megahertz, voltage_volts })
        }
        TuningModeDraft::Power(watts) => Mode::PowerWatts(watts),
        TuningModeDraft::HashRate(hashes) => Mode::HashRateHps(hashes),
    })
}

pub(super) fn message(profile: &Profile) -> v1::Profile {
    let Profile { name, selector, priority, fragment, etag, generation } = profile;
    v1::Profile {
        name: name.to_string(),
        selector: selector.to_string(),
        priority: *priority,
        spec: Some(fragment_message(fragment)),
        generation: generation.0,
        etag: etag.clone(),
    }
}

pub(super) fn effect(affected: Affected) -> v1::ProfileEffect {
    let Affected { miner, changes, let_go: _, problem: _ } = affected;
    v1::ProfileEffect { miner: miner.to_string(), changes: changes.into_iter().map(Into::into).collect() }
}

pub(super) fn failure(error: &ProfileError) -> Failure {
    let precondition = |reason| Failure::new(Code::FailedPrecondition, reason, error.to_string());
    match error {
        ProfileError::Invalid(Problems(problems)) => {
            let inside = |one: &Problem| Problem { field: format!("profile.spec.{}", one.field), ..one.clone() };
            Failure::invalid(Problems(problems.iter().map(inside).collect()))
        }
        ProfileError::Clash { miner, .. } => precondition("PROFILES_CLASH").with("miner", miner),
        ProfileError::Impossible { miner, .. } => precondition("PROFILE_IMPOSSIBLE").with("miner", miner),
        ProfileError::EtagMismatch { current } => {
            Failure::new(Code::Aborted, "ETAG_MISMATCH", error.to_string()).with("etag", current)
        }
        ProfileError::InRollout(id) => precondition("PROFILE_IN_ROLLOUT").with("rollout", id),
        ProfileError::Denied(denied) => denied.clone().into(),
        ProfileError::Payout(problems) => payout("profile.spec.", problems),
        ProfileError::Unknown(name) => {
            Failure::new(Code::NotFound, "PROFILE_NOT_FOUND", error.to_string()).with("profile", name)
        }
        ProfileError::UnknownMiner(name) => unknown_miner(name),
        ProfileError::Spec(error) => spec_failure(error),
        ProfileError::Store(error) => storage(error),
    }
}
