//! `miner get`: one miner, with what the control plane last knew of it even while it is not reached.

use crate::{
    command::{
        message,
        peer::{Peer, registry},
        view,
    },
    context::Context,
    error::CliError,
};
use mujina_core::id::MinerName;
use mujina_proto::{control::v1::GetMinerRequest, dataplane::v1 as dataplane};
use std::time::SystemTime;

pub(crate) async fn run(name: Option<MinerName>, context: &mut Context<'_>) -> Result<(), CliError> {
    let wanted = match (name, context.miner.clone()) {
        (Some(name), Some(flag)) if name != flag => {
            return Err(CliError::Usage(format!("{name} or {flag}? give the miner once")));
        }
        (name, flag) => name.or(flag),
    };
    let peer = Peer::find(context).await?;
    let target = peer.one(wanted.as_ref())?;
    let failed = CliError::call(format!("read the status of {}", target.label()));
    if let Some(name) = target.name.clone() {
        let mut registry = registry(&target.client);
        let response = registry.get_miner(GetMinerRequest { name }).await.map_err(failed)?.into_inner();
        let miner = response.miner.clone().unwrap_or_default();
        return message::show(context, &response, |paint| view::known(&miner, SystemTime::now(), paint));
    }
    let response = target.miners().get_miner(dataplane::GetMinerRequest {}).await.map_err(failed)?.into_inner();
    message::show(context, &response, |paint| view::status(&response.miner.clone().unwrap_or_default(), paint))
}
