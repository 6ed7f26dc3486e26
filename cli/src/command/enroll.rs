//! `enroll`: how miners come in, and the end of certificates.

use super::{message, pages, view};
use crate::{
    args::{Enroll, EnrollRevoke, EnrollToken, EnrollTokenCreate},
    context::Context,
    error::CliError,
    saved::Client,
};
use mujina_proto::{
    control::v1::{
        CreateEnrollTokenRequest, DecideEnrollmentRequest, EnrollmentDecision, ListCertificatesRequest,
        ListEnrollTokensRequest, ListEnrollmentsRequest, RevokeCertificatesRequest, RevokeEnrollTokenRequest,
        enrollment_service_client::EnrollmentServiceClient, revoke_certificates_request::Target,
    },
    convert,
};
use std::time::SystemTime;

type Service = EnrollmentServiceClient<Client>;

pub(crate) async fn run(command: Enroll, context: &mut Context<'_>) -> Result<(), CliError> {
    let (address, client) = context.connect().await?;
    let mut service = EnrollmentServiceClient::new(client);
    match command {
        Enroll::Token(EnrollToken::Create(args)) => create(args, &mut service, &address.to_string(), context).await,
        Enroll::Token(EnrollToken::List) => {
            let failed = CliError::call("list the tokens");
            let answer = service.list_enroll_tokens(ListEnrollTokensRequest {}).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |paint| view::enroll_tokens(&answer.tokens, SystemTime::now(), paint))
        }
        Enroll::Token(EnrollToken::Revoke { id }) => {
            let request = RevokeEnrollTokenRequest { token_id: id.clone() };
            let failed = CliError::call(format!("revoke the token {id}"));
            let answer = service.revoke_enroll_token(request).await.map_err(failed)?.into_inner();
            let told = format!("nobody enrols with the token {id} any more; certificates that it gave stay\n");
            message::show(context, &answer, |_| told)
        }
        Enroll::List { pending } => list(pending, &mut service, context).await,
        Enroll::Approve { number } => decide(number, None, &mut service, context).await,
        Enroll::Refuse { number, reason } => decide(number, Some(reason), &mut service, context).await,
        Enroll::Revoke(args) => revoke(args, &mut service, context).await,
        Enroll::Certificates { name } => certificates(name, &mut service, context).await,
    }
}

async fn create(
    args: EnrollTokenCreate,
    service: &mut Service,
    address: &str,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let EnrollTokenCreate { ttl, uses, labels, approval } = args;
    let request = CreateEnrollTokenRequest {
        ttl: ttl.map(convert::duration),
        uses,
        needs_approval: approval,
        labels: labels.into_iter().map(|label| (label.key, label.value)).collect(),
    };
    let failed = CliError::call("make a token");
    let answer = service.create_enroll_token(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |_| view::new_enroll_token(&answer, address))
}

async fn list(pending: bool, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let decision = if pending { EnrollmentDecision::Pending } else { EnrollmentDecision::Unspecified };
    let all = pages::read(u32::MAX, |page_size, page_token| {
        let mut service = service.clone();
        let request = ListEnrollmentsRequest { decision: decision.into(), page_size, page_token };
        async move { service.list_enrollments(request).await }
    });
    let all = all.await.map_err(CliError::call("list the enrolments"))?;
    message::show(context, &all, |paint| view::enrollments(&all.enrollments, paint))
}

async fn decide(
    number: i64,
    refused: Option<String>,
    service: &mut Service,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let (decision, told) = match refused {
        None => (
            EnrollmentDecision::Approved,
            format!("enrolment {number} is approved; the miner gets its certificate when it asks next\n"),
        ),
        Some(_) => (EnrollmentDecision::Refused, format!("enrolment {number} is refused; the miner is told why\n")),
    };
    let reason = refused.unwrap_or_default();
    let request = DecideEnrollmentRequest { number, decision: decision.into(), reason };
    let failed = CliError::call(format!("decide about enrolment {number}"));
    let answer = service.decide_enrollment(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |_| told)
}

async fn revoke(args: EnrollRevoke, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let EnrollRevoke { operator, serial, reason } = args;
    let target = match (context.miner.clone(), operator, serial) {
        (Some(miner), None, None) => Target::Miner(miner.to_string()),
        (None, Some(operator), None) => Target::Operator(operator.to_string()),
        (None, None, Some(serial)) => Target::Serial(serial),
        _ => return Err(CliError::Usage("whose certificates? give one of --miner, --operator and --serial".into())),
    };
    let request = RevokeCertificatesRequest { target: Some(target), reason };
    let failed = CliError::call("revoke the certificates");
    let answer = service.revoke_certificates(request).await.map_err(failed)?.into_inner();
    let told = format!("{} certificates are revoked; connections that show them end within 5 s\n", answer.revoked);
    message::show(context, &answer, |_| told)
}

async fn certificates(name: String, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let all = pages::read(u32::MAX, |page_size, page_token| {
        let mut service = service.clone();
        let request = ListCertificatesRequest { name: name.clone(), page_size, page_token };
        async move { service.list_certificates(request).await }
    });
    let all = all.await.map_err(CliError::call("list the certificates"))?;
    message::show(context, &all, |paint| view::certificates(&all.certificates, SystemTime::now(), paint))
}
