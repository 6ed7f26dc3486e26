//! `trace show`: the spans that the services still remember, as a tree. The span of the command itself is gone with it.

use super::tree;
use crate::{
    command::{message, peer::Peer},
    context::Context,
    error::CliError,
};
use mujina_proto::{
    control::v1::{self as control, diagnostics_service_client::DiagnosticsServiceClient as ControlClient},
    dataplane::v1::{self as dataplane, diagnostics_service_client::DiagnosticsServiceClient as MinerClient},
};

pub(crate) async fn run(id: &str, context: &mut Context<'_>) -> Result<(), CliError> {
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(CliError::Usage(format!("`{id}` is no trace id; give the 32 hex digits that --trace prints")));
    }
    let trace_id = id.to_ascii_lowercase();
    let peer = Peer::find(context).await?;
    let doing = format!("read the spans of trace {trace_id}");
    let forgotten = || {
        CliError::NotFound(format!(
            "no service remembers trace {trace_id}; only the newest spans are kept, and only until a restart"
        ))
    };
    // With --miner, only what that miner remembers.
    if peer.miners.is_some() && context.miner.is_none() {
        let request = control::ListSpansRequest { trace_id: trace_id.clone() };
        let mut service = ControlClient::new(peer.client.clone());
        let response = service.list_spans(request).await.map_err(CliError::call(&doing))?.into_inner();
        for miner in &response.unreachable_miners {
            context.note(&format!("{miner} did not answer; its spans are missing"))?;
        }
        if response.spans.is_empty() {
            return Err(forgotten());
        }
        return message::show(context, &response, |paint| tree::draw(&response.spans, paint));
    }
    let target = peer.one(context.miner.as_ref())?;
    let request = target.request(dataplane::ListSpansRequest { trace_id: trace_id.clone() })?;
    let mut service = MinerClient::new(target.client.clone());
    let response = service.list_spans(request).await.map_err(CliError::call(&doing))?.into_inner();
    if response.spans.is_empty() {
        return Err(forgotten());
    }
    message::show(context, &response, |paint| tree::draw(&response.spans, paint))
}
