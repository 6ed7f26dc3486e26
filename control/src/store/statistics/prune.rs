//! Drops statistics that are too old, a little at a time.

use super::{Store, StoreError, from_millis, millis};
use crate::statistics::{KeepStatistics, RESOLUTIONS};
use sqlx::Row;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Buckets of one miner that bear a time out before it counts: an hour of them. A clock that jumps ahead, ours or a miner's,
/// makes nothing old by itself.
const WITNESSES: i64 = 360;
/// Rows that one transaction of the clean-up deletes, so that it never holds up others for long.
const PRUNE_ROWS: i64 = 2000;

impl Store {
    /// Deletes what began longer ago than is kept, by the time that stored buckets bear out and never beyond `now`; gives way
    /// to others between steps. Cursors stay.
    pub(crate) async fn prune_shares(&self, keep: &KeepStatistics, now: SystemTime) -> Result<u64, StoreError> {
        let Some(witnessed) = self.witnessed().await? else { return Ok(0) };
        let now = now.min(witnessed);
        let oldest = |kept: Duration| millis(now.checked_sub(kept).unwrap_or(UNIX_EPOCH));
        let miners = sqlx::query(
            "SELECT share_texts.id FROM share_texts JOIN (SELECT DISTINCT miner FROM share_cursors) ON miner = text",
        )
        .fetch_all(&self.readers)
        .await?;
        let KeepStatistics { ten_seconds, minute, hour, day } = keep;
        let mut deleted = 0;
        for row in &miners {
            let miner: i64 = row.try_get(0)?;
            deleted += self
                .delete(
                    "DELETE FROM share_rows WHERE miner = ?1 AND ?2 = 0 AND begin_ms <= (
                         SELECT max(begin_ms) FROM (
                             SELECT begin_ms FROM share_rows WHERE miner = ?1 AND begin_ms < ?3 ORDER BY begin_ms LIMIT ?4
                         )
                     )",
                    (miner, 0, oldest(*ten_seconds)),
                )
                .await?;
            for (resolution, kept) in RESOLUTIONS.into_iter().zip([minute, hour, day]) {
                deleted += self
                    .delete(
                        "DELETE FROM share_rollups WHERE resolution_ms = ?2 AND miner = ?1 AND begin_ms <= (
                             SELECT max(begin_ms) FROM (
                                 SELECT begin_ms FROM share_rollups
                                 WHERE resolution_ms = ?2 AND miner = ?1 AND begin_ms < ?3 ORDER BY begin_ms LIMIT ?4
                             )
                         )",
                        (miner, resolution, oldest(*kept)),
                    )
                    .await?;
            }
        }
        let mut write = self.write().await?;
        sqlx::query("DELETE FROM share_gaps WHERE begin_ms < ?")
            .bind(oldest(*ten_seconds))
            .execute(&mut *write.transaction)
            .await?;
        write.commit().await?;
        Ok(deleted)
    }

    /// The newest time with an hour of buckets of one miner at or after it; `None` = there are too few of each.
    async fn witnessed(&self) -> Result<Option<SystemTime>, StoreError> {
        let row = sqlx::query(
            "SELECT max((
                 SELECT begin_ms FROM share_rows WHERE miner = share_texts.id ORDER BY begin_ms DESC LIMIT 1 OFFSET ?
             ))
             FROM share_texts JOIN (SELECT DISTINCT miner FROM share_cursors) ON miner = text",
        )
        .bind(WITNESSES - 1)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(from_millis))
    }

    /// Runs a statement that deletes some rows until none is left.
    async fn delete(
        &self,
        statement: &'static str,
        (miner, resolution, oldest): (i64, i64, i64),
    ) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let mut write = self.write().await?;
            let rows = sqlx::query(statement)
                .bind(miner)
                .bind(resolution)
                .bind(oldest)
                .bind(PRUNE_ROWS)
                .execute(&mut *write.transaction)
                .await?
                .rows_affected();
            if rows == 0 {
                return Ok(deleted);
            }
            write.commit().await?;
            deleted += rows;
        }
    }
}
