//! How fast power may be switched by an operation: a ramp over its targets.
//!
//! What a miner draws is what it drew when it last hashed. One of which that is not known counts as much as the ramp allows
//! in a second, so that it is switched alone.

use super::{Action, Operation, Target, TargetState};
use crate::rollout::{Ramp, RampError};
use mujina_core::{id::MinerName, units::Watts};

/// The ramp over all targets that have not ended; `None` = power is not bounded. Those that had begun when a control plane
/// stopped come first: nobody knows whether they were switched.
pub(super) fn of(operation: &Operation) -> Result<Option<Ramp>, RampError> {
    let Some(budget) = operation.ramp else { return Ok(None) };
    let of = |state| operation.targets.iter().filter(move |target: &&Target| target.state == state);
    let open = of(TargetState::Running).chain(of(TargetState::Waiting));
    let switched: Vec<_> = open.map(|target| (target.miner.clone(), target.power.unwrap_or(budget))).collect();
    Ramp::new(&switched, budget).map(Some)
}

/// The operation with the usual ramp, where it was stored before there was one: its targets wait for their turns all the
/// same, and would hold the places of other operations meanwhile.
pub(super) fn usual(
    operation: Operation,
    usual: Option<Watts>,
    power: impl Fn(&MinerName) -> Option<Watts>,
) -> Operation {
    let is_due = operation.ramp.is_none() && matches!(operation.action, Action::Pause { .. } | Action::Resume);
    let Some(budget) = usual.filter(|_| is_due) else { return operation };
    let of = |target: Target| Target { power: power(&target.miner).map(|power| within(power, budget)), ..target };
    let targets = operation.targets.into_iter().map(of).collect();
    Operation { targets, ramp: Some(budget), ..operation }
}

/// What counts of a draw where the usual ramp must refuse none.
pub(super) fn within(power: Watts, budget: Watts) -> Watts {
    if power.watts() > budget.watts() { budget } else { power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{OperationState, Progress};
    use std::time::{Duration, SystemTime};

    fn target(miner: &str, state: TargetState, watts: Option<f64>) -> Target {
        Target {
            miner: miner.parse().unwrap(),
            state,
            phases: Vec::new(),
            failure: None,
            result: None,
            elapsed: None,
            detail: String::new(),
            power: watts.map(Watts::from_watts),
            revision: 0,
        }
    }

    fn operation(targets: Vec<Target>, ramp: Option<f64>) -> Operation {
        Operation {
            id: String::new(),
            action: Action::Resume,
            state: OperationState::Running,
            progress: Progress::of(&targets),
            targets,
            created_at: SystemTime::UNIX_EPOCH,
            finished_at: None,
            trace_id: String::new(),
            created_by: String::new(),
            ramp: ramp.map(Watts::from_watts),
            retry_of: String::new(),
            revision: 0,
        }
    }

    fn plan(targets: Vec<Target>, budget: f64) -> Result<Vec<(u64, String)>, RampError> {
        preview(&operation(targets, Some(budget)))
    }

    fn preview(operation: &Operation) -> Result<Vec<(u64, String)>, RampError> {
        let preview = of(operation)?.unwrap().preview();
        let seconds = |(after, miner): &(Duration, MinerName)| (after.as_secs(), miner.to_string());
        Ok(preview.iter().map(seconds).collect())
    }

    #[test]
    fn miner_of_unknown_draw_is_switched_alone() {
        use TargetState::Waiting;
        let targets = vec![
            target("a", Waiting, Some(400.0)),
            target("b", Waiting, Some(600.0)),
            target("c", Waiting, None),
            target("d", Waiting, Some(10.0)),
        ];
        let expected = [(0, "a"), (0, "b"), (1, "c"), (2, "d")].map(|(at, name)| (at, name.to_owned()));
        assert_eq!(plan(targets, 1000.0).unwrap(), expected);
    }

    #[test]
    fn targets_that_had_begun_are_counted_again_after_a_restart_and_ended_ones_are_not() {
        let targets = vec![
            target("a", TargetState::Succeeded, Some(900.0)),
            target("b", TargetState::Waiting, Some(900.0)),
            target("c", TargetState::Running, Some(900.0)),
        ];
        assert_eq!(plan(targets, 1000.0).unwrap(), [(0, "c".to_owned()), (1, "b".to_owned())]);
    }

    #[test]
    fn operation_that_was_stored_without_a_ramp_goes_by_the_usual_one_which_refuses_none() {
        use TargetState::{Running, Waiting};
        let stored = || vec![target("a", Waiting, None), target("b", Running, None), target("c", Waiting, None)];
        let power = |miner: &MinerName| Some(Watts::from_watts(if miner.as_str() == "a" { 1500.0 } else { 500.0 }));
        let budget = Some(Watts::from_watts(1000.0));
        let ramped = usual(operation(stored(), None), budget, power);
        let expected = [(0, "b"), (1, "a"), (2, "c")].map(|(at, name)| (at, name.to_owned()));
        assert_eq!(preview(&ramped).unwrap(), expected);
        for unchanged in
            [operation(stored(), Some(700.0)), Operation { action: Action::CollectBundle, ..operation(stored(), None) }]
        {
            assert_eq!(usual(unchanged.clone(), budget, power), unchanged);
        }
        assert_eq!(usual(operation(stored(), None), None, power).ramp, None);
    }

    #[test]
    fn miner_that_draws_more_than_the_ramp_is_named() {
        let error = plan(vec![target("a", TargetState::Waiting, Some(1500.0))], 1000.0).unwrap_err();
        assert!(error.to_string().contains("miner a alone switches 1500 W"), "{error}");
        assert_eq!(plan(Vec::new(), 0.0).unwrap_err(), RampError::NoBudget);
    }
}
