//! A miner's API over a spec that is really checked and stored, with switches for what goes wrong.

use super::sample;
use mujina_core::spec::{MinerSpec, SpecDraft};
use mujina_proto::{
    convert,
    dataplane::v1::{
        board_service_server::BoardService, diagnostics_service_server::DiagnosticsService,
        miner_service_server::MinerService, pool_service_server::PoolService, reconnect_pool_response::Event,
        self_test_response::Event as SelfTestEvent, share_service_server::ShareService, test_pool_request::Target,
        test_pool_response::Event as TestEvent, watch_shares_response::Event as ShareEvent, *,
    },
    failure::Failure,
    types::v1::{
        Board, Fault, MinerStatus, PoolPin, SelfTestOutcome, ShareOutcome, SpecChange, SpecOrigin, SpecSection,
        SpecSectionState, SpecState,
    },
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::Notify;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status};

pub(super) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Events, then silence: watches do not end by themselves.
pub(super) fn events<T: Send + 'static>(events: Vec<T>) -> Response<Events<T>> {
    Response::new(Box::pin(tokio_stream::iter(events.into_iter().map(Ok)).chain(tokio_stream::pending())))
}

/// Events of a stream that ends when it has said all.
pub(super) fn events_that_end<T: Send + 'static>(events: Vec<T>) -> Response<Events<T>> {
    Response::new(Box::pin(tokio_stream::iter(events.into_iter().map(Ok))))
}

/// A desired state with its place in history.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) spec: MinerSpec,
    pub(super) generation: u64,
    /// The next write is made, but its answer is lost.
    pub(super) loses_answer: bool,
    /// Id of the newest write, with what it changed.
    pub(super) newest: Option<(String, Vec<SpecChange>)>,
    /// Writes that somebody else is faster than.
    pub(super) overtaken: u32,
}

impl Shelf {
    pub(super) fn etag(&self) -> String {
        format!("e{}", self.generation)
    }

    /// Checks and stores a change, as the services do.
    pub(super) fn write(
        &mut self,
        spec: Option<mujina_proto::types::v1::MinerSpec>,
        mask: &[String],
        etag: &str,
        request_id: &str,
        validate_only: bool,
    ) -> Result<Vec<SpecChange>, Status> {
        if let Some((id, changes)) = &self.newest
            && id == request_id
        {
            return Ok(changes.clone());
        }
        if self.overtaken > 0 {
            self.overtaken -= 1;
            self.generation += 1;
        }
        if !etag.is_empty() && etag != self.etag() {
            return Err(
                Failure::new(Code::Aborted, "ETAG_MISMATCH", "the spec is another by now; read it again").into()
            );
        }
        let mut wanted = SpecDraft::from(spec.unwrap_or_default()).check(Some(&self.spec)).map_err(Failure::from)?;
        if !mask.is_empty() && !mask.iter().any(|part| part == "paused") {
            wanted.paused = self.spec.paused;
        }
        let changes: Vec<SpecChange> = self.spec.diff(&wanted).into_iter().map(Into::into).collect();
        if !validate_only {
            self.spec = wanted;
            self.generation += 1;
            self.newest = Some((request_id.to_owned(), changes.clone()));
        }
        if std::mem::take(&mut self.loses_answer) { Err(Status::unavailable("restarting")) } else { Ok(changes) }
    }

    pub(super) fn state(&self) -> SpecState {
        SpecState {
            spec: Some((&self.spec).into()),
            generation: self.generation,
            etag: self.etag(),
            origin: SpecOrigin::Local.into(),
            observed_generation: self.generation,
            ..SpecState::default()
        }
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) shelf: Shelf,
    /// `method`, or `method@miner` when the call was relayed.
    pub(super) calls: Vec<String>,
    /// `traceparent` of the newest call.
    pub(super) traceparent: Option<String>,
    /// Every call hangs.
    pub(super) hangs: bool,
    /// Reads that a control plane relays do not reach it.
    pub(super) lost: bool,
    /// Reconnects and tests fail with this.
    pub(super) failure: Option<Failure>,
    /// The pool of the newest test.
    pub(super) tested: Option<Target>,
    /// Tested pools are impostors.
    pub(super) impostor: bool,
    /// Boards refuse every tuning.
    pub(super) refuses_tuning: bool,
    /// The fan of tested boards stands still.
    pub(super) stalled: bool,
    /// For how many seconds the newest `Locate` asked.
    pub(super) located: Option<i64>,
    pub(super) pin: Option<PoolPin>,
}

/// The miner. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct FakeMiner {
    state: Arc<Mutex<State>>,
    /// A call has arrived.
    pub(super) called: Arc<Notify>,
}

impl FakeMiner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn arrive<T>(&self, method: &str, request: Request<T>) -> T {
        let text = |key: &str| request.metadata().get(key).map(|value| value.to_str().unwrap().to_owned());
        let call = text("mujina-miner").map_or_else(|| method.to_owned(), |miner| format!("{method}@{miner}"));
        let hangs = {
            let mut state = self.state();
            state.calls.push(call);
            state.traceparent = text("traceparent");
            state.hangs
        };
        self.called.notify_one();
        if hangs {
            std::future::pending::<()>().await;
        }
        request.into_inner()
    }

    /// What a control plane says instead of a miner that it does not reach.
    fn reached(&self) -> Result<(), Status> {
        let failure = Failure::new(Code::Unavailable, "MINER_UNREACHABLE", "rig1 is not connected");
        if self.state().lost { Err(failure.into()) } else { Ok(()) }
    }

    fn status(&self) -> MinerStatus {
        let generation = self.state().shelf.generation;
        let pool_pin = self.state().pin.clone();
        let status = MinerStatus { generation, observed_generation: generation, pool_pin, ..sample::status() };
        if !self.state().refuses_tuning {
            return status;
        }
        let fault = Fault { reason: "TUNING_REFUSED".into(), subject: "spec/boards".into(), ..Fault::default() };
        MinerStatus { observed_generation: 0, faults: vec![fault], ..status }
    }
}

#[tonic::async_trait]
impl MinerService for FakeMiner {
    type WatchMinerStream = Events<WatchMinerResponse>;

    async fn get_miner(&self, request: Request<GetMinerRequest>) -> Result<Response<GetMinerResponse>, Status> {
        self.arrive("GetMiner", request).await;
        self.reached()?;
        Ok(Response::new(GetMinerResponse { miner: Some(self.status()) }))
    }

    async fn watch_miner(
        &self,
        request: Request<WatchMinerRequest>,
    ) -> Result<Response<Self::WatchMinerStream>, Status> {
        self.arrive("WatchMiner", request).await;
        let now = self.status();
        let before =
            MinerStatus { observed_generation: now.generation.saturating_sub(1), pools: Vec::new(), ..now.clone() };
        Ok(events([before, now].map(|miner| WatchMinerResponse { miner: Some(miner) }).to_vec()))
    }

    async fn get_spec(&self, request: Request<GetSpecRequest>) -> Result<Response<GetSpecResponse>, Status> {
        self.arrive("GetSpec", request).await;
        let state = self.state();
        let mut shown = state.shelf.state();
        if state.refuses_tuning {
            let reason = "board bitaxe-gamma-1: 900.00 MHz is beyond 625.00 MHz".into();
            shown.sections =
                vec![SpecSection { path: "boards".into(), state: SpecSectionState::Refused.into(), reason }];
        }
        Ok(Response::new(GetSpecResponse { state: Some(shown) }))
    }

    async fn apply_spec(&self, request: Request<ApplySpecRequest>) -> Result<Response<ApplySpecResponse>, Status> {
        let ApplySpecRequest { spec, update_mask, etag, request_id, validate_only, .. } =
            self.arrive("ApplySpec", request).await;
        let mask = update_mask.unwrap_or_default().paths;
        let mut state = self.state();
        let changes = state.shelf.write(spec, &mask, &etag, &request_id, validate_only)?;
        Ok(Response::new(ApplySpecResponse { state: Some(state.shelf.state()), changes }))
    }

    async fn confirm_spec(&self, _: Request<ConfirmSpecRequest>) -> Result<Response<ConfirmSpecResponse>, Status> {
        Err(Status::unimplemented("no command confirms one"))
    }

    async fn pause(&self, request: Request<PauseRequest>) -> Result<Response<PauseResponse>, Status> {
        self.arrive("Pause", request).await;
        let mut state = self.state();
        state.shelf.spec.paused = true;
        state.shelf.generation += 1;
        Ok(Response::new(PauseResponse { state: Some(state.shelf.state()) }))
    }

    async fn resume(&self, request: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        self.arrive("Resume", request).await;
        let mut state = self.state();
        state.shelf.spec.paused = false;
        state.shelf.generation += 1;
        Ok(Response::new(ResumeResponse { state: Some(state.shelf.state()) }))
    }
}

/// What a reconnect comes to.
pub(super) fn result() -> ReconnectResult {
    let pool = "primary".into();
    ReconnectResult { pool, connection_id: 4, work_gap: sample::millis(0), shares_lost: 0, phases: sample::phases() }
}

#[tonic::async_trait]
impl PoolService for FakeMiner {
    type ReconnectPoolStream = Events<ReconnectPoolResponse>;
    type TestPoolStream = Events<TestPoolResponse>;

    async fn list_pools(&self, request: Request<ListPoolsRequest>) -> Result<Response<ListPoolsResponse>, Status> {
        self.arrive("ListPools", request).await;
        self.reached()?;
        Ok(Response::new(ListPoolsResponse { pools: vec![sample::pool()] }))
    }

    async fn reconnect_pool(
        &self,
        request: Request<ReconnectPoolRequest>,
    ) -> Result<Response<Self::ReconnectPoolStream>, Status> {
        self.arrive("ReconnectPool", request).await;
        if let Some(failure) = self.state().failure.clone() {
            return Err(failure.into());
        }
        let phases = sample::phases().into_iter().map(Event::Phase);
        let all = phases.chain([Event::Result(result())]).map(|event| ReconnectPoolResponse { event: Some(event) });
        Ok(events(all.collect()))
    }

    async fn test_pool(&self, request: Request<TestPoolRequest>) -> Result<Response<Self::TestPoolStream>, Status> {
        let TestPoolRequest { target } = self.arrive("TestPool", request).await;
        let mut state = self.state();
        state.tested = target;
        if let Some(failure) = state.failure.clone() {
            return Err(failure.into());
        }
        let result = if state.impostor { sample::impostor() } else { sample::tested() };
        let phases = sample::phases().into_iter().take(2).map(TestEvent::Phase);
        let all =
            phases.chain([TestEvent::Result(Box::new(result))]).map(|event| TestPoolResponse { event: Some(event) });
        Ok(events(all.collect()))
    }

    async fn pin_pool(&self, request: Request<PinPoolRequest>) -> Result<Response<PinPoolResponse>, Status> {
        let PinPoolRequest { pool, duration } = self.arrive("PinPool", request).await;
        if pool != "spare" {
            let message = format!("pool `{pool}` is not in the spec; `pool list` shows which are");
            return Err(Failure::new(Code::NotFound, "POOL_NOT_FOUND", message).into());
        }
        let end = sample::at(duration.unwrap_or_default().seconds);
        let pin = PoolPin { pool, expires_at: end };
        self.state().pin = Some(pin.clone());
        Ok(Response::new(PinPoolResponse { pin: Some(pin) }))
    }

    async fn unpin_pool(&self, request: Request<UnpinPoolRequest>) -> Result<Response<UnpinPoolResponse>, Status> {
        self.arrive("UnpinPool", request).await;
        Ok(Response::new(UnpinPoolResponse { ended: self.state().pin.take() }))
    }

    async fn list_pool_transitions(
        &self,
        request: Request<ListPoolTransitionsRequest>,
    ) -> Result<Response<ListPoolTransitionsResponse>, Status> {
        let ListPoolTransitionsRequest { page_size } = self.arrive("ListPoolTransitions", request).await;
        let newest = sample::transitions().into_iter().take(usize::try_from(page_size).unwrap());
        Ok(Response::new(ListPoolTransitionsResponse { transitions: newest.collect() }))
    }

    async fn list_pool_channels(
        &self,
        request: Request<ListPoolChannelsRequest>,
    ) -> Result<Response<ListPoolChannelsResponse>, Status> {
        self.arrive("ListPoolChannels", request).await;
        Ok(Response::new(ListPoolChannelsResponse { channels: sample::channels() }))
    }
}

#[tonic::async_trait]
impl ShareService for FakeMiner {
    type WatchSharesStream = Events<WatchSharesResponse>;

    async fn get_share_statistics(
        &self,
        request: Request<GetShareStatisticsRequest>,
    ) -> Result<Response<GetShareStatisticsResponse>, Status> {
        self.arrive("GetShareStatistics", request).await;
        let status = sample::status();
        let scope =
            |name: &str| ShareScope { name: name.into(), totals: Some(sample::totals()), rates: status.rates.clone() };
        Ok(Response::new(GetShareStatisticsResponse {
            miner: Some(scope("rig1")),
            pools: vec![scope("primary")],
            boards: vec![scope("cpu")],
            threads: Vec::new(),
        }))
    }

    /// Two pages of one share each.
    async fn list_shares(&self, request: Request<ListSharesRequest>) -> Result<Response<ListSharesResponse>, Status> {
        let ListSharesRequest { page_token, outcomes, .. } = self.arrive("ListShares", request).await;
        let outcome = outcomes.first().map_or(ShareOutcome::Accepted, |one| ShareOutcome::try_from(*one).unwrap());
        let (id, next) = if page_token.is_empty() { (2, "p2") } else { (1, "") };
        Ok(Response::new(ListSharesResponse { shares: vec![sample::share(id, outcome)], next_page_token: next.into() }))
    }

    async fn watch_shares(
        &self,
        request: Request<WatchSharesRequest>,
    ) -> Result<Response<Self::WatchSharesStream>, Status> {
        self.arrive("WatchShares", request).await;
        let shares = [(1, ShareOutcome::Pending), (1, ShareOutcome::Rejected)];
        let shares = shares.map(|(id, outcome)| ShareEvent::Share(Box::new(sample::share(id, outcome))));
        let all = shares.into_iter().chain([ShareEvent::Missed(7)]);
        Ok(events(all.map(|event| WatchSharesResponse { event: Some(event) }).collect()))
    }

    /// One, of pool `primary`.
    async fn list_rejects(
        &self,
        request: Request<ListRejectsRequest>,
    ) -> Result<Response<ListRejectsResponse>, Status> {
        let ListRejectsRequest { pool, .. } = self.arrive("ListRejects", request).await;
        let matches = pool.is_empty() || pool == "primary";
        Ok(Response::new(ListRejectsResponse { rejects: matches.then(sample::reject).into_iter().collect() }))
    }

    async fn list_share_buckets(
        &self,
        _: Request<ListShareBucketsRequest>,
    ) -> Result<Response<ListShareBucketsResponse>, Status> {
        Err(Status::unimplemented("no command asks for buckets"))
    }
}

fn board(id: &str) -> Result<Board, Status> {
    let all = [sample::cpu(), sample::gamma(), sample::emberone()];
    let found = all.into_iter().find(|board| board.status.as_ref().unwrap().board_id == id);
    found.ok_or_else(|| {
        let message = format!("there is no board `{id}`; `mujinactl board list` shows those there are");
        Failure::new(Code::NotFound, "BOARD_NOT_FOUND", message).into()
    })
}

fn refused(id: &str, reason: &str) -> Status {
    Failure::new(Code::FailedPrecondition, "BOARD_REFUSED", format!("board {id}: {reason}")).into()
}

#[tonic::async_trait]
impl BoardService for FakeMiner {
    type WatchBoardsStream = Events<WatchBoardsResponse>;
    type SelfTestStream = Events<SelfTestResponse>;

    async fn list_boards(&self, request: Request<ListBoardsRequest>) -> Result<Response<ListBoardsResponse>, Status> {
        self.arrive("ListBoards", request).await;
        self.reached()?;
        let boards = vec![sample::gamma(), sample::cpu(), sample::emberone()];
        let usb_problem = "/sys is not mounted; mount it".into();
        Ok(Response::new(ListBoardsResponse { boards, usb_problem }))
    }

    async fn get_board(&self, request: Request<GetBoardRequest>) -> Result<Response<GetBoardResponse>, Status> {
        let GetBoardRequest { board_id } = self.arrive("GetBoard", request).await;
        Ok(Response::new(GetBoardResponse { board: Some(board(&board_id)?) }))
    }

    /// Pages of six.
    async fn list_chips(&self, request: Request<ListChipsRequest>) -> Result<Response<ListChipsResponse>, Status> {
        let ListChipsRequest { board_id, page_token, .. } = self.arrive("ListChips", request).await;
        board(&board_id)?;
        let skip: usize = page_token.parse().unwrap_or_default();
        let all = if board_id == "emberone-1" { sample::chips() } else { Vec::new() };
        let next_page_token = if skip + 6 < all.len() { (skip + 6).to_string() } else { String::new() };
        Ok(Response::new(ListChipsResponse { chips: all.into_iter().skip(skip).take(6).collect(), next_page_token }))
    }

    /// Two boards, then another instead of one of them.
    async fn watch_boards(
        &self,
        request: Request<WatchBoardsRequest>,
    ) -> Result<Response<Self::WatchBoardsStream>, Status> {
        self.arrive("WatchBoards", request).await;
        let all = WatchBoardsResponse {
            snapshot: true,
            boards: vec![sample::gamma(), sample::cpu()],
            ..WatchBoardsResponse::default()
        };
        let later = WatchBoardsResponse {
            boards: vec![sample::emberone()],
            removed_board_ids: vec!["bitaxe-gamma-1".into()],
            ..WatchBoardsResponse::default()
        };
        Ok(events(vec![all, later]))
    }

    async fn get_constraints(
        &self,
        request: Request<GetConstraintsRequest>,
    ) -> Result<Response<GetConstraintsResponse>, Status> {
        let GetConstraintsRequest { board_id } = self.arrive("GetConstraints", request).await;
        board(&board_id)?;
        let constraints = if board_id == "cpu" { Vec::new() } else { sample::constraints() };
        Ok(Response::new(GetConstraintsResponse { constraints }))
    }

    async fn reinitialize(
        &self,
        request: Request<ReinitializeRequest>,
    ) -> Result<Response<ReinitializeResponse>, Status> {
        let ReinitializeRequest { board_id } = self.arrive("Reinitialize", request).await;
        let board = board(&board_id)?;
        if board_id == "emberone-1" {
            return Err(refused(&board_id, "11 of 12 chips answered; check its cables"));
        }
        Ok(Response::new(ReinitializeResponse { board: Some(board) }))
    }

    async fn locate(&self, request: Request<LocateRequest>) -> Result<Response<LocateResponse>, Status> {
        let LocateRequest { board_id, duration } = self.arrive("Locate", request).await;
        board(&board_id)?;
        if board_id == "cpu" {
            return Err(refused(&board_id, "it has no light"));
        }
        let seconds = duration.unwrap().seconds;
        self.state().located = Some(seconds);
        Ok(Response::new(LocateResponse { expires_at: if seconds > 0 { sample::at(seconds) } else { None } }))
    }

    async fn self_test(&self, request: Request<SelfTestRequest>) -> Result<Response<Self::SelfTestStream>, Status> {
        let SelfTestRequest { board_id } = self.arrive("SelfTest", request).await;
        board(&board_id)?;
        let stalled = self.state().stalled;
        let steps = sample::steps(if stalled { SelfTestOutcome::Failed } else { SelfTestOutcome::Passed });
        let result = SelfTestResult { passed: !stalled, steps: steps.clone() };
        let all = steps.into_iter().map(SelfTestEvent::Step).chain([SelfTestEvent::Result(result)]);
        Ok(events(all.map(|event| SelfTestResponse { event: Some(event) }).collect()))
    }
}

#[tonic::async_trait]
impl DiagnosticsService for FakeMiner {
    async fn list_spans(&self, request: Request<ListSpansRequest>) -> Result<Response<ListSpansResponse>, Status> {
        let ListSpansRequest { trace_id } = self.arrive("ListSpans", request).await;
        let known = trace_id == "0af7651916cd43dd8448eb211c80319c";
        let span = mujina_proto::types::v1::Span {
            trace_id,
            span_id: "00f067aa0ba902b7".into(),
            name: "pool.connect".into(),
            service: "mujina-dataplane".into(),
            begin: Some(convert::timestamp(std::time::UNIX_EPOCH)),
            end: Some(convert::timestamp(std::time::UNIX_EPOCH)),
            ..Default::default()
        };
        Ok(Response::new(ListSpansResponse { spans: if known { vec![span] } else { Vec::new() } }))
    }
}
