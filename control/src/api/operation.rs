//! Operations, started and followed.

mod follow;
mod message;
mod shown;

use super::{
    Answers, Parts, bad_token, follow::Following, key, miner_name, page_size, problem, refuse, storage, watch,
};
use crate::{
    access::{Caller, content::of_action},
    operation::{Action, OperationError, OperationRequest, Operations, Preview, ReconnectMode, TestedPool},
    registry::{Miner, select},
};
use follow::FollowedOperation;
use futures_util::stream;
use message::message;
use mujina_core::{
    spec::{Problem, Problems},
    units::Watts,
};
use mujina_proto::{
    control::v1::{self, operation_action, operation_service_server::OperationService},
    convert::duration,
    dataplane,
    failure::Failure,
};
use shown::Shown;
use std::{mem, sync::Arc};
use tonic::{Code, Request, Response, Status};

/// Longest reason of a pause in bytes.
const MAX_REASON: usize = 255;
/// Longest URL, user or board of an action in bytes.
const MAX_TEXT: usize = 1024;
/// Bytes of one part of a bundle.
const PART: usize = 64 * 1024;

pub(super) struct Service(pub(super) Parts);

impl Service {
    fn operations(&self) -> &Operations {
        &self.0.operations
    }

    fn shown(&self, caller: Caller) -> Shown {
        Shown::new(self.0.registry.clone(), self.0.operations.clone(), caller)
    }

    /// The miners that are meant. Of those that were not named, those alone to which the caller may do this.
    fn targets(
        &self,
        request: &v1::StartOperationRequest,
        action: &Action,
        caller: &Caller,
    ) -> Result<Vec<Arc<Miner>>, Failure> {
        let v1::StartOperationRequest { miners, all, selector, filter, .. } = request;
        let selection = v1::MinerSelection {
            miners: miners.clone(),
            all: *all,
            selector: selector.clone(),
            filter: filter.clone(),
        };
        let mut found = select(&self.0.registry, &selection, caller)?;
        if miners.is_empty() {
            let needed = of_action(action);
            let mut denied = None;
            found.retain(|miner| match caller.may(needed, Some(&miner.labels())) {
                Ok(()) => true,
                Err(refusal) => {
                    denied = Some(refusal);
                    false
                }
            });
            if let (true, Some(denied)) = (found.is_empty(), denied) {
                return Err(denied.into());
            }
        }
        Ok(found)
    }
}

#[tonic::async_trait]
impl OperationService for Service {
    async fn start_operation(
        &self,
        request: Request<v1::StartOperationRequest>,
    ) -> Result<Response<v1::StartOperationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut request = request.into_inner();
        let key = key(&caller, mem::take(&mut request.request_id), &request);
        if !request.validate_only
            && let Some(repeated) = self.operations().repeated(&key).await.map_err(|error| failure(&error))?
        {
            let operation = self.shown(caller).filtered(repeated).map(message);
            return Ok(Response::new(v1::StartOperationResponse { operation, ramp: Vec::new() }));
        }
        let (action, ramp) = asked(&mut request).map_err(Failure::invalid)?;
        let miners = self.targets(&request, &action, &caller)?;
        let validate_only = request.validate_only;
        if validate_only {
            caller.only_checks();
        }
        let request = OperationRequest { action, miners, key, ramp, by: caller, retry_of: String::new() };
        if validate_only {
            let Preview { operation, ramp } = self.operations().preview(&request).map_err(|error| failure(&error))?;
            let step = |(after, miner): (_, mujina_core::id::MinerName)| v1::RampStep {
                miner: miner.to_string(),
                after: Some(duration(after)),
            };
            let ramp = ramp.into_iter().map(step).collect();
            return Ok(Response::new(v1::StartOperationResponse { operation: Some(message(operation)), ramp }));
        }
        let operation = self.operations().start(request).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::StartOperationResponse { operation: Some(message(operation)), ramp: Vec::new() }))
    }

    async fn get_operation(
        &self,
        request: Request<v1::GetOperationRequest>,
    ) -> Result<Response<v1::GetOperationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let operation = self.shown(caller).get(&request.into_inner().operation_id).await;
        let operation = operation.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::GetOperationResponse { operation: Some(message(operation)) }))
    }

    async fn list_operations(
        &self,
        request: Request<v1::ListOperationsRequest>,
    ) -> Result<Response<v1::ListOperationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let v1::ListOperationsRequest { page_size: asked, page_token } = request.into_inner();
        let most = page_size(asked, 50, 500);
        // The token is the number of the last operation of the page before.
        let before = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<i64>().map_err(|_| refuse(bad_token()))?),
        };
        let (found, next) = self.shown(caller).list(before, most).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::ListOperationsResponse {
            operations: found.into_iter().map(message).collect(),
            next_page_token: next.map(|number| number.to_string()).unwrap_or_default(),
        }))
    }

    type WatchOperationStream = Answers<v1::WatchOperationResponse>;

    async fn watch_operation(
        &self,
        request: Request<v1::WatchOperationRequest>,
    ) -> Result<Response<Self::WatchOperationStream>, Status> {
        let shown = self.shown(Caller::of(&request)?);
        let v1::WatchOperationRequest { operation_id: id, resume_token } = request.into_inner();
        let (epoch, changes) = (format!("{}/{id}", self.0.store.incarnation()), self.operations().changes());
        let following = Following::begin(FollowedOperation { shown, id }, epoch, changes, &resume_token).await?;
        Ok(Response::new(watch(self.0.cancel.clone(), following, Following::next)))
    }

    async fn cancel_operation(
        &self,
        request: Request<v1::CancelOperationRequest>,
    ) -> Result<Response<v1::CancelOperationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.into_inner().operation_id;
        let operation = self.operations().cancel(&id, &caller).await.map_err(|error| failure(&error))?;
        let operation = self.shown(caller).filtered(operation).map(message);
        Ok(Response::new(v1::CancelOperationResponse { operation }))
    }

    async fn retry_operation(
        &self,
        request: Request<v1::RetryOperationRequest>,
    ) -> Result<Response<v1::RetryOperationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut request = request.into_inner();
        let key = key(&caller, mem::take(&mut request.request_id), &request);
        let started = self.operations().retry(&request.operation_id, key, caller).await;
        let operation = started.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::RetryOperationResponse { operation: Some(message(operation)) }))
    }

    type GetBundleStream = Answers<v1::GetBundleResponse>;

    async fn get_bundle(
        &self,
        request: Request<v1::GetBundleRequest>,
    ) -> Result<Response<Self::GetBundleStream>, Status> {
        let caller = Caller::of(&request)?;
        let v1::GetBundleRequest { operation_id, miner } = request.into_inner();
        let name = miner_name("miner", &miner).map_err(refuse)?;
        let labels = self.0.registry.get(&name).map(|miner| miner.labels());
        caller.may(crate::access::Permission::Read, labels.as_deref()).map_err(Failure::from)?;
        let bundle = self.operations().bundle(&operation_id, &name).await.map_err(|error| failure(&error))?;
        let bundle = bundle.ok_or_else(|| {
            let message = format!(
                "operation {} collected nothing from miner {name}, or that was dropped with age; collect anew",
                operation_id.chars().take(80).collect::<String>().escape_debug()
            );
            Failure::new(Code::NotFound, "BUNDLE_NOT_FOUND", message).with("miner", &name)
        })?;
        let parts: Vec<_> = bundle.chunks(PART).map(|part| Ok(v1::GetBundleResponse { data: part.to_vec() })).collect();
        Ok(Response::new(Box::pin(stream::iter(parts))))
    }
}

/// The action, and the power that may be switched per second.
fn asked(request: &mut v1::StartOperationRequest) -> Result<(Action, Option<Watts>), Problems> {
    let mut problems = Vec::new();
    let action = match request.action.take().and_then(|action| action.action).map(action_from) {
        Some(Ok(action)) => Some(action),
        Some(Err(bad)) => {
            problems.push(bad);
            None
        }
        None => {
            let reason = "is missing or not known; use reconnect, pause, resume, restart, test_pool, self_test or \
                          collect_bundle";
            problems.push(problem("action", reason));
            None
        }
    };
    let watts = request.ramp_watts;
    if !watts.is_finite() || watts < 0.0 {
        problems.push(problem("ramp_watts", "is no power; give watts per second, or 0 for no bound"));
    }
    let selects =
        !request.miners.is_empty() || request.all || !request.selector.is_empty() || !request.filter.is_empty();
    if !selects {
        problems.insert(0, problem("miners", "is empty; name miners, give a selector or a filter, or set `all`"));
    }
    match action {
        Some(action) if problems.is_empty() => Ok((action, (watts > 0.0).then(|| Watts::from_watts(watts)))),
        _ => Err(Problems(problems)),
    }
}

fn action_from(action: operation_action::Action) -> Result<Action, Problem> {
    match action {
        operation_action::Action::Reconnect(reconnect) => {
            let mode = match reconnect.mode() {
                dataplane::v1::ReconnectMode::Immediate => ReconnectMode::Immediate,
                dataplane::v1::ReconnectMode::Graceful | dataplane::v1::ReconnectMode::Unspecified => {
                    ReconnectMode::Graceful
                }
            };
            let pool = match reconnect.pool.as_str() {
                "" => None,
                name => Some(name.parse().map_err(|error| Problem {
                    field: "action.reconnect.pool".into(),
                    reason: format!("`{}` {error}", name.escape_debug()),
                })?),
            };
            Ok(Action::Reconnect { pool, mode })
        }
        operation_action::Action::Pause(v1::PauseAction { reason }) if reason.len() > MAX_REASON => Err(Problem {
            field: "action.pause.reason".into(),
            reason: format!("has {} bytes; use at most {MAX_REASON}", reason.len()),
        }),
        operation_action::Action::Pause(v1::PauseAction { reason }) => Ok(Action::Pause { reason }),
        operation_action::Action::Resume(v1::ResumeAction {}) => Ok(Action::Resume),
        operation_action::Action::Restart(v1::RestartAction { board }) => {
            Ok(Action::Restart { board: text("action.restart.board", board)? })
        }
        operation_action::Action::SelfTest(v1::SelfTestAction { board }) => {
            Ok(Action::SelfTest { board: text("action.self_test.board", board)? })
        }
        operation_action::Action::TestPool(test) => tested_pool(test).map(Action::TestPool),
        operation_action::Action::CollectBundle(v1::CollectBundleAction {}) => Ok(Action::CollectBundle),
    }
}

fn tested_pool(test: v1::TestPoolAction) -> Result<TestedPool, Problem> {
    let v1::TestPoolAction { pool, user } = test;
    let user = text("action.test_pool.user", user)?;
    match (text("action.test_pool.pool", pool)?, user) {
        (Some(url), user) if url.contains("://") => Ok(TestedPool::Url { url, user: user.unwrap_or_default() }),
        (_, Some(_)) => Err(problem("action.test_pool.user", "is for a pool that is given by URL; leave it out")),
        (None, None) => Ok(TestedPool::All),
        (Some(name), None) => {
            let wrong = |error| problem("action.test_pool.pool", format!("`{}` {error}", name.escape_debug()));
            name.parse().map(TestedPool::Named).map_err(wrong)
        }
    }
}

/// A text that is not too long; `None` = it is empty.
fn text(field: &str, text: String) -> Result<Option<String>, Problem> {
    match text.len() {
        0 => Ok(None),
        1..=MAX_TEXT => Ok(Some(text)),
        long => Err(problem(field, format!("has {long} bytes; use at most {MAX_TEXT}"))),
    }
}

fn failure(error: &OperationError) -> Failure {
    let refused = |reason| Failure::new(Code::FailedPrecondition, reason, error.to_string());
    match error {
        OperationError::NoMiners => refused("NO_MINERS"),
        OperationError::TooMany(_) => Failure::invalid_field("miners", error.to_string()),
        OperationError::Denied(denied) => denied.clone().into(),
        OperationError::Ramp(_) | OperationError::NoRamp => Failure::invalid_field("ramp_watts", error.to_string()),
        OperationError::Unknown(_) => Failure::new(Code::NotFound, "OPERATION_NOT_FOUND", error.to_string()),
        OperationError::NotEnded(id) => refused("OPERATION_NOT_ENDED").with("operation_id", id),
        OperationError::NothingToRetry(id) => refused("NOTHING_TO_RETRY").with("operation_id", id),
        OperationError::Store(error) => storage(error),
    }
}
