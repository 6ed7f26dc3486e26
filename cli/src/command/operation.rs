//! Operations of a control plane: started, then followed to their end.

use super::{
    message,
    peer::Peer,
    repeat::{once_more, request_id},
    view,
};
use crate::{context::Context, error::CliError};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{
        Operation, OperationAction, OperationState, OperationTarget, StartOperationRequest, StartOperationResponse,
        TargetState, WatchOperationRequest, WatchOperationResponse, operation_action::Action,
        operation_service_client::OperationServiceClient,
    },
    dial::Client,
    failure::Failure,
};
use std::time::Duration;
use tonic::Code;

/// Operations survive a restart of the control plane; this is how long one may take. About six seconds in all.
const RETRIES_MS: [u64; 5] = [200, 400, 800, 1600, 3200];

/// Starts an operation on some miners.
pub(crate) async fn start(
    client: &Client,
    action: Action,
    miners: Vec<String>,
    doing: &str,
) -> Result<StartOperationResponse, CliError> {
    let request = StartOperationRequest {
        action: Some(OperationAction { action: Some(action) }),
        miners,
        all: false,
        request_id: request_id(),
        ..StartOperationRequest::default()
    };
    let call = || {
        let (mut service, request) = (OperationServiceClient::new(client.clone()), request.clone());
        async move { service.start_operation(request).await }
    };
    once_more(call).await.map_err(CliError::call(doing))
}

/// Follows an operation to its end, over a restart of the control plane too; `tell` is called with it after every change.
pub(crate) async fn follow(
    client: &Client,
    operation_id: &str,
    doing: &str,
    mut tell: impl FnMut(&Operation) -> Result<(), CliError> + Send,
) -> Result<Operation, CliError> {
    let mut delays = RETRIES_MS.into_iter().map(Duration::from_millis);
    loop {
        match watch(client, operation_id, doing, &mut tell).await {
            Err(error) if error.is_unreachable() => match delays.next() {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(error),
            },
            ended => return ended,
        }
    }
}

async fn watch(
    client: &Client,
    operation_id: &str,
    doing: &str,
    tell: &mut (impl FnMut(&Operation) -> Result<(), CliError> + Send),
) -> Result<Operation, CliError> {
    let request = WatchOperationRequest { operation_id: operation_id.to_owned() };
    let mut service = OperationServiceClient::new(client.clone());
    let mut stream = service.watch_operation(request).await.map_err(CliError::call(doing))?.into_inner();
    while let Some(event) = stream.message().await.map_err(CliError::call(doing))? {
        let Some(operation) = event.operation else { continue };
        tell(&operation)?;
        if has_ended(&operation) {
            return Ok(operation);
        }
    }
    Err(CliError::Ended { doing: doing.to_owned() })
}

fn has_ended(operation: &Operation) -> bool {
    match operation.state() {
        OperationState::Unspecified | OperationState::Running => false,
        OperationState::Succeeded
        | OperationState::PartiallyFailed
        | OperationState::Failed
        | OperationState::Cancelled => true,
    }
}

/// How an operation that ended went. One miner's failure is told as if it had been asked itself.
pub(crate) fn verdict(operation: &Operation, doing: &str) -> Result<(), CliError> {
    let failed: Vec<_> = operation
        .targets
        .iter()
        .filter(|target| matches!(target.state(), TargetState::Failed | TargetState::Skipped))
        .collect();
    match (failed.as_slice(), operation.targets.len()) {
        ([], _) => Ok(()),
        ([only], 1) => Err(CliError::Call { doing: doing.to_owned(), failure: Box::new(failure_of(only)) }),
        (failed, of) => {
            let problem =
                |target: &&OperationTarget| Problem { field: target.miner.clone(), reason: failure_of(target).message };
            Err(CliError::Miners { failed: failed.iter().map(problem).collect(), of })
        }
    }
}

fn failure_of(target: &OperationTarget) -> Failure {
    if target.state() == TargetState::Skipped {
        return Failure::new(Code::Cancelled, "OPERATION_CANCELLED", "the operation was cancelled before it began");
    }
    let code = Code::from_i32(target.error_code);
    // A failure is never fine, whatever its code says.
    let code = if code == Code::Ok { Code::Unknown } else { code };
    Failure::new(code, &target.error_reason, target.error_message.clone())
}

/// Starts an operation whose phases nobody waits for, and shows it; with `--wait` follows it to its end.
pub(crate) async fn run(
    context: &mut Context<'_>,
    peer: &Peer,
    action: Action,
    miners: Vec<String>,
    doing: &str,
) -> Result<(), CliError> {
    let started = start(&peer.client, action, miners, doing).await?;
    let operation = started.operation.clone().unwrap_or_default();
    let id = operation.operation_id.clone();
    if !context.wait {
        message::show(context, &started, |paint| view::operation(&operation, paint))?;
        return context.confirm(&format!("operation {id} is under way; --wait follows it to its end"));
    }
    context.goes_on = Some(goes_on(&id));
    let mut told = String::new();
    let ended = follow(&peer.client, &id, doing, |operation| {
        let line = view::operation_line(operation);
        if line != told {
            context.note(&line)?;
            told = line;
        }
        Ok(())
    })
    .await?;
    context.goes_on = None;
    let last = WatchOperationResponse { operation: Some(ended.clone()), snapshot: true };
    message::show(context, &last, |paint| view::operation(&ended, paint))?;
    verdict(&ended, doing)
}

/// What is left when the command ends before the operation.
pub(crate) fn goes_on(operation_id: &str) -> String {
    format!("operation {operation_id} goes on without this command")
}
