//! The decisions of the source, without tasks or clock: inputs go in, actions come out.
//!
//! After every input that can change a decision, `settle` compares what is with what is wanted: which pools should be
//! connected (`selector`), which connection should be live, and which are no longer needed. A connection is closed only
//! once another one is live or nobody wants its pool.

mod settle;
mod snapshot;

use super::{
    PinError, ReconnectError, ReconnectRequest,
    connection::Connection,
    entry::Entry,
    policy::SourcePolicy,
    quota::Quotas,
    reconnect::{Caller, Reconnects},
    transitions::{Ordered, Transitions},
};
use crate::{
    pool::{ConnectionEvent, FailureKind, PoolFailure, Recovery, Target, Verdict},
    scheduler::{Command as Order, SwitchReport},
    trace::TraceParent,
};
use mujina_core::{
    id::{ConnectionId, PoolName},
    pool::{PoolGroup, PoolSpec},
    status::{ConnectPhase, PoolPin, TransitionReason},
    units::HashRate,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::oneshot;
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
    Pin {
        pool: PoolName,
        duration: Duration,
        reply: oneshot::Sender<Result<PoolPin, PinError>>,
    },
    Unpin {
        reply: oneshot::Sender<Option<PoolPin>>,
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
    Connect { id: ConnectionId, spec: Option<Box<PoolSpec>>, target: Option<Target>, trace: TraceParent },
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

/// When something is, for deadlines and for people, and how fast the miner is then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
    pub(super) hash_rate: Option<HashRate>,
}

/// Everything the source knows.
pub(super) struct State {
    policy: SourcePolicy,
    entries: Vec<Entry>,
    connections: BTreeMap<ConnectionId, Connection>,
    live: Option<ConnectionId>,
    activating: Option<Activating>,
    reconnects: Reconnects,
    quotas: Quotas,
    pin: Option<Pin>,
    transitions: Transitions,
    /// What a person did last, until the work is where it should be.
    hint: Option<TransitionReason>,
    /// Whether threads hash invented work while no pool is configured.
    synthetic: bool,
    configured: u64,
    stopping: bool,
    last_id: ConnectionId,
    jitter: Box<dyn FnMut() -> f64 + Send>,
    deadline: Option<Instant>,
    changed: bool,
    actions: Vec<Action>,
}

/// A connection that was asked to become live.
#[derive(Debug)]
struct Activating {
    id: ConnectionId,
    since: Instant,
    ordered: Ordered,
}

#[derive(Debug)]
struct Pin {
    shown: PoolPin,
    until: Instant,
}

impl State {
    /// Nothing is wanted yet, not even synthetic work: that begins with the first configuration.
    pub(super) fn new(policy: SourcePolicy, synthetic: bool, jitter: impl FnMut() -> f64 + Send + 'static) -> Self {
        Self {
            policy,
            entries: Vec::new(),
            connections: BTreeMap::new(),
            live: None,
            activating: None,
            reconnects: Reconnects::default(),
            quotas: Quotas::default(),
            pin: None,
            transitions: Transitions::default(),
            hint: None,
            synthetic,
            configured: 0,
            stopping: false,
            last_id: ConnectionId::default(),
            jitter: Box::new(jitter),
            deadline: None,
            changed: false,
            actions: Vec::new(),
        }
    }

    /// One step.
    pub(super) fn handle(&mut self, input: Input, now: Now) -> Vec<Action> {
        let decides = match input {
            Input::Event(id, event) => self.event(id, event, now),
            other => {
                self.command(other, now);
                true
            }
        };
        if decides {
            self.settle(now);
            self.changed = true;
        }
        std::mem::take(&mut self.actions)
    }

    /// Takes the list back that `handle` returned, so that the next step need not allocate one.
    pub(super) fn reuse(&mut self, actions: Vec<Action>) {
        if self.actions.is_empty() {
            self.actions = actions;
        }
    }

    fn command(&mut self, input: Input, now: Now) {
        match input {
            Input::Configure { groups, trace } => self.configure(groups, &trace, now),
            Input::Reconnect { request, caller, trace } => self.reconnect(request, caller, &trace, now),
            Input::Pin { pool, duration, reply } => {
                // A caller that went away wanted it all the same.
                let _ = reply.send(self.pin(pool, duration, now));
            }
            Input::Unpin { reply } => {
                let ended = self.pin.take().map(|pin| pin.shown);
                if ended.is_some() {
                    self.hint = Some(TransitionReason::Unpinned);
                }
                let _ = reply.send(ended);
            }
            Input::Event(..) | Input::Tick => {}
            Input::Vanished(id) => self.vanished(id, now),
            Input::Switched(id, report) => self.switched(id, report, now),
            Input::Shutdown => self.shut_down(now),
        }
    }

    /// When to call `handle` with [`Input::Tick`] at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether something visible changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether the last connection has ended.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub(super) fn configured(&self) -> u64 {
        self.configured
    }

    /// Whether the spec still has this pool.
    fn is_wanted(&self, connection: &Connection) -> bool {
        match &connection.spec {
            Some(_) => self.entry_of(connection).is_some(),
            None => self.entries.is_empty() && self.synthetic,
        }
    }

    fn entry_of(&self, connection: &Connection) -> Option<usize> {
        self.entries.iter().position(|entry| connection.is_of(&entry.spec))
    }

    /// The pool of a connection that is known, while the spec has it.
    fn entry_of_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        let at = self.entry_of(self.connections.get(&id)?)?;
        self.entries.get_mut(at)
    }

    fn newest_of(&self, spec: &PoolSpec) -> Option<&Connection> {
        let of_pool = || self.connections.values().rev().filter(|connection| connection.is_of(spec));
        // While a reconnect is under way, the connection that works says more than the one that is being made.
        of_pool()
            .find(|connection| connection.is_usable())
            .or_else(|| of_pool().find(|connection| !connection.is_closing()))
            .or_else(|| of_pool().next())
    }

    fn configure(&mut self, groups: Vec<PoolGroup>, trace: &TraceParent, now: Now) {
        self.quotas.configure(&groups);
        let mut old = std::mem::take(&mut self.entries);
        for (number, group) in groups.into_iter().enumerate() {
            for spec in group.pools {
                let place = (number, group.strategy);
                let entry = match old.iter().position(|entry| entry.spec.connects_like(&spec)) {
                    Some(at) => {
                        let mut entry = old.swap_remove(at);
                        (entry.spec, entry.group) = (spec, place);
                        entry.forgive();
                        entry
                    }
                    None => Entry::new(spec, place, trace.clone(), (now.at, now.wall)),
                };
                self.entries.push(entry);
            }
        }
        self.configured += 1;
        self.hint = Some(TransitionReason::Configured);
        let entries = &self.entries;
        let has = |pool: &PoolName| entries.iter().any(|entry| entry.spec.name == *pool);
        self.pin.take_if(|pin| !has(&pin.shown.pool));
        self.reconnects.superseded(has);
    }

    fn pin(&mut self, pool: PoolName, duration: Duration, now: Now) -> Result<PoolPin, PinError> {
        if self.stopping {
            return Err(PinError::ShuttingDown);
        }
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.spec.name == pool) else {
            return Err(PinError::PoolNotFound(pool));
        };
        entry.forgive();
        info!(pool.name = %pool, seconds = duration.as_secs(), "pool pinned");
        let shown = PoolPin { pool, expires_at: now.wall + duration };
        self.pin = Some(Pin { shown: shown.clone(), until: now.at + duration });
        Ok(shown)
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
        let new = self.connect(Some(spec), None, pool.clone(), trace.clone());
        self.reconnects.begin(request, caller, pool, new, old, cut.then_some(now.at));
    }

    /// Returns whether it can change a decision.
    fn event(&mut self, id: ConnectionId, event: ConnectionEvent, now: Now) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
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
                let again = !connection.has_job;
                connection.job(&job, now.at, now.wall);
                if first {
                    info!(pool.name = %connection.pool, connection.id = %id, job.id = %job.label, "pool gives work");
                }
                let policy = self.policy;
                if again && let Some(entry) = self.entry_of_mut(id) {
                    entry.became_usable(&policy, now.at);
                }
                self.actions.push(Action::Tell(Order::Job(job)));
            }
            ConnectionEvent::Cleared { reason } => {
                connection.has_job = false;
                info!(pool.name = %connection.pool, connection.id = %id, reason, "pool's jobs are void");
                if let Some(entry) = self.entry_of_mut(id) {
                    entry.lost_its_job(&reason, now.at);
                }
                self.actions.push(Action::Tell(Order::Clear { connection: id }));
            }
            ConnectionEvent::Sent { share } => return self.tell(Order::Sent { share }),
            ConnectionEvent::NotSent { share, reason } => return self.tell(Order::NotSent { share, reason }),
            ConnectionEvent::Judged { share, verdict, latency } => {
                self.tell(Order::Judged { share, verdict, latency });
                return self.judged(id, verdict, now);
            }
            ConnectionEvent::Reclassified { share, reason } => return self.tell(Order::Reclassified { share, reason }),
            ConnectionEvent::Ended { failure, redirect } => self.ended(id, failure, redirect, now),
        }
        true
    }

    /// Passes on what decides nothing.
    fn tell(&mut self, order: Order) -> bool {
        self.actions.push(Action::Tell(order));
        false
    }

    /// Returns whether the pool is passed over because of it.
    fn judged(&mut self, id: ConnectionId, verdict: Verdict, now: Now) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let rejected = match verdict {
            Verdict::Accepted => false,
            Verdict::Rejected(_) => true,
            Verdict::Lost => {
                connection.lost += 1;
                return false;
            }
        };
        let Some((rejected, judged)) = connection.rejects.judged(rejected, now.at) else { return false };
        warn!(pool.name = %connection.pool, connection.id = %id, rejected, judged, "pool refuses most shares");
        let until = now.at + self.policy.shun;
        if let Some(entry) = self.entry_of_mut(id) {
            entry.shun(until, format!("{rejected} of {judged} shares were refused; see `mujinactl shares rejects`"));
        }
        true
    }

    fn vanished(&mut self, id: ConnectionId, now: Now) {
        if self.connections.contains_key(&id) {
            let failure = PoolFailure {
                kind: FailureKind::Protocol,
                message: "the connection task failed; this is a bug, please report it with the log".into(),
                phase: None,
                recovery: Recovery::Retry,
            };
            self.ended(id, Some(failure), None, now);
        }
    }

    fn ended(&mut self, id: ConnectionId, failure: Option<PoolFailure>, redirect: Option<(String, u16)>, now: Now) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.actions.push(Action::Tell(Order::End { connection: id }));
        if self.live == Some(id) {
            self.leave(id, now.at);
        }
        self.activating.take_if(|activating| activating.id == id);
        self.transitions.ended(id, connection.lost);
        let message = failure.as_ref().map(|failure| failure.message.as_str());
        self.reconnects.ended(id, connection.lost, message, now.at);
        let Connection { pool, lost, .. } = &connection;
        let Some(mut failure) = failure.filter(|_| !connection.is_closing()) else {
            info!(pool.name = %pool, connection.id = %id, lost, "pool connection closed");
            return;
        };
        if let Some((host, port)) = redirect {
            match self.follow(&connection, &host, port, now) {
                Ok(target) => {
                    let Target { host, port } = target;
                    info!(pool.name = %pool, connection.id = %id, lost, %host, port, "pool sends us elsewhere");
                    return;
                }
                Err(why) => failure.message = format!("the pool asked to connect elsewhere, which is not done: {why}"),
            }
        }
        if connection.target.is_some() && connection.ready_at.is_none() && failure.recovery == Recovery::Park {
            // Whoever answered where the pool sent us, the pool itself may be as good as before (stratum-client R3).
            failure.recovery = Recovery::Retry;
        }
        let delay = self.entry_failed(&connection, &failure, now);
        let retry_in = delay.map(|delay| delay.as_secs_f64());
        warn!(pool.name = %pool, connection.id = %id, lost, retry_in, reason = %failure, "pool connection failed");
    }

    fn follow(&mut self, connection: &Connection, host: &str, port: u16, now: Now) -> Result<Target, String> {
        let at = self.entry_of(connection).ok_or("it is no longer in the spec")?;
        let entry = self.entries.get_mut(at).ok_or("it is no longer in the spec")?;
        let mut target = entry.redirects.follow(&entry.spec, host, port, now.at)?;
        if let (true, Some(own)) = (host.is_empty(), &connection.target) {
            // The same host is the one that said so.
            target = Target { host: own.host.clone(), port: if port == 0 { own.port } else { port } };
        }
        entry.follow(target.clone(), now.at);
        Ok(target)
    }

    fn entry_failed(&mut self, connection: &Connection, failure: &PoolFailure, now: Now) -> Option<Duration> {
        let spec = connection.spec.as_ref()?;
        if self.newest_of(spec).is_some_and(Connection::is_usable) {
            // A reconnect that failed says nothing against the connection that works.
            return None;
        }
        let jitter = (self.jitter)();
        let entry = self.entries.iter_mut().find(|entry| entry.spec.connects_like(spec))?;
        entry.failed(failure, connection.ready_at.map(|(at, _)| at), &self.policy.delays, now.at, jitter)
    }

    fn switched(&mut self, id: ConnectionId, report: SwitchReport, now: Now) {
        let Some(activating) = self.activating.take_if(|activating| activating.id == id) else { return };
        self.live = Some(id);
        let Some(connection) = self.connections.get(&id) else { return };
        let SwitchReport { work_gap, threads, late } = report;
        let Activating { since, ordered, .. } = activating;
        info!(
            pool.name = %connection.pool,
            connection.id = %id,
            reason = ordered.reason.as_str(),
            detail = ordered.detail,
            threads,
            late,
            work_gap_ms = work_gap.as_secs_f64() * 1e3,
            "hash threads moved"
        );
        if connection.spec.is_some() {
            let to = (connection.pool.clone(), id);
            self.transitions.moved(to, ordered, report, connection.phases.clone(), (now.at, now.wall));
        } else {
            self.transitions.left_for_nothing();
        }
        self.reconnects.resumed(now.at);
        self.reconnects.switched(id, report, now.at.saturating_duration_since(since), now.at);
    }

    fn shut_down(&mut self, now: Now) {
        self.stopping = true;
        self.reconnects.superseded(|_| false);
        let open: Vec<_> = self.connections.values().filter(|one| !one.is_closing()).map(|one| one.id).collect();
        for id in open {
            self.close(id, now.at);
        }
    }

    /// Nobody is worked for from now on.
    fn leave(&mut self, id: ConnectionId, now: Instant) {
        self.live = None;
        self.transitions.left(id, now);
    }

    fn connect(
        &mut self,
        spec: Option<PoolSpec>,
        target: Option<Target>,
        pool: PoolName,
        trace: TraceParent,
    ) -> ConnectionId {
        self.last_id = self.last_id.next();
        let id = self.last_id;
        self.connections.insert(id, Connection::new(id, spec.clone(), target.clone(), pool));
        self.actions.push(Action::Connect { id, spec: spec.map(Box::new), target, trace });
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
                self.leave(id, now);
            }
            self.actions.push(Action::Abort(id));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
