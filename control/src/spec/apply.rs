//! Writing the desired state of one miner.

use super::{
    Base, Checked, Claim, DesiredState, MergeError, SpecError, SpecOutcome, SpecParts, SpecRequest, Specs, WantedSpec,
    authorize, change::unstored, merge, own::said_after, store_change,
};
use crate::{
    access::Caller,
    audit,
    finish::regardless,
    registry::Miner,
    repeat::RequestKey,
    store::{StoreError, Write},
};
use mujina_core::{
    id::{Generation, MinerName},
    spec::{SpecChange, SpecDraft},
};
use mujina_proto::convert::spec::NOTHING_STORED;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tracing::info;

/// What a repeated request is answered from.
#[derive(Serialize, Deserialize)]
struct Remembered {
    generation: u64,
    changes: Vec<(String, String, String)>,
    #[serde(default)]
    previous: u64,
}

/// Brings a former desired state back.
#[derive(Debug, Clone)]
pub(crate) struct Restore {
    /// Whose.
    pub(crate) miner: MinerName,
    /// The generation to bring back.
    pub(crate) to: Generation,
    /// What of it; the rest stays as it is.
    pub(crate) parts: SpecParts,
    /// Only while this one is the newest.
    pub(crate) over: Generation,
    /// See [`SpecRequest`].
    pub(crate) key: RequestKey,
    /// See [`SpecRequest`].
    pub(crate) claim: Claim,
    /// Who asks.
    pub(crate) by: Caller,
}

impl Specs {
    /// Stores a new generation and has it reconciled. Answers when it is on disk.
    ///
    /// # Errors
    /// See [`SpecError`].
    ///
    /// # Cancel safety
    /// Safe: what has begun comes to its end, the handing on included.
    pub async fn apply(&self, request: SpecRequest) -> Result<SpecOutcome, SpecError> {
        let specs = self.clone();
        regardless(async move { specs.apply_to_the_end(request).await }).await
    }

    async fn apply_to_the_end(&self, request: SpecRequest) -> Result<SpecOutcome, SpecError> {
        let SpecRequest { miner: name, draft, parts, etag, key, validate_only, confirm_within, claim, rollout, by } =
            request;
        let Some(miner) = self.registry.get(&name) else { return Err(SpecError::UnknownMiner(name)) };
        by.decide(Some(&miner.labels()))?;
        let mut write = self.store.write().await?;
        if let Some(outcome) = repeated(&mut write, &miner, &key).await? {
            return Ok(outcome);
        }
        let latest = write.latest_desired(&name).await?;
        expect_etag(&etag, latest.as_ref())?;
        let confirmed = miner.view().confirmed.clone();
        let base = Base { desired: latest.as_ref().map(|latest| &latest.wanted), confirmed: confirmed.as_deref() };
        let wanted = merge(draft.clone(), parts, &base).map_err(|error| match error {
            MergeError::Invalid(problems) => SpecError::Invalid(problems),
            MergeError::NoBase => SpecError::NeverSeen(name.clone()),
        })?;
        let step = Step { miner: &miner, latest: latest.as_ref(), base, said: (&draft, parts), wanted };
        let how = How { confirm_within, claim, rollout: &rollout, key: &key, validate_only, by: &by };
        step.take(write, &how).await
    }

    /// Brings a former desired state back; `None` = somebody wrote since, and nothing is done.
    ///
    /// # Errors
    /// See [`SpecError`].
    pub(crate) async fn restore(&self, restore: Restore) -> Result<Option<SpecOutcome>, SpecError> {
        let specs = self.clone();
        regardless(async move { specs.restore_to_the_end(restore).await }).await
    }

    async fn restore_to_the_end(&self, restore: Restore) -> Result<Option<SpecOutcome>, SpecError> {
        let Restore { miner: name, to, parts, over, key, claim, by } = restore;
        let Some(miner) = self.registry.get(&name) else { return Err(SpecError::UnknownMiner(name)) };
        let mut write = self.store.write().await?;
        if let Some(outcome) = repeated(&mut write, &miner, &key).await? {
            return Ok(Some(outcome));
        }
        let latest = write.latest_desired(&name).await?;
        let former = write.desired(&name, to).await?;
        let (Some(former), Some(newest)) = (former, latest.as_ref().filter(|latest| latest.generation == over)) else {
            return Ok(None);
        };
        let confirmed = miner.view().confirmed.clone();
        let base = Base { desired: latest.as_ref().map(|latest| &latest.wanted), confirmed: confirmed.as_deref() };
        let draft = former.wanted.draft();
        let (said, wanted) = ((&draft, parts), newest.wanted.clone().with(parts, &former.wanted));
        let step = Step { miner: &miner, latest: latest.as_ref(), base, said, wanted };
        // It was in force before, and is not to be proved again.
        let confirm_within = Some(Duration::ZERO);
        let how = How { confirm_within, claim, rollout: "", key: &key, validate_only: false, by: &by };
        step.take(write, &how).await.map(Some)
    }

    /// What a request brought, if it was made.
    ///
    /// # Errors
    /// See [`SpecError`].
    pub(crate) async fn found_out(&self, name: &MinerName, key: &RequestKey) -> Result<Option<SpecOutcome>, SpecError> {
        let mut write = self.store.write().await?;
        let Some(miner) = self.registry.get(name) else { return Ok(None) };
        repeated(&mut write, &miner, key).await
    }
}

/// A change with all that is known.
struct Step<'a> {
    miner: &'a Miner,
    latest: Option<&'a DesiredState>,
    base: Base<'a>,
    said: (&'a SpecDraft, SpecParts),
    wanted: WantedSpec,
}

/// How it is made.
struct How<'a> {
    confirm_within: Option<Duration>,
    claim: Claim,
    rollout: &'a str,
    key: &'a RequestKey,
    validate_only: bool,
    by: &'a Caller,
}

impl Step<'_> {
    /// Checks, stores, publishes.
    async fn take(self, mut write: Write, how: &How<'_>) -> Result<SpecOutcome, SpecError> {
        let Self { miner, latest, base, said, wanted } = self;
        let How { confirm_within, claim, rollout, key, validate_only, by } = *how;
        let (name, labels) = (&miner.name, miner.labels());
        let changes = base.wanted().unwrap_or_default().diff(&wanted);
        let guard = write.payout_list().await?.guard;
        authorize(by, &labels, &changes, &wanted, &guard)?;
        let own = match claim {
            Claim::TakesOver | Claim::BeforeProfiles => {
                let own = write.own_fragment(name).await?.unwrap_or_default().fragment;
                let next = said_after(&write.profiles().await?, &labels, &own, said, &wanted);
                Some(next.map_err(SpecError::Invalid)?).filter(|next| *next != own)
            }
            Claim::FromProfiles => None,
        };
        if validate_only {
            let previous = latest.map(|latest| latest.generation).unwrap_or_default();
            let desired = Arc::new(unstored(name, latest, wanted));
            return Ok(SpecOutcome { desired, changes, previous });
        }
        if let Some(own) = own {
            write.put_own_fragment(name, &own).await?;
        }
        let checked = Checked { miner: name, latest, base, wanted, changes: &changes, confirm_within, claim, rollout };
        let new = store_change(&mut write, checked).await?;
        let outcome = SpecOutcome { desired: new.desired.clone(), changes, previous: new.previous };
        let answer = serde_json::to_string(&Remembered::from(&outcome));
        let answer = answer.map_err(|_| StoreError::Corrupt("an answer".into()))?;
        write.remember(&scope(name), key, &answer).await?;
        write.append_audit(by.record(name, audit::of_changes(&outcome.changes))).await?;
        write.commit().await?;
        let (generation, changes) = (outcome.desired.generation, outcome.changes.len());
        info!(miner.name = %name, %generation, changes, "desired state stored");
        miner.publish_new(&new);
        Ok(outcome)
    }
}

impl From<&SpecOutcome> for Remembered {
    fn from(outcome: &SpecOutcome) -> Self {
        let SpecOutcome { desired, changes, previous } = outcome;
        let changes = changes.iter().map(|one| (one.path.clone(), one.before.clone(), one.after.clone())).collect();
        Self { generation: desired.generation.0, changes, previous: previous.0 }
    }
}

/// Whose request ids these are.
fn scope(miner: &MinerName) -> String {
    format!("spec/{miner}")
}

fn expect_etag(etag: &str, latest: Option<&DesiredState>) -> Result<(), SpecError> {
    let current = latest.map_or(NOTHING_STORED, |latest| latest.etag.as_str());
    if etag.is_empty() || etag == current {
        return Ok(());
    }
    Err(SpecError::EtagMismatch { current: current.into() })
}

/// What the first of these requests brought, handed on again.
async fn repeated(write: &mut Write, miner: &Miner, key: &RequestKey) -> Result<Option<SpecOutcome>, SpecError> {
    let Some(answer) = write.answer(&scope(&miner.name), key).await? else { return Ok(None) };
    let Remembered { generation, changes, previous } =
        serde_json::from_str(&answer).map_err(|_| StoreError::Corrupt("an answer".into()))?;
    let generation = Generation(generation);
    let Some(desired) = write.desired(&miner.name, generation).await? else {
        return Err(SpecError::RepeatTooOld { generation });
    };
    let changes = changes.into_iter().map(|(path, before, after)| SpecChange { path, before, after }).collect();
    let desired = Arc::new(desired);
    miner.publish_desired(&desired);
    Ok(Some(SpecOutcome { desired, changes, previous: Generation(previous) }))
}
