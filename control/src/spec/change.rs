//! One new generation of one miner, within a transaction that may hold many.

use super::{Base, Claim, DesiredState, SpecError, WantedSpec};
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
    /// The one to go back to.
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

/// The generation that a change makes.
pub(crate) fn new_desired(change: Checked<'_>) -> NewDesired {
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
    let previous = before.unwrap_or_default();
    let usual = || Trial::is_due(changes).then_some(CONFIRM);
    let within = confirm_within.map_or_else(usual, |within| (!within.is_zero()).then_some(within));
    let trial = within
        .filter(|_| has_way_back)
        .map(|within| Trial { rollout: rollout.into(), ..Trial::new(generation, previous, within, needs_share) });
    NewDesired { origin, desired, previous, trial }
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
