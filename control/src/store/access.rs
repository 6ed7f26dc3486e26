//! Bindings and tokens on disk.

use super::{Store, StoreError, Write, from_millis, millis};
use crate::{
    access::{Binding, token::Token},
    identity::Credential,
};
use mujina_proto::tls::Serial;
use sqlx::{Row, sqlite::SqliteRow};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// How long bindings that were read are known.
const KNOWN: Duration = Duration::from_secs(1);

impl Store {
    /// All bindings, in order of subject and role. Every call asks for them, so they are kept for a moment: what this process
    /// changes counts at once, what another changes within a second.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bindings(&self) -> Result<Arc<[Binding]>, StoreError> {
        let read = || async {
            let rows =
                sqlx::query("SELECT * FROM bindings ORDER BY subject, role, selector").fetch_all(&self.readers).await?;
            rows.iter().map(read_binding).collect()
        };
        self.bindings.get(read).await
    }

    /// All tokens, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn operator_tokens(&self) -> Result<Vec<Token>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM operator_tokens ORDER BY created_at DESC, id").fetch_all(&self.readers).await?;
        rows.iter().map(read_token).collect()
    }

    /// The ids of all tokens that count at this time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn living_tokens(&self, now: SystemTime) -> Result<HashSet<String>, StoreError> {
        let living = "SELECT id FROM operator_tokens WHERE revoked_at IS NULL AND expires_at > ?";
        let ids = sqlx::query_scalar(living).bind(millis(now)).fetch_all(&self.readers).await?;
        Ok(ids.into_iter().collect())
    }

    /// The token of this name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn operator_token(&self, id: &str) -> Result<Option<Token>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM operator_tokens WHERE id = ?").bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(read_token).transpose()
    }
}

/// Bindings as they were read last.
#[derive(Debug, Default)]
pub(super) struct KnownBindings {
    known: Mutex<Known>,
    /// Held by the one that reads, so that a thousand calls of a moment do not all read the same.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts what this process changed.
    changes: u64,
    read: Option<(Arc<[Binding]>, Instant)>,
}

impl KnownBindings {
    /// They as they were less than [`KNOWN`] ago; `read` reads them where nobody did.
    async fn get<F>(&self, read: impl FnOnce() -> F) -> Result<Arc<[Binding]>, StoreError>
    where
        F: Future<Output = Result<Arc<[Binding]>, StoreError>>,
    {
        if let Ok(known) = self.look(Instant::now()) {
            return Ok(known);
        }
        let _alone = self.reading.lock().await;
        let now = Instant::now();
        let changes = match self.look(now) {
            Ok(known) => return Ok(known),
            Err(changes) => changes,
        };
        let bindings = read().await?;
        self.keep(bindings.clone(), changes, now);
        Ok(bindings)
    }

    /// They, or else the number that must not have grown when they are kept.
    fn look(&self, now: Instant) -> Result<Arc<[Binding]>, u64> {
        let known = self.lock();
        match &known.read {
            Some((bindings, at)) if now.saturating_duration_since(*at) < KNOWN => Ok(bindings.clone()),
            _ => Err(known.changes),
        }
    }

    fn keep(&self, bindings: Arc<[Binding]>, changes: u64, now: Instant) {
        let mut known = self.lock();
        if known.changes == changes {
            known.read = Some((bindings, now));
        }
    }

    /// They are others from now on.
    pub(super) fn changed(&self) {
        let mut known = self.lock();
        known.changes += 1;
        known.read = None;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write {
    /// Adds a binding, which was checked; `false` when the subject has the role for the same miners already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_binding(&mut self, binding: &Binding, by: &str, at: SystemTime) -> Result<bool, StoreError> {
        let Binding { id, subject, role, selector } = binding;
        self.changes_bindings = true;
        let added = sqlx::query(
            "INSERT INTO bindings (id, subject, role, selector, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (subject, role, selector) DO NOTHING",
        )
        .bind(id)
        .bind(subject.to_string())
        .bind(role.name())
        .bind(selector.to_string())
        .bind(by)
        .bind(millis(at))
        .execute(&mut *self.transaction)
        .await?;
        Ok(added.rows_affected() > 0)
    }

    /// Removes a binding and gives it back; `None` when there is none with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_binding(&mut self, id: &str) -> Result<Option<Binding>, StoreError> {
        self.changes_bindings = true;
        let row = sqlx::query("DELETE FROM bindings WHERE id = ? RETURNING *")
            .bind(id)
            .fetch_optional(&mut *self.transaction)
            .await?;
        row.as_ref().map(read_binding).transpose()
    }

    /// Adds a token.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_operator_token(&mut self, token: &Token) -> Result<(), StoreError> {
        let Token { id, operator, label, hash, created_by, created_at, expires_at, revoked_at } = token;
        sqlx::query(
            "INSERT INTO operator_tokens (id, operator, label, hash, created_by, created_at, expires_at, revoked_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(operator)
        .bind(label)
        .bind(hash.as_slice())
        .bind(created_by)
        .bind(millis(*created_at))
        .bind(millis(*expires_at))
        .bind(revoked_at.map(millis))
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Ends a token and the certificates that came of it, whose serials it gives; `None` when there is none with this id,
    /// or it was ended before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_operator_token(
        &mut self,
        id: &str,
        by: &str,
        at: SystemTime,
    ) -> Result<Option<Vec<Serial>>, StoreError> {
        let revoked = sqlx::query("UPDATE operator_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(millis(at))
            .bind(id)
            .execute(&mut *self.transaction)
            .await?;
        if revoked.rows_affected() == 0 {
            return Ok(None);
        }
        self.revoke_what_came_of(&Credential::Token(id.into()), (by, at)).await.map(Some)
    }
}

pub(super) fn read_binding(row: &SqliteRow) -> Result<Binding, StoreError> {
    let [id, subject, role, selector]: [String; 4] =
        [row.try_get("id")?, row.try_get("subject")?, row.try_get("role")?, row.try_get("selector")?];
    let bad = || StoreError::corrupt(format!("a binding ({id})"));
    Ok(Binding {
        subject: subject.parse().map_err(|_| bad())?,
        role: role.parse().map_err(|_| bad())?,
        selector: selector.parse().map_err(|_| bad())?,
        id,
    })
}

fn read_token(row: &SqliteRow) -> Result<Token, StoreError> {
    let hash: Vec<u8> = row.try_get("hash")?;
    Ok(Token {
        id: row.try_get("id")?,
        operator: row.try_get("operator")?,
        label: row.try_get("label")?,
        hash: hash.try_into().map_err(|_| StoreError::corrupt("a token"))?,
        created_by: row.try_get("created_by")?,
        created_at: from_millis(row.try_get("created_at")?),
        expires_at: from_millis(row.try_get("expires_at")?),
        revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(from_millis),
    })
}

#[cfg(test)]
mod tests;
