//! Gives certificates to those who may have them, and takes them away. Each step is one transaction of the store, the record
//! of it in the audit log included, and comes to its end although its caller goes away.

mod certificates;

use super::{
    Ask, Authority, Decision, EnrolError, Enrolment, Issued, NewToken, Outcome, Revoked, StoredToken, Trials, token,
};
use crate::{
    access::Caller,
    finish::regardless,
    registry::Registry,
    selector::Labels,
    spec::DesiredState,
    store::{
        Store, StoreError, Write,
        identity::{EnrolmentRow, NewEnrolment, TokenRow},
    },
};
use mujina_core::id::{MinerName, PeerName};
use mujina_proto::tls::{Fingerprint, Peer, PeerKind, PublicKey, Token, TokenId};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};
use tokio::sync::Mutex;
use tracing::info;

/// Tokens, enrolments and certificates. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Enrolments {
    store: Store,
    authority: Arc<Authority>,
    revoked: Revoked,
    trials: Trials,
    /// Knows miners as soon as they have their certificates; `None` = they are known after the next start.
    registry: Option<Registry>,
    /// Held from storing a miner to telling the registry, so that an older word never comes after a newer one.
    arriving: Arc<Mutex<()>>,
}

impl Enrolments {
    /// Goes on with what the store holds.
    ///
    /// # Errors
    /// The database failed.
    pub async fn new(store: Store, authority: Arc<Authority>) -> Result<Self, StoreError> {
        let revoked = Revoked::load(store.clone()).await?;
        let trials = Trials::new(Instant::now());
        Ok(Self { store, authority, revoked, trials, registry: None, arriving: Arc::default() })
    }

    /// The same, which tells this registry of miners.
    #[must_use]
    pub fn known_to(self, registry: Registry) -> Self {
        Self { registry: Some(registry), ..self }
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

    /// Makes a token, and tells how it is kept; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// A bound is not kept, or the database failed.
    ///
    /// # Cancel safety
    /// Safe: what has begun comes to its end.
    pub async fn create_token(
        &self,
        new: NewToken,
        by: &Caller,
        now: SystemTime,
    ) -> Result<(Token, StoredToken), EnrolError> {
        let (this, by) = (self.clone(), by.clone());
        regardless(async move { this.create_token_to_the_end(new, &by, now).await }).await
    }

    async fn create_token_to_the_end(
        &self,
        new: NewToken,
        by: &Caller,
        now: SystemTime,
    ) -> Result<(Token, StoredToken), EnrolError> {
        let NewToken { ttl, uses, needs_approval, labels } = new;
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
            created_by: by.person(),
            expires_at,
            uses,
            uses_left: uses,
            needs_approval,
            labels,
            revoked_at: None,
        };
        let diff = json!({ "uses": uses, "needs_approval": needs_approval, "labels": stored.labels });
        let row = TokenRow { token: stored, secret_hash: made.secret_hash() };
        let mut write = self.store.write().await?;
        write.insert_token(&row).await?;
        write.append_audit(by.record(made.id(), diff)).await?;
        write.commit().await?;
        Ok((made, row.token))
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
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`].
    pub async fn revoke_token(&self, id: TokenId, by: &Caller, now: SystemTime) -> Result<(), EnrolError> {
        let (this, by) = (self.clone(), by.clone());
        regardless(async move { this.revoke_token_to_the_end(id, &by, now).await }).await
    }

    async fn revoke_token_to_the_end(&self, id: TokenId, by: &Caller, now: SystemTime) -> Result<(), EnrolError> {
        let mut write = self.store.write().await?;
        if !write.revoke_token(id, now).await? {
            return Err(EnrolError::NoToken(id));
        }
        write.append_audit(by.record(id, json!("revoked"))).await?;
        Ok(write.commit().await?)
    }

    /// Enrols a miner by its token, or says how its enrolment stands when it asked before with the same key.
    ///
    /// # Errors
    /// See [`EnrolError`]; nothing of the token is used then.
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`], and the miner is known.
    pub async fn enrol(&self, ask: Ask<'_>, by: &Caller, now: SystemTime) -> Result<Outcome, EnrolError> {
        let token = self.verify(&ask).await?;
        let miner: MinerName = ask.miner.parse()?;
        let key = PublicKey::from_request(ask.request)?.fingerprint();
        // Whoever waits asks again and again, and must not hold up those who write.
        if let Some(row) = self.store.enrolment_of(token.id, key).await? {
            return standing(row, by);
        }
        let source = ask.source.to_canonical().to_string();
        let applicant = Applicant { token, key, request: ask.request.into(), miner, source };
        let (this, by) = (self.clone(), by.clone());
        regardless(async move { this.enrol_to_the_end(&applicant, &by, now).await }).await
    }

    async fn enrol_to_the_end(
        &self,
        applicant: &Applicant,
        by: &Caller,
        now: SystemTime,
    ) -> Result<Outcome, EnrolError> {
        let Applicant { token, key, request, miner, source } = applicant;
        let _in_order = self.arriving.lock().await;
        let mut write = self.store.write().await?;
        if let Some(row) = write.enrolment_of(token.id, *key).await? {
            return standing(row, by);
        }
        if !write.claim_token(token.id, now).await? {
            let token = write.token(token.id).await?.map(|row| row.token);
            return Err(token.and_then(|token| token.refusal(now)).map_or(EnrolError::UnknownToken, EnrolError::Token));
        }
        free(&mut write, miner, now).await?;
        if write.is_pending(miner).await? {
            return Err(taken(miner));
        }
        let new = NewEnrolment { token, key: *key, request, miner, source, asked_at: now };
        let number = write.insert_enrolment(&new).await?;
        let (outcome, arrival) = if token.needs_approval {
            write.append_audit(by.record(miner, json!("waits for approval"))).await?;
            (Outcome::Pending, None)
        } else {
            let whom = Approved { number, miner, request, labels: &token.labels };
            let (issued, arrival) = self.approve_in(&mut write, &whom, &format!("token/{}", token.id), now).await?;
            write.append_audit(by.record(miner, json!("enrolled"))).await?;
            (Outcome::Issued(issued.chain), Some(arrival))
        };
        write.commit().await?;
        arrival.into_iter().for_each(|arrival| self.tell(arrival));
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
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::enrol`].
    pub async fn approve(&self, number: i64, by: &Caller, now: SystemTime) -> Result<Peer, EnrolError> {
        let (this, by) = (self.clone(), by.clone());
        regardless(async move { this.approve_to_the_end(number, &by, now).await }).await
    }

    async fn approve_to_the_end(&self, number: i64, by: &Caller, now: SystemTime) -> Result<Peer, EnrolError> {
        let _in_order = self.arriving.lock().await;
        let mut write = self.store.write().await?;
        let row = write.pending_enrolment(number).await?.ok_or(EnrolError::NotPending(number))?;
        free(&mut write, &row.enrolment.miner, now).await?;
        let (miner, labels) = (&row.enrolment.miner, &row.enrolment.labels);
        let whom = Approved { number, miner, request: &row.request, labels };
        let (issued, arrival) = self.approve_in(&mut write, &whom, &by.person(), now).await?;
        let diff = json!({ "approved": issued.peer.to_string() });
        write.append_audit(by.record(format!("enrolment {number}"), diff)).await?;
        write.commit().await?;
        self.tell(arrival);
        Ok(issued.peer)
    }

    async fn approve_in(
        &self,
        write: &mut Write,
        whom: &Approved<'_>,
        by: &str,
        now: SystemTime,
    ) -> Result<(Issued, Arrival), EnrolError> {
        let Approved { number, miner, request, labels } = *whom;
        let issued = self.authority.issue_miner(miner, request, now)?;
        write.insert_certificate(&issued, None, by, now).await?;
        let serial = Some(issued.peer.serial);
        write.decide_enrolment(number, Decision::Approved, (by, now), serial, None).await?;
        write.put_enrolled_miner(miner, labels, now).await?;
        let desired = write.latest_desired(miner).await?;
        Ok((issued, Arrival { miner: miner.clone(), labels: labels.clone(), desired }))
    }

    /// A miner has its certificate: it is known from now on with its labels, and may call home.
    fn tell(&self, arrival: Arrival) {
        let Arrival { miner, labels, desired } = arrival;
        if let Some(registry) = &self.registry {
            registry.arrived(&miner, labels, desired);
        }
    }

    /// Refuses a pending miner, for a reason that it is told.
    ///
    /// # Errors
    /// It is not pending, or the database failed.
    ///
    /// # Cancel safety
    /// Safe: as [`Enrolments::create_token`].
    pub async fn refuse(&self, number: i64, reason: &str, by: &Caller, now: SystemTime) -> Result<(), EnrolError> {
        let (this, reason, by) = (self.clone(), reason.to_owned(), by.clone());
        regardless(async move { this.refuse_to_the_end(number, &reason, &by, now).await }).await
    }

    async fn refuse_to_the_end(
        &self,
        number: i64,
        reason: &str,
        by: &Caller,
        now: SystemTime,
    ) -> Result<(), EnrolError> {
        let mut write = self.store.write().await?;
        write.pending_enrolment(number).await?.ok_or(EnrolError::NotPending(number))?;
        write.decide_enrolment(number, Decision::Refused, (&by.person(), now), None, Some(reason)).await?;
        write.append_audit(by.record(format!("enrolment {number}"), json!({ "refused": reason }))).await?;
        Ok(write.commit().await?)
    }
}

/// Who asks for a certificate with a token that was verified.
struct Applicant {
    token: StoredToken,
    key: Fingerprint,
    request: String,
    miner: MinerName,
    source: String,
}

/// A miner that has its certificate, as the registry comes to know it.
struct Arrival {
    miner: MinerName,
    labels: Labels,
    desired: Option<DesiredState>,
}

/// A miner that gets its certificate.
#[derive(Clone, Copy)]
struct Approved<'a> {
    number: i64,
    miner: &'a MinerName,
    request: &'a str,
    labels: &'a Labels,
}

/// How an enrolment stands that was made before: there is nothing to record.
fn standing(row: EnrolmentRow, by: &Caller) -> Result<Outcome, EnrolError> {
    by.only_checks();
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
