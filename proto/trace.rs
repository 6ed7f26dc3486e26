//! Traces across processes: W3C trace context in gRPC metadata, and spans that end up in a collector and in memory.
//!
//! [`Traced`] wraps a channel: every call becomes a client span whose context travels with the request. [`TraceLayer`]
//! sits in every server: each call becomes a server span under the caller's. [`telemetry`] sets a process up; [`ring`]
//! keeps its newest spans. Source: W3C Trace Context; OpenTelemetry semantic conventions for RPC.

pub mod ring;
pub mod telemetry;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
pub use ring::SpanRing;
use std::task::{self, Poll};
pub use telemetry::{Telemetry, TelemetryError, TelemetrySettings};
use tower::{Layer, Service};
use tracing::{Instrument, Span, info_span, instrument::Instrumented};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The trace of a span, 32 hex digits; `None` when nobody traces.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// A client that sends the trace of the current span along.
#[derive(Debug, Clone)]
pub struct Traced<S>(S);

impl<S> Traced<S> {
    /// Wraps a channel.
    pub fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S, B> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(method) = method(&request) else { return self.0.call(request).instrument(Span::current()) };
        let span = info_span!("rpc.call", otel.name = method, otel.kind = "client", rpc.system = "grpc");
        TraceContextPropagator::new().inject_context(&span.context(), &mut Headers(request.headers_mut()));
        span.in_scope(|| self.0.call(request)).instrument(span)
    }
}

/// Makes every call a span under the caller's.
#[derive(Debug, Clone, Copy)]
pub struct TraceLayer;

impl<S> Layer<S> for TraceLayer {
    type Service = TracedServer<S>;

    fn layer(&self, inner: S) -> TracedServer<S> {
        TracedServer(inner)
    }
}

/// A service whose calls are spans.
#[derive(Debug, Clone)]
pub struct TracedServer<S>(S);

impl<S, B> Service<Request<B>> for TracedServer<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(method) = method(&request) else { return self.0.call(request).instrument(Span::none()) };
        let span = info_span!(parent: None, "rpc.serve", otel.name = method, otel.kind = "server", rpc.system = "grpc");
        let caller =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(request.headers_mut()));
        if caller.span().span_context().is_valid() {
            // Without an OpenTelemetry layer there is no trace to join.
            let _ = span.set_parent(caller);
        }
        span.in_scope(|| self.0.call(request)).instrument(span)
    }
}

/// `package.Service/Method` of a call worth a span: health probes and reflection would only bury the others.
fn method<B>(request: &Request<B>) -> Option<String> {
    let path = request.uri().path().trim_start_matches('/');
    (!path.starts_with("grpc.")).then(|| path.to_owned())
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
