//! `pause`: no hashing; pool connections stay up.

use super::{
    message,
    operation::{self, Order},
    peer::Peer,
    repeat::{once_more, request_id},
    selection::chosen,
    view,
};
use crate::{args::Pause, context::Context, error::CliError};
use mujina_proto::{
    control::v1::{PauseAction, operation_action::Action},
    dataplane::v1::PauseRequest,
};

pub(crate) async fn run(args: Pause, context: &mut Context<'_>) -> Result<(), CliError> {
    let Pause { reason, ramp, miners } = args;
    let peer = Peer::find(context).await?;
    let selection = chosen(context, &peer, &miners.names, &miners.others)?;
    if peer.miners.is_some() {
        let order = Order::new(Action::Pause(PauseAction { reason }), "pause").ramped(ramp);
        let follow = context.wait;
        return operation::run(context, &peer, &order, selection, follow).await;
    }
    context.goes_on = Some("the miner was asked to pause and may do so yet".into());
    let request = PauseRequest { reason, request_id: request_id() };
    let target = peer.one(None)?;
    let call = || {
        let (mut service, request) = (target.miners(), request.clone());
        async move { service.pause(request).await }
    };
    let response = once_more(call).await.map_err(CliError::call("pause the miner"))?;
    message::show(context, &response, |_| view::switched("paused", response.state.as_ref()))
}
