//! Operations as messages.

use crate::operation::{
    Action, Operation, OperationState, Phase, Progress, ReconnectMode, ReconnectResult, Target, TargetState, TestedPool,
};
use mujina_core::units::Watts;
use mujina_proto::{
    control::v1::{self, operation_action},
    convert::{duration, timestamp},
    dataplane, types,
};

pub(super) fn message(operation: Operation) -> v1::Operation {
    let Operation {
        id,
        action,
        state,
        targets,
        progress,
        created_at,
        finished_at,
        trace_id,
        created_by,
        ramp,
        retry_of,
        revision: _,
    } = operation;
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
        created_by,
        progress: Some(so_far(progress)),
        ramp_watts: ramp.map(Watts::watts).unwrap_or_default(),
        retry_of,
    }
}

fn so_far(progress: Progress) -> v1::OperationProgress {
    let Progress { total, waiting, running, succeeded, failed, skipped } = progress;
    v1::OperationProgress { total, waiting, running, succeeded, failed, skipped }
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
        Action::Restart { board } => {
            operation_action::Action::Restart(v1::RestartAction { board: board.unwrap_or_default() })
        }
        Action::SelfTest { board } => {
            operation_action::Action::SelfTest(v1::SelfTestAction { board: board.unwrap_or_default() })
        }
        Action::TestPool(pool) => {
            let (pool, user) = match pool {
                TestedPool::All => (String::new(), String::new()),
                TestedPool::Named(name) => (name.to_string(), String::new()),
                TestedPool::Url { url, user } => (url, user),
            };
            operation_action::Action::TestPool(v1::TestPoolAction { pool, user })
        }
        Action::CollectBundle => operation_action::Action::CollectBundle(v1::CollectBundleAction {}),
    }
}

fn target(target: Target) -> v1::OperationTarget {
    let Target { miner, state, phases, failure, result, elapsed, detail, power: _, revision: _ } = target;
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
        detail,
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
