//! Calls to one miner, in our own words: each with a deadline, each failure with what follows from it.
//!
//! Calls that a person caused continue that person's trace. Those that only watch are made outside every trace, and tell
//! the miner so; otherwise polling would push commands out of everybody's memory of spans.

use super::{Way, convert};
use crate::{
    operation::{Phase, ReconnectMode, ReconnectResult},
    reconcile::Confirmed,
    spec::{DesiredState, WantedSpec},
    statistics::BucketPage,
};
use mujina_core::{
    id::{Generation, PoolName},
    text::{PEER_TEXT_BYTES, sanitise},
};
use mujina_proto::{
    convert::{duration, spec::with_passwords},
    dataplane::v1::{
        self as wire, diagnostics_service_client::DiagnosticsServiceClient, miner_service_client::MinerServiceClient,
        pool_service_client::PoolServiceClient, share_service_client::ShareServiceClient,
    },
    failure::Failure,
    home::Attached,
    types::v1,
};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataValue};
use tracing::{Dispatch, instrument::WithSubscriber, subscriber::NoSubscriber};

/// For answers that a miner has at hand.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// For a spec to be stored and handed on.
const APPLY: Duration = Duration::from_secs(30);
/// For spans: whoever asks wants an answer while some miners are away.
const SPANS: Duration = Duration::from_secs(2);
/// Between two messages of a reconnect: no phase takes longer.
pub(super) const PHASE: Duration = Duration::from_secs(120);
/// How often a miner tells of itself at most: of what happens, and of figures, which the buckets of statistics have too.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
const FIGURES_INTERVAL: Duration = Duration::from_secs(10);

/// A failed call, and what follows from it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct CallError {
    /// What follows.
    pub kind: CallKind,
    /// What the miner, or the way to it, said.
    pub failure: Box<Failure>,
}

/// What follows from a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// The miner is gone or does not answer: try again later.
    Unreachable,
    /// Refused, and the same again will be refused again.
    Invalid,
    /// Refused by the state of the miner, which may change.
    Conflict,
    /// The cursor is of another database.
    OutOfRange,
    /// The miner failed: try again later.
    Failed,
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let kind = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => CallKind::Unreachable,
            Code::InvalidArgument => CallKind::Invalid,
            Code::OutOfRange => CallKind::OutOfRange,
            Code::Aborted
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented => CallKind::Conflict,
            // What a broken connection leaves behind has a cause below; what the miner says itself has none.
            Code::Unknown if std::error::Error::source(&status).is_some() => CallKind::Unreachable,
            Code::Ok | Code::Unknown | Code::ResourceExhausted | Code::Internal | Code::DataLoss => CallKind::Failed,
        };
        let mut failure = Box::new(Failure::from(&status));
        if let Some(cause) = std::error::Error::source(&status) {
            // Not said by the miner but met on the way there; the deepest cause says most.
            failure.message = format!("the miner is not reached: {}", deepest(cause));
        }
        failure.message = sanitise(&failure.message, 4 * PEER_TEXT_BYTES);
        if kind == CallKind::Unreachable && failure.reason.is_empty() {
            failure.reason = "MINER_UNREACHABLE".into();
        }
        Self { kind, failure }
    }
}

/// The cause of all causes.
pub(crate) fn deepest<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause
}

/// The way to one miner. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Link {
    pub(super) way: Way,
    quarantine: watch::Receiver<Option<Arc<str>>>,
}

/// A spec as the miner said it, and as a value.
#[derive(Debug, Clone)]
pub(crate) struct SpecReading {
    pub(crate) message: Arc<v1::SpecState>,
    pub(crate) confirmed: Arc<Confirmed>,
}

/// What a reconnect tells.
#[derive(Debug)]
pub enum ReconnectEvent {
    /// A phase ended.
    Phase(Phase),
    /// It is done.
    Result(ReconnectResult),
}

/// Messages of a reconnect.
#[derive(Debug)]
pub struct ReconnectEvents(Streaming<wire::ReconnectPoolResponse>);

/// Status trees of a miner.
#[derive(Debug)]
pub(crate) struct Statuses(Streaming<wire::WatchMinerResponse>);

impl Link {
    pub(super) fn new(way: Way, quarantine: watch::Receiver<Option<Arc<str>>>) -> Self {
        Self { way, quarantine }
    }

    /// Nothing that could change a miner is sent to one whose identity is in doubt.
    pub(super) fn permitted(&self) -> Result<(), CallError> {
        let Some(reason) = self.quarantine.borrow().clone() else { return Ok(()) };
        let message = format!("nothing is sent to this miner, {reason}; find out which one is real, then release it");
        let failure = Box::new(Failure::new(Code::FailedPrecondition, "IDENTITY_QUARANTINED", message));
        Err(CallError { kind: CallKind::Conflict, failure })
    }

    /// Over a connection on which somebody called home.
    pub(crate) fn at(connection: Attached) -> Self {
        Self::new(Way::Home(watch::channel(Some(connection)).1), watch::channel(None).1)
    }

    /// Reads the status tree.
    pub(crate) async fn status(&self) -> Result<v1::MinerStatus, CallError> {
        let mut client = self.miner();
        let request = untraced(within(QUICK, wire::GetMinerRequest {}));
        let answer = late(QUICK, client.get_miner(request).with_subscriber(silence())).await?;
        Ok(answer.miner.unwrap_or_default())
    }

    /// Waits until it makes sense to call.
    pub(crate) async fn opens(&self) {
        self.way.opens().await;
    }

    fn miner(&self) -> MinerServiceClient<Way> {
        MinerServiceClient::new(self.way.clone())
    }

    /// Follows the status tree.
    pub(crate) async fn watch(&self) -> Result<Statuses, CallError> {
        let request = Request::new(wire::WatchMinerRequest {
            min_interval: Some(duration(STATUS_INTERVAL)),
            figures_interval: Some(duration(FIGURES_INTERVAL)),
        });
        let mut client = self.miner();
        let stream = late(QUICK, client.watch_miner(untraced(request)).with_subscriber(silence())).await?;
        Ok(Statuses(stream))
    }

    /// Reads the spec.
    pub(crate) async fn spec(&self) -> Result<SpecReading, CallError> {
        let mut client = self.miner();
        let request = untraced(within(QUICK, wire::GetSpecRequest {}));
        let answer = late(QUICK, client.get_spec(request).with_subscriber(silence())).await?;
        reading(answer.state)
    }

    /// Sends a desired state with its passwords. The miner goes back by itself unless it is confirmed in time.
    pub(crate) async fn apply(
        &self,
        desired: &DesiredState,
        request_id: String,
        confirm_within: Option<Duration>,
    ) -> Result<SpecReading, CallError> {
        self.permitted()?;
        let request = wire::ApplySpecRequest {
            spec: Some(for_the_miner(&desired.wanted)),
            update_mask: None,
            etag: String::new(),
            request_id,
            validate_only: false,
            control_generation: desired.generation.0,
            confirm_within: confirm_within.map(duration),
        };
        let answer = late(APPLY, self.miner().apply_spec(within(APPLY, request))).await?;
        reading(answer.state)
    }

    /// Keeps a change that would be taken back otherwise.
    pub(crate) async fn confirm(&self, generation: Generation) -> Result<SpecReading, CallError> {
        self.permitted()?;
        let request = within(QUICK, wire::ConfirmSpecRequest { generation: generation.0 });
        reading(late(QUICK, self.miner().confirm_spec(request)).await?.state)
    }

    /// Starts or joins a reconnect.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn reconnect(
        &self,
        pool: Option<&PoolName>,
        mode: ReconnectMode,
        request_id: &str,
    ) -> Result<ReconnectEvents, CallError> {
        self.permitted()?;
        let mode = match mode {
            ReconnectMode::Graceful => wire::ReconnectMode::Graceful,
            ReconnectMode::Immediate => wire::ReconnectMode::Immediate,
        };
        let request = wire::ReconnectPoolRequest {
            pool: pool.map(ToString::to_string).unwrap_or_default(),
            mode: mode.into(),
            request_id: request_id.into(),
        };
        let mut client = PoolServiceClient::new(self.way.clone());
        Ok(ReconnectEvents(late(PHASE, client.reconnect_pool(request)).await?))
    }

    /// Closed buckets after a cursor; waits for one when there is none.
    pub(crate) async fn share_buckets(
        &self,
        database_id: &str,
        after_sequence: u64,
        page_size: u32,
        wait: Duration,
    ) -> Result<BucketPage, CallError> {
        let request = wire::ListShareBucketsRequest {
            database_id: database_id.into(),
            after_sequence,
            page_size,
            wait: Some(duration(wait)),
        };
        let mut client = ShareServiceClient::new(self.way.clone());
        let request = untraced(within(wait + QUICK, request));
        let call = client.list_share_buckets(request).with_subscriber(silence());
        let wire::ListShareBucketsResponse { database_id, buckets, oldest_sequence } = late(wait + QUICK, call).await?;
        let buckets = buckets.into_iter().map(TryInto::try_into).collect::<Result<_, _>>().map_err(|problem| {
            let mujina_core::spec::Problem { field, reason } = problem;
            broken(format!("the miner sent a bucket whose {field} {reason}; update the miner"))
        })?;
        Ok(BucketPage { database_id, buckets, oldest_sequence })
    }

    /// Finished spans that the miner remembers of a trace.
    pub(crate) async fn spans(&self, trace_id: &str) -> Result<Vec<v1::Span>, CallError> {
        let request = untraced(within(SPANS, wire::ListSpansRequest { trace_id: trace_id.into() }));
        let mut client = DiagnosticsServiceClient::new(self.way.clone());
        let call = client.list_spans(request).with_subscriber(silence());
        Ok(late(SPANS, call).await?.spans)
    }
}

impl ReconnectEvents {
    /// The next phase, or the result.
    ///
    /// # Errors
    /// See [`CallError`]; the miner's failure when the reconnect failed.
    pub async fn next(&mut self) -> Result<ReconnectEvent, CallError> {
        match next(PHASE, &mut self.0).await?.event {
            Some(wire::reconnect_pool_response::Event::Phase(phase)) => {
                Ok(ReconnectEvent::Phase(convert::phase(phase)))
            }
            Some(wire::reconnect_pool_response::Event::Result(result)) => {
                Ok(ReconnectEvent::Result(convert::result(result)))
            }
            None => {
                Err(broken("the miner sent an event of a reconnect that is not known; update mujina-control".into()))
            }
        }
    }
}

impl Statuses {
    /// The first status tree, which comes at once.
    pub(crate) async fn first(&mut self) -> Result<Arc<v1::MinerStatus>, CallError> {
        timeout(QUICK, self.next()).await.map_err(|_| too_late(QUICK))?
    }

    /// The next status tree. A paused miner may be silent for long; keep-alive notices when it is gone.
    ///
    /// # Cancel safety
    /// Safe: a message that has not arrived whole stays in the stream.
    pub(crate) async fn next(&mut self) -> Result<Arc<v1::MinerStatus>, CallError> {
        match self.0.message().await? {
            Some(wire::WatchMinerResponse { miner }) => Ok(Arc::new(miner.unwrap_or_default())),
            None => Err(ended()),
        }
    }
}

/// Passwords that only the miner knows are left out, so that it keeps them.
fn for_the_miner(wanted: &WantedSpec) -> v1::MinerSpec {
    let mut spec = with_passwords(&wanted.spec);
    for pool in spec.pool_groups.iter_mut().flat_map(|group| &mut group.pools) {
        if wanted.left_to_miner.keys().any(|name| name.as_str() == pool.name) {
            pool.password = None;
        }
    }
    spec
}

fn reading(state: Option<v1::SpecState>) -> Result<SpecReading, CallError> {
    let state = state.ok_or_else(|| broken("the miner does not say what its spec is; update the miner".into()))?;
    Ok(SpecReading { confirmed: Arc::new(convert::confirmed(&state)), message: Arc::new(state) })
}

/// Takes no spans. One for all: each that is made looks through every place that logs. And no `Dispatch::none()`: a place that is
/// met first under it would be silent for ever.
fn silence() -> Dispatch {
    static SILENCE: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    SILENCE.clone()
}

/// Tells the miner how long its answer is waited for.
pub(super) fn within<T>(deadline: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

/// Keeps the miner from recording a span: its parent is one that nobody samples.
pub(super) fn untraced<T>(mut request: Request<T>) -> Request<T> {
    let parent = format!("00-{:032x}-{:016x}-00", rand::random::<u128>().max(1), rand::random::<u64>().max(1));
    let parent = MetadataValue::try_from(parent).expect("hex digits are fit for metadata");
    request.metadata_mut().insert("traceparent", parent);
    request
}

/// The call is boxed: it is large, and one of its kind is under way for every miner.
pub(super) fn late<T>(
    deadline: Duration,
    call: impl Future<Output = Result<Response<T>, Status>> + Send,
) -> impl Future<Output = Result<T, CallError>> + Send {
    let call = timeout(deadline, Box::pin(call));
    async move {
        match call.await {
            Ok(answered) => Ok(answered?.into_inner()),
            Err(_) => Err(too_late(deadline)),
        }
    }
}

pub(super) async fn next<T>(deadline: Duration, stream: &mut Streaming<T>) -> Result<T, CallError> {
    match timeout(deadline, stream.message()).await {
        Ok(message) => message?.ok_or_else(ended),
        Err(_) => Err(too_late(deadline)),
    }
}

fn too_late(deadline: Duration) -> CallError {
    Status::deadline_exceeded(format!("the miner did not answer within {deadline:?}")).into()
}

fn ended() -> CallError {
    Status::unavailable("the miner ended the stream; it may be shutting down").into()
}

pub(super) fn broken(message: String) -> CallError {
    let failure = Box::new(Failure::new(Code::Internal, "MINER_PROTOCOL", message));
    CallError { kind: CallKind::Failed, failure }
}
