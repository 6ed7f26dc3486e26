//! Desired states on disk: JSON with passwords, one row per generation.

use super::{Store, StoreError, Write, count, counted, from_millis, millis};
use crate::{
    spec::{DesiredState, Left, WantedSpec},
    trace::TraceParent,
};
use mujina_core::{
    id::{Generation, MinerName},
    pool::{PoolGroup, PoolOptionsDraft, PoolSpec, PoolStrategy},
    spec::{BoardTuningDraft, GroupDraft, MinerSpec, PoolDraft, SpecDraft},
    text::Secret,
    units::HashRate,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::{BTreeMap, BTreeSet};

/// Generations that are kept of each miner: what was wanted lately, and what repeated requests may ask for.
const HISTORY: i64 = 100;

const COLUMNS: &str = "miner, generation, etag, spec, stored_at, trace_parent, taken_over";

impl Store {
    /// The newest desired state of every miner that has one.
    pub(crate) async fn all_desired(&self) -> Result<Vec<DesiredState>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(newest_of_all())).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// The newest desired state of one miner.
    pub(crate) async fn desired_of(&self, miner: &MinerName) -> Result<Option<DesiredState>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM desired_specs WHERE miner = ? ORDER BY generation DESC LIMIT 1"
        )))
        .bind(miner.as_str())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(read).transpose()
    }
}

impl Write {
    /// The newest desired state of a miner.
    pub(crate) async fn latest_desired(&mut self, miner: &MinerName) -> Result<Option<DesiredState>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM desired_specs WHERE miner = ? ORDER BY generation DESC LIMIT 1"
        )))
        .bind(miner.as_str())
        .fetch_optional(&mut *self.transaction)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// The newest desired state of every miner that has one, as it is for the rest of this write.
    pub(crate) async fn all_desired(&mut self) -> Result<Vec<DesiredState>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(newest_of_all())).fetch_all(&mut *self.transaction).await?;
        rows.iter().map(read).collect()
    }

    /// One desired state of a miner's history.
    pub(crate) async fn desired(
        &mut self,
        miner: &MinerName,
        generation: Generation,
    ) -> Result<Option<DesiredState>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM desired_specs WHERE miner = ? AND generation = ?"
        )))
        .bind(miner.as_str())
        .bind(count(generation.0))
        .fetch_optional(&mut *self.transaction)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Adds generations, of any number of miners, and drops those too old to matter.
    pub(crate) async fn insert_desired(&mut self, all: &[&DesiredState]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(all.len());
        for DesiredState { miner, wanted, generation, etag, stored_at, trace_parent, taken_over } in all {
            let spec = serde_json::to_string(&StoredSpec::from(wanted)).map_err(|_| StoreError::corrupt("a spec"))?;
            rows.push(json!({
                "miner": miner.as_str(),
                "generation": count(generation.0),
                "etag": etag,
                "spec": spec,
                "stored_at": millis(*stored_at),
                "trace_parent": trace_parent.to_string(),
                "taken_over": count(taken_over.0),
            }));
        }
        // A statement for each row would be a trip to the thread of the database each: a profile writes a thousand.
        sqlx::query(
            "INSERT INTO desired_specs (miner, generation, etag, spec, stored_at, trace_parent, taken_over)
             SELECT value ->> 'miner', value ->> 'generation', value ->> 'etag', value ->> 'spec',
                 value ->> 'stored_at', value ->> 'trace_parent', value ->> 'taken_over'
             FROM json_each(?)",
        )
        .bind(Value::Array(rows).to_string())
        .execute(&mut *self.transaction)
        .await?;
        let miners: BTreeSet<_> = all.iter().map(|desired| desired.miner.as_str()).collect();
        sqlx::query(
            "DELETE FROM desired_specs WHERE (miner, generation) IN (
                 WITH kept AS (SELECT value AS miner, (SELECT generation FROM desired_specs WHERE miner = value
                     ORDER BY generation DESC LIMIT 1 OFFSET ?2) AS after FROM json_each(?1))
                 SELECT miner, generation FROM kept JOIN desired_specs USING (miner) WHERE generation <= after)",
        )
        .bind(json!(miners).to_string())
        .bind(HISTORY)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

fn newest_of_all() -> String {
    format!(
        "SELECT {COLUMNS} FROM desired_specs AS one WHERE generation =
             (SELECT max(generation) FROM desired_specs WHERE miner = one.miner)"
    )
}

fn read(row: &SqliteRow) -> Result<DesiredState, StoreError> {
    let miner: String = row.try_get("miner")?;
    let spec: String = row.try_get("spec")?;
    let trace_parent: String = row.try_get("trace_parent")?;
    let bad = || StoreError::corrupt(format!("a desired state of miner {miner}"));
    let stored: StoredSpec = serde_json::from_str(&spec).map_err(|_| bad())?;
    Ok(DesiredState {
        miner: miner.parse().map_err(|_| bad())?,
        wanted: stored.into_wanted().ok_or_else(bad)?,
        generation: Generation(counted(row.try_get("generation")?)),
        etag: row.try_get("etag")?,
        stored_at: from_millis(row.try_get("stored_at")?),
        trace_parent: TraceParent::parse(&trace_parent),
        taken_over: Generation(counted(row.try_get("taken_over")?)),
    })
}

#[derive(Serialize, Deserialize)]
struct StoredSpec {
    pool_groups: Vec<StoredGroup>,
    paused: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    boards: BTreeMap<String, BoardTuningDraft>,
}

#[derive(Serialize, Deserialize)]
struct StoredGroup {
    name: String,
    strategy: StoredStrategy,
    pools: Vec<StoredPool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredStrategy {
    Failover,
    Quota,
}

impl From<PoolStrategy> for StoredStrategy {
    fn from(strategy: PoolStrategy) -> Self {
        match strategy {
            PoolStrategy::Failover => Self::Failover,
            PoolStrategy::Quota => Self::Quota,
        }
    }
}

impl From<StoredStrategy> for PoolStrategy {
    fn from(strategy: StoredStrategy) -> Self {
        match strategy {
            StoredStrategy::Failover => Self::Failover,
            StoredStrategy::Quota => Self::Quota,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredPool {
    name: String,
    url: String,
    user: String,
    password: StoredPassword,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nominal_hash_rate_hps: Option<f64>,
    /// 0 = as by default.
    #[serde(default)]
    quota: u32,
    #[serde(default, skip_serializing_if = "PoolOptionsDraft::is_default")]
    options: PoolOptionsDraft,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredPassword {
    None,
    Set(String),
    Kept,
    Unknown,
}

impl From<&WantedSpec> for StoredSpec {
    fn from(wanted: &WantedSpec) -> Self {
        let WantedSpec { spec: MinerSpec { pool_groups, paused, boards }, left_to_miner } = wanted;
        let pool = |pool: &PoolSpec| {
            let PoolSpec { name, endpoint, user, password, nominal_hash_rate, quota, options } = pool;
            let password = match (left_to_miner.get(name), password) {
                (Some(Left::Kept), _) => StoredPassword::Kept,
                (Some(Left::Unknown), _) => StoredPassword::Unknown,
                (None, Some(secret)) => StoredPassword::Set(secret.expose().into()),
                (None, None) => StoredPassword::None,
            };
            StoredPool {
                name: name.to_string(),
                url: endpoint.to_string(),
                user: user.clone(),
                password,
                nominal_hash_rate_hps: nominal_hash_rate.map(HashRate::hashes_per_second),
                quota: quota.get(),
                options: options.into(),
            }
        };
        let group = |group: &PoolGroup| {
            let PoolGroup { name, strategy, pools } = group;
            let strategy = (*strategy).into();
            StoredGroup { name: name.to_string(), strategy, pools: pools.iter().map(pool).collect() }
        };
        let boards = boards.iter().map(|(name, tuning)| (name.clone(), tuning.into())).collect();
        Self { pool_groups: pool_groups.iter().map(group).collect(), paused: *paused, boards }
    }
}

impl StoredSpec {
    /// `None` when it does not check out.
    fn into_wanted(self) -> Option<WantedSpec> {
        let Self { pool_groups, paused, boards } = self;
        let mut left_to_miner = BTreeMap::new();
        let mut groups = Vec::new();
        for StoredGroup { name, strategy, pools } in pool_groups {
            let mut drafts = Vec::new();
            for StoredPool { name, url, user, password, nominal_hash_rate_hps, quota, options } in pools {
                let (password, left) = match password {
                    StoredPassword::None => (None, None),
                    StoredPassword::Set(text) => (Some(Secret::from(text)), None),
                    StoredPassword::Kept => (None, Some(Left::Kept)),
                    StoredPassword::Unknown => (None, Some(Left::Unknown)),
                };
                if let Some(left) = left {
                    left_to_miner.insert(name.parse().ok()?, left);
                }
                drafts.push(PoolDraft { name, url, user, password, nominal_hash_rate_hps, quota, options });
            }
            groups.push(GroupDraft { name, strategy: Some(strategy.into()), pools: drafts });
        }
        let spec = SpecDraft { pool_groups: groups, paused, boards }.check(None).ok()?;
        Some(WantedSpec { spec, left_to_miner })
    }
}
