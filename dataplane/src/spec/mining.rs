//! What the spec's actor asks of the mining side, and how far that has come.
//!
//! A wish outlives its asking: the actor waits for it a while, answers, and hears of it later. Source and scheduler take
//! their commands in order, so a newer wish always has the last word.

use super::step::Entry;
use crate::{
    backplane::{BoardCommand, BoardRefusal},
    miner::MinerHandle,
    scheduler::SchedulerGone,
    source::{ConfigureError, Snapshot},
};
use mujina_core::{
    board::BoardTuning,
    id::Generation,
    pool::PoolGroup,
    spec::{SpecSection, SpecState},
};
use std::{collections::BTreeMap, fmt, pin::Pin, sync::Arc};
use tokio::sync::watch;

/// The part of a spec that boards may refuse.
pub(crate) const BOARDS: &str = "boards";

/// A command under way.
pub(crate) type Wish<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The mining side as the actor sees it; tests have another.
pub(crate) trait Mining: Send + 'static {
    /// See [`SourceHandle::configure`](crate::source::SourceHandle::configure).
    fn configure(&self, groups: Vec<PoolGroup>) -> Wish<Result<u64, ConfigureError>>;
    /// See [`SchedulerHandle::pause`](crate::scheduler::SchedulerHandle::pause).
    fn set_paused(&self, paused: bool) -> Wish<Result<(), SchedulerGone>>;
    /// Tells all boards what is wanted of their tuning; what they refuse comes back.
    fn tune(&self, boards: BTreeMap<String, BoardTuning>) -> Wish<Result<(), TuneError>>;
    /// State of all pools.
    fn pools(&self) -> watch::Receiver<Arc<Snapshot>>;
}

impl Mining for MinerHandle {
    fn configure(&self, groups: Vec<PoolGroup>) -> Wish<Result<u64, ConfigureError>> {
        let source = self.source.clone();
        Box::pin(async move { source.configure(groups).await })
    }

    fn set_paused(&self, paused: bool) -> Wish<Result<(), SchedulerGone>> {
        let (scheduler, boards) = (self.scheduler.clone(), self.boards.clone());
        Box::pin(async move {
            if paused {
                let stopped = scheduler.pause().await;
                boards.pause(true).await;
                stopped
            } else {
                boards.pause(false).await;
                scheduler.resume().await
            }
        })
    }

    fn tune(&self, wanted: BTreeMap<String, BoardTuning>) -> Wish<Result<(), TuneError>> {
        let boards = self.boards.clone();
        Box::pin(async move {
            let refusals =
                boards.ask(|reply| BoardCommand::Tune(wanted, reply)).await.map_err(|gone| TuneError(vec![gone]))?;
            if refusals.is_empty() { Ok(()) } else { Err(TuneError(refusals)) }
        })
    }

    fn pools(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.source.snapshot()
    }
}

/// What boards do not grant of their tuning; no limit gets looser by it, and clock and voltage go on as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TuneError(pub(crate) Vec<BoardRefusal>);

impl fmt::Display for TuneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(refusals) = self;
        let words: Vec<_> = refusals.iter().map(ToString::to_string).collect();
        f.write_str(&words.join("; "))
    }
}

/// Wishes under way, at most one of a kind.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) configure: Option<Wish<Result<u64, ConfigureError>>>,
    pub(crate) pause: Option<Wish<Result<(), SchedulerGone>>>,
    pub(crate) tune: Option<Wish<Result<(), TuneError>>>,
}

/// The end of a wish.
#[derive(Debug)]
pub(crate) enum Granted {
    Configured(Result<u64, ConfigureError>),
    Paused(Result<(), SchedulerGone>),
    Tuned(Result<(), TuneError>),
}

impl Wishes {
    pub(crate) fn are_over(&self) -> bool {
        self.configure.is_none() && self.pause.is_none() && self.tune.is_none()
    }

    /// The next wish that ends; waits for ever when there is none.
    ///
    /// # Cancel safety
    /// Safe: a wish stays until its end was returned.
    pub(crate) async fn next(&mut self) -> Granted {
        tokio::select! {
            result = end_of(&mut self.configure) => Granted::Configured(result),
            result = end_of(&mut self.pause) => Granted::Paused(result),
            result = end_of(&mut self.tune) => Granted::Tuned(result),
        }
    }
}

async fn end_of<T>(wish: &mut Option<Wish<T>>) -> T {
    let Some(under_way) = wish else { return std::future::pending().await };
    let result = under_way.await;
    *wish = None;
    result
}

/// How far the entry in force has come.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) pools: Step<u64>,
    pub(crate) paused: Step<()>,
    pub(crate) boards: Step<()>,
    /// Newest generation that was fully in force.
    observed: Generation,
}

/// How far one part has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// Not taken over yet.
    Asked,
    /// Taken over.
    Taken(T),
    /// It will not be.
    Failed(String),
}

impl Progress {
    /// Nothing is true yet.
    pub(crate) fn new() -> Self {
        Self { pools: Step::Asked, paused: Step::Asked, boards: Step::Asked, observed: Generation(0) }
    }

    /// Takes note of a wish that ended.
    pub(crate) fn note(&mut self, granted: &Granted) {
        match granted {
            Granted::Configured(Ok(number)) => self.pools = Step::Taken(*number),
            Granted::Configured(Err(error)) => self.pools = Step::Failed(error.to_string()),
            Granted::Paused(Ok(())) => self.paused = Step::Taken(()),
            Granted::Paused(Err(error)) => self.paused = Step::Failed(error.to_string()),
            Granted::Tuned(Ok(())) => self.boards = Step::Taken(()),
            Granted::Tuned(Err(error)) => self.boards = Step::Failed(error.to_string()),
        }
    }

    /// The entry with what became of it.
    pub(crate) fn state(&mut self, entry: &Entry, pools: &Snapshot) -> SpecState {
        let Entry { spec, generation, etag, origin, control_generation, accepted_at, trial } = entry.clone();
        let sections = vec![
            SpecSection { path: "pool_groups", applying: self.pools_applying(entry, pools), refused: false },
            SpecSection { path: "paused", applying: self.paused_applying(entry), refused: false },
            // Pools and threads do as they are told, sooner or later; boards have limits of their own.
            SpecSection {
                path: BOARDS,
                applying: self.boards_applying(),
                refused: matches!(self.boards, Step::Failed(_)),
            },
        ];
        if sections.iter().all(|section| section.applying.is_none()) {
            self.observed = generation;
        }
        let observed_generation = self.observed;
        let reverts_at = trial.map(|trial| trial.reverts_at);
        SpecState {
            spec,
            generation,
            etag,
            origin,
            control_generation,
            accepted_at,
            sections,
            observed_generation,
            reverts_at,
        }
    }

    fn pools_applying(&self, entry: &Entry, pools: &Snapshot) -> Option<String> {
        match &self.pools {
            Step::Taken(number) if pools.settled >= *number => None,
            Step::Taken(number) if pools.configured >= *number => Some(what_keeps(entry, pools)),
            Step::Taken(_) | Step::Asked => Some("the pools are being handed over".into()),
            Step::Failed(reason) => Some(reason.clone()),
        }
    }

    fn boards_applying(&self) -> Option<String> {
        match &self.boards {
            Step::Taken(()) => None,
            Step::Asked => Some("the boards are being told".into()),
            Step::Failed(reason) => Some(reason.clone()),
        }
    }

    fn paused_applying(&self, entry: &Entry) -> Option<String> {
        match &self.paused {
            Step::Taken(()) => None,
            Step::Asked if entry.spec.paused => Some("hash threads are stopping".into()),
            Step::Asked => Some("hash threads are being given work".into()),
            Step::Failed(reason) => Some(reason.clone()),
        }
    }
}

/// Why wanted pools are not in force yet.
fn what_keeps(entry: &Entry, pools: &Snapshot) -> String {
    let is_wanted = |name: &_| entry.spec.pools().any(|pool| pool.name == *name);
    let wanted_is_live = pools.live.as_ref().is_some_and(is_wanted);
    if let Some(old) = pools.pools.iter().find(|pool| wanted_is_live && !is_wanted(&pool.name)) {
        return format!("pool `{}` is still answering shares", old.name);
    }
    match pools.pools.iter().find(|pool| is_wanted(&pool.name)) {
        Some(pool) if pool.reason.is_empty() => format!("pool `{}` has no work yet", pool.name),
        Some(pool) => format!("pool `{}` has no work yet: {}", pool.name, pool.reason),
        None => "the old pools are still answering shares".into(),
    }
}
