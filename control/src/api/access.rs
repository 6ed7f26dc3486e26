//! Who may do what.

use super::{Parts, approver, miner_name, not_apart, problem, refuse, storage, unknown_miner};
use crate::{
    access::{
        Binding, Bound, Caller, Question, Subject, can_i,
        payout::{
            PayoutEntry, PayoutGuard,
            change::{Change, ChangeError, PROPOSAL_LIFE, Proposal, Proposed},
        },
        token::{RANDOM_BYTES, Token, TokenRequest, TokenRequestError, is_token_id},
        what_can,
    },
    selector::Selector,
    store::{PayoutError, Write},
};
use mujina_core::spec::{Problem, Problems};
use mujina_proto::{
    control::v1::{self, access_service_server::AccessService},
    convert::{length, timestamp},
    failure::Failure,
};
use rand::{TryRngCore, rngs::OsRng};
use serde_json::json;
use std::time::{Duration, SystemTime};
use tonic::{Code, Request, Response, Status};

/// How long a token of an operator is good unless somebody says.
const TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub(super) struct Service(pub(super) Parts);

impl Service {
    async fn write(&self) -> Result<Write, Failure> {
        self.0.store.write().await.map_err(|error| storage(&error))
    }

    /// Writes down what is done, and makes it last.
    async fn commit(
        &self,
        mut write: Write,
        by: &Caller,
        target: impl std::fmt::Display,
        diff: serde_json::Value,
    ) -> Result<(), Failure> {
        write.append_audit(by.record(target, diff)).await.map_err(|error| storage(&error))?;
        write.commit().await.map_err(|error| storage(&error))
    }
}

#[tonic::async_trait]
impl AccessService for Service {
    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let by = Caller::of(&request)?;
        let subject = by.subject().cloned().unwrap_or(Subject::Anonymous);
        let permissions = what_can(&subject, by.bindings()).into_iter().map(|(permission, selectors)| {
            let selectors = selectors.iter().map(ToString::to_string).collect();
            v1::PermissionGrant { permission: permission.name().into(), selectors }
        });
        Ok(Response::new(v1::WhoAmIResponse {
            subject: subject.person(),
            detail: subject.to_string(),
            permissions: permissions.collect(),
            server_version: env!("CARGO_PKG_VERSION").into(),
        }))
    }

    async fn can_i(&self, request: Request<v1::CanIRequest>) -> Result<Response<v1::CanIResponse>, Status> {
        let by = Caller::of(&request)?;
        let v1::CanIRequest { question, miner } = request.into_inner();
        let question: Question = question.parse().map_err(|error| refuse(problem("question", format!("{error}"))))?;
        let labels = if miner.is_empty() {
            None
        } else {
            let name = miner_name("miner", &miner).map_err(refuse)?;
            Some(self.0.registry.get(&name).ok_or_else(|| unknown_miner(&name))?.labels())
        };
        let subject = by.subject().cloned().unwrap_or(Subject::Anonymous);
        let (allowed, reason) = match can_i(&subject, by.bindings(), question, labels.as_deref()) {
            Ok(allowed) => (true, allowed.by.to_string()),
            Err(denied) => (false, denied.to_string()),
        };
        Ok(Response::new(v1::CanIResponse { allowed, reason }))
    }

    async fn list_bindings(
        &self,
        _: Request<v1::ListBindingsRequest>,
    ) -> Result<Response<v1::ListBindingsResponse>, Status> {
        let mut bindings = self.0.store.bindings().await.map_err(|error| storage(&error))?.to_vec();
        bindings.sort_by_cached_key(|binding| (binding.subject.to_string(), binding.role));
        Ok(Response::new(v1::ListBindingsResponse { bindings: bindings.iter().map(binding_message).collect() }))
    }

    async fn create_binding(
        &self,
        request: Request<v1::CreateBindingRequest>,
    ) -> Result<Response<v1::CreateBindingResponse>, Status> {
        let by = Caller::of(&request)?;
        let asked = request.into_inner().binding.ok_or_else(|| refuse(problem("binding", "is missing")))?;
        let binding = binding(&asked).map_err(Failure::invalid)?;
        let mut write = self.write().await?;
        let is_new = write.insert_binding(&binding, &by.person(), SystemTime::now()).await;
        if is_new.map_err(|error| storage(&error))? {
            let text = format!("{} {} {}", binding.subject, binding.role, binding.selector);
            self.commit(write, &by, &binding.subject, json!([{ "path": "bindings", "before": null, "after": text }]))
                .await?;
            return Ok(Response::new(v1::CreateBindingResponse { binding: Some(binding_message(&binding)) }));
        }
        drop(write);
        let all = self.0.store.bindings().await.map_err(|error| storage(&error))?;
        let same = |one: &&Binding| {
            one.subject == binding.subject && one.role == binding.role && one.selector == binding.selector
        };
        Ok(Response::new(v1::CreateBindingResponse { binding: all.iter().find(same).map(binding_message) }))
    }

    async fn delete_binding(
        &self,
        request: Request<v1::DeleteBindingRequest>,
    ) -> Result<Response<v1::DeleteBindingResponse>, Status> {
        let by = Caller::of(&request)?;
        let id = request.into_inner().binding_id;
        let mut write = self.write().await?;
        let gone = write.delete_binding(&id).await.map_err(|error| storage(&error))?;
        let gone = gone.ok_or_else(|| {
            let message = format!("no binding has the id `{}`; list the bindings", id.escape_debug());
            Failure::new(Code::NotFound, "BINDING_NOT_FOUND", message)
        })?;
        let text = format!("{} {} {}", gone.subject, gone.role, gone.selector);
        self.commit(write, &by, &gone.subject, json!([{ "path": "bindings", "before": text, "after": null }])).await?;
        Ok(Response::new(v1::DeleteBindingResponse {}))
    }

    async fn create_operator_token(
        &self,
        request: Request<v1::CreateOperatorTokenRequest>,
    ) -> Result<Response<v1::CreateOperatorTokenResponse>, Status> {
        let by = Caller::of(&request)?;
        let v1::CreateOperatorTokenRequest { operator, label, ttl } = request.into_inner();
        let life = length("ttl", ttl).map_err(refuse)?.unwrap_or(TTL);
        let wanted = TokenRequest { operator, label, life, created_by: by.person() };
        let mut random = [0; RANDOM_BYTES];
        OsRng.try_fill_bytes(&mut random).map_err(|_| {
            Failure::new(Code::Internal, "NO_RANDOM", "the system gives no random numbers; check /dev/urandom")
        })?;
        let (token, text) =
            Token::issue(wanted, &random, SystemTime::now()).map_err(|error| refuse(token_problem(&error)))?;
        let mut write = self.write().await?;
        write.insert_operator_token(&token).await.map_err(|error| storage(&error))?;
        let diff = json!({ "operator": token.operator, "label": token.label });
        self.commit(write, &by, format!("token {}", token.id), diff).await?;
        let text = text.expose().into();
        Ok(Response::new(v1::CreateOperatorTokenResponse { token: Some(token_message(token)), text }))
    }

    async fn list_operator_tokens(
        &self,
        _: Request<v1::ListOperatorTokensRequest>,
    ) -> Result<Response<v1::ListOperatorTokensResponse>, Status> {
        let mut tokens = self.0.store.operator_tokens().await.map_err(|error| storage(&error))?;
        tokens.sort_by_key(|token| std::cmp::Reverse(token.created_at));
        Ok(Response::new(v1::ListOperatorTokensResponse { tokens: tokens.into_iter().map(token_message).collect() }))
    }

    async fn revoke_operator_token(
        &self,
        request: Request<v1::RevokeOperatorTokenRequest>,
    ) -> Result<Response<v1::RevokeOperatorTokenResponse>, Status> {
        let by = Caller::of(&request)?;
        let id = request.into_inner().token_id;
        if !is_token_id(&id) {
            // Not repeated, and so not written down: it may be a whole token.
            let reason = "is no id of a token, which has 16 hex digits; give one that the list of tokens shows";
            return Err(refuse(problem("token_id", reason)));
        }
        let mut write = self.write().await?;
        let ended = write.revoke_operator_token(&id, &by.person(), SystemTime::now()).await;
        let ended = ended.map_err(|error| storage(&error))?.ok_or_else(|| {
            let message = format!("no token that counts has the id `{id}`; list the tokens");
            Failure::new(Code::NotFound, "TOKEN_NOT_FOUND", message)
        })?;
        let certificates: Vec<_> = ended.iter().map(ToString::to_string).collect();
        self.commit(write, &by, format!("token {id}"), json!({ "revoked": true, "certificates": certificates }))
            .await?;
        if let Some(enrolments) = &self.0.enrolments {
            // What came of it ends at once.
            enrolments.revoked_something().await;
        }
        Ok(Response::new(v1::RevokeOperatorTokenResponse {}))
    }

    async fn get_payout_guard(
        &self,
        _: Request<v1::GetPayoutGuardRequest>,
    ) -> Result<Response<v1::GetPayoutGuardResponse>, Status> {
        let list = self.0.store.payout_list().await.map_err(|error| storage(&error))?;
        let proposals = self.0.store.payout_proposals().await.map_err(|error| storage(&error))?;
        let entries = match &list.guard {
            PayoutGuard::On(entries) => entries.as_slice(),
            PayoutGuard::Off => &[],
        };
        Ok(Response::new(v1::GetPayoutGuardResponse {
            enabled: list.guard.is_on(),
            entries: entries.iter().map(entry_message).collect(),
            version: list.version,
            proposals: proposals.iter().map(proposal_message).collect(),
        }))
    }

    async fn propose_payout_change(
        &self,
        request: Request<v1::ProposePayoutChangeRequest>,
    ) -> Result<Response<v1::ProposePayoutChangeResponse>, Status> {
        let by = Caller::of(&request)?;
        let change = change(request.into_inner()).map_err(Failure::invalid)?;
        let subject = by.subject().cloned().unwrap_or(Subject::Anonymous);
        let mut write = self.write().await?;
        let before = write.payout_list().await.map_err(|error| storage(&error))?;
        let diff =
            json!([{ "path": "payout_list", "before": guard_text(&before.guard), "after": change_text(&change) }]);
        let proposed = write
            .propose_payout(change, &subject, uuid::Uuid::new_v4().simple().to_string(), SystemTime::now())
            .await
            .map_err(|error| payout(&error))?;
        let (target, proposal) = match proposed {
            Proposed::InForce(list) => (format!("payout list {}", list.version), None),
            Proposed::Waits(proposal) => {
                (format!("payout proposal {}", proposal.id), Some(proposal_message(&proposal)))
            }
        };
        self.commit(write, &by, target, diff).await?;
        Ok(Response::new(v1::ProposePayoutChangeResponse { proposal }))
    }

    async fn decide_payout_change(
        &self,
        request: Request<v1::DecidePayoutChangeRequest>,
    ) -> Result<Response<v1::DecidePayoutChangeResponse>, Status> {
        let (by, approver) = (Caller::of(&request)?, approver(&request)?);
        let v1::DecidePayoutChangeRequest { proposal_id, approve } = request.into_inner();
        let mut write = self.write().await?;
        let before = write.payout_list().await.map_err(|error| storage(&error))?;
        let now = SystemTime::now();
        let diff = if approve {
            let list = write.approve_payout(&proposal_id, &approver, now).await.map_err(|error| payout(&error))?;
            json!([{ "path": "payout_list", "before": guard_text(&before.guard), "after": guard_text(&list.guard) }])
        } else {
            write.reject_payout(&proposal_id, &approver.subject, now).await.map_err(|error| payout(&error))?;
            json!("rejected")
        };
        self.commit(write, &by, format!("payout proposal {proposal_id}"), diff).await?;
        Ok(Response::new(v1::DecidePayoutChangeResponse {}))
    }
}

fn binding(asked: &v1::Binding) -> Result<Binding, Problems> {
    let v1::Binding { binding_id: _, subject, role, selector } = asked;
    let mut problems = Vec::new();
    let mut note = |field: &str, reason: String| problems.push(problem(field, reason));
    let subject = subject.parse::<Bound>().map_err(|error| note("binding.subject", error.to_string())).ok();
    let role = role.parse().map_err(|error: crate::access::NotKnown| note("binding.role", error.to_string())).ok();
    let selector = selector.parse::<Selector>().map_err(|error| note("binding.selector", error.to_string())).ok();
    if let (Some(subject), Some(role), Some(selector)) = (subject, role, selector) {
        let binding = Binding { id: uuid::Uuid::new_v4().simple().to_string(), subject, role, selector };
        match binding.check() {
            Ok(()) => return Ok(binding),
            Err(error) => problems.push(problem("binding", error.to_string())),
        }
    }
    Err(Problems(problems))
}

fn binding_message(binding: &Binding) -> v1::Binding {
    let Binding { id, subject, role, selector } = binding;
    v1::Binding {
        binding_id: id.clone(),
        subject: subject.to_string(),
        role: role.to_string(),
        selector: selector.to_string(),
    }
}

fn token_problem(error: &TokenRequestError) -> Problem {
    let field = match error {
        TokenRequestError::Operator(_) => "operator",
        TokenRequestError::Life(_) => "ttl",
        TokenRequestError::Label => "label",
    };
    problem(field, error.to_string())
}

fn token_message(token: Token) -> v1::OperatorToken {
    let Token { id, operator, label, hash: _, created_by, created_at, expires_at, revoked_at } = token;
    v1::OperatorToken {
        token_id: id,
        operator,
        label,
        created_by,
        created_at: Some(timestamp(created_at)),
        expires_at: Some(timestamp(expires_at)),
        revoked_at: revoked_at.map(timestamp),
    }
}

fn change(request: v1::ProposePayoutChangeRequest) -> Result<Change, Problems> {
    let v1::ProposePayoutChangeRequest { entries, turn_off } = request;
    if turn_off {
        return if entries.is_empty() {
            Ok(Change::TurnOff)
        } else {
            Err(Problems(vec![problem("entries", "must be empty with `turn_off`")]))
        };
    }
    let mut problems = Vec::new();
    let mut read = Vec::new();
    for (i, v1::PayoutEntry { url, user, tls_pins }) in entries.iter().enumerate() {
        let mut note = |field: &str, reason: String| problems.push(problem(&format!("entries[{i}].{field}"), reason));
        let endpoint = url.parse().map_err(|error| note("url", format!("{error}"))).ok();
        let user = user.parse().map_err(|error| note("user", format!("{error}"))).ok();
        let pins = tls_pins.iter().map(|pin| pin.parse()).collect::<Result<Vec<_>, _>>();
        let pins = pins.map_err(|error| note("tls_pins", format!("{error}"))).ok();
        if let (Some(endpoint), Some(user), Some(tls_pins)) = (endpoint, user, pins) {
            read.push(PayoutEntry { endpoint, tls_pins, user });
        }
    }
    if problems.is_empty() { Ok(Change::Entries(read)) } else { Err(Problems(problems)) }
}

fn entry_message(entry: &PayoutEntry) -> v1::PayoutEntry {
    let PayoutEntry { endpoint, tls_pins, user } = entry;
    v1::PayoutEntry {
        url: endpoint.to_string(),
        user: user.to_string(),
        tls_pins: tls_pins.iter().map(ToString::to_string).collect(),
    }
}

fn proposal_message(proposal: &Proposal) -> v1::PayoutProposal {
    let Proposal { id, change, base: _, by, at } = proposal;
    let (entries, turn_off) = match change {
        Change::Entries(entries) => (entries.iter().map(entry_message).collect(), false),
        Change::TurnOff => (Vec::new(), true),
    };
    v1::PayoutProposal {
        proposal_id: id.clone(),
        proposed_by: by.clone(),
        proposed_at: Some(timestamp(*at)),
        entries,
        turn_off,
        expires_at: at.checked_add(PROPOSAL_LIFE).map(timestamp),
    }
}

/// For the audit.
fn guard_text(guard: &PayoutGuard) -> Vec<String> {
    match guard {
        PayoutGuard::On(entries) => entry_texts(entries),
        PayoutGuard::Off => vec!["off".into()],
    }
}

fn change_text(change: &Change) -> Vec<String> {
    match change {
        Change::Entries(entries) => entry_texts(entries),
        Change::TurnOff => vec!["off".into()],
    }
}

fn entry_texts(entries: &[PayoutEntry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.endpoint, entry.user)).collect()
}

fn payout(error: &PayoutError) -> Failure {
    let (code, reason) = match error {
        PayoutError::Store(error) => return storage(error),
        PayoutError::Unknown(_) => (Code::NotFound, "PROPOSAL_NOT_FOUND"),
        PayoutError::Change(ChangeError::SamePerson(_)) => (Code::PermissionDenied, "SAME_PERSON"),
        PayoutError::Change(ChangeError::Apart(error)) => return not_apart(error),
        PayoutError::Change(ChangeError::Empty | ChangeError::TooMany(_)) => {
            return Failure::invalid_field("entries", error.to_string());
        }
        PayoutError::Change(_) => (Code::FailedPrecondition, "PROPOSAL_NOT_ACCEPTED"),
    };
    Failure::new(code, reason, error.to_string())
}
