//! Rollouts and strategies as they travel.

use crate::{
    api::{
        problem,
        profile::{fragment_message, message as profile_message},
    },
    rollout::{
        Approval, Gates, OnFailure, Order, Outcome, Phase, Size, Stage, Status, Strategy, Target,
        gate::{Finding, Gate, Verdict},
    },
    store::StoredRollout,
};
use mujina_core::{
    id::MinerName,
    spec::{Problem, Problems},
};
use mujina_proto::{
    control::v1::{self, rollout_change},
    convert::{duration, length, timestamp},
};
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

/// What of a rollout is shown.
pub(super) struct Shown<'a> {
    /// Miners that the caller sees.
    pub(super) seen: &'a BTreeSet<MinerName>,
    /// Those of them whose state is told.
    pub(super) targets: &'a BTreeSet<MinerName>,
}

/// How to go about; what is absent is as by default.
pub(super) fn strategy(asked: v1::RolloutStrategy) -> Result<Strategy, Problems> {
    let on_failure = match asked.on_failure() {
        v1::RolloutFailureAction::Unspecified | v1::RolloutFailureAction::Pause => OnFailure::Pause,
        v1::RolloutFailureAction::Abort => OnFailure::Abort,
        v1::RolloutFailureAction::RollBack => OnFailure::RollBack,
    };
    let v1::RolloutStrategy {
        waves,
        max_unavailable,
        pause_between,
        soak,
        order,
        canary,
        on_failure: _,
        max_failed,
        confirm_within,
        gates,
    } = asked;
    let usual = Strategy::default();
    let mut problems = Vec::new();
    let size = |field: String, text: &str, problems: &mut Vec<Problem>| match text.parse::<Size>() {
        Ok(size) => Some(size),
        Err(error) => {
            problems.push(problem(&field, error.to_string()));
            None
        }
    };
    let mut sizes = Vec::new();
    for (i, text) in waves.iter().enumerate() {
        sizes.extend(size(format!("strategy.waves[{i}]"), text, &mut problems));
    }
    let most = match max_unavailable.as_str() {
        "" => None,
        text => size("strategy.max_unavailable".into(), text, &mut problems),
    };
    let mut span = |field: &str, asked, usual: Duration| match length(&format!("strategy.{field}"), asked) {
        Ok(span) => span.unwrap_or(usual),
        Err(bad) => {
            problems.push(bad);
            usual
        }
    };
    let pause_between = span("pause_between", pause_between, usual.pause_between);
    let soak = span("soak", soak, usual.soak);
    let confirm_within = span("confirm_within", confirm_within, usual.confirm_within);
    let order = match order.as_str() {
        "" | "name" => Order::Name,
        "random" => Order::Random(rand::random()),
        other => match other.strip_prefix("label:").filter(|key| !key.is_empty()) {
            Some(key) => Order::Label(key.into()),
            None => {
                problems.push(problem("strategy.order", "is not known; use `name`, `random` or `label:KEY`"));
                Order::Name
            }
        },
    };
    let canary = match canary.as_str() {
        "" => None,
        text => text.parse().map_err(|error| problems.push(problem("strategy.canary", format!("{error}")))).ok(),
    };
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    Ok(Strategy {
        waves: if sizes.is_empty() { usual.waves } else { sizes },
        max_unavailable: most.unwrap_or(usual.max_unavailable),
        pause_between,
        soak,
        order,
        canary,
        on_failure,
        max_failed,
        confirm_within,
        gates: gates_asked(gates.unwrap_or_default()),
    })
}

fn gates_asked(asked: v1::RolloutGates) -> Gates {
    let v1::RolloutGates {
        skip_first_share,
        skip_rejects,
        reject_confidence_ratio,
        skip_hash_rate,
        hash_rate_errors_ratio,
        skip_new_faults,
    } = asked;
    let usual = Gates::default();
    let or_usual = |asked: f64, usual: Option<f64>| if asked == 0.0 { usual } else { Some(asked) };
    Gates {
        first_share: !skip_first_share,
        reject_confidence: or_usual(reject_confidence_ratio, usual.reject_confidence).filter(|_| !skip_rejects),
        hash_rate_errors: or_usual(hash_rate_errors_ratio, usual.hash_rate_errors).filter(|_| !skip_hash_rate),
        least_drop: usual.least_drop,
        new_faults: !skip_new_faults,
    }
}

fn strategy_message(strategy: &Strategy) -> v1::RolloutStrategy {
    let Strategy {
        waves,
        max_unavailable,
        pause_between,
        soak,
        order,
        canary,
        on_failure,
        max_failed,
        confirm_within,
        gates,
    } = strategy;
    let on_failure = match on_failure {
        OnFailure::Pause => v1::RolloutFailureAction::Pause,
        OnFailure::Abort => v1::RolloutFailureAction::Abort,
        OnFailure::RollBack => v1::RolloutFailureAction::RollBack,
    };
    let Gates { first_share, reject_confidence, hash_rate_errors, least_drop: _, new_faults } = gates;
    v1::RolloutStrategy {
        waves: waves.iter().map(ToString::to_string).collect(),
        max_unavailable: max_unavailable.to_string(),
        pause_between: Some(duration(*pause_between)),
        soak: Some(duration(*soak)),
        order: match order {
            Order::Name => "name".into(),
            Order::Random(_) => "random".into(),
            Order::Label(key) => format!("label:{key}"),
        },
        canary: canary.as_ref().map(ToString::to_string).unwrap_or_default(),
        on_failure: on_failure.into(),
        max_failed: *max_failed,
        confirm_within: Some(duration(*confirm_within)),
        gates: Some(v1::RolloutGates {
            skip_first_share: !first_share,
            skip_rejects: reject_confidence.is_none(),
            reject_confidence_ratio: reject_confidence.unwrap_or_default(),
            skip_hash_rate: hash_rate_errors.is_none(),
            hash_rate_errors_ratio: hash_rate_errors.unwrap_or_default(),
            skip_new_faults: !new_faults,
        }),
    }
}

/// A rollout for readers.
pub(super) fn message(stored: &StoredRollout, shown: &Shown<'_>) -> v1::Rollout {
    let StoredRollout {
        number: _,
        revision: _,
        change,
        profile,
        needs: _,
        approvals,
        created_by,
        rollout,
        created_at,
        trace_parent,
    } = stored;
    let course = &rollout.course;
    let (state, reason, finished_at) = status(&course.status);
    let (stage, stage_until) = match &course.status {
        Status::Planned | Status::Finished { .. } => (v1::RolloutStage::Unspecified, None),
        _ => stage(course.stage, course.strategy.soak),
    };
    let waves = course.waves.iter().enumerate().map(|(index, miners)| {
        let newest = course.reports.iter().rev().find(|report| report.wave == index);
        v1::RolloutWave {
            miners: miners.iter().filter(|name| shown.seen.contains(*name)).map(ToString::to_string).collect(),
            findings: newest.into_iter().flat_map(|report| &report.findings).map(finding).collect(),
        }
    });
    let change = match profile {
        Some(profile) => rollout_change::Change::Profile(profile_message(profile)),
        None => rollout_change::Change::Spec(fragment_message(change)),
    };
    let targets = rollout.targets.iter().filter(|(name, _)| shown.targets.contains(*name));
    let count = |phases: &[Phase]| u32::try_from(rollout.count(phases)).unwrap_or(u32::MAX);
    v1::Rollout {
        rollout_id: course.id.clone(),
        change: Some(v1::RolloutChange { change: Some(change), selection: None }),
        strategy: Some(strategy_message(&course.strategy)),
        state: state.into(),
        reason,
        created_at: Some(timestamp(*created_at)),
        created_by: created_by.clone(),
        finished_at: finished_at.map(timestamp),
        waves: waves.collect(),
        current_wave: u32::try_from(course.wave).unwrap_or(u32::MAX),
        stage: stage.into(),
        stage_until: stage_until.map(timestamp),
        targets: targets.map(|(name, one)| target(name, one)).collect(),
        progress: Some(v1::RolloutProgress {
            total: u32::try_from(rollout.targets.len()).unwrap_or(u32::MAX),
            proved: count(&[Phase::Proved]),
            in_flight: count(&[Phase::Ordered, Phase::Applying, Phase::InForce, Phase::Reverting]),
            failed: count(&[Phase::Refused, Phase::RevertFailed]),
            reverted: count(&[Phase::Reverted]),
            skipped: count(&[Phase::Superseded]),
        }),
        trace_id: trace_parent.trace_id(),
        approvals_needed: approvals.needed,
        approvals: approvals.given.iter().map(approval).collect(),
    }
}

fn approval(approval: &Approval) -> v1::RolloutApproval {
    let Approval { who, at } = approval;
    v1::RolloutApproval { who: who.clone(), at: Some(timestamp(*at)) }
}

fn status(status: &Status) -> (v1::RolloutState, String, Option<SystemTime>) {
    match status {
        Status::Planned => (v1::RolloutState::Planned, String::new(), None),
        Status::Running => (v1::RolloutState::Running, String::new(), None),
        Status::Paused { because } => (v1::RolloutState::Paused, because.clone(), None),
        Status::Aborting { because } => (v1::RolloutState::Aborting, because.clone(), None),
        Status::RollingBack { because } => (v1::RolloutState::RollingBack, because.clone(), None),
        Status::Finished { outcome, at } => match outcome {
            Outcome::Succeeded => (v1::RolloutState::Succeeded, String::new(), Some(*at)),
            Outcome::Aborted(because) => (v1::RolloutState::Aborted, because.clone(), Some(*at)),
            Outcome::RolledBack(because) => (v1::RolloutState::RolledBack, because.clone(), Some(*at)),
        },
    }
}

fn stage(stage: Stage, soak: Duration) -> (v1::RolloutStage, Option<SystemTime>) {
    match stage {
        Stage::Changing { since: _ } => (v1::RolloutStage::Changing, None),
        Stage::Soaking { begun: _, since } => (v1::RolloutStage::Soaking, Some(since + soak)),
        Stage::Judging { .. } => (v1::RolloutStage::Judging, None),
        Stage::Resting { until } => (v1::RolloutStage::Resting, Some(until)),
    }
}

fn finding(finding: &Finding) -> v1::RolloutFinding {
    let Finding { gate, verdict, detail } = finding;
    let gate = match gate {
        Gate::Targets => "targets",
        Gate::Faults => "faults",
        Gate::Rejects => "rejects",
        Gate::HashRate => "hash_rate",
    };
    let verdict = match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::CannotTell => "cannot_tell",
    };
    v1::RolloutFinding { gate: gate.into(), verdict: verdict.into(), detail: detail.clone() }
}

fn target(name: &MinerName, target: &Target) -> v1::RolloutTarget {
    let state = match target.phase {
        Phase::Waiting => v1::RolloutTargetState::Waiting,
        Phase::Ordered | Phase::Applying => v1::RolloutTargetState::Applying,
        Phase::InForce => v1::RolloutTargetState::InForce,
        Phase::Proved => v1::RolloutTargetState::Proved,
        Phase::Refused => v1::RolloutTargetState::Refused,
        Phase::Reverting => v1::RolloutTargetState::Reverting,
        Phase::Reverted => v1::RolloutTargetState::Reverted,
        Phase::RevertFailed => v1::RolloutTargetState::RevertFailed,
        Phase::Superseded => v1::RolloutTargetState::Superseded,
    };
    v1::RolloutTarget {
        miner: name.to_string(),
        state: state.into(),
        failure: target.failure.clone().unwrap_or_default(),
        generation: target.applied.map_or(0, |applied| applied.generation.0),
        previous_generation: target.applied.map_or(0, |applied| applied.previous.0),
    }
}
