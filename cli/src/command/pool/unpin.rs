//! `pool unpin`: the order holds again.

use crate::{
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::UnpinPoolRequest;

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("end the pin of {}", target.label()));
    let request = target.request(UnpinPoolRequest {})?;
    context.goes_on = Some("the pin may have been ended; see `mujinactl status`".into());
    let response = target.pools().unpin_pool(request).await.map_err(failed)?.into_inner();
    context.goes_on = None;
    message::show(context, &response, |_| view::unpinned(response.ended.as_ref()))
}
