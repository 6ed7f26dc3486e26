//! `op`: operations on several miners.

use super::{
    file, message,
    operation::{self, Order, to_its_end},
    pages,
    peer::Peer,
    repeat::{once_more, request_id},
    selection::chosen,
    view,
};
use crate::{
    args::{On, Op, OpRun, Ramp},
    context::Context,
    error::CliError,
    saved::Client,
};
use mujina_core::id::MinerName;
use mujina_proto::{
    control::v1::{
        CancelOperationRequest, CollectBundleAction, GetBundleRequest, GetOperationRequest, ListOperationsRequest,
        PauseAction, ReconnectAction, RestartAction, ResumeAction, RetryOperationRequest, SelfTestAction,
        StartOperationResponse, TargetState, TestPoolAction, operation_action::Action,
    },
    dataplane::v1::ReconnectMode,
};
use std::path::Path;

pub(crate) async fn run(command: Op, context: &mut Context<'_>) -> Result<(), CliError> {
    if let Op::Run(run) = command {
        return start(run, context).await;
    }
    let (_, client) = context.connect().await?;
    let mut service = operation::service(&client);
    match command {
        Op::Run(_) => Ok(()),
        Op::List { limit } => {
            let answer = pages::read(limit, |page_size, page_token| {
                let mut service = service.clone();
                let request = ListOperationsRequest { page_size, page_token };
                async move { service.list_operations(request).await }
            });
            let answer = answer.await.map_err(CliError::call("list the operations"))?;
            message::show(context, &answer, |paint| view::operations(&answer.operations, paint))
        }
        Op::Show(args) => {
            let request = GetOperationRequest { operation_id: args.id };
            let failed = CliError::call("read the operation");
            let answer = service.get_operation(request).await.map_err(failed)?.into_inner();
            let operation = answer.operation.clone().unwrap_or_default();
            message::show(context, &answer, |paint| {
                format!("{}\n{}", view::operation_line(&operation), view::operation(&operation, paint))
            })
        }
        Op::Watch(args) => to_its_end(context, &client, &args.id, "watch the operation").await,
        Op::Cancel(args) => {
            let request = CancelOperationRequest { operation_id: args.id };
            let failed = CliError::call("cancel the operation");
            let answer = service.cancel_operation(request).await.map_err(failed)?.into_inner();
            let operation = answer.operation.clone().unwrap_or_default();
            message::show(context, &answer, |_| format!("{}\n", view::operation_line(&operation)))
        }
        Op::Retry { id, detach } => retry(id, detach, &client, context).await,
        Op::Bundle { id, of, to } => bundle(id, &of, to.as_deref(), &client, context).await,
    }
}

async fn start(run: OpRun, context: &mut Context<'_>) -> Result<(), CliError> {
    let slow = Ramp::default();
    let (action, ramp, on, doing) = match run {
        OpRun::Reconnect { pool, immediate, on } => {
            let mode = if immediate { ReconnectMode::Immediate } else { ReconnectMode::Graceful };
            (Action::Reconnect(ReconnectAction { pool, mode: mode.into() }), slow, on, "reconnect the pool")
        }
        OpRun::Pause { reason, ramp, on } => (Action::Pause(PauseAction { reason }), ramp, on, "pause"),
        OpRun::Resume { ramp, on } => (Action::Resume(ResumeAction {}), ramp, on, "resume"),
        OpRun::Restart { board, on } => (Action::Restart(RestartAction { board }), slow, on, "restart the boards"),
        OpRun::TestPool { pool, user, on } => {
            (Action::TestPool(TestPoolAction { pool, user }), slow, on, "test the pools")
        }
        OpRun::SelfTest { board, on } => (Action::SelfTest(SelfTestAction { board }), slow, on, "test the boards"),
        OpRun::CollectBundle { on } => (Action::CollectBundle(CollectBundleAction {}), slow, on, "collect the bundles"),
    };
    let On { miners, detach } = on;
    let peer = Peer::find(context).await?;
    if peer.miners.is_none() {
        return Err(CliError::Usage(format!("{} is a miner itself; operations are a control plane's", peer.address)));
    }
    let selection = chosen(context, &peer, &miners.names, &miners.others)?;
    operation::run(context, &peer, &Order::new(action, doing).ramped(ramp), selection, !detach).await
}

/// Asks whether the targets of an operation that failed or were skipped are to be tried again.
async fn agree_to_retry(id: &str, client: &Client, context: &mut Context<'_>) -> Result<(), CliError> {
    if context.agrees_to_all() {
        return Ok(());
    }
    let request = GetOperationRequest { operation_id: id.to_owned() };
    let failed = CliError::call("read the operation");
    let mut operation = operation::service(client).get_operation(request).await.map_err(failed)?.into_inner().operation;
    if let Some(operation) = &mut operation {
        operation.targets.retain(|target| matches!(target.state(), TargetState::Failed | TargetState::Skipped));
    }
    let miners = operation.as_ref().map_or(0, |operation| operation.targets.len());
    let plan = StartOperationResponse { operation, ramp: Vec::new() };
    context.agree(&view::operation_plan(&plan, "try again on"), miners).await
}

async fn retry(id: String, detach: bool, client: &Client, context: &mut Context<'_>) -> Result<(), CliError> {
    agree_to_retry(&id, client, context).await?;
    context.goes_on = Some(operation::MAY_HAVE_STARTED.into());
    let request = RetryOperationRequest { operation_id: id, request_id: request_id() };
    let call = || {
        let (mut service, request) = (operation::service(client), request.clone());
        async move { service.retry_operation(request).await }
    };
    let answer = once_more(call).await.map_err(CliError::call("retry the operation"))?;
    context.goes_on = None;
    let operation = answer.operation.clone().unwrap_or_default();
    if detach {
        return message::show(context, &answer, |paint| view::operation(&operation, paint));
    }
    to_its_end(context, client, &operation.operation_id, "retry the operation").await
}

async fn bundle(
    operation_id: String,
    miner: &MinerName,
    to: Option<&Path>,
    client: &Client,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let failed = || CliError::call(format!("read the bundle of {miner}"));
    let request = GetBundleRequest { operation_id, miner: miner.to_string() };
    let mut stream = operation::service(client).get_bundle(request).await.map_err(failed())?.into_inner();
    let mut sink = file::Sink::open(to)?;
    while let Some(part) = stream.message().await.map_err(failed())? {
        sink.write(&part.data, context)?;
    }
    sink.finish()?;
    match to {
        Some(to) => context.confirm(&format!("the bundle of {miner} is in {}", to.display())),
        None => Ok(()),
    }
}
