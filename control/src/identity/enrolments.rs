//! Gives certificates to those who may have them, and takes them away. Each step is one transaction of the store.

mod certificates;

use super::{
    Ask, Authority, Decision, EnrolError, Enrolment, Issued, NewToken, Outcome, Revoked, StoredToken, Trials, token,
};
use crate::store::{
    Store, StoreError, Write,
    identity::{EnrolmentRow, NewEnrolment, TokenRow},
};
use mujina_core::id::{MinerName, PeerName};
use mujina_proto::tls::{Peer, PeerKind, PublicKey, Token, TokenId};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime},
};
use tracing::info;

/// Tokens, enrolments and certificates. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Enrolments {
    store: Store,
    authority: Arc<Authority>,
    revoked: Revoked,
    trials: Trials,
}

impl Enrolments {
    /// Goes on with what the store holds.
    ///
    /// # Errors
    /// The database failed.
    pub async fn new(store: Store, authority: Arc<Authority>) -> Result<Self, StoreError> {
        let revoked = Revoked::load(store.clone()).await?;
        Ok(Self { store, authority, revoked, trials: Trials::new(Instant::now()) })
    }

    /// Who signs.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What is revoked: for handshakes and open connections.
    #[must_use]
    pub const fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// A bound is not kept, or the database failed.
    pub async fn create_token(&self, new: NewToken, now: SystemTime) -> Result<Token, EnrolError> {
        let NewToken { ttl, uses, needs_approval, labels, created_by } = new;
        if ttl.is_zero() || ttl > token::MAX_TTL {
            return Err(EnrolError::Bound("is good for at most 90 days; give a shorter time".into()));
        }
        if uses == 0 || uses > token::MAX_USES {
            return Err(EnrolError::Bound(format!("enrols 1 to {} miners; make several", token::MAX_USES)));
        }
        let made = Token::generate(self.authority.fingerprint()).map_err(EnrolError::TokenText)?;
        let expires_at = now.checked_add(ttl).unwrap_or(now);
        let stored = StoredToken {
            id: made.id(),
            created_at: now,
            created_by,
            expires_at,
            uses,
            uses_left: uses,
            needs_approval,
            labels,
            revoked_at: None,
        };
        let mut write = self.store.write().await?;
        write.insert_token(&TokenRow { token: stored, secret_hash: made.secret_hash() }).await?;
        write.commit().await?;
        Ok(made)
    }

    /// All tokens, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.store.tokens().await
    }

    /// Makes a token good for nothing. Certificates that it gave stay.
    ///
    /// # Errors
    /// There is no such token, or the database failed.
    pub async fn revoke_token(&self, id: TokenId, now: SystemTime) -> Result<(), EnrolError> {
        let mut write = self.store.write().await?;
        if !write.revoke_token(id, now).await? {
            return Err(EnrolError::NoToken(id));
        }
        Ok(write.commit().await?)
    }

    /// Enrols a miner by its token, or says how its enrolment stands when it asked before with the same key.
    ///
    /// # Errors
    /// See [`EnrolError`]; nothing of the token is used then.
    pub async fn enrol(&self, ask: Ask<'_>, now: SystemTime) -> Result<Outcome, EnrolError> {
        let token = self.verify(&ask).await?;
        let miner: MinerName = ask.miner.parse()?;
        let key = PublicKey::from_request(ask.request)?;
        // Whoever waits asks again and again, and must not hold up those who write.
        if let Some(row) = self.store.enrolment_of(token.id, key.fingerprint()).await? {
            return standing(row);
        }
        let mut write = self.store.write().await?;
        if let Some(row) = write.enrolment_of(token.id, key.fingerprint()).await? {
            return standing(row);
        }
        if !write.claim_token(token.id, now).await? {
            let token = write.token(token.id).await?.map(|row| row.token);
            return Err(token.and_then(|token| token.refusal(now)).map_or(EnrolError::UnknownToken, EnrolError::Token));
        }
        free(&mut write, &miner, now).await?;
        if write.is_pending(&miner).await? {
            return Err(taken(&miner));
        }
        let source = ask.source.to_canonical().to_string();
        let (key, request) = (key.fingerprint(), ask.request);
        let new = NewEnrolment { token: &token, key, request, miner: &miner, source: &source, asked_at: now };
        let number = write.insert_enrolment(&new).await?;
        let outcome = if token.needs_approval {
            Outcome::Pending
        } else {
            let by = format!("token/{}", token.id);
            let whom = Approved { number, miner: &miner, request, labels: &token.labels };
            Outcome::Issued(self.approve_in(&mut write, &whom, &by, now).await?.chain)
        };
        write.commit().await?;
        info!(miner.name = %miner, enrolment = number, token.id = %token.id, is_pending = token.needs_approval, "miner enrolled");
        Ok(outcome)
    }

    /// The token that is shown. Whoever knows a secret does not guess, and passes whatever others tried.
    async fn verify(&self, ask: &Ask<'_>) -> Result<StoredToken, EnrolError> {
        let wrong = |error| match self.trials.wrong(ask.source, ask.received) {
            Ok(()) => error,
            Err(wait) => EnrolError::TooMany(wait),
        };
        let token: Token = ask.token.parse().map_err(|error| wrong(EnrolError::TokenText(error)))?;
        let _turn = self.trials.turn(ask.source, ask.received).await.map_err(EnrolError::TooMany)?;
        let row = self.store.token(token.id()).await?;
        let is_right = token::is_secret(&token, row.as_ref().map(|row| &row.secret_hash));
        row.filter(|_| is_right).map(|row| row.token).ok_or_else(|| wrong(EnrolError::UnknownToken))
    }

    /// Enrolments, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrolments(
        &self,
        decision: Option<Decision>,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<Enrolment>, StoreError> {
        self.store.enrolments(decision, before, most).await
    }

    /// Gives a pending miner its certificate, which it fetches when it asks again.
    ///
    /// # Errors
    /// It is not pending, its name was taken meanwhile, or the database failed.
    pub async fn approve(&self, number: i64, by: &str, now: SystemTime) -> Result<Peer, EnrolError> {
        let mut write = self.store.write().await?;
        let row = write.pending_enrolment(number).await?.ok_or(EnrolError::NotPending(number))?;
        free(&mut write, &row.enrolment.miner, now).await?;
        let (miner, labels) = (&row.enrolment.miner, &row.enrolment.labels);
        let whom = Approved { number, miner, request: &row.request, labels };
        let issued = self.approve_in(&mut write, &whom, by, now).await?;
        write.commit().await?;
        Ok(issued.peer)
    }

    async fn approve_in(
        &self,
        write: &mut Write,
        whom: &Approved<'_>,
        by: &str,
        now: SystemTime,
    ) -> Result<Issued, EnrolError> {
        let Approved { number, miner, request, labels } = *whom;
        let issued = self.authority.issue_miner(miner, request, now)?;
        write.insert_certificate(&issued, by, now).await?;
        let serial = Some(issued.peer.serial);
        write.decide_enrolment(number, Decision::Approved, (by, now), serial, None).await?;
        write.put_enrolled_miner(miner, labels, now).await?;
        Ok(issued)
    }

    /// Refuses a pending miner, for a reason that it is told.
    ///
    /// # Errors
    /// It is not pending, or the database failed.
    pub async fn refuse(&self, number: i64, by: &str, reason: &str, now: SystemTime) -> Result<(), EnrolError> {
        let mut write = self.store.write().await?;
        write.pending_enrolment(number).await?.ok_or(EnrolError::NotPending(number))?;
        write.decide_enrolment(number, Decision::Refused, (by, now), None, Some(reason)).await?;
        Ok(write.commit().await?)
    }
}

/// A miner that gets its certificate.
#[derive(Clone, Copy)]
struct Approved<'a> {
    number: i64,
    miner: &'a MinerName,
    request: &'a str,
    labels: &'a BTreeMap<String, String>,
}

fn standing(row: EnrolmentRow) -> Result<Outcome, EnrolError> {
    let EnrolmentRow { enrolment, request: _, chain, is_revoked } = row;
    match enrolment.decision {
        _ if is_revoked => Err(EnrolError::Revoked),
        Decision::Pending => Ok(Outcome::Pending),
        Decision::Refused => Err(EnrolError::Refused(enrolment.reason.unwrap_or_default())),
        Decision::Approved => chain.map(Outcome::Issued).ok_or(EnrolError::Expired),
    }
}

/// A name belongs to whoever has a certificate that counts: a token is no leave to be somebody else.
async fn free(write: &mut Write, miner: &MinerName, now: SystemTime) -> Result<(), EnrolError> {
    let name: PeerName = miner.as_str().parse()?;
    if write.valid_certificates(PeerKind::Miner, &name, now).await? > 0 { Err(taken(miner)) } else { Ok(()) }
}

fn taken(miner: &MinerName) -> EnrolError {
    EnrolError::NameTaken { kind: PeerKind::Miner, name: miner.to_string() }
}

#[cfg(test)]
mod tests;
