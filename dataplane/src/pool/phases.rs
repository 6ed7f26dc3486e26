//! The spans of a bring-up: `pool.connect` and its children, none of which outlives the first job.

use mujina_core::status::PhaseName;
use tracing::{Span, field::Empty, info_span};

/// The phase that is under way, and the span above it.
pub(super) struct Phases {
    connect: Option<Span>,
    /// Phases that follow one another without a gap, in order; the last ends the bring-up.
    steps: &'static [PhaseName],
    current: Option<(PhaseName, Span)>,
}

impl Phases {
    pub(super) fn new(connect: Span, steps: &'static [PhaseName]) -> Self {
        Self { connect: Some(connect), steps, current: None }
    }

    /// The phase that is under way.
    pub(super) fn current(&self) -> Option<PhaseName> {
        self.current.as_ref().map(|(name, _)| *name)
    }

    pub(super) fn begin(&mut self, name: PhaseName) {
        self.current = self.connect.as_ref().map(|connect| (name, child(connect, name)));
    }

    /// A phase is over; the step behind it begins.
    pub(super) fn over(&mut self, name: PhaseName, detail: &str) {
        if let Some((_, span)) = self.current.take_if(|(current, _)| *current == name) {
            span.record("detail", detail);
        }
        let mut left = self.steps.iter().copied().skip_while(|step| *step != name);
        if left.next().is_some() {
            match left.next() {
                Some(next) => self.begin(next),
                None => self.end(None),
            }
        }
    }

    /// Lets go of everything; a failure marks what was under way.
    pub(super) fn end(&mut self, failure: Option<String>) {
        if let Some(message) = failure {
            for span in self.current.iter().map(|(_, span)| span).chain(&self.connect) {
                span.record("otel.status_code", "ERROR");
                span.record("otel.status_description", message.as_str());
            }
        }
        self.current = None;
        self.connect = None;
    }
}

fn child(parent: &Span, name: PhaseName) -> Span {
    // The name of a span is fixed when the program is compiled.
    macro_rules! phase {
        ($name:literal) => {
            info_span!(
                parent: parent,
                $name,
                detail = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty
            )
        };
    }
    match name {
        PhaseName::Dns => phase!("dns"),
        PhaseName::Tcp => phase!("tcp"),
        PhaseName::Noise => phase!("noise"),
        PhaseName::Tls => phase!("tls"),
        PhaseName::SetupConnection => phase!("setup_connection"),
        PhaseName::OpenChannel => phase!("open_channel"),
        PhaseName::FirstJob => phase!("first_job"),
        PhaseName::Switch => phase!("switch"),
        PhaseName::Drain => phase!("drain"),
    }
}
