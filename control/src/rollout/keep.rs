//! Rollouts, planned and steered by people: checked for every target, and stored before they are answered.

mod steer;

use super::{
    ApprovalError, Approvals, Change, Gates, Outcome, Rollout, Status, SteerError, Strategy, overlaid, plan::Targets,
};
use crate::{
    access::{Caller, Permission, content::of_changes},
    event::{EventKind, Events},
    finish::regardless,
    profile::{
        Fragment, Profile, ProfileError, Profiles, permit,
        resolve::{Affected, affected},
        with_kept_passwords,
    },
    registry::{Miner, Registry},
    repeat::RequestKey,
    spec::{Base, MergeError, SpecError, Specs, authorize, merge},
    store::{self, PlannedRollout, Store, StoreError, StoredRollout, Write},
    trace::TraceParent,
};
use mujina_core::{id::MinerName, spec::Problems};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
pub use steer::Steer;
use tokio::sync::watch;
use tracing::info;

/// Whose request ids these are.
const SCOPE: &str = "rollout";

/// A rollout that somebody asks for.
#[derive(Debug, Clone)]
pub struct RolloutRequest {
    /// What to change.
    pub change: Change,
    /// With a change of some fields: which miners.
    pub miners: Vec<Arc<Miner>>,
    /// How.
    pub strategy: Strategy,
    /// A repeat answers with the first plan.
    pub key: RequestKey,
    /// Only check, and answer with the plan.
    pub validate_only: bool,
    /// People other than the planner who must approve it; the control plane may ask for more.
    pub approvals: u32,
    /// Who asks.
    pub by: Caller,
}

/// A plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The rollout; without an id when it was only checked.
    pub stored: StoredRollout,
    /// What it means for each target.
    pub effects: Vec<Affected>,
}

/// What a change means for each miner, and the permissions that it takes.
type Meant = (Vec<Affected>, BTreeSet<Permission>);

/// Why a rollout is not planned, or not steered so.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// Fields that do not check out.
    #[error("{0}")]
    Invalid(Problems),
    /// Not for one of the targets.
    #[error("for miner {0}: {1}")]
    Target(MinerName, #[source] SpecError),
    /// The profile was refused.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Not from where it stands.
    #[error(transparent)]
    Steer(#[from] SteerError),
    /// Not approved, or not by this person.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// Another one changes the same miners.
    #[error("miner {0} is in another rollout that has not ended; wait for it, or abort it")]
    Busy(MinerName),
    /// The profile was written since.
    #[error("profile {0} was changed since this rollout was planned; plan it anew")]
    Outdated(String),
    /// Never existed, or was dropped with age.
    #[error("no rollout has the id `{0}`; list the rollouts to see the newest")]
    Unknown(String),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] crate::access::Denied),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RolloutError {
    fn unknown(id: &str) -> Self {
        Self::Unknown(id.chars().take(80).collect())
    }
}

/// The way to the rollouts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rollouts {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) specs: Specs,
    pub(super) profiles: Profiles,
    pub(super) events: Events,
    /// Approvals that every plan takes.
    least_approvals: u32,
    /// Counts changes of any rollout: whoever waits reads the store again.
    pub(super) changes: watch::Sender<u64>,
}

impl Rollouts {
    /// Rollouts over the miners of `registry`.
    #[must_use]
    pub fn new(store: Store, registry: Registry, specs: Specs, profiles: Profiles, events: Events) -> Self {
        Self { store, registry, specs, profiles, events, least_approvals: 0, changes: watch::Sender::new(0) }
    }

    /// The same, of which every plan takes so many approvals.
    #[must_use]
    pub fn approved_by(self, least_approvals: u32) -> Self {
        Self { least_approvals, ..self }
    }

    /// Told of each change of any rollout.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// One rollout.
    ///
    /// # Errors
    /// See [`RolloutError`].
    pub async fn get(&self, id: &str) -> Result<StoredRollout, RolloutError> {
        self.store.rollout(id).await?.ok_or_else(|| RolloutError::unknown(id))
    }

    /// One rollout, and the targets that were written after a revision; all of them after none.
    ///
    /// # Errors
    /// See [`RolloutError`].
    pub async fn since(
        &self,
        id: &str,
        revision: Option<u64>,
    ) -> Result<(StoredRollout, BTreeSet<MinerName>), RolloutError> {
        self.store.rollout_since(id, revision).await?.ok_or_else(|| RolloutError::unknown(id))
    }

    /// Checks a rollout for every target and stores its plan; nothing is changed.
    ///
    /// # Errors
    /// See [`RolloutError`].
    pub async fn plan(&self, request: RolloutRequest) -> Result<Planned, RolloutError> {
        let rollouts = self.clone();
        regardless(async move { rollouts.plan_to_the_end(request).await }).await
    }

    async fn plan_to_the_end(&self, request: RolloutRequest) -> Result<Planned, RolloutError> {
        let RolloutRequest { change, miners, mut strategy, key, validate_only, approvals, by } = request;
        let mut write = self.store.write().await?;
        if let Some(id) = write.answer(SCOPE, &key).await? {
            drop(write);
            return Ok(Planned { stored: self.get(&id).await?, effects: Vec::new() });
        }
        let (change, profile, (effects, needs)) = match change {
            Change::Spec(fragment) => {
                let meant = self.effects(&mut write, &fragment, &miners, &by).await?;
                (fragment, None, meant)
            }
            Change::Profile(profile) => {
                let (profile, meant) = self.effects_of_profile(&mut write, profile, &by).await?;
                (profile.fragment.clone(), Some(profile), meant)
            }
        };
        if change.paused == Some(true) {
            // There is nothing to count then.
            strategy.gates = Gates { new_faults: strategy.gates.new_faults, ..Gates::without_hashing() };
        }
        let labels = |one: &Affected| {
            let miner = self.registry.get(&one.miner)?;
            Some((one.miner.clone(), miner.labels().as_ref().clone()))
        };
        let targets: Targets = effects.iter().filter_map(labels).collect();
        let id = if validate_only { String::new() } else { uuid::Uuid::new_v4().to_string() };
        let rollout = Rollout::new(id.clone(), &targets, strategy).map_err(RolloutError::Invalid)?;
        let approvals = Approvals { needed: approvals.max(self.least_approvals), given: Vec::new() };
        let diff = json!({
            "miners": targets.len(),
            "profile": profile.as_ref().map(|profile| profile.name.to_string()),
            "says": change.paths(),
            "approvals": approvals.needed,
        });
        let (created_at, created_by, trace_parent) = (store::now(), by.person(), TraceParent::current());
        let planned =
            PlannedRollout { rollout, change, profile, needs, approvals, created_at, created_by, trace_parent };
        let stored = write.insert_rollout(planned).await?;
        if validate_only {
            // Dropping the changes undoes them.
            return Ok(Planned { stored, effects });
        }
        write.remember(SCOPE, &key, &id).await?;
        write.append_audit(by.record(format!("rollout {id}"), diff)).await?;
        write.commit().await?;
        info!(rollout.id = id, targets = targets.len(), "rollout planned");
        self.changed();
        Ok(Planned { stored, effects })
    }

    /// What a change of some fields means for each miner, all of which must be permitted. Miners of which the same is wanted
    /// already are left out. With the permissions that it takes.
    async fn effects(
        &self,
        write: &mut Write,
        change: &Fragment,
        miners: &[Arc<Miner>],
        by: &Caller,
    ) -> Result<Meant, RolloutError> {
        change.check().map_err(RolloutError::Invalid)?;
        let guard = write.payout_list().await?.guard;
        let desired: BTreeMap<_, _> =
            write.all_desired().await?.into_iter().map(|one| (one.miner.clone(), one)).collect();
        let (mut effects, mut needs) = (Vec::new(), BTreeSet::new());
        for miner in miners {
            let name = &miner.name;
            let failed = |error| RolloutError::Target(name.clone(), error);
            let confirmed = miner.view().confirmed.clone();
            let base = Base { desired: desired.get(name).map(|one| &one.wanted), confirmed: confirmed.as_deref() };
            let before = base.wanted().ok_or_else(|| failed(SpecError::NeverSeen(name.clone())))?;
            let (draft, parts) = overlaid(change, &before);
            let wanted = merge(draft, parts, &base).map_err(|error| match error {
                MergeError::Invalid(problems) => failed(SpecError::Invalid(problems)),
                MergeError::NoBase => failed(SpecError::NeverSeen(name.clone())),
            })?;
            let changes = before.diff(&wanted);
            let labels = miner.labels();
            by.decide(Some(&labels))?;
            authorize(by, &labels, &changes, &wanted, &guard).map_err(failed)?;
            needs.extend(of_changes(&changes, &guard));
            if !changes.is_empty() {
                effects.push(Affected { miner: name.clone(), changes, let_go: Vec::new(), problem: None });
            }
        }
        Ok((effects, needs))
    }

    /// What a profile means for each miner whose spec changes by it, and the permissions that it takes; the profile with the
    /// etag of the one that it replaces.
    async fn effects_of_profile(
        &self,
        write: &mut Write,
        profile: Profile,
        by: &Caller,
    ) -> Result<(Profile, Meant), RolloutError> {
        let before = write.profiles().await?;
        let known = before.iter().find(|known| known.name == profile.name);
        let current = write.profile_etag(&profile.name).await?;
        if !profile.etag.is_empty() && profile.etag != current {
            return Err(ProfileError::EtagMismatch { current }.into());
        }
        let fragment = with_kept_passwords(profile.fragment.clone(), known.map(|known| &known.fragment));
        fragment.check().map_err(ProfileError::Invalid)?;
        let profile = Profile { fragment, etag: current, ..profile };
        let others = before.iter().filter(|other| other.name != profile.name).cloned();
        let after: Vec<_> = others.chain([profile.clone()]).collect();
        let subjects = self.profiles.subjects(write.own_fragments().await?);
        let mut effects = affected(&before, &after, &subjects);
        if let Some((miner, problem)) = effects.iter().find_map(|one| Some((one.miner.clone(), one.problem.clone()?))) {
            return Err(ProfileError::Clash { miner, problem }.into());
        }
        let guard = write.payout_list().await?.guard;
        let needs = permit(by, known, Some(&profile), &effects, &guard)?;
        effects.retain(|one| !one.changes.is_empty());
        for one in &effects {
            let labels = subjects.get(&one.miner).map(|subject| &subject.labels);
            by.decide(labels)?;
        }
        Ok((profile, (effects, needs)))
    }

    /// Tells people what is new of a rollout.
    pub(super) fn tell(&self, before: &Rollout, after: &Rollout) {
        let id = &after.course.id;
        for (name, target) in &after.targets {
            let known = before.targets.get(name).and_then(|before| before.failure.as_ref());
            if let Some(failure) = target.failure.as_ref().filter(|failure| known != Some(failure)) {
                self.events.tell(EventKind::RolloutTargetFailed, Some(name), id, failure);
            }
        }
        if before.course.status == after.course.status {
            return;
        }
        let (kind, message) = match &after.course.status {
            Status::Planned => return,
            Status::Running => (EventKind::RolloutRunning, "it changes miners".to_owned()),
            Status::Paused { because } => {
                (EventKind::RolloutPaused, format!("{because}; resume it, accept the wave, abort it, or roll it back"))
            }
            Status::Aborting { because } => (EventKind::RolloutAborting, because.clone()),
            Status::RollingBack { because } => (EventKind::RolloutRollingBack, because.clone()),
            Status::Finished { outcome, at: _ } => (
                EventKind::RolloutFinished,
                match outcome {
                    Outcome::Succeeded => "every wave held".into(),
                    Outcome::Aborted(because) => format!("aborted: {because}; what was changed stays"),
                    Outcome::RolledBack(because) => format!("rolled back: {because}"),
                },
            ),
        };
        info!(rollout.id = id, status = after.course.status.name(), message, "rollout");
        self.events.tell(kind, None, id, message);
    }
}
