//! `shares stats`: the ledger of a miner with its pools, boards and threads; or the sums that a control plane collected.

use crate::{
    command::{message, peer::Peer, statistics::ago, view},
    context::Context,
    error::CliError,
};
use mujina_proto::{
    control::v1::{SummarizeSharesRequest, statistics_service_client::StatisticsServiceClient},
    dataplane::v1::GetShareStatisticsRequest,
};
use std::time::{Duration, SystemTime};

/// With `since`, the sums over all miners, of so long a time.
pub(crate) async fn run(since: Option<Duration>, context: &mut Context<'_>) -> Result<(), CliError> {
    let peer = Peer::find(context).await?;
    if let Some(since) = since {
        if peer.miners.is_none() {
            return Err(peer.is_a_miner("--all"));
        }
        if context.miner.is_some() {
            return Err(CliError::Usage("--all and --miner exclude each other; give one".into()));
        }
        let mut service = StatisticsServiceClient::new(peer.client.clone());
        let begin = Some(ago(SystemTime::now(), since));
        let request = SummarizeSharesRequest { begin, ..SummarizeSharesRequest::default() };
        let failed = CliError::call("sum up the shares of all miners");
        let response = service.summarize_shares(request).await.map_err(failed)?.into_inner();
        return message::show(context, &response, |paint| view::summary(&response, paint));
    }
    let target = peer.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("read the share statistics of {}", target.label()));
    let request = target.request(GetShareStatisticsRequest {})?;
    let response = target.shares().get_share_statistics(request).await.map_err(failed)?.into_inner();
    message::show(context, &response, |paint| view::statistics(&response, paint))
}
