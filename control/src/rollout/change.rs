//! What a rollout changes, and what that is for one miner. Pure.

use crate::{
    profile::{Fragment, Profile, TuningFragment},
    spec::{SpecParts, WantedSpec},
};
use mujina_core::spec::{BoardTuningDraft, SpecDraft};
use std::collections::BTreeMap;

/// What a rollout changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// Some fields, of the selected miners.
    Spec(Fragment),
    /// A profile, of the miners whose spec changes by it.
    Profile(Profile),
}

/// A fragment as a change of what is wanted of a miner now: boards are changed field by field.
#[must_use]
pub fn overlaid(change: &Fragment, now: &WantedSpec) -> (SpecDraft, SpecParts) {
    let mut boards: BTreeMap<String, BoardTuningDraft> =
        now.spec.boards.iter().map(|(name, tuning)| (name.clone(), tuning.into())).collect();
    for (name, said) in &change.boards {
        let TuningFragment { mode, soft_limits, hard_limits, fan_target } = said.clone();
        let tuning = boards.entry(name.clone()).or_default();
        tuning.mode = mode.unwrap_or(tuning.mode);
        tuning.soft_limits.extend(soft_limits);
        tuning.hard_limits.extend(hard_limits);
        tuning.fan_target = fan_target.or(tuning.fan_target);
    }
    (SpecDraft { boards, ..change.draft() }, change.parts())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::spec::TuningModeDraft;

    #[test]
    fn boards_that_are_not_spoken_of_stay_as_they_are() {
        let tuned = |mode, fan_target| BoardTuningDraft { mode, fan_target, ..BoardTuningDraft::default() };
        let power = TuningModeDraft::Power;
        let boards = [("a".to_owned(), tuned(power(9.0), Some(50.0))), ("b".to_owned(), tuned(power(5.0), None))];
        let now = SpecDraft { boards: boards.into(), ..SpecDraft::default() }.check(None).unwrap();
        let now = WantedSpec { spec: now, ..WantedSpec::default() };
        let slower = TuningFragment { mode: Some(power(7.0)), ..TuningFragment::default() };
        let change = Fragment { boards: [("a".to_owned(), slower)].into(), ..Fragment::default() };
        let (draft, parts) = overlaid(&change, &now);
        assert_eq!(parts, SpecParts { boards: true, ..SpecParts::NONE });
        assert_eq!(draft.boards["a"], tuned(power(7.0), Some(50.0)));
        assert_eq!(draft.boards["b"], tuned(power(5.0), None));
    }
}
