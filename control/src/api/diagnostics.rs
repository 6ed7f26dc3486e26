//! The spans of a trace, gathered from this process and from all miners that answer.

use super::Parts;
use crate::registry::{Miner, Reachability};
use futures_util::future::join_all;
use mujina_proto::{
    control::v1::{self, diagnostics_service_server::DiagnosticsService},
    failure::Failure,
    types,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl DiagnosticsService for Service {
    async fn list_spans(
        &self,
        request: Request<v1::ListSpansRequest>,
    ) -> Result<Response<v1::ListSpansResponse>, Status> {
        let trace_id = request.into_inner().trace_id;
        if trace_id.len() != 32 || !trace_id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Failure::invalid_field("trace_id", "is no trace; give its 32 hex digits").into());
        }
        let miners: Vec<_> = self.0.registry.all().values().cloned().collect();
        let answers = join_all(miners.iter().map(|miner| of_miner(miner, &trace_id))).await;
        let mut spans = self.0.spans.of_trace(&trace_id);
        let mut unreachable_miners = Vec::new();
        for (miner, answer) in miners.iter().zip(answers) {
            match answer {
                Some(theirs) => spans.extend(theirs),
                None => unreachable_miners.push(miner.name.to_string()),
            }
        }
        let begin = |span: &types::v1::Span| span.begin.map(|at| (at.seconds, at.nanos));
        spans.sort_by_key(begin);
        // Planes that share a process share its memory of spans.
        spans.dedup_by(|a, b| a.span_id == b.span_id && a.service == b.service);
        Ok(Response::new(v1::ListSpansResponse { spans, unreachable_miners }))
    }
}

/// `None` when the miner is known to be away, or does not answer in time.
async fn of_miner(miner: &Arc<Miner>, trace_id: &str) -> Option<Vec<types::v1::Span>> {
    if matches!(miner.view().reachability, Reachability::Unreachable(_)) {
        return None;
    }
    miner.link.spans(trace_id).await.ok()
}
