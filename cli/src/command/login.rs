//! `login`: a context from a token; or the next certificate of a context.

use super::{message, saved};
use crate::{
    args::Login,
    context::Context,
    error::CliError,
    saved::{Client, Proof, Replace, Saved, SavedError},
};
use mujina_core::id::PeerName;
use mujina_proto::{
    control::v1::{
        IssueOperatorCertificateRequest, WhoAmIRequest, WhoAmIResponse, access_service_client::AccessServiceClient,
        enrollment_service_client::EnrollmentServiceClient,
    },
    dial::{Address, DialError, first_contact},
    tls::{Fingerprint, NewKey, Roots, TlsError},
};
use std::time::Duration;

/// For a first contact, on another machine.
const DIAL: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: Login, context: &mut Context<'_>) -> Result<(), CliError> {
    let Login { url, token_file, fingerprint, name, certificate, renew } = args;
    if renew {
        return next_certificate(context).await;
    }
    let (Some(address), Some(token_file)) = (url, token_file) else {
        return Err(CliError::Usage("give the URL of the control plane and --token-file".into()));
    };
    if !matches!(address, Address::Tls { .. }) {
        return Err(CliError::Usage(format!("{address} has no TLS, which a token needs; write https://host:port")));
    }
    if fingerprint.is_none() && !context.has_person() {
        return Err(CliError::Usage(
            "nobody can compare a fingerprint here, and --yes does not either; give the --fingerprint of the control plane, as \
             `mujina-control init` or an admin shows it"
                .into(),
        ));
    }
    let token = context.read(&token_file).await?.trim().to_owned();
    let fingerprint = match fingerprint {
        Some(fingerprint) => fingerprint,
        None => compared(&address, context).await?,
    };
    let (_, roots) = first_contact(&address, Some(fingerprint), DIAL).await?;
    let roots = roots.ok_or_else(|| DialError::Tls(address.clone(), TlsError::NoAuthority))?;
    let placeholder: PeerName = "login".parse().expect("five letters are a name");
    let authority = Some(roots.to_pem());
    let by_token = Saved { name: placeholder, address, authority, proof: Proof::Token(token) };
    let client = by_token.dial(DIAL).await?;
    let who = who(&client).await?;
    let operator: PeerName = who
        .subject
        .trim_start_matches("operator:")
        .parse()
        .map_err(|_| CliError::Usage(format!("the token is that of {}, not of an operator", who.subject)))?;
    let name = name.unwrap_or_else(|| operator.clone());
    // Before a certificate is issued that could not be kept.
    context.contexts.may_keep(&name, &by_token.address)?;
    let proof =
        if certificate { Proof::Identity(issue(&client, &operator, &roots).await?) } else { by_token.proof.clone() };
    let saved = Saved { name, proof, ..by_token };
    saved::kept(&saved, true, Replace::SameAddress, context)?;
    context.confirm(&format!("the control plane knows you as {}", who.detail))?;
    if context.format.is_for_people() { Ok(()) } else { message::show(context, &who, |_| String::new()) }
}

/// The fingerprint that the control plane shows, once a person has compared it: the token goes to whoever has it.
async fn compared(address: &Address, context: &mut Context<'_>) -> Result<Fingerprint, CliError> {
    let (found, _) = first_contact(address, None, DIAL).await?;
    context.complain(&format!("the authority of {address} has the fingerprint\n  {found}\n"));
    context.ask_person("compare it with what `mujina-control init` or an admin shows").await?;
    Ok(found)
}

async fn who(client: &Client) -> Result<WhoAmIResponse, CliError> {
    let failed = CliError::call("log in");
    Ok(AccessServiceClient::new(client.clone()).who_am_i(WhoAmIRequest {}).await.map_err(failed)?.into_inner())
}

/// A certificate for a new key, as PEM with the key.
async fn issue(client: &Client, operator: &PeerName, roots: &Roots) -> Result<String, CliError> {
    let key = NewKey::generate().map_err(SavedError::from)?;
    let certificate_request = key.request(operator.as_str()).map_err(SavedError::from)?;
    let request = IssueOperatorCertificateRequest { operator: String::new(), certificate_request };
    let failed = CliError::call("get a certificate");
    let mut service = EnrollmentServiceClient::new(client.clone());
    let answer = service.issue_operator_certificate(request).await.map_err(failed)?.into_inner();
    Ok(key.into_identity(&answer.certificate_chain, roots).map_err(SavedError::from)?.to_pem())
}

async fn next_certificate(context: &mut Context<'_>) -> Result<(), CliError> {
    let name = match &context.given_context {
        Some(name) => Some(name.clone()),
        None => context.contexts.current_name()?,
    };
    let none = || CliError::NotFound("no context is in use; choose one with --context".into());
    let saved = context.contexts.get(&name.ok_or_else(none)?)?;
    let (Some(identity), Some(roots)) = (saved.identity()?, saved.roots()?) else {
        let message = format!("the context {} has no certificate to renew; log in with a token again", saved.name);
        return Err(CliError::Precondition(message));
    };
    let client = saved.dial(DIAL).await?;
    let proof = Proof::Identity(issue(&client, &identity.peer().name, &roots).await?);
    saved::kept(&Saved { proof, ..saved }, false, Replace::SameAddress, context)
}
