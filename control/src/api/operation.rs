//! Operations, started and followed.

use super::{Answers, Parts, bad_token, miner_name, page_size, problem, refuse, storage, watch};
use crate::operation::{
    Action, Operation, OperationError, OperationRequest, OperationState, Operations, Phase, ReconnectMode,
    ReconnectResult, Target, TargetState,
};
use mujina_core::spec::{Problem, Problems};
use mujina_proto::{
    control::v1::{self, operation_action, operation_service_server::OperationService},
    convert::{duration, timestamp},
    dataplane,
    failure::Failure,
    types,
};
use std::collections::BTreeSet;
use tonic::{Code, Request, Response, Status};

/// Longest reason of a pause in bytes.
const MAX_REASON: usize = 255;

pub(super) struct Service(pub(super) Parts);

impl Service {
    fn operations(&self) -> &Operations {
        &self.0.operations
    }
}

#[tonic::async_trait]
impl OperationService for Service {
    async fn start_operation(
        &self,
        request: Request<v1::StartOperationRequest>,
    ) -> Result<Response<v1::StartOperationResponse>, Status> {
        let request = asked(request.into_inner()).map_err(Failure::invalid)?;
        let operation = self.operations().start(request).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::StartOperationResponse { operation: Some(message(operation)), ramp: Vec::new() }))
    }

    async fn get_operation(
        &self,
        request: Request<v1::GetOperationRequest>,
    ) -> Result<Response<v1::GetOperationResponse>, Status> {
        let id = request.into_inner().operation_id;
        let operation = self.operations().get(&id).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::GetOperationResponse { operation: Some(message(operation)) }))
    }

    async fn list_operations(
        &self,
        request: Request<v1::ListOperationsRequest>,
    ) -> Result<Response<v1::ListOperationsResponse>, Status> {
        let v1::ListOperationsRequest { page_size: asked, page_token } = request.into_inner();
        let most = page_size(asked, 50, 500);
        // The token is the number of the last operation of the page before.
        let before = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<i64>().map_err(|_| refuse(bad_token()))?),
        };
        let mut found = self.operations().list(before, most + 1).await.map_err(|error| failure(&error))?;
        let has_more = found.len() > most;
        found.truncate(most);
        let next_page_token = found.last().filter(|_| has_more).map(|(number, _)| number.to_string());
        Ok(Response::new(v1::ListOperationsResponse {
            operations: found.into_iter().map(|(_, operation)| message(operation)).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    type WatchOperationStream = Answers<v1::WatchOperationResponse>;

    async fn watch_operation(
        &self,
        request: Request<v1::WatchOperationRequest>,
    ) -> Result<Response<Self::WatchOperationStream>, Status> {
        let id = request.into_inner().operation_id;
        let operations = self.operations().clone();
        let changes = operations.changes();
        // An operation that does not exist is a failure of the call, not of the stream.
        operations.get(&id).await.map_err(|error| failure(&error))?;
        let next = move |(mut changes, seen): (_, Option<Operation>)| {
            let (operations, id) = (operations.clone(), id.clone());
            async move {
                loop {
                    let changes: &mut tokio::sync::watch::Receiver<u64> = &mut changes;
                    match &seen {
                        None => {}
                        Some(seen) if seen.state != OperationState::Running => return None,
                        Some(_) => changes.changed().await.ok()?,
                    }
                    changes.borrow_and_update();
                    let now = match operations.get(&id).await {
                        Ok(now) => now,
                        Err(error) => return Some((Err(failure(&error).into()), (changes.clone(), ended(seen)))),
                    };
                    if seen.as_ref() == Some(&now) {
                        continue;
                    }
                    let answer = v1::WatchOperationResponse { operation: Some(message(now.clone())), snapshot: true };
                    return Some((Ok(answer), (changes.clone(), Some(now))));
                }
            }
        };
        Ok(Response::new(watch(self.0.cancel.clone(), (changes, None), next)))
    }

    async fn cancel_operation(
        &self,
        request: Request<v1::CancelOperationRequest>,
    ) -> Result<Response<v1::CancelOperationResponse>, Status> {
        let id = request.into_inner().operation_id;
        let operation = self.operations().cancel(&id).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::CancelOperationResponse { operation: Some(message(operation)) }))
    }

    async fn retry_operation(
        &self,
        _: Request<v1::RetryOperationRequest>,
    ) -> Result<Response<v1::RetryOperationResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    type GetBundleStream = Answers<v1::GetBundleResponse>;

    async fn get_bundle(&self, _: Request<v1::GetBundleRequest>) -> Result<Response<Self::GetBundleStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }
}

/// After an error the stream ends as if the operation had.
fn ended(seen: Option<Operation>) -> Option<Operation> {
    seen.map(|seen| Operation { state: OperationState::Failed, ..seen })
}

fn asked(request: v1::StartOperationRequest) -> Result<OperationRequest, Problems> {
    let v1::StartOperationRequest { action, miners, all, request_id, .. } = request;
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    if all != miners.is_empty() {
        let reason = if all { "must be empty with `all`" } else { "is empty; name miners or set `all`" };
        problems.push(problem("miners", reason));
    }
    for (i, name) in miners.iter().enumerate() {
        match miner_name(&format!("miners[{i}]"), name) {
            Ok(name) => drop(names.insert(name)),
            Err(bad) => problems.push(bad),
        }
    }
    let action = match action.and_then(|action| action.action).map(action_from) {
        Some(Ok(action)) => Some(action),
        Some(Err(bad)) => {
            problems.push(bad);
            None
        }
        None => {
            let reason = "is missing or not known; use reconnect, pause or resume";
            problems.push(problem("action", reason));
            None
        }
    };
    match action {
        Some(action) if problems.is_empty() => {
            Ok(OperationRequest { action, miners: (!all).then_some(names), request_id })
        }
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
        _ => Err(problem("action", "is not known; use reconnect, pause or resume")),
    }
}

fn message(operation: Operation) -> v1::Operation {
    let Operation { id, action, state, targets, created_at, finished_at, trace_id } = operation;
    let state = match state {
        OperationState::Running => v1::OperationState::Running,
        OperationState::Succeeded => v1::OperationState::Succeeded,
        OperationState::PartiallyFailed => v1::OperationState::PartiallyFailed,
        OperationState::Failed => v1::OperationState::Failed,
        OperationState::Cancelled => v1::OperationState::Cancelled,
    };
    v1::Operation {
        operation_id: id,
        action: Some(v1::OperationAction { action: Some(action_message(action)) }),
        state: state.into(),
        targets: targets.into_iter().map(target).collect(),
        created_at: Some(timestamp(created_at)),
        finished_at: finished_at.map(timestamp),
        trace_id,
        ..v1::Operation::default()
    }
}

fn action_message(action: Action) -> operation_action::Action {
    match action {
        Action::Reconnect { pool, mode } => {
            let mode = match mode {
                ReconnectMode::Graceful => dataplane::v1::ReconnectMode::Graceful,
                ReconnectMode::Immediate => dataplane::v1::ReconnectMode::Immediate,
            };
            let pool = pool.map(|pool| pool.to_string()).unwrap_or_default();
            operation_action::Action::Reconnect(v1::ReconnectAction { pool, mode: mode.into() })
        }
        Action::Pause { reason } => operation_action::Action::Pause(v1::PauseAction { reason }),
        Action::Resume => operation_action::Action::Resume(v1::ResumeAction {}),
    }
}

fn target(target: Target) -> v1::OperationTarget {
    let Target { miner, state, phases, failure, result, elapsed } = target;
    let state = match state {
        TargetState::Waiting => v1::TargetState::Waiting,
        TargetState::Running => v1::TargetState::Running,
        TargetState::Succeeded => v1::TargetState::Succeeded,
        TargetState::Failed => v1::TargetState::Failed,
        TargetState::Skipped => v1::TargetState::Skipped,
    };
    let (error_code, error_reason, error_message) =
        failure.map(|failure| (failure.code, failure.reason, failure.message)).unwrap_or_default();
    v1::OperationTarget {
        miner: miner.to_string(),
        state: state.into(),
        error_code,
        error_message,
        error_reason,
        phases: phases.into_iter().map(phase).collect(),
        reconnect: result.map(reconnect),
        elapsed: elapsed.map(duration),
        ..v1::OperationTarget::default()
    }
}

fn phase(phase: Phase) -> types::v1::ConnectPhase {
    let Phase { name, elapsed, detail } = phase;
    types::v1::ConnectPhase { name, elapsed: Some(duration(elapsed)), detail }
}

fn reconnect(result: ReconnectResult) -> dataplane::v1::ReconnectResult {
    let ReconnectResult { pool, connection, work_gap, shares_lost, phases } = result;
    dataplane::v1::ReconnectResult {
        pool,
        connection_id: connection,
        work_gap: work_gap.map(duration),
        shares_lost,
        phases: phases.into_iter().map(phase).collect(),
    }
}

fn failure(error: &OperationError) -> Failure {
    match error {
        OperationError::UnknownMiners(_) => Failure::new(Code::NotFound, "MINER_NOT_FOUND", error.to_string()),
        OperationError::NoMiners => Failure::new(Code::FailedPrecondition, "NO_MINERS", error.to_string()),
        OperationError::TooMany(_) => Failure::invalid_field("miners", error.to_string()),
        OperationError::Unknown(_) => Failure::new(Code::NotFound, "OPERATION_NOT_FOUND", error.to_string()),
        OperationError::Store(error) => storage(error),
    }
}
