//! The newest finished spans of a process, so that a trace can be looked at with no collector.
//!
//! Spans of a few frequent kinds (one per share) live in a ring of their own; otherwise seconds of mining would push out
//! the commands that people ask for. Of each trace that others began, the first few of every frequent kind stay with it.

use crate::types::v1;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Spans that are kept: a day of commands, at about half a kilobyte each.
const RARE: usize = 1024;
/// Frequent spans that are kept: the newest minute or so of shares.
const FREQUENT: usize = 512;
/// Frequent spans of one kind that stay with a trace that something rare began.
const FREQUENT_PER_TRACE: usize = 4;

/// The newest finished spans. Cheap to clone: all clones are the same ring.
#[derive(Debug, Clone)]
pub struct SpanRing {
    service: &'static str,
    frequent: &'static [&'static str],
    rings: Arc<Mutex<Rings>>,
}

#[derive(Debug, Default)]
struct Rings {
    rare: VecDeque<SpanData>,
    frequent: VecDeque<SpanData>,
}

impl SpanRing {
    /// An empty ring of the process `service`; spans with a name in `frequent` may not push out the others.
    #[must_use]
    pub fn new(service: &'static str, frequent: &'static [&'static str]) -> Self {
        Self { service, frequent, rings: Arc::default() }
    }

    /// The remembered spans of a trace (32 hex digits), in order of their begin.
    #[must_use]
    pub fn of_trace(&self, trace_id: &str) -> Vec<v1::Span> {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let all = rings.rare.iter().chain(&rings.frequent);
        let mut found: Vec<_> = all
            .filter(|span| span.span_context.trace_id().to_string().eq_ignore_ascii_case(trace_id))
            .map(|span| to_message(span, self.service))
            .collect();
        drop(rings);
        found.sort_by(|a, b| {
            let begin = |span: &v1::Span| span.begin.map(|at| (at.seconds, at.nanos));
            begin(a).cmp(&begin(b))
        });
        found
    }

    fn push(&self, span: SpanData) {
        let is_frequent = self.frequent.contains(&&*span.name);
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let trace = span.span_context.trace_id();
        let of_trace = || rings.rare.iter().filter(|other| other.span_context.trace_id() == trace);
        let stays = is_frequent
            && of_trace().next().is_some()
            && of_trace().filter(|other| other.name == span.name).count() < FREQUENT_PER_TRACE;
        let (ring, most) =
            if is_frequent && !stays { (&mut rings.frequent, FREQUENT) } else { (&mut rings.rare, RARE) };
        if ring.len() >= most {
            ring.pop_front();
        }
        ring.push_back(span);
    }
}

impl SpanProcessor for SpanRing {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        self.push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn to_message(span: &SpanData, service: &str) -> v1::Span {
    let parent = (span.parent_span_id != SpanId::INVALID).then(|| span.parent_span_id.to_string());
    v1::Span {
        trace_id: span.span_context.trace_id().to_string(),
        span_id: span.span_context.span_id().to_string(),
        parent_span_id: parent.unwrap_or_default(),
        name: span.name.to_string(),
        service: service.into(),
        begin: Some(span.start_time.into()),
        end: Some(span.end_time.into()),
        attributes: span.attributes.iter().map(|one| (one.key.to_string(), one.value.to_string())).collect(),
        error: matches!(span.status, Status::Error { .. }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Span as _, SpanBuilder, TraceContextExt, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    fn ring() -> (SpanRing, SdkTracerProvider) {
        let ring = SpanRing::new("test", &["share"]);
        let provider = SdkTracerProvider::builder().with_span_processor(ring.clone()).build();
        (ring, provider)
    }

    #[test]
    fn flood_of_frequent_spans_does_not_push_out_the_rare() {
        let (ring, provider) = ring();
        let tracer = provider.tracer("test");
        let command = tracer.start("pool.connect");
        let trace = command.span_context().trace_id().to_string();
        drop(command);
        for _ in 0..10 * RARE {
            drop(tracer.start("share"));
        }
        let found = ring.of_trace(&trace);
        assert_eq!(found.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["pool.connect"]);
        assert_eq!(ring.rings.lock().unwrap().frequent.len(), FREQUENT);
    }

    #[test]
    fn first_frequent_spans_stay_with_the_trace_they_continue() {
        let (ring, provider) = ring();
        let tracer = provider.tracer("test");
        let root = tracer.start("pool.connect");
        let context = opentelemetry::Context::new().with_remote_span_context(root.span_context().clone());
        let trace = root.span_context().trace_id().to_string();
        drop(root);
        for _ in 0..10 * RARE {
            let builder = SpanBuilder::from_name("share");
            drop(tracer.build_with_context(builder, &context));
        }
        for _ in 0..10 * FREQUENT {
            drop(tracer.start("share"));
        }
        let found = ring.of_trace(&trace);
        assert_eq!(found.len(), 1 + FREQUENT_PER_TRACE);
        assert!(found.iter().skip(1).all(|span| span.parent_span_id == found[0].span_id));
    }
}
