//! Writing profiles: checked by what they mean for every miner, then stored together with what follows for them.
//!
//! A write that leaves any miner without an answer (a tie, or fields that do not go together) is refused whole.

use super::{
    Fragment, Profile,
    permit::{diff, permit, with_kept_passwords},
    resolve::{Affected, ResolveError, Resolved, affected, resolve},
};
use crate::{
    access::{Caller, Denied},
    event::Events,
    finish::regardless,
    registry::Registry,
    repeat::RequestKey,
    selector::Selector,
    spec::{Base, SpecError},
    store::{Store, StoreError},
};
use mujina_core::{
    id::{Generation, MinerName, ProfileName},
    spec::Problems,
};
use tokio::sync::watch;
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
    /// A repeat answers as the first did and does nothing.
    pub key: RequestKey,
    /// Only check and answer with what it means.
    pub validate_only: bool,
    /// Who asks.
    pub by: Caller,
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
    /// What follows for a miner cannot be.
    #[error("for miner {miner}: {why}")]
    Impossible {
        /// The first of them.
        miner: MinerName,
        /// Why not.
        why: String,
    },
    /// Somebody else wrote meanwhile.
    #[error("it changed since it was read (etag is now `{current}`); read it again and repeat")]
    EtagMismatch {
        /// The newest etag.
        current: String,
    },
    /// A rollout brings it.
    #[error("rollout {0} brings this profile; wait until it has ended, or abort it")]
    InRollout(String),
    /// The caller may not say this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Work would go where the payout guard does not allow it.
    #[error("{0}")]
    Payout(Problems),
    /// There is no such profile.
    #[error("no profile is named {0}; list the profiles to see those there are")]
    Unknown(ProfileName),
    /// There is no such miner.
    #[error("no miner is named {0}; see the list of miners, or add it to the configuration")]
    UnknownMiner(MinerName),
    /// What is wanted of one miner was refused.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What profiles come to for one miner.
#[derive(Debug)]
pub struct Resolution {
    /// What somebody says, or why nothing follows.
    pub resolved: Result<Resolved, ResolveError>,
    /// Whether the same is wanted of it now.
    pub is_stored: bool,
}

/// The way to the profiles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Profiles {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) events: Events,
    /// Counts rollouts that ended.
    pub(super) released: watch::Sender<u64>,
}

impl Profiles {
    /// Profiles for the miners of `registry`, kept in `store`.
    #[must_use]
    pub fn new(store: Store, registry: Registry, events: Events) -> Self {
        Self { store, registry, events, released: watch::Sender::new(0) }
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
    /// See [`ProfileError`]; that they come to nothing is an answer.
    pub async fn resolved(&self, name: &MinerName) -> Result<Resolution, ProfileError> {
        let miner = self.registry.get(name).ok_or_else(|| ProfileError::UnknownMiner(name.clone()))?;
        let subject = self.subjects(self.store.own_fragments().await?).remove(name);
        let subject = subject.ok_or_else(|| ProfileError::UnknownMiner(name.clone()))?;
        let resolved = resolve(&subject, &self.store.profiles().await?);
        let (confirmed, desired) = (miner.view().confirmed.clone(), miner.desired());
        let base = Base { desired: desired.as_deref().map(|desired| &desired.wanted), confirmed: confirmed.as_deref() };
        let is_stored = resolved.as_ref().is_ok_and(|resolved| matches!(resolved.to_store(&base), Ok(None)));
        Ok(Resolution { resolved, is_stored })
    }

    /// Stores or deletes a profile, with all that follows for the miners. Answers when that is on disk.
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
        let ProfileRequest { name, content, etag, key, validate_only, by } = request;
        let mut write = self.store.write().await?;
        let scope = format!("profile/{name}");
        if let Some(answer) = write.profile_answer(&scope, &key).await? {
            return Ok(answer);
        }
        let before = write.profiles().await?;
        let known = before.iter().find(|profile| profile.name == name).cloned();
        let content = content.map(|(selector, priority, fragment)| {
            (selector, priority, with_kept_passwords(fragment, known.as_ref().map(|known| &known.fragment)))
        });
        if let Some((.., fragment)) = &content {
            fragment.check().map_err(ProfileError::Invalid)?;
        }
        expect_etag(&etag, write.profile_etag(&name).await?)?;
        if let Some(rollout) = write.rollout_of_profile(&name).await? {
            return Err(ProfileError::InRollout(rollout));
        }
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
        let guard = write.payout_list().await?.guard;
        permit(&by, known.as_ref(), profile.as_ref(), &affected, &guard)?;
        let followed = self.follow(&mut write, &after, &subjects).await?;
        let is_new = |miner: &MinerName| affected.iter().any(|one| one.miner == *miner);
        if let Some((miner, why)) = followed.clash().filter(|(miner, _)| is_new(miner)) {
            return Err(ProfileError::Impossible { miner: miner.clone(), why: why.clone() });
        }
        if validate_only {
            // Dropping the changes undoes them.
            return Ok(ProfileOutcome { profile, affected });
        }
        let diff = diff(known.as_ref(), profile.as_ref(), affected.len());
        let profile = match profile {
            Some(profile) => Some(write.put_profile(&profile).await?),
            None => {
                write.delete_profile(&name).await?;
                None
            }
        };
        let outcome = ProfileOutcome { profile, affected };
        write.remember_profile(&scope, &key, &outcome).await?;
        write.append_audit(by.record(format!("profile {name}"), diff)).await?;
        write.commit().await?;
        followed.publish();
        if !followed.later.is_empty() {
            // Of those nothing is known yet: they follow when they are first reached.
            self.look_again();
        }
        let (deleted, miners) = (outcome.profile.is_none(), followed.count());
        info!(profile.name = %name, deleted, miners, "profile stored");
        Ok(outcome)
    }
}

pub(super) fn expect_etag(expected: &str, current: String) -> Result<(), ProfileError> {
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
