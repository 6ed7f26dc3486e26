//! `shares list`: the newest shares that the miner remembers.

use super::wanted;
use crate::{
    args::SharesList,
    command::{message, pages, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::ListSharesRequest;

pub(crate) async fn run(args: SharesList, context: &mut Context<'_>) -> Result<(), CliError> {
    let SharesList { outcome, limit } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("list the shares of {}", target.label());
    let (target, doing) = (&target, &doing);
    let all = pages::read(limit, |page_size, page_token| {
        let request = target.request(ListSharesRequest { page_size, page_token, outcomes: wanted(&outcome) });
        async move { target.shares().list_shares(request?).await.map_err(CliError::call(doing)) }
    });
    let all = all.await?;
    message::show(context, &all, |paint| view::shares(&all.shares, paint))
}
