//! A share that was sent and waits for its verdict: its clock and its spans, whatever the pool speaks.

use super::{ConnectionEvent, ShareSubmission, Verdict};
use mujina_core::id::ShareId;
use std::time::Instant;
use tracing::Span;

/// A share between the writer and the pool's word on it.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) share: ShareId,
    pub(super) sent_at: Instant,
    span: Span,
    submit: Span,
}

impl InFlight {
    /// `submit` is the span of the wait, below that of the share.
    pub(super) fn new(share: &ShareSubmission, submit: Span, now: Instant) -> Self {
        Self { share: share.id, sent_at: now, span: share.span.clone(), submit }
    }

    /// The wait is over.
    pub(super) fn judge(self, verdict: Verdict, now: Instant) -> ConnectionEvent {
        let Self { share, sent_at, span, submit } = self;
        let name = match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Rejected(reason) => reason.as_str(),
            Verdict::Lost => "lost",
        };
        span.record("verdict", name);
        drop(submit);
        ConnectionEvent::Judged { share, verdict, latency: now.saturating_duration_since(sent_at) }
    }
}
