//! The loop of the scheduler: feeds commands and thread events into `state` and publishes what it counts.
//!
//! It waits for input and for time only, never for a thread, a pool or a watcher. Commands come before events, so that a
//! tip change overtakes the nonces that wait.

use super::{
    COMMAND_QUEUE, Command, Limits, SHARE_EVENTS, SchedulerHandle, Scope, Snapshot, ThreadScope, assignments,
    members::Thread,
    state::{Now, State},
};
use crate::thread::ThreadEvent;
use mujina_core::units::HashRate;
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Age at which a snapshot is replaced.
const SNAPSHOT_AGE: Duration = Duration::from_millis(250);
/// Inputs that are read in one go, before what follows from them is done and other tasks have their turn: about 2 ms of
/// nonces.
const BATCH: usize = 256;

/// The actor behind [`SchedulerHandle`].
#[derive(Debug)]
pub struct Scheduler {
    state: State,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Receiver<ThreadEvent>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    hash_rate: watch::Sender<Option<HashRate>>,
    published_at: Instant,
}

/// What woke the loop.
enum Wake {
    Command(Command),
    Event(ThreadEvent),
    Deadline,
    Stop,
}

impl Scheduler {
    /// A scheduler without threads; their events will come through `events`.
    #[must_use]
    pub fn new(events: mpsc::Receiver<ThreadEvent>) -> (Self, SchedulerHandle) {
        Self::with_limits(events, Limits::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_limits(events: mpsc::Receiver<ThreadEvent>, limits: Limits) -> (Self, SchedulerHandle) {
        let now = now();
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (shares, _) = broadcast::channel(SHARE_EVENTS);
        let weak = shares.downgrade();
        let mut state = State::new(limits, shares, now);
        let (snapshot, snapshot_watch) = watch::channel(Arc::new(state.snapshot(now)));
        let (hash_rate, hash_rate_watch) = watch::channel(None);
        let scheduler = Self { state, commands: command_queue, events, snapshot, hash_rate, published_at: now.at };
        let handle = SchedulerHandle { commands, snapshot: snapshot_watch, shares: weak, hash_rate: hash_rate_watch };
        (scheduler, handle)
    }

    /// Runs until `cancel`. Threads that were not stopped before are stopped, but not waited for.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            match self.next(&cancel).await {
                Wake::Stop => break,
                Wake::Command(command) => self.state.command(command, now()),
                Wake::Event(event) => self.state.event(event, now()),
                Wake::Deadline => {}
            }
            let more = self.drain();
            self.finish();
            if more {
                tokio::task::yield_now().await;
            }
        }
        // The last verdicts may have come with the order to stop.
        while self.drain() {}
        self.publish(now());
    }

    /// # Cancel safety
    /// Safe: nothing is taken out of a queue without being returned.
    async fn next(&mut self, cancel: &CancellationToken) -> Wake {
        let deadline = self.state.deadline().min(self.published_at + SNAPSHOT_AGE);
        tokio::select! {
            biased;
            () = cancel.cancelled() => Wake::Stop,
            Some(command) = self.commands.recv() => Wake::Command(command),
            Some(event) = self.events.recv() => Wake::Event(event),
            () = tokio::time::sleep_until(deadline.into()) => Wake::Deadline,
        }
    }

    /// Takes what is queued, commands first. Returns whether there may be more.
    fn drain(&mut self) -> bool {
        for _ in 0..BATCH {
            if let Ok(command) = self.commands.try_recv() {
                self.state.command(command, now());
            } else if let Ok(event) = self.events.try_recv() {
                self.state.event(event, now());
            } else {
                return false;
            }
        }
        true
    }

    fn finish(&mut self) {
        let now = now();
        self.state.tick(now);
        if self.state.urgent || now.at.saturating_duration_since(self.published_at) >= SNAPSHOT_AGE {
            self.publish(now);
        }
    }

    fn publish(&mut self, now: Now) {
        self.published_at = now.at;
        self.snapshot.send_replace(Arc::new(self.state.snapshot(now)));
        let rate = self.state.told.update(self.state.threads.values(), now.at);
        self.hash_rate.send_if_modified(|told| std::mem::replace(told, rate) != rate);
    }
}

impl State {
    fn snapshot(&mut self, now: Now) -> Snapshot {
        self.urgent = false;
        self.collect_hashes();
        let live = self.live.and_then(|live| self.connections.get(&live));
        let thread = |(index, thread): (&_, &Thread)| ThreadScope {
            id: thread.entry.id.clone(),
            board: thread.entry.board.clone(),
            state: thread.state,
            failure: thread.failure.clone(),
            slot: live.and_then(|live| live.slots.of(*index)).map(|slot| slot.index()),
            nominal_hash_rate: thread.entry.nominal_hash_rate,
            scope: self.ledger.thread(*index, now.at),
        };
        let snapshot = Snapshot {
            at: now.wall,
            since: self.since,
            live: self.live,
            paused: self.paused,
            hashing: self.is_hashing(),
            share_work: live
                .and_then(|live| live.job.as_ref())
                .map(|job| assignments::share_work(job.share_target, self.rate(now.at), self.limits.share_rate)),
            miner: self.ledger.miner(now.at),
            pools: self.ledger.pools(now.at),
            connections: self.ledger.connections(),
            boards: self.ledger.boards(now.at),
            threads: self.threads.iter().map(thread).collect(),
            unknown_verdicts: self.ledger.unknown_verdicts(),
        };
        debug_assert!(snapshot.is_balanced(), "{snapshot:?}");
        snapshot
    }
}

impl Snapshot {
    /// Whether every scope balances.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let balances = |scope: &Scope| scope.totals.is_balanced();
        balances(&self.miner)
            && self.pools.values().all(|pool| balances(&pool.scope))
            && self.boards.values().all(balances)
            && self.threads.iter().all(|thread| balances(&thread.scope))
            && self.connections.values().all(|connection| connection.totals.is_balanced())
    }
}

fn now() -> Now {
    Now { at: tokio::time::Instant::now().into_std(), wall: SystemTime::now() }
}

#[cfg(test)]
mod tests;
