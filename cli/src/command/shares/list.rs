//! `shares list`: the newest shares that the miner remembers.

use super::wanted;
use crate::{
    args::SharesList,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::{ListSharesRequest, ListSharesResponse};

/// Most shares in a page.
const PAGE: u32 = 1000;

pub(crate) async fn run(args: SharesList, context: &mut Context<'_>) -> Result<(), CliError> {
    let SharesList { outcome, limit } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("list the shares of {}", target.label());
    let mut all = ListSharesResponse::default();
    let mut left = limit;
    while left > 0 {
        let request = ListSharesRequest {
            page_size: left.min(PAGE),
            page_token: all.next_page_token.clone(),
            outcomes: wanted(&outcome),
        };
        let request = target.request(request)?;
        let page = target.shares().list_shares(request).await.map_err(CliError::call(&doing))?.into_inner();
        left = left.saturating_sub(u32::try_from(page.shares.len()).unwrap_or(u32::MAX));
        all.shares.extend(page.shares);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    message::show(context, &all, |paint| view::shares(&all.shares, paint))
}
