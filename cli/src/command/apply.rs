//! `apply` and `diff`: the documents of a file, looked at together before anything is changed.

use super::{
    document::{self, Document},
    message::{self, to_json},
    repeat::{once_more, request_id},
    view, wait,
};
use crate::{context::Context, error::CliError, saved::Client};
use mujina_proto::control::v1::{
    ApplyProfileRequest, ApplySpecRequest, ProfileEffect, profile_service_client::ProfileServiceClient,
    spec_service_client::SpecServiceClient,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// `apply`: the plan, then, once somebody agrees, the changes.
pub(crate) async fn run(path: &Path, dry_run: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let documents = document::read(context, path).await?;
    let (_, client) = context.connect().await?;
    let planned = all(&client, &documents, true).await?;
    if dry_run {
        show(context, &planned)?;
        return context.confirm("nothing was changed (dry run)");
    }
    context.agree(&plan(&planned, context.paint_of_errors()), miners(&planned).len()).await?;
    context.goes_on = Some("a part of the documents may have been stored; `mujinactl diff` says what is left".into());
    let done = store(&client, &documents, context).await?;
    context.goes_on = None;
    show(context, &done)?;
    let changed = miners(&done);
    if context.wait && !changed.is_empty() {
        context.goes_on = Some(wait::PUTTING_IN_FORCE.into());
        wait::converged(context, &client, changed.clone(), &written(&documents)).await?;
        context.goes_on = None;
        return context.confirm(&format!("{} miners do what is wanted", changed.len()));
    }
    context.confirm(&format!("stored; {} miners change", changed.len()))
}

/// `diff`: the plan. Differences are no failure.
pub(crate) async fn diff(path: &Path, context: &mut Context<'_>) -> Result<(), CliError> {
    let documents = document::read(context, path).await?;
    let (_, client) = context.connect().await?;
    let planned = all(&client, &documents, true).await?;
    show(context, &planned)
}

/// What a document comes to.
struct Outcome {
    /// `profile north`
    title: String,
    answer: Value,
    effects: Vec<ProfileEffect>,
}

async fn all(client: &Client, documents: &[Document], validate_only: bool) -> Result<Vec<Outcome>, CliError> {
    let mut outcomes = Vec::new();
    for document in documents {
        outcomes.push(one(client, document.clone(), validate_only).await?);
    }
    Ok(outcomes)
}

/// Stores the documents in their order, until one fails. What was stored before it is shown.
async fn store(client: &Client, documents: &[Document], context: &mut Context<'_>) -> Result<Vec<Outcome>, CliError> {
    let mut stored = Vec::new();
    let mut rest = documents.iter();
    while let Some(document) = rest.next() {
        match one(client, document.clone(), false).await {
            Ok(outcome) => stored.push(outcome),
            Err(error) if stored.is_empty() => return Err(error),
            Err(error) => {
                show(context, &stored)?;
                let error = Box::new(error);
                let stored = stored.into_iter().map(|one| one.title).collect();
                return Err(CliError::Partly { stored, untried: rest.map(title).collect(), error });
            }
        }
    }
    Ok(stored)
}

/// `profile north`
fn title(document: &Document) -> String {
    match document {
        Document::Profile { profile, .. } => format!("profile {}", profile.name),
        Document::Spec { miner, .. } => format!("spec of {miner}"),
        Document::Fragment(_) => "spec of no miner".into(),
    }
}

async fn one(client: &Client, document: Document, validate_only: bool) -> Result<Outcome, CliError> {
    let title = title(&document);
    match document {
        Document::Profile { profile, etag } => {
            let request = ApplyProfileRequest { profile: Some(profile), etag, request_id: request_id(), validate_only };
            let call = || {
                let (mut service, request) = (ProfileServiceClient::new(client.clone()), request.clone());
                async move { service.apply_profile(request).await }
            };
            let answer = once_more(call).await.map_err(CliError::call(format!("apply the {title}")))?;
            Ok(Outcome { title, answer: to_json(&answer)?, effects: answer.effects })
        }
        Document::Spec { miner, spec, etag } => {
            let request = ApplySpecRequest {
                miner: miner.clone(),
                spec: Some(spec),
                update_mask: None,
                etag,
                request_id: request_id(),
                validate_only,
                confirm_within: None,
            };
            let call = || {
                let (mut service, request) = (SpecServiceClient::new(client.clone()), request.clone());
                async move { service.apply_spec(request).await }
            };
            let answer = once_more(call).await.map_err(CliError::call(format!("apply the {title}")))?;
            let answered = to_json(&answer)?;
            let effect = ProfileEffect { miner, changes: answer.changes };
            let effects = if effect.changes.is_empty() { Vec::new() } else { vec![effect] };
            Ok(Outcome { title, answer: answered, effects })
        }
        Document::Fragment(_) => Err(CliError::Usage(
            "a spec without `kind` names no miner; add `kind: Profile` or `kind: MinerSpec`".into(),
        )),
    }
}

fn miners(outcomes: &[Outcome]) -> BTreeSet<String> {
    outcomes.iter().flat_map(|one| &one.effects).map(|effect| effect.miner.clone()).collect()
}

/// The miners that have a document of their own.
fn written(documents: &[Document]) -> BTreeSet<String> {
    let miner = |document: &Document| match document {
        Document::Spec { miner, .. } => Some(miner.clone()),
        Document::Profile { .. } | Document::Fragment(_) => None,
    };
    documents.iter().filter_map(miner).collect()
}

fn plan(outcomes: &[Outcome], paint: crate::output::Paint) -> String {
    outcomes.iter().map(|one| format!("{}\n{}", one.title, view::effects(&one.effects, paint))).collect()
}

fn show(context: &mut Context<'_>, outcomes: &[Outcome]) -> Result<(), CliError> {
    if context.format.is_for_people() {
        let text = plan(outcomes, context.paint);
        return context.print(&text);
    }
    let documents: Vec<_> = outcomes
        .iter()
        .map(|one| BTreeMap::from([("document", json!(one.title)), ("answer", one.answer.clone())]))
        .collect();
    message::value(context, &json!({ "documents": documents }))
}
