//! Collects closed share-statistics buckets from a miner, each exactly once, and drops those that are too old.
//!
//! The miner numbers the buckets of its database; the store keeps the last number beside the rows. What was fetched and not
//! committed is fetched again; what was committed is never asked for again. Sums over a minute, an hour and a day are made
//! in the same transaction, so they count each bucket once as well, whenever it comes.

pub mod export;
mod ingest;
mod page;
mod query;
mod sums;

use crate::{
    registry::{CallKind, Miner, backoff},
    store::{Collected, Store},
};
pub use ingest::{Ingest, IngestError};
pub use page::{Batch, BucketPage, PAGE, PageError, Position, batch};
pub use query::{MAX_POINTS, Plan, PlanError, Point, plan};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
pub use sums::{RESOLUTIONS, Sums};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long a miner may wait for a bucket before it answers with none.
const WAIT: Duration = Duration::from_secs(20);
/// Between two clean-ups.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long statistics are kept, by the width of what they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepStatistics {
    /// The buckets as they were collected.
    pub ten_seconds: Duration,
    /// Sums over a minute.
    pub minute: Duration,
    /// Sums over an hour.
    pub hour: Duration,
    /// Sums over a day.
    pub day: Duration,
}

impl KeepStatistics {
    /// All of them for as long.
    #[must_use]
    pub const fn all(kept: Duration) -> Self {
        Self { ten_seconds: kept, minute: kept, hour: kept, day: kept }
    }
}

/// A span of time; absent ends are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// From here on.
    pub begin: Option<SystemTime>,
    /// Up to here, exclusive.
    pub end: Option<SystemTime>,
}

/// Collects the buckets of one miner.
#[derive(Debug)]
pub(crate) struct Collector {
    miner: Arc<Miner>,
    store: Store,
    ingest: Ingest,
}

impl Collector {
    pub(crate) fn new(miner: Arc<Miner>, store: Store, ingest: Ingest) -> Self {
        Self { miner, store, ingest }
    }

    pub(crate) async fn run(self, cancel: CancellationToken) {
        let work = Box::pin(async {
            let (mut failures, mut cursor) = (0_u32, None);
            loop {
                self.miner.connected().await;
                if self.collect(&mut cursor).await {
                    failures = 0;
                } else {
                    (failures, cursor) = (failures.saturating_add(1), None);
                    tokio::time::sleep(backoff(failures, rand::random())).await;
                }
            }
        });
        // Cut at any await: a page is committed whole or not at all.
        let _ = cancel.run_until_cancelled(work).await;
    }

    /// Fetches and stores one page; `false` when it is better to wait before the next. `cursor` is that of the store, where
    /// it was read or moved before: the store judges each page by its own.
    async fn collect(&self, cursor: &mut Option<(String, u64)>) -> bool {
        let name = &self.miner.name;
        if cursor.is_none() {
            match self.store.share_cursor(name).await {
                Ok(stored) => *cursor = stored,
                Err(error) => {
                    warn!(miner.name = %name, %error, "cannot read where collecting statistics goes on");
                    return false;
                }
            }
        }
        let (database, after) = cursor.clone().unwrap_or_default();
        let asked = Instant::now();
        let page = match self.miner.link.share_buckets(&database, after, PAGE, WAIT).await {
            Err(failed) if failed.kind == CallKind::OutOfRange => {
                self.miner.link.share_buckets("", 0, PAGE, Duration::ZERO).await
            }
            answered => answered,
        };
        let page = match page {
            Ok(page) => page,
            Err(failed) => {
                // The session tells people when the miner is gone.
                debug!(miner.name = %name, error = %failed, "no statistics");
                return false;
            }
        };
        if page.database_id == database && page.buckets.is_empty() {
            self.miner.collected(Instant::now());
            // A miner that does not wait must not be asked in a circle.
            return asked.elapsed() >= WAIT / 2;
        }
        let of = page.database_id.clone();
        match self.ingest.store(name, page).await {
            Ok(Collected { buckets, missing, after }) => {
                debug!(miner.name = %name, buckets, "statistics stored");
                *cursor = Some((of, after));
                if missing > 0 {
                    warn!(miner.name = %name, missing, "the miner dropped statistics before they could be collected");
                }
                true
            }
            Err(IngestError::Page(error)) => {
                warn!(miner.name = %name, %error, "statistics were not stored; they are asked for again");
                false
            }
            // Told once for all miners.
            Err(IngestError::NotStored) => false,
        }
    }
}

/// Drops what is older than is kept, every hour.
pub(crate) async fn prune(store: Store, keep: KeepStatistics, cancel: CancellationToken) {
    let work = async {
        loop {
            match store.prune_shares(&keep, SystemTime::now()).await {
                Ok(rows) => debug!(rows, "old statistics deleted"),
                Err(error) => warn!(%error, "old statistics were not deleted"),
            }
            tokio::time::sleep(PRUNE_EVERY).await;
        }
    };
    let _ = cancel.run_until_cancelled(work).await;
}
