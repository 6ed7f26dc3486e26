//! `miner list`: the fleet of a control plane, or the one miner that answers.

use crate::{
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::{control::v1::ListMinersResponse, dataplane::v1::GetMinerRequest};
use std::time::SystemTime;

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let peer = Peer::find(context).await?;
    if let Some(miners) = peer.miners {
        let response = ListMinersResponse { miners, next_page_token: String::new() };
        return message::show(context, &response, |paint| view::fleet(&response.miners, SystemTime::now(), paint));
    }
    let mut service = peer.one(context.miner.as_ref())?.miners();
    let failed = CliError::call("read the status of the miner");
    let response = service.get_miner(GetMinerRequest {}).await.map_err(failed)?.into_inner();
    message::show(context, &response, |paint| view::lone(&response.miner.clone().unwrap_or_default(), paint))
}
