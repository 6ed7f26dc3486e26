//! Takes pages of many miners in one transaction, with as few statements as that needs.

use super::{StoreError, Write, count, counted, millis, span_millis};
use crate::statistics::{Batch, BucketPage, PageError, Position, RESOLUTIONS, Sums, batch};
use mujina_core::{
    id::MinerName,
    share::{ShareBucket, ShareTotals},
    units::Difficulty,
};
use serde_json::json;
use sqlx::{Row, Sqlite, query::Query, sqlite::SqliteArguments};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
    time::SystemTime,
};

/// Rows that one statement takes, most first: each statement costs a trip to the thread of its connection.
const ROWS: [usize; 3] = [64, 8, 1];

/// What a page brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Buckets that are new.
    pub buckets: usize,
    /// Buckets that were gone already.
    pub missing: u64,
    /// The last sequence of the miner's database that is stored.
    pub after: u64,
}

/// How far a miner's database is collected.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    ordinal: i64,
    sequence: u64,
    /// Begin of the bucket with that sequence.
    last_begin: Option<i64>,
}

/// A bucket that is new.
struct NewRow<'a> {
    miner: &'a MinerName,
    database: &'a str,
    bucket: &'a ShareBucket,
    /// Its length, if no bucket of another pool covered that time.
    first_ms: i64,
}

/// Cursors by miner and database.
type Cursors = BTreeMap<(MinerName, String), Cursor>;

static INSERTS: LazyLock<[String; 3]> = LazyLock::new(|| ROWS.map(inserts));
static ADDITIONS: LazyLock<[String; 3]> = LazyLock::new(|| ROWS.map(additions));

// `OR FAIL`: a failure ends the whole transaction anyway, and SQLite need not keep a copy of each page to undo one statement.

fn inserts(rows: usize) -> String {
    format!("INSERT OR FAIL INTO share_rows VALUES {}", places(25, rows))
}

fn additions(rows: usize) -> String {
    let summed = [
        "length_ms",
        "first_ms",
        "buckets",
        "stale",
        "submitted",
        "accepted",
        "rejected",
        "submitted_work",
        "accepted_work",
        "hashes",
    ];
    let summed = summed.map(|column| format!("{column} = {column} + excluded.{column}")).join(", ");
    format!("INSERT OR FAIL INTO share_rollups VALUES {} ON CONFLICT DO UPDATE SET {summed}", places(14, rows))
}

/// All rows, with the statement for as many at once.
fn portions<'a, T>(
    statements: &'static [String; 3],
    mut rows: &'a [T],
) -> impl Iterator<Item = (&'static str, &'a [T])> {
    std::iter::from_fn(move || {
        let (statement, most) = statements.iter().zip(ROWS).find(|(_, most)| *most <= rows.len())?;
        let (portion, rest) = rows.split_at_checked(most)?;
        rows = rest;
        Some((statement.as_str(), portion))
    })
}

fn places(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

impl Write {
    /// Stores what is new in the pages and moves the cursors behind it. A page that breaks the rules changes nothing.
    pub(crate) async fn collect(
        &mut self,
        pages: &[(MinerName, BucketPage)],
        now: SystemTime,
    ) -> Result<Vec<Result<Collected, PageError>>, StoreError> {
        let mut cursors = self.cursors(pages).await?;
        let (mut answers, mut batches) = (Vec::with_capacity(pages.len()), Vec::new());
        let mut moved = BTreeSet::new();
        for (miner, page) in pages {
            let key = (miner.clone(), page.database_id.clone());
            match batch(position(&cursors, &key), page, now) {
                Ok(Batch { buckets, gaps, after }) => {
                    let missing = gaps.iter().map(|(_, missing)| missing).sum();
                    answers.push(Ok(Collected { buckets: buckets.len(), missing, after }));
                    let last_begin = cursors.get(&key).and_then(|cursor| cursor.last_begin);
                    let newest = buckets.last().map(|bucket| millis(bucket.begin)).or(last_begin);
                    let ordinal = ordinal(&cursors, &key);
                    cursors.insert(key.clone(), Cursor { ordinal, sequence: after, last_begin: newest });
                    moved.insert(key);
                    batches.push((miner, page.database_id.as_str(), last_begin, buckets, gaps));
                }
                Err(error) => answers.push(Err(error)),
            }
        }
        let mut rows = Vec::new();
        for (miner, database, last_begin, buckets, gaps) in &batches {
            let mut last_begin = *last_begin;
            for bucket in buckets {
                let begin = millis(bucket.begin);
                let first_ms = if last_begin == Some(begin) { 0 } else { span_millis(bucket.length) };
                last_begin = Some(begin);
                rows.push(NewRow { miner, database, bucket, first_ms });
            }
            for (bucket, missing) in gaps {
                self.insert_gap(miner, database, bucket, *missing).await?;
            }
        }
        self.insert_rows(&rows).await?;
        self.move_cursors(&cursors, &moved).await?;
        Ok(answers)
    }

    async fn cursors(&mut self, pages: &[(MinerName, BucketPage)]) -> Result<Cursors, StoreError> {
        let miners = json!(pages.iter().map(|(miner, _)| miner.as_str()).collect::<BTreeSet<_>>());
        let rows = sqlx::query(
            "SELECT miner, database_id, ordinal, sequence, last_begin_ms FROM share_cursors
             WHERE miner IN (SELECT value FROM json_each(?))",
        )
        .bind(miners.to_string())
        .fetch_all(&mut *self.transaction)
        .await?;
        let mut found = Cursors::new();
        for row in &rows {
            let (miner, database): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let miner = miner.parse().map_err(|_| StoreError::corrupt("a miner's name"))?;
            let (ordinal, last_begin) = (row.try_get(2)?, row.try_get(4)?);
            found.insert((miner, database), Cursor { ordinal, sequence: counted(row.try_get(3)?), last_begin });
        }
        Ok(found)
    }

    async fn move_cursors(
        &mut self,
        cursors: &Cursors,
        moved: &BTreeSet<(MinerName, String)>,
    ) -> Result<(), StoreError> {
        let cursor = |key: &(MinerName, String)| {
            let Cursor { ordinal, sequence, last_begin } = cursors.get(key)?;
            Some(json!([key.0.as_str(), key.1, ordinal, count(*sequence), last_begin]))
        };
        let moved: Vec<_> = moved.iter().filter_map(cursor).collect();
        sqlx::query(
            "INSERT INTO share_cursors (miner, database_id, ordinal, sequence, last_begin_ms)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?) WHERE true
             ON CONFLICT DO UPDATE SET
                 ordinal = excluded.ordinal, sequence = excluded.sequence, last_begin_ms = excluded.last_begin_ms",
        )
        .bind(json!(moved).to_string())
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    async fn insert_gap(
        &mut self,
        miner: &MinerName,
        database: &str,
        bucket: &ShareBucket,
        missing: u64,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO share_gaps (miner, database_id, sequence, begin_ms, missing) VALUES (?, ?, ?, ?, ?)")
            .bind(miner.as_str())
            .bind(database)
            .bind(count(bucket.sequence))
            .bind(millis(bucket.begin))
            .bind(count(missing))
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Stores rows and adds them to the sums.
    async fn insert_rows(&mut self, rows: &[NewRow<'_>]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let numbers = self.numbers(rows).await?;
        let number = |text: &str| numbers.get(text).copied().ok_or_else(|| StoreError::corrupt("a text"));
        let mut sums = BTreeMap::<[i64; 4], Sums>::new();
        let mut numbered = Vec::with_capacity(rows.len());
        for row in rows {
            let (miner, pool) = (number(row.miner.as_str())?, number(row.bucket.pool.as_str())?);
            numbered.push((miner, number(row.database)?, pool, row));
            let begin = millis(row.bucket.begin);
            for resolution in RESOLUTIONS {
                let key = [resolution, miner, begin - begin.rem_euclid(resolution), pool];
                sums.entry(key).or_default().add(row.bucket, row.first_ms);
            }
        }
        // In the order in which they lie on disk.
        numbered.sort_unstable_by_key(|(miner, .., row)| (*miner, row.bucket.begin, row.bucket.sequence));
        for (statement, rows) in portions(&INSERTS, &numbered) {
            rows.iter().try_fold(sqlx::query(statement), bind_row)?.execute(&mut *self.transaction).await?;
        }
        let sums: Vec<_> = sums.into_iter().collect();
        for (statement, sums) in portions(&ADDITIONS, &sums) {
            sums.iter().fold(sqlx::query(statement), bind_sums).execute(&mut *self.transaction).await?;
        }
        Ok(())
    }

    /// The numbers of all texts of these rows.
    async fn numbers(&mut self, rows: &[NewRow<'_>]) -> Result<HashMap<String, i64>, StoreError> {
        let mut texts = BTreeSet::new();
        for NewRow { miner, database, bucket, .. } in rows {
            texts.extend([miner.as_str(), database, bucket.pool.as_str()]);
        }
        let list = json!(texts).to_string();
        let mut found = self.known_numbers(&list).await?;
        if found.len() < texts.len() {
            sqlx::query(
                "INSERT INTO share_texts (text) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
            )
            .bind(&list)
            .execute(&mut *self.transaction)
            .await?;
            found = self.known_numbers(&list).await?;
        }
        Ok(found)
    }

    async fn known_numbers(&mut self, texts: &str) -> Result<HashMap<String, i64>, StoreError> {
        let rows = sqlx::query("SELECT text, id FROM share_texts WHERE text IN (SELECT value FROM json_each(?))")
            .bind(texts)
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?)
    }
}

/// What is stored of a database.
fn position(cursors: &Cursors, key: &(MinerName, String)) -> Position {
    match cursors.get(key) {
        Some(cursor) => Position::After(cursor.sequence),
        None if of_miner(cursors, &key.0).next().is_some() => Position::NewDatabase,
        None => Position::NewMiner,
    }
}

/// The place of a database among those of its miner: the one in use is the last.
fn ordinal(cursors: &Cursors, key: &(MinerName, String)) -> i64 {
    let newest = of_miner(cursors, &key.0).map(|cursor| cursor.ordinal).max().unwrap_or_default();
    let known = cursors.get(key).map(|cursor| cursor.ordinal);
    known.filter(|ordinal| *ordinal == newest).unwrap_or(newest.saturating_add(1))
}

fn of_miner<'a>(cursors: &'a Cursors, miner: &MinerName) -> impl Iterator<Item = &'a Cursor> {
    let miner = miner.clone();
    cursors.range((miner.clone(), String::new())..).take_while(move |((name, _), _)| *name == miner).map(|(_, one)| one)
}

type Statement = Query<'static, Sqlite, SqliteArguments>;

fn bind_row(
    query: Statement,
    (miner, database, pool, row): &(i64, i64, i64, &NewRow<'_>),
) -> Result<Statement, StoreError> {
    let ShareBucket { sequence, begin, length, pool: _, added, pending_delta, hashes } = row.bucket;
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
    let refused: BTreeMap<_, _> = rejected.iter().map(|(reason, count)| (reason.as_str(), count)).collect();
    let total = refused.values().copied().fold(0, u64::saturating_add);
    let rejects = (!refused.is_empty()).then(|| serde_json::to_string(&refused)).transpose();
    let rejects = rejects.map_err(|_| StoreError::corrupt("refused shares"))?;
    Ok(query
        .bind(*miner)
        .bind(millis(*begin))
        .bind(*database)
        .bind(count(*sequence))
        .bind(*pool)
        .bind(span_millis(*length))
        .bind(row.first_ms)
        .bind(count(*found))
        .bind(count(*stale))
        .bind(count(*duplicate))
        .bind(count(*below_target))
        .bind(count(*out_of_window))
        .bind(count(*hardware_error))
        .bind(count(*suppressed))
        .bind(count(*submitted))
        .bind(count(*accepted))
        .bind(count(total))
        .bind(rejects)
        .bind(count(*lost))
        .bind(count(*blocks))
        .bind(*submitted_work)
        .bind(*accepted_work)
        .bind(best_difficulty.map(Difficulty::as_f64))
        .bind(*pending_delta)
        .bind(*hashes))
}

fn bind_sums(query: Statement, ([resolution, miner, begin, pool], sums): &([i64; 4], Sums)) -> Statement {
    let Sums {
        length_ms,
        first_ms,
        buckets,
        stale,
        submitted,
        accepted,
        rejected,
        submitted_work,
        accepted_work,
        hashes,
    } = sums;
    query
        .bind(*resolution)
        .bind(*miner)
        .bind(*begin)
        .bind(*pool)
        .bind(*length_ms)
        .bind(*first_ms)
        .bind(count(*buckets))
        .bind(count(*stale))
        .bind(count(*submitted))
        .bind(count(*accepted))
        .bind(count(*rejected))
        .bind(*submitted_work)
        .bind(*accepted_work)
        .bind(*hashes)
}
