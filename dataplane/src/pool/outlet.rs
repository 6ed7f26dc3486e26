//! Our end of a connection's lines to the rest of the miner, whatever the pool speaks.
//!
//! Events go out in order, each phase with its span; the rate to tell comes in. Called by the client loops of the
//! protocols, which decide nothing here.

use super::{ConnectionEvent, PoolFailure, ShareSubmission, phases::Phases};
use crate::{job::Job, trace::TraceParent};
use mujina_core::{id::ConnectionId, share::DropReason, status::PhaseName, units::HashRate};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep_until, timeout},
};
use tracing::info_span;

/// How a session ended: why, and where the pool asked to go.
pub(super) type Ending = (Option<PoolFailure>, Option<(String, u16)>);

/// Where events go and shares come from.
pub(super) struct Outlet {
    pub(super) id: ConnectionId,
    pub(super) events: mpsc::Sender<(ConnectionId, ConnectionEvent)>,
    pub(super) shares: mpsc::Receiver<ShareSubmission>,
    /// Where the connection stands in a trace; its first job continues there.
    pub(super) place: TraceParent,
    pub(super) phases: Phases,
}

impl Outlet {
    pub(super) fn begin(&mut self, phase: PhaseName) -> Instant {
        self.phases.begin(phase);
        now()
    }

    pub(super) async fn over(&mut self, name: PhaseName, began: Instant, detail: String) {
        let elapsed = now().saturating_duration_since(began);
        self.tell(ConnectionEvent::Phase { name, elapsed, detail }).await;
    }

    pub(super) async fn tell(&mut self, event: ConnectionEvent) {
        if let ConnectionEvent::Phase { name, detail, .. } = &event {
            self.phases.over(*name, detail);
        }
        // Without a source nobody counts any more, and the tokens end us soon.
        let _ = self.events.send((self.id, event)).await;
    }

    pub(super) async fn job(&mut self, mut job: Box<Job>) {
        let span = info_span!(parent: None, "pool.job", connection.id = %self.id, job.id = %job.label);
        if job.first {
            self.place.adopt(&span);
        }
        // The span ends here; what the job brings about points back to it.
        job.origin = TraceParent::of(&span);
        drop(span);
        self.tell(ConnectionEvent::Job(Arc::from(job))).await;
    }

    /// The last words, after a word on every share that is still in the line; `flush` is how long one may take to come.
    pub(super) async fn end(mut self, (failure, redirect): Ending, flush: Duration) {
        self.phases.end(failure.as_ref().map(ToString::to_string));
        self.shares.close();
        while let Ok(Some(share)) = timeout(flush, self.shares.recv()).await {
            self.tell(ConnectionEvent::NotSent { share: share.id, reason: DropReason::Stale }).await;
        }
        self.tell(ConnectionEvent::Ended { failure, redirect }).await;
    }
}

/// The hash rate to tell: the operator's word, or what is measured.
pub(super) struct RateLine {
    pub(super) fixed: Option<HashRate>,
    pub(super) line: watch::Receiver<Option<HashRate>>,
}

impl RateLine {
    pub(super) fn now(&mut self) -> Option<HashRate> {
        self.fixed.or(*self.line.borrow_and_update())
    }

    /// Waits for another rate; for ever when there cannot be one. Cancel-safe.
    pub(super) async fn changed(&mut self) -> Option<HashRate> {
        if self.fixed.is_some() || self.line.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.now()
    }
}

/// The time by the clock that deadlines go by; tests may stop it.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until then; for ever when there is no such time.
pub(super) async fn sleep_until_some(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
