//! Collected buckets on disk: rows and cursor move together, so that a bucket is stored exactly once whatever is killed.

use super::{Store, StoreError, Write, count, counted, from_millis, millis, span_millis};
use crate::statistics::{BucketPage, PageError, Position, TimeRange, batch};
use mujina_core::{
    id::MinerName,
    share::{RejectReason, ShareBucket, ShareTotals},
    units::Difficulty,
};
use sqlx::{Row, sqlite::SqliteRow};
use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

/// Rows that one statement of the clean-up deletes, so that it never holds up others for long.
const PRUNE_ROWS: i64 = 2000;

/// Where a bucket stands in the order of time; pages continue after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketPosition {
    /// Begin of the bucket in milliseconds since the epoch.
    pub begin_ms: i64,
    /// Its row.
    pub row: i64,
}

/// A bucket that was collected.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBucket {
    /// Where it stands.
    pub position: BucketPosition,
    /// The bucket.
    pub bucket: ShareBucket,
}

/// Sums over collected buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharesSummary {
    /// Sums of what the buckets added; `pending` is their net change, 0 where that is negative.
    pub totals: ShareTotals,
    /// Begin of the oldest bucket in the sums.
    pub since: Option<SystemTime>,
    /// Buckets in the sums.
    pub buckets: u64,
    /// Buckets that were gone before they could be collected.
    pub missing: u64,
    /// Hashes that the threads report.
    pub hashes: f64,
}

/// What a page brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Buckets that are new.
    pub buckets: usize,
    /// Buckets that were gone already.
    pub missing: u64,
}

/// Why a page was not stored.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The miner does not keep to the rules.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CollectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Write {
    /// Stores what is new in `page` and moves the cursor behind it.
    pub(crate) async fn collect(&mut self, miner: &MinerName, page: &BucketPage) -> Result<Collected, CollectError> {
        let cursors =
            sqlx::query("SELECT database_id, ordinal, sequence FROM share_cursors WHERE miner = ? ORDER BY ordinal")
                .bind(miner.as_str())
                .fetch_all(&mut *self.0)
                .await?;
        let mut position = if cursors.is_empty() { Position::NewMiner } else { Position::NewDatabase };
        let (mut newest, mut ordinal) = (0_i64, None);
        for row in &cursors {
            let (database, at): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            if database == page.database_id {
                position = Position::After(counted(row.try_get(2)?));
                ordinal = Some(at);
            }
            newest = at;
        }
        let ordinal = ordinal.filter(|at| *at == newest).unwrap_or(newest.saturating_add(1));
        let batch = batch(position, page)?;
        for bucket in &batch.buckets {
            self.insert_bucket(miner, &page.database_id, bucket).await?;
        }
        for (bucket, missing) in &batch.gaps {
            sqlx::query(
                "INSERT INTO share_gaps (miner, database_id, sequence, begin_ms, missing) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(miner.as_str())
            .bind(&page.database_id)
            .bind(count(bucket.sequence))
            .bind(millis(bucket.begin))
            .bind(count(*missing))
            .execute(&mut *self.0)
            .await?;
        }
        sqlx::query(
            "INSERT INTO share_cursors (miner, database_id, ordinal, sequence) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET ordinal = excluded.ordinal, sequence = excluded.sequence",
        )
        .bind(miner.as_str())
        .bind(&page.database_id)
        .bind(ordinal)
        .bind(count(batch.after))
        .execute(&mut *self.0)
        .await?;
        let missing = batch.gaps.iter().map(|(_, missing)| missing).sum();
        Ok(Collected { buckets: batch.buckets.len(), missing })
    }

    async fn insert_bucket(
        &mut self,
        miner: &MinerName,
        database: &str,
        bucket: &ShareBucket,
    ) -> Result<(), StoreError> {
        let ShareBucket { sequence, begin, length, pool, added, pending_delta, hashes } = bucket;
        let ShareTotals {
            found,
            stale,
            duplicate,
            below_target,
            out_of_window,
            hardware_error,
            suppressed,
            submitted,
            accepted,
            rejected,
            pending: _,
            lost,
            submitted_work,
            accepted_work,
            best_difficulty,
            blocks,
        } = added;
        let row = sqlx::query(
            "INSERT INTO share_buckets (miner, database_id, sequence, begin_ms, length_ms, pool, found, stale, duplicate,
                 below_target, out_of_window, hardware_error, suppressed, submitted, accepted, lost, blocks, submitted_work,
                 accepted_work, best_difficulty, pending_delta, hashes)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(miner.as_str())
        .bind(database)
        .bind(count(*sequence))
        .bind(millis(*begin))
        .bind(span_millis(*length))
        .bind(pool.as_str())
        .bind(count(*found))
        .bind(count(*stale))
        .bind(count(*duplicate))
        .bind(count(*below_target))
        .bind(count(*out_of_window))
        .bind(count(*hardware_error))
        .bind(count(*suppressed))
        .bind(count(*submitted))
        .bind(count(*accepted))
        .bind(count(*lost))
        .bind(count(*blocks))
        .bind(*submitted_work)
        .bind(*accepted_work)
        .bind(best_difficulty.map(Difficulty::as_f64))
        .bind(*pending_delta)
        .bind(*hashes)
        .execute(&mut *self.0)
        .await?
        .last_insert_rowid();
        for (reason, refused) in rejected.iter() {
            sqlx::query("INSERT INTO share_rejects (bucket, reason, count) VALUES (?, ?, ?)")
                .bind(row)
                .bind(reason.as_str())
                .bind(count(refused))
                .execute(&mut *self.0)
                .await?;
        }
        Ok(())
    }
}

impl Store {
    /// Where collecting goes on: the miner's database in use, and the last sequence that is stored.
    pub(crate) async fn share_cursor(&self, miner: &MinerName) -> Result<Option<(String, u64)>, StoreError> {
        let row = sqlx::query(
            "SELECT database_id, sequence FROM share_cursors WHERE miner = ? ORDER BY ordinal DESC LIMIT 1",
        )
        .bind(miner.as_str())
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, counted(row.try_get(1)?)))).transpose()?)
    }

    /// At most `most` buckets of a miner in order of time, after a position.
    pub(crate) async fn share_buckets(
        &self,
        miner: &MinerName,
        range: TimeRange,
        after: Option<BucketPosition>,
        most: usize,
    ) -> Result<Vec<StoredBucket>, StoreError> {
        let (begin, end) = bounds(range);
        let after = after.unwrap_or(BucketPosition { begin_ms: i64::MIN, row: i64::MIN });
        let rows = sqlx::query(
            "SELECT * FROM share_buckets WHERE miner = ? AND begin_ms >= ? AND begin_ms < ? AND (begin_ms, id) > (?, ?)
             ORDER BY begin_ms, id LIMIT ?",
        )
        .bind(miner.as_str())
        .bind(begin)
        .bind(end)
        .bind(after.begin_ms)
        .bind(after.row)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        let mut found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<_> = found.iter().map(|one| one.position.row).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| StoreError::corrupt("row numbers"))?;
        let rejects = sqlx::query(
            "SELECT bucket, reason, count FROM share_rejects WHERE bucket IN (SELECT value FROM json_each(?))",
        )
        .bind(ids)
        .fetch_all(&self.readers)
        .await?;
        let mut by_row: HashMap<i64, Vec<(RejectReason, u64)>> = HashMap::new();
        for row in &rejects {
            by_row.entry(row.try_get(0)?).or_default().push(reject(row, 1)?);
        }
        for one in &mut found {
            for (reason, refused) in by_row.remove(&one.position.row).unwrap_or_default() {
                *one.bucket.added.rejected.get_mut(reason) += refused;
            }
        }
        Ok(found)
    }

    /// Sums over the buckets of one miner, or of all.
    pub(crate) async fn summarize_shares(
        &self,
        miner: Option<&MinerName>,
        range: TimeRange,
    ) -> Result<SharesSummary, StoreError> {
        let (begin, end) = bounds(range);
        let miner = miner.map(MinerName::as_str);
        // One moment for all three sums.
        let mut moment = self.readers.begin().await?;
        let row = sqlx::query(
            "SELECT count(*) AS buckets, min(begin_ms) AS since, coalesce(sum(found), 0) AS found,
                 coalesce(sum(stale), 0) AS stale, coalesce(sum(duplicate), 0) AS duplicate,
                 coalesce(sum(below_target), 0) AS below_target, coalesce(sum(out_of_window), 0) AS out_of_window,
                 coalesce(sum(hardware_error), 0) AS hardware_error, coalesce(sum(suppressed), 0) AS suppressed,
                 coalesce(sum(submitted), 0) AS submitted, coalesce(sum(accepted), 0) AS accepted,
                 coalesce(sum(lost), 0) AS lost, coalesce(sum(blocks), 0) AS blocks,
                 coalesce(sum(submitted_work), 0.0) AS submitted_work, coalesce(sum(accepted_work), 0.0) AS accepted_work,
                 max(best_difficulty) AS best_difficulty, coalesce(sum(pending_delta), 0) AS pending_delta,
                 coalesce(sum(hashes), 0.0) AS hashes
             FROM share_buckets WHERE (?1 IS NULL OR miner = ?1) AND begin_ms >= ?2 AND begin_ms < ?3",
        )
        .bind(miner)
        .bind(begin)
        .bind(end)
        .fetch_one(&mut *moment)
        .await?;
        let rejects = sqlx::query(
            "SELECT reason, sum(count) FROM share_rejects JOIN share_buckets ON share_buckets.id = bucket
             WHERE (?1 IS NULL OR miner = ?1) AND begin_ms >= ?2 AND begin_ms < ?3 GROUP BY reason",
        )
        .bind(miner)
        .bind(begin)
        .bind(end)
        .fetch_all(&mut *moment)
        .await?;
        let missing = sqlx::query(
            "SELECT coalesce(sum(missing), 0) FROM share_gaps
             WHERE (?1 IS NULL OR miner = ?1) AND begin_ms >= ?2 AND begin_ms < ?3",
        )
        .bind(miner)
        .bind(begin)
        .bind(end)
        .fetch_one(&mut *moment)
        .await?;
        let mut totals = totals(&row)?;
        for row in &rejects {
            let (reason, refused) = reject(row, 0)?;
            *totals.rejected.get_mut(reason) += refused;
        }
        totals.pending = counted(row.try_get("pending_delta")?);
        Ok(SharesSummary {
            totals,
            since: row.try_get::<Option<i64>, _>("since")?.map(from_millis),
            buckets: counted(row.try_get("buckets")?),
            missing: counted(missing.try_get(0)?),
            hashes: row.try_get("hashes")?,
        })
    }

    /// Deletes some buckets that began before `oldest`; `false` when none is left. Cursors stay.
    pub(crate) async fn prune_shares(&self, oldest: SystemTime) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let deleted = sqlx::query(
            "DELETE FROM share_buckets WHERE id IN (SELECT id FROM share_buckets WHERE begin_ms < ? LIMIT ?)",
        )
        .bind(millis(oldest))
        .bind(PRUNE_ROWS)
        .execute(&mut *write.0)
        .await?;
        sqlx::query("DELETE FROM share_gaps WHERE begin_ms < ?").bind(millis(oldest)).execute(&mut *write.0).await?;
        write.commit().await?;
        Ok(deleted.rows_affected() > 0)
    }
}

fn bounds(TimeRange { begin, end }: TimeRange) -> (i64, i64) {
    (begin.map_or(i64::MIN, millis), end.map_or(i64::MAX, millis))
}

fn read(row: &SqliteRow) -> Result<StoredBucket, StoreError> {
    let pool: String = row.try_get("pool")?;
    let bucket = ShareBucket {
        sequence: counted(row.try_get("sequence")?),
        begin: from_millis(row.try_get("begin_ms")?),
        length: Duration::from_millis(counted(row.try_get("length_ms")?)),
        pool: pool.parse().map_err(|_| StoreError::corrupt(format!("a bucket of pool `{pool}`")))?,
        added: totals(row)?,
        pending_delta: row.try_get("pending_delta")?,
        hashes: row.try_get("hashes")?,
    };
    let position = BucketPosition { begin_ms: row.try_get("begin_ms")?, row: row.try_get("id")? };
    Ok(StoredBucket { position, bucket })
}

/// The counters of a row; rejects are in a table of their own.
fn totals(row: &SqliteRow) -> Result<ShareTotals, StoreError> {
    let counter = |column: &str| row.try_get::<i64, _>(column).map(counted);
    let best: Option<f64> = row.try_get("best_difficulty")?;
    Ok(ShareTotals {
        found: counter("found")?,
        stale: counter("stale")?,
        duplicate: counter("duplicate")?,
        below_target: counter("below_target")?,
        out_of_window: counter("out_of_window")?,
        hardware_error: counter("hardware_error")?,
        suppressed: counter("suppressed")?,
        submitted: counter("submitted")?,
        accepted: counter("accepted")?,
        lost: counter("lost")?,
        blocks: counter("blocks")?,
        submitted_work: row.try_get("submitted_work")?,
        accepted_work: row.try_get("accepted_work")?,
        best_difficulty: best.and_then(|best| Difficulty::try_from(best).ok()),
        ..ShareTotals::default()
    })
}

/// A reason and its count, from two columns.
fn reject(row: &SqliteRow, at: usize) -> Result<(RejectReason, u64), StoreError> {
    let reason: String = row.try_get(at)?;
    let refused = counted(row.try_get(at + 1)?);
    Ok((RejectReason::from_name(&reason).unwrap_or(RejectReason::Other), refused))
}
