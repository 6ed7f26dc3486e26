//! One new generation of one miner, within a transaction that may hold many.

use super::{Base, Claim, DesiredState, SpecError, SpecParts, WantedSpec};
use crate::{
    access::{
        Caller,
        content::of_changes,
        payout::{self, PayoutGuard},
    },
    reconcile::{Trial, trial::CONFIRM},
    selector::Labels,
    store::{self, StoreError, Write},
    trace::TraceParent,
};
use mujina_core::{
    id::{Generation, MinerName},
    spec::{Problems, SpecChange},
};
use mujina_proto::convert::spec::NOTHING_STORED;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Whether `by` may make these changes to a miner with these labels, and whether work may go where they lead.
///
/// # Errors
/// [`SpecError::Denied`] or [`SpecError::Payout`].
pub(crate) fn authorize(
    by: &Caller,
    labels: &Labels,
    changes: &[SpecChange],
    wanted: &WantedSpec,
    guard: &PayoutGuard,
) -> Result<(), SpecError> {
    for permission in of_changes(changes, guard) {
        by.may(permission, Some(labels))?;
    }
    if changes.iter().any(|change| change.path.starts_with("pool_groups")) {
        let problems: Vec<_> = payout::check(&wanted.spec, guard).into_iter().map(Into::into).collect();
        if !problems.is_empty() {
            return Err(SpecError::Payout(Problems(problems)));
        }
    }
    Ok(())
}

/// A change that was checked.
#[derive(Debug)]
pub(crate) struct Checked<'a> {
    /// Whom it is for.
    pub(crate) miner: &'a MinerName,
    /// What is wanted of it now.
    pub(crate) latest: Option<&'a DesiredState>,
    /// What is known of it.
    pub(crate) base: Base<'a>,
    /// What is to be wanted.
    pub(crate) wanted: WantedSpec,
    /// The way there.
    pub(crate) changes: &'a [SpecChange],
    /// See [`SpecRequest`](super::SpecRequest).
    pub(crate) confirm_within: Option<Duration>,
    /// What it counts against others.
    pub(crate) claim: Claim,
    /// The rollout that takes it back; empty = the session does.
    pub(crate) rollout: &'a str,
}

/// A new generation, with the trial that it has to stand.
#[derive(Debug, Clone)]
pub(crate) struct NewDesired {
    /// What the miner did when nothing was wanted of it yet: generation 0, never sent, but a place to go back to.
    origin: Option<DesiredState>,
    /// The new generation.
    pub(crate) desired: Arc<DesiredState>,
    /// The one before; 0 = the first.
    pub(crate) before: Generation,
    /// The one to go back to: that before, or, where that was not proved itself, the last that was.
    pub(crate) previous: Generation,
    /// What it has to stand, if anything.
    pub(crate) trial: Option<Trial>,
}

/// Adds new generations, all of them with as many statements as one.
///
/// # Errors
/// The database failed.
pub(crate) async fn store_new(write: &mut Write, new: &[NewDesired]) -> Result<(), StoreError> {
    let desired: Vec<_> = new.iter().flat_map(|new| new.origin.iter().chain([&*new.desired])).collect();
    write.insert_desired(&desired).await?;
    let trials: Vec<_> = new.iter().filter_map(|new| Some((&new.desired.miner, new.trial.as_ref()?))).collect();
    write.put_trials(&trials).await
}

/// Adds the generation that one change makes.
///
/// # Errors
/// The database failed.
pub(crate) async fn store_change(write: &mut Write, change: Checked<'_>) -> Result<NewDesired, StoreError> {
    let on_trial = write.open_trial(change.miner, change.latest).await?;
    let new = new_desired(change, on_trial.as_ref());
    store_new(write, std::slice::from_ref(&new)).await?;
    Ok(new)
}

/// The generation that a change makes; `on_trial` is the trial of the newest one, where that is not over.
pub(crate) fn new_desired(change: Checked<'_>, on_trial: Option<&Trial>) -> NewDesired {
    let Checked { miner, latest, base, wanted, changes, confirm_within, claim, rollout } = change;
    // A miner that obeyed a control plane before (a lost database) must take this one for newer.
    let accepted = base.confirmed.map(|confirmed| confirmed.control_generation).unwrap_or_default();
    let before = latest.map(|latest| latest.generation);
    let generation = before.unwrap_or_default().max(accepted).next();
    let taken_over = match claim {
        Claim::TakesOver => generation,
        Claim::BeforeProfiles | Claim::FromProfiles => latest.map(|latest| latest.taken_over).unwrap_or_default(),
    };
    let is_first = latest.is_none();
    let origin = base.wanted().filter(|_| is_first).map(|wanted| DesiredState {
        miner: miner.clone(),
        wanted,
        generation: Generation(0),
        etag: NOTHING_STORED.into(),
        stored_at: store::now(),
        trace_parent: TraceParent::default(),
        taken_over: Generation(0),
    });
    let has_way_back = before.is_some() || origin.is_some();
    let needs_share = !wanted.spec.paused && wanted.spec.pools().next().is_some();
    let desired = Arc::new(DesiredState {
        miner: miner.clone(),
        wanted,
        generation,
        etag: uuid::Uuid::new_v4().simple().to_string(),
        stored_at: store::now(),
        trace_parent: TraceParent::current(),
        taken_over,
    });
    let before = before.unwrap_or_default();
    let on_trial = on_trial.filter(|trial| trial.generation == before && !trial.is_over());
    let touched = SpecParts::of(changes);
    let usual = || Trial::is_due(changes).then_some(CONFIRM);
    let within = confirm_within.map_or_else(usual, |within| (!within.is_zero()).then_some(within));
    let (previous, trial) = match (within.filter(|_| has_way_back), on_trial) {
        (Some(within), on_trial) => {
            // What was not proved is nothing to go back to.
            let previous = on_trial.map_or(before, |trial| trial.previous);
            let parts = on_trial.map_or(touched, |trial| trial.parts.or(touched));
            let trial = Trial::new(generation, previous, within, needs_share);
            (previous, Some(Trial { rollout: rollout.into(), parts, ..trial }))
        }
        (None, Some(trial)) => {
            // This change says nothing of the rest, which is as little proved as before.
            let parts = trial.parts.without(touched);
            (before, (parts != SpecParts::NONE).then(|| trial.carried(generation, parts)))
        }
        (None, None) => (before, None),
    };
    NewDesired { origin, desired, before, previous, trial }
}

/// A desired state that was only checked: generation and etag are those before.
pub(super) fn unstored(miner: &MinerName, latest: Option<&DesiredState>, wanted: WantedSpec) -> DesiredState {
    DesiredState {
        miner: miner.clone(),
        wanted,
        generation: latest.map(|latest| latest.generation).unwrap_or_default(),
        etag: latest.map_or_else(|| NOTHING_STORED.to_owned(), |latest| latest.etag.clone()),
        stored_at: latest.map_or_else(SystemTime::now, |latest| latest.stored_at),
        trace_parent: TraceParent::default(),
        taken_over: latest.map(|latest| latest.taken_over).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::TrialState;

    const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

    fn paths(paths: &[&str]) -> Vec<SpecChange> {
        let change = |path: &&str| SpecChange { path: (*path).into(), before: String::new(), after: String::new() };
        paths.iter().map(change).collect()
    }

    /// What follows generation 6, which is on trial against 5.
    fn over_a_trial(changed: &[&str], confirm_within: Option<Duration>) -> NewDesired {
        let miner = "rig1".parse().unwrap();
        let latest = DesiredState { generation: Generation(6), ..unstored(&miner, None, WantedSpec::default()) };
        let trial = Trial::new(Generation(6), Generation(5), Duration::from_secs(300), true);
        let trial = Trial { parts: SpecParts::POOL_GROUPS, rollout: "r".into(), ..trial };
        let changes = paths(changed);
        let change = Checked {
            miner: &miner,
            latest: Some(&latest),
            base: Base::default(),
            wanted: WantedSpec::default(),
            changes: &changes,
            confirm_within,
            claim: Claim::FromProfiles,
            rollout: "",
        };
        new_desired(change, Some(&trial))
    }

    #[test]
    fn what_was_not_proved_is_nothing_to_go_back_to() {
        let new = over_a_trial(&["pool_groups[main].pools[main].url", "paused"], None);
        assert_eq!((new.before, new.previous), (Generation(6), Generation(5)));
        let trial = new.trial.unwrap();
        assert_eq!((trial.generation, trial.previous, trial.state), (Generation(7), Generation(5), TrialState::Stored));
        assert_eq!(trial.parts, SpecParts { paused: true, ..SpecParts::POOL_GROUPS });
    }

    #[test]
    fn change_of_other_parts_goes_on_with_a_trial_and_one_of_the_same_parts_may_end_it() {
        for within in [None, Some(Duration::ZERO)] {
            let new = over_a_trial(&["paused"], within);
            assert_eq!(new.previous, Generation(6));
            let trial = new.trial.unwrap();
            let carried = (trial.generation, trial.previous, trial.parts, trial.rollout.as_str());
            assert_eq!(carried, (Generation(7), Generation(5), SpecParts::POOL_GROUPS, ""));
        }
        // Somebody says that these pools need no proof.
        assert_eq!(over_a_trial(&["pool_groups[main].pools[main].url"], Some(Duration::ZERO)).trial, None);
        assert_eq!(over_a_trial(&["paused"], MINUTE).trial.unwrap().previous, Generation(5));
    }
}
