//! Reconnects that somebody asked for: followed from the request to the end of the old connection.

use super::{ReconnectError, ReconnectOutcome, ReconnectRequest};
use crate::scheduler::SwitchReport;
use mujina_core::{
    id::{ConnectionId, PoolName},
    status::{ConnectPhase, PhaseName},
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Results that are remembered for repeats.
const REMEMBERED: usize = 64;

pub(super) type Answer = Result<ReconnectOutcome, ReconnectError>;

/// Reconnects under way, and the newest finished ones.
#[derive(Debug, Default)]
pub(super) struct Reconnects {
    running: Vec<Reconnect>,
    finished: VecDeque<(String, Answer)>,
}

/// One under way.
#[derive(Debug)]
pub(super) struct Reconnect {
    request: ReconnectRequest,
    pub(super) pool: PoolName,
    pub(super) new: ConnectionId,
    /// The connection that is replaced, while it exists.
    pub(super) old: Option<ConnectionId>,
    /// Since when threads had nothing to hash, when the old connection was cut first; until they had something again.
    cut_at: Option<Instant>,
    /// How long that was.
    cut_gap: Duration,
    switch: Option<SwitchReport>,
    closing_since: Option<Instant>,
    lost: u64,
    phases: Vec<ConnectPhase>,
    watchers: Vec<mpsc::Sender<ConnectPhase>>,
    replies: Vec<oneshot::Sender<Answer>>,
}

/// A caller who waits.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) phases: mpsc::Sender<ConnectPhase>,
    pub(super) reply: oneshot::Sender<Answer>,
}

impl Reconnects {
    /// Answers a repeat, or gives the caller back for a new reconnect.
    pub(super) fn join(&mut self, request: &ReconnectRequest, caller: Caller) -> Option<Caller> {
        if request.request_id.is_empty() {
            return Some(caller);
        }
        if let Some((_, answer)) = self.finished.iter().find(|(id, _)| *id == request.request_id) {
            replay(answer.as_ref().map(|outcome| &*outcome.phases).unwrap_or_default(), &caller.phases);
            let _ = caller.reply.send(answer.clone());
            return None;
        }
        let Some(same) = self.running.iter_mut().find(|one| one.request.request_id == request.request_id) else {
            return Some(caller);
        };
        replay(&same.phases, &caller.phases);
        same.watchers.push(caller.phases);
        same.replies.push(caller.reply);
        None
    }

    pub(super) fn of_pool(&self, pool: &PoolName) -> Option<&Reconnect> {
        self.running.iter().find(|one| one.pool == *pool)
    }

    pub(super) fn begin(
        &mut self,
        request: ReconnectRequest,
        caller: Caller,
        pool: PoolName,
        new: ConnectionId,
        old: Option<ConnectionId>,
        cut_at: Option<Instant>,
    ) {
        self.running.push(Reconnect {
            request,
            pool,
            new,
            old,
            cut_at,
            cut_gap: Duration::ZERO,
            switch: None,
            closing_since: None,
            lost: 0,
            phases: Vec::new(),
            watchers: vec![caller.phases],
            replies: vec![caller.reply],
        });
    }

    /// A phase of the new connection is over.
    pub(super) fn phase(&mut self, connection: ConnectionId, phase: &ConnectPhase) {
        if let Some(one) = self.running.iter_mut().find(|one| one.new == connection) {
            one.note(phase.clone());
        }
    }

    /// The threads have work again, wherever from.
    pub(super) fn resumed(&mut self, now: Instant) {
        for one in &mut self.running {
            if let Some(cut) = one.cut_at.take() {
                one.cut_gap = now.saturating_duration_since(cut);
            }
        }
    }

    /// The threads moved to the new connection, or need not: it is not the live pool.
    pub(super) fn switched(&mut self, connection: ConnectionId, report: SwitchReport, took: Duration, now: Instant) {
        let Some(one) = self.running.iter_mut().find(|one| one.new == connection && one.switch.is_none()) else {
            return;
        };
        let gap = one.cut_gap.max(report.work_gap);
        one.switch = Some(SwitchReport { work_gap: gap, ..report });
        one.closing_since = Some(now);
        let detail = format!("{} threads, work gap {:.3} ms", report.threads, gap.as_secs_f64() * 1e3);
        one.note(ConnectPhase { name: PhaseName::Switch, elapsed: took, detail });
        self.finish();
    }

    /// A connection is over, with what it lost.
    pub(super) fn ended(&mut self, connection: ConnectionId, lost: u64, failure: Option<&str>, now: Instant) {
        for one in &mut self.running {
            if one.old == Some(connection) {
                one.old = None;
                one.lost = lost;
                if let Some(since) = one.closing_since {
                    let elapsed = now.saturating_duration_since(since);
                    one.note(ConnectPhase { name: PhaseName::Drain, elapsed, detail: format!("{lost} shares lost") });
                }
            }
        }
        if let Some(at) = self.running.iter().position(|one| one.new == connection) {
            let one = self.running.swap_remove(at);
            let message = failure.unwrap_or("the connection was closed").to_owned();
            let error = ReconnectError::Failed { pool: one.pool.clone(), message };
            self.answer(one, Err(error));
        }
        self.finish();
    }

    /// The pool left the spec or changed.
    pub(super) fn superseded(&mut self, still_wanted: impl Fn(&PoolName) -> bool) {
        while let Some(at) = self.running.iter().position(|one| !still_wanted(&one.pool)) {
            let one = self.running.swap_remove(at);
            let error = ReconnectError::Superseded(one.pool.clone());
            self.answer(one, Err(error));
        }
    }

    fn finish(&mut self) {
        while let Some(at) = self.running.iter().position(|one| one.switch.is_some() && one.old.is_none()) {
            let one = self.running.swap_remove(at);
            let outcome = ReconnectOutcome {
                pool: one.pool.clone(),
                connection: one.new,
                switch: one.switch.unwrap_or_default(),
                shares_lost: one.lost,
                phases: one.phases.clone(),
            };
            self.answer(one, Ok(outcome));
        }
    }

    fn answer(&mut self, one: Reconnect, answer: Answer) {
        for reply in one.replies {
            // A caller that went away wanted the reconnect all the same.
            let _ = reply.send(answer.clone());
        }
        if !one.request.request_id.is_empty() {
            self.finished.truncate(REMEMBERED - 1);
            self.finished.push_front((one.request.request_id, answer));
        }
    }
}

impl Reconnect {
    fn note(&mut self, phase: ConnectPhase) {
        self.watchers
            .retain(|watcher| !matches!(watcher.try_send(phase.clone()), Err(mpsc::error::TrySendError::Closed(_))));
        self.phases.push(phase);
    }
}

fn replay(phases: &[ConnectPhase], watcher: &mpsc::Sender<ConnectPhase>) {
    for phase in phases {
        // A caller that does not take them does not want them.
        let _ = watcher.try_send(phase.clone());
    }
}
