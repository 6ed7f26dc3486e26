//! Operations, their targets, and the phases of a reconnect.

use super::{clean, elapsed};
use crate::output::{Cell, Paint, Table, Tone, word};
use mujina_proto::{
    control::v1::{Operation, OperationTarget, TargetState},
    dataplane::v1::ReconnectResult,
    types::v1::ConnectPhase,
};

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
        Cell::new(&target.error_message, Tone::Dim),
    ]
}

/// How far an operation is, in a line.
pub(crate) fn operation_line(operation: &Operation) -> String {
    let ended = |target: &&OperationTarget| {
        matches!(target.state(), TargetState::Succeeded | TargetState::Failed | TargetState::Skipped)
    };
    let done = operation.targets.iter().filter(ended).count();
    let state = word(operation.state().as_str_name(), "OPERATION_STATE");
    let id = clean(&operation.operation_id);
    format!("operation {id}: {state}, {done} of {} miners done", operation.targets.len())
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
