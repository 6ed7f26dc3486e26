//! Collected buckets on disk: rows, sums and cursors move together, so that a bucket is stored exactly once whatever is
//! killed.

mod collect;
mod prune;
mod reading;
mod series;

use super::{Store, StoreError, Write, count, counted, from_millis, millis, span_millis};
use crate::statistics::TimeRange;
pub use collect::Collected;
use mujina_core::{
    id::MinerName,
    share::{RejectReason, ShareBucket, ShareTotals},
    units::Difficulty,
};
use reading::{LONGEST, unread};
pub(crate) use series::{Points, SeriesRow};
use sqlx::{Connection, Row, sqlite::SqliteRow};
use std::time::{Duration, SystemTime};

/// Where a bucket stands in the order of time; pages continue after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketPosition {
    /// Begin of the bucket in milliseconds since the epoch.
    pub begin_ms: i64,
    /// Number of the miner's database.
    pub database: i64,
    /// Sequence in it.
    pub sequence: i64,
}

impl BucketPosition {
    const BEGIN: Self = Self { begin_ms: i64::MIN, database: i64::MIN, sequence: i64::MIN };
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

/// Number of the miner's name, of a row.
const OF_MINER: &str = "miner = (SELECT id FROM share_texts WHERE text = ?1)";

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

    /// All miners of which something was ever collected.
    pub(crate) async fn collected_miners(&self) -> Result<Vec<MinerName>, StoreError> {
        let rows =
            sqlx::query("SELECT DISTINCT miner FROM share_cursors ORDER BY miner").fetch_all(&self.readers).await?;
        let name = |row: &SqliteRow| {
            let name: String = row.try_get(0)?;
            name.parse().map_err(|_| StoreError::corrupt("a miner's name"))
        };
        rows.iter().map(name).collect()
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
        let after = after.unwrap_or(BucketPosition::BEGIN);
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT share_rows.*, share_texts.text AS pool_name FROM share_rows JOIN share_texts ON share_texts.id = pool
             WHERE {OF_MINER} AND begin_ms >= max(?2, ?4) AND begin_ms < ?3
                 AND (begin_ms, database, sequence) > (?4, ?5, ?6)
             ORDER BY begin_ms, database, sequence LIMIT ?7"
        )))
        .bind(miner.as_str())
        .bind(begin)
        .bind(end)
        .bind(after.begin_ms)
        .bind(after.database)
        .bind(after.sequence)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Sums over the buckets of some miners, or of all that there ever were.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] when there are too many of them.
    pub(crate) async fn summarize_shares(
        &self,
        miners: Option<&[MinerName]>,
        range: TimeRange,
    ) -> Result<SharesSummary, StoreError> {
        let (begin, end) = bounds(range);
        let name = miners
            .map(|miners| serde_json::json!(miners.iter().map(MinerName::as_str).collect::<Vec<_>>()).to_string());
        let name = name.as_deref();
        let within =
            "(?1 IS NULL OR miner IN (SELECT share_texts.id FROM share_texts JOIN json_each(?1) ON text = value))
            AND begin_ms >= ?2 AND begin_ms < ?3";
        // One moment for all three sums.
        let mut reading = self.reading(LONGEST).await?;
        let mut moment = reading.connection().begin().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) AS buckets, min(begin_ms) AS since, coalesce(sum(found), 0) AS found,
                 coalesce(sum(stale), 0) AS stale, coalesce(sum(duplicate), 0) AS duplicate,
                 coalesce(sum(below_target), 0) AS below_target, coalesce(sum(out_of_window), 0) AS out_of_window,
                 coalesce(sum(hardware_error), 0) AS hardware_error, coalesce(sum(suppressed), 0) AS suppressed,
                 coalesce(sum(submitted), 0) AS submitted, coalesce(sum(accepted), 0) AS accepted,
                 coalesce(sum(lost), 0) AS lost, coalesce(sum(blocks), 0) AS blocks,
                 coalesce(sum(submitted_work), 0.0) AS submitted_work, coalesce(sum(accepted_work), 0.0) AS accepted_work,
                 max(best_difficulty) AS best_difficulty, coalesce(sum(pending_delta), 0) AS pending_delta,
                 coalesce(sum(hashes), 0.0) AS hashes
             FROM share_rows WHERE {within}"
        )))
        .bind(name)
        .bind(begin)
        .bind(end)
        .fetch_one(&mut *moment)
        .await
        .map_err(unread)?;
        let rejects = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT json_group_object(reason, refused) FROM (
                 SELECT one.key AS reason, sum(one.value) AS refused FROM share_rows, json_each(rejects) AS one
                 WHERE rejected > 0 AND {within} GROUP BY one.key
             )"
        )))
        .bind(name)
        .bind(begin)
        .bind(end)
        .fetch_one(&mut *moment)
        .await
        .map_err(unread)?;
        let missing = sqlx::query(
            "SELECT coalesce(sum(missing), 0) FROM share_gaps
             WHERE (?1 IS NULL OR miner IN (SELECT value FROM json_each(?1))) AND begin_ms >= ?2 AND begin_ms < ?3",
        )
        .bind(name)
        .bind(begin)
        .bind(end)
        .fetch_one(&mut *moment)
        .await
        .map_err(unread)?;
        let mut totals = totals(&row)?;
        add_rejects(&mut totals, rejects.try_get(0)?)?;
        totals.pending = counted(row.try_get("pending_delta")?);
        Ok(SharesSummary {
            totals,
            since: row.try_get::<Option<i64>, _>("since")?.map(from_millis),
            buckets: counted(row.try_get("buckets")?),
            missing: counted(missing.try_get(0)?),
            hashes: row.try_get("hashes")?,
        })
    }
}

fn bounds(TimeRange { begin, end }: TimeRange) -> (i64, i64) {
    (begin.map_or(i64::MIN, millis), end.map_or(i64::MAX, millis))
}

fn read(row: &SqliteRow) -> Result<StoredBucket, StoreError> {
    let pool: String = row.try_get("pool_name")?;
    let mut added = totals(row)?;
    add_rejects(&mut added, row.try_get("rejects")?)?;
    let bucket = ShareBucket {
        sequence: counted(row.try_get("sequence")?),
        begin: from_millis(row.try_get("begin_ms")?),
        length: Duration::from_millis(counted(row.try_get("length_ms")?)),
        pool: pool.parse().map_err(|_| StoreError::corrupt(format!("a bucket of pool `{pool}`")))?,
        added,
        pending_delta: row.try_get("pending_delta")?,
        hashes: row.try_get("hashes")?,
    };
    let position = BucketPosition {
        begin_ms: row.try_get("begin_ms")?,
        database: row.try_get("database")?,
        sequence: row.try_get("sequence")?,
    };
    Ok(StoredBucket { position, bucket })
}

/// The counters of a row but for its rejects.
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

/// Adds refused shares, a JSON object of counts by reason.
fn add_rejects(totals: &mut ShareTotals, rejects: Option<String>) -> Result<(), StoreError> {
    let Some(rejects) = rejects else { return Ok(()) };
    let rejects: std::collections::BTreeMap<String, u64> =
        serde_json::from_str(&rejects).map_err(|_| StoreError::corrupt("refused shares"))?;
    for (reason, refused) in rejects {
        *totals.rejected.get_mut(RejectReason::from_name(&reason).unwrap_or(RejectReason::Other)) += refused;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
