//! Buckets on disk, in redb: one transaction for each close, so that flash memory is written six times a minute and a kill
//! at any moment loses at most the open bucket.

use super::BucketPage;
use crate::telemetry::{buckets::Cut, lifetime};
use mujina_core::{
    id::PoolName,
    share::{RejectCounts, RejectReason, ShareBucket, ShareTotals},
    units::Difficulty,
};
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, backends::FileBackend};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Sequence → bucket as JSON.
const BUCKETS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("buckets");
/// Pool account → everything ever counted for it, as JSON.
const LIFETIME: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("lifetime");
/// `database_id`, `format`, `next_sequence`.
const FACTS: TableDefinition<'_, &str, &str> = TableDefinition::new("facts");

/// What the records look like; a database of another format is not touched.
const FORMAT: &str = "1";
/// How long buckets are kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Buckets that are kept whatever their age: a day of one pool, so that a clock that jumps ahead drops nothing that nobody
/// collected yet.
const LEAST_KEPT: u64 = 8640;
/// Most buckets that are kept, whatever their times say: a day of four pools.
const MOST_KEPT: u64 = 4 * 8640;
/// Memory for the cache: the newest buckets are read, the rest rarely.
const CACHE_BYTES: usize = 512 * 1024;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// It is none, it is damaged, or of another version.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be read or written now.
    #[error("{0}")]
    Database(#[from] redb::Error),
    /// The file cannot be made.
    #[error("{0}")]
    File(#[source] io::Error),
}

macro_rules! database_errors {
    ($($error:ty),*) => { $(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        }
    )* };
}

database_errors!(redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);

/// An open database.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
    id: String,
}

impl Store {
    /// Opens it, or makes a new one with an id of its own.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let backend = file.map_err(StoreError::File).map(FileBackend::new)?;
        let database = backend.and_then(|file| Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file));
        let database = database.map_err(|error| match error {
            DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                StoreError::File(error)
            }
            DatabaseError::DatabaseAlreadyOpen => StoreError::Database(error.into()),
            other => StoreError::Unreadable(other.to_string()),
        })?;
        let id = begin(&database)?;
        Ok(Self { database, id })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Greatest sequence on disk; 0 = none yet.
    pub(super) fn newest(&self) -> Result<u64, StoreError> {
        let facts = self.database.begin_read()?.open_table(FACTS)?;
        Ok(next_sequence(&facts)?.saturating_sub(1))
    }

    /// Numbers and stores buckets, stores the lifetime totals of some accounts and forgets old buckets, all or nothing. The
    /// numbers of `lost` buckets before them are left out, so that who collects sees the gap. Returns the greatest sequence.
    pub(super) fn append(
        &self,
        lost: u64,
        cuts: &[Cut],
        lifetimes: &BTreeMap<String, lifetime::Totals>,
        now: SystemTime,
    ) -> Result<u64, StoreError> {
        let transaction = self.database.begin_write()?;
        let newest = {
            let mut buckets = transaction.open_table(BUCKETS)?;
            let mut lifetime = transaction.open_table(LIFETIME)?;
            let mut facts = transaction.open_table(FACTS)?;
            let mut next = next_sequence(&facts)?.saturating_add(lost);
            for cut in cuts {
                buckets.insert(next, &*encode(&Record::from(cut)))?;
                next += 1;
            }
            for (account, totals) in lifetimes {
                lifetime.insert(account.as_str(), &*encode(&Lifetime::from(totals)))?;
            }
            facts.insert("next_sequence", &*next.to_string())?;
            prune(&mut buckets, next, now)?;
            next - 1
        };
        transaction.commit()?;
        Ok(newest)
    }

    /// Buckets after a sequence, oldest first.
    pub(super) fn read(&self, after: u64, limit: usize) -> Result<BucketPage, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(BUCKETS)?;
        let mut buckets = Vec::new();
        for entry in table.range(after.saturating_add(1)..)?.take(limit) {
            let (sequence, bytes) = entry?;
            buckets.push(decode::<Record>(bytes.value())?.bucket(sequence.value())?);
        }
        let oldest = match table.first()? {
            Some((sequence, _)) => sequence.value(),
            None => next_sequence(&transaction.open_table(FACTS)?)?,
        };
        Ok(BucketPage { database_id: self.id.clone(), buckets, oldest_sequence: oldest })
    }

    /// Everything ever counted, per account.
    pub(super) fn lifetimes(&self) -> Result<BTreeMap<String, lifetime::Totals>, StoreError> {
        let table = self.database.begin_read()?.open_table(LIFETIME)?;
        let mut lifetimes = BTreeMap::new();
        for entry in table.iter()? {
            let (account, bytes) = entry?;
            lifetimes.insert(account.value().to_owned(), decode::<Lifetime>(bytes.value())?.totals());
        }
        Ok(lifetimes)
    }
}

/// Makes what is missing, and returns the database's id.
fn begin(database: &Database) -> Result<String, StoreError> {
    let transaction = database.begin_write()?;
    let id = {
        transaction.open_table(BUCKETS)?;
        transaction.open_table(LIFETIME)?;
        let mut facts = transaction.open_table(FACTS)?;
        let format = facts.get("format")?.map(|format| format.value().to_owned());
        match format.as_deref() {
            Some(FORMAT) => {}
            None => {
                facts.insert("format", FORMAT)?;
                facts.insert("database_id", &*format!("{:016x}", rand::random::<u64>()))?;
            }
            Some(other) => {
                return Err(StoreError::Unreadable(format!("format {other} is not known to this version")));
            }
        }
        let id = facts.get("database_id")?.map(|id| id.value().to_owned());
        id.ok_or_else(|| StoreError::Unreadable("the database has no id".into()))?
    };
    transaction.commit()?;
    Ok(id)
}

fn next_sequence(facts: &impl ReadableTable<&'static str, &'static str>) -> Result<u64, StoreError> {
    let Some(next) = facts.get("next_sequence")? else { return Ok(1) };
    next.value().parse().map_err(|_| StoreError::Unreadable("the next sequence is no number".into()))
}

fn prune(buckets: &mut redb::Table<'_, u64, &'static [u8]>, next: u64, now: SystemTime) -> Result<(), StoreError> {
    let horizon = now.checked_sub(KEPT).unwrap_or(UNIX_EPOCH);
    while let Some((sequence, old)) = oldest(buckets)? {
        let kept = next - sequence;
        let is_old = kept > LEAST_KEPT && old.is_some_and(|begin| begin < horizon);
        if kept <= MOST_KEPT && !is_old {
            break;
        }
        buckets.remove(sequence)?;
    }
    Ok(())
}

/// The oldest bucket with its begin.
fn oldest(buckets: &redb::Table<'_, u64, &'static [u8]>) -> Result<Option<(u64, Option<SystemTime>)>, StoreError> {
    let Some((sequence, bytes)) = buckets.first()? else { return Ok(None) };
    let begin = decode::<Record>(bytes.value())?.begin_unix_seconds;
    Ok(Some((sequence.value(), UNIX_EPOCH.checked_add(Duration::from_secs(begin)))))
}

/// A bucket as it is stored. Counters that are zero are left out; unknown fields of later versions are ignored.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    begin_unix_seconds: u64,
    length_seconds: u64,
    pool: String,
    added: Totals,
    #[serde(default)]
    pending_delta: i64,
    hashes: f64,
}

impl From<&Cut> for Record {
    fn from(cut: &Cut) -> Self {
        let Cut { begin, length, pool, added, pending_delta, hashes } = cut;
        let mut totals = Totals::default();
        totals.add(added);
        Self {
            begin_unix_seconds: begin.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            // A clock that jumped is not told as time.
            length_seconds: length.min(&KEPT).as_secs(),
            pool: pool.to_string(),
            added: totals,
            pending_delta: *pending_delta,
            hashes: *hashes,
        }
    }
}

impl Record {
    fn bucket(self, sequence: u64) -> Result<ShareBucket, StoreError> {
        let Self { begin_unix_seconds, length_seconds, pool, added, pending_delta, hashes } = self;
        let pool: PoolName = pool.parse().map_err(|_| StoreError::Unreadable(format!("`{pool}` is no pool")))?;
        Ok(ShareBucket {
            sequence,
            begin: UNIX_EPOCH + Duration::from_secs(begin_unix_seconds),
            length: Duration::from_secs(length_seconds),
            pool,
            added: added.totals(),
            pending_delta,
            hashes,
        })
    }
}

/// What an account has, as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Lifetime {
    since_unix_seconds: u64,
    totals: Totals,
}

impl From<&lifetime::Totals> for Lifetime {
    fn from((ledger, since): &lifetime::Totals) -> Self {
        let mut totals = Totals::default();
        totals.add(ledger);
        Self { since_unix_seconds: since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(), totals }
    }
}

impl Lifetime {
    fn totals(self) -> lifetime::Totals {
        let since = UNIX_EPOCH.checked_add(Duration::from_secs(self.since_unix_seconds)).unwrap_or(UNIX_EPOCH);
        (lifetime::ended(&self.totals.totals()), since)
    }
}

/// A ledger without its pending shares.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Totals {
    counts: BTreeMap<String, u64>,
    rejected: BTreeMap<String, u64>,
    submitted_work: f64,
    accepted_work: f64,
    best_difficulty: Option<f64>,
}

impl Totals {
    fn add(&mut self, other: &ShareTotals) {
        let ShareTotals {
            found,
            stale,
            duplicate,
            below_target,
            out_of_window,
            hardware_error,
            suppressed,
            submitted,
            accepted,
            rejected,
            pending: _,
            lost,
            submitted_work,
            accepted_work,
            best_difficulty,
            blocks,
        } = other;
        for (name, count) in [
            ("found", found),
            ("stale", stale),
            ("duplicate", duplicate),
            ("below_target", below_target),
            ("out_of_window", out_of_window),
            ("hardware_error", hardware_error),
            ("suppressed", suppressed),
            ("submitted", submitted),
            ("accepted", accepted),
            ("lost", lost),
            ("blocks", blocks),
        ] {
            if *count > 0 {
                *self.counts.entry(name.into()).or_default() += count;
            }
        }
        for (reason, count) in rejected.iter() {
            *self.rejected.entry(reason.as_str().into()).or_default() += count;
        }
        self.submitted_work += submitted_work;
        self.accepted_work += accepted_work;
        let best = best_difficulty.map(Difficulty::as_f64);
        self.best_difficulty = match (self.best_difficulty, best) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }

    fn totals(&self) -> ShareTotals {
        let count = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        let mut rejected = RejectCounts::default();
        for (reason, count) in &self.rejected {
            *rejected.get_mut(RejectReason::from_name(reason).unwrap_or(RejectReason::Other)) += count;
        }
        ShareTotals {
            found: count("found"),
            stale: count("stale"),
            duplicate: count("duplicate"),
            below_target: count("below_target"),
            out_of_window: count("out_of_window"),
            hardware_error: count("hardware_error"),
            suppressed: count("suppressed"),
            submitted: count("submitted"),
            accepted: count("accepted"),
            rejected,
            pending: 0,
            lost: count("lost"),
            submitted_work: self.submitted_work,
            accepted_work: self.accepted_work,
            best_difficulty: self.best_difficulty.and_then(|best| Difficulty::try_from(best).ok()),
            blocks: count("blocks"),
        }
    }
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("numbers and text have a JSON form")
}

fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Unreadable(format!("a record is damaged: {error}")))
}
