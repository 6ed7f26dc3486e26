//! What the source knows of one pool of the spec, beyond its connections.

use super::{PoolSnapshot, connection::Connection, policy::SourcePolicy, redirect::Redirects, selector::Candidate};
use crate::{
    pool::{FailureKind, PoolFailure, Recovery, Target, backoff::Delays},
    trace::TraceParent,
};
use mujina_core::{
    pool::{PoolSpec, PoolStrategy},
    status::{PoolRole, PoolState, WorkSplit},
};
use std::time::{Duration, Instant, SystemTime};

/// A connection that gave work this long was good: what comes after begins counting anew (stratum-client R5).
const HEALTHY: Duration = Duration::from_secs(60);

/// A pool of the spec.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) spec: PoolSpec,
    /// Its address and the fingerprint of its key, as people see them.
    url: String,
    pub(super) fingerprint: String,
    /// Its group, by number and strategy.
    pub(super) group: (usize, PoolStrategy),
    pub(super) redirects: Redirects,
    /// Where the pool asked to be found, for the next connection alone.
    pub(super) target: Option<Target>,
    /// Refused too many shares: passed over until then.
    pub(super) shunned_until: Option<Instant>,
    /// It failed, so that work returns to it only after it has held a job for a while.
    failed_before: bool,
    /// Since it has a job again: how long it must hold it.
    on_trial_until: Option<Instant>,
    /// Where the wish for it came from: its next connection belongs to that trace.
    pub(super) trace: TraceParent,
    pub(super) retry_at: Option<Instant>,
    failures: u32,
    parked: bool,
    stopped: bool,
    unusable_since: Instant,
    wanted: bool,
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
    pub(super) fn new(
        spec: PoolSpec,
        group: (usize, PoolStrategy),
        trace: TraceParent,
        (now, wall): (Instant, SystemTime),
    ) -> Self {
        Self {
            url: spec.endpoint.to_string(),
            fingerprint: spec.endpoint.authority().map(|key| key.fingerprint()).unwrap_or_default(),
            spec,
            group,
            redirects: Redirects::default(),
            target: None,
            shunned_until: None,
            failed_before: false,
            on_trial_until: None,
            trace,
            retry_at: Some(now),
            failures: 0,
            parked: false,
            stopped: false,
            unusable_since: now,
            wanted: false,
            failure: None,
            shown: Shown { state: PoolState::Idle, reason: String::new(), since: wall },
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.stopped && self.retry_at.is_some_and(|at| at <= now)
    }

    pub(super) fn candidate(&self, usable: bool, turn: bool) -> Candidate {
        let (group, strategy) = self.group;
        Candidate {
            group,
            strategy,
            usable,
            fresh: !self.failed_before,
            failures: self.failures,
            parked: self.parked,
            unusable_since: self.unusable_since,
            on_trial_until: self.on_trial_until,
            shunned_until: self.shunned_until,
            turn,
        }
    }

    /// Why it is as it is, for a person; empty while nothing is wrong.
    pub(super) fn reason(&self) -> &str {
        &self.shown.reason
    }

    /// A person chose the order anew: nobody is on trial or passed over.
    pub(super) fn forgive(&mut self) {
        self.failed_before = false;
        self.on_trial_until = None;
        self.shunned_until = None;
    }

    /// It has no job any more, without having failed.
    pub(super) fn lost_its_job(&mut self, reason: &str, now: Instant) {
        self.unusable_since = now;
        self.failed_before = true;
        self.on_trial_until = None;
        self.shown.reason = reason.to_owned();
    }

    /// Refused too many shares.
    pub(super) fn shun(&mut self, until: Instant, reason: String) {
        self.shunned_until = Some(until);
        self.shown.reason = reason;
    }

    /// A person or a new spec asks for it: whatever failed before does not count.
    pub(super) fn renew(&mut self, now: Instant) {
        self.forgive();
        self.target = None;
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
        delays: &Delays,
        now: Instant,
        jitter: f64,
    ) -> Option<Duration> {
        if ready_at.is_some() {
            self.unusable_since = now;
        }
        self.failed_before = true;
        self.on_trial_until = None;
        self.target = None;
        if ready_at.is_some_and(|at| now.saturating_duration_since(at) >= HEALTHY) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.parked = failure.recovery != Recovery::Retry;
        let delay = delays.delay(failure.recovery, self.failures, jitter);
        self.stopped = delay.is_none();
        self.retry_at = delay.map(|delay| now + delay);
        self.failure = Some(failure.kind);
        self.shown.reason = failure.message.clone();
        delay
    }

    /// A job came: earlier failures are history for the selector, not yet for the backoff.
    pub(super) fn became_usable(&mut self, policy: &SourcePolicy, now: Instant) {
        self.parked = false;
        self.failure = None;
        if self.failed_before && self.on_trial_until.is_none() {
            self.on_trial_until = Some(now + policy.return_after);
        }
        if self.shunned_until.is_none_or(|until| until <= now) {
            self.shown.reason = String::new();
        }
    }

    /// The pool asked to be connected to again, there.
    pub(super) fn follow(&mut self, target: Target, now: Instant) {
        self.shown.reason = format!("the pool asked to be found at {}:{}", target.host, target.port);
        self.target = Some(target);
        self.retry_at = Some(now);
    }

    /// Wanted or not from now on: its chance begins when it becomes so.
    pub(super) fn want(&mut self, wanted: bool, now: Instant) {
        if wanted && !std::mem::replace(&mut self.wanted, wanted) {
            self.unusable_since = now;
        }
        self.wanted = wanted;
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

    pub(super) fn snapshot(
        &self,
        newest: Option<&Connection>,
        (role, work_split): (PoolRole, Option<WorkSplit>),
        (now, wall): (Instant, SystemTime),
    ) -> PoolSnapshot {
        let waits = newest.is_none().then_some(self.retry_at).flatten();
        PoolSnapshot {
            name: self.spec.name.clone(),
            url: self.url.clone(),
            user: self.spec.user.clone(),
            authority_fingerprint: self.fingerprint.clone(),
            state: self.shown.state,
            reason: self.shown.reason.clone(),
            since: self.shown.since,
            retry_at: waits.filter(|at| *at > now).map(|at| wall + (at - now)),
            failures: self.failures,
            connection: newest.map(Connection::snapshot),
            role,
            work_split,
        }
    }
}
