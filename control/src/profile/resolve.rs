//! What all profiles together want of a miner, with where each field came from. Pure.

use super::{Fragment, Profile, fragment::Field};
use crate::spec::{Base, MergeError, SpecParts, WantedSpec, merge};
use mujina_core::{
    id::{MinerName, ProfileName},
    spec::{MinerSpec, Problem, SpecChange, SpecDraft},
};
use std::{collections::BTreeMap, fmt};

/// What profiles are resolved for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subject {
    /// The miner's labels.
    pub labels: BTreeMap<String, String>,
    /// What is wanted of this miner alone; comes before every profile.
    pub own: Fragment,
}

/// What is wanted of a miner.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The spec, checked; parts that nobody says are empty here and must be left as they are: see `parts`.
    pub spec: MinerSpec,
    /// The same unchecked, as a change of a desired state takes it: passwords that nobody says are still unsaid.
    pub draft: SpecDraft,
    /// The parts that somebody says.
    pub parts: SpecParts,
    /// Where each field that is said came from, by path: `pool_groups`, `paused`, `boards[NAME].mode` and so on.
    pub provenance: BTreeMap<String, Source>,
}

impl Resolved {
    /// What to store for a miner of which `base` is known; `None` when nothing is to be stored, because what is wanted of it
    /// says all this already. Asking this of every miner, at every start and after every write, makes profiles true
    /// however far the last attempt came.
    ///
    /// # Errors
    /// Some parts are said, and nothing is known to take the others from.
    pub fn to_store(&self, base: &Base<'_>) -> Result<Option<WantedSpec>, MergeError> {
        if self.parts == SpecParts::NONE {
            return Ok(None);
        }
        let wanted = merge(self.draft.clone(), self.parts, base)?;
        let is_there = base.desired.is_some_and(|desired| desired.diff(&wanted).is_empty());
        Ok((!is_there).then_some(wanted))
    }
}

/// Where a field came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// What is wanted of the miner itself.
    Own,
    /// A profile.
    Profile(ProfileName),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("the miner's own override"),
            Self::Profile(name) => write!(f, "profile {name}"),
        }
    }
}

/// Why nothing follows from the profiles of a miner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nobody can tell which of two profiles to follow.
    #[error(
        "profiles {first} and {second} both say {field} with priority {priority}; give one a higher priority, or let only one select the miner"
    )]
    Tie {
        /// The field.
        field: String,
        /// One of them, the first by name.
        first: ProfileName,
        /// The other.
        second: ProfileName,
        /// Of both.
        priority: i32,
    },
    /// What they say together does not check out.
    #[error("{}", said(.0))]
    Invalid(Vec<Blamed>),
}

/// A problem and who is to blame for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blamed {
    /// What is wrong.
    pub problem: Problem,
    /// Who said the fields that it is about.
    pub sources: Vec<Source>,
}

fn said(blamed: &[Blamed]) -> String {
    let one = |Blamed { problem: Problem { field, reason }, sources }: &Blamed| {
        let sources: Vec<_> = sources.iter().map(ToString::to_string).collect();
        format!("{field}: {reason} (from {})", sources.join(" and "))
    };
    blamed.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What `profiles` and what is wanted of the miner itself come to. The order of the profiles does not matter.
///
/// Two profiles of the same priority are fine as long as they say different fields.
///
/// # Errors
/// See [`ResolveError`].
pub fn resolve(subject: &Subject, profiles: &[Profile]) -> Result<Resolved, ResolveError> {
    let mut bound: Vec<_> = profiles.iter().filter(|profile| profile.selector.matches(&subject.labels)).collect();
    bound.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    let mut fields: BTreeMap<String, (Field, Option<&Profile>)> = BTreeMap::new();
    let mut ties = BTreeMap::new();
    for profile in bound {
        for (path, field) in profile.fragment.fields() {
            ties.remove(&path);
            if let Some((_, Some(other))) = fields.get(&path)
                && other.priority == profile.priority
            {
                ties.insert(path.clone(), (other.name.clone(), profile.name.clone(), profile.priority));
            }
            fields.insert(path, (field, Some(profile)));
        }
    }
    for (path, field) in subject.own.fields() {
        ties.remove(&path);
        fields.insert(path, (field, None));
    }
    if let Some((field, (first, second, priority))) = ties.pop_first() {
        return Err(ResolveError::Tie { field, first, second, priority });
    }
    let mut together = Fragment::default();
    let mut provenance = BTreeMap::new();
    for (path, (field, profile)) in fields {
        together.say(field);
        provenance.insert(path, profile.map_or(Source::Own, |profile| Source::Profile(profile.name.clone())));
    }
    let draft = together.draft();
    match draft.clone().check(None) {
        Ok(spec) => Ok(Resolved { spec, draft, parts: together.parts(), provenance }),
        Err(problems) => {
            let blame = |problem: Problem| Blamed { sources: sources(&problem.field, &provenance), problem };
            Err(ResolveError::Invalid(problems.0.into_iter().map(blame).collect()))
        }
    }
}

/// Who said the field that a problem names: whoever said the field itself or what it is within, else whoever said
/// something within it.
fn sources(field: &str, provenance: &BTreeMap<String, Source>) -> Vec<Source> {
    // The three kinds of set points share the place of the mode.
    let place = [".fixed.frequency_megahertz", ".fixed.voltage_volts", ".power_watts", ".hash_rate_hps"]
        .iter()
        .find_map(|end| field.strip_suffix(end).filter(|board| board.starts_with("boards[")))
        .map_or_else(|| field.to_owned(), |board| format!("{board}.mode"));
    let is_within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let above = provenance.iter().filter(|(path, _)| is_within(&place, path)).max_by_key(|(path, _)| path.len());
    let mut found: Vec<_> = match above {
        Some((_, source)) => vec![source.clone()],
        None => {
            provenance.iter().filter(|(path, _)| is_within(path, &place)).map(|(_, source)| source.clone()).collect()
        }
    };
    // A soft limit is wrong by the hard one that it is compared with.
    if place.contains(".soft_limits_celsius[") {
        found.extend(provenance.get(&place.replace(".soft_limits_celsius[", ".hard_limits_celsius[")).cloned());
    }
    found.sort();
    found.dedup();
    found
}

/// What a change of the profiles means for one miner.
#[derive(Debug, Clone, PartialEq)]
pub struct Affected {
    /// Which.
    pub miner: MinerName,
    /// What changes of what is wanted of it; passwords show as `***`.
    pub changes: Vec<SpecChange>,
    /// Fields that were said and are not said any more. Their values stay as they are until somebody says others.
    pub let_go: Vec<String>,
    /// Why nothing follows from the profiles afterwards.
    pub problem: Option<ResolveError>,
}

/// The miners whose resolved spec changes on the way from `before` to `after`: the preview of a change, and the targets of
/// its rollout. A write of which any miner has a problem should be refused.
#[must_use]
pub fn affected(before: &[Profile], after: &[Profile], miners: &BTreeMap<MinerName, Subject>) -> Vec<Affected> {
    let one = |(miner, subject): (&MinerName, &Subject)| {
        let old = resolve(subject, before).ok();
        let new = match resolve(subject, after) {
            Ok(new) => new,
            Err(problem) => {
                let (miner, changes, let_go) = (miner.clone(), Vec::new(), Vec::new());
                return Some(Affected { miner, changes, let_go, problem: Some(problem) });
            }
        };
        let said_before = old.as_ref().map(|old| &old.provenance);
        let let_go: Vec<_> = said_before
            .into_iter()
            .flat_map(|said| said.keys())
            .filter(|path| !new.provenance.contains_key(*path))
            .cloned()
            .collect();
        let changes = changes(old.as_ref(), &new);
        (!changes.is_empty() || !let_go.is_empty()).then(|| Affected {
            miner: miner.clone(),
            changes,
            let_go,
            problem: None,
        })
    };
    miners.iter().filter_map(one).collect()
}

/// What changes of the parts that are said afterwards; the first word on a part is a change of all of it.
fn changes(old: Option<&Resolved>, new: &Resolved) -> Vec<SpecChange> {
    let nothing = MinerSpec::default();
    let before = old.map_or(&nothing, |old| &old.spec);
    // A password that is not said any more is kept, if the pool is the same.
    let kept = new.draft.clone().check(Some(before)).unwrap_or_else(|_| new.spec.clone());
    let is_said = |path: &str| match path.split(['.', '[']).next() {
        Some("pool_groups") => new.parts.pool_groups,
        Some("boards") => new.parts.boards,
        _ => new.parts.paused,
    };
    let mut changes: Vec<_> = before.diff(&kept).into_iter().filter(|change| is_said(&change.path)).collect();
    let is_first_word = new.parts.paused && !old.is_some_and(|old| old.parts.paused);
    if is_first_word && !changes.iter().any(|change| change.path == "paused") {
        let (path, before, after) = ("paused".into(), String::new(), kept.paused.to_string());
        changes.push(SpecChange { path, before, after });
        changes.sort_by(|a, b| a.path.cmp(&b.path));
    }
    changes
}

#[cfg(test)]
mod tests;
