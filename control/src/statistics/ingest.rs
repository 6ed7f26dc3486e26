//! Stores pages of many miners together. A page waits for others for a moment; its collector asks for the next when it is on
//! disk.

use super::{BucketPage, PageError};
use crate::store::{Collected, Hand, NotStored, Store, StoreError, Together, Write, Writer as StoreWriter, together};
use mujina_core::id::MinerName;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// Takes pages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest(Hand<Pages>);

/// Stores them.
#[derive(Debug)]
pub struct Writer(StoreWriter<Pages>);

/// How pages are stored.
#[derive(Debug)]
struct Pages;

/// Why a page was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// The miner does not keep to the rules.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The database failed, which was told already; ask the miner again.
    #[error("statistics were not stored; they are asked for again")]
    NotStored,
}

impl Ingest {
    /// Both ends.
    #[must_use]
    pub fn new(store: Store) -> (Self, Writer) {
        let (hand, writer) = together(store, Pages);
        (Self(hand), Writer(writer))
    }

    /// Stores what of a page is new; answers when it is on disk.
    ///
    /// # Errors
    /// See [`IngestError`]; nothing of the page was stored.
    pub async fn store(&self, miner: &MinerName, page: BucketPage) -> Result<Collected, IngestError> {
        let stored = self.0.store((miner.clone(), page)).await.map_err(|NotStored| IngestError::NotStored)?;
        Ok(stored?)
    }
}

impl Writer {
    /// Runs until `cancel`. What is cut is collected again.
    pub async fn run(self, cancel: CancellationToken) {
        self.0.run_until(cancel).await;
    }
}

impl Together for Pages {
    type Item = (MinerName, BucketPage);
    type Answer = Result<Collected, PageError>;
    const WHAT: &'static str = "statistics";
    /// Buckets; they take some ten milliseconds.
    const MOST: usize = 5000;
    const WAIT: Duration = Duration::from_millis(200);

    fn weight((_, page): &Self::Item) -> usize {
        page.buckets.len()
    }

    async fn store(&self, write: &mut Write, items: &[Self::Item]) -> Result<Vec<Self::Answer>, StoreError> {
        write.collect(items, SystemTime::now()).await
    }
}
