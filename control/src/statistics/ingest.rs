//! Stores pages of many miners together: each transaction costs a write to the disk, whatever it holds.
//!
//! A page waits for others for a moment. Its collector is answered when it is on disk, and only then asks for the next.

use super::{BucketPage, PageError};
use crate::store::{Collected, Store, StoreError};
use mujina_core::id::MinerName;
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a page waits for others.
const WAIT: Duration = Duration::from_millis(200);
/// Buckets of one transaction, which then takes some ten milliseconds: others want to write, too.
const MAX_BUCKETS: usize = 5000;
/// Pages that wait, in all: one per miner of a large fleet. Who finds it full waits, which delays statistics and nothing else.
const QUEUE: usize = 1024;

struct Item {
    miner: MinerName,
    page: BucketPage,
    stored: oneshot::Sender<Result<Collected, IngestError>>,
}

/// Takes pages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest(mpsc::Sender<Item>);

/// Stores them.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    pages: mpsc::Receiver<Item>,
}

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
        let (sender, pages) = mpsc::channel(QUEUE);
        (Self(sender), Writer { store, pages })
    }

    /// Stores what of a page is new; answers when it is on disk.
    ///
    /// # Errors
    /// See [`IngestError`]; nothing of the page was stored.
    pub async fn store(&self, miner: &MinerName, page: BucketPage) -> Result<Collected, IngestError> {
        let (stored, is_stored) = oneshot::channel();
        let item = Item { miner: miner.clone(), page, stored };
        self.0.send(item).await.map_err(|_| IngestError::NotStored)?;
        is_stored.await.map_err(|_| IngestError::NotStored)?
    }
}

impl Writer {
    /// Runs until `cancel`. What is cut is collected again.
    pub async fn run(mut self, cancel: CancellationToken) {
        let work = async { while self.step().await {} };
        if cancel.run_until_cancelled(work).await.is_some() {
            // Nobody can send a page any more, which ends nothing by itself.
            cancel.cancelled().await;
        }
    }

    /// One transaction; `false` = nobody is left who could send a page.
    async fn step(&mut self) -> bool {
        let Some(first) = self.pages.recv().await else { return false };
        let deadline = Instant::now() + WAIT;
        let mut buckets = first.page.buckets.len();
        let mut items = vec![first];
        while buckets < MAX_BUCKETS
            && let Ok(Some(next)) = timeout_at(deadline, self.pages.recv()).await
        {
            buckets += next.page.buckets.len();
            items.push(next);
        }
        let (mut pages, mut waiting) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
        for Item { miner, page, stored } in items {
            pages.push((miner, page));
            waiting.push(stored);
        }
        let answers = match self.store(&pages).await {
            Ok(answers) => answers.into_iter().map(|answer| answer.map_err(IngestError::Page)).collect(),
            Err(error) => {
                warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    miners = pages.len(),
                    "statistics were not stored; they are asked for again"
                );
                vec![Err(IngestError::NotStored); pages.len()]
            }
        };
        for (stored, answer) in waiting.into_iter().zip(answers) {
            // A collector that was stopped asks again after the next start.
            let _ = stored.send(answer);
        }
        true
    }

    async fn store(&self, pages: &[(MinerName, BucketPage)]) -> Result<Vec<Result<Collected, PageError>>, StoreError> {
        let mut write = self.store.write().await?;
        let answers = write.collect(pages).await?;
        write.commit().await?;
        Ok(answers)
    }
}
