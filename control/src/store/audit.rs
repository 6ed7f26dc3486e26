//! The audit log on disk: appended to in the transaction of the change that it tells of, never changed.

use super::{Store, StoreError, Write, count, counted};
use crate::audit::{Broken, Entry, Fault, Head, Record, RecordHash};
use sqlx::{Row, Sqlite, SqliteConnection, sqlite::SqliteRow};
use std::time::SystemTime;

/// Records read at once while verifying.
const PAGE: usize = 500;

impl Write {
    /// Appends to the log: it is there if and only if the other changes of this transaction are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn append_audit(&mut self, entry: Entry) -> Result<Record, StoreError> {
        let mut head = head(&mut self.transaction).await?;
        // After a cut end the gap stays, so that it shows for ever.
        head.sequence = head.sequence.max(remembered(&mut self.transaction).await?);
        let record = Record::chained(entry, head, SystemTime::now());
        let Record { sequence, at_ms, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash } =
            &record;
        sqlx::query(
            "INSERT INTO audit (sequence, at, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(count(*sequence))
        .bind(count(*at_ms))
        .bind(who)
        .bind(origin)
        .bind(method)
        .bind(target)
        .bind(outcome)
        .bind(detail)
        .bind(trace_id)
        .bind(diff)
        .bind(previous.0.as_slice())
        .bind(hash.0.as_slice())
        .execute(&mut *self.transaction)
        .await?;
        Ok(record)
    }
}

impl Store {
    /// Appends one entry by itself: a call that was denied, or one that failed, changes nothing else.
    ///
    /// # Errors
    /// The database failed.
    pub async fn append_audit(&self, entry: Entry) -> Result<Record, StoreError> {
        let mut write = self.write().await?;
        let record = write.append_audit(entry).await?;
        write.commit().await?;
        Ok(record)
    }

    /// At most `most` records after number `after`, oldest first: for exports.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_after(&self, after: u64, most: usize) -> Result<Vec<Record>, StoreError> {
        let rows = sqlx::query("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?")
            .bind(count(after))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }

    /// At most `most` records before number `before`, newest first, of one target when it is given: for people.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_before(
        &self,
        before: Option<u64>,
        target: Option<&str>,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM audit WHERE sequence < ?1 AND (?2 IS NULL OR target = ?2) ORDER BY sequence DESC LIMIT ?3",
        )
        .bind(before.map_or(i64::MAX, count))
        .bind(target)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// One record: its [`Record::head`] is where a verification can begin.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_record(&self, sequence: u64) -> Result<Option<Record>, StoreError> {
        let row = sqlx::query("SELECT * FROM audit WHERE sequence = ?")
            .bind(count(sequence))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Follows the chain to its end, from the begin or from an end that somebody noted earlier. Gives the end, or the first
    /// place where the log is not what it was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn verify_audit(&self, from: Option<Head>) -> Result<Result<Head, Broken>, StoreError> {
        let mut reader = self.readers.begin().await?;
        let mut at = from.unwrap_or_else(|| Head::empty(self.database_id()));
        if at.sequence > 0 {
            let row = sqlx::query("SELECT * FROM audit WHERE sequence = ?")
                .bind(count(at.sequence))
                .fetch_optional(&mut *reader)
                .await?;
            let broken = |what| Ok(Err(Broken { sequence: at.sequence, what }));
            match row.as_ref().map(read).transpose()? {
                None => return broken(Fault::CutOff),
                Some(record) if record.hash != at.hash || record.computed() != at.hash => {
                    return broken(Fault::Altered);
                }
                Some(_) => {}
            }
        }
        loop {
            let rows = sqlx::query("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?")
                .bind(count(at.sequence))
                .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
                .fetch_all(&mut *reader)
                .await?;
            for row in &rows {
                match at.verify(&read(row)?) {
                    Ok(next) => at = next,
                    Err(broken) => return Ok(Err(broken)),
                }
            }
            if rows.len() < PAGE {
                break;
            }
        }
        let cut = remembered(&mut reader).await? > at.sequence;
        Ok(if cut { Err(Broken { sequence: at.sequence.saturating_add(1), what: Fault::CutOff }) } else { Ok(at) })
    }
}

async fn head(connection: &mut SqliteConnection) -> Result<Head, StoreError> {
    let row = sqlx::query::<Sqlite>("SELECT * FROM audit ORDER BY sequence DESC LIMIT 1")
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        return Ok(read(&row)?.head());
    }
    let id: String =
        sqlx::query::<Sqlite>("SELECT database_id FROM identity").fetch_one(connection).await?.try_get(0)?;
    Ok(Head::empty(&id))
}

/// The greatest number that a record ever had.
async fn remembered(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let row = sqlx::query::<Sqlite>("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map_or(0, counted))
}

fn read(row: &SqliteRow) -> Result<Record, StoreError> {
    let hash = |column: &str| -> Result<RecordHash, StoreError> {
        let bytes: Vec<u8> = row.try_get(column)?;
        bytes.try_into().map(RecordHash).map_err(|_| StoreError::corrupt("a hash of the audit log"))
    };
    Ok(Record {
        sequence: counted(row.try_get("sequence")?),
        at_ms: counted(row.try_get("at")?),
        who: row.try_get("who")?,
        origin: row.try_get("origin")?,
        method: row.try_get("method")?,
        target: row.try_get("target")?,
        outcome: row.try_get("outcome")?,
        detail: row.try_get("detail")?,
        trace_id: row.try_get("trace_id")?,
        diff: row.try_get("diff")?,
        previous: hash("previous")?,
        hash: hash("hash")?,
    })
}

#[cfg(test)]
mod tests;
