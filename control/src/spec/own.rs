//! What a write for one miner means beside the profiles: what differs from them becomes the miner's own, so that none undoes
//! it later without being asked. Pure.

use super::{Base, SpecParts, WantedSpec, merge};
use crate::{
    profile::{
        Fragment, Profile, TuningFragment,
        resolve::{Resolved, Subject, resolve},
    },
    selector::Labels,
};
use mujina_core::{
    board::BoardTuning,
    spec::{BoardTuningDraft, Problem, Problems, SpecDraft, TuningModeDraft},
};
use std::collections::BTreeMap;

/// What is said for this miner alone after its `parts` were written as `draft`, and are `wanted`. Parts that neither a
/// profile nor the miner's own fragment says stay unsaid; what equals the profiles is said by them.
///
/// # Errors
/// A profile says something that a spec for one miner cannot take away.
pub(crate) fn said_after(
    profiles: &[Profile],
    labels: &Labels,
    own: &Fragment,
    (draft, parts): (&SpecDraft, SpecParts),
    wanted: &WantedSpec,
) -> Result<Fragment, Problems> {
    let subject = |own: Fragment| Subject { labels: labels.clone(), own };
    // Profiles that do not go together say nothing that could be equal.
    let theirs = resolve(&subject(Fragment::default()), profiles).ok();
    let they_say = match &theirs {
        Some(theirs) => theirs.parts,
        None => SpecParts::ALL,
    };
    let mut next = own.clone();
    if parts.pool_groups && (they_say.pool_groups || own.pool_groups.is_some()) {
        let are_theirs = theirs.as_ref().is_some_and(|theirs| are_their_pools(theirs, wanted));
        next.pool_groups = (!are_theirs).then(|| with_passwords(draft, wanted));
    }
    if parts.paused && (they_say.paused || own.paused.is_some()) {
        let is_theirs = theirs.as_ref().is_some_and(|it| it.parts.paused && it.spec.paused == wanted.spec.paused);
        next.paused = (!is_theirs).then_some(wanted.spec.paused);
    }
    if parts.boards && (they_say.boards || !own.boards.is_empty()) {
        let spoken_of = theirs.as_ref().map(|theirs| &theirs.spec.boards);
        let are_theirs = spoken_of == Some(&wanted.spec.boards);
        next.boards = if are_theirs { BTreeMap::new() } else { tunings(&wanted.spec.boards, spoken_of) };
        if let Ok(together) = resolve(&subject(next.clone()), profiles)
            && said(&together.spec.boards) != said(&wanted.spec.boards)
        {
            let reason =
                "leaves out limits or a fan target that a profile says; say other values, or change the profile";
            return Err(Problems(vec![Problem { field: "boards".into(), reason: reason.into() }]));
        }
    }
    Ok(next)
}

fn are_their_pools(theirs: &Resolved, wanted: &WantedSpec) -> bool {
    let parts = SpecParts { pool_groups: true, ..SpecParts::NONE };
    let base = Base { desired: Some(wanted), confirmed: None };
    theirs.parts.pool_groups
        && merge(theirs.draft.clone(), parts, &base).is_ok_and(|same| wanted.diff(&same).is_empty())
}

/// As they were written, with the passwords that they came to.
fn with_passwords(draft: &SpecDraft, wanted: &WantedSpec) -> Vec<mujina_core::spec::GroupDraft> {
    let mut groups = draft.pool_groups.clone();
    for pool in groups.iter_mut().flat_map(|group| &mut group.pools) {
        if let Some(known) = wanted.spec.pools().find(|known| known.name.as_str() == pool.name) {
            pool.password = known.password.clone();
        }
    }
    groups
}

/// All that is wanted of boards; of those that only profiles speak of, that they are to be as their models are.
fn tunings(
    wanted: &BTreeMap<String, BoardTuning>,
    spoken_of: Option<&BTreeMap<String, BoardTuning>>,
) -> BTreeMap<String, TuningFragment> {
    let others = spoken_of.into_iter().flat_map(BTreeMap::keys);
    let as_model = || TuningFragment { mode: Some(TuningModeDraft::default()), ..TuningFragment::default() };
    let mut all: BTreeMap<_, _> = others.map(|board| (board.clone(), as_model())).collect();
    all.extend(wanted.iter().map(|(board, tuning)| {
        let BoardTuningDraft { mode, soft_limits, hard_limits, fan_target } = tuning.into();
        (board.clone(), TuningFragment { mode: Some(mode), soft_limits, hard_limits, fan_target })
    }));
    all
}

/// Without boards of which nothing is wanted.
fn said(boards: &BTreeMap<String, BoardTuning>) -> BTreeMap<&String, &BoardTuning> {
    boards.iter().filter(|(_, tuning)| **tuning != BoardTuning::default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use mujina_core::{
        id::Generation,
        pool::PoolStrategy,
        spec::{GroupDraft, PoolDraft},
        text::Secret,
    };

    fn profile(fragment: Fragment) -> Profile {
        let (name, selector) = ("base".parse().unwrap(), "site=a".parse().unwrap());
        Profile { name, selector, priority: 0, fragment, etag: String::new(), generation: Generation(1) }
    }

    fn pools(user: &str, password: Option<&str>) -> Vec<GroupDraft> {
        let (url, password) = ("stratum+tcp://pool.example".into(), password.map(Secret::from));
        let pool = PoolDraft { name: "a".into(), url, user: user.into(), password, ..PoolDraft::default() };
        vec![GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] }]
    }

    fn tuned(power: f64, fan_target: Option<f64>) -> TuningFragment {
        TuningFragment { mode: Some(TuningModeDraft::Power(power)), fan_target, ..TuningFragment::default() }
    }

    /// What is the miner's own after a write of `parts` as `said`.
    #[expect(clippy::needless_pass_by_value, reason = "what is said is made in the call")]
    fn after(profile_says: Fragment, own: Fragment, said: Fragment, site: &str) -> Result<Fragment, Problems> {
        let labels = [("site".to_owned(), site.to_owned())].into();
        let (draft, parts) = (said.draft(), said.parts());
        let base = Base { desired: Some(&WantedSpec::default()), confirmed: None };
        let wanted = merge(draft.clone(), parts, &base).unwrap();
        said_after(&[profile(profile_says)], &labels, &own, (&draft, parts), &wanted)
    }

    #[test]
    fn write_against_a_profile_becomes_the_miners_own_and_one_that_says_the_same_ends_that() {
        let paused = |paused| Fragment { paused: Some(paused), ..Fragment::default() };
        assert_eq!(after(paused(true), Fragment::default(), paused(false), "a").unwrap(), paused(false));
        assert_eq!(after(paused(true), paused(false), paused(true), "a").unwrap(), Fragment::default());
        // A profile for others, or of other parts, is no matter.
        assert_eq!(after(paused(true), Fragment::default(), paused(false), "b").unwrap(), Fragment::default());
        let mine = Fragment { pool_groups: Some(pools("alice", None)), ..Fragment::default() };
        assert_eq!(after(paused(true), Fragment::default(), mine, "a").unwrap(), Fragment::default());
        // What is the miner's own already follows the newest write.
        assert_eq!(after(Fragment::default(), paused(true), paused(false), "b").unwrap(), paused(false));
    }

    #[test]
    fn pools_are_compared_with_their_passwords() {
        let said = |user, password| Fragment { pool_groups: Some(pools(user, password)), ..Fragment::default() };
        let own = |own| after(said("alice", Some("x")), Fragment::default(), own, "a").unwrap();
        assert_eq!(own(said("alice", Some("x"))), Fragment::default());
        assert_eq!(own(said("bob", Some("x"))), said("bob", Some("x")));
        assert_eq!(own(said("alice", Some("y"))), said("alice", Some("y")));
    }

    #[test]
    fn boards_that_are_left_out_are_as_their_models_and_limits_of_profiles_cannot_be_left_out() {
        let boards = |boards: &[(&str, TuningFragment)]| Fragment {
            boards: boards.iter().map(|(name, tuning)| ((*name).to_owned(), tuning.clone())).collect(),
            ..Fragment::default()
        };
        let theirs = boards(&[("x", tuned(9.0, None)), ("y", tuned(5.0, None))]);
        let own = after(theirs.clone(), Fragment::default(), boards(&[("x", tuned(7.0, None))]), "a").unwrap();
        let as_model = TuningFragment { mode: Some(TuningModeDraft::Default), ..TuningFragment::default() };
        assert_eq!(own, boards(&[("x", tuned(7.0, None)), ("y", as_model)]));
        assert_eq!(after(theirs.clone(), own, theirs, "a").unwrap(), Fragment::default());
        let cooled = boards(&[("x", tuned(9.0, Some(50.0)))]);
        let error = after(cooled, Fragment::default(), boards(&[("x", tuned(7.0, None))]), "a").unwrap_err();
        assert!(error.to_string().starts_with("boards: leaves out limits"), "{error}");
    }
}
