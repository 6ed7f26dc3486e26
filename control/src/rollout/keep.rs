//! Rollouts, planned and steered by people: checked for every target, and stored before they are answered.

use super::{
    ApprovalError, Approvals, Change, Gates, Outcome, Rollout, Status, SteerError, Strategy, Target, overlaid,
    plan::Targets,
};
use crate::{
    access::{Caller, Denied, Permission, content::of_changes},
    event::{EventKind, Events},
    finish::regardless,
    profile::{
        Fragment, Profile, ProfileError, Profiles, permit,
        resolve::{Affected, affected},
        with_kept_passwords,
    },
    registry::{Miner, Registry},
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
    /// A repeat with the same id answers with the first plan; empty = no repeat.
    pub request_id: String,
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
    /// A request id that was used for another rollout.
    #[error("the request id was used for another rollout; use a new id for every request")]
    Reused,
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

/// What people want of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steer {
    /// Begin.
    Start,
    /// Change no more for now.
    Pause(String),
    /// Go on in spite of what failed.
    Resume,
    /// Take the wave that failed as it is, and go on with the next.
    AcceptWave,
    /// Change no more and end.
    Abort(String),
    /// Take all back.
    RollBack(String),
}

impl Steer {
    /// Whether miners may change by it, so that it takes whatever the change takes.
    fn changes_miners(&self) -> bool {
        match self {
            Self::Start | Self::Resume | Self::AcceptWave | Self::RollBack(_) => true,
            Self::Pause(_) | Self::Abort(_) => false,
        }
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
        let unknown = || RolloutError::Unknown(id.chars().take(80).collect());
        self.store.rollout(id).await?.ok_or_else(unknown)
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
        let RolloutRequest { change, miners, mut strategy, request_id, validate_only, approvals, by } = request;
        let mut write = self.store.write().await?;
        if !request_id.is_empty()
            && let Some(id) = write.answer(SCOPE, &request_id).await?
        {
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
        if !request_id.is_empty() {
            write.remember(SCOPE, &request_id, &id).await?;
        }
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

    /// Approves a plan, for which one must be permitted to start it.
    ///
    /// # Errors
    /// See [`RolloutError`].
    pub async fn approve(&self, id: &str, request_id: String, by: Caller) -> Result<StoredRollout, RolloutError> {
        let (rollouts, id) = (self.clone(), id.to_owned());
        regardless(async move { rollouts.approve_to_the_end(&id, &request_id, &by).await }).await
    }

    async fn approve_to_the_end(&self, id: &str, request_id: &str, by: &Caller) -> Result<StoredRollout, RolloutError> {
        let (scope, person) = (format!("approval of {}", by.person()), by.person());
        let mut write = self.store.write().await?;
        let unknown = || RolloutError::Unknown(id.chars().take(80).collect());
        let before = write.rollout(id).await?.ok_or_else(unknown)?;
        self.expect_permitted(&before, true, by)?;
        if !request_id.is_empty()
            && let Some(known) = write.answer(&scope, request_id).await?
        {
            return if known == id { Ok(before) } else { Err(RolloutError::Reused) };
        }
        let status = &before.rollout.course.status;
        if *status != Status::Planned {
            return Err(SteerError::NotNow(status.name(), "be approved").into());
        }
        let mut approvals = before.approvals.clone();
        if !approvals.give(&before.created_by, &person, store::now())? {
            return Ok(before);
        }
        let diff = json!([{
            "path": "approvals",
            "before": before.approvals.given.len(),
            "after": approvals.given.len(),
        }]);
        // Within one write nobody else can have written.
        let saved = write.save_approvals(&before, approvals).await?.ok_or_else(unknown)?;
        if !request_id.is_empty() {
            write.remember(&scope, request_id, id).await?;
        }
        write.append_audit(by.record(format!("rollout {id}"), diff)).await?;
        write.commit().await?;
        info!(rollout.id = id, approvals = saved.approvals.given.len(), "rollout approved");
        self.changed();
        Ok(saved)
    }

    /// Does what a person wants of a rollout, who must be permitted for each target: to steer, and where miners change by
    /// it, to make the change as well.
    ///
    /// # Errors
    /// See [`RolloutError`].
    pub async fn steer(&self, id: &str, steer: Steer, by: Caller) -> Result<StoredRollout, RolloutError> {
        let (rollouts, id) = (self.clone(), id.to_owned());
        regardless(async move { rollouts.steer_to_the_end(&id, &steer, &by).await }).await
    }

    async fn steer_to_the_end(&self, id: &str, steer: &Steer, by: &Caller) -> Result<StoredRollout, RolloutError> {
        let mut write = self.store.write().await?;
        let unknown = || RolloutError::Unknown(id.chars().take(80).collect());
        let before = write.rollout(id).await?.ok_or_else(unknown)?;
        self.expect_permitted(&before, steer.changes_miners(), by)?;
        let (now, mut next) = (store::now(), before.rollout.clone());
        match steer {
            Steer::Start => {
                next.start(now)?;
                before.approvals.expect_enough(id, &before.created_by, self.least_approvals)?;
                self.expect_free(&mut write, &before).await?;
                self.expect_permitted_now(&mut write, &before, by).await?;
            }
            Steer::Pause(because) => next.pause(because)?,
            Steer::Resume => next.resume(now)?,
            Steer::AcceptWave => next.accept_wave(now)?,
            Steer::Abort(because) => next.abort(because)?,
            Steer::RollBack(because) => {
                next.roll_back(because)?;
                if matches!(before.rollout.course.status, Status::Finished { .. }) {
                    self.expect_alone(&mut write, &before, |target| target.applied.is_some()).await?;
                }
            }
        }
        let diff = json!([{
            "path": "status",
            "before": before.rollout.course.status.name(),
            "after": next.course.status.name(),
        }]);
        // Within one write nobody else can have written.
        let saved = write.save_rollout(&before, &next).await?.ok_or_else(unknown)?;
        write.append_audit(by.record(format!("rollout {id}"), diff)).await?;
        write.commit().await?;
        self.tell(&before.rollout, &next);
        self.changed();
        Ok(saved)
    }

    /// Whether somebody may steer a rollout, and where miners change by it, make its change.
    fn expect_permitted(&self, rollout: &StoredRollout, changes_miners: bool, by: &Caller) -> Result<(), Denied> {
        let needs: Vec<_> = rollout.needs.iter().filter(|_| changes_miners).copied().collect();
        for name in rollout.rollout.targets.keys() {
            let labels = self.registry.get(name).map(|miner| miner.labels());
            match labels.as_deref() {
                Some(labels) => drop(by.decide(Some(labels))?),
                None => by.may(Permission::Rollout, None)?,
            }
            for permission in &needs {
                by.may(*permission, labels.as_deref())?;
            }
        }
        // A profile counts for miners to come as well.
        for permission in needs.iter().filter(|_| rollout.profile.is_some()) {
            by.may(*permission, None)?;
        }
        Ok(())
    }

    /// Whether somebody may make the change that the plan amounts to now: what is wanted of its miners may have changed since.
    async fn expect_permitted_now(
        &self,
        write: &mut Write,
        rollout: &StoredRollout,
        by: &Caller,
    ) -> Result<(), RolloutError> {
        match &rollout.profile {
            Some(profile) => drop(self.effects_of_profile(write, profile.clone(), by).await?),
            None => {
                let miners: Vec<_> =
                    rollout.rollout.targets.keys().filter_map(|name| self.registry.get(name)).collect();
                self.effects(write, &rollout.change, &miners, by).await?;
            }
        }
        Ok(())
    }

    /// Whether nothing speaks against a begin.
    async fn expect_free(&self, write: &mut Write, rollout: &StoredRollout) -> Result<(), RolloutError> {
        self.expect_alone(write, rollout, |_| true).await?;
        if let Some(profile) = &rollout.profile
            && write.profile_etag(&profile.name).await? != profile.etag
        {
            return Err(RolloutError::Outdated(profile.name.to_string()));
        }
        Ok(())
    }

    /// Whether no other rollout changes those of its targets that are `meant`, or its profile.
    async fn expect_alone(
        &self,
        write: &mut Write,
        rollout: &StoredRollout,
        meant: impl Fn(&Target) -> bool + Send,
    ) -> Result<(), RolloutError> {
        let busy = write.miners_in_rollouts().await?;
        let mut targets = rollout.rollout.targets.iter();
        if let Some((miner, _)) = targets.find(|(name, target)| meant(target) && busy.contains(*name)) {
            return Err(RolloutError::Busy(miner.clone()));
        }
        if let Some(profile) = &rollout.profile
            && let Some(other) = write.rollout_of_profile(&profile.name).await?
        {
            return Err(ProfileError::InRollout(other).into());
        }
        Ok(())
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
