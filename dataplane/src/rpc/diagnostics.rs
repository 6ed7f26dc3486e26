//! What this process remembers of its own spans.

use super::check::{Checks, Refused};
use mujina_proto::{
    dataplane::v1::{self, diagnostics_service_server::DiagnosticsService},
    trace::SpanRing,
};
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(super) struct Service {
    pub(super) spans: SpanRing,
}

#[tonic::async_trait]
impl DiagnosticsService for Service {
    async fn list_spans(
        &self,
        request: Request<v1::ListSpansRequest>,
    ) -> Result<Response<v1::ListSpansResponse>, Status> {
        let trace_id = trace_id(request.into_inner())?;
        Ok(Response::new(v1::ListSpansResponse { spans: self.spans.of_trace(&trace_id) }))
    }
}

fn trace_id(request: v1::ListSpansRequest) -> Result<String, Refused> {
    let v1::ListSpansRequest { trace_id } = request;
    let mut checks = Checks::default();
    if trace_id.len() != 32 || !trace_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        checks.refuse("trace_id", "is no trace id; give the 32 hex digits that a command or a share shows");
    }
    checks.done().map(|()| trace_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_id_is_32_hex_digits() {
        let read = |text: &str| trace_id(v1::ListSpansRequest { trace_id: text.into() });
        assert!(read("0af7651916cd43dd8448eb211c80319C").is_ok());
        for bad in ["", "0af7651916cd43dd8448eb211c80319", "0af7651916cd43dd8448eb211c80319g", &"é".repeat(16)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
