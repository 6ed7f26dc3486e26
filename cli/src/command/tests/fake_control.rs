//! A control plane's API over miners that are known by name only; data-plane calls end at one fake miner.

use super::{
    fake_miner::{Events, Shelf, events, result},
    sample,
};
use mujina_proto::{
    control::v1::{
        diagnostics_service_server::DiagnosticsService, miner_registry_service_server::MinerRegistryService,
        operation_service_server::OperationService, spec_service_server::SpecService,
        statistics_service_server::StatisticsService, *,
    },
    types::v1::Span,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};
use tonic::{Code, Request, Response, Status};

#[derive(Default)]
pub(super) struct State {
    pub(super) names: Vec<&'static str>,
    pub(super) shelf: Shelf,
    /// A desired state is stored.
    pub(super) desired: bool,
    /// What comes of it.
    pub(super) sync: SyncState,
    /// Miners whose operations fail.
    pub(super) failing: BTreeSet<&'static str>,
    /// Watches of operations that end early, as when the control plane restarts.
    pub(super) breaks: u32,
    /// The newest operation.
    pub(super) started: Option<StartOperationRequest>,
}

/// The control plane. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct FakeControl(Arc<Mutex<State>>);

impl FakeControl {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn miner(&self, name: &str) -> Miner {
        let state = self.state();
        let sync = if state.desired { state.sync } else { SyncState::Unspecified };
        Miner {
            name: name.to_owned(),
            address: format!("unix:///run/{name}.sock"),
            reachability: MinerReachability::Connected.into(),
            reachability_since: sample::at(0),
            sync_state: sync.into(),
            sync_reason: if sync == SyncState::Rejected { "no such pool".into() } else { String::new() },
            desired_generation: state.shelf.generation,
            acknowledged_generation: state.shelf.generation,
            status: Some(sample::status()),
            status_at: sample::at(7500),
            labels: [("site".to_owned(), "north".to_owned())].into(),
            ..Miner::default()
        }
    }

    fn miners(&self) -> Vec<Miner> {
        let names = self.state().names.clone();
        names.into_iter().map(|name| self.miner(name)).collect()
    }

    fn operation(&self, ended: bool) -> Operation {
        let state = self.state();
        let request = state.started.clone().unwrap();
        let reconnects =
            matches!(request.action.as_ref().unwrap().action, Some(operation_action::Action::Reconnect(_)));
        let target = |miner: &String| {
            let failed = ended && state.failing.contains(miner.as_str());
            let target_state = match (ended, failed) {
                (false, _) => TargetState::Running,
                (true, false) => TargetState::Succeeded,
                (true, true) => TargetState::Failed,
            };
            OperationTarget {
                miner: miner.clone(),
                state: target_state.into(),
                error_code: if failed { Code::Unavailable as i32 } else { 0 },
                error_message: if failed { format!("{miner} is not reached; start it") } else { String::new() },
                error_reason: if failed { "MINER_UNREACHABLE".into() } else { String::new() },
                phases: if reconnects && !failed { sample::phases() } else { Vec::new() },
                reconnect: (ended && reconnects && !failed).then(result),
                elapsed: ended.then(|| sample::millis(250)).flatten(),
                detail: String::new(),
            }
        };
        let targets: Vec<_> = request.miners.iter().map(target).collect();
        let failed = targets.iter().filter(|target| target.state() == TargetState::Failed).count();
        let operation_state = match (ended, failed) {
            (false, _) => OperationState::Running,
            (true, 0) => OperationState::Succeeded,
            (true, failed) if failed == targets.len() => OperationState::Failed,
            (true, _) => OperationState::PartiallyFailed,
        };
        let operation_id = "op-1".into();
        Operation {
            operation_id,
            action: request.action,
            state: operation_state.into(),
            targets,
            ..Operation::default()
        }
    }
}

#[tonic::async_trait]
impl MinerRegistryService for FakeControl {
    type WatchMinersStream = Events<WatchMinersResponse>;

    /// A page a miner.
    async fn list_miners(&self, request: Request<ListMinersRequest>) -> Result<Response<ListMinersResponse>, Status> {
        let token = request.into_inner().page_token;
        let index: usize = if token.is_empty() { 0 } else { token.parse().unwrap() };
        let miners = self.miners();
        let next_page_token = if index + 1 < miners.len() { (index + 1).to_string() } else { String::new() };
        Ok(Response::new(ListMinersResponse {
            miners: miners.into_iter().skip(index).take(1).collect(),
            next_page_token,
        }))
    }

    async fn get_miner(&self, request: Request<GetMinerRequest>) -> Result<Response<GetMinerResponse>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(GetMinerResponse { miner: Some(self.miner(&name)) }))
    }

    async fn watch_miners(&self, _: Request<WatchMinersRequest>) -> Result<Response<Self::WatchMinersStream>, Status> {
        let now = self.miners();
        let before =
            now.iter().cloned().map(|miner| Miner { sync_state: SyncState::Applying.into(), ..miner }).collect();
        Ok(events(vec![
            WatchMinersResponse { miners: before, snapshot: true, ..WatchMinersResponse::default() },
            WatchMinersResponse { miners: now, ..WatchMinersResponse::default() },
        ]))
    }
}

#[tonic::async_trait]
impl SpecService for FakeControl {
    async fn get_spec(&self, request: Request<GetSpecRequest>) -> Result<Response<GetSpecResponse>, Status> {
        let miner = request.into_inner().miner;
        let state = self.state();
        let stored = state.shelf.state();
        let desired = DesiredSpec {
            miner,
            spec: stored.spec.clone(),
            generation: stored.generation,
            etag: stored.etag.clone(),
            stored_at: sample::at(0),
            trial: None,
        };
        let desired = state.desired.then_some(desired);
        Ok(Response::new(GetSpecResponse { desired, confirmed: Some(stored), sync_state: state.sync.into() }))
    }

    async fn apply_spec(&self, request: Request<ApplySpecRequest>) -> Result<Response<ApplySpecResponse>, Status> {
        let ApplySpecRequest { miner, spec, update_mask, etag, request_id, validate_only, .. } = request.into_inner();
        let mut state = self.state();
        let mask = update_mask.unwrap_or_default().paths;
        state.desired |= !validate_only;
        let changes = state.shelf.write(spec, &mask, &etag, &request_id, validate_only)?;
        let stored = state.shelf.state();
        let (spec, generation, etag) = (stored.spec, stored.generation, stored.etag);
        let desired = Some(DesiredSpec { miner, spec, generation, etag, stored_at: sample::at(0), trial: None });
        Ok(Response::new(ApplySpecResponse { desired, changes }))
    }
}

#[tonic::async_trait]
impl OperationService for FakeControl {
    type WatchOperationStream = Events<WatchOperationResponse>;

    async fn start_operation(
        &self,
        request: Request<StartOperationRequest>,
    ) -> Result<Response<StartOperationResponse>, Status> {
        self.state().started = Some(request.into_inner());
        Ok(Response::new(StartOperationResponse { operation: Some(self.operation(false)) }))
    }

    async fn watch_operation(
        &self,
        _: Request<WatchOperationRequest>,
    ) -> Result<Response<Self::WatchOperationStream>, Status> {
        let event = |ended| WatchOperationResponse { operation: Some(self.operation(ended)), snapshot: !ended };
        let breaks = std::mem::replace(&mut self.state().breaks, 0);
        if breaks > 0 {
            self.state().breaks = breaks - 1;
            return Ok(Response::new(Box::pin(tokio_stream::once(Ok(event(false))))));
        }
        Ok(events(vec![event(false), event(true)]))
    }

    async fn get_operation(&self, _: Request<GetOperationRequest>) -> Result<Response<GetOperationResponse>, Status> {
        Err(Status::unimplemented("no command gets one"))
    }

    async fn list_operations(
        &self,
        _: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        Err(Status::unimplemented("no command lists them"))
    }

    async fn cancel_operation(
        &self,
        _: Request<CancelOperationRequest>,
    ) -> Result<Response<CancelOperationResponse>, Status> {
        Err(Status::unimplemented("no command cancels one"))
    }
}

#[tonic::async_trait]
impl StatisticsService for FakeControl {
    async fn list_share_buckets(
        &self,
        _: Request<ListShareBucketsRequest>,
    ) -> Result<Response<ListShareBucketsResponse>, Status> {
        Err(Status::unimplemented("no command asks for buckets"))
    }

    async fn summarize_shares(
        &self,
        _: Request<SummarizeSharesRequest>,
    ) -> Result<Response<SummarizeSharesResponse>, Status> {
        let totals = Some(sample::totals());
        Ok(Response::new(SummarizeSharesResponse { totals, buckets: 12, missing_buckets: 1, hashes: 1.5e9 }))
    }
}

#[tonic::async_trait]
impl DiagnosticsService for FakeControl {
    async fn list_spans(&self, request: Request<ListSpansRequest>) -> Result<Response<ListSpansResponse>, Status> {
        let trace_id = request.into_inner().trace_id;
        let span = |id: &str, parent: &str, name: &str, service: &str| Span {
            trace_id: trace_id.clone(),
            span_id: id.into(),
            parent_span_id: parent.into(),
            name: name.into(),
            service: service.into(),
            begin: sample::at(0),
            end: sample::at(1),
            ..Span::default()
        };
        let spans = vec![
            span("a", "gone", "operation.run", "mujina-control"),
            span("b", "a", "pool.connect", "mujina-dataplane"),
        ];
        Ok(Response::new(ListSpansResponse { spans, unreachable_miners: vec!["rig2".into()] }))
    }
}
