//! Where a piece of work belongs in a trace, without keeping the spans above it open: the W3C `traceparent` as text, so
//! that it can be stored with the work and outlive the process.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use std::fmt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A place in a trace. The default is no place at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(SpanContext);

impl Default for TraceParent {
    fn default() -> Self {
        Self(SpanContext::NONE)
    }
}

impl TraceParent {
    /// The place of the span that is entered now.
    #[must_use]
    pub fn current() -> Self {
        Self(Span::current().context().span().span_context().clone())
    }

    /// Reads what `Display` wrote; anything else is no place.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split('-');
        let mut read = || {
            let ("00", trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?) else {
                return None;
            };
            Some(SpanContext::new(
                TraceId::from_hex(trace).ok()?,
                SpanId::from_hex(span).ok()?,
                TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
                true,
                TraceState::NONE,
            ))
        };
        Self(read().unwrap_or(SpanContext::NONE))
    }

    /// Makes `span`, which must be fresh and without a parent of its own, a child of this place.
    pub fn adopt(&self, span: &Span) {
        if self.0.is_valid() {
            // Without an OpenTelemetry layer there is nothing to be a child in.
            let _ = span.set_parent(Context::new().with_remote_span_context(self.0.clone()));
        }
    }

    /// The trace, 32 hex digits; empty when there is none.
    #[must_use]
    pub fn trace_id(&self) -> String {
        if self.0.is_valid() { self.0.trace_id().to_string() } else { String::new() }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_valid() {
            return Ok(());
        }
        write!(f, "00-{}-{}-{:02x}", self.0.trace_id(), self.0.span_id(), self.0.trace_flags().to_u8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_survives_being_written_down() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::parse(text).to_string(), text);
        assert_eq!(TraceParent::parse(text).trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for none in ["", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-x-y-z"] {
            assert_eq!(TraceParent::parse(none), TraceParent::default(), "{none}");
        }
    }
}
