//! Shares that were sent and wait for a verdict, by the id of their request.
//!
//! Source: stratum-client V4, V17. Answers come in any order and after any delay; what waits too long is lost, and so is
//! what the connection takes with it.

use crate::{
    job::JobHandle,
    pool::{ConnectionEvent, ShareSubmission, Verdict, in_flight::InFlight},
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tracing::info_span;

/// Open shares of one connection, the oldest first.
#[derive(Debug)]
pub(super) struct Pending {
    open: VecDeque<Open>,
    patience: Duration,
}

#[derive(Debug)]
struct Open {
    id: u64,
    job: JobHandle,
    sent: InFlight,
}

impl Pending {
    pub(super) fn new(patience: Duration) -> Self {
        Self { open: VecDeque::new(), patience }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A share goes to the writer under this id, which is above all before it.
    pub(super) fn push(&mut self, id: u64, share: &ShareSubmission, now: Instant) {
        let submit = info_span!(parent: &share.span, "submit", request_id = id);
        self.open.push_back(Open { id, job: share.job, sent: InFlight::new(share, submit, now) });
    }

    /// The pool answered; `None` when no share waits for that. Says of which job the share was.
    pub(super) fn judge(&mut self, id: u64, verdict: Verdict, now: Instant) -> Option<(JobHandle, ConnectionEvent)> {
        let at = self.open.binary_search_by_key(&id, |open| open.id).ok()?;
        let Open { id: _, job, sent } = self.open.remove(at)?;
        Some((job, sent.judge(verdict, now)))
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.open.front().map(|open| open.sent.sent_at)
    }

    /// When to call `expire`.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.oldest().map(|sent_at| sent_at + self.patience)
    }

    /// Gives up what waited too long.
    pub(super) fn expire(&mut self, now: Instant, events: &mut Vec<ConnectionEvent>) {
        let patience = self.patience;
        let is_late = |open: &mut Open| now.saturating_duration_since(open.sent.sent_at) >= patience;
        while let Some(open) = self.open.pop_front_if(is_late) {
            events.push(open.sent.judge(Verdict::Lost, now));
        }
    }

    /// Gives up everything: no answer can come any more.
    pub(super) fn lose(&mut self, now: Instant, events: &mut Vec<ConnectionEvent>) {
        events.extend(self.open.drain(..).map(|open| open.sent.judge(Verdict::Lost, now)));
    }
}
