//! `version`: of the command line, and of the services as far as they are reached.

use super::{message::yaml, peer::Peer};
use crate::{
    context::Context,
    error::CliError,
    output::{Format, Paint, Table},
};
use mujina_proto::dataplane::v1::GetMinerRequest;
use serde_json::{Value, json};

/// This program's.
const CLIENT: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let found = match Peer::find(context).await {
        Ok(peer) => Ok(server(&peer).await?),
        Err(error) => Err(error),
    };
    let answer = json!({ "client": CLIENT, "server": found.as_ref().ok() });
    let text = match context.format {
        Format::Table | Format::Wide => table(found.as_ref().ok(), context.paint),
        Format::Json => format!("{answer:#}\n"),
        Format::Yaml => yaml(&answer),
    };
    context.print(&text)?;
    match found {
        Ok(_) => Ok(()),
        // Nobody in the default places is an answer; a service that was named should have given one.
        Err(CliError::NoService(_)) if !context.address_was_given() => context.note("no service is running here"),
        Err(error) => Err(error),
    }
}

async fn server(peer: &Peer) -> Result<Value, CliError> {
    let entry = |name: &str, version: &str| json!({ "name": name, "version": version });
    let (kind, miners) = match &peer.miners {
        Some(miners) => {
            let version = |miner: &mujina_proto::control::v1::Miner| {
                miner.status.as_ref().map(|status| status.version.clone()).unwrap_or_default()
            };
            ("control", miners.iter().map(|miner| entry(&miner.name, &version(miner))).collect::<Vec<_>>())
        }
        None => {
            let failed = CliError::call("ask the miner for its version");
            let mut service = peer.one(None)?.miners();
            let miner = service.get_miner(GetMinerRequest {}).await.map_err(failed)?.into_inner().miner;
            ("miner", miner.iter().map(|miner| entry(&miner.name, &miner.version)).collect())
        }
    };
    Ok(json!({ "kind": kind, "address": peer.address.to_string(), "miners": miners }))
}

fn table(server: Option<&Value>, paint: Paint) -> String {
    let mut table = Table::new(&["WHAT", "NAME", "VERSION"]);
    table.row(["client".into(), "mujinactl".into(), CLIENT.into()]);
    let miners = server.and_then(|server| server["miners"].as_array());
    for miner in miners.into_iter().flatten() {
        let text = |key: &str| miner[key].as_str().unwrap_or_default().to_owned();
        table.row(["miner".into(), text("name").into(), text("version").into()]);
    }
    table.render(paint)
}
