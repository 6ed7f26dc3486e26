//! The miners, as people see them.

use super::{Answers, Parts, bad_token, miner_name, page_size, refuse, unknown_miner, watch};
use crate::{
    reconcile::SyncState,
    registry::{Miner, MinerView, Reachability},
};
use mujina_core::id::MinerName;
use mujina_proto::{
    control::v1::{self, miner_registry_service_server::MinerRegistryService},
    convert::timestamp,
};
use tonic::{Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl MinerRegistryService for Service {
    async fn list_miners(
        &self,
        request: Request<v1::ListMinersRequest>,
    ) -> Result<Response<v1::ListMinersResponse>, Status> {
        let v1::ListMinersRequest { page_size: asked, page_token, .. } = request.into_inner();
        let most = page_size(asked, 100, 1000);
        // The token is the last name of the page before.
        let after = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<MinerName>().map_err(|_| refuse(bad_token()))?),
        };
        let all = self.0.registry.all();
        let mut rest = all.values().filter(|miner| after.as_ref().is_none_or(|after| miner.name > *after));
        let page: Vec<_> = rest.by_ref().take(most).collect();
        let has_more = rest.next().is_some();
        let next_page_token = page.last().filter(|_| has_more).map(|last| last.name.to_string()).unwrap_or_default();
        let miners = page.into_iter().map(|miner| message(miner, &miner.view())).collect();
        Ok(Response::new(v1::ListMinersResponse { miners, next_page_token }))
    }

    async fn get_miner(&self, request: Request<v1::GetMinerRequest>) -> Result<Response<v1::GetMinerResponse>, Status> {
        let name = miner_name("name", &request.into_inner().name).map_err(refuse)?;
        let miner = self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?;
        Ok(Response::new(v1::GetMinerResponse { miner: Some(message(&miner, &miner.view())) }))
    }

    type WatchMinersStream = Answers<v1::WatchMinersResponse>;

    async fn watch_miners(
        &self,
        _: Request<v1::WatchMinersRequest>,
    ) -> Result<Response<Self::WatchMinersStream>, Status> {
        let registry = self.0.registry.clone();
        let changes = registry.changes();
        let next = move |(mut changes, seen): (tokio::sync::watch::Receiver<u64>, Option<u64>)| {
            let registry = registry.clone();
            async move {
                loop {
                    if seen.is_some() {
                        changes.changed().await.ok()?;
                    }
                    changes.borrow_and_update();
                    let is_news = |view: &MinerView| seen.is_none_or(|seen| view.revision > seen);
                    let all = registry.all();
                    let views: Vec<_> = all.values().map(|miner| (miner, miner.view())).collect();
                    let newest = views.iter().map(|(_, view)| view.revision).max().unwrap_or_default();
                    let news = views.iter().filter(|(_, view)| is_news(view));
                    let miners: Vec<_> = news.map(|(miner, view)| message(miner, view)).collect();
                    if seen.is_some() && miners.is_empty() {
                        continue;
                    }
                    let answer = v1::WatchMinersResponse {
                        miners,
                        snapshot: seen.is_none(),
                        ..v1::WatchMinersResponse::default()
                    };
                    return Some((Ok(answer), (changes, Some(newest))));
                }
            }
        };
        Ok(Response::new(watch(self.0.cancel.clone(), (changes, None), next)))
    }

    async fn summarize_miners(
        &self,
        _: Request<v1::SummarizeMinersRequest>,
    ) -> Result<Response<v1::SummarizeMinersResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn label_miners(
        &self,
        _: Request<v1::LabelMinersRequest>,
    ) -> Result<Response<v1::LabelMinersResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn remove_miner(
        &self,
        _: Request<v1::RemoveMinerRequest>,
    ) -> Result<Response<v1::RemoveMinerResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn release_miner(
        &self,
        _: Request<v1::ReleaseMinerRequest>,
    ) -> Result<Response<v1::ReleaseMinerResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
}

fn message(miner: &Miner, view: &MinerView) -> v1::Miner {
    let (reachability, unreachable_reason) = match &view.reachability {
        Reachability::Untried => (v1::MinerReachability::Unspecified, ""),
        Reachability::Connected => (v1::MinerReachability::Connected, ""),
        Reachability::Unreachable(reason) => (v1::MinerReachability::Unreachable, reason.as_str()),
    };
    v1::Miner {
        name: miner.name.to_string(),
        address: miner.address.as_ref().map(ToString::to_string).unwrap_or_default(),
        reachability: reachability.into(),
        reachability_since: Some(timestamp(view.since)),
        unreachable_reason: unreachable_reason.into(),
        sync_state: sync_state(view.agreement.state).into(),
        sync_reason: view.agreement.reason.clone(),
        desired_generation: view.desired_generation.0,
        acknowledged_generation: view.confirmed.as_ref().map_or(0, |confirmed| confirmed.control_generation.0),
        status: view.status.as_ref().map(|(status, _)| status.as_ref().clone()),
        status_at: view.status.as_ref().map(|(_, at)| timestamp(*at)),
        labels: miner.labels().iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        ..v1::Miner::default()
    }
}

pub(super) fn sync_state(state: SyncState) -> v1::SyncState {
    match state {
        SyncState::NothingWanted => v1::SyncState::Unspecified,
        SyncState::InSync => v1::SyncState::InSync,
        SyncState::Applying => v1::SyncState::Applying,
        // The wire has no word of its own for it yet.
        SyncState::Drifted | SyncState::Overridden => v1::SyncState::Drifted,
        SyncState::Rejected => v1::SyncState::Rejected,
        SyncState::Unreachable => v1::SyncState::Unreachable,
    }
}
