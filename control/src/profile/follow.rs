//! What follows from profiles for the miners: stored for all of them at once, at every start and after every change of
//! profiles, labels and miners, however far the last attempt came.

use super::{
    Profile, ProfileError, Profiles,
    resolve::{Resolved, Subject, resolve},
};
use crate::{
    access::payout::{self, PayoutGuard},
    event::EventKind,
    registry::Miner,
    spec::{Base, Checked, Claim, MergeError, NewDesired, WantedSpec, new_desired, store_new},
    store::{OwnFragment, StoreError, Write},
};
use mujina_core::{
    id::MinerName,
    spec::{Problems, SpecChange},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Between two looks at miners that were not reached yet.
const LOOK: Duration = Duration::from_millis(500);
/// Before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// What follows for one miner.
enum Follows {
    /// Nothing; it is wanted already, or nobody says anything.
    Nothing,
    /// A new desired state.
    Change(WantedSpec, Vec<SpecChange>),
    /// Something, once it is known what it does now.
    Later,
    /// Nothing that could be.
    Clash(String),
}

/// What followed.
#[derive(Debug, Default)]
pub(super) struct Followed {
    stored: Vec<(Arc<Miner>, NewDesired)>,
    /// Miners that must be reached first.
    pub(super) later: Vec<Arc<Miner>>,
    clashes: BTreeMap<MinerName, String>,
}

impl Followed {
    /// Hands on what was stored, now that it is on disk.
    pub(super) fn publish(&self) {
        for (miner, new) in &self.stored {
            miner.publish_new(new);
        }
    }

    /// The first miner for which nothing can follow.
    pub(super) fn clash(&self) -> Option<(&MinerName, &String)> {
        self.clashes.first_key_value()
    }

    pub(super) fn count(&self) -> usize {
        self.stored.len()
    }
}

fn follows(resolved: &Resolved, base: &Base<'_>, guard: &PayoutGuard) -> Follows {
    let wanted = match resolved.to_store(base) {
        Ok(None) => return Follows::Nothing,
        Ok(Some(wanted)) => wanted,
        Err(MergeError::NoBase) => return Follows::Later,
        Err(MergeError::Invalid(problems)) => return Follows::Clash(problems.to_string()),
    };
    let changes = base.wanted().unwrap_or_default().diff(&wanted);
    if changes.iter().any(|change| change.path.starts_with("pool_groups")) {
        let problems: Vec<_> = payout::check(&wanted.spec, guard).into_iter().map(Into::into).collect();
        if !problems.is_empty() {
            return Follows::Clash(Problems(problems).to_string());
        }
    }
    Follows::Change(wanted, changes)
}

impl Profiles {
    /// Stores what follows from `profiles` for every miner that no rollout is changing.
    pub(super) async fn follow(
        &self,
        write: &mut Write,
        profiles: &[Profile],
        subjects: &BTreeMap<MinerName, Subject>,
    ) -> Result<Followed, StoreError> {
        let busy = write.miners_in_rollouts().await?;
        let guard = write.payout_list().await?.guard;
        let desired: BTreeMap<_, _> =
            write.all_desired().await?.into_iter().map(|one| (one.miner.clone(), one)).collect();
        let on_trial: BTreeMap<_, _> =
            write.open_trials().await?.into_iter().map(|(miner, trial)| ((miner, trial.generation), trial)).collect();
        let (mut followed, mut changed, mut new) = (Followed::default(), Vec::new(), Vec::new());
        for (name, subject) in subjects.iter().filter(|(name, _)| !busy.contains(*name)) {
            let Some(miner) = self.registry.get(name) else { continue };
            let confirmed = miner.view().confirmed.clone();
            let latest = desired.get(name);
            let base = Base { desired: latest.map(|latest| &latest.wanted), confirmed: confirmed.as_deref() };
            let follows = match resolve(subject, profiles) {
                Ok(resolved) => follows(&resolved, &base, &guard),
                Err(problem) => Follows::Clash(problem.to_string()),
            };
            match follows {
                Follows::Nothing => {}
                Follows::Later => followed.later.push(miner),
                Follows::Clash(why) => drop(followed.clashes.insert(name.clone(), why)),
                Follows::Change(wanted, changes) => {
                    let (claim, confirm_within, rollout) = (Claim::FromProfiles, None, "");
                    let checked = Checked {
                        miner: name,
                        latest,
                        base,
                        wanted,
                        changes: &changes,
                        confirm_within,
                        claim,
                        rollout,
                    };
                    let on_trial = latest.and_then(|latest| on_trial.get(&(name.clone(), latest.generation)));
                    new.push(new_desired(checked, on_trial));
                    changed.push(miner);
                }
            }
        }
        store_new(write, &new).await?;
        followed.stored = changed.into_iter().zip(new).collect();
        Ok(followed)
    }

    /// Whether anything would follow. Cheaper than to find out within a write, which others would wait for.
    async fn is_due(&self) -> Result<bool, StoreError> {
        let (profiles, own) = (self.store.profiles().await?, self.store.own_fragments().await?);
        if profiles.is_empty() && own.is_empty() {
            return Ok(false);
        }
        let guard = self.store.payout_list().await?.guard;
        let is_due = |(name, subject): (&MinerName, &Subject)| {
            let Some(miner) = self.registry.get(name) else { return false };
            let (confirmed, desired) = (miner.view().confirmed.clone(), miner.desired());
            let base =
                Base { desired: desired.as_deref().map(|desired| &desired.wanted), confirmed: confirmed.as_deref() };
            match resolve(subject, &profiles) {
                Ok(resolved) => !matches!(follows(&resolved, &base, &guard), Follows::Nothing),
                Err(_) => true,
            }
        };
        Ok(self.subjects(own).iter().any(is_due))
    }

    async fn follow_all(&self) -> Result<Followed, ProfileError> {
        if !self.is_due().await? {
            return Ok(Followed::default());
        }
        let mut write = self.store.write().await?;
        let profiles = write.profiles().await?;
        let subjects = self.subjects(write.own_fragments().await?);
        let followed = self.follow(&mut write, &profiles, &subjects).await?;
        if !followed.stored.is_empty() {
            write.commit().await?;
            info!(miners = followed.stored.len(), "desired states follow from profiles");
            followed.publish();
        }
        Ok(followed)
    }

    /// Has profiles followed from now on: at once, and whenever a miner comes, gets other labels, or leaves a rollout.
    pub(crate) async fn keep_true(self, cancel: CancellationToken) {
        let (mut arrivals, mut rollouts) = (self.registry.arrivals(), self.released.subscribe());
        let mut told = BTreeMap::new();
        loop {
            arrivals.borrow_and_update();
            rollouts.borrow_and_update();
            let later = match self.follow_all().await {
                Ok(followed) => {
                    self.tell_clashes(&mut told, followed.clashes);
                    followed.later
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "profiles cannot be followed; trying again");
                    if cancel.run_until_cancelled(tokio::time::sleep(STORE_RETRY)).await.is_none() {
                        return;
                    }
                    continue;
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                // The registry lives as long as this task, and so do the rollouts.
                _ = arrivals.changed() => {}
                _ = rollouts.changed() => {}
                () = self.any_is_known(&later), if !later.is_empty() => {}
            }
        }
    }

    async fn any_is_known(&self, miners: &[Arc<Miner>]) {
        let mut changes = self.registry.changes();
        // One that says a spec which this version cannot read is not known any better for that.
        let is_known = |miner: &Arc<Miner>| miner.view().confirmed.as_ref().is_some_and(|said| said.spec.is_some());
        loop {
            tokio::time::sleep(LOOK).await;
            changes.borrow_and_update();
            if miners.iter().any(is_known) {
                return;
            }
            let _ = changes.changed().await;
        }
    }

    fn tell_clashes(&self, told: &mut BTreeMap<MinerName, String>, clashes: BTreeMap<MinerName, String>) {
        for (miner, why) in clashes.iter().filter(|(miner, why)| told.get(*miner) != Some(*why)) {
            let message = format!("nothing follows from the profiles for this miner: {why}; what was wanted stays");
            self.events.tell(EventKind::ProfilesClash, Some(miner), "", message);
        }
        *told = clashes;
    }

    /// Rollouts ended and their miners follow the profiles again, or profiles count for miners that were not reached yet.
    pub(crate) fn look_again(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    /// What is known of the miners, as profiles see them.
    pub(crate) fn subjects(&self, mut own: BTreeMap<MinerName, OwnFragment>) -> BTreeMap<MinerName, Subject> {
        let subject = |miner: &Arc<Miner>| {
            let own = own.remove(&miner.name).map(|own| own.fragment).unwrap_or_default();
            (miner.name.clone(), Subject { labels: miner.labels().as_ref().clone(), own })
        };
        self.registry.all().values().map(subject).collect()
    }
}

/// Miners whose desired states belong to rollouts that have begun and not ended.
pub(crate) type Busy = BTreeSet<MinerName>;
