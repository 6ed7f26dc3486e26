//! Plans of rollouts: what a file and flags ask for, shown before anything is changed.

use super::Service;
use crate::{
    args::{OnFailure, RolloutPlan, Selection, Waves},
    command::{
        document::{self, Document},
        message,
        repeat::{once_more, request_id},
        selection, view,
    },
    context::Context,
    error::CliError,
};
use mujina_proto::{
    control::v1::{
        GetRolloutRequest, PlanRolloutRequest, PlanRolloutResponse, Rollout, RolloutChange, RolloutFailureAction,
        RolloutGates, RolloutStrategy, rollout_change::Change,
    },
    convert,
};
use std::path::Path;

/// What a plan is to be.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// How it goes about.
    pub(super) strategy: Waves,
    /// How many must approve it.
    pub(super) approvals: u32,
}

/// What is to be done with a plan that is kept, and by whom.
pub(super) fn next(rollout: &Rollout) -> String {
    let (id, planner) = (&rollout.rollout_id, &rollout.created_by);
    match view::approvals_missing(rollout) {
        0 => format!("`mujinactl rollout start {id}` begins with it"),
        missing => format!(
            "it lacks {missing} of its {} approvals: people other than {planner} give them with `mujinactl rollout approve {id}`, then `mujinactl rollout start {id}` begins with it",
            rollout.approvals_needed
        ),
    }
}

pub(super) async fn run(args: RolloutPlan, service: &Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let RolloutPlan { file, dry_run, approvals, selection, strategy } = args;
    let change = change(&file, &selection, context).await?;
    let answer = send(change, Asked { strategy, approvals }, dry_run, service).await?;
    message::show(context, &answer, |paint| view::rollout_plan(&answer, paint))?;
    match &answer.rollout {
        Some(rollout) if !dry_run => context.confirm(&format!("planned; {}", next(rollout))),
        _ => context.confirm("nothing was kept (dry run)"),
    }
}

/// Asks about a plan that is kept.
pub(super) async fn agreed(id: &str, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    if context.agrees_to_all() {
        return Ok(());
    }
    let request = GetRolloutRequest { rollout_id: id.to_owned() };
    let failed = CliError::call("read the rollout");
    let rollout = service.get_rollout(request).await.map_err(failed)?.into_inner().rollout.unwrap_or_default();
    let plan = view::rollout(&rollout, context.paint_of_errors());
    context.agree(&plan, rollout.targets.len()).await
}

/// Plans what a file says, asks about it, and keeps it.
pub(super) async fn agreed_file(
    file: &Path,
    selection: &Selection,
    asked: Asked,
    service: &Service,
    context: &mut Context<'_>,
) -> Result<PlanRolloutResponse, CliError> {
    let change = change(file, selection, context).await?;
    if !context.can_agree() {
        // Nobody will agree: a plan that would be refused is not kept.
        let answer = send(change.clone(), asked.clone(), true, service).await?;
        context.agree(&view::rollout_plan(&answer, context.paint_of_errors()), touched(&answer)).await?;
    }
    let answer = send(change, asked, false, service).await?;
    let kept = format!("the plan is kept; {}", next(&answer.rollout.clone().unwrap_or_default()));
    context.goes_on = Some(kept.clone());
    let plan = view::rollout_plan(&answer, context.paint_of_errors());
    if let Err(error) = context.agree(&plan, touched(&answer)).await {
        context.note(&kept)?;
        return Err(error);
    }
    context.goes_on = None;
    Ok(answer)
}

/// Miners that a plan would change.
fn touched(plan: &PlanRolloutResponse) -> usize {
    plan.rollout.iter().flat_map(|rollout| &rollout.waves).map(|wave| wave.miners.len()).sum()
}

async fn change(path: &Path, flags: &Selection, context: &mut Context<'_>) -> Result<RolloutChange, CliError> {
    let documents = document::read(context, path).await?;
    let said = selection::said(context, &[], flags)?;
    match (<[Document; 1]>::try_from(documents), said) {
        (Ok([Document::Profile { profile, .. }]), None) => {
            Ok(RolloutChange { change: Some(Change::Profile(profile)), selection: None })
        }
        (Ok([Document::Profile { .. }]), Some(_)) => Err(CliError::Usage(
            "a profile says itself which miners it is for; leave -l, --filter, --all and --miner out".into(),
        )),
        (Ok([Document::Fragment(spec)]), Some(selection)) => {
            Ok(RolloutChange { change: Some(Change::Spec(spec)), selection: Some(selection) })
        }
        (Ok([Document::Fragment(_)]), None) => {
            Err(CliError::Usage("for which miners? give -l, --filter, --all or --miner".into()))
        }
        (Ok([Document::Spec { .. }]), _) => Err(CliError::Usage(
            "a MinerSpec is for one miner, which `mujinactl apply` changes; a rollout takes a Profile or a spec alone"
                .into(),
        )),
        (Err(several), _) => {
            Err(CliError::Usage(format!("a rollout takes one document, and the file has {}", several.len())))
        }
    }
}

async fn send(
    change: RolloutChange,
    asked: Asked,
    validate_only: bool,
    service: &Service,
) -> Result<PlanRolloutResponse, CliError> {
    let request = PlanRolloutRequest {
        change: Some(change),
        strategy: Some(wire(asked.strategy)),
        request_id: request_id(),
        validate_only,
        approvals: asked.approvals,
    };
    let call = || {
        let (mut service, request) = (service.clone(), request.clone());
        async move { service.plan_rollout(request).await }
    };
    once_more(call).await.map_err(CliError::call("plan the rollout"))
}

fn wire(strategy: Waves) -> RolloutStrategy {
    let Waves {
        waves,
        max_unavailable,
        soak,
        pause_between,
        order,
        canary,
        on_failure,
        max_failed,
        confirm_within,
        no_share_gate,
        no_reject_gate,
        reject_confidence,
        no_hash_rate_gate,
        hash_rate_errors,
        no_fault_gate,
    } = strategy;
    let on_failure = match on_failure {
        None => RolloutFailureAction::Unspecified,
        Some(OnFailure::Pause) => RolloutFailureAction::Pause,
        Some(OnFailure::Abort) => RolloutFailureAction::Abort,
        Some(OnFailure::Rollback) => RolloutFailureAction::RollBack,
    };
    RolloutStrategy {
        waves,
        max_unavailable: max_unavailable.unwrap_or_default(),
        pause_between: pause_between.map(convert::duration),
        soak: soak.map(convert::duration),
        order: order.unwrap_or_default(),
        canary: canary.unwrap_or_default(),
        on_failure: on_failure.into(),
        max_failed,
        confirm_within: confirm_within.map(convert::duration),
        gates: Some(RolloutGates {
            skip_first_share: no_share_gate,
            skip_rejects: no_reject_gate,
            reject_confidence_ratio: reject_confidence.unwrap_or_default(),
            skip_hash_rate: no_hash_rate_gate,
            hash_rate_errors_ratio: hash_rate_errors.unwrap_or_default(),
            skip_new_faults: no_fault_gate,
        }),
    }
}
