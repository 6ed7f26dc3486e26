//! `context`: the contexts that are kept.

use crate::{
    args::{ContextAdd, ContextCommand},
    context::Context,
    error::CliError,
    output::{Cell, Format, Table, Tone, clock},
    saved::{Proof, Replace, Saved, SavedError},
};
use mujina_core::id::PeerName;
use serde_json::{Value, json};
use std::path::Path;

pub(crate) async fn run(command: ContextCommand, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        ContextCommand::Import { file, name, select } => import(&file, name, select, context).await,
        ContextCommand::Add(args) => add(args, context).await,
        ContextCommand::Use { name } => {
            context.contexts.select(&name)?;
            context.confirm(&format!("{name} is the context in use"))
        }
        ContextCommand::List => list(context),
        ContextCommand::Remove { name } => {
            context.contexts.remove(&name)?;
            context.confirm(&format!("{name} is forgotten, with its key or token"))
        }
        ContextCommand::Show { name } => {
            let name = match name {
                Some(name) => name,
                None => context.contexts.current_name()?.ok_or_else(none)?,
            };
            let saved = context.contexts.get(&name)?;
            let value = described(&saved, context.contexts.current_name()?.as_ref() == Some(&name))?;
            let text = match context.format {
                Format::Json => format!("{value:#}\n"),
                Format::Table | Format::Wide | Format::Yaml => super::message::yaml(&value),
            };
            context.print(&text)
        }
        ContextCommand::Export { name } => {
            let text = context.contexts.get(&name)?.to_toml();
            context
                .print(&format!("# Whoever has this commands what {name} may: mujinactl context import FILE\n{text}"))
        }
    }
}

async fn import(file: &Path, name: Option<PeerName>, select: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let text = context.read(file).await?;
    let read = Saved::parse(&text, file)?;
    let saved = Saved { name: name.unwrap_or_else(|| read.name.clone()), ..read };
    kept(&saved, select, Replace::Never, context)
}

async fn add(args: ContextAdd, context: &mut Context<'_>) -> Result<(), CliError> {
    let ContextAdd { name, authority, identity, token_file } = args;
    let missing = || CliError::Usage("where is the service? give --address".into());
    let address = context.given_address.clone().ok_or_else(missing)?;
    let authority = match authority {
        Some(path) => Some(context.read(&path).await?),
        None => None,
    };
    let proof = match (identity, token_file) {
        (Some(path), _) => Proof::Identity(context.read(&path).await?),
        (None, Some(path)) => Proof::Token(context.read(&path).await?.trim().to_owned()),
        (None, None) => Proof::Nothing,
    };
    let saved = Saved { name, address, authority, proof };
    saved.check()?;
    kept(&saved, false, Replace::Never, context)
}

/// Keeps a context and says so.
pub(crate) fn kept(saved: &Saved, select: bool, replace: Replace, context: &mut Context<'_>) -> Result<(), CliError> {
    context.contexts.keep(saved, replace)?;
    if select {
        context.contexts.select(&saved.name)?;
    }
    let Saved { name, address, .. } = saved;
    let in_use = context.contexts.current_name()?.as_ref() == Some(name);
    let note =
        if in_use { "it is in use".into() } else { format!("`mujinactl context use {name}` makes it the one in use") };
    context.confirm(&format!("context {name} for {address} is kept; {note}"))
}

fn list(context: &mut Context<'_>) -> Result<(), CliError> {
    let current = context.contexts.current_name()?;
    let mut all = Vec::new();
    for name in context.contexts.names()? {
        let in_use = current.as_ref() == Some(&name);
        let value = context.contexts.get(&name).and_then(|saved| described(&saved, in_use));
        // One that cannot be used is shown too, so that it can be put right.
        all.push(
            value.unwrap_or_else(
                |error| json!({ "name": name.as_str(), "inUse": in_use, "problem": error.to_string() }),
            ),
        );
    }
    let text = match context.format {
        Format::Json => format!("{:#}\n", json!({ "contexts": all })),
        Format::Yaml => super::message::yaml(&json!({ "contexts": all })),
        Format::Table | Format::Wide if all.is_empty() => {
            "there is no context; keep one with `mujinactl context import` or `mujinactl login`\n".into()
        }
        Format::Table | Format::Wide => {
            let mut table = Table::new(&["NAME", "IN USE", "ADDRESS", "AS", "VALID UNTIL", "PROBLEM"]);
            for one in &all {
                let text = |field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                let in_use = one.get("inUse").and_then(Value::as_bool).unwrap_or_default();
                table.row([
                    Cell::new(text("name"), Tone::Strong),
                    if in_use { Cell::new("yes", Tone::Good) } else { "".into() },
                    text("address").into(),
                    text("as").into(),
                    text("validUntil").into(),
                    Cell::new(text("problem"), Tone::Bad),
                ]);
            }
            table.render(context.paint)
        }
    };
    context.print(&text)
}

/// A context without its secret.
fn described(saved: &Saved, in_use: bool) -> Result<Value, SavedError> {
    let identity = saved.identity()?;
    let who = match (&identity, &saved.proof) {
        (Some(identity), _) => identity.peer().to_string(),
        (None, Proof::Token(_)) => "token".into(),
        (None, _) => "user of the socket".into(),
    };
    let authority: Vec<_> =
        saved.roots()?.iter().flat_map(mujina_proto::tls::Roots::fingerprints).map(|it| it.to_string()).collect();
    let mut value = json!({
        "name": saved.name.as_str(),
        "inUse": in_use,
        "address": saved.address.to_string(),
        "as": who,
    });
    if let Value::Object(fields) = &mut value {
        if let Some(identity) = identity {
            fields.insert("validUntil".into(), json!(clock(Some(identity.expires_at()))));
        }
        if let Some(authority) = authority.first() {
            fields.insert("authority".into(), json!(authority));
        }
    }
    Ok(value)
}

fn none() -> CliError {
    CliError::NotFound("no context is in use; choose one with `mujinactl context use`".into())
}
