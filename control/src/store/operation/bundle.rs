//! What operations collected, on disk: for some days, and no more than fits.

use super::super::{Store, StoreError, Write, millis};
use mujina_core::id::MinerName;
use sqlx::Row;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long bundles are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Bytes of all bundles together; the oldest go first.
const MAX_BYTES: i64 = 256 * 1024 * 1024;

impl Store {
    /// The bundle that an operation collected from a miner.
    pub(crate) async fn bundle(&self, operation: &str, miner: &MinerName) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query(
            "SELECT data FROM operation_bundles WHERE miner = ? AND operation = (SELECT number FROM operations WHERE id = ?)",
        )
        .bind(miner.as_str())
        .bind(operation)
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

impl Write {
    /// Keeps a bundle, and drops those that are too old or too many.
    pub(super) async fn insert_bundle(
        &mut self,
        operation: i64,
        miner: &MinerName,
        data: &[u8],
        now: SystemTime,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT OR REPLACE INTO operation_bundles (operation, miner, stored_at, bytes, data) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(operation)
        .bind(miner.as_str())
        .bind(millis(now))
        .bind(i64::try_from(data.len()).unwrap_or(i64::MAX))
        .bind(data)
        .execute(&mut *self.transaction)
        .await?;
        self.prune_bundles(now, MAX_BYTES).await
    }

    pub(super) async fn prune_bundles(&mut self, now: SystemTime, most: i64) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM operation_bundles WHERE stored_at < ?1 OR rowid IN (
                 SELECT row FROM (
                     SELECT rowid AS row, sum(bytes) OVER (ORDER BY stored_at DESC, rowid DESC) AS together
                     FROM operation_bundles
                 ) WHERE together > ?2
             )",
        )
        .bind(millis(now.checked_sub(KEPT).unwrap_or(UNIX_EPOCH)))
        .bind(most)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}
