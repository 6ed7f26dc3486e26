//! A made-up miner: keeps the rules of the data plane's API, does what a test tells it to, and remembers what it was asked.

mod boards;

use crate::host::Hosted;
use mujina_proto::{
    convert::{duration, timestamp},
    dataplane::v1::{
        self as wire,
        board_service_server::BoardServiceServer,
        diagnostics_service_server::{DiagnosticsService, DiagnosticsServiceServer},
        miner_service_server::{MinerService, MinerServiceServer},
        pool_service_server::{PoolService, PoolServiceServer},
        share_service_server::{ShareService, ShareServiceServer},
    },
    failure::Failure,
    serve::{ListenOn, Listeners, standard_routes},
    types::v1,
};
use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{oneshot, watch};
use tokio_stream::{Stream, StreamExt, wrappers::WatchStream};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, service::Routes};

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) boot_id: String,
    pub(crate) spec: v1::MinerSpec,
    pub(crate) generation: u64,
    pub(crate) observed: u64,
    pub(crate) control_generation: u64,
    pub(crate) origin: v1::SpecOrigin,
    /// New generations are accepted but not in force.
    pub(crate) slow: bool,
    /// Answers to the next ApplySpec calls.
    pub(crate) refusals: VecDeque<Status>,
    pub(crate) applied: Vec<wire::ApplySpecRequest>,
    /// When each of them came.
    pub(crate) applied_at: Vec<Instant>,
    pub(crate) database_id: String,
    pub(crate) buckets: Vec<v1::ShareBucket>,
    /// The newest of them that is stored elsewhere: those after it were asked for.
    pub(crate) collected: u64,
    /// Reconnects that began, by request id.
    pub(crate) reconnects: HashMap<String, u32>,
    /// Calls of ReconnectPool, with their trace parents.
    pub(crate) reconnect_calls: Vec<String>,
    /// Reconnects wait in their second phase.
    pub(crate) hold_reconnects: bool,
    pub(crate) reconnect_failure: Option<Status>,
    /// Tests of pools that are followed now.
    pub(crate) tests: usize,
    /// Boards that are started anew do not come up.
    pub(crate) hold_boards: bool,
    /// What boards were asked to do.
    pub(crate) board_calls: Vec<String>,
    /// Shares that the live pool accepted.
    pub(crate) accepted: u64,
    /// Takes changes back that are not confirmed.
    pub(crate) reverts: bool,
    /// The newest change waits to be confirmed.
    pub(crate) reverts_at: bool,
    /// Its status trees speak of the generation before, and of the shares of its connection.
    pub(crate) lagging: bool,
    /// Accounts for which the pool accepts nothing.
    pub(crate) unknown_users: Vec<String>,
    /// Its shares never end, and are long.
    pub(crate) floods: bool,
    /// Messages of that flood which were made.
    pub(crate) flooded: usize,
}

/// What each message of a flood is at least as long as.
pub(crate) const FLOOD_BYTES: usize = 16 << 10;

#[derive(Debug, Clone)]
pub(crate) struct FakeMiner {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
    pub(crate) socket: PathBuf,
}

impl FakeMiner {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let state = State {
            boot_id: "boot-1".into(),
            generation: 1,
            observed: 1,
            origin: v1::SpecOrigin::Configuration,
            database_id: "database-1".into(),
            ..State::default()
        };
        let socket = folder.join(format!("{name}.sock"));
        Self { state: Arc::new(Mutex::new(state)), changes: watch::Sender::new(0), socket }
    }

    /// Serves until the answer is dropped.
    pub(crate) async fn serve(&self) -> Hosted {
        let miner = self.clone();
        let (ready, answers) = oneshot::channel();
        let hosted = Hosted::start(move || async move {
            let on = ListenOn { socket: Some(miner.socket.clone()), tcp: None };
            let listeners = Listeners::bind(&on).await.unwrap();
            ready.send(()).unwrap();
            listeners.serve(miner.routes(), CancellationToken::new()).await.unwrap();
        });
        answers.await.unwrap();
        hosted
    }

    /// All of its services.
    pub(crate) fn routes(&self) -> Routes {
        let (mut routes, _) = standard_routes();
        routes
            .add_service(MinerServiceServer::new(self.clone()))
            .add_service(PoolServiceServer::new(self.clone()))
            .add_service(BoardServiceServer::new(self.clone()))
            .add_service(ShareServiceServer::new(self.clone()))
            .add_service(DiagnosticsServiceServer::new(self.clone()));
        routes.routes()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes something and tells those who watch.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// How many calls follow the miner now.
    pub(crate) fn watchers(&self) -> usize {
        self.changes.receiver_count()
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = async {
            while !holds(&self.state()) {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    fn status(&self) -> v1::MinerStatus {
        let state = self.state();
        v1::MinerStatus {
            miner_id: "fake".into(),
            boot_id: state.boot_id.clone(),
            generation: state.generation - u64::from(state.lagging),
            observed_generation: state.observed - u64::from(state.lagging),
            pools: pools(&state),
            ..v1::MinerStatus::default()
        }
    }

    fn spec_state(&self) -> v1::SpecState {
        let state = self.state();
        let mut spec = state.spec.clone();
        for pool in spec.pool_groups.iter_mut().flat_map(|group| &mut group.pools) {
            pool.password_set = pool.password.take().is_some_and(|password| !password.is_empty());
        }
        v1::SpecState {
            spec: Some(spec),
            generation: state.generation,
            etag: format!("etag-{}", state.generation),
            origin: state.origin.into(),
            control_generation: state.control_generation,
            accepted_at: Some(timestamp(SystemTime::now())),
            sections: Vec::new(),
            observed_generation: state.observed,
            reverts_at: state.reverts_at.then(|| timestamp(SystemTime::now())),
        }
    }
}

/// The live pool of its spec, or one that nobody configured.
fn pools(state: &State) -> Vec<v1::PoolStatus> {
    let first = state.spec.pool_groups.iter().flat_map(|group| &group.pools).next();
    let invented = || v1::PoolStatus { name: "main".into(), ..v1::PoolStatus::default() };
    vec![first.map_or_else(invented, |pool| live(pool, state))]
}

fn accept(state: &mut State, request: wire::ApplySpecRequest) -> Result<(), Status> {
    state.applied.push(request.clone());
    state.applied_at.push(Instant::now());
    if let Some(refusal) = state.refusals.pop_front() {
        return Err(refusal);
    }
    if request.control_generation < state.control_generation {
        return Err(Failure::new(Code::Aborted, "STALE_GENERATION", "older than the last accepted one").into());
    }
    let mut spec = request.spec.unwrap_or_default();
    let known: Vec<_> = state.spec.pool_groups.iter().flat_map(|group| group.pools.clone()).collect();
    for pool in spec.pool_groups.iter_mut().flat_map(|group| &mut group.pools) {
        if pool.password.is_none() {
            let same = known.iter().find(|one| one.name == pool.name && one.url == pool.url);
            pool.password = same.and_then(|one| one.password.clone());
        }
    }
    state.spec = spec;
    state.generation += 1;
    state.control_generation = request.control_generation;
    state.origin = v1::SpecOrigin::Control;
    state.reverts_at = state.reverts && request.confirm_within.is_some();
    if !state.slow {
        state.observed = state.generation;
    }
    Ok(())
}

/// The pool that it works for, on one connection for each generation.
fn live(pool: &v1::PoolSpec, state: &State) -> v1::PoolStatus {
    let is_known = state.lagging || !state.unknown_users.contains(&pool.user);
    let accepted = if is_known { state.accepted } else { 0 };
    let connection = v1::PoolConnection {
        connection_id: state.generation - u64::from(state.lagging),
        totals: Some(v1::ShareTotals { accepted, ..v1::ShareTotals::default() }),
        ..v1::PoolConnection::default()
    };
    v1::PoolStatus { name: pool.name.clone(), live: true, connection: Some(connection), ..v1::PoolStatus::default() }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl MinerService for FakeMiner {
    async fn confirm_spec(
        &self,
        request: Request<wire::ConfirmSpecRequest>,
    ) -> Result<Response<wire::ConfirmSpecResponse>, Status> {
        let generation = request.into_inner().generation;
        if self.state().generation != generation {
            return Err(Status::aborted("another generation is in force"));
        }
        self.change(|state| state.reverts_at = false);
        Ok(Response::new(wire::ConfirmSpecResponse { state: Some(self.spec_state()) }))
    }

    async fn get_miner(&self, _: Request<wire::GetMinerRequest>) -> Result<Response<wire::GetMinerResponse>, Status> {
        Ok(Response::new(wire::GetMinerResponse { miner: Some(self.status()) }))
    }

    type WatchMinerStream = Answers<wire::WatchMinerResponse>;

    async fn watch_miner(
        &self,
        _: Request<wire::WatchMinerRequest>,
    ) -> Result<Response<Self::WatchMinerStream>, Status> {
        let miner = self.clone();
        let stream = WatchStream::new(self.changes.subscribe())
            .map(move |_| Ok(wire::WatchMinerResponse { miner: Some(miner.status()) }));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_spec(&self, _: Request<wire::GetSpecRequest>) -> Result<Response<wire::GetSpecResponse>, Status> {
        Ok(Response::new(wire::GetSpecResponse { state: Some(self.spec_state()) }))
    }

    async fn apply_spec(
        &self,
        request: Request<wire::ApplySpecRequest>,
    ) -> Result<Response<wire::ApplySpecResponse>, Status> {
        self.change(|state| accept(state, request.into_inner()))?;
        Ok(Response::new(wire::ApplySpecResponse { state: Some(self.spec_state()), changes: Vec::new() }))
    }

    async fn pause(&self, _: Request<wire::PauseRequest>) -> Result<Response<wire::PauseResponse>, Status> {
        Err(Status::internal("nobody pauses a miner behind a control plane"))
    }

    async fn resume(&self, _: Request<wire::ResumeRequest>) -> Result<Response<wire::ResumeResponse>, Status> {
        Err(Status::internal("nobody resumes a miner behind a control plane"))
    }
}

/// A test of a pool that somebody follows.
struct Running(FakeMiner);

impl Running {
    fn begin(miner: &FakeMiner) -> Self {
        miner.change(|state| state.tests += 1);
        Self(miner.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.change(|state| state.tests -= 1);
    }
}

fn phase(name: &str) -> v1::ConnectPhase {
    v1::ConnectPhase { name: name.into(), elapsed: Some(duration(Duration::from_millis(5))), detail: String::new() }
}

#[tonic::async_trait]
impl PoolService for FakeMiner {
    async fn list_pools(
        &self,
        _: Request<wire::ListPoolsRequest>,
    ) -> Result<Response<wire::ListPoolsResponse>, Status> {
        let pools = vec![v1::PoolStatus { name: "main".into(), ..v1::PoolStatus::default() }];
        let mut response = Response::new(wire::ListPoolsResponse { pools });
        response.metadata_mut().insert("x-miner", "fake".parse().unwrap());
        Ok(response)
    }

    type ReconnectPoolStream = Answers<wire::ReconnectPoolResponse>;
    type TestPoolStream = Answers<wire::TestPoolResponse>;

    /// A phase, then, unless reconnects are held, the result.
    async fn test_pool(
        &self,
        request: Request<wire::TestPoolRequest>,
    ) -> Result<Response<Self::TestPoolStream>, Status> {
        use wire::{test_pool_request::Target, test_pool_response::Event};
        let Some(Target::Spec(pool)) = request.into_inner().target else {
            return Err(Failure::new(Code::NotFound, "POOL_NOT_FOUND", "not in the spec").into());
        };
        let running = Running::begin(self);
        let event = |event| Ok(wire::TestPoolResponse { event: Some(event) });
        let first = tokio_stream::once(event(Event::Phase(phase("dns"))));
        let rest = futures_util::stream::once(async move {
            let mut changes = running.0.changes.subscribe();
            while running.0.state().hold_reconnects {
                changes.changed().await.unwrap();
            }
            let connection = v1::PoolConnection { peer_address: pool.url, ..v1::PoolConnection::default() };
            let result = wire::TestPoolResult { usable: true, connection: Some(connection), ..Default::default() };
            event(Event::Result(Box::new(result)))
        });
        Ok(Response::new(Box::pin(first.chain(rest))))
    }

    async fn pin_pool(&self, _: Request<wire::PinPoolRequest>) -> Result<Response<wire::PinPoolResponse>, Status> {
        Err(Status::unimplemented("nobody pins here"))
    }

    async fn unpin_pool(
        &self,
        _: Request<wire::UnpinPoolRequest>,
    ) -> Result<Response<wire::UnpinPoolResponse>, Status> {
        Ok(Response::new(wire::UnpinPoolResponse { ended: None }))
    }

    async fn list_pool_transitions(
        &self,
        _: Request<wire::ListPoolTransitionsRequest>,
    ) -> Result<Response<wire::ListPoolTransitionsResponse>, Status> {
        Err(Status::unimplemented("nobody asks for moves here"))
    }

    async fn list_pool_channels(
        &self,
        _: Request<wire::ListPoolChannelsRequest>,
    ) -> Result<Response<wire::ListPoolChannelsResponse>, Status> {
        Err(Status::unimplemented("nobody asks for channels here"))
    }

    async fn reconnect_pool(
        &self,
        request: Request<wire::ReconnectPoolRequest>,
    ) -> Result<Response<Self::ReconnectPoolStream>, Status> {
        let parent = request.metadata().get("traceparent").map(|parent| parent.to_str().unwrap().to_owned());
        let request = request.into_inner();
        self.change(|state| {
            // A repeat joins.
            state.reconnects.entry(request.request_id).or_insert(1);
            state.reconnect_calls.push(parent.unwrap_or_default());
        });
        if let Some(failure) = self.state().reconnect_failure.clone() {
            return Err(failure);
        }
        let miner = self.clone();
        let event = |event| Ok(wire::ReconnectPoolResponse { event: Some(event) });
        let first = tokio_stream::once(event(wire::reconnect_pool_response::Event::Phase(phase("dns"))));
        let rest = futures_util::stream::once(async move {
            let mut changes = miner.changes.subscribe();
            while miner.state().hold_reconnects {
                changes.changed().await.unwrap();
            }
            event(wire::reconnect_pool_response::Event::Result(wire::ReconnectResult {
                pool: "main".into(),
                connection_id: 7,
                work_gap: Some(duration(Duration::ZERO)),
                shares_lost: 0,
                phases: vec![phase("dns"), phase("tcp")],
            }))
        });
        Ok(Response::new(Box::pin(first.chain(rest))))
    }
}

#[tonic::async_trait]
impl ShareService for FakeMiner {
    async fn get_share_statistics(
        &self,
        _: Request<wire::GetShareStatisticsRequest>,
    ) -> Result<Response<wire::GetShareStatisticsResponse>, Status> {
        Ok(Response::new(wire::GetShareStatisticsResponse::default()))
    }

    async fn list_shares(
        &self,
        _: Request<wire::ListSharesRequest>,
    ) -> Result<Response<wire::ListSharesResponse>, Status> {
        Err(Failure::new(Code::ResourceExhausted, "TOO_MANY", "too many").with("fact", "42").into())
    }

    async fn list_rejects(
        &self,
        _: Request<wire::ListRejectsRequest>,
    ) -> Result<Response<wire::ListRejectsResponse>, Status> {
        Ok(Response::new(wire::ListRejectsResponse::default()))
    }

    type WatchSharesStream = Answers<wire::WatchSharesResponse>;

    async fn watch_shares(
        &self,
        _: Request<wire::WatchSharesRequest>,
    ) -> Result<Response<Self::WatchSharesStream>, Status> {
        if self.state().floods {
            let miner = self.clone();
            let long = v1::Share { pool: "x".repeat(FLOOD_BYTES), ..v1::Share::default() };
            let event = Some(wire::watch_shares_response::Event::Share(Box::new(long)));
            let flood = futures_util::stream::repeat_with(move || {
                miner.change(|state| state.flooded += 1);
                Ok(wire::WatchSharesResponse { event: event.clone() })
            });
            return Ok(Response::new(Box::pin(flood)));
        }
        let missed = |missed| {
            let event = Some(wire::watch_shares_response::Event::Missed(missed));
            Ok(wire::WatchSharesResponse { event })
        };
        let end = Failure::new(Code::OutOfRange, "END", "that was all").with("count", 1000).into();
        Ok(Response::new(Box::pin(tokio_stream::iter((0..1000).map(missed).chain([Err(end)])))))
    }

    async fn list_share_buckets(
        &self,
        request: Request<wire::ListShareBucketsRequest>,
    ) -> Result<Response<wire::ListShareBucketsResponse>, Status> {
        let request = request.into_inner();
        let wait = request.wait.map(|wait| Duration::try_from(wait).unwrap()).unwrap_or_default();
        if request.database_id == self.state().database_id {
            self.change(|state| state.collected = request.after_sequence);
        }
        let mut changes = self.changes.subscribe();
        let answer = || {
            let state = self.state();
            if !request.database_id.is_empty() && request.database_id != state.database_id {
                return Err(Status::out_of_range("another database"));
            }
            let newer = state.buckets.iter().filter(|bucket| bucket.sequence > request.after_sequence);
            Ok(wire::ListShareBucketsResponse {
                database_id: state.database_id.clone(),
                // Small pages, so that tests meet many.
                buckets: newer.take(7).cloned().collect(),
                oldest_sequence: state.buckets.first().map_or(1, |bucket| bucket.sequence),
            })
        };
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let page = answer()?;
            if !page.buckets.is_empty() || tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                return Ok(Response::new(page));
            }
        }
    }
}

#[tonic::async_trait]
impl DiagnosticsService for FakeMiner {
    async fn list_spans(
        &self,
        request: Request<wire::ListSpansRequest>,
    ) -> Result<Response<wire::ListSpansResponse>, Status> {
        let span = v1::Span {
            trace_id: request.into_inner().trace_id,
            span_id: "00f067aa0ba902b7".into(),
            name: "pool.connect".into(),
            service: "mujina-dataplane".into(),
            ..v1::Span::default()
        };
        Ok(Response::new(wire::ListSpansResponse { spans: vec![span] }))
    }
}
