//! Miners that call home, on disk.

use super::{Store, StoreError, Write, labels, millis};
use crate::selector::Labels;
use mujina_core::id::MinerName;
use sqlx::Row;
use std::{collections::BTreeMap, time::SystemTime};

impl Store {
    /// All miners that enrolled and were not removed, with the labels of their tokens.
    pub(crate) async fn enrolled_miners(&self) -> Result<BTreeMap<MinerName, Labels>, StoreError> {
        let rows = sqlx::query("SELECT name, labels FROM enrolled_miners").fetch_all(&self.readers).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let name: String = row.try_get("name")?;
            let bad = || StoreError::corrupt(format!("the enrolment of miner {name}"));
            Ok((name.parse().map_err(|_| bad())?, labels(row)?))
        };
        rows.iter().map(read).collect()
    }

    /// The labels of one miner that enrolled; `None` = it did not, or was removed.
    pub(crate) async fn enrolled_miner(&self, name: &MinerName) -> Result<Option<Labels>, StoreError> {
        let row = sqlx::query("SELECT labels FROM enrolled_miners WHERE name = ?")
            .bind(name.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(labels).transpose()
    }
}

impl Write {
    /// A miner got its first certificate, or the first of a new life.
    pub(crate) async fn put_enrolled_miner(
        &mut self,
        name: &MinerName,
        labels: &Labels,
        at: SystemTime,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT OR REPLACE INTO enrolled_miners (name, labels, enrolled_at) VALUES (?, ?, ?)")
            .bind(name.as_str())
            .bind(serde_json::to_string(labels).map_err(|_| StoreError::corrupt("labels"))?)
            .bind(millis(at))
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Forgets a miner; `false` = it was not there.
    pub(crate) async fn delete_enrolled_miner(&mut self, name: &MinerName) -> Result<bool, StoreError> {
        let deleted = sqlx::query("DELETE FROM enrolled_miners WHERE name = ?")
            .bind(name.as_str())
            .execute(&mut *self.transaction)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }
}
