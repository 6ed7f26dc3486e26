//! What is wanted of one miner alone, taken away again.

use super::{
    Fragment, ProfileError, Profiles,
    resolve::{Subject, resolve},
};
use crate::{
    access::Caller,
    audit,
    finish::regardless,
    spec::{Base, Checked, Claim, MergeError, SpecError, authorize, store_change},
};
use mujina_core::{id::MinerName, spec::SpecChange};
use tracing::info;

impl Profiles {
    /// Takes what is wanted of one miner alone away, so that profiles count again; gives what changes. Fields that no profile
    /// says stay as they are.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn clear_override(
        &self,
        name: MinerName,
        validate_only: bool,
        by: Caller,
    ) -> Result<Vec<SpecChange>, ProfileError> {
        let profiles = self.clone();
        regardless(async move { profiles.clear_to_the_end(&name, validate_only, &by).await }).await
    }

    async fn clear_to_the_end(
        &self,
        name: &MinerName,
        validate_only: bool,
        by: &Caller,
    ) -> Result<Vec<SpecChange>, ProfileError> {
        let miner = self.registry.get(name).ok_or_else(|| ProfileError::UnknownMiner(name.clone()))?;
        let labels = miner.labels();
        by.decide(Some(&labels))?;
        let mut write = self.store.write().await?;
        let subject = Subject { labels: labels.as_ref().clone(), own: Fragment::default() };
        let resolved = resolve(&subject, &write.profiles().await?)
            .map_err(|problem| ProfileError::Clash { miner: name.clone(), problem })?;
        let latest = write.latest_desired(name).await?;
        let confirmed = miner.view().confirmed.clone();
        let base = Base { desired: latest.as_ref().map(|latest| &latest.wanted), confirmed: confirmed.as_deref() };
        let wanted = resolved.to_store(&base).map_err(|error| match error {
            MergeError::Invalid(problems) => SpecError::Invalid(problems),
            MergeError::NoBase => SpecError::NeverSeen(name.clone()),
        })?;
        let before = base.wanted().unwrap_or_default();
        let changes = wanted.as_ref().map(|wanted| before.diff(wanted)).unwrap_or_default();
        let guard = write.payout_list().await?.guard;
        authorize(by, &labels, &changes, wanted.as_ref().unwrap_or(&before), &guard)?;
        if validate_only {
            return Ok(changes);
        }
        write.put_own_fragment(name, &Fragment::default()).await?;
        let new = match wanted {
            Some(wanted) => {
                let (latest, claim, confirm_within, rollout) = (latest.as_ref(), Claim::FromProfiles, None, "");
                let checked =
                    Checked { miner: name, latest, base, wanted, changes: &changes, confirm_within, claim, rollout };
                Some(store_change(&mut write, checked).await?)
            }
            None => None,
        };
        write.append_audit(by.record(name, audit::of_changes(&changes))).await?;
        write.commit().await?;
        info!(miner.name = %name, changes = changes.len(), "override cleared");
        if let Some(new) = new {
            miner.publish_new(&new);
        }
        Ok(changes)
    }
}
