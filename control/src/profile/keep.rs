//! Writing profiles: checked by what they mean for every miner, then stored.
//!
//! A write that leaves any miner without an answer (a tie, or fields that do not go together) is refused whole. What follows
//! for the miners' desired states is told and not done here: at once, or as a rollout, is for the caller to say.

use super::{
    Fragment, Profile,
    resolve::{Affected, ResolveError, Resolved, Subject, affected, resolve},
};
use crate::{
    finish::regardless,
    registry::Registry,
    selector::Selector,
    store::{OwnFragment, Store, StoreError},
};
use mujina_core::{
    id::{Generation, MinerName, ProfileName},
    spec::Problems,
};
use std::collections::BTreeMap;
use tracing::info;

/// A write that somebody asks for.
#[derive(Debug, Clone)]
pub struct ProfileRequest {
    /// The profile.
    pub name: ProfileName,
    /// What it shall be; `None` deletes it.
    pub content: Option<(Selector, i32, Fragment)>,
    /// Write only over the profile with this etag; empty = over any.
    pub etag: String,
    /// Only check and answer with what it means.
    pub validate_only: bool,
}

/// What a write brought.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileOutcome {
    /// The profile after it; `None` when it is deleted. Generation and etag are those before when it was only checked.
    pub profile: Option<Profile>,
    /// The miners whose resolved spec changes.
    pub affected: Vec<Affected>,
}

/// Why a write was refused; nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Fields that do not check out by themselves.
    #[error("{0}")]
    Invalid(Problems),
    /// Together with the other profiles it leaves a miner without an answer.
    #[error("for miner {miner}: {problem}")]
    Clash {
        /// The first of them.
        miner: MinerName,
        /// What is wrong there.
        problem: ResolveError,
    },
    /// Somebody else wrote meanwhile.
    #[error("it changed since it was read (etag is now `{current}`); read it again and repeat")]
    EtagMismatch {
        /// The newest etag.
        current: String,
    },
    /// There is no such profile.
    #[error("no profile is named {0}; list the profiles to see those there are")]
    Unknown(ProfileName),
    /// There is no such miner.
    #[error("no miner is named {0}; see the list of miners, or add it to the configuration")]
    UnknownMiner(MinerName),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The way to the profiles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Profiles {
    store: Store,
    registry: Registry,
}

impl Profiles {
    /// Profiles for the miners of `registry`, kept in `store`.
    #[must_use]
    pub fn new(store: Store, registry: Registry) -> Self {
        Self { store, registry }
    }

    /// All profiles in order of their names.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self) -> Result<Vec<Profile>, ProfileError> {
        Ok(self.store.profiles().await?)
    }

    /// What all profiles come to for one miner.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn resolved(&self, miner: &MinerName) -> Result<Resolved, ProfileError> {
        let subject = self.subjects(self.store.own_fragments().await?).remove(miner);
        let subject = subject.ok_or_else(|| ProfileError::UnknownMiner(miner.clone()))?;
        let clash = |problem| ProfileError::Clash { miner: miner.clone(), problem };
        resolve(&subject, &self.store.profiles().await?).map_err(clash)
    }

    /// Stores or deletes a profile. Answers when that is on disk.
    ///
    /// # Errors
    /// See [`ProfileError`].
    ///
    /// # Cancel safety
    /// Safe: what has begun comes to its end.
    pub async fn write(&self, request: ProfileRequest) -> Result<ProfileOutcome, ProfileError> {
        let profiles = self.clone();
        regardless(async move { profiles.write_to_the_end(request).await }).await
    }

    async fn write_to_the_end(&self, request: ProfileRequest) -> Result<ProfileOutcome, ProfileError> {
        let ProfileRequest { name, content, etag, validate_only } = request;
        if let Some((.., fragment)) = &content {
            fragment.check().map_err(ProfileError::Invalid)?;
        }
        let mut write = self.store.write().await?;
        expect_etag(&etag, write.profile_etag(&name).await?)?;
        let before = write.profiles().await?;
        let known = before.iter().find(|profile| profile.name == name).cloned();
        let (etag, generation) =
            known.as_ref().map_or((String::new(), Generation(0)), |known| (known.etag.clone(), known.generation));
        let profile = content.map(|(selector, priority, fragment)| Profile {
            name: name.clone(),
            selector,
            priority,
            fragment,
            etag,
            generation,
        });
        if profile.is_none() && known.is_none() {
            return Err(ProfileError::Unknown(name));
        }
        let others = before.iter().filter(|other| other.name != name).cloned();
        let after: Vec<_> = others.chain(profile.clone()).collect();
        let subjects = self.subjects(write.own_fragments().await?);
        let affected = without_clash(affected(&before, &after, &subjects))?;
        if validate_only {
            return Ok(ProfileOutcome { profile, affected });
        }
        let profile = match profile {
            Some(profile) => Some(write.put_profile(&profile).await?),
            None => {
                write.delete_profile(&name).await?;
                None
            }
        };
        write.commit().await?;
        info!(profile.name = %name, deleted = profile.is_none(), miners = affected.len(), "profile stored");
        Ok(ProfileOutcome { profile, affected })
    }

    /// Stores what is wanted of one miner before all profiles; nothing said takes it away. Answers when it is on disk.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn write_own(
        &self,
        miner: &MinerName,
        fragment: Fragment,
        etag: &str,
    ) -> Result<OwnFragment, ProfileError> {
        fragment.check().map_err(ProfileError::Invalid)?;
        let mut write = self.store.write().await?;
        let mut own = write.own_fragments().await?;
        let current = own.get(miner).cloned().unwrap_or_default().etag;
        expect_etag(etag, current)?;
        own.insert(miner.clone(), OwnFragment { fragment: fragment.clone(), etag: String::new() });
        let subject = self.subjects(own).remove(miner).ok_or_else(|| ProfileError::UnknownMiner(miner.clone()))?;
        resolve(&subject, &write.profiles().await?)
            .map_err(|problem| ProfileError::Clash { miner: miner.clone(), problem })?;
        let own = write.put_own_fragment(miner, &fragment).await?;
        write.commit().await?;
        info!(miner.name = %miner, "override stored");
        Ok(own)
    }

    fn subjects(&self, mut own: BTreeMap<MinerName, OwnFragment>) -> BTreeMap<MinerName, Subject> {
        let subject = |miner: &std::sync::Arc<crate::registry::Miner>| {
            let own = own.remove(&miner.name).map(|own| own.fragment).unwrap_or_default();
            (miner.name.clone(), Subject { labels: miner.labels().as_ref().clone(), own })
        };
        self.registry.all().values().map(subject).collect()
    }
}

fn expect_etag(expected: &str, current: String) -> Result<(), ProfileError> {
    if expected.is_empty() || expected == current { Ok(()) } else { Err(ProfileError::EtagMismatch { current }) }
}

fn without_clash(affected: Vec<Affected>) -> Result<Vec<Affected>, ProfileError> {
    let clash = affected.iter().find_map(|one| Some((one.miner.clone(), one.problem.clone()?)));
    match clash {
        Some((miner, problem)) => Err(ProfileError::Clash { miner, problem }),
        None => Ok(affected),
    }
}

#[cfg(test)]
mod tests;
