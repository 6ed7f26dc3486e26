//! Shares that were sent and wait for a verdict: `sent = accepted + rejected + pending + lost` at every moment.
//!
//! Source: stratum-client U2, A1 to A4, A7, 0.6. A Success counts shares, it does not name them: as many as it counts are
//! accepted, the oldest first, and what is left below its number waits on for an Error. An Error for a share that was
//! taken for accepted takes it back, and the acceptance goes to one of those that were left.

use crate::pool::{ConnectionEvent, ShareSubmission, Verdict, in_flight::InFlight};
use mujina_core::{id::ShareId, share::RejectReason};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tracing::info_span;

/// Open and lately accepted shares of one channel.
#[derive(Debug)]
pub(super) struct Pending {
    next: u32,
    /// Shares that wait, and accepted ones that are remembered (A7).
    capacity: usize,
    /// How long a share waits, and how long an accepted one is remembered (A2).
    patience: Duration,
    open: VecDeque<Open>,
    accepted: VecDeque<Accepted>,
    /// Answers about shares that are not known, or that count more than there were (A4, D19).
    implausible: u64,
}

#[derive(Debug)]
struct Open {
    sequence: u32,
    sent: InFlight,
    /// A Success went past it without counting it.
    passed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Accepted {
    sequence: u32,
    share: ShareId,
    at: Instant,
}

/// Whether `a` is `b` or was counted before it, by serial number arithmetic (RFC 1982).
fn not_after(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) < 1 << 31
}

impl Pending {
    /// `first` is the sequence number of the first share.
    pub(super) fn new(first: u32, capacity: usize, patience: Duration) -> Self {
        Self { next: first, capacity, patience, open: VecDeque::new(), accepted: VecDeque::new(), implausible: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Answers of the pool that made no sense.
    pub(super) fn implausible(&self) -> u64 {
        self.implausible
    }

    /// A share goes to the writer: the sequence number is its own from now on. Full = the oldest is given up.
    pub(super) fn push(&mut self, share: &ShareSubmission, now: Instant, events: &mut Vec<ConnectionEvent>) -> u32 {
        if self.open.len() >= self.capacity {
            events.extend(self.open.pop_front().map(|open| open.sent.judge(Verdict::Lost, now)));
        }
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        let submit = info_span!(parent: &share.span, "submit", sequence_number = sequence);
        self.open.push_back(Open { sequence, sent: InFlight::new(share, submit, now), passed: false });
        sequence
    }

    /// The pool counted `count` shares up to the sequence number `last`.
    pub(super) fn count(&mut self, last: u32, count: u32, now: Instant, events: &mut Vec<ConnectionEvent>) {
        if !not_after(last, self.next.wrapping_sub(1)) {
            self.implausible += 1;
            return;
        }
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        // Those that an earlier Success went past were rather refused: they come last.
        for passed in [false, true] {
            let mut at = 0;
            while left > 0 && self.open.get(at).is_some_and(|open| not_after(open.sequence, last)) {
                if self.open.get(at).is_some_and(|open| open.passed == passed) {
                    events.extend(self.open.remove(at).map(|open| self.remember(open, now)));
                    left -= 1;
                } else {
                    at += 1;
                }
            }
        }
        for open in self.open.iter_mut().take_while(|open| not_after(open.sequence, last)) {
            open.passed = true;
        }
        self.implausible += u64::from(left > 0);
    }

    /// The pool refused the share with this sequence number, perhaps after it counted it.
    pub(super) fn refuse(
        &mut self,
        sequence: u32,
        reason: RejectReason,
        now: Instant,
        events: &mut Vec<ConnectionEvent>,
    ) {
        if let Some(at) = self.open.iter().position(|open| open.sequence == sequence) {
            events.extend(self.open.remove(at).map(|open| open.sent.judge(Verdict::Rejected(reason), now)));
            return;
        }
        let Some(at) = self.accepted.iter().position(|accepted| accepted.sequence == sequence) else {
            self.implausible += 1;
            return;
        };
        events.extend(self.accepted.remove(at).map(|one| ConnectionEvent::Reclassified { share: one.share, reason }));
        if let Some(at) = self.open.iter().position(|open| open.passed) {
            events.extend(self.open.remove(at).map(|open| self.remember(open, now)));
        }
    }

    /// Gives up what waited too long.
    pub(super) fn expire(&mut self, now: Instant, events: &mut Vec<ConnectionEvent>) {
        let patience = self.patience;
        let too_old = |since: Instant| now.saturating_duration_since(since) >= patience;
        while let Some(open) = self.open.pop_front_if(|open| too_old(open.sent.sent_at)) {
            events.push(open.sent.judge(Verdict::Lost, now));
        }
        while self.accepted.pop_front_if(|accepted| too_old(accepted.at)).is_some() {}
    }

    /// When to call `expire`.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.oldest().map(|sent_at| sent_at + self.patience)
    }

    /// Since when the oldest share waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.open.front().map(|open| open.sent.sent_at)
    }

    /// Gives up everything: no answer can come any more.
    pub(super) fn lose(&mut self, now: Instant, events: &mut Vec<ConnectionEvent>) {
        events.extend(self.open.drain(..).map(|open| open.sent.judge(Verdict::Lost, now)));
        self.accepted.clear();
    }

    fn remember(&mut self, open: Open, now: Instant) -> ConnectionEvent {
        if self.accepted.len() >= self.capacity {
            self.accepted.pop_front();
        }
        self.accepted.push_back(Accepted { sequence: open.sequence, share: open.sent.share, at: now });
        open.sent.judge(Verdict::Accepted, now)
    }
}

#[cfg(test)]
impl Pending {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
