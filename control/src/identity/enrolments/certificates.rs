//! Certificates after the first: renewed, given to operators, listed, revoked.

use super::{EnrolError, Enrolments};
use crate::{
    access::Caller,
    finish::regardless,
    identity::{Certificate, Credential, Issued, Origin, Revocation},
    store::{StoreError, Write},
};
use mujina_core::id::{MinerName, PeerName};
use mujina_proto::tls::{Identity, NewKey, Peer, PeerKind, Serial};
use serde_json::json;
use std::time::{Duration, SystemTime};
use tracing::{info, warn};

/// Certificates of one holder that count at the same time: one in use, one renewed, and some for answers that were lost.
pub(super) const MOST_CERTIFICATES: i64 = 8;
/// How long the revocation of a certificate is kept that is not in the store: longer than any is valid.
const UNKNOWN_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Enrolments {
    /// Gives a miner its next certificate, by its present one. Asking again with the same new key gives the same.
    ///
    /// # Errors
    /// It is no miner, revoked, too early, or the request is refused.
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`].
    pub async fn renew(&self, peer: &Peer, request: &str, by: &Caller, now: SystemTime) -> Result<String, EnrolError> {
        let (this, peer, request, by) = (self.clone(), peer.clone(), request.to_owned(), by.clone());
        regardless(async move { this.renew_to_the_end(&peer, &request, &by, now).await }).await
    }

    async fn renew_to_the_end(
        &self,
        peer: &Peer,
        request: &str,
        by: &Caller,
        now: SystemTime,
    ) -> Result<String, EnrolError> {
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
            by.only_checks();
            return Ok(chain);
        }
        let valid = write.valid_certificates(peer.kind, &peer.name, now).await?;
        if valid >= MOST_CERTIFICATES {
            return Err(EnrolError::TooManyCertificates(peer.to_string(), valid));
        }
        write.insert_certificate(&issued, None, &format!("certificate/{}", peer.serial), now).await?;
        write.append_audit(by.record(&peer.name, json!("renewed"))).await?;
        write.commit().await?;
        info!(miner.name = %miner, serial = %issued.peer.serial, "certificate renewed");
        Ok(issued.chain)
    }

    /// Gives an operator a certificate with a key that the operator made. Got with a `credential` of its own, it comes of
    /// that: it ends with the token at the begin at the latest, and is revoked with anything between.
    ///
    /// # Errors
    /// The request is refused, the credential has ended, or the database failed.
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`].
    pub async fn issue_operator(
        &self,
        name: &PeerName,
        request: &str,
        credential: Option<Credential>,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Issued, EnrolError> {
        let (this, name, request, by) = (self.clone(), name.clone(), request.to_owned(), by.clone());
        regardless(async move { this.issue_operator_to_the_end(&name, &request, credential, &by, now).await }).await
    }

    async fn issue_operator_to_the_end(
        &self,
        name: &PeerName,
        request: &str,
        credential: Option<Credential>,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Issued, EnrolError> {
        let mut write = self.store.write().await?;
        let origin = match credential {
            Some(credential) => Some(origin(&mut write, credential, now).await?),
            None => None,
        };
        let not_beyond = origin.as_ref().and_then(|origin| origin.not_beyond);
        let issued = self.authority.issue_operator(name, request, not_beyond, now)?;
        let valid = write.valid_certificates(PeerKind::Operator, name, now).await?;
        if valid >= MOST_CERTIFICATES {
            return Err(EnrolError::TooManyCertificates(issued.peer.to_string(), valid));
        }
        write.insert_certificate(&issued, origin.as_ref(), &by.person(), now).await?;
        let diff = json!({ "serial": issued.peer.serial.to_string() });
        write.append_audit(by.record(&issued.peer, diff)).await?;
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
        by: &Caller,
        now: SystemTime,
    ) -> Result<Identity, EnrolError> {
        let key = NewKey::generate()?;
        let issued = self.issue_operator(name, &key.request(name.as_str())?, None, by, now).await?;
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

    /// Revokes one certificate, also one that is not in the store, and what came of it; returns those that counted until
    /// now.
    ///
    /// # Errors
    /// The database failed.
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`].
    pub async fn revoke(
        &self,
        serial: Serial,
        reason: &str,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Vec<Serial>, EnrolError> {
        let (this, reason, by) = (self.clone(), reason.to_owned(), by.clone());
        regardless(async move { this.revoke_to_the_end(serial, reason, &by, now).await }).await
    }

    async fn revoke_to_the_end(
        &self,
        serial: Serial,
        reason: String,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Vec<Serial>, EnrolError> {
        let mut write = self.store.write().await?;
        let not_after = write.certificate_end(serial).await?;
        let not_after = not_after.unwrap_or(now.checked_add(UNKNOWN_LIFE).unwrap_or(now));
        let revocation = Revocation { serial, not_after, revoked_at: now, revoked_by: by.person(), reason };
        let mut revoked = write
            .revoke_what_came_of(&Credential::Certificate { serial, not_after }, (&revocation.revoked_by, now))
            .await?;
        if write.insert_revocation(&revocation).await? {
            revoked.push(serial);
        }
        let diff = json!({ "revoked": revoked.len(), "reason": revocation.reason });
        write.append_audit(by.record(format!("certificate {serial}"), diff)).await?;
        write.commit().await?;
        self.revoked_something().await;
        Ok(revoked)
    }

    /// Revokes all certificates of a holder; returns those that counted until now.
    ///
    /// # Errors
    /// The database failed.
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`].
    pub async fn revoke_holder(
        &self,
        kind: PeerKind,
        name: &PeerName,
        reason: &str,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Vec<Serial>, EnrolError> {
        let (this, name, reason, by) = (self.clone(), name.clone(), reason.to_owned(), by.clone());
        regardless(async move { this.revoke_holder_to_the_end((kind, &name), &reason, &by, now).await }).await
    }

    async fn revoke_holder_to_the_end(
        &self,
        (kind, name): (PeerKind, &PeerName),
        reason: &str,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Vec<Serial>, EnrolError> {
        let mut write = self.store.write().await?;
        let serials = write.revoke_holder((kind, name), (&by.person(), now), reason).await?;
        let diff = json!({ "revoked": serials.len(), "reason": reason });
        write.append_audit(by.record(format!("{kind}/{name}"), diff)).await?;
        write.commit().await?;
        self.revoked_something().await;
        Ok(serials)
    }

    /// Has what was revoked count at once. It is stored, so whoever asked has what it wanted.
    pub(crate) async fn revoked_something(&self) {
        if let Err(error) = self.revoked.refresh().await {
            warn!(error = &error as &dyn std::error::Error, "revocations cannot be read; they count once they can be");
        }
    }

    /// Drops what ended long ago.
    ///
    /// # Errors
    /// The database failed.
    pub async fn prune(&self, now: SystemTime) -> Result<(), StoreError> {
        self.store.prune_identities(now).await
    }
}

/// What comes of a credential that counts. Asked within the transaction: what is issued comes before a revocation,
/// which then finds it, or after, and fails.
async fn origin(write: &mut Write, credential: Credential, now: SystemTime) -> Result<Origin, EnrolError> {
    if !write.credential_counts(&credential, now).await? {
        return Err(EnrolError::CredentialOver(credential));
    }
    let not_beyond = write.not_beyond(&credential).await?;
    Ok(Origin { credential, not_beyond })
}
