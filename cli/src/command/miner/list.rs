//! `miner list`: the fleet of a control plane, or those of it that are selected, or the one miner that answers. One call.

use crate::{
    args::MinerList,
    command::{
        message,
        peer::{Peer, list},
        view,
    },
    context::Context,
    error::CliError,
    output::Format,
};
use mujina_proto::{
    control::v1::{ListMinersRequest, ListMinersResponse, MinerView},
    dataplane::v1::GetMinerRequest,
};
use std::time::SystemTime;

pub(crate) async fn run(args: MinerList, context: &mut Context<'_>) -> Result<(), CliError> {
    let MinerList { selector, filter } = args;
    let (address, client) = context.connect().await?;
    let view = if context.format.is_for_people() { MinerView::Basic } else { MinerView::Full }.into();
    let chosen = !selector.is_empty() || !filter.is_empty();
    let request = ListMinersRequest { selector, filter, view, ..ListMinersRequest::default() };
    if let Some(miners) = list(&client, request, "list the miners").await? {
        let wide = context.format == Format::Wide;
        let show = match miners.as_slice() {
            [] if chosen => |_: &[_], _, _| "no miner is selected\n".into(),
            _ if wide => view::fleet_wide,
            _ => view::fleet,
        };
        let response = ListMinersResponse { miners, next_page_token: String::new() };
        return message::show(context, &response, |paint| show(&response.miners, SystemTime::now(), paint));
    }
    let peer = Peer { address, client, miners: None };
    if chosen {
        return Err(peer.is_a_miner("a selector"));
    }
    let mut service = peer.one(context.miner.as_ref())?.miners();
    let failed = CliError::call("read the status of the miner");
    let response = service.get_miner(GetMinerRequest {}).await.map_err(failed)?.into_inner();
    message::show(context, &response, |paint| view::lone(&response.miner.clone().unwrap_or_default(), paint))
}
