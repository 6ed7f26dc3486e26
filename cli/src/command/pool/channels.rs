//! `pool channels`: every open connection with its channel.

use crate::{
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::ListPoolChannelsRequest;

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("list the channels of {}", target.label()));
    let request = target.request(ListPoolChannelsRequest {})?;
    let response = target.pools().list_pool_channels(request).await.map_err(failed)?.into_inner();
    message::show(context, &response, |paint| view::channels(&response.channels, paint))
}
