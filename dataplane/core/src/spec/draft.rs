//! A spec as it arrives from outside, and the one check that turns it into a [`MinerSpec`].

use super::{BoardTuningDraft, MAX_GROUPS, MAX_POOLS, MinerSpec, Problem, Problems, boards};
use crate::{
    id::{GroupName, PoolName},
    pool::{DEFAULT_QUOTA, PoolEndpoint, PoolGroup, PoolOptionsDraft, PoolSpec, PoolStrategy},
    text::Secret,
    units::HashRate,
};
use std::{
    collections::{BTreeMap, HashSet},
    num::NonZeroU32,
};

/// Greatest quota: parts of a million are finer than any split that is asked for.
const MAX_QUOTA: u32 = 1_000_000;
/// Longest user identity in bytes: `STR0_255` of Stratum V2.
const MAX_USER: usize = 255;

/// An unchecked spec.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpecDraft {
    /// In order of preference.
    pub pool_groups: Vec<GroupDraft>,
    /// No hashing.
    pub paused: bool,
    /// By board id or by model.
    pub boards: BTreeMap<String, BoardTuningDraft>,
}

/// An unchecked group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDraft {
    /// Should be a [`GroupName`].
    pub name: String,
    /// `None` when it was not said or is not known.
    pub strategy: Option<PoolStrategy>,
    /// In order of preference.
    pub pools: Vec<PoolDraft>,
}

/// An unchecked pool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolDraft {
    /// Should be a [`PoolName`].
    pub name: String,
    /// Should be a [`PoolEndpoint`].
    pub url: String,
    /// Should be 1 to 255 bytes.
    pub user: String,
    /// `None` keeps what a pool of the same name and URL has; empty clears it.
    pub password: Option<Secret>,
    /// Should be finite and positive; hashes per second.
    pub nominal_hash_rate_hps: Option<f64>,
    /// Should be at most a million; 0 = not said.
    pub quota: u32,
    /// Should check out.
    pub options: PoolOptionsDraft,
}

impl SpecDraft {
    /// Checks everything and reports all problems at once. Passwords that were not said are taken from `previous`.
    pub fn check(self, previous: Option<&MinerSpec>) -> Result<MinerSpec, Problems> {
        let mut check = Check { previous, problems: Vec::new(), names: HashSet::new() };
        let Self { pool_groups, paused, boards } = self;
        if pool_groups.len() > MAX_GROUPS {
            check.refuse("pool_groups", format!("{} groups; use at most {MAX_GROUPS}", pool_groups.len()));
        }
        let pools: usize = pool_groups.iter().map(|group| group.pools.len()).sum();
        if pools > MAX_POOLS {
            check.refuse("pool_groups", format!("{pools} pools; use at most {MAX_POOLS}"));
        }
        let mut seen = HashSet::new();
        let groups: Vec<_> =
            pool_groups.into_iter().enumerate().filter_map(|(i, group)| check.group(i, group, &mut seen)).collect();
        let boards = boards::check(boards, &mut |problem| check.problems.push(problem));
        if check.problems.is_empty() {
            Ok(MinerSpec { pool_groups: groups, paused, boards })
        } else {
            Err(Problems(check.problems))
        }
    }
}

struct Check<'a> {
    previous: Option<&'a MinerSpec>,
    problems: Vec<Problem>,
    names: HashSet<String>,
}

impl Check<'_> {
    fn refuse(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem { field: field.into(), reason: reason.into() });
    }

    /// The value, or a problem noted.
    fn take<T, E: ToString>(&mut self, field: String, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.refuse(field, error.to_string())).ok()
    }

    fn group(&mut self, index: usize, draft: GroupDraft, seen: &mut HashSet<String>) -> Option<PoolGroup> {
        let GroupDraft { name, strategy, pools } = draft;
        let path = format!("pool_groups[{}]", if name.is_empty() { index.to_string() } else { name.clone() });
        if !seen.insert(name.clone()) {
            self.refuse(format!("{path}.name"), "is used twice; give every group a name of its own");
        }
        let name = self.take::<GroupName, _>(format!("{path}.name"), name.parse());
        if strategy.is_none() {
            self.refuse(format!("{path}.strategy"), "is not given or not known; use FAILOVER or QUOTA");
        }
        if pools.is_empty() {
            self.refuse(format!("{path}.pools"), "is empty; add a pool or leave the group out");
        }
        let pools = pools
            .into_iter()
            .enumerate()
            .filter_map(|(i, pool)| self.pool(&path, strategy, i, pool))
            .collect::<Vec<_>>();
        Some(PoolGroup { name: name?, strategy: strategy?, pools })
    }

    fn pool(
        &mut self,
        group: &str,
        strategy: Option<PoolStrategy>,
        index: usize,
        draft: PoolDraft,
    ) -> Option<PoolSpec> {
        let PoolDraft { name, url, user, password, nominal_hash_rate_hps, quota, options } = draft;
        let path = format!("{group}.pools[{}]", if name.is_empty() { index.to_string() } else { name.clone() });
        if !self.names.insert(name.clone()) {
            self.refuse(format!("{path}.name"), "is used twice; give every pool a name of its own");
        }
        let name = self.take::<PoolName, _>(format!("{path}.name"), name.parse());
        let endpoint = self.take::<PoolEndpoint, _>(format!("{path}.url"), url.parse());
        let user = self.take(format!("{path}.user"), check_user(user));
        let rate =
            nominal_hash_rate_hps.map(|rate| self.take(format!("{path}.nominal_hash_rate_hps"), check_rate(rate)));
        let quota = self.take(format!("{path}.quota"), check_quota(quota, strategy));
        let options = options.check().map_err(|problems| {
            for (field, reason) in problems {
                self.refuse(format!("{path}.options.{field}"), reason);
            }
        });
        let (name, endpoint) = (name?, endpoint?);
        let password = match password {
            Some(secret) => Some(secret).filter(|secret| !secret.is_empty()),
            None => self
                .previous
                .and_then(|spec| spec.pools().find(|pool| pool.name == name && pool.endpoint == endpoint))
                .and_then(|pool| pool.password.clone()),
        };
        let nominal_hash_rate = match rate {
            Some(checked) => Some(checked?),
            None => None,
        };
        let options = options.ok()?;
        Some(PoolSpec { name, endpoint, user: user?, password, nominal_hash_rate, quota: quota?, options })
    }
}

fn check_user(user: String) -> Result<String, String> {
    if user.is_empty() {
        Err("is empty; give the account or payout address that the pool knows".into())
    } else if user.len() > MAX_USER {
        Err(format!("has {} bytes; use at most {MAX_USER}", user.len()))
    } else if let Some(control) = user.chars().find(|c| c.is_control()) {
        Err(format!("contains the control character {control:?}; remove it"))
    } else {
        Ok(user)
    }
}

fn check_quota(quota: u32, strategy: Option<PoolStrategy>) -> Result<NonZeroU32, String> {
    if quota > MAX_QUOTA {
        return Err(format!("is {quota}; use at most {MAX_QUOTA}"));
    }
    let quota = NonZeroU32::new(quota).unwrap_or(DEFAULT_QUOTA);
    if quota != DEFAULT_QUOTA && strategy == Some(PoolStrategy::Failover) {
        return Err("has no effect in a FAILOVER group; leave it out or let the group's strategy be QUOTA".into());
    }
    Ok(quota)
}

fn check_rate(rate: f64) -> Result<HashRate, String> {
    if rate.is_finite() && rate > 0.0 {
        Ok(HashRate::from_hashes_per_second(rate))
    } else {
        Err(format!("is {rate}; use a positive number of hashes per second or leave it out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

    fn draft(pools: Vec<PoolDraft>) -> SpecDraft {
        let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools };
        SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }
    }

    fn pool(name: &str) -> PoolDraft {
        PoolDraft { name: name.into(), url: URL.into(), user: "alice".into(), ..Default::default() }
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_fields() {
        let bad = PoolDraft {
            name: "Bad".into(),
            url: "stratum://x".into(),
            nominal_hash_rate_hps: Some(f64::NAN),
            ..Default::default()
        };
        let Problems(problems) = draft(vec![pool("a"), pool("a"), bad]).check(None).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "pool_groups[main].pools[a].name",
                "pool_groups[main].pools[Bad].name",
                "pool_groups[main].pools[Bad].url",
                "pool_groups[main].pools[Bad].user",
                "pool_groups[main].pools[Bad].nominal_hash_rate_hps",
            ]
        );
    }

    #[test]
    fn quota_counts_in_a_quota_group_alone_and_options_are_checked() {
        let weighty = PoolDraft { quota: 3, ..pool("a") };
        let Problems(problems) = draft(vec![weighty.clone()]).check(None).unwrap_err();
        assert_eq!(problems[0].field, "pool_groups[main].pools[a].quota");
        let mut shared = draft(vec![weighty, pool("b")]);
        shared.pool_groups[0].strategy = Some(PoolStrategy::Quota);
        let spec = shared.check(None).unwrap();
        assert_eq!(spec.pools().map(|pool| pool.quota.get()).collect::<Vec<_>>(), [3, 1]);
        let options = PoolOptionsDraft { tls_pins: vec!["x".into()], ..PoolOptionsDraft::default() };
        let Problems(problems) = draft(vec![PoolDraft { options, ..pool("a") }]).check(None).unwrap_err();
        assert_eq!(problems[0].field, "pool_groups[main].pools[a].options.tls_pins");
    }

    #[test]
    fn a_password_that_is_not_said_is_kept_and_an_empty_one_clears_it() {
        let with =
            |password: Option<&str>| draft(vec![PoolDraft { password: password.map(Secret::from), ..pool("a") }]);
        let first = with(Some("x")).check(None).unwrap();
        let kept = with(None).check(Some(&first)).unwrap();
        assert_eq!(kept, first);
        let cleared = with(Some("")).check(Some(&first)).unwrap();
        assert_eq!(cleared.pools().next().unwrap().password, None);
    }

    #[test]
    fn a_password_does_not_follow_a_pool_to_another_url() {
        let first = draft(vec![PoolDraft { password: Some(Secret::from("x")), ..pool("a") }]).check(None).unwrap();
        let moved = PoolDraft { url: URL.replace("pool.example", "other.example"), ..pool("a") };
        let spec = draft(vec![moved]).check(Some(&first)).unwrap();
        assert_eq!(spec.pools().next().unwrap().password, None);
    }
}
