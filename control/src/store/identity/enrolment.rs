//! Enrolments on disk.

use super::{Store, StoreError, Write, from_millis, labels, millis, parsed};
use crate::identity::{Decision, Enrolment, StoredToken};
use mujina_core::id::MinerName;
use mujina_proto::tls::{Fingerprint, Serial, TokenId};
use sqlx::{Row, sqlite::SqliteRow};
use std::time::SystemTime;

/// An enrolment that is new.
#[derive(Debug, Clone)]
pub(crate) struct NewEnrolment<'a> {
    pub(crate) token: &'a StoredToken,
    pub(crate) key: Fingerprint,
    pub(crate) request: &'a str,
    pub(crate) miner: &'a MinerName,
    pub(crate) source: &'a str,
    pub(crate) asked_at: SystemTime,
}

/// An enrolment with what its certificate is made of, and the certificate.
#[derive(Debug, Clone)]
pub(crate) struct EnrolmentRow {
    pub(crate) enrolment: Enrolment,
    pub(crate) request: String,
    pub(crate) chain: Option<String>,
    pub(crate) is_revoked: bool,
}

const ENROLMENTS: &str = "SELECT enrolments.*, certificates.chain, revocations.serial IS NOT NULL AS is_revoked
     FROM enrolments LEFT JOIN certificates USING (serial) LEFT JOIN revocations USING (serial)";

impl Store {
    /// The enrolment of a key with a token.
    pub(crate) async fn enrolment_of(
        &self,
        token: TokenId,
        key: Fingerprint,
    ) -> Result<Option<EnrolmentRow>, StoreError> {
        enrolment_of(&self.readers, token, key).await
    }

    /// Newest first, at most `most`, older than number `before`.
    pub(crate) async fn enrolments(
        &self,
        decision: Option<Decision>,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<Enrolment>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{ENROLMENTS} WHERE (?1 IS NULL OR state = ?1) AND number < ?2 ORDER BY number DESC LIMIT ?3"
        )))
        .bind(decision.map(Decision::as_str))
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok(read_enrolment(row)?.enrolment)).collect()
    }
}

impl Write {
    /// Stores a pending enrolment; returns its number.
    pub(crate) async fn insert_enrolment(&mut self, new: &NewEnrolment<'_>) -> Result<i64, StoreError> {
        let NewEnrolment { token, key, request, miner, source, asked_at } = new;
        let inserted = sqlx::query(
            "INSERT INTO enrolments (token, key, request, miner, source, labels, state, asked_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(token.id.to_string())
        .bind(key.to_string())
        .bind(request)
        .bind(miner.as_str())
        .bind(source)
        .bind(serde_json::to_string(&token.labels).map_err(|_| StoreError::corrupt("labels"))?)
        .bind(Decision::Pending.as_str())
        .bind(millis(*asked_at))
        .execute(&mut *self.transaction)
        .await?;
        Ok(inserted.last_insert_rowid())
    }

    /// The enrolment of a key with a token.
    pub(crate) async fn enrolment_of(
        &mut self,
        token: TokenId,
        key: Fingerprint,
    ) -> Result<Option<EnrolmentRow>, StoreError> {
        enrolment_of(&mut *self.transaction, token, key).await
    }

    /// The enrolment of this number, while nobody has decided.
    pub(crate) async fn pending_enrolment(&mut self, number: i64) -> Result<Option<EnrolmentRow>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{ENROLMENTS} WHERE number = ? AND state = ?")))
            .bind(number)
            .bind(Decision::Pending.as_str())
            .fetch_optional(&mut *self.transaction)
            .await?;
        row.as_ref().map(read_enrolment).transpose()
    }

    /// Whether somebody waits for a decision under this name.
    pub(crate) async fn is_pending(&mut self, miner: &MinerName) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM enrolments WHERE miner = ? AND state = ? LIMIT 1")
            .bind(miner.as_str())
            .bind(Decision::Pending.as_str())
            .fetch_optional(&mut *self.transaction)
            .await?;
        Ok(row.is_some())
    }

    /// Notes the decision on a pending enrolment, with the certificate or the reason.
    pub(crate) async fn decide_enrolment(
        &mut self,
        number: i64,
        decision: Decision,
        (by, at): (&str, SystemTime),
        serial: Option<Serial>,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE enrolments SET state = ?, decided_by = ?, decided_at = ?, serial = ?, reason = ? WHERE number = ?",
        )
        .bind(decision.as_str())
        .bind(by)
        .bind(millis(at))
        .bind(serial.map(|serial| serial.to_string()))
        .bind(reason)
        .bind(number)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

async fn enrolment_of(
    executor: impl sqlx::SqliteExecutor<'_>,
    token: TokenId,
    key: Fingerprint,
) -> Result<Option<EnrolmentRow>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{ENROLMENTS} WHERE token = ? AND enrolments.key = ?")))
        .bind(token.to_string())
        .bind(key.to_string())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(read_enrolment).transpose()
}

fn read_enrolment(row: &SqliteRow) -> Result<EnrolmentRow, StoreError> {
    let state: String = row.try_get("state")?;
    let enrolment = Enrolment {
        number: row.try_get("number")?,
        token: parsed(row, "token")?,
        key: parsed(row, "key")?,
        miner: parsed(row, "miner")?,
        source: row.try_get("source")?,
        labels: labels(row)?,
        decision: Decision::from_name(&state).ok_or_else(|| StoreError::corrupt("the state of an enrolment"))?,
        asked_at: from_millis(row.try_get("asked_at")?),
        decided_at: row.try_get::<Option<i64>, _>("decided_at")?.map(from_millis),
        decided_by: row.try_get("decided_by")?,
        reason: row.try_get("reason")?,
    };
    Ok(EnrolmentRow {
        enrolment,
        request: row.try_get("request")?,
        chain: row.try_get("chain")?,
        is_revoked: row.try_get("is_revoked")?,
    })
}
