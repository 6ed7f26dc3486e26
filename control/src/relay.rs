//! Hands calls to `mujina.dataplane.v1` with the metadata key `mujina-miner` on to that miner, byte for byte.
//!
//! Nothing is changed: requests, answers, streams and trailers pass as they are, and so do deadlines, cancellation and flow
//! control, because both sides are the same HTTP/2 bodies. Only the request of a test of a pool is read, because what it needs
//! is said by its content. Calls that change the spec, or confirm one on trial, are refused: what is wanted of a miner is
//! written here, or the two would undo each other, and it is the evidence of shares that confirms.

mod tested;

use crate::{
    access::{Caller, methods::method},
    registry::{Registry, deepest},
};
use http::{Request, Response};
use http_body_util::BodyExt;
use mujina_core::{
    id::MinerName,
    text::{PEER_TEXT_BYTES, sanitise},
};
use mujina_proto::failure::Failure;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{self, Poll},
    time::Duration,
};
use tonic::{Code, Status, body::Body, server::NamedService, service::RoutesBuilder};
use tower::{Service, ServiceExt};

/// Names the miner that a call is for.
pub const MINER: &str = "mujina-miner";
/// When a caller may try again that met an unreachable miner: the session tries at least that often.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Calls that the desired state makes, and nobody else.
const CHANGES: [&str; 4] = [
    "/mujina.dataplane.v1.MinerService/ApplySpec",
    "/mujina.dataplane.v1.MinerService/ConfirmSpec",
    "/mujina.dataplane.v1.MinerService/Pause",
    "/mujina.dataplane.v1.MinerService/Resume",
];

/// A call whose content says what it needs.
const TEST_POOL: &str = "/mujina.dataplane.v1.PoolService/TestPool";

/// Adds the services of a miner.
pub(crate) fn routes(routes: &mut RoutesBuilder, registry: &Registry) {
    let relay = Relay(registry.clone());
    routes
        .add_service(MinerService(relay.clone()))
        .add_service(PoolService(relay.clone()))
        .add_service(BoardService(relay.clone()))
        .add_service(ShareService(relay.clone()))
        .add_service(DiagnosticsService(relay));
}

#[derive(Debug, Clone)]
struct Relay(Registry);

impl Relay {
    async fn call(self, mut request: Request<Body>) -> Result<Response<Body>, Failure> {
        let name = request.headers_mut().remove(MINER).ok_or_else(|| {
            let hint = "name the miner that the call is for in the metadata key `mujina-miner`";
            Failure::new(Code::InvalidArgument, "MINER_NOT_NAMED", hint)
        })?;
        let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let name = text.parse::<MinerName>().map_err(|error| Failure::invalid_field(MINER, error.to_string()))?;
        let miner = self.0.get(&name).ok_or_else(|| {
            let message = format!("no miner is named {name}; see the list of miners, or add it to the configuration");
            Failure::new(Code::NotFound, "MINER_NOT_FOUND", message).with("miner", &name)
        })?;
        if CHANGES.contains(&request.uri().path()) {
            let message = "the spec of a miner is changed through mujina.control.v1.SpecService, and paused and resumed by \
                           an operation; the miner's own call would be undone or reported as drift, and a spec on trial is \
                           confirmed by its shares";
            return Err(Failure::new(Code::FailedPrecondition, "USE_DESIRED_STATE", message).with("miner", &name));
        }
        let changes = method(request.uri().path()).is_none_or(|row| row.changes);
        if changes && let Some(reason) = miner.quarantine() {
            let message =
                format!("nothing is sent to miner {name}, {reason}; find out which one is real, then release it");
            return Err(Failure::new(Code::FailedPrecondition, "IDENTITY_QUARANTINED", message).with("miner", &name));
        }
        let caller = request.extensions().get::<Caller>().cloned().ok_or_else(Caller::none)?;
        if request.uri().path() == TEST_POOL {
            let (needed, again) = tested::needed(request).await?;
            caller.may(needed, Some(&miner.labels()))?;
            request = again;
        }
        let place = miner.place(caller.person(), changes).ok_or_else(|| too_many(&name))?;
        let answer = miner.relay.clone().oneshot(request).await.map_err(|error| unreachable(&name, error.as_ref()))?;
        // It is given back with the body.
        Ok(answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _ = &place;
                frame
            }))
        }))
    }
}

fn unreachable(miner: &MinerName, error: &(dyn std::error::Error + 'static)) -> Failure {
    let cause = sanitise(&deepest(error).to_string(), PEER_TEXT_BYTES);
    let message = format!("miner {miner} is not reached: {cause}; is its data plane running?");
    Failure::new(Code::Unavailable, "MINER_UNREACHABLE", message).with("miner", miner).retry_after(RETRY_AFTER)
}

fn too_many(miner: &MinerName) -> Failure {
    let message =
        format!("too many calls are handed on to miner {miner} already; end some that follow it, or try again");
    Failure::new(Code::ResourceExhausted, "TOO_MANY_CALLS", message).with("miner", miner).retry_after(RETRY_AFTER)
}

/// Ways in: gRPC finds a service by its name.
macro_rules! relayed {
    ($($name:ident = $path:literal)*) => { $(
        #[derive(Debug, Clone)]
        struct $name(Relay);

        impl NamedService for $name {
            const NAME: &'static str = $path;
        }

        impl Service<Request<Body>> for $name {
            type Response = Response<Body>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

            fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<Body>) -> Self::Future {
                let relay = self.0.clone();
                Box::pin(async move {
                    Ok(relay.call(request).await.unwrap_or_else(|failure| Status::from(failure).into_http()))
                })
            }
        }
    )* };
}

relayed! {
    MinerService = "mujina.dataplane.v1.MinerService"
    PoolService = "mujina.dataplane.v1.PoolService"
    BoardService = "mujina.dataplane.v1.BoardService"
    ShareService = "mujina.dataplane.v1.ShareService"
    DiagnosticsService = "mujina.dataplane.v1.DiagnosticsService"
}
