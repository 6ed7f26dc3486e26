//! The miners, as people see them.

mod follow;
mod message;
#[cfg(test)]
mod tests;

use super::{Answers, Parts, bad_token, miner_name, page_size, problem, refuse, storage, unknown_miner, watch};
use crate::{
    access::Caller,
    registry::{LabelChange, MarkError, Matching, Miner, MinerView, Reachability, select},
};
use follow::Following;
pub(super) use message::sync_state;
use message::{How, message};
use mujina_core::{id::MinerName, spec::Problems};
use mujina_proto::{
    control::v1::{self, miner_registry_service_server::MinerRegistryService},
    failure::Failure,
};
use std::{collections::BTreeMap, sync::Arc};
use tonic::{Code, Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

impl Service {
    /// A miner that the caller may make its call about.
    fn miner(&self, name: &str, caller: &Caller) -> Result<Arc<Miner>, Status> {
        let name = miner_name("name", name).map_err(refuse)?;
        let miner = self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?;
        caller.decide(Some(&miner.labels())).map_err(Failure::from)?;
        Ok(miner)
    }
}

#[tonic::async_trait]
impl MinerRegistryService for Service {
    async fn list_miners(
        &self,
        request: Request<v1::ListMinersRequest>,
    ) -> Result<Response<v1::ListMinersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let how = How::from(request.view());
        let v1::ListMinersRequest { page_size: asked, page_token, selector, filter, view: _ } = request;
        let most = page_size(asked, 100, 1000);
        // The token is the last name of the page before.
        let after = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<MinerName>().map_err(|_| refuse(bad_token()))?),
        };
        let matching = Matching::parse(&selector, &filter)?;
        let mut rest = matching.after(&self.0.registry, &caller, after);
        let page: Vec<_> = rest.by_ref().take(most).collect();
        let has_more = rest.next().is_some();
        let next_page_token = page.last().filter(|_| has_more).map(|last| last.name.to_string()).unwrap_or_default();
        let miners = page.iter().map(|miner| message(miner, &miner.view(), how)).collect();
        Ok(Response::new(v1::ListMinersResponse { miners, next_page_token }))
    }

    async fn get_miner(&self, request: Request<v1::GetMinerRequest>) -> Result<Response<v1::GetMinerResponse>, Status> {
        let caller = Caller::of(&request)?;
        let miner = self.miner(&request.into_inner().name, &caller)?;
        Ok(Response::new(v1::GetMinerResponse { miner: Some(message(&miner, &miner.view(), How::Full)) }))
    }

    type WatchMinersStream = Answers<v1::WatchMinersResponse>;

    async fn watch_miners(
        &self,
        request: Request<v1::WatchMinersRequest>,
    ) -> Result<Response<Self::WatchMinersStream>, Status> {
        let caller = Caller::of(&request)?;
        let following = Following::begin(self.0.registry.clone(), caller, request.into_inner())?;
        let next = |following: Following| async move { following.next().await.map(|(news, next)| (Ok(news), next)) };
        Ok(Response::new(watch(self.0.cancel.clone(), following, next)))
    }

    async fn summarize_miners(
        &self,
        request: Request<v1::SummarizeMinersRequest>,
    ) -> Result<Response<v1::SummarizeMinersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let matching = Matching::parse(&request.into_inner().selector, "")?;
        let miners = matching.of(&self.0.registry, &caller);
        Ok(Response::new(summary(miners.map(|miner| miner.view()))))
    }

    async fn label_miners(
        &self,
        request: Request<v1::LabelMinersRequest>,
    ) -> Result<Response<v1::LabelMinersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let v1::LabelMinersRequest { selection, set, remove, validate_only } = request.into_inner();
        if validate_only {
            caller.only_checks();
        }
        let change = LabelChange { set: set.into_iter().collect(), remove: remove.into_iter().collect() };
        let problems: Vec<_> = change.problems().into_iter().map(|(field, reason)| problem(&field, reason)).collect();
        if !problems.is_empty() {
            return Err(Failure::invalid(Problems(problems)).into());
        }
        let miners = select(&self.0.registry, &selection.unwrap_or_default(), &caller)?;
        let Parts { registry, store, .. } = &self.0;
        let changed = registry.label(store, &miners, &change, &caller, validate_only).await;
        let miners = changed.map_err(|error| failure(&error))?.iter().map(ToString::to_string).collect();
        Ok(Response::new(v1::LabelMinersResponse { miners }))
    }

    async fn remove_miner(
        &self,
        request: Request<v1::RemoveMinerRequest>,
    ) -> Result<Response<v1::RemoveMinerResponse>, Status> {
        let caller = Caller::of(&request)?;
        let miner = self.miner(&request.into_inner().name, &caller)?;
        self.0.registry.remove(&self.0.store, &miner.name, &caller).await.map_err(|error| failure(&error))?;
        if let Some(enrolments) = &self.0.enrolments {
            // What was revoked with it counts at once.
            enrolments.revoked_something().await;
        }
        Ok(Response::new(v1::RemoveMinerResponse {}))
    }

    async fn release_miner(
        &self,
        request: Request<v1::ReleaseMinerRequest>,
    ) -> Result<Response<v1::ReleaseMinerResponse>, Status> {
        let caller = Caller::of(&request)?;
        let miner = self.miner(&request.into_inner().name, &caller)?;
        self.0.registry.release(&self.0.store, &miner.name, &caller).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::ReleaseMinerResponse {}))
    }
}

fn summary(views: impl Iterator<Item = Arc<MinerView>>) -> v1::SummarizeMinersResponse {
    let mut sum = v1::SummarizeMinersResponse::default();
    let mut states = BTreeMap::<i32, u32>::new();
    for view in views {
        sum.total += 1;
        *states.entry(sync_state(view.agreement.state).into()).or_default() += 1;
        if view.reachability != Reachability::Connected {
            sum.unreachable += 1;
            continue;
        }
        sum.connected += 1;
        let Some((status, _)) = &view.status else { continue };
        sum.faults = sum.faults.saturating_add(u32::try_from(status.faults.len()).unwrap_or(u32::MAX));
        sum.hash_rate_hps += message::credited_hash_rate(status);
    }
    sum.sync_states = states.into_iter().map(|(state, miners)| v1::SyncStateCount { state, miners }).collect();
    sum
}

fn failure(error: &MarkError) -> Failure {
    match error {
        MarkError::UnknownMiner(name) => unknown_miner(name),
        MarkError::TooManyLabels(name) => {
            Failure::new(Code::FailedPrecondition, "TOO_MANY_LABELS", error.to_string()).with("miner", name)
        }
        MarkError::NotInQuarantine(name) => {
            Failure::new(Code::FailedPrecondition, "NOT_IN_QUARANTINE", error.to_string()).with("miner", name)
        }
        MarkError::Configured(name) => {
            Failure::new(Code::FailedPrecondition, "MINER_CONFIGURED", error.to_string()).with("miner", name)
        }
        MarkError::Store(error) => storage(error),
    }
}
