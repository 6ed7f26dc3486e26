//! `access` and `auth`: who may do what.

use super::{
    message::{self, from_json},
    view,
};
use crate::{
    args::{Access, AccessBinding, AccessPayout, AccessToken, Auth, BindingAdd, PayoutPropose, TokenCreate},
    context::Context,
    error::CliError,
    saved::Client,
};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{
        Binding, CanIRequest, CreateBindingRequest, CreateOperatorTokenRequest, DecidePayoutChangeRequest,
        DeleteBindingRequest, GetPayoutGuardRequest, ListBindingsRequest, ListOperatorTokensRequest,
        ProposePayoutChangeRequest, RevokeOperatorTokenRequest, WhoAmIRequest,
        access_service_client::AccessServiceClient,
    },
    convert,
};
use std::time::SystemTime;

type Service = AccessServiceClient<Client>;

pub(crate) async fn run(command: Access, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let mut service = AccessServiceClient::new(client);
    match command {
        Access::Binding(command) => binding(command, &mut service, context).await,
        Access::Token(command) => token(command, &mut service, context).await,
        Access::Payout(command) => payout(command, &mut service, context).await,
    }
}

pub(crate) async fn auth(command: Auth, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let mut service = AccessServiceClient::new(client);
    match command {
        Auth::Whoami => {
            let failed = CliError::call("ask who this is");
            let answer = service.who_am_i(WhoAmIRequest {}).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |paint| view::who(&answer, paint))
        }
        Auth::CanI { question } => {
            let miner = context.miner.as_ref().map(ToString::to_string).unwrap_or_default();
            let failed = CliError::call("ask whether that is allowed");
            let answer = service.can_i(CanIRequest { question, miner }).await.map_err(failed)?.into_inner();
            if answer.allowed || !context.format.is_for_people() {
                message::show(context, &answer, |_| view::allowed(&answer))?;
            }
            if answer.allowed { Ok(()) } else { Err(CliError::NotAllowed(answer.reason)) }
        }
    }
}

async fn binding(command: AccessBinding, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        AccessBinding::List => {
            let failed = CliError::call("list the roles");
            let answer = service.list_bindings(ListBindingsRequest {}).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |paint| view::bindings(&answer.bindings, paint))
        }
        AccessBinding::Add(BindingAdd { subject, role, selector }) => {
            let failed = CliError::call(format!("give {subject} the role {role}"));
            let binding = Some(Binding { binding_id: String::new(), subject, role, selector });
            let answer = service.create_binding(CreateBindingRequest { binding }).await.map_err(failed)?.into_inner();
            let made = answer.binding.clone().into_iter().collect::<Vec<_>>();
            message::show(context, &answer, |paint| view::bindings(&made, paint))
        }
        AccessBinding::Remove { id } => {
            let failed = CliError::call("take the role away");
            let request = DeleteBindingRequest { binding_id: id.clone() };
            let answer = service.delete_binding(request).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |_| format!("the binding {id} is gone\n"))
        }
    }
}

async fn token(command: AccessToken, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        AccessToken::Create(TokenCreate { operator, label, ttl }) => {
            let request =
                CreateOperatorTokenRequest { operator: operator.to_string(), label, ttl: ttl.map(convert::duration) };
            let failed = CliError::call(format!("make a token of {operator}"));
            let answer = service.create_operator_token(request).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |_| view::new_operator_token(&answer))
        }
        AccessToken::List => {
            let failed = CliError::call("list the tokens");
            let request = ListOperatorTokensRequest {};
            let answer = service.list_operator_tokens(request).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |paint| view::operator_tokens(&answer.tokens, SystemTime::now(), paint))
        }
        AccessToken::Revoke { id } => {
            let failed = CliError::call("revoke the token");
            let request = RevokeOperatorTokenRequest { token_id: id.clone() };
            let answer = service.revoke_operator_token(request).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |_| format!("the token {id} proves nothing any more\n"))
        }
    }
}

async fn payout(command: AccessPayout, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        AccessPayout::Show => {
            let failed = CliError::call("read the payout list");
            let answer = service.get_payout_guard(GetPayoutGuardRequest {}).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |paint| view::payout_guard(&answer, paint))
        }
        AccessPayout::Propose(args) => {
            let request = proposal(args, context).await?;
            let failed = CliError::call("propose the payout list");
            let answer = service.propose_payout_change(request).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |_| view::proposed(&answer))
        }
        AccessPayout::Approve { id } => decide(id, true, service, context).await,
        AccessPayout::Reject { id } => decide(id, false, service, context).await,
    }
}

async fn proposal(args: PayoutPropose, context: &mut Context<'_>) -> Result<ProposePayoutChangeRequest, CliError> {
    let PayoutPropose { file, turn_off } = args;
    let Some(path) = file else { return Ok(ProposePayoutChangeRequest { entries: Vec::new(), turn_off }) };
    let text = context.read(&path).await?;
    let refused = |problems| CliError::Fields { doing: format!("read {}", path.display()), problems };
    let value = serde_norway::from_str(&text)
        .map_err(|error| refused(vec![Problem { field: "file".into(), reason: error.to_string() }]))?;
    from_json(&value).map_err(refused)
}

async fn decide(
    proposal_id: String,
    approve: bool,
    service: &mut Service,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let failed = CliError::call("decide about the proposal");
    let request = DecidePayoutChangeRequest { proposal_id, approve };
    let answer = service.decide_payout_change(request).await.map_err(failed)?.into_inner();
    let told = if approve { "the proposal is in force\n" } else { "the proposal is dropped\n" };
    message::show(context, &answer, |_| told.into())
}
