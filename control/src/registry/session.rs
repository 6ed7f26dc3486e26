//! Keeps the connection to one miner: its status, what it confirmed, and the reconciling of the two with what is wanted.
//!
//! ```text
//! dialling ── status and spec arrive ──▶ connected ── stream ends ──▶ backing off ──▶ dialling
//!                                        │  ▲
//!                            plan: send, │  │ status changed, desired changed, time to look again
//!                            read again  ▼  │
//! ```

use super::{CallError, CallKind, Miner, MinerView, Reachability, backoff, link::SpecReading};
use crate::{
    reconcile::{Agreement, Memory, Plan, SyncState, plan},
    spec::DesiredState,
};
use mujina_core::id::Generation;
use mujina_proto::types::v1;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, info_span, warn};

/// How often a miner that is making a spec true is asked how far it is.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A connection that lasted this long was a good one: the next failure counts as the first.
const GOOD: Duration = Duration::from_secs(30);

/// The session of one miner.
#[derive(Debug)]
pub(crate) struct Session {
    miner: Arc<Miner>,
    desired: watch::Receiver<Option<Arc<DesiredState>>>,
    database_id: Arc<str>,
    memory: Memory,
    spec: Option<SpecReading>,
}

impl Session {
    /// `database_id` makes the request ids of this control plane its own.
    pub(crate) fn new(miner: Arc<Miner>, database_id: &str) -> Self {
        let desired = miner.desired.subscribe();
        Self { miner, desired, database_id: database_id.into(), memory: Memory::default(), spec: None }
    }

    /// Runs until `cancel`. Being cut anywhere changes nothing on the miner that would not be found out again.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let _ = cancel.clone().run_until_cancelled(self.keep_connected()).await;
    }

    async fn keep_connected(&mut self) {
        let mut failures = 0_u32;
        loop {
            self.miner.link.opens().await;
            let begun = Instant::now();
            let Err(error) = self.stay_connected().await;
            failures = if begun.elapsed() >= GOOD { 1 } else { failures.saturating_add(1) };
            self.lost(&error);
            sleep(backoff(failures, rand::random())).await;
        }
    }

    fn lost(&self, error: &CallError) {
        let reason = error.to_string();
        let view = self.miner.view();
        if matches!(view.reachability, Reachability::Unreachable(_)) {
            debug!(miner.name = %self.miner.name, error = reason, "miner still not reached");
        } else {
            info!(miner.name = %self.miner.name, error = reason, "miner not reached; trying again");
        }
        self.miner.change(|view| {
            if !matches!(view.reachability, Reachability::Unreachable(_)) {
                view.since = SystemTime::now();
            }
            view.reachability = Reachability::Unreachable(reason.clone());
            if view.desired_generation > Generation(0) {
                view.agreement = Agreement { state: SyncState::Unreachable, reason, at: Some(view.since) };
            }
        });
    }

    async fn stay_connected(&mut self) -> Result<std::convert::Infallible, CallError> {
        let miner = self.miner.clone();
        let mut statuses = miner.link.watch().await?;
        let first = statuses.first().await?;
        self.spec = Some(miner.link.spec().await?);
        info!(miner.name = %miner.name, boot.id = first.boot_id, "miner connected");
        let mut status = first;
        miner.change(|view| {
            view.reachability = Reachability::Connected;
            view.since = SystemTime::now();
            view.status = Some((status.clone(), SystemTime::now()));
        });
        let mut failures = 0_u32;
        loop {
            let look_again = self.reconcile(&mut failures).await?;
            tokio::select! {
                next = statuses.next() => {
                    let next = next?;
                    let is_old = self.is_outdated(&next) || next.boot_id != status.boot_id;
                    status = next;
                    miner.change(|view| view.status = Some((status.clone(), SystemTime::now())));
                    if is_old {
                        self.spec = Some(miner.link.spec().await?);
                    }
                }
                // The sender lives as long as the miner that `self` holds.
                _ = self.desired.changed() => {}
                () = sleep_until(look_again.unwrap_or_else(Instant::now)), if look_again.is_some() => {
                    self.spec = Some(miner.link.spec().await?);
                }
            }
        }
    }

    /// Whether a status tree speaks of another spec than the one that was read last.
    fn is_outdated(&self, status: &v1::MinerStatus) -> bool {
        self.spec.as_ref().is_none_or(|spec| {
            spec.message.generation != status.generation
                || spec.message.observed_generation != status.observed_generation
        })
    }

    /// Does what the plan says until there is nothing to do; returns when to look again.
    async fn reconcile(&mut self, failures: &mut u32) -> Result<Option<Instant>, CallError> {
        loop {
            let desired = self.desired.borrow_and_update().clone();
            let confirmed = self.spec.as_ref().map(|spec| spec.confirmed.clone());
            let plan = plan(desired.as_deref(), confirmed.as_deref(), &self.memory);
            self.publish(desired.as_deref(), &plan);
            match (plan, desired) {
                (Plan::Send(_), Some(desired)) => {
                    if let Some(delay) = self.send(&desired, failures).await? {
                        return Ok(Some(Instant::now() + delay));
                    }
                }
                (Plan::Wait(_), _) => return Ok(Some(Instant::now() + LOOK_AGAIN)),
                _ => return Ok(None),
            }
        }
    }

    /// Sends a desired state; the delay before the next attempt when it should wait.
    async fn send(&mut self, desired: &DesiredState, failures: &mut u32) -> Result<Option<Duration>, CallError> {
        let span = info_span!(
            parent: None, "spec.dispatch",
            miner.name = %self.miner.name, generation = desired.generation.0, error = tracing::field::Empty
        );
        desired.trace_parent.adopt(&span);
        let before = self.spec.as_ref().map_or(0, |spec| spec.message.generation);
        // Not the generation alone: a miner that lost its spec must not be answered from what it remembers.
        let request_id = format!("{}/{}/{before}", self.database_id, desired.generation);
        let answered = self.miner.link.apply(desired, request_id).instrument(span.clone()).await;
        let (name, generation) = (&self.miner.name, desired.generation);
        let error = match answered {
            Ok(reading) => {
                *failures = 0;
                info!(miner.name = %name, %generation, "desired state accepted");
                self.spec = Some(reading);
                return Ok(None);
            }
            Err(error) => error,
        };
        span.record("error", error.failure.message.as_str());
        let reason = error.to_string();
        match error.kind {
            CallKind::Unreachable => return Err(error),
            CallKind::Invalid => {
                info!(miner.name = %name, %generation, reason, "desired state rejected");
                self.memory.refused(generation, reason);
                return Ok(None);
            }
            CallKind::Conflict => {
                info!(miner.name = %name, %generation, reason, "desired state refused; looking again");
                self.memory.refused_for_now(generation, reason);
            }
            CallKind::OutOfRange | CallKind::Failed => {
                warn!(miner.name = %name, %generation, reason, "desired state not accepted; trying again");
            }
        }
        *failures = failures.saturating_add(1);
        self.spec = Some(self.miner.link.spec().await?);
        Ok(Some(backoff(*failures, rand::random())))
    }

    fn publish(&self, desired: Option<&DesiredState>, plan: &Plan) {
        let agreement = plan.agreement();
        let generation = desired.map(|desired| desired.generation).unwrap_or_default();
        let view = self.miner.view();
        let spec = self.spec.clone();
        let is_known = |view: &MinerView| match (&view.spec_state, &spec) {
            (Some(known), Some(read)) => Arc::ptr_eq(known, &read.message),
            _ => false,
        };
        if view.agreement == agreement && view.desired_generation == generation && is_known(&view) {
            return;
        }
        if view.agreement.state != agreement.state {
            info!(miner.name = %self.miner.name, %generation, state = ?agreement.state, reason = agreement.reason, "sync changed");
        }
        self.miner.change(|view| {
            // A newer desired state may have been published meanwhile; the next round judges it.
            if view.desired_generation <= generation {
                view.agreement = agreement;
                view.desired_generation = generation;
            }
            view.spec_state = spec.as_ref().map(|spec| spec.message.clone());
            view.confirmed = spec.map(|spec| spec.confirmed);
        });
    }
}

/// A desired state was stored: until the session has judged it, it is on its way.
pub(super) fn judge_again(view: &mut MinerView, desired: &DesiredState) {
    if view.desired_generation >= desired.generation {
        return;
    }
    view.desired_generation = desired.generation;
    view.agreement = match &view.reachability {
        Reachability::Unreachable(reason) => {
            Agreement { state: SyncState::Unreachable, reason: reason.clone(), at: Some(view.since) }
        }
        Reachability::Connected | Reachability::Untried => Plan::Send(desired.generation).agreement(),
    };
}
