//! Tokens and enrolments on disk. Of secrets only digests.

mod certificate;

use super::{Store, StoreError, Write, from_millis, millis};
use crate::identity::{Decision, Enrolment, StoredToken};
use mujina_core::id::MinerName;
use mujina_proto::tls::{Fingerprint, Serial, TokenId};
use sqlx::{Row, sqlite::SqliteRow};
use std::{
    collections::BTreeMap,
    str::FromStr,
    time::{Duration, SystemTime},
};

/// How long what ended is kept for people who look back.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A token with what proves its secret.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) token: StoredToken,
    pub(crate) secret_hash: [u8; 32],
}

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
    pub(crate) async fn token(&self, id: TokenId) -> Result<Option<TokenRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM enrolment_tokens WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(read_token).transpose()
    }

    /// All of them, the newest first.
    pub(crate) async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM enrolment_tokens ORDER BY created_at DESC, id").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(read_token(row)?.token)).collect()
    }

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

    /// Drops what ended long ago, in one step.
    pub(crate) async fn prune_identities(&self, now: SystemTime) -> Result<(), StoreError> {
        let oldest = millis(now.checked_sub(KEPT).unwrap_or(SystemTime::UNIX_EPOCH));
        let mut write = self.write().await?;
        for statement in [
            "DELETE FROM enrolment_tokens WHERE expires_at < ?",
            // A pending one whose token is gone is not forgotten: a person still decides.
            "DELETE FROM enrolments WHERE decided_at < ?",
            "DELETE FROM certificates WHERE not_after < ?",
            "DELETE FROM revocations WHERE not_after < ?",
        ] {
            sqlx::query(statement).bind(oldest).execute(&mut *write.0).await?;
        }
        write.commit().await
    }
}

impl Write {
    pub(crate) async fn insert_token(&mut self, row: &TokenRow) -> Result<(), StoreError> {
        let TokenRow { token, secret_hash } = row;
        let StoredToken {
            id,
            created_at,
            created_by,
            expires_at,
            uses,
            uses_left,
            needs_approval,
            labels,
            revoked_at: _,
        } = token;
        sqlx::query(
            "INSERT INTO enrolment_tokens
                 (id, secret_hash, created_at, created_by, expires_at, uses, uses_left, needs_approval, labels)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.to_string())
        .bind(&secret_hash[..])
        .bind(millis(*created_at))
        .bind(created_by)
        .bind(millis(*expires_at))
        .bind(uses)
        .bind(uses_left)
        .bind(needs_approval)
        .bind(serde_json::to_string(labels).map_err(|_| StoreError::corrupt("labels"))?)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Takes one use; `false` when there is none to take, whatever the reason.
    pub(crate) async fn claim_token(&mut self, id: TokenId, now: SystemTime) -> Result<bool, StoreError> {
        let claimed = sqlx::query(
            "UPDATE enrolment_tokens SET uses_left = uses_left - 1
             WHERE id = ? AND uses_left > 0 AND expires_at > ? AND revoked_at IS NULL",
        )
        .bind(id.to_string())
        .bind(millis(now))
        .execute(&mut *self.0)
        .await?;
        Ok(claimed.rows_affected() > 0)
    }

    pub(crate) async fn token(&mut self, id: TokenId) -> Result<Option<TokenRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM enrolment_tokens WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *self.0)
            .await?;
        row.as_ref().map(read_token).transpose()
    }

    /// Makes a token good for nothing; `false` when there is no such token. The first time stays.
    pub(crate) async fn revoke_token(&mut self, id: TokenId, now: SystemTime) -> Result<bool, StoreError> {
        let revoked = sqlx::query("UPDATE enrolment_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")
            .bind(millis(now))
            .bind(id.to_string())
            .execute(&mut *self.0)
            .await?;
        Ok(revoked.rows_affected() > 0)
    }

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
        .execute(&mut *self.0)
        .await?;
        Ok(inserted.last_insert_rowid())
    }

    /// The enrolment of a key with a token.
    pub(crate) async fn enrolment_of(
        &mut self,
        token: TokenId,
        key: Fingerprint,
    ) -> Result<Option<EnrolmentRow>, StoreError> {
        enrolment_of(&mut *self.0, token, key).await
    }

    /// The enrolment of this number, while nobody has decided.
    pub(crate) async fn pending_enrolment(&mut self, number: i64) -> Result<Option<EnrolmentRow>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{ENROLMENTS} WHERE number = ? AND state = ?")))
            .bind(number)
            .bind(Decision::Pending.as_str())
            .fetch_optional(&mut *self.0)
            .await?;
        row.as_ref().map(read_enrolment).transpose()
    }

    /// Whether somebody waits for a decision under this name.
    pub(crate) async fn is_pending(&mut self, miner: &MinerName) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM enrolments WHERE miner = ? AND state = ? LIMIT 1")
            .bind(miner.as_str())
            .bind(Decision::Pending.as_str())
            .fetch_optional(&mut *self.0)
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
        .execute(&mut *self.0)
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

fn read_token(row: &SqliteRow) -> Result<TokenRow, StoreError> {
    let secret_hash: Vec<u8> = row.try_get("secret_hash")?;
    let token = StoredToken {
        id: parsed(row, "id")?,
        created_at: from_millis(row.try_get("created_at")?),
        created_by: row.try_get("created_by")?,
        expires_at: from_millis(row.try_get("expires_at")?),
        uses: row.try_get("uses")?,
        uses_left: row.try_get("uses_left")?,
        needs_approval: row.try_get("needs_approval")?,
        labels: labels(row)?,
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(from_millis),
    };
    Ok(TokenRow { token, secret_hash: secret_hash.try_into().map_err(|_| StoreError::corrupt("a token"))? })
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

fn labels(row: &SqliteRow) -> Result<BTreeMap<String, String>, StoreError> {
    let text: String = row.try_get("labels")?;
    serde_json::from_str(&text).map_err(|_| StoreError::corrupt("labels"))
}

/// A column that holds the text of a value.
fn parsed<T: FromStr>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| StoreError::corrupt(format_args!("a {column} `{text}`")))
}
