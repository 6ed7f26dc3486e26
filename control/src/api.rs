//! What the control plane serves: each method converts, asks, converts.

mod access;
mod audit;
mod diagnostics;
mod enrollment;
mod event;
mod follow;
mod operation;
mod profile;
mod registry;
mod resume;
mod rollout;
mod spec;
mod statistics;

use crate::{
    access::{
        Caller, Subject,
        apart::{ApartError, Approver},
    },
    door::Dialler,
    event::Events,
    guard::Guard,
    identity::Enrolments,
    operation::Operations,
    profile::Profiles,
    registry::Registry,
    relay,
    repeat::RequestKey,
    rollout::Rollouts,
    spec::Specs,
    store::{Store, StoreError},
};
use futures_util::stream::{Stream, unfold};
use mujina_core::{
    id::MinerName,
    spec::{Problem, Problems},
};
use mujina_proto::{
    control::v1::{
        access_service_server::AccessServiceServer, audit_service_server::AuditServiceServer,
        diagnostics_service_server::DiagnosticsServiceServer, enrollment_service_server::EnrollmentServiceServer,
        event_service_server::EventServiceServer, miner_registry_service_server::MinerRegistryServiceServer,
        operation_service_server::OperationServiceServer, profile_service_server::ProfileServiceServer,
        rollout_service_server::RolloutServiceServer, spec_service_server::SpecServiceServer,
        statistics_service_server::StatisticsServiceServer,
    },
    failure::Failure,
    serve::standard_routes,
    tls::Peer,
    trace::SpanRing,
};
use prost::Message;
use std::pin::Pin;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, service::Routes};
use tracing::error;

/// What the methods ask.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) specs: Specs,
    pub(crate) operations: Operations,
    pub(crate) events: Events,
    pub(crate) profiles: Profiles,
    pub(crate) rollouts: Rollouts,
    pub(crate) spans: SpanRing,
    /// Who may connect; `None` = it was not set up for a fleet.
    pub(crate) enrolments: Option<Enrolments>,
    /// Stands before every call.
    pub(crate) guard: Guard,
    /// Ends watches, which would otherwise hold up the stop.
    pub(crate) cancel: CancellationToken,
}

/// All services, the relay included, behind the guard.
pub(crate) fn routes(parts: &Parts) -> Routes {
    // The reporter is not needed: while the process serves, it is healthy.
    let (mut routes, _reporter) = standard_routes();
    routes
        .add_service(MinerRegistryServiceServer::new(registry::Service(parts.clone())))
        .add_service(SpecServiceServer::new(spec::Service(parts.clone())))
        .add_service(OperationServiceServer::new(operation::Service(parts.clone())))
        .add_service(StatisticsServiceServer::new(statistics::Service(parts.clone())))
        .add_service(DiagnosticsServiceServer::new(diagnostics::Service(parts.clone())))
        .add_service(EnrollmentServiceServer::new(enrollment::Service(parts.clone())))
        .add_service(AccessServiceServer::new(access::Service(parts.clone())))
        .add_service(AuditServiceServer::new(audit::Service(parts.clone())))
        .add_service(EventServiceServer::new(event::Service(parts.clone())))
        .add_service(ProfileServiceServer::new(profile::Service(parts.clone())))
        .add_service(RolloutServiceServer::new(rollout::Service(parts.clone())));
    relay::routes(&mut routes, &parts.registry);
    let mut routes = routes.routes();
    let router = std::mem::take(routes.axum_router_mut());
    *routes.axum_router_mut() = router.layer(parts.guard.clone());
    routes
}

/// A stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Answers with what `next` makes of `state`, until it gives none or the stop is asked for. Nothing is made before the
/// reader takes it, so a slow reader gets the newest and costs one message.
fn watch<S, T, F>(cancel: CancellationToken, state: S, mut next: impl FnMut(S) -> F + Send + 'static) -> Answers<T>
where
    S: Send + 'static,
    T: Send + 'static,
    F: Future<Output = Option<(Result<T, Status>, S)>> + Send + 'static,
{
    let step = move |state| {
        let (cancel, next) = (cancel.clone(), next(state));
        async move { cancel.run_until_cancelled_owned(next).await.flatten() }
    };
    Box::pin(unfold(state, step))
}

/// The same for what is worth nothing unless it is whole: an export that the stop ends says so, and does not look like a short
/// one.
fn export<S, T, F>(cancel: CancellationToken, state: S, mut next: impl FnMut(S) -> F + Send + 'static) -> Answers<T>
where
    S: Send + 'static,
    T: Send + 'static,
    F: Future<Output = Option<(Result<T, Status>, S)>> + Send + 'static,
{
    let step = move |state: Option<S>| {
        let (cancel, next) = (cancel.clone(), state.map(&mut next));
        async move {
            match cancel.run_until_cancelled_owned(next?).await {
                Some(answer) => answer.map(|(answer, state)| (answer, Some(state))),
                None => Some((Err(stopped_short()), None)),
            }
        }
    };
    Box::pin(unfold(Some(state), step))
}

fn stopped_short() -> Status {
    let message = "the control plane is stopping, and what was exported is not whole; export it again";
    Failure::new(Code::Unavailable, "EXPORT_INTERRUPTED", message).into()
}

/// The name of a miner in a request.
fn miner_name(field: &str, text: &str) -> Result<MinerName, Problem> {
    text.parse().map_err(|error| problem(field, format!("`{}` {error}", text.escape_debug())))
}

fn problem(field: &str, reason: impl Into<String>) -> Problem {
    Problem { field: field.into(), reason: reason.into() }
}

/// Bad input.
fn refuse(problem: Problem) -> Status {
    Failure::invalid(Problems(vec![problem])).into()
}

fn unknown_miner(name: &MinerName) -> Failure {
    let message = format!("no miner is named {name}; see the list of miners, or add it to the configuration");
    Failure::new(Code::NotFound, "MINER_NOT_FOUND", message).with("miner", name)
}

/// A failure of the database, told to its owner here and to the caller.
pub(crate) fn storage(failure: &StoreError) -> Failure {
    if matches!(failure, StoreError::Reused) {
        return Failure::invalid_field("request_id", failure.to_string());
    }
    error!(error = failure as &(dyn std::error::Error + 'static), "a call failed on the database");
    Failure::new(Code::Internal, "STORAGE_FAILED", failure.to_string())
}

/// What tells the repeats of a request, whose id was taken out, from other requests.
fn key(by: &Caller, request_id: String, request: &impl Message) -> RequestKey {
    RequestKey::new(by, request_id, &request.encode_to_vec())
}

/// Who approves by this call.
fn approver<T>(request: &Request<T>) -> Result<Approver, Failure> {
    let subject = Caller::of(request)?.subject().cloned().unwrap_or(Subject::Anonymous);
    Ok(Approver::new(subject, peer(request).map(|peer| peer.serial)))
}

/// Whose certificate the connection showed.
fn peer<T>(request: &Request<T>) -> Option<&Peer> {
    request.extensions().get::<Dialler>()?.peer.as_ref()
}

/// Why an approval does not count.
fn not_apart(error: &ApartError) -> Failure {
    let (code, reason) = match error {
        ApartError::MaybeOne { .. } => (Code::PermissionDenied, "MAYBE_ONE_PERSON"),
        ApartError::TooNew(_) => (Code::FailedPrecondition, "APPROVER_TOO_NEW"),
    };
    Failure::new(code, reason, error.to_string())
}

/// How many items a page has.
fn page_size(asked: u32, usual: usize, most: usize) -> usize {
    match usize::try_from(asked).unwrap_or(most) {
        0 => usual,
        asked => asked.min(most),
    }
}

fn bad_token() -> Problem {
    problem("page_token", "is not one that this service gave; begin without a token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    #[tokio::test]
    async fn export_that_the_stop_ends_says_that_it_is_not_whole() {
        let cancel = CancellationToken::new();
        let numbers = |number: u32| async move { Some((Ok(number), number + 1)) };
        let mut cut = export(cancel.clone(), 0, numbers);
        assert_eq!(cut.next().await.unwrap().unwrap(), 0);
        cancel.cancel();
        assert_eq!(cut.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
        assert!(cut.next().await.is_none());
        let all = export(CancellationToken::new(), 0, |number: u32| async move {
            (number < 3).then_some((Ok(number), number + 1))
        });
        assert_eq!(all.map(Result::unwrap).collect::<Vec<_>>().await, [0, 1, 2]);
    }
}
