//! Reads of statistics whose length nobody knows beforehand: on connections of their own, and never for long.
//!
//! Whatever viewers ask for, calls and the guard keep their connections. A read ends when its time is up, or when nobody
//! waits for it any more.

use super::{Store, StoreError};
use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a read may take: some millions of rows.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
/// Steps of SQLite's machine between two looks at the time: well below a millisecond.
const STEPS: i32 = 10_000;
/// `SQLITE_INTERRUPT`.
const INTERRUPTED: &str = "9";

/// A connection that gives up by itself.
pub(super) struct Reading {
    connection: PoolConnection<Sqlite>,
    is_wanted: Arc<AtomicBool>,
}

impl Store {
    /// A connection for one read that takes at most so long.
    pub(super) async fn reading(&self, longest: Duration) -> Result<Reading, StoreError> {
        let mut connection = self.statistics.acquire().await.map_err(unread)?;
        let is_wanted = Arc::new(AtomicBool::new(true));
        let (end, wanted) = (Instant::now() + longest, Arc::clone(&is_wanted));
        // It takes the place of the one before.
        connection
            .lock_handle()
            .await
            .map_err(unread)?
            .set_progress_handler(STEPS, move || wanted.load(Ordering::Relaxed) && Instant::now() < end);
        Ok(Reading { connection, is_wanted })
    }
}

impl Reading {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::Relaxed);
    }
}

/// Why a read failed.
pub(super) fn unread(error: sqlx::Error) -> StoreError {
    let is_interrupted =
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == INTERRUPTED);
    // Others hold the connections for as long as they may.
    if is_interrupted || matches!(error, sqlx::Error::PoolTimedOut) { StoreError::TooLong } else { error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{statistics::TimeRange, store::READERS};

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    #[tokio::test]
    async fn read_without_an_end_is_cut_with_what_to_do_and_its_connection_reads_on() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(folder.path()).await.unwrap();
        for _ in 0..2 * READERS {
            let mut reading = store.reading(Duration::from_millis(1)).await.unwrap();
            let error = sqlx::query(ENDLESS).fetch_one(reading.connection()).await.map_err(unread).unwrap_err();
            assert!(matches!(error, StoreError::TooLong), "{error:?}");
            assert!(error.to_string().contains("shorter time"), "{error}");
        }
        assert_eq!(store.summarize_shares(None, TimeRange::default()).await.unwrap().buckets, 0);
    }

    #[tokio::test]
    async fn reads_that_nobody_waits_for_end_and_hold_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(folder.path()).await.unwrap();
        for _ in 0..2 * READERS {
            let mut reading = store.reading(Duration::from_secs(600)).await.unwrap();
            tokio::select! {
                biased;
                read = sqlx::query(ENDLESS).fetch_one(reading.connection()) => panic!("{read:?}"),
                () = tokio::task::yield_now() => {}
            }
            drop(reading);
            // Calls do not need these connections.
            assert_eq!(store.newest_event().await.unwrap(), 0);
        }
        assert_eq!(store.summarize_shares(None, TimeRange::default()).await.unwrap().buckets, 0);
        store.close().await;
    }
}
