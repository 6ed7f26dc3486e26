//! What a write of a profile needs, as it is compared with what is there, and as it is written down. Pure.

use super::{Fragment, Profile, ProfileError, fragment::Field, resolve::Affected};
use crate::{
    access::{
        Caller, Permission,
        content::of_changes,
        payout::{self, PayoutGuard},
    },
    audit,
};
use mujina_core::{
    spec::{MinerSpec, PoolDraft, Problems, SpecChange},
    text::Secret,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Whether `by` may make this change: all that it says otherwise than before, for every miner that there is or will be, and
/// all that follows now. Answers with what it takes.
pub(crate) fn permit(
    by: &Caller,
    before: Option<&Profile>,
    after: Option<&Profile>,
    affected: &[Affected],
    guard: &PayoutGuard,
) -> Result<BTreeSet<Permission>, ProfileError> {
    let mut changes = said_otherwise(before, after);
    changes.extend(affected.iter().flat_map(|one| one.changes.iter().cloned()));
    let needs = of_changes(&changes, guard);
    for permission in &needs {
        by.may(*permission, None)?;
    }
    let spec = after.and_then(|profile| profile.fragment.draft().check(None).ok()).unwrap_or_default();
    let problems: Vec<_> = payout::check(&spec, guard).into_iter().map(Into::into).collect();
    if problems.is_empty() { Ok(needs) } else { Err(ProfileError::Payout(Problems(problems))) }
}

/// Every field that is said now and was not, or the other way; all of them where the profile is for others than before, or
/// counts otherwise.
fn said_otherwise(before: Option<&Profile>, after: Option<&Profile>) -> Vec<SpecChange> {
    let fields = |profile: Option<&Profile>| -> BTreeMap<String, Field> {
        profile.into_iter().flat_map(|profile| profile.fragment.fields()).collect()
    };
    let (old, new) = (fields(before), fields(after));
    let is_moved = match (before, after) {
        (Some(before), Some(after)) => before.selector != after.selector || before.priority != after.priority,
        _ => true,
    };
    let paths = old.keys().chain(new.keys()).filter(|path| is_moved || old.get(*path) != new.get(*path));
    paths.map(|path| SpecChange { path: path.clone(), before: String::new(), after: String::new() }).collect()
}

/// What the log says of it.
pub(super) fn diff(before: Option<&Profile>, after: Option<&Profile>, miners: usize) -> Value {
    let spec = |profile: Option<&Profile>| -> MinerSpec {
        profile.and_then(|profile| profile.fragment.draft().check(None).ok()).unwrap_or_default()
    };
    let rule = |profile: Option<&Profile>| match profile {
        Some(profile) => {
            let said: Vec<_> = profile.fragment.fields().into_iter().map(|(path, _)| path).collect();
            json!({ "selector": profile.selector.to_string(), "priority": profile.priority, "says": said })
        }
        None => Value::Null,
    };
    json!({
        "rule": audit::between(&rule(before), &rule(after)),
        "spec": audit::of_changes(&spec(before).diff(&spec(after))),
        "miners": miners,
    })
}

/// Passwords that are not said are those that a pool of the same name and URL had.
pub(crate) fn with_kept_passwords(mut fragment: Fragment, before: Option<&Fragment>) -> Fragment {
    let known: Vec<&PoolDraft> = before
        .and_then(|before| before.pool_groups.as_ref())
        .into_iter()
        .flatten()
        .flat_map(|group| &group.pools)
        .collect();
    for pool in fragment.pool_groups.iter_mut().flatten().flat_map(|group| &mut group.pools) {
        if pool.password.is_none() {
            let same = known.iter().find(|one| one.name == pool.name && one.url == pool.url);
            pool.password = same.and_then(|same| same.password.clone()).filter(|kept: &Secret| !kept.is_empty());
        }
    }
    fragment
}
