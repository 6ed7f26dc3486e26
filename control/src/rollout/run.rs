//! Drives rollouts: a step, written down, its actions performed under their request ids, their results written down.
//!
//! A control plane that is killed anywhere goes on with the next step: what was performed and not told is answered by its
//! request id as it was the first time.

use super::{
    Action, Measurements, Outcome, Phase, Rollout, Rollouts, Status, Target, clock::Look, measure::measure, overlaid,
};
use crate::{
    access::Caller,
    profile::resolve::{Subject, resolve},
    repeat::RequestKey,
    spec::{Base, Claim, Restore, SpecError, SpecOutcome, SpecParts, SpecRequest, said_after},
    store::{StoreError, StoredRollout, Write},
};
use mujina_core::{id::MinerName, spec::SpecDraft};
use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};

/// Between two steps of a rollout: a fleet tells something new many times a second.
const PACE: Duration = Duration::from_millis(100);
/// Before something that failed is tried again, and the longest sleep towards a time of day, which somebody may set.
const AGAIN: Duration = Duration::from_secs(5);
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Drives all rollouts that have begun and not ended.
#[derive(Debug)]
pub(crate) struct Runner(Rollouts);

impl Rollouts {
    /// The task that drives them until it is cancelled.
    pub(crate) fn runner(&self) -> Runner {
        Runner(self.clone())
    }
}

impl Runner {
    /// Runs until `cancel`; what is under way then is resumed by the next start.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let rollouts = self.0;
        let mut changes = rollouts.changes();
        let (mut running, mut in_hand) = (JoinSet::new(), HashSet::new());
        loop {
            changes.borrow_and_update();
            match rollouts.store.open_rollouts().await {
                Ok(open) => {
                    for id in open {
                        if in_hand.insert(id.clone()) {
                            let rollouts = rollouts.clone();
                            running.spawn(async move {
                                rollouts.drive(&id).await;
                                id
                            });
                        }
                    }
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "rollouts cannot be read; trying again");
                    if cancel.run_until_cancelled(sleep(AGAIN)).await.is_none() {
                        break;
                    }
                    continue;
                }
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(ended) = running.join_next() => match ended {
                    Ok(id) => { in_hand.remove(&id); }
                    Err(_) => error!("a rollout panicked; it goes on at the next start; please report this"),
                },
                // The sender lives as long as this task.
                _ = changes.changed() => {}
            }
        }
        running.shutdown().await;
    }
}

impl Rollouts {
    /// Drives one rollout to its end.
    async fn drive(&self, id: &str) {
        let (mut changes, mut seen) = (self.changes(), self.registry.changes());
        let (mut measured, mut clock) = (None, Look::take());
        loop {
            changes.borrow_and_update();
            seen.borrow_and_update();
            let wake = match self.go_on(id, &mut measured, &mut clock).await {
                Ok(Next::Ended) => return,
                Ok(Next::Look(at)) => at,
                Err(error) => {
                    error!(
                        rollout.id = id,
                        error = &error as &dyn std::error::Error,
                        "rollout interrupted; trying again"
                    );
                    Instant::now() + AGAIN
                }
            };
            sleep(PACE).await;
            tokio::select! {
                () = sleep_until(wake) => {}
                // Both senders live as long as this task.
                _ = changes.changed() => {}
                _ = seen.changed() => {}
            }
        }
    }

    /// One step with its actions.
    async fn go_on(&self, id: &str, measured: &mut Option<Measurements>, clock: &mut Look) -> Result<Next, StoreError> {
        let Some(stored) = self.store.rollout(id).await? else { return Ok(Next::Ended) };
        let span = info_span!(parent: None, "rollout.step", rollout.id = id);
        stored.trace_parent.adopt(&span);
        self.step(stored, measured, clock).instrument(span).await
    }

    async fn step(
        &self,
        stored: StoredRollout,
        measured: &mut Option<Measurements>,
        clock: &mut Look,
    ) -> Result<Next, StoreError> {
        let mut next = stored.rollout.clone();
        let look = Look::take();
        if let Some(by) = look.set_ahead_since(clock) {
            warn!(rollout.id = next.course.id, seconds = by.as_secs(), "the clock was set ahead; waits begin anew");
            next.clock_set_ahead(by, look.now);
        }
        let miner = |name: &MinerName| Some((name.clone(), self.registry.get(name)?.seen()));
        let seen: BTreeMap<_, _> = next.targets.keys().filter_map(miner).collect();
        let actions = next.step(look.now, &seen, measured.as_ref());
        // Somebody steered meanwhile: look again.
        let Some(saved) = self.save(stored, &next).await? else { return Ok(Next::Look(Instant::now())) };
        *clock = look;
        if matches!(next.course.status, Status::Planned | Status::Finished { .. }) {
            self.profiles.look_again();
            return Ok(Next::Ended);
        }
        let mut wake = Instant::now() + LONGEST_SLEEP;
        for action in actions {
            match action {
                Action::WaitUntil(at) => wake = wake.min(Instant::now() + until(at)),
                Action::Measure { wave, miners, before, during } => {
                    let are_judged = |name: &MinerName| {
                        saved.rollout.targets.get(name).is_some_and(|target| target.phase == Phase::Proved)
                    };
                    let (store, registry) = (&self.store, &self.registry);
                    *measured = measure(store, registry, wave, &miners, before, during, are_judged).await?;
                    wake = wake.min(Instant::now() + if measured.is_some() { Duration::ZERO } else { AGAIN });
                }
                Action::Paused(_) | Action::Finished(_) => {}
                Action::Apply { .. } | Action::FindOut { .. } | Action::RollBack { .. } => {
                    if let Err(error) = self.perform(&saved, action, &mut next).await {
                        warn!(rollout.id = saved.rollout.course.id, %error, "a step of a rollout is tried again");
                        wake = wake.min(Instant::now() + AGAIN);
                    }
                }
            }
        }
        if next != saved.rollout {
            self.save(saved, &next).await?;
            wake = Instant::now();
        }
        Ok(Next::Look(wake))
    }

    /// Writes down how far it is; the end with what belongs to it. `None` = somebody else wrote, and nothing is written.
    async fn save(&self, before: StoredRollout, after: &Rollout) -> Result<Option<StoredRollout>, StoreError> {
        if before.rollout == *after {
            return Ok(Some(before));
        }
        let mut write = self.store.write().await?;
        let Some(saved) = write.save_rollout(&before, after).await? else { return Ok(None) };
        if let Status::Finished { outcome, at: _ } = &after.course.status {
            self.finish(&mut write, &saved, outcome).await?;
        }
        write.commit().await?;
        self.tell(&before.rollout, after);
        self.changed();
        Ok(Some(saved))
    }

    /// The profile of a rollout that succeeded is stored. Miners that are not as the profiles say then keep what they have
    /// until somebody clears that.
    async fn finish(&self, write: &mut Write, rollout: &StoredRollout, outcome: &Outcome) -> Result<(), StoreError> {
        let Some(profile) = &rollout.profile else { return Ok(()) };
        let by = Caller::itself(&rollout.created_by, "rollout");
        let is_kept = |target: &Target| match outcome {
            Outcome::Succeeded => !matches!(target.phase, Phase::Proved),
            Outcome::Aborted(_) => matches!(target.phase, Phase::Proved),
            Outcome::RolledBack(_) => false,
        };
        if *outcome == Outcome::Succeeded {
            write.put_profile(profile).await?;
            let id = &rollout.rollout.course.id;
            let diff = serde_json::json!({ "rollout": id, "says": profile.fragment.paths() });
            write.append_audit(by.record(format!("profile {}", profile.name), diff)).await?;
        }
        let profiles = write.profiles().await?;
        let parts = profile.fragment.parts();
        for (name, _) in rollout.rollout.targets.iter().filter(|(_, target)| is_kept(target)) {
            let (Some(miner), Some(desired)) = (self.registry.get(name), write.latest_desired(name).await?) else {
                continue;
            };
            let own = write.own_fragment(name).await?.unwrap_or_default().fragment;
            let draft = desired.wanted.draft();
            match said_after(&profiles, &miner.labels(), &own, (&draft, parts), &desired.wanted) {
                Ok(own) => drop(write.put_own_fragment(name, &own).await?),
                Err(error) => {
                    warn!(miner.name = %name, %error, "the profiles count for a miner that is not as they say");
                }
            }
        }
        Ok(())
    }

    /// Performs an action, and tells its result to `next`.
    async fn perform(&self, rollout: &StoredRollout, action: Action, next: &mut Rollout) -> Result<(), SpecError> {
        match action {
            Action::Apply { miner, request_id } => match self.apply(rollout, &miner, RequestKey::own(request_id)).await
            {
                Ok(outcome) => applied(next, &miner, &outcome),
                Err(error @ (SpecError::Store(_) | SpecError::EtagMismatch { .. })) => return Err(error),
                Err(error) => next.refused(&miner, &error.to_string()),
            },
            Action::FindOut { miner, request_id } => {
                match self.specs.found_out(&miner, &RequestKey::own(request_id)).await? {
                    Some(outcome) => applied(next, &miner, &outcome),
                    None => next.not_applied(&miner),
                }
            }
            Action::RollBack { miner, to, over, request_id } => {
                let claim = Claim::BeforeProfiles;
                let by = Caller::itself(&rollout.created_by, "rollout");
                let parts = SpecParts::ALL;
                let key = RequestKey::own(request_id);
                let restore = Restore { miner: miner.clone(), to, parts, over, key, claim, by };
                match self.specs.restore(restore).await {
                    Ok(Some(outcome)) => next.reverting(&miner, outcome.desired.generation),
                    Ok(None) => next.superseded(&miner),
                    Err(error @ SpecError::Store(_)) => return Err(error),
                    Err(error) => {
                        warn!(miner.name = %miner, %error, "a miner cannot be taken back");
                        next.revert_refused(&miner, &error.to_string());
                    }
                }
            }
            Action::Measure { .. } | Action::WaitUntil(_) | Action::Paused(_) | Action::Finished(_) => {}
        }
        Ok(())
    }

    /// Stores the change for one miner.
    async fn apply(
        &self,
        rollout: &StoredRollout,
        name: &MinerName,
        key: RequestKey,
    ) -> Result<SpecOutcome, SpecError> {
        // What was done is not worked out anew, from what it has changed itself.
        if let Some(outcome) = self.specs.found_out(name, &key).await? {
            return Ok(outcome);
        }
        let miner = self.registry.get(name).ok_or_else(|| SpecError::UnknownMiner(name.clone()))?;
        let by = Caller::itself(&rollout.created_by, "rollout");
        let ((draft, parts), claim, etag): ((SpecDraft, SpecParts), _, _) = match &rollout.profile {
            None => {
                let desired = self.store.desired_of(name).await?;
                let confirmed = miner.view().confirmed.clone();
                let wanted = desired.as_ref().map(|desired| &desired.wanted);
                let now = Base { desired: wanted, confirmed: confirmed.as_deref() }.wanted();
                let now = now.ok_or_else(|| SpecError::NeverSeen(name.clone()))?;
                let etag = desired.map(|desired| desired.etag).unwrap_or_default();
                (overlaid(&rollout.change, &now), Claim::BeforeProfiles, etag)
            }
            Some(profile) => {
                let known = self.store.profiles().await?;
                let others = known.into_iter().filter(|other| other.name != profile.name);
                let all: Vec<_> = others.chain([profile.clone()]).collect();
                let own = self.store.own_fragments().await?.remove(name).unwrap_or_default().fragment;
                let subject = Subject { labels: miner.labels().as_ref().clone(), own };
                let resolved = resolve(&subject, &all).map_err(|problem| {
                    let (field, reason) = ("profile".into(), problem.to_string());
                    SpecError::Invalid(mujina_core::spec::Problems(vec![mujina_core::spec::Problem { field, reason }]))
                })?;
                ((resolved.draft, resolved.parts), Claim::FromProfiles, String::new())
            }
        };
        let strategy = &rollout.rollout.course.strategy;
        // Where nobody asks for a share, nothing would ever tell the miner to keep the change.
        let within = if strategy.gates.first_share { strategy.confirm_within } else { Duration::ZERO };
        let request = SpecRequest {
            etag,
            key,
            confirm_within: Some(within),
            claim,
            rollout: rollout.rollout.course.id.clone(),
            ..SpecRequest::new(name.clone(), draft, parts, by)
        };
        self.specs.apply(request).await
    }
}

/// What comes after a step.
enum Next {
    /// Nothing.
    Ended,
    /// Another one at this time, or when something is seen.
    Look(Instant),
}

fn applied(rollout: &mut Rollout, miner: &MinerName, outcome: &SpecOutcome) {
    rollout.applied(miner, outcome.desired.generation, outcome.previous, outcome.desired.stored_at);
}

fn until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).unwrap_or_default().min(LONGEST_SLEEP)
}
