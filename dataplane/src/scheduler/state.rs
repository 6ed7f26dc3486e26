//! What the scheduler knows, and what it does about each command and event. Never waits: whatever it is told, it returns
//! at once, and `actor` calls it with the time.
//!
//! Work moves in dispatches. A dispatch looks at what every thread has and puts something else into its mailbox where that
//! is not what it should have. Commands that stop or redirect work dispatch at once, and so does a job on another tip;
//! refreshes of a job wait until all that is queued was read, and jobs of any kind do not cause more than 20 dispatches a
//! second in the long run (stratum-client D12, D14).
//!
//! When the live connection's jobs are void ([`Command::Clear`]) or it is over ([`Command::End`]), threads idle at once.
//! Stratum-client L5 lets chips hash on for up to 10 s to spare them a thermal shock; that is for boards that have one, and
//! until there are such boards nothing is hashed that nobody can use. A pool that stands by takes over within one dispatch.

use super::{
    Command, SwitchReport,
    assignments::{self, Slots},
    limits::Limits,
    members::{Connection, Thread},
    rescue::Rescue,
    starvation::Starvation,
    told::Told,
    verify::Verifier,
    waiting::{Pausing, Switch, answer_all},
};
use crate::{
    job::{Job, JobHandle},
    ledger::{Ledger, Place},
    thread::{Discard, ThreadEntry, ThreadEvent, ThreadIndex, Work},
    token_bucket::TokenBucket,
};
use mujina_core::{
    id::{ConnectionId, ShareId},
    share::{DropReason, Share},
    status::ThreadState,
    units::HashRate,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{broadcast, oneshot};
use tracing::{debug, error, info, warn};

/// How often ticket targets, exhausted threads and the age of the job are looked at (stratum-client D11, W2, J14).
const REVIEW: Duration = Duration::from_secs(1);

/// The time, as the loop read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) since: SystemTime,
    pub(super) ledger: Ledger,
    pub(super) threads: BTreeMap<ThreadIndex, Thread>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    /// Connection whose work is hashed.
    pub(super) live: Option<ConnectionId>,
    pub(super) paused: bool,
    /// Something changed that watchers should not wait for.
    pub(super) urgent: bool,
    pub(super) shares: broadcast::Sender<Share>,
    pub(super) last_share: ShareId,
    pub(super) told: Told,
    pub(super) rescue: Rescue,
    /// A connection that becomes live with its first job.
    activating: Option<(ConnectionId, oneshot::Sender<SwitchReport>)>,
    switch: Option<Switch>,
    pausing: Option<Pausing>,
    stopping: Option<Vec<oneshot::Sender<()>>>,
    generation: u64,
    dirty: bool,
    dispatches: TokenBucket,
    reviewed_at: Instant,
    too_old: Option<JobHandle>,
}

impl State {
    pub(super) fn new(limits: Limits, shares: broadcast::Sender<Share>, now: Now) -> Self {
        Self {
            limits,
            since: now.wall,
            ledger: Ledger::new(now.at),
            threads: BTreeMap::new(),
            connections: BTreeMap::new(),
            live: None,
            paused: false,
            urgent: false,
            shares,
            last_share: ShareId(0),
            told: Told::new(now.at),
            rescue: Rescue::default(),
            activating: None,
            switch: None,
            pausing: None,
            stopping: None,
            generation: 0,
            dirty: false,
            dispatches: TokenBucket::new(limits.dispatch_rate, limits.dispatch_rate, now.at),
            reviewed_at: now.at,
            too_old: None,
        }
    }

    pub(super) fn command(&mut self, command: Command, now: Now) {
        match command {
            Command::AddThread(entry) => self.add_thread(entry, now.at),
            Command::Begin { connection, pool, shares, extranonce_size } => {
                self.ledger.begin(connection, pool.clone(), now.at, now.wall);
                let slots = Slots::new(extranonce_size, rand::random());
                let verifier = Verifier::new(&self.limits, now.at);
                let starvation = Starvation::new(now.at);
                let begun = Connection { pool, shares, slots, verifier, starvation, job: None };
                self.connections.insert(connection, begun);
                self.urgent = true;
            }
            Command::Job(job) => self.job(job, now.at),
            Command::Clear { connection } => {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.job = None;
                }
                if self.live == Some(connection) {
                    self.dispatch(now.at);
                }
            }
            Command::Activate { connection, reply } => self.activate(connection, reply, now.at),
            Command::Sent { share } => {
                let share = self.ledger.sent(share);
                self.announce(share);
            }
            Command::NotSent { share, reason } => {
                let share = self.ledger.not_sent(share, reason);
                self.announce(share);
            }
            Command::Judged { share, verdict, latency } => {
                let share = self.ledger.judged(share, verdict, latency);
                self.announce(share);
            }
            Command::Reclassified { share, reason } => {
                let share = self.ledger.reclassified(share, reason);
                self.announce(share);
            }
            Command::End { connection } => self.end(connection, now.at),
            Command::SetPaused { paused: true, reply } => self.pause(reply, now.at),
            Command::SetPaused { paused: false, reply } => self.resume(reply, now.at),
            Command::Stop { reply } => {
                self.stopping.get_or_insert_default().push(reply);
                self.dispatch(now.at);
                self.settle(now.at);
            }
        }
    }

    pub(super) fn event(&mut self, event: ThreadEvent, now: Now) {
        match event {
            ThreadEvent::Started { thread, generation, gap } => {
                let Some(one) = self.living(thread) else { return };
                self.urgent |= one.started(now.at);
                if let Some(switch) = &mut self.switch {
                    switch.started(thread, generation, gap);
                }
            }
            ThreadEvent::Idle { thread, generation } => {
                let Some(one) = self.living(thread) else { return };
                self.urgent |= one.idled(generation);
            }
            ThreadEvent::Exhausted { thread, generation } => {
                let Some(one) = self.living(thread) else { return };
                debug!(thread.id = %one.entry.id, "thread used up its part of the search space");
                self.urgent |= one.exhausted(generation);
                if let Some(switch) = &mut self.switch {
                    switch.started(thread, generation, None);
                }
            }
            ThreadEvent::Nonce(nonce) => self.nonce(&nonce, now),
            ThreadEvent::Discarded { thread, connection, reason } => {
                let reason = match reason {
                    Discard::HardwareError => DropReason::HardwareError,
                    Discard::Duplicate => DropReason::Duplicate,
                };
                self.ledger.drop_nonce(Place { thread, connection }, reason);
            }
            ThreadEvent::Rate { thread, nominal_hash_rate } => {
                let Some(one) = self.living(thread) else { return };
                one.expect(nominal_hash_rate, now.at);
                self.urgent = true;
            }
            ThreadEvent::Ended { thread, failure } => self.thread_ended(thread, failure),
        }
        self.settle(now.at);
    }

    /// What is due after everything that was queued: the dispatch that waited, answers whose time is up, and the review.
    pub(super) fn tick(&mut self, now: Now) {
        if self.dirty && self.dispatches.take(now.at) {
            self.dispatch(now.at);
        }
        if now.at.saturating_duration_since(self.reviewed_at) >= REVIEW {
            self.reviewed_at = now.at;
            self.dispatch(now.at);
            self.look_for_starvation(now.at);
        }
        self.settle(now.at);
    }

    /// When the next tick is due, at the latest.
    pub(super) fn deadline(&self) -> Instant {
        let dispatch = self.dirty.then(|| self.dispatches.next_at());
        let switch = self.switch.as_ref().map(|switch| switch.deadline);
        let pausing = self.pausing.as_ref().map(|pausing| pausing.deadline);
        let earliest = [dispatch, switch, pausing].into_iter().flatten().min();
        earliest.map_or(self.reviewed_at + REVIEW, |at| at.min(self.reviewed_at + REVIEW))
    }

    /// Whether at least one thread hashes.
    pub(super) fn is_hashing(&self) -> bool {
        self.threads.values().any(|thread| thread.state == ThreadState::Hashing)
    }

    /// How fast the living threads are together, as well as is known.
    pub(super) fn rate(&self, now: Instant) -> HashRate {
        self.threads.values().filter(|thread| thread.is_alive()).map(|thread| thread.rate(now)).sum()
    }

    /// Books the hashes that threads computed since the last time.
    pub(super) fn collect_hashes(&mut self) {
        for (id, connection) in &mut self.connections {
            for (thread, hashes) in connection.slots.take_hashes() {
                self.ledger.add_hashes(Place { thread, connection: *id }, hashes);
            }
        }
    }

    /// Tells watchers of a share. Nobody may watch.
    pub(super) fn announce(&mut self, share: Option<Share>) {
        if let Some(share) = share {
            self.rescue.settle(&share);
            let _ = self.shares.send(share);
        }
    }

    fn add_thread(&mut self, entry: ThreadEntry, now: Instant) {
        let index = entry.index;
        self.ledger.join(index, &entry.id, entry.board.clone(), now);
        self.threads.retain(|_, thread| thread.is_alive() || thread.entry.id != entry.id);
        info!(thread.id = %entry.id, board.id = %entry.board, nominal = %entry.nominal_hash_rate, "hash thread joined");
        self.threads.insert(index, Thread::new(entry, now));
        self.urgent = true;
        self.dispatch(now);
    }

    fn job(&mut self, job: Arc<Job>, now: Instant) {
        let id = job.connection;
        let Some(connection) = self.connections.get_mut(&id) else {
            debug!(connection.id = %id, job.id = %job.label, "job of a connection that has not begun or is over");
            return;
        };
        connection.verifier.job(&job);
        let new_tip = !connection.job.as_ref().is_some_and(|current| job.shares_tip_with(current));
        connection.job = Some(job);
        if let Some((_, reply)) = self.activating.take_if(|(activating, _)| *activating == id) {
            self.switch_to(id, reply, now);
        } else if self.live == Some(id) {
            self.dirty = true;
            if new_tip && self.dispatches.take(now) {
                self.dispatch(now);
            }
        }
    }

    fn activate(&mut self, id: ConnectionId, reply: oneshot::Sender<SwitchReport>, now: Instant) {
        self.overtake_activation();
        match self.connections.get(&id) {
            Some(connection) if connection.job.is_some() => self.switch_to(id, reply, now),
            Some(_) => self.activating = Some((id, reply)),
            // It ended meanwhile; the source will hear of that.
            None => drop(reply.send(SwitchReport::default())),
        }
    }

    fn switch_to(&mut self, id: ConnectionId, reply: oneshot::Sender<SwitchReport>, now: Instant) {
        if let Some(overtaken) = self.switch.take() {
            overtaken.answer(now);
        }
        self.live = Some(id);
        self.urgent = true;
        let moved = self.dispatch(now);
        self.switch = Some(Switch::new(self.generation, moved, now, reply));
        self.settle(now);
    }

    fn overtake_activation(&mut self) {
        if let Some((_, reply)) = self.activating.take() {
            // Nobody may be left to hear it.
            let _ = reply.send(SwitchReport::default());
        }
    }

    fn end(&mut self, id: ConnectionId, now: Instant) {
        if self.activating.as_ref().is_some_and(|(activating, _)| *activating == id) {
            self.overtake_activation();
        }
        self.collect_hashes();
        self.connections.remove(&id);
        for share in self.ledger.end(id) {
            self.announce(Some(share));
        }
        self.urgent = true;
        if self.live == Some(id) {
            self.live = None;
            self.dispatch(now);
            if let Some(overtaken) = self.switch.take() {
                overtaken.answer(now);
            }
        }
    }

    fn pause(&mut self, reply: oneshot::Sender<()>, now: Instant) {
        self.urgent |= !self.paused;
        self.paused = true;
        self.dispatch(now);
        self.pausing.get_or_insert_with(|| Pausing::new(now)).replies.push(reply);
        // Threads that stop do not start: who waits for a switch need not wait on.
        if let Some(switch) = self.switch.take() {
            switch.answer(now);
        }
        self.settle(now);
    }

    fn resume(&mut self, reply: oneshot::Sender<()>, now: Instant) {
        self.urgent |= self.paused;
        self.paused = false;
        if let Some(overtaken) = self.pausing.take() {
            overtaken.answer();
        }
        self.dispatch(now);
        answer_all(vec![reply]);
    }

    fn thread_ended(&mut self, index: ThreadIndex, failure: Option<String>) {
        self.collect_hashes();
        let Some(thread) = self.living(index) else { return };
        let (id, board) = (thread.entry.id.clone(), thread.entry.board.clone());
        match &failure {
            Some(failure) => {
                error!(thread.id = %id, board.id = %board, failure, "hash thread died; the others hash on");
            }
            None => info!(thread.id = %id, board.id = %board, "hash thread ended"),
        }
        thread.ended(failure);
        // Its successor may have overtaken its last words, because commands come before events.
        if self.threads.iter().any(|(other, thread)| *other != index && thread.entry.id == id) {
            self.threads.remove(&index);
        }
        for connection in self.connections.values_mut() {
            connection.slots.release(index);
        }
        if let Some(switch) = &mut self.switch {
            switch.gone(index);
        }
        self.urgent = true;
    }

    /// Gives every living thread what it should have, and returns those that were given work.
    fn dispatch(&mut self, now: Instant) -> BTreeSet<ThreadIndex> {
        self.dirty = false;
        let wanted = if self.stopping.is_some() { None } else { self.work_at(now) };
        let total = self.rate(now);
        let generation = self.generation + 1;
        let mut given_work = BTreeSet::new();
        for (index, thread) in self.threads.iter_mut().filter(|(_, thread)| thread.is_alive()) {
            match &wanted {
                None if self.stopping.is_some() => thread.tell_to_stop(),
                None => thread.tell_to_idle(),
                Some(job) => {
                    let ticket_target =
                        assignments::ticket_target(job.share_target, thread.rate(now), total, self.limits.share_rate);
                    let lacks_it = !thread.has(job.handle, ticket_target);
                    let connection = self.connections.get_mut(&job.connection).filter(|_| lacks_it);
                    let Some(connection) = connection else { continue };
                    let slot = connection.slots.claim(*index);
                    thread.give_work(Work { generation, job: Arc::clone(job), slot, ticket_target });
                    given_work.insert(*index);
                }
            }
        }
        if !given_work.is_empty() {
            self.generation = generation;
        }
        given_work
    }

    fn living(&mut self, index: ThreadIndex) -> Option<&mut Thread> {
        self.threads.get_mut(&index).filter(|thread| thread.is_alive())
    }

    /// The job to hash now, if there is one.
    fn work_at(&mut self, now: Instant) -> Option<Arc<Job>> {
        let job = self.live.and_then(|live| self.connections.get(&live)?.job.as_ref()).filter(|_| !self.paused)?;
        if job.is_expired(now) {
            if self.too_old.replace(job.handle) != Some(job.handle) {
                warn!(connection.id = %job.connection, job.id = %job.label, "job is too old to be hashed; check the pool");
            }
            return None;
        }
        Some(Arc::clone(job))
    }

    /// Hashing without a share is a fault of ours (stratum-client L4).
    fn look_for_starvation(&mut self, now: Instant) {
        let Some(live) = self.live.and_then(|live| self.connections.get_mut(&live)) else { return };
        let Some(job) = &live.job else { return };
        let hashes_per_share = job.share_target.expected_hashes();
        if live.starvation.looks(live.slots.hashes(), hashes_per_share, &self.limits, now) {
            error!(
                pool.name = %live.pool,
                "threads hash, but find no share where many are due; this is a fault of this machine or a bug, please report it"
            );
        }
    }

    /// Answers those whose waiting is over.
    fn settle(&mut self, now: Instant) {
        if let Some(switch) = self.switch.take_if(|switch| switch.is_over(now)) {
            switch.answer(now);
        }
        let living = || self.threads.values().filter(|thread| thread.is_alive());
        let loud = living().filter(|thread| !thread.is_quiet()).count();
        if let Some(pausing) = self.pausing.take_if(|pausing| loud == 0 || now >= pausing.deadline) {
            if loud > 0 {
                warn!(threads = loud, "hash threads did not stop in time; they will when they look for work");
            }
            pausing.answer();
        }
        let living = living().count();
        if let Some(replies) = self.stopping.as_mut().filter(|_| living == 0) {
            answer_all(std::mem::take(replies));
        }
    }
}
