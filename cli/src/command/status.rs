//! `status`: what is going on. Of a control plane the fleet, and the miner when there is one; of a miner itself.

use super::{
    following::Following,
    known, message,
    peer::{Peer, Target, list},
    view,
};
use crate::{args::Status, context::Context, error::CliError, output::Paint, saved::Client};
use mujina_proto::{
    control::v1::{ListMinersRequest, ListMinersResponse, Miner, MinerView},
    dataplane::v1::{GetMinerRequest, GetMinerResponse, WatchMinerRequest},
};
use std::{collections::BTreeMap, time::SystemTime};

pub(crate) async fn run(args: Status, context: &mut Context<'_>) -> Result<(), CliError> {
    let peer = Peer::find(context).await?;
    match (&peer.miners, context.miner.is_some(), args.watch) {
        (Some(_), false, true) => watch_fleet(&peer.client, context).await,
        (Some(miners), false, false) => {
            // Of many miners, people see the totals only.
            let miners = if miners.len() > 1 && context.format.is_for_people() {
                miners.clone()
            } else {
                let all = ListMinersRequest::default();
                list(&peer.client, all, "read the status of the miners").await?.unwrap_or_default()
            };
            let response = ListMinersResponse { miners, next_page_token: String::new() };
            message::show(context, &response, |paint| fleet(&response.miners, paint))
        }
        (_, _, true) => watch(&peer.one(context.miner.as_ref())?, context).await,
        (_, _, false) => once(&peer.one(context.miner.as_ref())?, context).await,
    }
}

async fn once(target: &Target, context: &mut Context<'_>) -> Result<(), CliError> {
    let failed = CliError::call(format!("read the status of {}", target.label()));
    let request = target.request(GetMinerRequest {})?;
    let response = match target.miners().get_miner(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => GetMinerResponse { miner: Some(known::instead(failed(status), target, context).await?) },
    };
    message::show(context, &response, |paint| view::status(&response.miner.clone().unwrap_or_default(), paint))
}

async fn watch(target: &Target, context: &mut Context<'_>) -> Result<(), CliError> {
    let doing = format!("watch the status of {}", target.label());
    let failed = || CliError::call(doing.clone());
    let request = target.request(WatchMinerRequest { min_interval: None, figures_interval: None })?;
    let mut stream = target.miners().watch_miner(request).await.map_err(failed())?.into_inner();
    while let Some(response) = stream.message().await.map_err(failed())? {
        message::event(context, &response, |paint| {
            format!("{}{}", paint.redraw(), view::status(&response.miner.clone().unwrap_or_default(), paint))
        })?;
    }
    Err(CliError::Ended { doing })
}

async fn watch_fleet(client: &Client, context: &mut Context<'_>) -> Result<(), CliError> {
    let failed = || CliError::call("watch the miners");
    let mut stream = Following::begin(client, MinerView::Full).await.map_err(failed())?;
    let mut known = BTreeMap::<String, Miner>::new();
    while let Some(response) = stream.next().await.map_err(failed())? {
        if response.snapshot {
            known.clear();
        }
        known.retain(|name, _| !response.removed.contains(name));
        known.extend(response.miners.iter().map(|miner| (miner.name.clone(), miner.clone())));
        let miners: Vec<_> = known.values().cloned().collect();
        message::event(context, &response, |paint| format!("{}{}", paint.redraw(), fleet(&miners, paint)))?;
    }
    Err(CliError::Ended { doing: "watch the miners".into() })
}

/// The fleet, and below it the miner when there is one.
fn fleet(miners: &[Miner], paint: Paint) -> String {
    let table = view::fleet(miners, SystemTime::now(), paint);
    match miners {
        [Miner { status: Some(status), .. }] => format!("{table}\n{}", view::status(status, paint)),
        _ => table,
    }
}
