//! `pool list`: the pools and their connections.

use crate::{
    command::{known, message, peer::Peer, view},
    context::Context,
    error::CliError,
    output::Format,
};
use mujina_proto::dataplane::v1::{ListPoolsRequest, ListPoolsResponse};

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("list the pools of {}", target.label()));
    let request = target.request(ListPoolsRequest {})?;
    let response = match target.pools().list_pools(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => ListPoolsResponse { pools: known::instead(failed(status), &target, context).await?.pools },
    };
    let show = if context.format == Format::Wide { view::pools_wide } else { view::pools };
    message::show(context, &response, |paint| show(&response.pools, paint))
}
