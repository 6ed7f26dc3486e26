//! `rollout`: a change of many miners in waves.

mod plan;

use super::{
    message, pages,
    repeat::{Known, Retries, once_more, request_id},
    view,
};
use crate::{
    args::{Rollout, RolloutStart},
    context::Context,
    error::CliError,
    saved::Client,
};
use mujina_proto::control::v1::{
    self as control, AbortRolloutRequest, ApproveRolloutRequest, GetRolloutRequest, ListRolloutsRequest,
    PauseRolloutRequest, ResumeRolloutRequest, RollBackRolloutRequest, RolloutState, RolloutTarget,
    StartRolloutRequest, WatchRolloutRequest, WatchRolloutResponse, rollout_service_client::RolloutServiceClient,
};
use tokio::time::Instant;

type Service = RolloutServiceClient<Client>;

pub(crate) async fn run(command: Rollout, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let mut service = RolloutServiceClient::new(client.clone()).max_decoding_message_size(super::peer::MAX_ANSWER);
    match command {
        Rollout::Plan(args) => plan::run(*args, &service, context).await,
        Rollout::Approve(args) => approve(args.id, &service, context).await,
        Rollout::Start(args) => start(*args, &mut service, context).await,
        Rollout::List { limit } => {
            let answer = pages::read(limit, |page_size, page_token| {
                let mut service = service.clone();
                let request = ListRolloutsRequest { page_size, page_token };
                async move { service.list_rollouts(request).await }
            });
            let answer = answer.await.map_err(CliError::call("list the rollouts"))?;
            message::show(context, &answer, |paint| view::rollouts(&answer.rollouts, paint))
        }
        Rollout::Show(args) => {
            let request = GetRolloutRequest { rollout_id: args.id };
            let failed = CliError::call("read the rollout");
            let answer = service.get_rollout(request).await.map_err(failed)?.into_inner();
            let rollout = answer.rollout.clone().unwrap_or_default();
            message::show(context, &answer, |paint| view::rollout(&rollout, paint))
        }
        Rollout::Watch(args) => watch(&args.id, Patience::UntilItEnds, &mut service, context).await,
        Rollout::Pause(args) => {
            let request = PauseRolloutRequest { rollout_id: args.id, reason: args.reason };
            let failed = CliError::call("pause the rollout");
            let answer = service.pause_rollout(request).await.map_err(failed)?.into_inner();
            steered(&answer, answer.rollout.as_ref(), context)
        }
        Rollout::Resume { id, accept_wave } => {
            plan::agreed(&id, &mut service, context).await?;
            let request = ResumeRolloutRequest { rollout_id: id, accept_wave };
            let failed = CliError::call("resume the rollout");
            let answer = service.resume_rollout(request).await.map_err(failed)?.into_inner();
            steered(&answer, answer.rollout.as_ref(), context)
        }
        Rollout::Abort(args) => {
            let request = AbortRolloutRequest { rollout_id: args.id, reason: args.reason };
            let failed = CliError::call("abort the rollout");
            let answer = service.abort_rollout(request).await.map_err(failed)?.into_inner();
            steered(&answer, answer.rollout.as_ref(), context)
        }
        Rollout::Rollback(args) => {
            plan::agreed(&args.id, &mut service, context).await?;
            let request = RollBackRolloutRequest { rollout_id: args.id, reason: args.reason };
            let failed = CliError::call("roll the rollout back");
            let answer = service.roll_back_rollout(request).await.map_err(failed)?.into_inner();
            steered(&answer, answer.rollout.as_ref(), context)
        }
    }
}

fn steered<M: message::Named>(
    answer: &M,
    rollout: Option<&control::Rollout>,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    message::show(context, answer, |_| rollout.map_or_else(String::new, |it| format!("{}\n", view::rollout_line(it))))
}

async fn approve(id: String, service: &Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let request = ApproveRolloutRequest { rollout_id: id, request_id: request_id() };
    let call = || {
        let (mut service, request) = (service.clone(), request.clone());
        async move { service.approve_rollout(request).await }
    };
    let answer = once_more(call).await.map_err(CliError::call("approve the rollout"))?;
    let rollout = answer.rollout.clone().unwrap_or_default();
    steered(&answer, Some(&rollout), context)?;
    context.confirm(&plan::next(&rollout))
}

async fn start(args: RolloutStart, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let RolloutStart { id, file, approvals, selection, strategy } = args;
    let id = match (id, file) {
        (Some(id), _) => {
            plan::agreed(&id, service, context).await?;
            id
        }
        (None, Some(file)) => {
            let asked = plan::Asked { strategy, approvals };
            let planned = plan::agreed_file(&file, &selection, asked, service, context).await?;
            let rollout = planned.rollout.clone().unwrap_or_default();
            // Whoever waits for its end is told by the refusal; it cannot come now.
            if view::approvals_missing(&rollout) > 0 && !context.wait {
                message::show(context, &planned, |paint| view::rollout_plan(&planned, paint))?;
                return context.confirm(&plan::next(&rollout));
            }
            rollout.rollout_id
        }
        (None, None) => {
            return Err(CliError::Usage("what shall be rolled out? give the id of a plan, or -f FILE".into()));
        }
    };
    context.goes_on = Some(format!(
        "rollout {id} may have been started; see `mujinactl rollout list`, or `mujinactl rollout watch {id}`"
    ));
    let failed = CliError::call("start the rollout");
    let answer =
        service.start_rollout(StartRolloutRequest { rollout_id: id.clone() }).await.map_err(failed)?.into_inner();
    context.goes_on = None;
    if context.wait {
        return watch(&id, Patience::UntilItNeedsSomebody, service, context).await;
    }
    steered(&answer, answer.rollout.as_ref(), context)?;
    context.confirm(&format!("`mujinactl rollout watch {id}` follows it to its end"))
}

/// How long a rollout is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Until it has ended.
    UntilItEnds,
    /// Until it has ended or is paused.
    UntilItNeedsSomebody,
}

/// Follows a rollout, over a restart of the control plane too, and ends as it ended.
async fn watch(id: &str, patience: Patience, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    context.goes_on =
        Some(format!("rollout {id} goes on without this command; come back with `mujinactl rollout watch {id}`"));
    let mut told = view::RolloutTold::default();
    let (mut retries, mut known) = (Retries::default(), Known::default());
    let ended = loop {
        let begun = Instant::now();
        match follow(id, patience, service, &mut known, &mut told, context).await {
            Err(error) if error.is_unreachable() => match retries.after(begun.elapsed()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(error),
            },
            ended => break ended?,
        }
    };
    context.goes_on = None;
    if context.format.is_for_people() {
        // How far it is was told last.
        let text = view::rollout_parts(&ended, context.paint);
        context.print(&text)?;
    }
    verdict(&ended)
}

async fn follow(
    id: &str,
    patience: Patience,
    service: &mut Service,
    known: &mut Known<RolloutTarget>,
    told: &mut view::RolloutTold,
    context: &mut Context<'_>,
) -> Result<control::Rollout, CliError> {
    let doing = "watch the rollout";
    let request = WatchRolloutRequest { rollout_id: id.to_owned(), resume_token: known.resume_token() };
    let mut stream = service.watch_rollout(request).await.map_err(CliError::call(doing))?.into_inner();
    while let Some(event) = stream.message().await.map_err(CliError::call(doing))? {
        let WatchRolloutResponse { rollout, snapshot, resume_token, gap } = event;
        let Some(mut rollout) = rollout else { continue };
        let targets = std::mem::take(&mut rollout.targets);
        rollout.targets = known.take(snapshot, resume_token.clone(), targets, |target| target.miner.clone());
        if context.format.is_for_people() {
            let text = told.lines(&rollout, context.paint);
            context.print(&text)?;
        } else {
            let whole = WatchRolloutResponse { rollout: Some(rollout.clone()), snapshot, resume_token, gap };
            message::event(context, &whole, |_| String::new())?;
        }
        let ended = match rollout.state() {
            RolloutState::Succeeded | RolloutState::Aborted | RolloutState::RolledBack => true,
            RolloutState::Paused => patience == Patience::UntilItNeedsSomebody,
            RolloutState::Unspecified
            | RolloutState::Planned
            | RolloutState::Running
            | RolloutState::Aborting
            | RolloutState::RollingBack => false,
        };
        if ended {
            return Ok(rollout);
        }
    }
    Err(CliError::Ended { doing: doing.into() })
}

/// Only success is success.
fn verdict(rollout: &control::Rollout) -> Result<(), CliError> {
    let state = match rollout.state() {
        RolloutState::Succeeded => return Ok(()),
        RolloutState::RolledBack => "was rolled back",
        RolloutState::Aborted => "was aborted",
        _ => "is paused",
    };
    let reason = if rollout.reason.is_empty() { "somebody asked for it".into() } else { rollout.reason.clone() };
    Err(CliError::Rollout { id: rollout.rollout_id.clone(), state, reason })
}
