//! `pool pin`: one pool for a limited time, whatever the order says.

use crate::{
    args::PoolPin,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::{convert, dataplane::v1::PinPoolRequest};

pub(crate) async fn run(args: PoolPin, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolPin { name, duration } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("pin a pool of {}", target.label()));
    let request = target.request(PinPoolRequest { pool: name, duration: Some(convert::duration(duration)) })?;
    context.goes_on = Some("the pool may have been pinned; see `mujinactl status`".into());
    let response = target.pools().pin_pool(request).await.map_err(failed)?.into_inner();
    context.goes_on = None;
    message::show(context, &response, |_| view::pinned(&response.pin.clone().unwrap_or_default()))
}
