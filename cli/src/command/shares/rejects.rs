//! `shares rejects`: the newest shares that pools refused, as they were sent.

use crate::{
    args::SharesRejects,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
    output::Format,
};
use mujina_proto::dataplane::v1::ListRejectsRequest;

pub(crate) async fn run(args: SharesRejects, context: &mut Context<'_>) -> Result<(), CliError> {
    let SharesRejects { pool, limit } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("list the rejects of {}", target.label()));
    let request = target.request(ListRejectsRequest { page_size: limit, pool })?;
    let response = target.shares().list_rejects(request).await.map_err(failed)?.into_inner();
    let show = if context.format == Format::Wide { view::rejects_wide } else { view::rejects };
    message::show(context, &response, |paint| show(&response.rejects, paint))
}
