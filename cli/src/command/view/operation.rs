//! Operations, their targets, and the phases of a reconnect.

use super::{clean, elapsed};
use crate::output::{Cell, Paint, Table, Tone, clock, word};
use mujina_core::units::duration::human;
use mujina_proto::{
    control::v1::{
        Operation, OperationProgress, OperationState, OperationTarget, StartOperationResponse, TargetState,
        operation_action::Action,
    },
    convert::{length, time},
    dataplane::v1::ReconnectResult,
    types::v1::ConnectPhase,
};

/// Names in a plan.
const LISTED: usize = 20;

/// A row a miner.
pub(crate) fn operation(operation: &Operation, paint: Paint) -> String {
    let mut table = Table::new(&["MINER", "STATE", ">TIME", ">WORK GAP", ">LOST", "REASON"]);
    for target in &operation.targets {
        table.row(row(target));
    }
    table.render(paint)
}

fn row(target: &OperationTarget) -> [Cell; 6] {
    let state = target.state();
    let tone = match state {
        TargetState::Succeeded => Tone::Good,
        TargetState::Failed => Tone::Bad,
        TargetState::Skipped | TargetState::Running => Tone::Warn,
        TargetState::Waiting | TargetState::Unspecified => Tone::Dim,
    };
    let result = target.reconnect.as_ref();
    [
        Cell::new(&target.miner, Tone::Strong),
        Cell::new(word(state.as_str_name(), "TARGET_STATE"), tone),
        elapsed(target.elapsed).into(),
        result.map(|result| elapsed(result.work_gap)).unwrap_or_default().into(),
        result.map(|result| result.shares_lost.to_string()).unwrap_or_default().into(),
        Cell::new(if target.detail.is_empty() { &target.error_message } else { &target.detail }, Tone::Dim),
    ]
}

/// Operations, newest first.
pub(crate) fn operations(operations: &[Operation], paint: Paint) -> String {
    if operations.is_empty() {
        return "there was no operation yet\n".into();
    }
    let mut table = Table::new(&["ID", "ACTION", "STATE", ">OK", ">FAILED", ">ALL", "BEGUN", "BY"]);
    for operation in operations {
        let OperationProgress { total, succeeded, failed, .. } = progress(operation);
        let (state, tone) = state_of(operation);
        table.row([
            Cell::new(&operation.operation_id, Tone::Strong),
            action(operation).into(),
            Cell::new(state, tone),
            succeeded.into(),
            Cell::new(failed, if failed > 0 { Tone::Bad } else { Tone::Plain }),
            total.into(),
            clock(time(operation.created_at)).into(),
            Cell::new(&operation.created_by, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// What an operation would do, in the lines that a person agrees to.
pub(crate) fn operation_plan(plan: &StartOperationResponse, doing: &str) -> String {
    let targets = plan.operation.as_ref().map(|operation| operation.targets.as_slice()).unwrap_or_default();
    let names: Vec<_> = targets.iter().take(LISTED).map(|target| clean(&target.miner)).collect();
    let more = match targets.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let took = plan.ramp.iter().filter_map(|step| length("after", step.after).ok().flatten()).max();
    let ramp = took.map_or_else(String::new, |took| format!("; the last of them after {}", human(took)));
    format!("{doing} {} miners: {}{more}{ramp}\n", targets.len(), names.join(", "))
}

fn action(operation: &Operation) -> &'static str {
    match operation.action.as_ref().and_then(|action| action.action.as_ref()) {
        None => "-",
        Some(Action::Reconnect(_)) => "reconnect",
        Some(Action::Pause(_)) => "pause",
        Some(Action::Resume(_)) => "resume",
        Some(Action::Restart(_)) => "restart",
        Some(Action::TestPool(_)) => "test-pool",
        Some(Action::SelfTest(_)) => "self-test",
        Some(Action::CollectBundle(_)) => "collect-bundle",
    }
}

fn state_of(operation: &Operation) -> (String, Tone) {
    let state = operation.state();
    let tone = match state {
        OperationState::Succeeded => Tone::Good,
        OperationState::Failed | OperationState::PartiallyFailed => Tone::Bad,
        OperationState::Running | OperationState::Cancelled => Tone::Warn,
        OperationState::Unspecified => Tone::Dim,
    };
    (word(state.as_str_name(), "OPERATION_STATE"), tone)
}

/// As the service counted, else as its targets say.
fn progress(operation: &Operation) -> OperationProgress {
    if let Some(progress) = operation.progress {
        return progress;
    }
    let count = |state| {
        let found = operation.targets.iter().filter(|target| target.state() == state).count();
        u32::try_from(found).unwrap_or(u32::MAX)
    };
    OperationProgress {
        total: u32::try_from(operation.targets.len()).unwrap_or(u32::MAX),
        waiting: count(TargetState::Waiting),
        running: count(TargetState::Running),
        succeeded: count(TargetState::Succeeded),
        failed: count(TargetState::Failed),
        skipped: count(TargetState::Skipped),
    }
}

/// How many miners are done, of how many.
pub(crate) fn operation_done(operation: &Operation) -> (u32, u32) {
    let OperationProgress { total, succeeded, failed, skipped, .. } = progress(operation);
    (succeeded.saturating_add(failed).saturating_add(skipped), total)
}

/// How far an operation is, in a line.
pub(crate) fn operation_line(operation: &Operation) -> String {
    let OperationProgress { total, running, succeeded, failed, skipped, .. } = progress(operation);
    let (state, _) = state_of(operation);
    let id = clean(&operation.operation_id);
    format!(
        "operation {id}: {state}; of {total} miners {succeeded} ok, {failed} failed, {skipped} skipped, {running} in flight"
    )
}

/// A phase that ended, in a line of fixed columns.
pub(crate) fn phase(phase: &ConnectPhase) -> String {
    let ConnectPhase { name, elapsed: took, detail } = phase;
    format!("{:<17} {:>8}  {}", clean(name), elapsed(*took), clean(detail)).trim_end().to_owned()
}

/// The result of a reconnect.
pub(crate) fn reconnected(result: &ReconnectResult) -> String {
    let ReconnectResult { pool, connection_id, work_gap, shares_lost, phases: _ } = result;
    let gap = elapsed(*work_gap);
    let pool = clean(pool);
    format!("reconnected {pool} (connection {connection_id}); work gap {gap}, shares lost {shares_lost}\n")
}
