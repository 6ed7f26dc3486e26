//! What differs between two specs, for people: secrets masked.

use super::{BoardTuningDraft, MinerSpec, TuningModeDraft};
use crate::pool::{PoolGroup, PoolOptions, PoolOptionsDraft, PoolSpec, PoolStrategy};
use std::collections::BTreeMap;

/// One difference between two specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecChange {
    /// Path of the field, for example `pool_groups[main].pools[primary].url`.
    pub path: String,
    /// The value before; empty where it was absent.
    pub before: String,
    /// The value after; empty where it is removed.
    pub after: String,
}

impl MinerSpec {
    /// What changes on the way from `self` to `after`, in order of the paths. Empty if and only if the two are equal.
    pub fn diff(&self, after: &Self) -> Vec<SpecChange> {
        let (old, new) = (flatten(self), flatten(after));
        let mut changes: Vec<_> = old
            .iter()
            .filter(|(path, value)| new.get(*path) != Some(value))
            .map(|(path, value)| change(path, Some(value), new.get(path)))
            .collect();
        changes.extend(
            new.iter()
                .filter(|(path, _)| !old.contains_key(*path))
                .map(|(path, value)| change(path, None, Some(value))),
        );
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }
}

/// A value to compare, and what of it may be shown.
#[derive(PartialEq)]
struct Leaf {
    value: String,
    secret: bool,
}

impl Leaf {
    fn shown(&self) -> String {
        if self.secret { "***".into() } else { self.value.clone() }
    }
}

fn change(path: &str, before: Option<&Leaf>, after: Option<&Leaf>) -> SpecChange {
    let shown = |leaf: Option<&Leaf>| leaf.map(Leaf::shown).unwrap_or_default();
    SpecChange { path: path.into(), before: shown(before), after: shown(after) }
}

fn flatten(spec: &MinerSpec) -> BTreeMap<String, Leaf> {
    let MinerSpec { pool_groups, paused, boards } = spec;
    let mut leaves = BTreeMap::new();
    let mut put = |path: String, value: String, secret: bool| leaves.insert(path, Leaf { value, secret });
    put("paused".into(), paused.to_string(), false);
    let order = |names: Vec<&str>| names.join(", ");
    if !pool_groups.is_empty() {
        put("pool_groups".into(), order(pool_groups.iter().map(|group| group.name.as_str()).collect()), false);
    }
    for PoolGroup { name, strategy, pools } in pool_groups {
        let group = format!("pool_groups[{name}]");
        put(format!("{group}.strategy"), format!("{strategy:?}").to_uppercase(), false);
        put(format!("{group}.pools"), order(pools.iter().map(|pool| pool.name.as_str()).collect()), false);
        for PoolSpec { name, endpoint, user, password, nominal_hash_rate, quota, options } in pools {
            let pool = format!("{group}.pools[{name}]");
            put(format!("{pool}.url"), endpoint.to_string(), false);
            put(format!("{pool}.user"), user.clone(), false);
            if let Some(password) = password {
                put(format!("{pool}.password"), password.expose().into(), true);
            }
            if let Some(rate) = nominal_hash_rate {
                put(format!("{pool}.nominal_hash_rate_hps"), rate.hashes_per_second().to_string(), false);
            }
            if *strategy == PoolStrategy::Quota {
                put(format!("{pool}.quota"), quota.to_string(), false);
            }
            for (field, value) in said(options) {
                put(format!("{pool}.options.{field}"), value, false);
            }
        }
    }
    for (name, tuning) in boards {
        let said = of_board(&tuning.into());
        // Who names a board and wants nothing of it overrules the mode that is wanted of its model.
        let said = if said.is_empty() { vec![("mode".to_owned(), "default".to_owned())] } else { said };
        for (field, value) in said {
            put(format!("boards[{name}].{field}"), value, false);
        }
    }
    leaves
}

/// What is wanted of a board, by field.
fn of_board(tuning: &BoardTuningDraft) -> Vec<(String, String)> {
    let BoardTuningDraft { mode, soft_limits, hard_limits, fan_target } = tuning;
    let mut said: Vec<(String, String)> = match mode {
        TuningModeDraft::Default => Vec::new(),
        TuningModeDraft::Fixed { frequency_megahertz, voltage_volts } => vec![
            ("fixed.frequency_megahertz".into(), frequency_megahertz.to_string()),
            ("fixed.voltage_volts".into(), voltage_volts.to_string()),
        ],
        TuningModeDraft::Power(watts) => vec![("power_watts".into(), watts.to_string())],
        TuningModeDraft::HashRate(hashes) => vec![("hash_rate_hps".into(), hashes.to_string())],
    };
    for (limits, field) in [(soft_limits, "soft_limits_celsius"), (hard_limits, "hard_limits_celsius")] {
        said.extend(limits.iter().map(|(sensor, limit)| (format!("{field}[{sensor}]"), limit.to_string())));
    }
    said.extend(fan_target.map(|target| ("fan_target_celsius".into(), target.to_string())));
    said
}

/// The options that are not as by default, by name.
fn said(options: &PoolOptions) -> Vec<(&'static str, String)> {
    let PoolOptionsDraft {
        worker_name,
        wide_version_rolling,
        authority_keys,
        tls_pins,
        redirect_hosts,
        no_extranonce_subscribe,
        no_suggest_difficulty,
    } = options.into();
    let on = |said: bool| if said { "true".to_owned() } else { String::new() };
    let all = [
        ("worker_name", worker_name),
        ("wide_version_rolling", on(wide_version_rolling)),
        ("authority_keys", authority_keys.join(", ")),
        ("tls_pins", tls_pins.join(", ")),
        ("redirect_hosts", redirect_hosts.join(", ")),
        ("no_extranonce_subscribe", on(no_extranonce_subscribe)),
        ("no_suggest_difficulty", on(no_suggest_difficulty)),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::{GroupDraft, PoolDraft, SpecDraft},
        text::Secret,
    };

    fn spec(user: &str, password: &str) -> MinerSpec {
        let pool = PoolDraft {
            name: "a".into(),
            url: "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72".into(),
            user: user.into(),
            password: Some(Secret::from(password)),
            ..PoolDraft::default()
        };
        let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
        SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }.check(None).unwrap()
    }

    #[test]
    fn equal_specs_have_no_difference() {
        assert!(spec("u", "x").diff(&spec("u", "x")).is_empty());
    }

    #[test]
    fn a_changed_password_shows_as_a_change_and_not_as_itself() {
        let changes = spec("u", "hunter2").diff(&spec("u", "hunter3"));
        assert_eq!(changes.len(), 1);
        assert_eq!(
            (changes[0].path.as_str(), changes[0].before.as_str()),
            ("pool_groups[main].pools[a].password", "***")
        );
        assert!(!format!("{changes:?}").contains("hunter"));
    }

    #[test]
    fn removing_everything_lists_every_field() {
        let changes = spec("u", "x").diff(&MinerSpec { paused: true, ..MinerSpec::default() });
        assert!(
            changes.iter().any(|change| change.path == "pool_groups[main].pools[a].url" && change.after.is_empty())
        );
        assert!(changes.iter().any(|change| change.path == "paused" && change.after == "true"));
    }
}
