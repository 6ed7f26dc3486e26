//! Answers to writes of profiles that may be asked for again.

use super::{StoreError, Write, fragment::StoredFragment};
use crate::{
    profile::{Profile, ProfileOutcome, resolve::Affected},
    repeat::RequestKey,
};
use mujina_core::{id::Generation, spec::SpecChange};
use serde::{Deserialize, Serialize};

/// Path, before and after of each change of a miner.
type Changes = Vec<(String, String, String)>;

/// What a repeated write is answered from.
#[derive(Serialize, Deserialize)]
struct Remembered {
    profile: Option<RememberedProfile>,
    effects: Vec<(String, Changes)>,
}

#[derive(Serialize, Deserialize)]
struct RememberedProfile {
    name: String,
    selector: String,
    priority: i32,
    fragment: StoredFragment,
    etag: String,
    generation: u64,
}

impl From<&Profile> for RememberedProfile {
    fn from(profile: &Profile) -> Self {
        let Profile { name, selector, priority, fragment, etag, generation } = profile;
        Self {
            name: name.to_string(),
            selector: selector.to_string(),
            priority: *priority,
            fragment: fragment.into(),
            etag: etag.clone(),
            generation: generation.0,
        }
    }
}

impl RememberedProfile {
    fn into_profile(self) -> Option<Profile> {
        let Self { name, selector, priority, fragment, etag, generation } = self;
        let (name, selector) = (name.parse().ok()?, selector.parse().ok()?);
        Some(Profile { name, selector, priority, fragment: fragment.into(), etag, generation: Generation(generation) })
    }
}

/// A profile as text that reads back as the same, passwords included.
pub(super) fn write_profile(profile: &Profile) -> Result<String, StoreError> {
    serde_json::to_string(&RememberedProfile::from(profile)).map_err(|_| StoreError::corrupt("a profile"))
}

/// The profile that [`write_profile`] wrote.
pub(super) fn read_profile(text: &str) -> Result<Profile, StoreError> {
    let read: Option<RememberedProfile> = serde_json::from_str(text).ok();
    read.and_then(RememberedProfile::into_profile).ok_or_else(|| StoreError::corrupt("a profile"))
}

impl Write {
    /// What a write of a profile was answered with, if it was made before.
    pub(crate) async fn profile_answer(
        &mut self,
        scope: &str,
        key: &RequestKey,
    ) -> Result<Option<ProfileOutcome>, StoreError> {
        let Some(answer) = self.answer(scope, key).await? else { return Ok(None) };
        let bad = || StoreError::corrupt("an answer");
        let Remembered { profile, effects } = serde_json::from_str(&answer).map_err(|_| bad())?;
        let profile = match profile {
            Some(profile) => Some(profile.into_profile().ok_or_else(bad)?),
            None => None,
        };
        let mut affected = Vec::new();
        for (miner, changes) in effects {
            let changes = changes.into_iter().map(|(path, before, after)| SpecChange { path, before, after }).collect();
            let miner = miner.parse().map_err(|_| bad())?;
            affected.push(Affected { miner, changes, let_go: Vec::new(), problem: None });
        }
        Ok(Some(ProfileOutcome { profile, affected }))
    }

    /// Remembers what a write of a profile was answered with.
    pub(crate) async fn remember_profile(
        &mut self,
        scope: &str,
        key: &RequestKey,
        outcome: &ProfileOutcome,
    ) -> Result<(), StoreError> {
        let ProfileOutcome { profile, affected } = outcome;
        let effect = |one: &Affected| {
            let changes = one.changes.iter();
            let changes = changes.map(|one| (one.path.clone(), one.before.clone(), one.after.clone())).collect();
            (one.miner.to_string(), changes)
        };
        let profile = profile.as_ref().map(RememberedProfile::from);
        let answer = Remembered { profile, effects: affected.iter().map(effect).collect() };
        let answer = serde_json::to_string(&answer).map_err(|_| StoreError::corrupt("an answer"))?;
        self.remember(scope, key, &answer).await
    }
}
