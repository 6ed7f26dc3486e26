//! The task that owns the spec: decides, stores, tells the mining side, answers.
//!
//! One request at a time, in this order always, so that nothing is made true that would be forgotten by a restart. It runs
//! on the service runtime; writing to the disk happens on a thread for blocking work.

use super::{
    Command, SpecError, SpecHandle, SpecOutcome, SpecRequest, Wanted,
    begin::Record,
    file,
    mining::{Granted, Mining, Progress, Step, Wishes},
    step::{Accepted, Decision, Entry, Fresh, Repeats, decide},
    trial,
};
use crate::{source::Snapshot, state_dir::StateDir};
use mujina_core::{
    board::BoardTuning,
    id::Generation,
    pool::PoolGroup,
    spec::{MinerSpec, SpecChange, SpecState},
    text::{PEER_TEXT_BYTES, sanitise},
};
use rand::Rng;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

/// Time that the mining side has to take a change over before the asker is answered without it: hash threads look up every
/// few milliseconds, so this is only seen when something is stuck.
const HAND_ON: Duration = Duration::from_secs(5);

pub(crate) struct Actor<M> {
    mining: M,
    pools: watch::Receiver<Arc<Snapshot>>,
    folder: StateDir,
    record: Record,
    /// When the spec goes back, by a clock that does not jump.
    reverts: Option<Instant>,
    repeats: Repeats,
    wishes: Wishes,
    progress: Progress,
    state: watch::Sender<Arc<SpecState>>,
    commands: mpsc::Receiver<Command>,
}

enum Input {
    Command(Command),
    Granted(Granted),
    PoolsMoved,
    Unconfirmed,
}

impl<M: Mining> Actor<M> {
    /// Takes over a record that is stored already, and begins to make it true.
    pub(crate) async fn start(mining: M, folder: StateDir, record: Record) -> (Self, SpecHandle) {
        let pools = mining.pools();
        let mut progress = Progress::new();
        let newest = Arc::clone(&pools.borrow());
        let first = progress.state(&record.entry, &newest);
        let (state, watched) = watch::channel(Arc::new(first));
        let (handle, commands) = SpecHandle::new(watched);
        let wishes = Wishes::default();
        let repeats = Repeats::default();
        let reverts = reverts(&record.entry);
        let mut actor = Self { mining, pools, folder, record, reverts, repeats, wishes, progress, state, commands };
        let MinerSpec { pool_groups, paused, boards } = actor.record.entry.spec.clone();
        actor.hand_on(Some(pool_groups), Some(paused), Some(boards)).await;
        (actor, handle)
    }

    /// Serves until `cancel`.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let mut source_lives = true;
        loop {
            let input = tokio::select! {
                () = cancel.cancelled() => break,
                () = until(self.reverts) => Input::Unconfirmed,
                Some(command) = self.commands.recv() => Input::Command(command),
                granted = self.wishes.next() => Input::Granted(granted),
                moved = self.pools.changed(), if source_lives => {
                    source_lives = moved.is_ok();
                    Input::PoolsMoved
                }
            };
            match input {
                Input::Command(command) => self.serve(command).await,
                Input::Granted(granted) => self.note(&granted),
                Input::PoolsMoved => self.publish(),
                Input::Unconfirmed => self.revert().instrument(info_span!("spec.revert")).await,
            }
        }
    }

    async fn serve(&mut self, command: Command) {
        let Command { wanted, reply, span } = command;
        // Who comes at the last moment may be late.
        if self.reverts.is_some_and(|at| at <= Instant::now()) {
            self.revert().instrument(span.clone()).await;
        }
        let outcome = match wanted {
            Wanted::Change(request) => self.apply(request).instrument(span).await,
            Wanted::Confirmed(generation) => self.confirm(generation).instrument(span).await,
        };
        if let Err(refused) = &outcome {
            debug!(%refused, "spec change refused");
        }
        // An asker that gave up changes nothing: what is stored is stored.
        let _ = reply.send(outcome);
    }

    async fn apply(&mut self, request: SpecRequest) -> Result<SpecOutcome, SpecError> {
        let changes = match decide(&self.record.entry, &self.repeats, &request, fresh()) {
            Decision::Refused(error) => return Err(error),
            Decision::Repeated(outcome) => return Ok(*outcome),
            Decision::Unchanged(changes) => changes,
            Decision::Accepted(accepted) => self.accept(*accepted, &request).await?,
        };
        self.publish();
        let outcome = SpecOutcome { state: SpecState::clone(&self.state.borrow()), changes };
        self.repeats.remember(request, outcome.clone());
        Ok(outcome)
    }

    /// Keeps the spec in force, if it is that of this generation.
    async fn confirm(&mut self, generation: Generation) -> Result<SpecOutcome, SpecError> {
        if let Some(entry) = trial::confirm(&self.record.entry, generation)? {
            let record = Record { entry, configured: self.record.configured.clone() };
            self.record = store(&self.folder, record).await.map_err(SpecError::Storage)?;
            self.reverts = None;
            info!(spec.generation = %generation, "spec confirmed, it stays");
            self.publish();
        }
        Ok(SpecOutcome { state: SpecState::clone(&self.state.borrow()), changes: Vec::new() })
    }

    /// Goes back to the last spec that stays.
    async fn revert(&mut self) {
        self.reverts = None;
        let Some(entry) = trial::revert(&self.record.entry, fresh()) else { return };
        let Accepted { entry, changes, pools, paused, boards } = Accepted::after(&self.record.entry, entry);
        let record = Record { entry, configured: self.record.configured.clone() };
        self.record = match store(&self.folder, record.clone()).await {
            Ok(stored) => stored,
            // What is on the disk is overdue, and the next start goes back from it just as well.
            Err(cause) => {
                error!(
                    cause,
                    "the spec that goes back cannot be stored; check space and permissions of the state folder"
                );
                record
            }
        };
        let paths: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
        let generation = self.record.entry.generation;
        warn!(
            spec.generation = %generation,
            changes = paths.join(", "),
            "the spec was not confirmed in time; the one before is in force again"
        );
        self.hand_on(pools, paused, boards).await;
    }

    /// Stores, then hands on.
    async fn accept(&mut self, accepted: Accepted, request: &SpecRequest) -> Result<Vec<SpecChange>, SpecError> {
        let Accepted { entry, changes, pools, paused, boards } = accepted;
        let record = Record { entry, configured: self.record.configured.clone() };
        self.record = store(&self.folder, record).await.map_err(SpecError::Storage)?;
        self.reverts = reverts(&self.record.entry);
        let Entry { generation, origin, .. } = &self.record.entry;
        let paths: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
        info!(
            spec.generation = %generation,
            spec.origin = ?origin,
            changes = paths.join(", "),
            reason = sanitise(&request.reason, PEER_TEXT_BYTES),
            "spec accepted"
        );
        self.hand_on(pools, paused, boards).await;
        Ok(changes)
    }

    /// Asks the mining side for what changed, and gives it some time.
    async fn hand_on(
        &mut self,
        pools: Option<Vec<PoolGroup>>,
        paused: Option<bool>,
        boards: Option<BTreeMap<String, BoardTuning>>,
    ) {
        if let Some(boards) = boards {
            self.progress.boards = Step::Asked;
            self.wishes.tune = Some(self.mining.tune(boards));
        }
        if let Some(groups) = pools {
            self.progress.pools = Step::Asked;
            self.wishes.configure = Some(self.mining.configure(groups));
        }
        if let Some(paused) = paused {
            self.progress.paused = Step::Asked;
            self.wishes.pause = Some(self.mining.set_paused(paused));
        }
        self.publish();
        let all = async {
            while !self.wishes.are_over() {
                let granted = self.wishes.next().await;
                self.note(&granted);
            }
        };
        if tokio::time::timeout(HAND_ON, all).await.is_err() {
            warn!(waited = ?HAND_ON, "the mining side has not taken the spec over yet");
        }
    }

    fn note(&mut self, granted: &Granted) {
        // Done, or the end of the process is near.
        debug!(?granted, "the mining side answered");
        self.progress.note(granted);
        self.publish();
    }

    fn publish(&mut self) {
        // Cloned, not borrowed: the source must not wait for us to publish its next snapshot.
        let pools = Arc::clone(&self.pools.borrow_and_update());
        let state = self.progress.state(&self.record.entry, &pools);
        self.state.send_if_modified(|old| {
            let is_new = **old != state;
            if is_new {
                *old = Arc::new(state);
            }
            is_new
        });
    }
}

/// When an entry goes back, by a clock that does not jump.
fn reverts(entry: &Entry) -> Option<Instant> {
    let trial = entry.trial.as_ref()?;
    Instant::now().checked_add(trial.left(SystemTime::now()))
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Keeps a record on the disk, off the runtime, and gives it back.
pub(crate) async fn store(folder: &StateDir, record: Record) -> Result<Record, String> {
    let folder = folder.clone();
    let written = tokio::task::spawn_blocking(move || file::store(&folder, &record).map(|()| record)).await;
    match written {
        Ok(stored) => stored.map_err(|error| error.to_string()),
        Err(panicked) => Err(panicked.to_string()),
    }
}

/// The time to the millisecond, as it is kept, and an etag that nobody has seen.
pub(crate) fn fresh() -> Fresh {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let beyond = Duration::from_nanos(u64::from(since_epoch.subsec_nanos() % 1_000_000));
    Fresh { now: UNIX_EPOCH + (since_epoch - beyond), etag: format!("{:016x}", rand::rng().random::<u64>()) }
}

#[cfg(test)]
mod tests;
