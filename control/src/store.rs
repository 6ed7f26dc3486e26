//! Everything durable: desired states, operations, collected statistics, answers that may be asked for again.
//!
//! One SQLite file, `<state_dir>/control.db`. One connection writes, so that writers queue up instead of failing; others
//! read beside it. Commits are synced to disk before anybody is answered: a stored desired state or operation is a promise,
//! and there are few commits (one per miner and statistics bucket). Files are 0600, because specs hold passwords.

mod access;
mod audit;
mod backup;
mod event;
mod fragment;
pub(crate) mod identity;
mod lineage;
mod marks;
mod operation;
mod payout;
mod profile;
mod reconcile;
mod remember;
mod rollout;
mod spec;
mod statistics;
mod together;

use crate::repeat::RequestKey;
use access::KnownBindings;
pub use backup::{BackupError, restore};
pub use payout::PayoutError;
pub use profile::OwnFragment;
pub use rollout::{PlannedRollout, StoredRollout};
use sqlx::{
    Connection, Row, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
pub use statistics::{BucketPosition, Collected, SharesSummary, StoredBucket};
pub(crate) use statistics::{Points, SeriesRow};
use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
pub(crate) use together::{Hand, NotStored, Together, Writer, together};

/// Name of the database within the state folder.
const DATABASE: &str = "control.db";
/// Name of the file that only one control plane can lock.
const LOCK: &str = "control.lock";
/// Pages (4 KiB) of the log that are copied into the database together: those that change again and again are copied once.
const CHECKPOINT: &str = "4000";
/// What the writer keeps of the database, in KiB as SQLite writes it: half of what is usual, as the kernel has it too.
const WRITER_CACHE: &str = "-1000";
/// How long a statement waits for a lock: only backups and curious people hold one.
const BUSY: Duration = Duration::from_secs(5);
/// How long somebody waits for a connection before the database counts as stuck.
const ACQUIRE: Duration = Duration::from_secs(20);
/// Connections that read beside the writer.
const READERS: u32 = 3;
/// Connections that read statistics for people, beside the others: those reads may take long.
const STATISTICS_READERS: u32 = 2;
/// How long answers to repeated requests are kept.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Answers that are kept whatever their age: a clock that jumps ahead must not make a repeat a request of its own.
const ALWAYS_REMEMBERED: i64 = 1000;

/// Embedded, so that a binary alone brings its database up to date.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why something was not stored or not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state folder cannot be used.
    #[error("cannot use {0}; check that it can be written by this user")]
    Folder(PathBuf, #[source] io::Error),
    /// Somebody else uses the state folder.
    #[error("another control plane uses {0}; stop it or set another `state_dir`")]
    InUse(PathBuf),
    /// Written by a newer version.
    #[error(
        "{path} has schema {found}, newer than {known}, which this version knows; it was left untouched: upgrade mujina-control"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its newest migration.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A restore was cut.
    #[error(
        "a restore into {0} was cut short; run `mujina-control restore FILE` again, or delete control.db.restoring and \
         control.db.restore-ready there to go on without it"
    )]
    HalfRestored(PathBuf),
    /// Bringing it up to date failed.
    #[error("cannot bring {0} up to date; restore it from a backup, or move it away to begin anew")]
    Migrate(PathBuf, #[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("the database failed; check space and permissions of the state folder")]
    Sql(#[from] sqlx::Error),
    /// Neither a repeat nor new.
    #[error("the request id was used for another request; use a new id for every request")]
    Reused,
    /// A read of statistics was cut.
    #[error("the statistics take too long to read; ask for a shorter time, a wider step or fewer miners")]
    TooLong,
    /// A row that this program did not write.
    #[error("the database holds {0} that cannot be read; restore it from a backup")]
    Corrupt(String),
}

impl StoreError {
    fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    statistics: SqlitePool,
    bindings: Arc<KnownBindings>,
    database_id: Arc<str>,
    incarnation: Arc<str>,
}

/// The state folder, taken for this process until it is dropped.
#[derive(Debug)]
#[must_use = "the folder is free again when this is dropped"]
pub struct FolderLock(#[expect(dead_code, reason = "locked while it is open")] File);

/// Changes that happen together or not at all; dropped without [`Write::commit`], nothing happened.
#[derive(Debug)]
pub struct Write {
    transaction: Transaction<'static, Sqlite>,
    bindings: Arc<KnownBindings>,
    changes_bindings: bool,
}

impl Write {
    /// Makes the changes last: they are on disk when it returns.
    ///
    /// # Errors
    /// The database failed; nothing happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await?;
        if self.changes_bindings {
            self.bindings.changed();
        }
        Ok(())
    }

    /// What a request was answered with, if it was made before.
    pub(crate) async fn answer(&mut self, scope: &str, key: &RequestKey) -> Result<Option<String>, StoreError> {
        answer(&mut self.transaction, scope, key).await
    }

    /// Remembers the answer to a request that may be made again, and forgets those of a week ago but for the newest thousand.
    pub(crate) async fn remember(&mut self, scope: &str, key: &RequestKey, answer: &str) -> Result<(), StoreError> {
        let Some((id, person, content)) = key.parts() else { return Ok(()) };
        let now = SystemTime::now();
        sqlx::query(
            "DELETE FROM requests WHERE answered_at < ?
                 AND answered_at < (SELECT answered_at FROM requests ORDER BY answered_at DESC LIMIT 1 OFFSET ?)",
        )
        .bind(millis(now.checked_sub(REMEMBERED).unwrap_or(UNIX_EPOCH)))
        .bind(ALWAYS_REMEMBERED - 1)
        .execute(&mut *self.transaction)
        .await?;
        sqlx::query(
            "INSERT INTO requests (scope, person, request_id, content, answer, answered_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(scope)
        .bind(person)
        .bind(id)
        .bind(content)
        .bind(answer)
        .bind(millis(now))
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Opens the database of a state folder; makes both when they are missing and brings the database up to date.
    ///
    /// # Errors
    /// See [`StoreError`]; a database of a newer version is left untouched.
    pub async fn open(state_dir: &Path) -> Result<(Self, FolderLock), StoreError> {
        let lock = lock(state_dir)?;
        let path = state_dir.join(DATABASE);
        backup::refuse_half_restored(state_dir)?;
        private(&path)?;
        refuse_newer(&path).await?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE);
        let writing = options.clone().pragma("wal_autocheckpoint", CHECKPOINT).pragma("cache_size", WRITER_CACHE);
        let writer = pool(1).connect_with(writing).await?;
        MIGRATIONS.run(&writer).await.map_err(|error| StoreError::Migrate(path, error))?;
        sqlx::query("INSERT INTO identity (one, database_id) VALUES (1, ?) ON CONFLICT DO NOTHING")
            .bind(uuid::Uuid::new_v4().simple().to_string())
            .execute(&writer)
            .await?;
        let row = sqlx::query("SELECT database_id, restored FROM identity").fetch_one(&writer).await?;
        let (id, restored): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        let incarnation = format!("{id}.{restored}").into();
        // What they read again and again is little, and the kernel has it too.
        let options = options.read_only(true).pragma("cache_size", "-256");
        let readers = pool(READERS).connect_with(options.clone()).await?;
        let statistics = pool(STATISTICS_READERS).connect_with(options).await?;
        let bindings = Arc::default();
        Ok((Self { writer, readers, statistics, bindings, database_id: id.into(), incarnation }, lock))
    }

    /// See [`Write::answer`].
    pub(crate) async fn answered(&self, scope: &str, key: &RequestKey) -> Result<Option<String>, StoreError> {
        answer(&mut *self.readers.acquire().await?, scope, key).await
    }

    /// Identifies this database among all that ever were.
    #[must_use]
    pub fn database_id(&self) -> &str {
        &self.database_id
    }

    /// Begins the ids of requests to miners. Another one after a restore: what was asked for since the backup must not be
    /// taken for a repeat of what is asked for now.
    #[must_use]
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Begins changes; others that want to change something wait until they end.
    ///
    /// # Errors
    /// The database failed.
    pub async fn write(&self) -> Result<Write, StoreError> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        let transaction = match self.writer.begin_with(BEGIN).await {
            // SQLite ended the transaction before by itself, as it does when the disk is full, and the connection still counts it.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                self.writer.begin_with(BEGIN).await?
            }
            begun => begun?,
        };
        Ok(Write { transaction, bindings: self.bindings.clone(), changes_bindings: false })
    }

    /// Ends all connections; what was committed is in the file.
    pub async fn close(&self) {
        self.statistics.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the folder and takes it for this process.
fn lock(state_dir: &Path) -> Result<FolderLock, StoreError> {
    let failed = |error| StoreError::Folder(state_dir.into(), error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(failed)?;
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(state_dir.join(LOCK))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(state_dir.into())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Makes the file before SQLite does, which gives its companions the same mode.
fn private(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::Folder(path.into(), error);
    let file = File::options().create(true).append(true).mode(0o600).open(path).map_err(failed)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)
}

async fn refuse_newer(path: &Path) -> Result<(), StoreError> {
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).read_only(true)).await?;
    let has_history = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_optional(&mut connection)
        .await?
        .is_some();
    let found: i64 = if has_history {
        sqlx::query("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut connection)
            .await?
            .try_get(0)?
    } else {
        0
    };
    connection.close().await?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    if found > known { Err(StoreError::Newer { path: path.into(), found, known }) } else { Ok(()) }
}

/// Milliseconds since the epoch; times before it do not occur.
pub(crate) fn millis(time: SystemTime) -> i64 {
    span_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

async fn answer(
    connection: &mut SqliteConnection,
    scope: &str,
    key: &RequestKey,
) -> Result<Option<String>, StoreError> {
    let Some((id, person, content)) = key.parts() else { return Ok(None) };
    let row = sqlx::query::<Sqlite>(
        "SELECT content, answer FROM requests WHERE scope = ? AND person IN (?, '') AND request_id = ?
         ORDER BY person DESC LIMIT 1",
    )
    .bind(scope)
    .bind(person)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let asked: Vec<u8> = row.try_get(0)?;
    if asked.is_empty() || asked == content { Ok(Some(row.try_get(1)?)) } else { Err(StoreError::Reused) }
}

/// The time now, as precisely as it is stored.
pub(crate) fn now() -> SystemTime {
    from_millis(millis(SystemTime::now()))
}

/// Whole milliseconds.
fn span_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The time behind stored milliseconds.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.max(0).unsigned_abs())
}

/// A counter as it is stored.
fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A counter as it was stored.
fn counted(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
