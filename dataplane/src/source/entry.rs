//! What the source knows of one pool of the spec, beyond its connections.

use super::{PoolSnapshot, connection::Connection, selector::Candidate};
use crate::{
    pool::{FailureKind, PoolFailure, Recovery, backoff},
    trace::TraceParent,
};
use mujina_core::{pool::PoolSpec, status::PoolState};
use std::time::{Duration, Instant, SystemTime};

/// A connection that gave work this long was good: what comes after begins counting anew (stratum-client R5).
const HEALTHY: Duration = Duration::from_secs(60);

/// A pool of the spec.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) spec: PoolSpec,
    /// Where the wish for it came from: its next connection belongs to that trace.
    pub(super) trace: TraceParent,
    pub(super) retry_at: Option<Instant>,
    failures: u32,
    parked: bool,
    stopped: bool,
    unusable_since: Instant,
    failure: Option<FailureKind>,
    shown: Shown,
}

/// What people see, with the time of the last change.
#[derive(Debug)]
struct Shown {
    state: PoolState,
    reason: String,
    since: SystemTime,
}

impl Entry {
    pub(super) fn new(spec: PoolSpec, trace: TraceParent, now: Instant, wall: SystemTime) -> Self {
        Self {
            spec,
            trace,
            retry_at: Some(now),
            failures: 0,
            parked: false,
            stopped: false,
            unusable_since: now,
            failure: None,
            shown: Shown { state: PoolState::Idle, reason: String::new(), since: wall },
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.stopped && self.retry_at.is_some_and(|at| at <= now)
    }

    pub(super) fn candidate(&self, usable: bool) -> Candidate {
        Candidate { usable, failures: self.failures, parked: self.parked, unusable_since: self.unusable_since }
    }

    /// A person or a new spec asks for it: whatever failed before does not count.
    pub(super) fn renew(&mut self, now: Instant) {
        self.failures = 0;
        self.parked = false;
        self.stopped = false;
        self.retry_at = Some(now);
        self.unusable_since = now;
    }

    /// A connection ended that should not have. Returns the delay to the next attempt.
    pub(super) fn failed(
        &mut self,
        failure: &PoolFailure,
        ready_at: Option<Instant>,
        now: Instant,
        jitter: f64,
    ) -> Option<Duration> {
        if ready_at.is_some() {
            self.unusable_since = now;
        }
        if ready_at.is_some_and(|at| now.saturating_duration_since(at) >= HEALTHY) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.parked = failure.recovery != Recovery::Retry;
        let delay = backoff::delay(failure.recovery, self.failures, jitter);
        self.stopped = delay.is_none();
        self.retry_at = delay.map(|delay| now + delay);
        self.failure = Some(failure.kind);
        self.shown.reason = failure.message.clone();
        delay
    }

    /// A job came: earlier failures are history for the selector, not yet for the backoff.
    pub(super) fn became_usable(&mut self) {
        self.parked = false;
        self.failure = None;
        self.shown.reason = String::new();
    }

    /// Looks at the newest connection and notes when the visible state changes.
    pub(super) fn observe(&mut self, newest: Option<&Connection>, wanted: bool, wall: SystemTime) {
        let state = match (newest, self.failure) {
            (Some(connection), None) => connection.pool_state(),
            // A failure stays visible through the next attempt, until a job shows that it is over.
            (Some(connection), Some(failure)) => match failure.pool_state() {
                PoolState::BackingOff => connection.pool_state(),
                distinct => distinct,
            },
            (None, Some(_)) if self.stopped => PoolState::Parked,
            (None, Some(failure)) => failure.pool_state(),
            (None, None) if wanted => PoolState::Connecting,
            (None, None) => PoolState::Idle,
        };
        if state != self.shown.state {
            self.shown.state = state;
            self.shown.since = wall;
        }
    }

    pub(super) fn snapshot(&self, newest: Option<&Connection>, now: Instant, wall: SystemTime) -> PoolSnapshot {
        let waits = newest.is_none().then_some(self.retry_at).flatten();
        PoolSnapshot {
            name: self.spec.name.clone(),
            url: self.spec.endpoint.to_string(),
            user: self.spec.user.clone(),
            authority_fingerprint: self.spec.endpoint.authority().map(|key| key.fingerprint()).unwrap_or_default(),
            state: self.shown.state,
            reason: self.shown.reason.clone(),
            since: self.shown.since,
            retry_at: waits.filter(|at| *at > now).map(|at| wall + (at - now)),
            failures: self.failures,
            connection: newest.map(|connection| connection.snapshot().into()),
            role: mujina_core::status::PoolRole::None,
            work_split: None,
        }
    }
}
