//! `shares tail`: shares as they are submitted and judged.

use super::wanted;
use crate::{
    args::SharesTail,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::{WatchSharesRequest, WatchSharesResponse, watch_shares_response::Event};

pub(crate) async fn run(args: SharesTail, context: &mut Context<'_>) -> Result<(), CliError> {
    let SharesTail { outcome, limit } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("watch the shares of {}", target.label());
    let failed = || CliError::call(doing.clone());
    let request = target.request(WatchSharesRequest { outcomes: wanted(&outcome) })?;
    let mut stream = target.shares().watch_shares(request).await.map_err(failed())?.into_inner();
    if context.format.is_for_people() {
        context.confirm(view::SHARE_HEADER)?;
    }
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(response) = stream.message().await.map_err(failed())? else {
            return Err(CliError::Ended { doing });
        };
        message::event(context, &response, |_| line(&response))?;
        left -= 1;
    }
    Ok(())
}

fn line(response: &WatchSharesResponse) -> String {
    match &response.event {
        Some(Event::Share(share)) => view::share_line(share),
        Some(Event::Missed(count)) => format!("... {count} events missed: this reader was too slow\n"),
        None => String::new(),
    }
}
