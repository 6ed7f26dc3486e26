//! Statistics in closed buckets of ten seconds per pool, kept for a day or more, so that a control plane can collect what it
//! missed.
//!
//! ```text
//! scheduler's ledgers ─every 10 s─▶ buckets (cut) ─▶ store (one transaction) ─▶ readers with a cursor
//! ```
//! A bucket is written once, when it is closed, with the next number of its database. Only what is on disk is shown: a
//! number that was shown never comes to mean something else. What cannot be written waits in memory and is tried again;
//! hashing does not notice. Lifetime totals (`lifetime`) are read when the database is opened and written with the buckets.

mod store;

use super::{
    buckets::{Cut, Cutter},
    lifetime::{Account, Lifetimes},
};
use crate::{scheduler::Snapshot, source};
use mujina_core::share::ShareBucket;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use store::{Store, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

/// Cuts that wait for a disk that takes them: a day and a half of one pool. The oldest go first.
const MOST_WAITING: usize = 8192;

/// What a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRequest {
    /// Database that the cursor is of; empty = whichever.
    pub database_id: String,
    /// Only buckets with a greater sequence.
    pub after_sequence: u64,
    /// At most so many.
    pub limit: usize,
    /// How long to wait for the first when there is none yet.
    pub wait: Duration,
}

/// Closed buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketPage {
    /// The database.
    pub database_id: String,
    /// Oldest first.
    pub buckets: Vec<ShareBucket>,
    /// Sequence of the oldest bucket that is kept; a cursor before it has a gap.
    pub oldest_sequence: u64,
}

/// Why buckets cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The cursor is of another database.
    #[error("the cursor belongs to another database; begin again at 0 with database `{current}`")]
    OtherDatabase {
        /// The one that is kept now.
        current: String,
    },
    /// The database cannot be read.
    #[error("statistics cannot be read: {0}; check space and permissions of the state folder")]
    Unavailable(String),
    /// The miner is shutting down.
    #[error("the miner is shutting down")]
    ShuttingDown,
}

/// The database while it can be used.
type Shared = Option<Arc<Store>>;

/// The readers' side. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct HistoryHandle {
    store: watch::Receiver<Shared>,
    newest: watch::Receiver<u64>,
    failure: watch::Receiver<Option<String>>,
    lifetimes: watch::Receiver<Option<Arc<Lifetimes>>>,
}

impl HistoryHandle {
    /// What earlier processes counted; `None` until it was read.
    pub(super) fn lifetimes(&self) -> watch::Receiver<Option<Arc<Lifetimes>>> {
        self.lifetimes.clone()
    }

    /// Why the newest write failed; `None` when it did not.
    pub(super) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    pub(super) async fn buckets(&self, request: BucketRequest) -> Result<BucketPage, HistoryError> {
        let BucketRequest { database_id, after_sequence, limit, wait } = request;
        let store = self.opened().await?;
        if !database_id.is_empty() && database_id != store.id() {
            return Err(HistoryError::OtherDatabase { current: store.id().into() });
        }
        let mut newest = self.newest.clone();
        let arrival = newest.wait_for(|newest| *newest > after_sequence);
        // Late is as good as empty; gone is the end.
        if let Ok(Err(_)) = tokio::time::timeout(wait, arrival).await {
            return Err(HistoryError::ShuttingDown);
        }
        let reading = tokio::task::spawn_blocking(move || store.read(after_sequence, limit));
        let page = reading.await.map_err(|_| HistoryError::ShuttingDown)?;
        page.map_err(|error| HistoryError::Unavailable(error.to_string()))
    }
}

/// Time that a reader waits for a database that is being opened.
const OPENING: Duration = Duration::from_secs(5);

impl HistoryHandle {
    /// The database, once it is open or known to fail.
    async fn opened(&self) -> Result<Arc<Store>, HistoryError> {
        let (mut store, mut failure) = (self.store.clone(), self.failure.clone());
        let settled = async {
            tokio::select! {
                _ = store.wait_for(Option::is_some) => {}
                _ = failure.wait_for(Option::is_some) => {}
            }
        };
        // Late is told as what it is, below.
        let _ = tokio::time::timeout(OPENING, settled).await;
        let store = self.store.borrow().clone();
        store.ok_or_else(|| {
            HistoryError::Unavailable(self.failure.borrow().clone().unwrap_or_else(|| "it is being opened".into()))
        })
    }
}

/// The task that cuts and stores.
pub(super) struct History {
    path: PathBuf,
    scheduler: watch::Receiver<Arc<Snapshot>>,
    source: watch::Receiver<Arc<source::Snapshot>>,
    cutter: Cutter,
    waiting: VecDeque<Cut>,
    /// Cuts before those that wait which nobody will ever see; their numbers are left out.
    lost: u64,
    store: watch::Sender<Shared>,
    newest: watch::Sender<u64>,
    failure: watch::Sender<Option<String>>,
    /// `None` until the database was opened once.
    lifetimes: Option<Lifetimes>,
    shown_lifetimes: watch::Sender<Option<Arc<Lifetimes>>>,
}

impl History {
    /// Opens nothing yet: that is the task's first work.
    pub(super) fn new(
        state_dir: &Path,
        scheduler: watch::Receiver<Arc<Snapshot>>,
        source: watch::Receiver<Arc<source::Snapshot>>,
    ) -> (Self, HistoryHandle) {
        let (store, store_of_readers) = watch::channel(None);
        let (newest, newest_of_readers) = watch::channel(0);
        let (failure, failure_of_readers) = watch::channel(None);
        let (shown_lifetimes, lifetimes) = watch::channel(None);
        let history = Self {
            path: state_dir.join("history.redb"),
            scheduler,
            source,
            cutter: Cutter::new(SystemTime::now()),
            waiting: VecDeque::new(),
            lost: 0,
            store,
            newest,
            failure,
            lifetimes: None,
            shown_lifetimes,
        };
        let handle = HistoryHandle {
            store: store_of_readers,
            newest: newest_of_readers,
            failure: failure_of_readers,
            lifetimes,
        };
        (history, handle)
    }

    /// Runs until `cancel`, then stores what is left.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        self.flush().await;
        let mut source = self.source.clone();
        loop {
            let remaining = self.cutter.remaining(SystemTime::now());
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(remaining) => self.close(false).await,
                Ok(()) = source.changed() => self.turn(),
            }
        }
        self.close(true).await;
        if !self.waiting.is_empty() {
            error!(buckets = self.waiting.len(), "statistics of the last minutes could not be stored and are lost");
        }
    }

    async fn close(&mut self, last: bool) {
        let snapshot = Arc::clone(&self.scheduler.borrow());
        self.waiting.extend(self.cutter.cut(&snapshot.pools, SystemTime::now(), last));
        let excess = self.waiting.len().saturating_sub(MOST_WAITING);
        if excess > 0 {
            self.waiting.drain(..excess);
            self.lost = self.lost.saturating_add(u64::try_from(excess).unwrap_or(u64::MAX));
            error!(buckets = excess, "statistics wait too long for the disk; the oldest are lost");
        }
        self.flush().await;
    }

    /// Lets lifetime totals follow the accounts of the spec.
    fn turn(&mut self) {
        let source = Arc::clone(&self.source.borrow());
        let Some(lifetimes) = &mut self.lifetimes else { return };
        let accounts = accounts(&source);
        if lifetimes.differs(&accounts) {
            let scheduler = Arc::clone(&self.scheduler.borrow());
            lifetimes.turn(&accounts, &scheduler.pools, SystemTime::now());
            self.shown_lifetimes.send_replace(Some(Arc::new(lifetimes.clone())));
        }
    }

    /// Writes what waits. Opens the database first where that has not succeeded yet, or where the last write failed: after
    /// an error of the disk a database refuses everything until it is opened again.
    async fn flush(&mut self) {
        let store = self.store.borrow().clone();
        let writing = Writing {
            lost: self.lost,
            cuts: self.waiting.iter().cloned().collect(),
            accounts: accounts(&self.source.borrow().clone()),
            counted: Arc::clone(&self.scheduler.borrow()),
            lifetimes: self.lifetimes.clone(),
        };
        let path = self.path.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let store = store.map_or_else(|| open(&path).map(Arc::new), Ok)?;
            match writing.write(&store, SystemTime::now()) {
                Err(StoreError::Unreadable(reason)) => {
                    let fresh = begin_anew(&path, &reason).map(Arc::new)?;
                    writing.write(&fresh, SystemTime::now()).map(|written| (fresh, written))
                }
                result => result.map(|written| (store, written)),
            }
        });
        match writing.await {
            Ok(Ok((store, Written { newest, lifetimes }))) => {
                self.waiting.clear();
                self.lost = 0;
                if self.lifetimes.replace(lifetimes.clone()).is_none() {
                    self.shown_lifetimes.send_replace(Some(Arc::new(lifetimes)));
                }
                self.store.send_if_modified(|shared| {
                    let is_new = shared.as_ref().is_none_or(|old| !Arc::ptr_eq(old, &store));
                    if is_new {
                        *shared = Some(store);
                    }
                    is_new
                });
                self.newest.send_replace(newest);
                if self.failure.send_replace(None).is_some() {
                    info!("statistics are stored again");
                }
            }
            Ok(Err(failure)) => self.failed(failure.to_string()),
            Err(failure) => self.failed(failure.to_string()),
        }
    }

    fn failed(&mut self, why: String) {
        if self.failure.borrow().is_none() {
            error!(reason = why, "statistics cannot be stored; they wait in memory and are tried again every 10 s");
        } else {
            debug!(reason = why, "statistics still cannot be stored");
        }
        self.failure.send_replace(Some(why));
        self.store.send_replace(None);
    }
}

/// What one transaction is made of.
struct Writing {
    lost: u64,
    cuts: Vec<Cut>,
    accounts: Vec<Account>,
    counted: Arc<Snapshot>,
    lifetimes: Option<Lifetimes>,
}

/// What came of it.
struct Written {
    newest: u64,
    lifetimes: Lifetimes,
}

impl Writing {
    /// Takes up what earlier processes counted, where that was not done yet, and writes buckets and lifetime totals.
    fn write(&self, store: &Store, now: SystemTime) -> Result<Written, StoreError> {
        let Self { lost, cuts, accounts, counted, lifetimes } = self;
        let mut lifetimes = match lifetimes {
            Some(lifetimes) => lifetimes.clone(),
            None => {
                let mut lifetimes = Lifetimes::new(store.lifetimes()?, store.id());
                lifetimes.turn(accounts, &counted.pools, now);
                lifetimes
            }
        };
        let totals = lifetimes.take_stock(&counted.pools, store.id());
        let nothing = *lost == 0 && cuts.is_empty() && totals.is_empty();
        let newest = if nothing { store.newest()? } else { store.append(*lost, cuts, &totals, now)? };
        lifetimes.stored();
        Ok(Written { newest, lifetimes })
    }
}

/// The accounts of the spec. A pool that still drains gives way to the new one of its name.
fn accounts(source: &source::Snapshot) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    for pool in &source.pools {
        if accounts.iter().all(|account| account.pool != pool.name) {
            accounts.push(Account { pool: pool.name.clone(), url: pool.url.clone(), user: pool.user.clone() });
        }
    }
    accounts
}

/// Opens the database, or begins another in place of an unreadable one.
fn open(path: &Path) -> Result<Store, StoreError> {
    match Store::open(path) {
        Err(StoreError::Unreadable(reason)) => begin_anew(path, &reason),
        result => result,
    }
}

/// Sets a database aside and begins another.
fn begin_anew(path: &Path, reason: &str) -> Result<Store, StoreError> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let aside = path.with_extension(format!("redb.unreadable-{seconds}"));
    error!(reason, aside = %aside.display(), "statistics database is unreadable; it is set aside and begun anew");
    std::fs::rename(path, aside).map_err(StoreError::File)?;
    Store::open(path)
}

#[cfg(test)]
mod tests;
