//! Sums over time, by group and pool.

use super::{
    Store, StoreError, counted,
    reading::{LONGEST, unread},
};
use mujina_core::id::MinerName;
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::BTreeMap;

/// Which sums.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// The miners, each with the number of its group.
    pub(crate) groups: BTreeMap<MinerName, usize>,
    /// Whether each pool is a group of its own.
    pub(crate) by_pool: bool,
    /// From here on, milliseconds since the epoch.
    pub(crate) begin_ms: i64,
    /// Up to here, exclusive.
    pub(crate) end_ms: i64,
    /// Width of a point.
    pub(crate) step_ms: i64,
    /// Width of the rows that are summed; `None` = the buckets themselves.
    pub(crate) resolution_ms: Option<i64>,
}

/// Sums of one group over one step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesRow {
    pub(crate) begin_ms: i64,
    pub(crate) group: usize,
    /// Empty when pools are no groups.
    pub(crate) pool: String,
    pub(crate) covered_ms: u64,
    pub(crate) submitted: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) stale: u64,
    pub(crate) accepted_work: f64,
    /// See [`Point::work_variance`](crate::statistics::Point::work_variance).
    pub(crate) work_variance: f64,
}

impl Store {
    /// At most `most` sums, in order of time, group and pool.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] when there is too much to sum up.
    pub(crate) async fn share_series(&self, points: &Points, most: usize) -> Result<Vec<SeriesRow>, StoreError> {
        let Points { groups, by_pool, begin_ms, end_ms, step_ms, resolution_ms } = points;
        let groups: BTreeMap<_, _> = groups.iter().map(|(miner, group)| (miner.as_str(), group)).collect();
        let groups = serde_json::to_string(&groups).map_err(|_| StoreError::corrupt("groups"))?;
        let (table, resolution) = match resolution_ms {
            None => ("share_rows", "?7 = 0"),
            Some(_) => ("share_rollups", "r.resolution_ms = ?7"),
        };
        // A span is covered once, whatever pools were worked for; a pool's own time is that of its own buckets.
        let (pool, covered) = if *by_pool { ("r.pool", "r.length_ms") } else { ("0", "r.first_ms") };
        let mut reading = self.reading(LONGEST).await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT sums.*, coalesce(share_texts.text, '') AS pool_name FROM (
                 SELECT r.begin_ms - r.begin_ms % ?4 AS point, chosen.grp AS grp, {pool} AS pool_id,
                     sum({covered}) AS covered, sum(r.submitted) AS submitted, sum(r.accepted) AS accepted,
                     sum(r.rejected) AS rejected, sum(r.stale) AS stale, sum(r.accepted_work) AS accepted_work,
                     sum(iif(r.accepted > 0, r.accepted_work * r.accepted_work / r.accepted, 0.0)) AS work_variance
                 FROM (SELECT t.id AS miner, one.value AS grp FROM json_each(?1) AS one JOIN share_texts AS t ON t.text = one.key)
                     AS chosen
                 CROSS JOIN {table} AS r ON {resolution} AND r.miner = chosen.miner AND r.begin_ms >= ?2 AND r.begin_ms < ?3
                 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT ?6
             ) AS sums LEFT JOIN share_texts ON ?5 AND share_texts.id = pool_id
             ORDER BY point, grp, pool_name"
        )))
        .bind(groups)
        .bind(begin_ms)
        .bind(end_ms)
        .bind(step_ms)
        .bind(by_pool)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(resolution_ms.unwrap_or_default())
        .fetch_all(reading.connection())
        .await
        .map_err(unread)?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &SqliteRow) -> Result<SeriesRow, StoreError> {
    let counter = |column: &str| row.try_get::<i64, _>(column).map(counted);
    let group: i64 = row.try_get("grp")?;
    Ok(SeriesRow {
        begin_ms: row.try_get("point")?,
        group: usize::try_from(group).map_err(|_| StoreError::corrupt("a group"))?,
        pool: row.try_get("pool_name")?,
        covered_ms: counter("covered")?,
        submitted: counter("submitted")?,
        accepted: counter("accepted")?,
        rejected: counter("rejected")?,
        stale: counter("stale")?,
        accepted_work: row.try_get("accepted_work")?,
        work_variance: row.try_get("work_variance")?,
    })
}
