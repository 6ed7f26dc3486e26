//! Where a piece of work belongs in a trace, without keeping the spans above it open.
//!
//! A `tracing` child keeps its parent from closing. Work that outlives its cause (a connection that a command asked for, a
//! share of that connection's first job) therefore carries the remote form of its parent: a plain context.

use mujina_core::id::TraceId;
use opentelemetry::{Context, trace::TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A place in a trace. Cheap to clone; holds no span open. The default is no place at all.
#[derive(Debug, Clone, Default)]
pub struct TraceParent(Context);

impl TraceParent {
    /// The place of a span.
    #[must_use]
    pub fn of(span: &Span) -> Self {
        Self(Context::new().with_remote_span_context(span.context().span().span_context().clone()))
    }

    /// The place of the span that is entered now.
    #[must_use]
    pub fn current() -> Self {
        Self::of(&Span::current())
    }

    /// Makes `span`, which must be fresh and without a parent of its own, a child of this place.
    pub fn adopt(&self, span: &Span) {
        if self.0.span().span_context().is_valid() {
            // Without an OpenTelemetry layer there is nothing to be a child in.
            let _ = span.set_parent(self.0.clone());
        }
    }

    /// Lets `span`, in a trace of its own, point here.
    pub fn link(&self, span: &Span) {
        if self.0.span().span_context().is_valid() {
            span.add_link(self.0.span().span_context().clone());
        }
    }
}

/// The trace of a span; `None` when nobody traces.
#[must_use]
pub fn trace_id(span: &Span) -> Option<TraceId> {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| TraceId(context.trace_id().to_bytes()))
}
