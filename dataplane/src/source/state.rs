//! The decisions of the source, without tasks or clock: inputs go in, actions come out.
//!
//! After every input `settle` compares what is with what is wanted: which pools should be connected (`selector`), which
//! connection should be live, and which are no longer needed. A connection is closed only once another one is live or
//! nobody wants its pool.

use super::{
    ConfigureError, ReconnectError, ReconnectRequest, Snapshot,
    connection::Connection,
    entry::Entry,
    reconnect::{Caller, Reconnects},
    selector,
};
use crate::{
    pool::{ConnectionEvent, PoolFailure, Verdict},
    scheduler::{Command as Order, SwitchReport},
    trace::TraceParent,
};
use mujina_core::{
    id::{ConnectionId, PoolName},
    pool::{PoolEndpoint, PoolGroup, PoolSpec},
    status::ConnectPhase,
};
use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime},
};
use tracing::{info, warn};

/// Name under which the ledger counts synthetic work.
pub(super) const SYNTHETIC: &str = "synthetic";

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    Configure {
        groups: Vec<PoolGroup>,
        trace: TraceParent,
    },
    Reconnect {
        request: ReconnectRequest,
        caller: Caller,
        trace: TraceParent,
    },
    Event(ConnectionId, ConnectionEvent),
    /// The task of a connection is gone without having said so.
    Vanished(ConnectionId),
    Switched(ConnectionId, SwitchReport),
    /// A deadline passed.
    Tick,
    /// Close everything in order.
    Shutdown,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Starts the task of a connection. `None` = synthetic work.
    Connect { id: ConnectionId, spec: Option<PoolSpec>, trace: TraceParent },
    /// Tells the scheduler of an open channel and hands it the way for shares.
    Begin { id: ConnectionId, pool: PoolName, extranonce_size: u8 },
    /// Asks the scheduler to move the threads; the answer comes back as [`Input::Switched`].
    Activate(ConnectionId),
    /// Passes something on to the scheduler.
    Tell(Order),
    /// Closes in order.
    Close(ConnectionId),
    /// Cuts.
    Abort(ConnectionId),
}

/// When something is: for deadlines, and for people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
}

/// Everything the source knows.
pub(super) struct State {
    entries: Vec<Entry>,
    connections: BTreeMap<ConnectionId, Connection>,
    live: Option<ConnectionId>,
    /// Asked to become live, and when.
    activating: Option<(ConnectionId, Instant)>,
    reconnects: Reconnects,
    /// Whether threads hash invented work while no pool is configured.
    synthetic: bool,
    configured: u64,
    stopping: bool,
    last_id: ConnectionId,
    jitter: Box<dyn FnMut() -> f64 + Send>,
    actions: Vec<Action>,
}

impl State {
    /// Nothing is wanted yet, not even synthetic work: that begins with the first configuration.
    pub(super) fn new(synthetic: bool, jitter: impl FnMut() -> f64 + Send + 'static) -> Self {
        Self {
            entries: Vec::new(),
            connections: BTreeMap::new(),
            live: None,
            activating: None,
            reconnects: Reconnects::default(),
            synthetic,
            configured: 0,
            stopping: false,
            last_id: ConnectionId::default(),
            jitter: Box::new(jitter),
            actions: Vec::new(),
        }
    }

    /// Which of the pools cannot be mined on in this version.
    pub(super) fn check(groups: &[PoolGroup]) -> Result<(), ConfigureError> {
        let mut pools = groups.iter().flat_map(|group| &group.pools);
        match pools.find(|pool| matches!(pool.endpoint, PoolEndpoint::V1 { .. })) {
            Some(pool) => Err(ConfigureError::UnsupportedPool(pool.name.clone())),
            None => Ok(()),
        }
    }

    /// One step.
    pub(super) fn handle(&mut self, input: Input, now: Now) -> Vec<Action> {
        match input {
            Input::Configure { groups, trace } => self.configure(groups, &trace, now),
            Input::Reconnect { request, caller, trace } => self.reconnect(request, caller, &trace, now),
            Input::Event(id, event) => self.event(id, event, now),
            Input::Vanished(id) => self.vanished(id, now),
            Input::Switched(id, report) => self.switched(id, report, now),
            Input::Tick => {}
            Input::Shutdown => self.shut_down(now),
        }
        self.settle(now);
        std::mem::take(&mut self.actions)
    }

    /// When to call `handle` with [`Input::Tick`] at the latest.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let candidates = self.candidates();
        let wanted = selector::wanted(&candidates, now);
        let retries = self.entries.iter().take(wanted).filter(|entry| self.newest_of(&entry.spec).is_none());
        retries.filter_map(|entry| entry.retry_at).chain(selector::deadline(&candidates, now)).min()
    }

    /// Whether the last connection has ended.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub(super) fn configured(&self) -> u64 {
        self.configured
    }

    pub(super) fn snapshot(&self, now: Now) -> Snapshot {
        let live = self.live.and_then(|id| self.connections.get(&id));
        let pools = self.entries.iter().map(|entry| entry.snapshot(self.newest_of(&entry.spec), now.at, now.wall));
        Snapshot {
            live: live.filter(|connection| connection.spec.is_some()).map(|connection| connection.pool.clone()),
            synthetic: live.is_some_and(|connection| connection.spec.is_none()),
            pools: pools.collect(),
            configured: self.configured,
            settled: if self.is_settled() { self.configured } else { self.configured.saturating_sub(1) },
            ..Snapshot::default()
        }
    }

    fn is_settled(&self) -> bool {
        let nobody_leaves = self.connections.values().all(|connection| self.is_wanted(connection));
        let works = match self.live.and_then(|id| self.connections.get(&id)) {
            Some(live) => live.is_usable() && self.is_wanted(live),
            None => self.entries.is_empty() && !self.synthetic,
        };
        self.configured > 0 && nobody_leaves && works
    }

    /// Whether the spec still has this pool, unchanged.
    fn is_wanted(&self, connection: &Connection) -> bool {
        match &connection.spec {
            Some(spec) => self.entries.iter().any(|entry| entry.spec == *spec),
            None => self.entries.is_empty() && self.synthetic,
        }
    }

    fn newest_of(&self, spec: &PoolSpec) -> Option<&Connection> {
        let of_pool = || self.connections.values().rev().filter(|connection| connection.spec.as_ref() == Some(spec));
        // While a reconnect is under way, the connection that works says more than the one that is being made.
        of_pool()
            .find(|connection| connection.is_usable())
            .or_else(|| of_pool().find(|connection| !connection.is_closing()))
            .or_else(|| of_pool().next())
    }

    fn candidates(&self) -> Vec<selector::Candidate> {
        let usable = |entry: &Entry| self.newest_of(&entry.spec).is_some_and(Connection::is_usable);
        self.entries.iter().map(|entry| entry.candidate(usable(entry))).collect()
    }

    fn configure(&mut self, groups: Vec<PoolGroup>, trace: &TraceParent, now: Now) {
        let mut old = std::mem::take(&mut self.entries);
        for spec in groups.into_iter().flat_map(|group| group.pools) {
            let entry = match old.iter().position(|entry| entry.spec == spec) {
                Some(at) => old.swap_remove(at),
                None => Entry::new(spec, trace.clone(), now.at, now.wall),
            };
            self.entries.push(entry);
        }
        self.configured += 1;
        let entries = &self.entries;
        self.reconnects.superseded(|pool| entries.iter().any(|entry| entry.spec.name == *pool));
    }

    fn reconnect(&mut self, request: ReconnectRequest, caller: Caller, trace: &TraceParent, now: Now) {
        let Some(caller) = self.reconnects.join(&request, caller) else { return };
        let live = self.live.and_then(|id| self.connections.get(&id)).filter(|connection| connection.spec.is_some());
        let refusal = match request.pool.clone().or_else(|| live.map(|connection| connection.pool.clone())) {
            _ if self.stopping => ReconnectError::ShuttingDown,
            None => ReconnectError::NoLivePool,
            Some(pool) if self.reconnects.of_pool(&pool).is_some() => ReconnectError::UnderWay(pool),
            Some(pool) => match self.entries.iter().position(|entry| entry.spec.name == pool) {
                Some(at) => return self.begin_reconnect(request, caller, at, trace, now),
                None => ReconnectError::PoolNotFound(pool),
            },
        };
        let _ = caller.reply.send(Err(refusal));
    }

    fn begin_reconnect(&mut self, request: ReconnectRequest, caller: Caller, at: usize, trace: &TraceParent, now: Now) {
        let Some(entry) = self.entries.get_mut(at) else { return };
        entry.renew(now.at);
        let spec = entry.spec.clone();
        let old = self.newest_of(&spec).filter(|connection| !connection.is_closing()).map(|connection| connection.id);
        let cut = request.immediate && old.is_some() && old == self.live;
        // Without a job there is nothing worth keeping.
        let useless = |id: &ConnectionId| self.connections.get(id).is_some_and(|connection| !connection.has_job);
        if let Some(id) = old.filter(|id| request.immediate || useless(id)) {
            self.abort(id, now.at);
        }
        let pool = spec.name.clone();
        let new = self.connect(Some(spec), pool.clone(), trace.clone());
        self.reconnects.begin(request, caller, pool, new, old, cut.then_some(now.at));
    }

    fn event(&mut self, id: ConnectionId, event: ConnectionEvent, now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match event {
            ConnectionEvent::Phase { name, elapsed, detail } => {
                let phase = ConnectPhase { name, elapsed, detail };
                self.reconnects.phase(id, &phase);
                connection.phases.push(phase);
            }
            ConnectionEvent::Opened { extranonce_size } => {
                connection.opened();
                let pool = connection.pool.clone();
                self.actions.push(Action::Begin { id, pool, extranonce_size });
            }
            ConnectionEvent::Facts(facts) => connection.learn(*facts),
            ConnectionEvent::Job(job) => {
                let first = connection.ready_at.is_none();
                connection.job(&job, now.at, now.wall);
                if first {
                    info!(pool.name = %connection.pool, connection.id = %id, job.id = %job.label, "pool gives work");
                }
                let spec = connection.spec.clone();
                if let Some(entry) = self.entries.iter_mut().find(|entry| Some(&entry.spec) == spec.as_ref()) {
                    entry.became_usable();
                }
                self.actions.push(Action::Tell(Order::Job(job)));
            }
            ConnectionEvent::Cleared { reason } => {
                connection.has_job = false;
                info!(pool.name = %connection.pool, connection.id = %id, reason, "pool's jobs are void");
                self.actions.push(Action::Tell(Order::Clear { connection: id }));
            }
            ConnectionEvent::Sent { share } => self.actions.push(Action::Tell(Order::Sent { share })),
            ConnectionEvent::NotSent { share, reason } => {
                self.actions.push(Action::Tell(Order::NotSent { share, reason }));
            }
            ConnectionEvent::Judged { share, verdict, latency } => {
                connection.lost += u64::from(verdict == Verdict::Lost);
                self.actions.push(Action::Tell(Order::Judged { share, verdict, latency }));
            }
            ConnectionEvent::Reclassified { share, reason } => {
                self.actions.push(Action::Tell(Order::Reclassified { share, reason }));
            }
            ConnectionEvent::Ended { failure, redirect: _ } => self.ended(id, failure, now),
        }
    }

    fn vanished(&mut self, id: ConnectionId, now: Now) {
        if self.connections.contains_key(&id) {
            let failure = PoolFailure {
                kind: crate::pool::FailureKind::Protocol,
                message: "the connection task failed; this is a bug, please report it with the log".into(),
                phase: None,
                recovery: crate::pool::Recovery::Retry,
            };
            self.ended(id, Some(failure), now);
        }
    }

    fn ended(&mut self, id: ConnectionId, failure: Option<PoolFailure>, now: Now) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.actions.push(Action::Tell(Order::End { connection: id }));
        if self.live == Some(id) {
            self.live = None;
        }
        if self.activating.is_some_and(|(activating, _)| activating == id) {
            self.activating = None;
        }
        let message = failure.as_ref().map(|failure| failure.message.as_str());
        self.reconnects.ended(id, connection.lost, message, now.at);
        let Connection { pool, lost, .. } = &connection;
        match failure.filter(|_| !connection.is_closing()) {
            Some(failure) => {
                let delay = self.entry_failed(&connection, &failure, now);
                let retry_in = delay.map(|delay| delay.as_secs_f64());
                warn!(pool.name = %pool, connection.id = %id, lost, retry_in, reason = %failure, "pool connection failed");
            }
            None => info!(pool.name = %pool, connection.id = %id, lost, "pool connection closed"),
        }
    }

    fn entry_failed(
        &mut self,
        connection: &Connection,
        failure: &PoolFailure,
        now: Now,
    ) -> Option<std::time::Duration> {
        let spec = connection.spec.as_ref()?;
        if self.newest_of(spec).is_some_and(Connection::is_usable) {
            // A reconnect that failed says nothing against the connection that works.
            return None;
        }
        let jitter = (self.jitter)();
        let entry = self.entries.iter_mut().find(|entry| entry.spec == *spec)?;
        entry.failed(failure, connection.ready_at.map(|(at, _)| at), now.at, jitter)
    }

    fn switched(&mut self, id: ConnectionId, report: SwitchReport, now: Now) {
        let Some((_, asked_at)) = self.activating.take_if(|(activating, _)| *activating == id) else { return };
        self.live = Some(id);
        let SwitchReport { work_gap, threads, late } = report;
        let pool = self.connections.get(&id).map(|connection| connection.pool.clone());
        let took = now.at.saturating_duration_since(asked_at);
        info!(
            pool.name = pool.as_ref().map(tracing::field::display),
            connection.id = %id,
            threads,
            late,
            work_gap_ms = work_gap.as_secs_f64() * 1e3,
            "hash threads moved"
        );
        self.reconnects.switched(id, report, took, now.at);
    }

    fn shut_down(&mut self, now: Now) {
        self.stopping = true;
        self.reconnects.superseded(|_| false);
        let open: Vec<_> = self.connections.values().filter(|one| !one.is_closing()).map(|one| one.id).collect();
        for id in open {
            self.close(id, now.at);
        }
    }

    /// Brings what is closer to what is wanted.
    fn settle(&mut self, now: Now) {
        if !self.stopping {
            self.connect_wanted(now.at);
            self.activate_best(now.at);
            self.close_unwanted(now.at);
        }
        let wanted = selector::wanted(&self.candidates(), now.at);
        let mut entries = std::mem::take(&mut self.entries);
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.observe(self.newest_of(&entry.spec), at < wanted, now.wall);
        }
        self.entries = entries;
    }

    fn connect_wanted(&mut self, now: Instant) {
        let wanted = selector::wanted(&self.candidates(), now);
        let missing: Vec<_> = self
            .entries
            .iter()
            .take(wanted)
            .filter(|entry| entry.is_due(now) && self.newest_of(&entry.spec).is_none_or(Connection::is_closing))
            .map(|entry| (entry.spec.clone(), entry.trace.clone()))
            .collect();
        for (spec, trace) in missing {
            let pool = spec.name.clone();
            self.connect(Some(spec.clone()), pool, trace);
            if let Some(entry) = self.entries.iter_mut().find(|entry| entry.spec == spec) {
                // Retries are nobody's command.
                entry.trace = TraceParent::default();
            }
        }
        let invents = self.connections.values().any(|one| one.spec.is_none() && !one.is_closing());
        if self.configured > 0 && self.entries.is_empty() && self.synthetic && !invents {
            let name = SYNTHETIC.parse().expect("a label by construction");
            self.connect(None, name, TraceParent::default());
        }
    }

    fn activate_best(&mut self, now: Instant) {
        let chosen = match selector::choice(&self.candidates()) {
            Some(at) => self.entries.get(at).and_then(|entry| self.newest_of(&entry.spec)),
            None => self.connections.values().find(|one| one.is_usable() && one.spec.is_none() && self.is_wanted(one)),
        };
        let Some(chosen) = chosen.map(|connection| connection.id) else { return };
        if self.live != Some(chosen) && self.activating.is_none() {
            self.activating = Some((chosen, now));
            self.actions.push(Action::Activate(chosen));
        }
        // A pool that stands by has no threads to move.
        let standing_by = self.connections.values().filter(|one| one.is_usable() && one.id != chosen).map(|one| one.id);
        for id in standing_by.collect::<Vec<_>>() {
            self.reconnects.switched(id, SwitchReport::default(), std::time::Duration::ZERO, now);
        }
    }

    fn close_unwanted(&mut self, now: Instant) {
        let candidates = self.candidates();
        let wanted = selector::wanted(&candidates, now);
        let nothing_to_come = self.entries.is_empty() && !self.synthetic;
        let unwanted: Vec<_> = self
            .connections
            .values()
            .filter(|one| !one.is_closing())
            .filter(|one| {
                let stays = match &one.spec {
                    Some(spec) => {
                        let place = self.entries.iter().position(|entry| entry.spec == *spec);
                        let superseded = self.newest_of(spec).is_some_and(|newest| newest.id > one.id);
                        place.is_some_and(|place| place < wanted) && !superseded
                    }
                    None => self.is_wanted(one),
                };
                let is_live = self.live == Some(one.id) || self.activating.is_some_and(|(id, _)| id == one.id);
                !stays && (!is_live || nothing_to_come)
            })
            .map(|one| one.id)
            .collect();
        for id in unwanted {
            self.close(id, now);
        }
    }

    fn connect(&mut self, spec: Option<PoolSpec>, pool: PoolName, trace: TraceParent) -> ConnectionId {
        self.last_id = self.last_id.next();
        let id = self.last_id;
        self.connections.insert(id, Connection::new(id, spec.clone(), pool));
        self.actions.push(Action::Connect { id, spec, trace });
        id
    }

    fn close(&mut self, id: ConnectionId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closing_since.get_or_insert(now);
            self.actions.push(Action::Close(id));
        }
    }

    fn abort(&mut self, id: ConnectionId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closing_since.get_or_insert(now);
            connection.aborted = true;
            if self.live == Some(id) {
                self.live = None;
            }
            self.actions.push(Action::Abort(id));
        }
    }
}

#[cfg(test)]
mod tests;
