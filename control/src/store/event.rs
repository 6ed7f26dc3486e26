//! Events on disk: the newest, in order.

use super::{Store, StoreError, Write, count, counted, from_millis, millis};
use crate::event::{Event, KeptEvent};
use mujina_core::id::MinerName;
use sqlx::{Row, sqlite::SqliteRow};

/// Events that are kept.
const HISTORY: i64 = 10_000;

impl Store {
    /// Number of the newest event; 0 = there is none.
    pub async fn newest_event(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT coalesce(max(sequence), 0) FROM events").fetch_one(&self.readers).await?;
        Ok(counted(row.try_get(0)?))
    }

    /// At most `most` events after number `after`, oldest first.
    pub async fn events_after(&self, after: u64, most: usize) -> Result<Vec<KeptEvent>, StoreError> {
        let rows = sqlx::query("SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?")
            .bind(count(after))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }

    /// At most `most` events before number `before`, newest first, of one miner when it is given.
    pub async fn events_before(
        &self,
        before: Option<u64>,
        miner: Option<&MinerName>,
        most: usize,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM events WHERE sequence < ?1 AND (?2 IS NULL OR miner = ?2) ORDER BY sequence DESC LIMIT ?3",
        )
        .bind(before.map_or(i64::MAX, count))
        .bind(miner.map(MinerName::as_str))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }
}

impl Write {
    /// Appends events in order after leaving out `skipped` numbers, and drops those that are too old. Gives the newest number.
    pub async fn append_events(&mut self, events: &[Event], skipped: u64) -> Result<u64, StoreError> {
        let row =
            sqlx::query("SELECT coalesce(max(sequence), 0) FROM events").fetch_one(&mut *self.transaction).await?;
        let mut newest = counted(row.try_get(0)?).saturating_add(skipped);
        for Event { at, kind, miner, subject, message } in events {
            newest = newest.saturating_add(1);
            sqlx::query("INSERT INTO events (sequence, at, kind, miner, subject, message) VALUES (?, ?, ?, ?, ?, ?)")
                .bind(count(newest))
                .bind(millis(*at))
                .bind(kind)
                .bind(miner.as_ref().map(MinerName::as_str).unwrap_or_default())
                .bind(subject)
                .bind(message)
                .execute(&mut *self.transaction)
                .await?;
        }
        // Counted, because numbers are left out: those that were lost, and very many by a restore.
        sqlx::query(
            "DELETE FROM events WHERE sequence <= (SELECT sequence FROM events ORDER BY sequence DESC LIMIT 1 OFFSET ?)",
        )
        .bind(HISTORY)
        .execute(&mut *self.transaction)
        .await?;
        Ok(newest)
    }
}

fn read(row: &SqliteRow) -> Result<KeptEvent, StoreError> {
    let miner: String = row.try_get("miner")?;
    let sequence = counted(row.try_get("sequence")?);
    let bad = || StoreError::corrupt(format!("event {sequence}"));
    let miner = if miner.is_empty() { None } else { Some(miner.parse().map_err(|_| bad())?) };
    let event = Event {
        at: from_millis(row.try_get("at")?),
        kind: row.try_get("kind")?,
        miner,
        subject: row.try_get("subject")?,
        message: row.try_get("message")?,
    };
    Ok(KeptEvent { sequence, event })
}
