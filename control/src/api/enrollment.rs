//! How miners and operators come by certificates.

use super::{Parts, bad_token, page_size, peer, problem, refuse, storage};
use crate::{
    access::{Caller, Permission, Subject},
    door::Dialler,
    identity::{
        Ask, Certificate, Credential, Decision, EnrolError, Enrolment, Enrolments, NewToken, Outcome, StoredToken,
    },
    selector::check_label,
};
use mujina_core::{
    id::PeerName,
    spec::{Problem, Problems},
};
use mujina_proto::{
    control::v1::{self, enrollment_service_server::EnrollmentService, revoke_certificates_request::Target},
    convert::{duration, length, timestamp},
    failure::Failure,
    tls::{Peer, PeerKind, Serial, TokenId},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant, SystemTime},
};
use tonic::{Code, Request, Response, Status};

/// How long a token is good unless somebody says.
const TTL: Duration = Duration::from_secs(60 * 60);
/// When a miner asks again that waits for a person.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(super) struct Service(pub(super) Parts);

impl Service {
    fn enrolments(&self) -> Result<&Enrolments, Failure> {
        let message = "this control plane has no authority; run `mujina-control init` first, and start it again";
        self.0.enrolments.as_ref().ok_or_else(|| Failure::new(Code::FailedPrecondition, "NOT_SET_UP", message))
    }
}

#[tonic::async_trait]
impl EnrollmentService for Service {
    async fn create_enroll_token(
        &self,
        request: Request<v1::CreateEnrollTokenRequest>,
    ) -> Result<Response<v1::CreateEnrollTokenResponse>, Status> {
        let by = Caller::of(&request)?;
        let enrolments = self.enrolments()?;
        let new = new_token(request.into_inner()).map_err(Failure::invalid)?;
        let made = enrolments.create_token(new, &by, SystemTime::now()).await;
        let (made, token) = made.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::CreateEnrollTokenResponse {
            token: Some(token_message(token)),
            text: made.expose(),
            authority_fingerprint: made.authority().to_string(),
        }))
    }

    async fn list_enroll_tokens(
        &self,
        _: Request<v1::ListEnrollTokensRequest>,
    ) -> Result<Response<v1::ListEnrollTokensResponse>, Status> {
        let tokens = self.enrolments()?.tokens().await.map_err(|error| storage(&error))?;
        Ok(Response::new(v1::ListEnrollTokensResponse { tokens: tokens.into_iter().map(token_message).collect() }))
    }

    async fn revoke_enroll_token(
        &self,
        request: Request<v1::RevokeEnrollTokenRequest>,
    ) -> Result<Response<v1::RevokeEnrollTokenResponse>, Status> {
        let by = Caller::of(&request)?;
        let text = request.into_inner().token_id;
        let id: TokenId =
            text.parse().map_err(|_| refuse(problem("token_id", "is no id of a token; list the tokens")))?;
        self.enrolments()?.revoke_token(id, &by, SystemTime::now()).await.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::RevokeEnrollTokenResponse {}))
    }

    async fn enroll(&self, request: Request<v1::EnrollRequest>) -> Result<Response<v1::EnrollResponse>, Status> {
        let by = Caller::of(&request)?;
        let source = request.extensions().get::<Dialler>().map(|dialler| dialler.address.ip());
        let v1::EnrollRequest { token, certificate_request, miner } = request.into_inner();
        let ask = Ask {
            token: &token,
            request: &certificate_request,
            miner: &miner,
            source: source.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            received: Instant::now(),
        };
        let outcome = self.enrolments()?.enrol(ask, &by, SystemTime::now()).await.map_err(|error| failure(&error))?;
        Ok(Response::new(match outcome {
            Outcome::Issued(certificate_chain) => {
                v1::EnrollResponse { certificate_chain, ..v1::EnrollResponse::default() }
            }
            Outcome::Pending => {
                let retry_after = Some(duration(ASK_AGAIN));
                v1::EnrollResponse { pending: true, retry_after, ..v1::EnrollResponse::default() }
            }
        }))
    }

    async fn renew_certificate(
        &self,
        request: Request<v1::RenewCertificateRequest>,
    ) -> Result<Response<v1::RenewCertificateResponse>, Status> {
        let by = Caller::of(&request)?;
        let peer = peer(&request).cloned();
        // The table lets nobody else in.
        let peer =
            peer.ok_or_else(|| Failure::new(Code::Unauthenticated, "UNAUTHENTICATED", "show the certificate"))?;
        let certificate_request = request.into_inner().certificate_request;
        let renewed = self.enrolments()?.renew(&peer, &certificate_request, &by, SystemTime::now()).await;
        let certificate_chain = renewed.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::RenewCertificateResponse { certificate_chain }))
    }

    async fn list_enrollments(
        &self,
        request: Request<v1::ListEnrollmentsRequest>,
    ) -> Result<Response<v1::ListEnrollmentsResponse>, Status> {
        let request = request.into_inner();
        let decision = decision(request.decision());
        let v1::ListEnrollmentsRequest { page_size: asked, page_token, .. } = request;
        let most = page_size(asked, 100, 1000);
        let before = match page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| refuse(bad_token()))?),
        };
        let found = self.enrolments()?.enrolments(decision, before, most.saturating_add(1)).await;
        let mut found = found.map_err(|error| storage(&error))?;
        let has_more = found.len() > most;
        found.truncate(most);
        let next_page_token = found.last().filter(|_| has_more).map(|last| last.number.to_string()).unwrap_or_default();
        let enrollments = found.into_iter().map(enrolment_message).collect();
        Ok(Response::new(v1::ListEnrollmentsResponse { enrollments, next_page_token }))
    }

    async fn decide_enrollment(
        &self,
        request: Request<v1::DecideEnrollmentRequest>,
    ) -> Result<Response<v1::DecideEnrollmentResponse>, Status> {
        let by = Caller::of(&request)?;
        let enrolments = self.enrolments()?;
        let request = request.into_inner();
        let (number, now) = (request.number, SystemTime::now());
        let decided = match request.decision() {
            v1::EnrollmentDecision::Approved => enrolments.approve(number, &by, now).await.map(|_| ()),
            v1::EnrollmentDecision::Refused => enrolments.refuse(number, &request.reason, &by, now).await,
            _ => return Err(refuse(problem("decision", "must be APPROVED or REFUSED"))),
        };
        decided.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::DecideEnrollmentResponse {}))
    }

    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        let v1::ListCertificatesRequest { name, page_size: asked, page_token } = request.into_inner();
        let all = self.enrolments()?.certificates(None, SystemTime::now()).await.map_err(|error| storage(&error))?;
        let skip: usize = match page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| refuse(bad_token()))?,
        };
        let most = page_size(asked, 100, 1000);
        let mut rest = all.into_iter().filter(|one| name.is_empty() || one.peer.name.as_str() == name).skip(skip);
        let certificates: Vec<_> = rest.by_ref().take(most).map(certificate_message).collect();
        let end = skip.saturating_add(certificates.len());
        let next_page_token = rest.next().map(|_| end.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListCertificatesResponse { certificates, next_page_token }))
    }

    async fn revoke_certificates(
        &self,
        request: Request<v1::RevokeCertificatesRequest>,
    ) -> Result<Response<v1::RevokeCertificatesResponse>, Status> {
        let by = Caller::of(&request)?;
        let enrolments = self.enrolments()?;
        let v1::RevokeCertificatesRequest { target, reason } = request.into_inner();
        let now = SystemTime::now();
        let revoked = match target {
            Some(Target::Serial(text)) => {
                let serial: Serial = text.parse().map_err(|error| refuse(problem("serial", format!("{error}"))))?;
                enrolments.revoke(serial, &reason, &by, now).await
            }
            Some(Target::Miner(name)) => {
                let name = peer_name("miner", &name).map_err(refuse)?;
                enrolments.revoke_holder(PeerKind::Miner, &name, &reason, &by, now).await
            }
            Some(Target::Operator(name)) => {
                let name = peer_name("operator", &name).map_err(refuse)?;
                enrolments.revoke_holder(PeerKind::Operator, &name, &reason, &by, now).await
            }
            None => return Err(refuse(problem("target", "is missing; give a serial, a miner or an operator"))),
        };
        let revoked = revoked.map_err(|error| failure(&error))?.len();
        Ok(Response::new(v1::RevokeCertificatesResponse { revoked: u32::try_from(revoked).unwrap_or(u32::MAX) }))
    }

    async fn issue_operator_certificate(
        &self,
        request: Request<v1::IssueOperatorCertificateRequest>,
    ) -> Result<Response<v1::IssueOperatorCertificateResponse>, Status> {
        let by = Caller::of(&request)?;
        let peer = peer(&request).cloned();
        let v1::IssueOperatorCertificateRequest { operator, certificate_request } = request.into_inner();
        let own = match by.subject() {
            Some(Subject::Certificate { operator } | Subject::Token { operator, .. }) => Some(operator.clone()),
            _ => None,
        };
        let name = match (operator.is_empty(), own.clone()) {
            (true, Some(own)) => own,
            (true, None) => {
                return Err(refuse(problem("operator", "is missing; only operators may leave their name out")));
            }
            (false, _) => operator,
        };
        // What an admin gives to another is not what the admin has.
        let credential = if own.as_deref() == Some(name.as_str()) {
            credential(by.subject(), peer)
        } else {
            by.may(Permission::ManageAccess, None).map_err(Failure::from)?;
            None
        };
        let name = peer_name("operator", &name).map_err(refuse)?;
        let now = SystemTime::now();
        let issued = self.enrolments()?.issue_operator(&name, &certificate_request, credential, &by, now).await;
        let issued = issued.map_err(|error| failure(&error))?;
        Ok(Response::new(v1::IssueOperatorCertificateResponse {
            certificate_chain: issued.chain,
            not_after: Some(timestamp(issued.peer.not_after)),
        }))
    }

    async fn get_authority(
        &self,
        _: Request<v1::GetAuthorityRequest>,
    ) -> Result<Response<v1::GetAuthorityResponse>, Status> {
        let authority = self.enrolments()?.authority();
        Ok(Response::new(v1::GetAuthorityResponse {
            certificate: authority.roots().to_pem(),
            fingerprint: authority.fingerprint().to_string(),
            not_after: authority.roots().expires_at().ok().map(timestamp),
        }))
    }
}

/// What an operator shows on its connection.
fn credential(subject: Option<&Subject>, peer: Option<Peer>) -> Option<Credential> {
    match subject? {
        Subject::Token { id, .. } => Some(Credential::Token(id.clone())),
        Subject::Certificate { .. } => {
            peer.map(|Peer { serial, not_after, .. }| Credential::Certificate { serial, not_after })
        }
        Subject::UnixPeer { .. } | Subject::Miner { .. } | Subject::Anonymous => None,
    }
}

fn peer_name(field: &str, text: &str) -> Result<PeerName, Problem> {
    text.parse().map_err(|error| problem(field, format!("`{}` {error}", text.escape_debug())))
}

fn new_token(request: v1::CreateEnrollTokenRequest) -> Result<NewToken, Problems> {
    let v1::CreateEnrollTokenRequest { ttl, uses, needs_approval, labels } = request;
    let mut problems = Vec::new();
    let ttl = length("ttl", ttl).unwrap_or_else(|bad| {
        problems.push(bad);
        None
    });
    for (key, value) in &labels {
        if let Err(error) = check_label(key, value) {
            problems.push(problem(&format!("labels[{}]", key.escape_debug()), error.to_string()));
        }
    }
    let (ttl, uses, labels) = (ttl.unwrap_or(TTL), uses.max(1), labels.into_iter().collect());
    if problems.is_empty() { Ok(NewToken { ttl, uses, needs_approval, labels }) } else { Err(Problems(problems)) }
}

fn decision(decision: v1::EnrollmentDecision) -> Option<Decision> {
    match decision {
        v1::EnrollmentDecision::Unspecified => None,
        v1::EnrollmentDecision::Pending => Some(Decision::Pending),
        v1::EnrollmentDecision::Approved => Some(Decision::Approved),
        v1::EnrollmentDecision::Refused => Some(Decision::Refused),
    }
}

fn token_message(token: StoredToken) -> v1::EnrollToken {
    let StoredToken { id, created_at, created_by, expires_at, uses, uses_left, needs_approval, labels, revoked_at } =
        token;
    v1::EnrollToken {
        token_id: id.to_string(),
        created_at: Some(timestamp(created_at)),
        created_by,
        expires_at: Some(timestamp(expires_at)),
        uses,
        uses_left,
        needs_approval,
        labels: labels.into_iter().collect(),
        revoked_at: revoked_at.map(timestamp),
    }
}

fn enrolment_message(enrolment: Enrolment) -> v1::Enrollment {
    let Enrolment { number, token, key, miner, source, labels, decision, asked_at, decided_at, decided_by, reason } =
        enrolment;
    let decision = match decision {
        Decision::Pending => v1::EnrollmentDecision::Pending,
        Decision::Approved => v1::EnrollmentDecision::Approved,
        Decision::Refused => v1::EnrollmentDecision::Refused,
    };
    v1::Enrollment {
        number,
        token_id: token.to_string(),
        key_fingerprint: key.to_string(),
        miner: miner.to_string(),
        source,
        labels: labels.into_iter().collect(),
        decision: decision.into(),
        asked_at: Some(timestamp(asked_at)),
        decided_at: decided_at.map(timestamp),
        decided_by: decided_by.unwrap_or_default(),
        reason: reason.unwrap_or_default(),
    }
}

fn certificate_message(certificate: Certificate) -> v1::IssuedCertificate {
    let Certificate { peer, key, issued_at, issued_by, is_revoked } = certificate;
    v1::IssuedCertificate {
        serial: peer.serial.to_string(),
        kind: peer.kind.to_string(),
        name: peer.name.to_string(),
        key_fingerprint: key.to_string(),
        issued_at: Some(timestamp(issued_at)),
        issued_by,
        not_after: Some(timestamp(peer.not_after)),
        revoked: is_revoked,
    }
}

fn failure(error: &EnrolError) -> Failure {
    let (code, reason) = match error {
        EnrolError::Store(error) => return storage(error),
        EnrolError::TooMany(_) => (Code::ResourceExhausted, "TOO_MANY_ATTEMPTS"),
        EnrolError::TooEarly(_) => (Code::FailedPrecondition, "TOO_EARLY"),
        EnrolError::TokenText(_) | EnrolError::UnknownToken => (Code::Unauthenticated, "TOKEN_UNKNOWN"),
        EnrolError::Token(_) => (Code::PermissionDenied, "TOKEN_OVER"),
        EnrolError::Name(_) => return Failure::invalid_field("miner", error.to_string()),
        EnrolError::NameTaken { .. } => (Code::AlreadyExists, "NAME_TAKEN"),
        EnrolError::Refused(_) => (Code::PermissionDenied, "ENROLMENT_REFUSED"),
        EnrolError::NotPending(_) => (Code::NotFound, "NOT_PENDING"),
        EnrolError::Revoked => (Code::PermissionDenied, "CERTIFICATE_REVOKED"),
        EnrolError::Expired => (Code::PermissionDenied, "CERTIFICATE_EXPIRED"),
        EnrolError::TooManyCertificates(..) => (Code::FailedPrecondition, "TOO_MANY_CERTIFICATES"),
        EnrolError::CredentialOver(_) => (Code::Unauthenticated, "UNAUTHENTICATED"),
        EnrolError::Kind(_) => (Code::PermissionDenied, "WRONG_KIND"),
        EnrolError::Bound(_) => return Failure::invalid_field("token", error.to_string()),
        EnrolError::NoToken(_) => (Code::NotFound, "TOKEN_NOT_FOUND"),
        EnrolError::Authority(_) => return Failure::invalid_field("certificate_request", error.to_string()),
    };
    let failure = Failure::new(code, reason, error.to_string());
    match error {
        EnrolError::TooMany(wait) | EnrolError::TooEarly(wait) => failure.retry_after(*wait),
        _ => failure,
    }
}
