//! A control plane's API over miners that are known by name only; data-plane calls end at one fake miner.

use super::{
    fake_miner::{Events, Shelf, events, events_that_end, result},
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
    /// It never had a status of its miners.
    pub(super) knows_nothing: bool,
    /// A profile that cannot be stored, though its plan can be made.
    pub(super) refused: Option<&'static str>,
    /// Watches of operations and rollouts that end early, as when the control plane restarts.
    pub(super) breaks: u32,
    /// Where watches of operations and rollouts were to begin.
    pub(super) resumed: Vec<String>,
    /// The newest operation.
    pub(super) started: Option<StartOperationRequest>,
    /// A miner that is gone at last, for whoever watches.
    pub(super) leaves: Option<&'static str>,
    /// The newest sums that were asked for.
    pub(super) summed: Option<SummarizeSharesRequest>,
    /// Selector and filter of the newest list.
    pub(super) listed: Option<(String, String)>,
    /// The newest change of labels.
    pub(super) labelled: Option<LabelMinersRequest>,
    /// Calls of the fleet's services, in order.
    pub(super) asked: Vec<String>,
    /// The newest plan of a rollout.
    pub(super) planned: Option<PlanRolloutRequest>,
    /// A rollout is never seen to start.
    pub(super) start_hangs: bool,
    /// How rollouts end.
    pub(super) rollout_ends: RolloutState,
    /// Something is wrong with the audit log.
    pub(super) tampered: bool,
    /// The token that the newest call showed.
    pub(super) bearer: Option<String>,
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
            status: (!state.knows_nothing).then(sample::status),
            status_at: sample::at(7500),
            overridden_until: sample::at(9000).filter(|_| sync == SyncState::Overridden),
            labels: [("site".to_owned(), "north".to_owned())].into(),
            ..Miner::default()
        }
    }

    fn operated(&self, request: &StartOperationRequest) -> Vec<String> {
        let StartOperationRequest { miners, all, selector, filter, .. } = request.clone();
        self.selected(Some(&MinerSelection { miners, all, selector, filter }))
    }

    /// The miners that a selection is for; a selector chooses all but the last.
    pub(super) fn selected(&self, selection: Option<&MinerSelection>) -> Vec<String> {
        let selection = selection.cloned().unwrap_or_default();
        let names: Vec<_> = self.state().names.iter().map(ToString::to_string).collect();
        if selection.all {
            names
        } else if selection.miners.is_empty() {
            names.split_last().map(|(_, others)| others.to_vec()).unwrap_or_default()
        } else {
            selection.miners
        }
    }

    fn miners(&self) -> Vec<Miner> {
        let names = self.state().names.clone();
        names.into_iter().map(|name| self.miner(name)).collect()
    }

    fn operation(&self, ended: bool) -> Operation {
        let request = self.state().started.clone().unwrap();
        let miners = self.operated(&request);
        let state = self.state();
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
        let targets: Vec<_> = miners.iter().map(target).collect();
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
        let ListMinersRequest { page_token: token, selector, filter, .. } = request.into_inner();
        if selector == "site=nowhere" {
            return Ok(Response::new(ListMinersResponse::default()));
        }
        self.state().listed = Some((selector, filter));
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

    async fn summarize_miners(
        &self,
        _: Request<SummarizeMinersRequest>,
    ) -> Result<Response<SummarizeMinersResponse>, Status> {
        let state = SyncStateCount { state: SyncState::InSync.into(), miners: 2 };
        Ok(Response::new(SummarizeMinersResponse {
            total: 3,
            connected: 2,
            unreachable: 1,
            sync_states: vec![state],
            hash_rate_hps: 2e12,
            faults: 1,
        }))
    }

    async fn label_miners(
        &self,
        request: Request<LabelMinersRequest>,
    ) -> Result<Response<LabelMinersResponse>, Status> {
        let request = request.into_inner();
        let miners = self.selected(request.selection.as_ref());
        if !request.validate_only {
            self.state().labelled = Some(request);
        }
        Ok(Response::new(LabelMinersResponse { miners }))
    }

    async fn remove_miner(
        &self,
        request: Request<RemoveMinerRequest>,
    ) -> Result<Response<RemoveMinerResponse>, Status> {
        let name = request.into_inner().name;
        let known = self.state().names.iter().any(|known| *known == name);
        if known { Ok(Response::new(RemoveMinerResponse {})) } else { Err(Status::not_found("no such miner")) }
    }

    async fn release_miner(&self, _: Request<ReleaseMinerRequest>) -> Result<Response<ReleaseMinerResponse>, Status> {
        Ok(Response::new(ReleaseMinerResponse {}))
    }

    /// A page a miner, then all at once.
    async fn watch_miners(&self, _: Request<WatchMinersRequest>) -> Result<Response<Self::WatchMinersStream>, Status> {
        let now = self.miners();
        let page = |(index, miner): (usize, Miner)| WatchMinersResponse {
            miners: vec![Miner { sync_state: SyncState::Applying.into(), ..miner }],
            snapshot: true,
            partial: index + 1 < now.len(),
            ..WatchMinersResponse::default()
        };
        let mut told: Vec<_> = now.iter().cloned().enumerate().map(page).collect();
        told.push(WatchMinersResponse { miners: now, ..WatchMinersResponse::default() });
        let removed: Vec<_> = self.state().leaves.map(str::to_owned).into_iter().collect();
        if !removed.is_empty() {
            told.push(WatchMinersResponse { removed, ..WatchMinersResponse::default() });
        }
        Ok(events(told))
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
    type GetBundleStream = Events<GetBundleResponse>;

    async fn start_operation(
        &self,
        request: Request<StartOperationRequest>,
    ) -> Result<Response<StartOperationResponse>, Status> {
        let request = request.into_inner();
        let (checks, ramp) = (request.validate_only, request.ramp_watts);
        let before = self.state().started.replace(request);
        let mut operation = self.operation(false);
        if !checks {
            return Ok(Response::new(StartOperationResponse { operation: Some(operation), ramp: Vec::new() }));
        }
        self.state().started = before;
        operation.operation_id.clear();
        let step = |(after, target): (i64, &OperationTarget)| RampStep {
            miner: target.miner.clone(),
            after: Some(prost_types::Duration { seconds: after, nanos: 0 }),
        };
        let steps = if ramp > 0.0 { (0..).zip(&operation.targets).map(step).collect() } else { Vec::new() };
        Ok(Response::new(StartOperationResponse { operation: Some(operation), ramp: steps }))
    }

    async fn watch_operation(
        &self,
        request: Request<WatchOperationRequest>,
    ) -> Result<Response<Self::WatchOperationStream>, Status> {
        let resume_token = request.into_inner().resume_token;
        self.state().resumed.push(resume_token.clone());
        let event = |ended| WatchOperationResponse {
            operation: Some(self.operation(ended)),
            snapshot: !ended,
            resume_token: if ended { "2" } else { "1" }.into(),
            ..WatchOperationResponse::default()
        };
        let breaks = std::mem::replace(&mut self.state().breaks, 0);
        if breaks > 0 {
            self.state().breaks = breaks - 1;
            // All targets but the first have ended.
            let mut news = event(false);
            let ended = self.operation(true).targets;
            let targets = news.operation.iter_mut().flat_map(|operation| &mut operation.targets);
            targets.zip(ended).skip(1).for_each(|(target, ended)| *target = ended);
            return Ok(events_that_end(vec![news]));
        }
        if !resume_token.is_empty() {
            // Of the others everything was told.
            let mut news = event(true);
            news.operation.iter_mut().for_each(|operation| operation.targets.truncate(1));
            return Ok(events(vec![news]));
        }
        Ok(events(vec![event(false), event(true)]))
    }

    async fn get_operation(&self, _: Request<GetOperationRequest>) -> Result<Response<GetOperationResponse>, Status> {
        Ok(Response::new(GetOperationResponse { operation: Some(self.operation(true)) }))
    }

    async fn list_operations(
        &self,
        _: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        let operation = Operation {
            created_at: sample::at(0),
            created_by: "operator:alice".into(),
            targets: Vec::new(),
            progress: Some(OperationProgress { total: 3, succeeded: 2, failed: 1, ..OperationProgress::default() }),
            ..self.operation(true)
        };
        Ok(Response::new(ListOperationsResponse { operations: vec![operation], next_page_token: String::new() }))
    }

    async fn cancel_operation(
        &self,
        _: Request<CancelOperationRequest>,
    ) -> Result<Response<CancelOperationResponse>, Status> {
        let operation = Some(Operation { state: OperationState::Cancelled.into(), ..self.operation(false) });
        Ok(Response::new(CancelOperationResponse { operation }))
    }

    async fn retry_operation(
        &self,
        _: Request<RetryOperationRequest>,
    ) -> Result<Response<RetryOperationResponse>, Status> {
        self.state().failing.clear();
        Ok(Response::new(RetryOperationResponse { operation: Some(self.operation(false)) }))
    }

    async fn get_bundle(&self, request: Request<GetBundleRequest>) -> Result<Response<Self::GetBundleStream>, Status> {
        let miner = request.into_inner().miner;
        let part = |text: &str| GetBundleResponse { data: text.as_bytes().to_vec() };
        Ok(events_that_end(vec![part("{\"miner\":"), part(&format!("\"{miner}\"}}\n"))]))
    }
}

#[tonic::async_trait]
impl StatisticsService for FakeControl {
    type ExportStatisticsStream = Events<ExportStatisticsResponse>;

    async fn query_statistics(
        &self,
        request: Request<QueryStatisticsRequest>,
    ) -> Result<Response<QueryStatisticsResponse>, Status> {
        let request = request.into_inner();
        let point = StatisticsPoint {
            begin: sample::at(0),
            submitted: 10,
            accepted: 9,
            rejected: 1,
            accepted_hashes: 6e13,
            hash_rate_hps: 1e12,
            hash_rate_error_hps: 3.3e11,
            ..StatisticsPoint::default()
        };
        let group = request.group_by.into_iter().map(|key| (key, "north".to_owned())).collect();
        let series = vec![StatisticsSeries { group, points: vec![point] }];
        Ok(Response::new(QueryStatisticsResponse { series, step: request.step }))
    }

    async fn export_statistics(
        &self,
        request: Request<ExportStatisticsRequest>,
    ) -> Result<Response<Self::ExportStatisticsStream>, Status> {
        let data = match request.into_inner().format() {
            ExportFormat::Parquet => b"PAR1\xff".to_vec(),
            _ => b"begin,accepted\n".to_vec(),
        };
        Ok(events_that_end(vec![ExportStatisticsResponse { data }]))
    }

    async fn list_share_buckets(
        &self,
        _: Request<ListShareBucketsRequest>,
    ) -> Result<Response<ListShareBucketsResponse>, Status> {
        Err(Status::unimplemented("no command asks for buckets"))
    }

    async fn summarize_shares(
        &self,
        request: Request<SummarizeSharesRequest>,
    ) -> Result<Response<SummarizeSharesResponse>, Status> {
        self.state().summed = Some(request.into_inner());
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
