//! Fragments of specs as they are written down: JSON with passwords.

use super::{StoreError, spec::StoredStrategy};
use crate::profile::{Fragment, TuningFragment};
use mujina_core::{
    pool::PoolOptionsDraft,
    spec::{GroupDraft, PoolDraft},
    text::Secret,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredFragment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool_groups: Option<Vec<StoredGroup>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    boards: BTreeMap<String, TuningFragment>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredGroup {
    name: String,
    strategy: Option<StoredStrategy>,
    pools: Vec<StoredPool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPool {
    name: String,
    url: String,
    user: String,
    /// Absent = not said, which keeps what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nominal_hash_rate_hps: Option<f64>,
    /// 0 = not said.
    #[serde(default)]
    quota: u32,
    #[serde(default, skip_serializing_if = "PoolOptionsDraft::is_default")]
    options: PoolOptionsDraft,
}

impl From<&Fragment> for StoredFragment {
    fn from(fragment: &Fragment) -> Self {
        let Fragment { pool_groups, paused, boards } = fragment;
        let pool = |pool: &PoolDraft| {
            let PoolDraft { name, url, user, password, nominal_hash_rate_hps, quota, options } = pool.clone();
            let password = password.map(|secret| secret.expose().to_owned());
            StoredPool { name, url, user, password, nominal_hash_rate_hps, quota, options }
        };
        let group = |group: &GroupDraft| {
            let GroupDraft { name, strategy, pools } = group;
            let strategy = strategy.map(StoredStrategy::from);
            StoredGroup { name: name.clone(), strategy, pools: pools.iter().map(pool).collect() }
        };
        let pool_groups = pool_groups.as_ref().map(|groups| groups.iter().map(group).collect());
        Self { pool_groups, paused: *paused, boards: boards.clone() }
    }
}

impl From<StoredFragment> for Fragment {
    fn from(stored: StoredFragment) -> Self {
        let StoredFragment { pool_groups, paused, boards } = stored;
        let pool = |pool: StoredPool| {
            let StoredPool { name, url, user, password, nominal_hash_rate_hps, quota, options } = pool;
            let password = password.map(Secret::from);
            PoolDraft { name, url, user, password, nominal_hash_rate_hps, quota, options }
        };
        let group = |group: StoredGroup| {
            let StoredGroup { name, strategy, pools } = group;
            GroupDraft { name, strategy: strategy.map(Into::into), pools: pools.into_iter().map(pool).collect() }
        };
        let pool_groups = pool_groups.map(|groups| groups.into_iter().map(group).collect());
        Self { pool_groups, paused, boards }
    }
}

pub(super) fn write(fragment: &Fragment) -> Result<String, StoreError> {
    serde_json::to_string(&StoredFragment::from(fragment)).map_err(|_| StoreError::corrupt("a fragment"))
}

pub(super) fn read(text: &str, of: &str) -> Result<Fragment, StoreError> {
    let stored: StoredFragment =
        serde_json::from_str(text).map_err(|_| StoreError::corrupt(format!("a fragment of {of}")))?;
    Ok(stored.into())
}
