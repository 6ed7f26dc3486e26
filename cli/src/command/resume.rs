//! `resume`: hashing again.

use super::{message, operation, peer::Peer, view};
use crate::{args::Resume, context::Context, error::CliError};
use mujina_proto::{
    control::v1::{ResumeAction, operation_action::Action},
    dataplane::v1::ResumeRequest,
};

pub(crate) async fn run(args: Resume, context: &mut Context<'_>) -> Result<(), CliError> {
    let Resume { all } = args;
    let peer = Peer::find(context).await?;
    let miners = peer.some(context.miner.as_ref(), all)?;
    if peer.miners.is_some() {
        return operation::run(context, &peer, Action::Resume(ResumeAction {}), miners, "resume").await;
    }
    context.goes_on = Some("the miner was asked to resume and may do so yet".into());
    let request = ResumeRequest { request_id: String::new() };
    let mut service = peer.one(None)?.miners();
    let response = service.resume(request).await.map_err(CliError::call("resume the miner"))?.into_inner();
    message::show(context, &response, |_| view::switched("resumed", response.state.as_ref()))
}
