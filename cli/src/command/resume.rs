//! `resume`: hashing again.

use super::{
    message,
    operation::{self, Order},
    peer::Peer,
    repeat::{once_more, request_id},
    selection::chosen,
    view,
};
use crate::{args::Resume, context::Context, error::CliError};
use mujina_proto::{
    control::v1::{ResumeAction, operation_action::Action},
    dataplane::v1::ResumeRequest,
};

pub(crate) async fn run(args: Resume, context: &mut Context<'_>) -> Result<(), CliError> {
    let Resume { ramp, miners } = args;
    let peer = Peer::find(context).await?;
    let selection = chosen(context, &peer, &miners.names, &miners.others)?;
    if peer.miners.is_some() {
        let order = Order::new(Action::Resume(ResumeAction {}), "resume").ramped(ramp);
        let follow = context.wait;
        return operation::run(context, &peer, &order, selection, follow).await;
    }
    context.goes_on = Some("the miner was asked to resume and may do so yet".into());
    let request = ResumeRequest { request_id: request_id() };
    let target = peer.one(None)?;
    let call = || {
        let (mut service, request) = (target.miners(), request.clone());
        async move { service.resume(request).await }
    };
    let response = once_more(call).await.map_err(CliError::call("resume the miner"))?;
    message::show(context, &response, |_| view::switched("resumed", response.state.as_ref()))
}
