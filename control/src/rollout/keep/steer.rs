//! Approving rollouts and steering them: who may, and whether anything speaks against it.

use super::{
    super::{Status, SteerError, Target},
    ApprovalError, RolloutError, Rollouts,
};
use crate::{
    access::{
        Binding, Caller, Denied, Permission,
        apart::{ApartError, Approver, Wish},
    },
    finish::regardless,
    profile::ProfileError,
    repeat::RequestKey,
    store::{self, StoredRollout, Write},
};
use serde_json::json;
use tracing::info;

/// Whose request ids those of approvals are.
const APPROVALS: &str = "approval";

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

impl Rollouts {
    /// Approves a plan, for which one must be permitted to start it, and be none of those who planned and approved it before.
    ///
    /// # Errors
    /// See [`RolloutError`].
    pub async fn approve(
        &self,
        id: &str,
        key: RequestKey,
        approver: Approver,
        by: Caller,
    ) -> Result<StoredRollout, RolloutError> {
        let (rollouts, id) = (self.clone(), id.to_owned());
        regardless(async move { rollouts.approve_to_the_end(&id, &key, &approver, &by).await }).await
    }

    async fn approve_to_the_end(
        &self,
        id: &str,
        key: &RequestKey,
        approver: &Approver,
        by: &Caller,
    ) -> Result<StoredRollout, RolloutError> {
        let mut write = self.store.write().await?;
        let before = write.rollout(id).await?.ok_or_else(|| RolloutError::unknown(id))?;
        self.expect_permitted(&before, true, by)?;
        if write.answer(APPROVALS, key).await?.is_some() {
            return Ok(before);
        }
        let status = &before.rollout.course.status;
        if *status != Status::Planned {
            return Err(SteerError::NotNow(status.name(), "be approved").into());
        }
        let mut approvals = before.approvals.clone();
        if !approvals.give(&before.created_by, &by.person(), store::now())? {
            return Ok(before);
        }
        self.expect_apart(&mut write, &before, approver, by).await?;
        let diff = json!([{
            "path": "approvals",
            "before": before.approvals.given.len(),
            "after": approvals.given.len(),
        }]);
        // Within one write nobody else can have written.
        let saved = write.save_approvals(&before, approvals).await?.ok_or_else(|| RolloutError::unknown(id))?;
        write.remember(APPROVALS, key, id).await?;
        write.append_audit(by.record(format!("rollout {id}"), diff)).await?;
        write.commit().await?;
        info!(rollout.id = id, approvals = saved.approvals.given.len(), "rollout approved");
        self.changed();
        Ok(saved)
    }

    /// Whether the approver could be none of those who planned and approved it, and may let it happen by roles that none of
    /// these gave.
    async fn expect_apart(
        &self,
        write: &mut Write,
        rollout: &StoredRollout,
        approver: &Approver,
        by: &Caller,
    ) -> Result<(), RolloutError> {
        let counts = |binding: &Binding| {
            let permits = |permission| binding.role.permits(permission);
            permits(Permission::Rollout) || rollout.needs.iter().copied().any(permits)
        };
        let (lineage, mut roles) = write.lineage(&approver.subject, counts).await?;
        let before = rollout.approvals.given.iter().map(|given| &given.who);
        for person in [&rollout.created_by].into_iter().chain(before) {
            let wish = Wish { by: person, at: rollout.created_at };
            roles = lineage.roles_apart(wish, approver, &roles).map_err(ApprovalError::from)?;
        }
        let own = by.bindings().iter().filter(|binding| roles.contains(&format!("binding/{}", binding.id))).cloned();
        self.expect_permitted(rollout, true, &by.with_bindings(own.collect())).map_err(|_| {
            let (approver, proposer) = (by.person(), rollout.created_by.clone());
            ApprovalError::from(ApartError::MaybeOne { approver, proposer }).into()
        })
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
        let before = write.rollout(id).await?.ok_or_else(|| RolloutError::unknown(id))?;
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
        let saved = write.save_rollout(&before, &next).await?.ok_or_else(|| RolloutError::unknown(id))?;
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
}
