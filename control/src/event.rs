//! Events: what people should know of, in order. The newest are kept, also over a restart.
//!
//! Whoever tells one does not wait for the disk: events are queued, and written many at a time. Numbers of events that could
//! not be kept are left out, so that a reader who counts notices. What must not be lost is appended in the write of the
//! change that it tells of.

use crate::store::{self, Store, StoreError};
use mujina_core::{
    id::MinerName,
    text::{PEER_TEXT_BYTES, sanitise},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Events that wait for the disk: one of each miner of a big fleet, told in the same second.
const QUEUE: usize = 8192;
/// Events that are written at once.
const BATCH: usize = 512;
/// Before the store is tried again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// What happened. Written in UPPER_SNAKE_CASE, and stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody changed a miner itself.
    Overridden,
    /// A change made on a miner itself is over.
    OverrideEnded,
    /// A miner refused what is wanted of it, and is not asked again.
    SpecRejected,
    /// A change did not prove itself in time, and what was wanted before is wanted again.
    SpecReverted,
    /// Nothing follows from the profiles for a miner.
    ProfilesClash,
    /// A rollout began or goes on.
    RolloutRunning,
    /// A rollout waits for a person.
    RolloutPaused,
    /// A rollout changes no more.
    RolloutAborting,
    /// A rollout takes miners back.
    RolloutRollingBack,
    /// A rollout ended.
    RolloutFinished,
    /// A miner of a rollout failed.
    RolloutTargetFailed,
    /// The database was brought back from a backup.
    DatabaseRestored,
    /// Two machines use the identity of a miner.
    IdentityCloned,
}

impl EventKind {
    /// As it is kept and told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overridden => "OVERRIDDEN",
            Self::OverrideEnded => "OVERRIDE_ENDED",
            Self::SpecRejected => "SPEC_REJECTED",
            Self::SpecReverted => "SPEC_REVERTED",
            Self::ProfilesClash => "PROFILES_CLASH",
            Self::RolloutRunning => "ROLLOUT_RUNNING",
            Self::RolloutPaused => "ROLLOUT_PAUSED",
            Self::RolloutAborting => "ROLLOUT_ABORTING",
            Self::RolloutRollingBack => "ROLLOUT_ROLLING_BACK",
            Self::RolloutFinished => "ROLLOUT_FINISHED",
            Self::RolloutTargetFailed => "ROLLOUT_TARGET_FAILED",
            Self::DatabaseRestored => "DATABASE_RESTORED",
            Self::IdentityCloned => "IDENTITY_CLONED",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub kind: String,
    /// The miner that it is about; `None` = none.
    pub miner: Option<MinerName>,
    /// The rollout or operation that it is about; empty = none.
    pub subject: String,
    /// What happened and what to do.
    pub message: String,
}

impl Event {
    /// What happens now.
    pub(crate) fn new(kind: EventKind, miner: Option<&MinerName>, subject: &str, message: impl fmt::Display) -> Self {
        Self {
            at: store::now(),
            kind: kind.name().into(),
            miner: miner.cloned(),
            subject: subject.into(),
            message: sanitise(&message.to_string(), 4 * PEER_TEXT_BYTES),
        }
    }
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// Counts the events; one that is skipped was lost.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

/// The way to the events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    queue: mpsc::Sender<Event>,
    waiting: Arc<Mutex<Option<mpsc::Receiver<Event>>>>,
    lost: Arc<AtomicU64>,
    /// Number of the newest event that is kept.
    newest: watch::Sender<u64>,
    store: Store,
}

impl Events {
    /// Events that are kept in `store`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn open(store: Store) -> Result<Self, StoreError> {
        let newest = watch::Sender::new(store.newest_event().await?);
        let (queue, waiting) = mpsc::channel(QUEUE);
        Ok(Self { queue, waiting: Arc::new(Mutex::new(Some(waiting))), lost: Arc::default(), newest, store })
    }

    /// Tells an event. Never waits.
    pub fn tell(&self, kind: EventKind, miner: Option<&MinerName>, subject: &str, message: impl fmt::Display) {
        if self.queue.try_send(Event::new(kind, miner, subject, message)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An event was kept, with this number, in the write of what it tells of.
    pub(crate) fn kept(&self, number: u64) {
        self.newest.send_if_modified(|newest| {
            let is_newer = *newest < number;
            *newest = number.max(*newest);
            is_newer
        });
    }

    /// Number of the newest event that is kept, now and from now on.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Writes down what is told until `cancel`, and then what was told before.
    pub(crate) async fn keep(self, cancel: CancellationToken) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        let mut batch = Vec::new();
        while let Some(_more @ 1..) = cancel.run_until_cancelled(waiting.recv_many(&mut batch, BATCH)).await {
            while let Err(error) = self.write(&batch).await {
                error!(error = &error as &dyn std::error::Error, "events cannot be kept; trying again");
                if cancel.run_until_cancelled(tokio::time::sleep(STORE_RETRY)).await.is_none() {
                    return;
                }
            }
            batch.clear();
        }
        while let Ok(event) = waiting.try_recv() {
            batch.push(event);
        }
        if let Err(error) = self.write(&batch).await {
            error!(error = &error as &dyn std::error::Error, events = batch.len(), "the last events are not kept");
        }
    }

    async fn write(&self, batch: &[Event]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let lost = self.lost.load(Ordering::Relaxed);
        let mut write = self.store.write().await?;
        let newest = write.append_events(batch, lost).await?;
        write.commit().await?;
        if lost > 0 {
            self.lost.fetch_sub(lost, Ordering::Relaxed);
            warn!(lost, "more events than could be kept; the oldest of them are");
        }
        self.kept(newest);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
