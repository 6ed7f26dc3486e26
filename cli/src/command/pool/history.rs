//! `pool history`: how the work moved between pools.

use crate::{
    args::PoolHistory,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
    output::Format,
};
use mujina_proto::dataplane::v1::ListPoolTransitionsRequest;

pub(crate) async fn run(args: &PoolHistory, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolHistory { limit } = *args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("list the moves of {}", target.label()));
    let request = target.request(ListPoolTransitionsRequest { page_size: limit })?;
    let response = target.pools().list_pool_transitions(request).await.map_err(failed)?.into_inner();
    let wide = context.format == Format::Wide;
    message::show(context, &response, |paint| {
        if wide {
            view::transitions_with_phases(&response.transitions, paint)
        } else {
            view::transitions(&response.transitions, paint)
        }
    })
}
