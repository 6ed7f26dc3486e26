//! `profile`: what is wanted of miners with certain labels.

use super::{
    apply, document,
    message::{self, to_json},
    repeat::{once_more, request_id},
    view,
};
use crate::{args::Profile, context::Context, error::CliError, saved::Client};
use mujina_core::id::{MinerName, ProfileName};
use mujina_proto::control::v1::{
    ClearOverrideRequest, DeleteProfileRequest, GetProfileRequest, ListProfilesRequest, ResolveSpecRequest,
    profile_service_client::ProfileServiceClient,
};

type Service = ProfileServiceClient<Client>;

pub(crate) async fn run(command: Profile, context: &mut Context<'_>) -> Result<(), CliError> {
    if let Profile::Apply(args) = command {
        return apply::run(&args.file, args.dry_run, context).await;
    }
    let (_, client) = context.connect().await?;
    let mut service = ProfileServiceClient::new(client);
    match command {
        Profile::Apply(_) => Ok(()),
        Profile::List => {
            let failed = CliError::call("list the profiles");
            let answer = service.list_profiles(ListProfilesRequest {}).await.map_err(failed)?.into_inner();
            message::show(context, &answer, |paint| view::profiles(&answer.profiles, paint))
        }
        Profile::Get { name } => get(&name, &mut service, context).await,
        Profile::Delete { name, dry_run } => delete(&name, dry_run, &service, context).await,
        Profile::Resolve { miner } => {
            let failed = CliError::call(format!("resolve the profiles of {miner}"));
            let request = ResolveSpecRequest { miner: miner.to_string() };
            let answer = service.resolve_spec(request).await.map_err(failed)?.into_inner();
            let spec = to_json(&answer.spec.clone().unwrap_or_default())?;
            message::show(context, &answer, |paint| view::resolved(&answer, &message::yaml(&spec), paint))
        }
        Profile::ClearOverride { miner, dry_run } => clear(&miner, dry_run, &mut service, context).await,
    }
}

async fn get(name: &ProfileName, service: &mut Service, context: &mut Context<'_>) -> Result<(), CliError> {
    let failed = CliError::call(format!("read the profile {name}"));
    let request = GetProfileRequest { name: name.to_string() };
    let answer = service.get_profile(request).await.map_err(failed)?.into_inner();
    if !context.format.is_for_people() {
        return message::show(context, &answer, |_| String::new());
    }
    let document = document::flatten(to_json(&answer.profile.unwrap_or_default())?);
    context.print(&message::yaml(&document))
}

async fn delete(
    name: &ProfileName,
    dry_run: bool,
    service: &Service,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let send = |validate_only| {
        let request = DeleteProfileRequest {
            name: name.to_string(),
            etag: String::new(),
            request_id: request_id(),
            validate_only,
        };
        let call = move || {
            let (mut service, request) = (service.clone(), request.clone());
            async move { service.delete_profile(request).await }
        };
        async move { once_more(call).await.map_err(CliError::call(format!("delete the profile {name}"))) }
    };
    let planned = send(true).await?;
    if dry_run {
        message::show(context, &planned, |paint| view::effects(&planned.effects, paint))?;
        return context.confirm("nothing was changed (dry run)");
    }
    let plan = view::effects(&planned.effects, context.paint_of_errors());
    context.agree(&format!("delete the profile {name}\n{plan}"), planned.effects.len()).await?;
    let done = send(false).await?;
    message::show(context, &done, |paint| view::effects(&done.effects, paint))?;
    context.confirm(&format!("the profile {name} is deleted"))
}

async fn clear(
    miner: &MinerName,
    validate_only: bool,
    service: &mut Service,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let request = ClearOverrideRequest { miner: miner.to_string(), validate_only };
    let failed = CliError::call(format!("clear the override of {miner}"));
    let answer = service.clear_override(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |paint| view::changes(&answer.changes, paint))?;
    context.confirm(if validate_only { "nothing was changed (dry run)" } else { "profiles count for the miner again" })
}
