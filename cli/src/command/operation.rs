//! Operations of a control plane: started, then followed to their end.

use super::{
    message,
    peer::{MAX_ANSWER, Peer},
    repeat::{Known, Retries, once_more, request_id},
    selection::of_miners,
    view,
};
use crate::{args::Ramp, context::Context, error::CliError, saved::Client};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{
        MinerSelection, Operation, OperationAction, OperationState, OperationTarget, StartOperationRequest,
        StartOperationResponse, TargetState, WatchOperationRequest, WatchOperationResponse, operation_action::Action,
        operation_service_client::OperationServiceClient,
    },
    failure::Failure,
};
use tokio::time::Instant;
use tonic::Code;

/// What is left when the command ends while it starts one.
pub(crate) const MAY_HAVE_STARTED: &str = "the operation may have been started; see `mujinactl op list`";

/// An operation to be started.
pub(crate) struct Order {
    action: Action,
    /// How fast power is switched.
    ramp: Ramp,
    /// Verb phrase.
    doing: &'static str,
}

impl Order {
    /// Without a ramp.
    pub(crate) fn new(action: Action, doing: &'static str) -> Self {
        Self { action, ramp: Ramp::default(), doing }
    }

    /// With one.
    pub(crate) fn ramped(self, ramp: Ramp) -> Self {
        Self { ramp, ..self }
    }

    fn request(&self, selection: MinerSelection) -> StartOperationRequest {
        let MinerSelection { miners, all, selector, filter } = selection;
        StartOperationRequest {
            action: Some(OperationAction { action: Some(self.action.clone()) }),
            miners,
            all,
            request_id: request_id(),
            selector,
            filter,
            ramp_watts: self.ramp.ramp.unwrap_or_default(),
            validate_only: false,
        }
    }
}

/// Starts an operation.
pub(crate) async fn start(
    client: &Client,
    order: &Order,
    selection: MinerSelection,
) -> Result<StartOperationResponse, CliError> {
    let request = order.request(selection);
    let call = || {
        let (mut service, request) = (service(client), request.clone());
        async move { service.start_operation(request).await }
    };
    once_more(call).await.map_err(CliError::call(order.doing))
}

/// The miners that an operation may be started on: one that was named, or several after somebody agreed to the plan. Those that
/// were agreed to are named one by one, so that no other is touched.
pub(crate) async fn agreed(
    context: &mut Context<'_>,
    peer: &Peer,
    order: &Order,
    selection: MinerSelection,
) -> Result<MinerSelection, CliError> {
    if peer.miners.is_none() || selection.miners.len() == 1 || context.agrees_to_all() {
        return Ok(selection);
    }
    let request = StartOperationRequest { validate_only: true, ..order.request(selection) };
    let failed = CliError::call(order.doing);
    let plan = service(&peer.client).start_operation(request).await.map_err(failed)?.into_inner();
    let targets = plan.operation.clone().unwrap_or_default().targets;
    context.agree(&view::operation_plan(&plan, order.doing), targets.len()).await?;
    Ok(of_miners(targets.into_iter().map(|target| target.miner).collect()))
}

/// The operations of a control plane.
pub(crate) fn service(client: &Client) -> OperationServiceClient<Client> {
    OperationServiceClient::new(client.clone()).max_decoding_message_size(MAX_ANSWER)
}

/// Follows an operation to its end, over a restart of the control plane too; `tell` is called with it after every change.
pub(crate) async fn follow(
    client: &Client,
    operation_id: &str,
    doing: &str,
    mut tell: impl FnMut(&Operation) -> Result<(), CliError> + Send,
) -> Result<Operation, CliError> {
    let (mut retries, mut known) = (Retries::default(), Known::default());
    loop {
        let begun = Instant::now();
        match watch(client, operation_id, doing, &mut known, &mut tell).await {
            Err(error) if error.is_unreachable() => match retries.after(begun.elapsed()) {
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
    known: &mut Known<OperationTarget>,
    tell: &mut (impl FnMut(&Operation) -> Result<(), CliError> + Send),
) -> Result<Operation, CliError> {
    let (operation_id, resume_token) = (operation_id.to_owned(), known.resume_token());
    let request = WatchOperationRequest { operation_id, resume_token };
    let mut stream = service(client).watch_operation(request).await.map_err(CliError::call(doing))?.into_inner();
    while let Some(event) = stream.message().await.map_err(CliError::call(doing))? {
        let WatchOperationResponse { operation, snapshot, resume_token, gap: _ } = event;
        let Some(mut operation) = operation else { continue };
        let targets = std::mem::take(&mut operation.targets);
        operation.targets = known.take(snapshot, resume_token, targets, |target| target.miner.clone());
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

/// Starts an operation and shows it; follows it to its end when `follow`.
pub(crate) async fn run(
    context: &mut Context<'_>,
    peer: &Peer,
    order: &Order,
    selection: MinerSelection,
    follow: bool,
) -> Result<(), CliError> {
    let selection = agreed(context, peer, order, selection).await?;
    context.goes_on = Some(MAY_HAVE_STARTED.into());
    let started = start(&peer.client, order, selection).await?;
    context.goes_on = None;
    let operation = started.operation.clone().unwrap_or_default();
    if !follow {
        message::show(context, &started, |paint| view::operation(&operation, paint))?;
        let id = &operation.operation_id;
        return context
            .confirm(&format!("operation {id} is under way; `mujinactl op watch {id}` follows it to its end"));
    }
    to_its_end(context, &peer.client, &operation.operation_id, order.doing).await
}

/// Follows an operation to its end, tells how far it is, and shows what came of it.
pub(crate) async fn to_its_end(
    context: &mut Context<'_>,
    client: &Client,
    operation_id: &str,
    doing: &str,
) -> Result<(), CliError> {
    context.goes_on = Some(goes_on(operation_id));
    let bar = context.bar();
    let mut told = String::new();
    let ended = follow(client, operation_id, doing, |operation| {
        let line = view::operation_line(operation);
        let (done, all) = view::operation_done(operation);
        if !bar.show(done, all, &line) && line != told {
            context.note(&line)?;
            told = line;
        }
        Ok(())
    })
    .await;
    bar.clear();
    let ended = ended?;
    context.goes_on = None;
    let operation = Some(ended.clone());
    let last = WatchOperationResponse { operation, snapshot: true, ..WatchOperationResponse::default() };
    message::show(context, &last, |paint| view::operation(&ended, paint))?;
    verdict(&ended, doing)
}

/// What is left when the command ends before the operation.
pub(crate) fn goes_on(operation_id: &str) -> String {
    format!("operation {operation_id} goes on without this command; come back with `mujinactl op watch {operation_id}`")
}
