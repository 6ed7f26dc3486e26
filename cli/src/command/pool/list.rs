//! `pool list`: the pools and their connections.

use crate::{
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
    output::Format,
};
use mujina_proto::dataplane::v1::ListPoolsRequest;

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("list the pools of {}", target.label()));
    let request = target.request(ListPoolsRequest {})?;
    let response = target.pools().list_pools(request).await.map_err(failed)?.into_inner();
    let show = if context.format == Format::Wide { view::pools_wide } else { view::pools };
    message::show(context, &response, |paint| show(&response.pools, paint))
}
