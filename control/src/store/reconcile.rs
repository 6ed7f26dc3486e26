//! What the reconciler must not forget with its process: changes made on miners themselves, and changes on trial.

use super::{Store, StoreError, Write, count};
use crate::{
    reconcile::{LocalChange, Trial},
    spec::DesiredState,
};
use mujina_core::id::{Generation, MinerName};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::{BTreeMap, BTreeSet};

/// Trials that are over and kept, of each miner.
const HISTORY: i64 = 20;

impl Store {
    /// The change made on each miner itself, where one is respected.
    pub async fn local_changes(&self) -> Result<BTreeMap<MinerName, LocalChange>, StoreError> {
        let rows = sqlx::query("SELECT miner, state FROM local_changes").fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// The change made on one miner itself, where one is respected.
    pub async fn local_change(&self, miner: &MinerName) -> Result<Option<LocalChange>, StoreError> {
        let row = sqlx::query("SELECT miner, state FROM local_changes WHERE miner = ?")
            .bind(miner.as_str())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.as_ref().map(read).transpose()?.map(|(_, local)| local))
    }

    /// Changes of one miner on trial that are not over, in order of their generations.
    pub async fn open_trials_of(&self, miner: &MinerName) -> Result<Vec<Trial>, StoreError> {
        let rows = sqlx::query("SELECT miner, state FROM trials WHERE miner = ? AND is_over = 0 ORDER BY generation")
            .bind(miner.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| read(row).map(|(_, trial)| trial)).collect()
    }

    /// The trial of one generation, over or not.
    pub async fn trial(&self, miner: &MinerName, generation: Generation) -> Result<Option<Trial>, StoreError> {
        let row = sqlx::query("SELECT miner, state FROM trials WHERE miner = ? AND generation = ?")
            .bind(miner.as_str())
            .bind(count(generation.0))
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.as_ref().map(read).transpose()?.map(|(_, trial)| trial))
    }

    /// Changes on trial that are not over, in order of their generations.
    pub async fn open_trials(&self) -> Result<Vec<(MinerName, Trial)>, StoreError> {
        let rows = sqlx::query("SELECT miner, state FROM trials WHERE is_over = 0 ORDER BY miner, generation")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }
}

impl Write {
    /// Keeps or forgets the change made on a miner.
    pub async fn put_local_change(&mut self, miner: &MinerName, local: Option<&LocalChange>) -> Result<(), StoreError> {
        let query = match local {
            Some(local) => sqlx::query("INSERT OR REPLACE INTO local_changes (miner, state) VALUES (?, ?)")
                .bind(miner.as_str())
                .bind(text(local)?),
            None => sqlx::query("DELETE FROM local_changes WHERE miner = ?").bind(miner.as_str()),
        };
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// The trial of the newest desired state of a miner, if it is not over.
    pub(crate) async fn open_trial(
        &mut self,
        miner: &MinerName,
        latest: Option<&DesiredState>,
    ) -> Result<Option<Trial>, StoreError> {
        let Some(latest) = latest else { return Ok(None) };
        let row = sqlx::query("SELECT miner, state FROM trials WHERE miner = ? AND generation = ? AND is_over = 0")
            .bind(miner.as_str())
            .bind(count(latest.generation.0))
            .fetch_optional(&mut *self.transaction)
            .await?;
        Ok(row.as_ref().map(read).transpose()?.map(|(_, trial)| trial))
    }

    /// Changes on trial that are not over, as they are for the rest of this write.
    pub(crate) async fn open_trials(&mut self) -> Result<Vec<(MinerName, Trial)>, StoreError> {
        let rows =
            sqlx::query("SELECT miner, state FROM trials WHERE is_over = 0").fetch_all(&mut *self.transaction).await?;
        rows.iter().map(read).collect()
    }

    /// Keeps trials as they stand, the last of each generation, and drops those of the miners that are over and too old to
    /// matter.
    pub async fn put_trials(&mut self, trials: &[(&MinerName, &Trial)]) -> Result<(), StoreError> {
        if trials.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(trials.len());
        for (miner, trial) in trials {
            rows.push(json!({
                "miner": miner.as_str(),
                "generation": count(trial.generation.0),
                "state": text(trial)?,
                "is_over": i64::from(trial.is_over()),
            }));
        }
        // One statement for all of them, as with desired states.
        sqlx::query(
            "INSERT OR REPLACE INTO trials (miner, generation, state, is_over)
             SELECT value ->> 'miner', value ->> 'generation', value ->> 'state', value ->> 'is_over'
             FROM json_each(?)",
        )
        .bind(Value::Array(rows).to_string())
        .execute(&mut *self.transaction)
        .await?;
        let miners: BTreeSet<_> = trials.iter().map(|(miner, _)| miner.as_str()).collect();
        sqlx::query(
            "DELETE FROM trials WHERE is_over = 1 AND (miner, generation) IN (
                 WITH kept AS (SELECT value AS miner, (SELECT generation FROM trials WHERE miner = value
                     ORDER BY generation DESC LIMIT 1 OFFSET ?2) AS after FROM json_each(?1))
                 SELECT miner, generation FROM kept JOIN trials USING (miner) WHERE generation <= after)",
        )
        .bind(json!(miners).to_string())
        .bind(HISTORY)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

fn read<T: DeserializeOwned>(row: &SqliteRow) -> Result<(MinerName, T), StoreError> {
    let (miner, state): (String, String) = (row.try_get("miner")?, row.try_get("state")?);
    let bad = |_| StoreError::corrupt(format!("what is known of miner {miner}"));
    let state = serde_json::from_str(&state).map_err(bad)?;
    Ok((miner.parse().map_err(|_| StoreError::corrupt("a miner without a name"))?, state))
}

fn text<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::corrupt("a value"))
}
