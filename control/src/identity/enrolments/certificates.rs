//! Certificates after the first: renewed, given to operators, listed, revoked.

use super::{EnrolError, Enrolments};
use crate::{
    identity::{Certificate, Issued, Revocation},
    store::StoreError,
};
use mujina_core::id::{MinerName, PeerName};
use mujina_proto::tls::{Identity, NewKey, Peer, PeerKind, Serial};
use std::time::{Duration, SystemTime};
use tracing::info;

/// Certificates of one holder that count at the same time: one in use, one renewed, and some for answers that were lost.
pub(super) const MOST_CERTIFICATES: i64 = 8;
/// How long the revocation of a certificate is kept that is not in the store: longer than any is valid.
const UNKNOWN_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Enrolments {
    /// Gives a miner its next certificate, by its present one. Asking again with the same new key gives the same.
    ///
    /// # Errors
    /// It is no miner, revoked, too early, or the request is refused.
    pub async fn renew(&self, peer: &Peer, request: &str, now: SystemTime) -> Result<String, EnrolError> {
        if peer.kind != PeerKind::Miner {
            return Err(EnrolError::Kind(peer.kind));
        }
        if now > peer.not_after {
            return Err(EnrolError::Expired);
        }
        let half = peer.not_after.duration_since(peer.not_before).unwrap_or_default() / 2;
        if let Ok(wait) = peer.not_before.checked_add(half).unwrap_or(now).duration_since(now)
            && !wait.is_zero()
        {
            return Err(EnrolError::TooEarly(wait));
        }
        let miner: MinerName = peer.name.as_str().parse()?;
        let issued = self.authority.issue_miner(&miner, request, now)?;
        let mut write = self.store.write().await?;
        // Asked within the transaction: a renewal comes before a revocation, which then finds it, or after, and fails.
        if write.is_revoked(peer.serial).await? {
            return Err(EnrolError::Revoked);
        }
        if let Some(chain) = write.chain_of_key(peer, issued.key, now).await? {
            return Ok(chain);
        }
        let valid = write.valid_certificates(peer.kind, &peer.name, now).await?;
        if valid >= MOST_CERTIFICATES {
            return Err(EnrolError::TooManyCertificates(peer.to_string(), valid));
        }
        write.insert_certificate(&issued, &format!("certificate/{}", peer.serial), now).await?;
        write.commit().await?;
        info!(miner.name = %miner, serial = %issued.peer.serial, "certificate renewed");
        Ok(issued.chain)
    }

    /// Gives an operator a certificate with a key that the operator made.
    ///
    /// # Errors
    /// The request is refused, or the database failed.
    pub async fn issue_operator(
        &self,
        name: &PeerName,
        request: &str,
        by: &str,
        now: SystemTime,
    ) -> Result<Issued, EnrolError> {
        let issued = self.authority.issue_operator(name, request, now)?;
        let mut write = self.store.write().await?;
        let valid = write.valid_certificates(PeerKind::Operator, name, now).await?;
        if valid >= MOST_CERTIFICATES {
            return Err(EnrolError::TooManyCertificates(issued.peer.to_string(), valid));
        }
        write.insert_certificate(&issued, by, now).await?;
        write.commit().await?;
        Ok(issued)
    }

    /// Gives an operator a certificate with a key made here, for the machine that this runs on.
    ///
    /// # Errors
    /// No key can be made, or the database failed.
    pub async fn issue_operator_here(
        &self,
        name: &PeerName,
        by: &str,
        now: SystemTime,
    ) -> Result<Identity, EnrolError> {
        let key = NewKey::generate()?;
        let issued = self.issue_operator(name, &key.request(name.as_str())?, by, now).await?;
        Ok(key.into_identity(&issued.chain, self.authority.roots())?)
    }

    /// Certificates that have not expired, of all holders or of one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn certificates(
        &self,
        holder: Option<(PeerKind, &PeerName)>,
        now: SystemTime,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.store.certificates(holder, now).await
    }

    /// All revocations, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        self.store.revocations().await
    }

    /// Revokes one certificate, also one that is not in the store; `false` when it was revoked before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke(&self, serial: Serial, by: &str, reason: &str, now: SystemTime) -> Result<bool, EnrolError> {
        let mut write = self.store.write().await?;
        let not_after = write.certificate_end(serial).await?;
        let not_after = not_after.unwrap_or(now.checked_add(UNKNOWN_LIFE).unwrap_or(now));
        let revocation =
            Revocation { serial, not_after, revoked_at: now, revoked_by: by.into(), reason: reason.into() };
        let is_new = write.insert_revocation(&revocation).await?;
        write.commit().await?;
        self.revoked.refresh().await?;
        Ok(is_new)
    }

    /// Revokes all certificates of a holder; returns those that counted until now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_holder(
        &self,
        kind: PeerKind,
        name: &PeerName,
        by: &str,
        reason: &str,
        now: SystemTime,
    ) -> Result<Vec<Serial>, EnrolError> {
        let mut write = self.store.write().await?;
        let serials = write.revoke_holder((kind, name), (by, now), reason).await?;
        write.commit().await?;
        self.revoked.refresh().await?;
        Ok(serials)
    }

    /// Drops what ended long ago.
    ///
    /// # Errors
    /// The database failed.
    pub async fn prune(&self, now: SystemTime) -> Result<(), StoreError> {
        self.store.prune_identities(now).await
    }
}
