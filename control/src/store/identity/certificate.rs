//! Certificates and their revocations on disk.

use super::{Store, StoreError, Write, from_millis, millis, parsed};
use crate::identity::{Certificate, Credential, Issued, Origin, Revocation};
use mujina_core::id::PeerName;
use mujina_proto::tls::{Fingerprint, Peer, PeerKind, Serial};
use sqlx::{Row, sqlite::SqliteRow};
use std::{collections::HashSet, time::SystemTime};

impl Store {
    /// All serials that are revoked.
    pub(crate) async fn revoked_serials(&self) -> Result<HashSet<Serial>, StoreError> {
        let rows = sqlx::query("SELECT serial FROM revocations").fetch_all(&self.readers).await?;
        rows.iter().map(|row| parsed(row, "serial")).collect()
    }

    /// All revocations, the newest first.
    pub(crate) async fn revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM revocations ORDER BY revoked_at DESC, serial").fetch_all(&self.readers).await?;
        let read = |row: &SqliteRow| {
            Ok(Revocation {
                serial: parsed(row, "serial")?,
                not_after: from_millis(row.try_get("not_after")?),
                revoked_at: from_millis(row.try_get("revoked_at")?),
                revoked_by: row.try_get("revoked_by")?,
                reason: row.try_get("reason")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Certificates that have not expired, of all holders or of one, by holder and age.
    pub(crate) async fn certificates(
        &self,
        holder: Option<(PeerKind, &PeerName)>,
        now: SystemTime,
    ) -> Result<Vec<Certificate>, StoreError> {
        let rows = sqlx::query(
            "SELECT certificates.*, revocations.serial IS NOT NULL AS is_revoked
             FROM certificates LEFT JOIN revocations USING (serial)
             WHERE (?1 IS NULL OR (kind = ?1 AND name = ?2)) AND certificates.not_after > ?3
             ORDER BY kind, name, issued_at",
        )
        .bind(holder.map(|(kind, _)| kind.as_str()))
        .bind(holder.map(|(_, name)| name.as_str()))
        .bind(millis(now))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }
}

impl Write {
    pub(crate) async fn insert_certificate(
        &mut self,
        issued: &Issued,
        origin: Option<&Origin>,
        by: &str,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let Issued { chain, peer, key } = issued;
        let Peer { kind, name, serial, fingerprint, not_before, not_after } = peer;
        sqlx::query(
            "INSERT INTO certificates
                 (serial, kind, name, fingerprint, key, not_before, not_after, issued_at, issued_by, chain, came_of,
                  not_beyond)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(serial.to_string())
        .bind(kind.as_str())
        .bind(name.as_str())
        .bind(fingerprint.to_string())
        .bind(key.to_string())
        .bind(millis(*not_before))
        .bind(millis(*not_after))
        .bind(millis(now))
        .bind(by)
        .bind(chain)
        .bind(origin.map(|origin| origin.credential.to_string()))
        .bind(origin.and_then(|origin| origin.not_beyond).map(millis))
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// How many certificates of this holder count.
    pub(crate) async fn valid_certificates(
        &mut self,
        kind: PeerKind,
        name: &PeerName,
        now: SystemTime,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT count(*) FROM certificates WHERE kind = ? AND name = ? AND not_after > ?
             AND serial NOT IN (SELECT serial FROM revocations)",
        )
        .bind(kind.as_str())
        .bind(name.as_str())
        .bind(millis(now))
        .fetch_one(&mut *self.transaction)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// The chain of a holder's certificate that counts and has this key.
    pub(crate) async fn chain_of_key(
        &mut self,
        peer: &Peer,
        key: Fingerprint,
        now: SystemTime,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT chain FROM certificates WHERE kind = ? AND name = ? AND not_after > ? AND key = ? AND serial <> ?
             AND serial NOT IN (SELECT serial FROM revocations) ORDER BY not_after DESC LIMIT 1",
        )
        .bind(peer.kind.as_str())
        .bind(peer.name.as_str())
        .bind(millis(now))
        .bind(key.to_string())
        .bind(peer.serial.to_string())
        .fetch_optional(&mut *self.transaction)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn is_revoked(&mut self, serial: Serial) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM revocations WHERE serial = ?")
            .bind(serial.to_string())
            .fetch_optional(&mut *self.transaction)
            .await?;
        Ok(row.is_some())
    }

    /// Whether a credential proves anything.
    pub(crate) async fn credential_counts(
        &mut self,
        credential: &Credential,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        match credential {
            Credential::Token(id) => {
                let living = "SELECT 1 FROM operator_tokens WHERE id = ? AND revoked_at IS NULL AND expires_at > ?";
                let row = sqlx::query(living).bind(id).bind(millis(now)).fetch_optional(&mut *self.transaction).await?;
                Ok(row.is_some())
            }
            Credential::Certificate { serial, not_after } => Ok(now < *not_after && !self.is_revoked(*serial).await?),
        }
    }

    /// Until when anything may count that comes of a credential; `None` = no token stands at its begin.
    pub(crate) async fn not_beyond(&mut self, credential: &Credential) -> Result<Option<SystemTime>, StoreError> {
        let (bound, id) = match credential {
            Credential::Token(id) => ("SELECT expires_at FROM operator_tokens WHERE id = ?", id.clone()),
            Credential::Certificate { serial, .. } => {
                ("SELECT not_beyond FROM certificates WHERE serial = ?", serial.to_string())
            }
        };
        let row = sqlx::query(bound).bind(id).fetch_optional(&mut *self.transaction).await?;
        match (row, credential) {
            (Some(row), _) => Ok(row.try_get::<Option<i64>, _>(0)?.map(from_millis)),
            // From before a backup that was brought back: nobody knows what it came of.
            (None, Credential::Certificate { not_after, .. }) => Ok(Some(*not_after)),
            (None, Credential::Token(_)) => Ok(None),
        }
    }

    /// Revokes the certificates that came of a credential, over any number of steps; returns the serials of those that
    /// counted.
    pub(crate) async fn revoke_what_came_of(
        &mut self,
        credential: &Credential,
        (by, at): (&str, SystemTime),
    ) -> Result<Vec<Serial>, StoreError> {
        let rows = sqlx::query(
            "WITH RECURSIVE ended(id) AS (
                 VALUES (?1)
                 UNION
                 SELECT 'certificate/' || serial FROM ended JOIN certificates ON came_of = ended.id
             )
             INSERT INTO revocations (serial, not_after, revoked_at, revoked_by, reason)
             SELECT serial, not_after, ?2, ?3, ?4 FROM certificates
             WHERE came_of IN (SELECT id FROM ended)
             ON CONFLICT DO NOTHING RETURNING serial, not_after",
        )
        .bind(credential.to_string())
        .bind(millis(at))
        .bind(by)
        .bind(format!("{credential}, of which it came, was revoked"))
        .fetch_all(&mut *self.transaction)
        .await?;
        counted(&rows, at)
    }

    /// When a certificate expires, if it is known.
    pub(crate) async fn certificate_end(&mut self, serial: Serial) -> Result<Option<SystemTime>, StoreError> {
        let row = sqlx::query("SELECT not_after FROM certificates WHERE serial = ?")
            .bind(serial.to_string())
            .fetch_optional(&mut *self.transaction)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(from_millis))
    }

    /// Revokes one certificate; `false` when it was revoked before, whose word stands then.
    pub(crate) async fn insert_revocation(&mut self, revocation: &Revocation) -> Result<bool, StoreError> {
        let Revocation { serial, not_after, revoked_at, revoked_by, reason } = revocation;
        let inserted = sqlx::query(
            "INSERT INTO revocations (serial, not_after, revoked_at, revoked_by, reason) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(serial.to_string())
        .bind(millis(*not_after))
        .bind(millis(*revoked_at))
        .bind(revoked_by)
        .bind(reason)
        .execute(&mut *self.transaction)
        .await?;
        Ok(inserted.rows_affected() > 0)
    }

    /// Revokes all certificates of a holder; returns the serials of those that counted.
    pub(crate) async fn revoke_holder(
        &mut self,
        (kind, name): (PeerKind, &PeerName),
        (by, at): (&str, SystemTime),
        reason: &str,
    ) -> Result<Vec<Serial>, StoreError> {
        let rows = sqlx::query(
            "INSERT INTO revocations (serial, not_after, revoked_at, revoked_by, reason)
             SELECT serial, not_after, ?1, ?2, ?3 FROM certificates WHERE kind = ?4 AND name = ?5
             ON CONFLICT DO NOTHING RETURNING serial, not_after",
        )
        .bind(millis(at))
        .bind(by)
        .bind(reason)
        .bind(kind.as_str())
        .bind(name.as_str())
        .fetch_all(&mut *self.transaction)
        .await?;
        counted(&rows, at)
    }
}

/// Of what was just revoked, that which counted until then. The rest is revoked all the same: a clock that is ahead takes
/// for expired what counts again when it is set right.
fn counted(rows: &[SqliteRow], at: SystemTime) -> Result<Vec<Serial>, StoreError> {
    let mut serials = Vec::new();
    for row in rows {
        if row.try_get::<i64, _>("not_after")? > millis(at) {
            serials.push(parsed(row, "serial")?);
        }
    }
    Ok(serials)
}

fn read(row: &SqliteRow) -> Result<Certificate, StoreError> {
    let kind: String = row.try_get("kind")?;
    let peer = Peer {
        kind: PeerKind::from_name(&kind).ok_or_else(|| StoreError::corrupt("the kind of a certificate"))?,
        name: parsed(row, "name")?,
        serial: parsed(row, "serial")?,
        fingerprint: parsed(row, "fingerprint")?,
        not_before: from_millis(row.try_get("not_before")?),
        not_after: from_millis(row.try_get("not_after")?),
    };
    Ok(Certificate {
        peer,
        key: parsed(row, "key")?,
        issued_at: from_millis(row.try_get("issued_at")?),
        issued_by: row.try_get("issued_by")?,
        is_revoked: row.try_get("is_revoked")?,
    })
}
