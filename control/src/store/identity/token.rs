//! Tokens on disk.

use super::{Store, StoreError, Write, from_millis, labels, millis, parsed};
use crate::identity::StoredToken;
use mujina_proto::tls::TokenId;
use sqlx::{Row, sqlite::SqliteRow};
use std::time::SystemTime;

/// A token with what proves its secret.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) token: StoredToken,
    pub(crate) secret_hash: [u8; 32],
}

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
        .execute(&mut *self.transaction)
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
        .execute(&mut *self.transaction)
        .await?;
        Ok(claimed.rows_affected() > 0)
    }

    pub(crate) async fn token(&mut self, id: TokenId) -> Result<Option<TokenRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM enrolment_tokens WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *self.transaction)
            .await?;
        row.as_ref().map(read_token).transpose()
    }

    /// Makes a token good for nothing; `false` when there is no such token. The first time stays.
    pub(crate) async fn revoke_token(&mut self, id: TokenId, now: SystemTime) -> Result<bool, StoreError> {
        let revoked = sqlx::query("UPDATE enrolment_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")
            .bind(millis(now))
            .bind(id.to_string())
            .execute(&mut *self.transaction)
            .await?;
        Ok(revoked.rows_affected() > 0)
    }
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
