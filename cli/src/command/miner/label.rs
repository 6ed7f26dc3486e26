//! `miner label`, `remove`, `release`, `summary`: what the control plane keeps of its miners.

use crate::{
    args::{LabelChange, MinerLabel},
    command::{message, peer::registry, selection, view},
    context::Context,
    error::CliError,
};
use mujina_core::id::MinerName;
use mujina_proto::control::v1::{LabelMinersRequest, ReleaseMinerRequest, RemoveMinerRequest, SummarizeMinersRequest};

pub(crate) async fn label(args: MinerLabel, context: &mut Context<'_>) -> Result<(), CliError> {
    let (names, changes) = args.split().map_err(CliError::Usage)?;
    let nobody = || CliError::Usage("which miners? name them, or give -l, --filter or --all".into());
    let selection = selection::said(context, &names, &args.others)?.ok_or_else(nobody)?;
    let mut request = LabelMinersRequest { selection: Some(selection), ..LabelMinersRequest::default() };
    for change in changes {
        match change {
            LabelChange::Set(label) => {
                request.set.insert(label.key, label.value);
            }
            LabelChange::Remove(key) => request.remove.push(key),
        }
    }
    let (_, client) = context.connect().await?;
    let mut registry = registry(&client);
    let doing = "label the miners";
    if !context.agrees_to_all() {
        let planned = LabelMinersRequest { validate_only: true, ..request.clone() };
        let planned = registry.label_miners(planned).await.map_err(CliError::call(doing))?.into_inner().miners;
        let names: Vec<_> = planned.iter().map(String::as_str).collect();
        context.agree(&format!("labels change on {}\n", view::names(&names)), planned.len()).await?;
        // Those that were agreed to, and no other.
        request.selection = Some(selection::of_miners(planned.clone()));
        if planned.is_empty() {
            return context.confirm("no label changes");
        }
    }
    let answer = registry.label_miners(request).await.map_err(CliError::call(doing))?.into_inner();
    let names: Vec<_> = answer.miners.iter().map(String::as_str).collect();
    let told =
        if names.is_empty() { "no label changes\n".into() } else { format!("labelled {}\n", view::names(&names)) };
    message::show(context, &answer, |_| told)
}

pub(crate) async fn remove(name: MinerName, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let request = RemoveMinerRequest { name: name.to_string() };
    let failed = CliError::call(format!("remove {name}"));
    let answer = registry(&client).remove_miner(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |_| {
        format!("{name} is forgotten and its certificates are revoked; its statistics stay\n")
    })
}

pub(crate) async fn release(name: MinerName, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let request = ReleaseMinerRequest { name: name.to_string() };
    let failed = CliError::call(format!("release {name}"));
    let answer = registry(&client).release_miner(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |_| format!("{name} is out of quarantine\n"))
}

pub(crate) async fn summary(selector: String, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let failed = CliError::call("sum the miners up");
    let request = SummarizeMinersRequest { selector };
    let answer = registry(&client).summarize_miners(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |paint| view::miners_summary(&answer, paint))
}
