//! Makes a whole desired state of a change and what it is a change of. Pure.
//!
//! Passwords need care: what a miner confirms shows only whether one is set. A password that a change does not say is
//! taken from the stored desired state; where that does not know it either, it is *left to the miner*, which keeps what a
//! pool of the same name and URL has.

use super::SpecParts;
use crate::reconcile::Confirmed;
use mujina_core::{
    id::PoolName,
    pool::{PoolGroup, PoolSpec, PoolStrategy},
    spec::{GroupDraft, MinerSpec, PoolDraft, Problems, SpecChange, SpecDraft},
    text::Secret,
    units::HashRate,
};
use std::collections::{BTreeMap, HashSet};

/// Stand for passwords that only the miner knows while drafts are checked and differences shown; never stored or sent.
const KEPT: &str = "\u{0}kept on the miner";
const UNKNOWN: &str = "\u{0}whatever the miner has";

/// A spec that is wanted, and the passwords in it that only the miner knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WantedSpec {
    /// The spec; pools in `left_to_miner` have no password here.
    pub spec: MinerSpec,
    /// Pools whose password is not sent, so that the miner keeps its own.
    pub left_to_miner: BTreeMap<PoolName, Left>,
}

/// What is known of a password that is left to the miner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The miner had one when it was asked last.
    Kept,
    /// The miner was never asked.
    Unknown,
}

impl WantedSpec {
    /// What changes on the way to `after`. Passwords show as `***`.
    #[must_use]
    pub fn diff(&self, after: &Self) -> Vec<SpecChange> {
        self.marked(|_| KEPT).diff(&after.marked(|_| KEPT))
    }

    /// As a draft that says all of it; passwords that are left to the miner are not said.
    #[must_use]
    pub fn draft(&self) -> SpecDraft {
        let MinerSpec { pool_groups, paused, boards } = &self.spec;
        let pool = |pool: &PoolSpec, strategy| {
            let PoolSpec { name, endpoint, user, password, nominal_hash_rate, quota, options } = pool;
            let said = || password.clone().unwrap_or_else(|| Secret::from(""));
            PoolDraft {
                name: name.to_string(),
                url: endpoint.to_string(),
                user: user.clone(),
                password: (!self.left_to_miner.contains_key(name)).then(said),
                nominal_hash_rate_hps: nominal_hash_rate.map(HashRate::hashes_per_second),
                quota: if strategy == PoolStrategy::Quota { quota.get() } else { 0 },
                options: options.into(),
            }
        };
        let group = |group: &PoolGroup| {
            let PoolGroup { name, strategy, pools } = group;
            let pools = pools.iter().map(|one| pool(one, *strategy)).collect();
            GroupDraft { name: name.to_string(), strategy: Some(*strategy), pools }
        };
        SpecDraft {
            pool_groups: pool_groups.iter().map(group).collect(),
            paused: *paused,
            boards: boards.iter().map(|(name, tuning)| (name.clone(), tuning.into())).collect(),
        }
    }

    /// With these parts as `other` has them, its passwords included.
    #[must_use]
    pub fn with(self, parts: SpecParts, other: &Self) -> Self {
        let (mine, theirs) = (self.spec, &other.spec);
        let pool_groups = if parts.pool_groups { theirs.pool_groups.clone() } else { mine.pool_groups };
        let boards = if parts.boards { theirs.boards.clone() } else { mine.boards };
        let paused = if parts.paused { theirs.paused } else { mine.paused };
        let left_to_miner = if parts.pool_groups { other.left_to_miner.clone() } else { self.left_to_miner };
        Self { spec: MinerSpec { pool_groups, paused, boards }, left_to_miner }
    }

    /// The spec with a stand-in for each password that is left to the miner.
    fn marked(&self, mark: impl Fn(Left) -> &'static str) -> MinerSpec {
        let mut spec = self.spec.clone();
        for pool in spec.pool_groups.iter_mut().flat_map(|group| &mut group.pools) {
            if let Some(left) = self.left_to_miner.get(&pool.name) {
                pool.password = Some(Secret::from(mark(*left)));
            }
        }
        spec
    }

    /// Takes the stand-ins out again.
    fn unmarked(mut spec: MinerSpec) -> Self {
        let mut left_to_miner = BTreeMap::new();
        for pool in spec.pool_groups.iter_mut().flat_map(|group| &mut group.pools) {
            let left = match pool.password.as_ref().map(Secret::expose) {
                Some(KEPT) => Left::Kept,
                Some(UNKNOWN) => Left::Unknown,
                _ => continue,
            };
            pool.password = None;
            left_to_miner.insert(pool.name.clone(), left);
        }
        Self { spec, left_to_miner }
    }
}

/// What a change is a change of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Base<'a> {
    /// The stored desired state.
    pub desired: Option<&'a WantedSpec>,
    /// What the miner confirmed last.
    pub confirmed: Option<&'a Confirmed>,
}

impl Base<'_> {
    /// The stored desired state, else what the miner confirmed, else nothing.
    #[must_use]
    pub fn wanted(&self) -> Option<WantedSpec> {
        self.desired.cloned().or_else(|| self.confirmed.and_then(confirmed_as_wanted))
    }

    /// What unsaid passwords are looked up in: the first pool of the same name and URL counts.
    fn passwords(&self) -> MinerSpec {
        let mark = |left| match left {
            Left::Kept => KEPT,
            Left::Unknown => UNKNOWN,
        };
        let mut all = self.desired.map(|desired| desired.marked(mark)).unwrap_or_default();
        if let Some(confirmed) = self.confirmed.and_then(confirmed_as_wanted) {
            all.pool_groups.extend(confirmed.marked(mark).pool_groups);
        }
        all
    }
}

fn confirmed_as_wanted(confirmed: &Confirmed) -> Option<WantedSpec> {
    let left = confirmed.passwords_set.iter().map(|name| (name.clone(), Left::Kept)).collect();
    confirmed.spec.clone().map(|spec| WantedSpec { spec, left_to_miner: left })
}

/// Why there is no whole desired state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Fields that do not check out.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// The change speaks of some parts only, and there is nothing to take the others from.
    #[error("nothing is known of the parts that were not given; write the whole spec")]
    NoBase,
}

/// Makes a whole desired state; only the parts that are spoken of are checked.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(draft: SpecDraft, parts: SpecParts, base: &Base<'_>) -> Result<WantedSpec, MergeError> {
    let mut wanted = match base.wanted() {
        Some(wanted) => wanted,
        None if parts == SpecParts::ALL => WantedSpec::default(),
        None => return Err(MergeError::NoBase),
    };
    let SpecDraft { pool_groups, paused, boards } = draft;
    let boards =
        if parts.boards { SpecDraft { boards, ..SpecDraft::default() }.check(None) } else { Ok(MinerSpec::default()) };
    if parts.pool_groups {
        let unsaid: HashSet<_> = pool_groups
            .iter()
            .flat_map(|group| &group.pools)
            .filter(|pool| pool.password.is_none())
            .map(|pool| pool.name.clone())
            .collect();
        let known = base.passwords();
        let draft = SpecDraft { pool_groups, paused: wanted.spec.paused, ..SpecDraft::default() };
        // What is wrong with the pools and with the boards is said at once.
        let spec = match (draft.check(Some(&known)), &boards) {
            (Err(Problems(mut problems)), Err(Problems(more))) => {
                problems.extend(more.clone());
                return Err(Problems(problems).into());
            }
            (checked, _) => MinerSpec { boards: wanted.spec.boards, ..checked? },
        };
        wanted = WantedSpec::unmarked(spec);
        if base.confirmed.is_none() {
            let is_known =
                |pool: &PoolSpec| known.pools().any(|one| one.name == pool.name && one.endpoint == pool.endpoint);
            let strangers = wanted.spec.pools().filter(|pool| unsaid.contains(pool.name.as_str()) && !is_known(pool));
            let strangers: Vec<_> = strangers.map(|pool| (pool.name.clone(), Left::Unknown)).collect();
            wanted.left_to_miner.extend(strangers);
        }
    }
    if parts.paused {
        wanted.spec.paused = paused;
    }
    let boards = boards?.boards;
    if parts.boards {
        wanted.spec.boards = boards;
    }
    Ok(wanted)
}

/// Whether two specs are the same but for passwords.
#[must_use]
pub(crate) fn same_but_passwords(one: &MinerSpec, other: &MinerSpec) -> bool {
    let bare = |spec: &MinerSpec| {
        let groups = spec.pool_groups.iter().map(|group| {
            let PoolGroup { name, strategy, pools } = group;
            let strategy: PoolStrategy = *strategy;
            let pools = pools.iter().map(|pool| PoolSpec { password: None, ..pool.clone() }).collect();
            PoolGroup { name: name.clone(), strategy, pools }
        });
        let MinerSpec { pool_groups: _, paused, boards } = spec;
        MinerSpec { pool_groups: groups.collect(), paused: *paused, boards: boards.clone() }
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests;
