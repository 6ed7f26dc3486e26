//! Desired state.

use super::timestamp;
use crate::types::v1;
use mujina_core::{
    board::BoardTuning,
    pool::{PoolGroup, PoolOptions, PoolOptionsDraft, PoolSpec, PoolStrategy},
    spec::{
        BoardTuningDraft, GroupDraft, MinerSpec, PoolDraft, SpecChange, SpecDraft, SpecOrigin, SpecSection, SpecState,
        TuningModeDraft,
    },
    text::Secret,
    units::HashRate,
};
use std::fmt;

/// Etag of a miner for which a control plane has nothing stored: sent back, it writes only as long as that is so.
pub const NOTHING_STORED: &str = "none";

impl From<v1::MinerSpec> for SpecDraft {
    fn from(spec: v1::MinerSpec) -> Self {
        let v1::MinerSpec { pool_groups, paused, boards } = spec;
        let boards = boards.into_iter().map(|(name, tuning)| (name, tuning.into())).collect();
        Self { pool_groups: pool_groups.into_iter().map(Into::into).collect(), paused, boards }
    }
}

impl From<v1::BoardTuning> for BoardTuningDraft {
    fn from(tuning: v1::BoardTuning) -> Self {
        use v1::board_tuning::Mode;
        let v1::BoardTuning { mode, soft_limits_celsius, hard_limits_celsius, fan_target_celsius } = tuning;
        let mode = match mode {
            None => TuningModeDraft::Default,
            Some(Mode::Fixed(v1::FixedTuning { frequency_megahertz, voltage_volts })) => {
                TuningModeDraft::Fixed { frequency_megahertz, voltage_volts }
            }
            Some(Mode::PowerWatts(watts)) => TuningModeDraft::Power(watts),
            Some(Mode::HashRateHps(hashes)) => TuningModeDraft::HashRate(hashes),
        };
        Self {
            mode,
            soft_limits: soft_limits_celsius.into_iter().collect(),
            hard_limits: hard_limits_celsius.into_iter().collect(),
            fan_target: fan_target_celsius,
        }
    }
}

impl From<&BoardTuning> for v1::BoardTuning {
    fn from(tuning: &BoardTuning) -> Self {
        use v1::board_tuning::Mode;
        let BoardTuningDraft { mode, soft_limits, hard_limits, fan_target } = tuning.into();
        let mode = match mode {
            TuningModeDraft::Default => None,
            TuningModeDraft::Fixed { frequency_megahertz, voltage_volts } => {
                Some(Mode::Fixed(v1::FixedTuning { frequency_megahertz, voltage_volts }))
            }
            TuningModeDraft::Power(watts) => Some(Mode::PowerWatts(watts)),
            TuningModeDraft::HashRate(hashes) => Some(Mode::HashRateHps(hashes)),
        };
        Self {
            mode,
            soft_limits_celsius: soft_limits.into_iter().collect(),
            hard_limits_celsius: hard_limits.into_iter().collect(),
            fan_target_celsius: fan_target,
        }
    }
}

impl From<v1::PoolGroup> for GroupDraft {
    fn from(group: v1::PoolGroup) -> Self {
        let strategy = match group.strategy() {
            v1::PoolStrategy::Failover => Some(PoolStrategy::Failover),
            v1::PoolStrategy::Quota => Some(PoolStrategy::Quota),
            v1::PoolStrategy::Unspecified => None,
        };
        let v1::PoolGroup { name, strategy: _, pools } = group;
        Self { name, strategy, pools: pools.into_iter().map(Into::into).collect() }
    }
}

impl From<v1::PoolSpec> for PoolDraft {
    fn from(pool: v1::PoolSpec) -> Self {
        let v1::PoolSpec { name, url, user, password, password_set: _, nominal_hash_rate_hps, quota, options } = pool;
        let options = options.map(Into::into).unwrap_or_default();
        Self { name, url, user, password: password.map(Secret::from), nominal_hash_rate_hps, quota, options }
    }
}

impl From<v1::PoolOptions> for PoolOptionsDraft {
    fn from(options: v1::PoolOptions) -> Self {
        let v1::PoolOptions {
            worker_name,
            wide_version_rolling,
            authority_keys,
            tls_pins,
            redirect_hosts,
            no_extranonce_subscribe,
            no_suggest_difficulty,
        } = options;
        Self {
            worker_name,
            wide_version_rolling,
            authority_keys,
            tls_pins,
            redirect_hosts,
            no_extranonce_subscribe,
            no_suggest_difficulty,
        }
    }
}

impl From<&PoolOptions> for v1::PoolOptions {
    fn from(options: &PoolOptions) -> Self {
        let PoolOptionsDraft {
            worker_name,
            wide_version_rolling,
            authority_keys,
            tls_pins,
            redirect_hosts,
            no_extranonce_subscribe,
            no_suggest_difficulty,
        } = options.into();
        Self {
            worker_name,
            wide_version_rolling,
            authority_keys,
            tls_pins,
            redirect_hosts,
            no_extranonce_subscribe,
            no_suggest_difficulty,
        }
    }
}

/// Shows everything but the password.
impl fmt::Debug for v1::PoolSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, user, password, password_set, nominal_hash_rate_hps, quota, options } = self;
        f.debug_struct("PoolSpec")
            .field("name", name)
            .field("url", url)
            .field("user", user)
            .field("password", &password.as_ref().map(|_| "***"))
            .field("password_set", password_set)
            .field("nominal_hash_rate_hps", nominal_hash_rate_hps)
            .field("quota", quota)
            .field("options", options)
            .finish()
    }
}

/// For readers: passwords are left out.
impl From<&MinerSpec> for v1::MinerSpec {
    fn from(spec: &MinerSpec) -> Self {
        to_message(spec, |_| None)
    }
}

/// For the miner itself: passwords are in it. Never answer a read with it.
#[must_use]
pub fn with_passwords(spec: &MinerSpec) -> v1::MinerSpec {
    to_message(spec, |pool| Some(pool.password.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default()))
}

fn to_message(spec: &MinerSpec, password: impl Fn(&PoolSpec) -> Option<String>) -> v1::MinerSpec {
    let MinerSpec { pool_groups, paused, boards } = spec;
    let group = |group: &PoolGroup| {
        let PoolGroup { name, strategy: strategy_of, pools } = group;
        let strategy = match strategy_of {
            PoolStrategy::Failover => v1::PoolStrategy::Failover,
            PoolStrategy::Quota => v1::PoolStrategy::Quota,
        };
        v1::PoolGroup {
            name: name.to_string(),
            strategy: strategy.into(),
            pools: pools.iter().map(|one| pool(one, *strategy_of, password(one))).collect(),
        }
    };
    let boards = boards.iter().map(|(name, tuning)| (name.clone(), tuning.into())).collect();
    v1::MinerSpec { pool_groups: pool_groups.iter().map(group).collect(), paused: *paused, boards }
}

fn pool(pool: &PoolSpec, strategy: PoolStrategy, shown: Option<String>) -> v1::PoolSpec {
    let PoolSpec { name, endpoint, user, password, nominal_hash_rate, quota, options } = pool;
    v1::PoolSpec {
        name: name.to_string(),
        url: endpoint.to_string(),
        user: user.clone(),
        password: shown,
        password_set: password.is_some(),
        nominal_hash_rate_hps: nominal_hash_rate.map(HashRate::hashes_per_second),
        quota: if strategy == PoolStrategy::Quota { quota.get() } else { 0 },
        options: (*options != PoolOptions::default()).then(|| options.into()),
    }
}

impl From<&SpecState> for v1::SpecState {
    fn from(state: &SpecState) -> Self {
        let SpecState {
            spec,
            generation,
            etag,
            origin,
            control_generation,
            accepted_at,
            sections,
            observed_generation,
            reverts_at,
        } = state;
        Self {
            spec: Some(spec.into()),
            generation: generation.0,
            etag: etag.clone(),
            origin: v1::SpecOrigin::from(*origin).into(),
            control_generation: control_generation.0,
            accepted_at: Some(timestamp(*accepted_at)),
            sections: sections.iter().map(Into::into).collect(),
            observed_generation: observed_generation.0,
            reverts_at: reverts_at.map(timestamp),
        }
    }
}

impl From<SpecOrigin> for v1::SpecOrigin {
    fn from(origin: SpecOrigin) -> Self {
        match origin {
            SpecOrigin::Configuration => Self::Configuration,
            SpecOrigin::Local => Self::Local,
            SpecOrigin::Control => Self::Control,
            SpecOrigin::Recovery => Self::Recovery,
            SpecOrigin::Reverted => Self::Reverted,
        }
    }
}

impl From<&SpecSection> for v1::SpecSection {
    fn from(section: &SpecSection) -> Self {
        let SpecSection { path, applying, refused } = section;
        let state = match applying {
            Some(_) if *refused => v1::SpecSectionState::Refused,
            Some(_) => v1::SpecSectionState::Applying,
            None => v1::SpecSectionState::Applied,
        };
        Self { path: (*path).into(), state: state.into(), reason: applying.clone().unwrap_or_default() }
    }
}

impl From<SpecChange> for v1::SpecChange {
    fn from(change: SpecChange) -> Self {
        let SpecChange { path, before, after } = change;
        Self { path, before, after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MinerSpec {
        let pool = PoolDraft {
            name: "a".into(),
            url: "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72".into(),
            user: "alice".into(),
            password: Some(Secret::from("hunter2")),
            nominal_hash_rate_hps: Some(1e6),
            quota: 3,
            options: PoolOptionsDraft { worker_name: "shed-3".into(), ..PoolOptionsDraft::default() },
        };
        let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Quota), pools: vec![pool] };
        let tuning = BoardTuningDraft {
            mode: TuningModeDraft::Fixed { frequency_megahertz: 490.0, voltage_volts: 1.1 },
            soft_limits: [("asic".into(), 60.0)].into(),
            hard_limits: [("asic".into(), 70.0)].into(),
            fan_target: Some(52.5),
        };
        let power = BoardTuningDraft { mode: TuningModeDraft::Power(12.0), ..BoardTuningDraft::default() };
        let boards = [("bitaxe-gamma".into(), tuning), ("bitaxe-gamma-1".into(), power)].into();
        SpecDraft { pool_groups: vec![group], paused: true, boards }.check(None).unwrap()
    }

    #[test]
    fn spec_with_passwords_survives_the_wire() {
        let there = SpecDraft::from(with_passwords(&spec())).check(None).unwrap();
        assert_eq!(there, spec());
    }

    #[test]
    fn debug_of_a_message_shows_no_password() {
        let text = format!("{:?}", with_passwords(&spec()));
        assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
    }

    #[test]
    fn spec_that_was_read_shows_no_password_and_keeps_it_when_written_back() {
        let shown = v1::MinerSpec::from(&spec());
        let bytes = prost::Message::encode_to_vec(&shown);
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "not on the wire");
        assert!(shown.pool_groups[0].pools[0].password_set);
        assert_eq!(SpecDraft::from(shown).check(Some(&spec())).unwrap(), spec());
    }
}
