//! Copies of the database while it is in use, and bringing one back.

use super::{DATABASE, Store, StoreError, lock, millis, private, refuse_newer};
use crate::event::EventKind;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// A backup that is being copied and checked.
const RESTORING: &str = "control.db.restoring";
/// A backup that takes the place of the database.
const READY: &str = "control.db.restore-ready";

/// Why there is no backup, or it is not brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there.
    #[error("{0} exists; choose another name, or move it away")]
    Exists(PathBuf),
    /// A file cannot be used.
    #[error("cannot use {0}")]
    File(PathBuf, #[source] io::Error),
    /// There is nothing to copy.
    #[error("there is no database in {0}; is this the state folder?")]
    NoDatabase(PathBuf),
    /// It is no database, or damaged.
    #[error("{0} is no whole backup of a control plane ({1}); use another one")]
    Damaged(PathBuf, String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Writes a copy of the database of `state_dir` as it is at one moment, also while a control plane uses it. The copy holds
    /// passwords; it is for its owner alone.
    ///
    /// # Errors
    /// See [`BackupError`]; no file is left then.
    pub async fn back_up(state_dir: &Path, to: &Path) -> Result<(), BackupError> {
        let from = state_dir.join(DATABASE);
        if !from.exists() {
            return Err(BackupError::NoDatabase(state_dir.into()));
        }
        let to = std::path::absolute(to).map_err(|error| BackupError::File(to.into(), error))?;
        // Made first, because SQLite would make it readable for others.
        let made = File::options().create_new(true).write(true).mode(0o600).open(&to);
        let file = made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.clone()),
            _ => BackupError::File(to.clone(), error),
        })?;
        let copied = copy(&from, &to).await;
        match copied {
            Ok(()) => file.sync_all().map_err(|error| BackupError::File(to, error)),
            Err(error) => {
                // Nobody shall take it for a backup.
                let _ = fs::remove_file(&to);
                Err(error)
            }
        }
    }
}

async fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let options = SqliteConnectOptions::new().filename(from).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy().into_owned()).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Puts a backup in the place of the database of `state_dir`, which no control plane may be using; the one that was there is
/// kept beside it. Gives where.
///
/// ```text
/// backup ─copy, check─▶ .restoring ─▶ .restore-ready ─▶ control.db ─also─▶ .before-restore-N ─▶ .restore-ready is control.db
/// ```
/// There is a database at every moment, the one before or the backup; as long as `.restore-ready` is there, none is opened.
///
/// # Errors
/// See [`BackupError`]; the database is as it was then, or the next attempt goes on.
pub async fn restore(state_dir: &Path, backup: &Path) -> Result<Option<PathBuf>, BackupError> {
    let _lock = lock(state_dir)?;
    let (path, new, ready) = (state_dir.join(DATABASE), state_dir.join(RESTORING), state_dir.join(READY));
    for file in [new.clone(), beside(&new, "-wal"), beside(&new, "-shm"), beside(&new, "-journal")] {
        remove(&file).map_err(failed(&file))?;
    }
    if let Err(error) = copy_whole(backup, &new).await {
        // What is no backup leaves nothing behind that looks like a restore.
        let _ = remove(&new);
        return Err(error);
    }
    fs::rename(&new, &ready).map_err(failed(&ready))?;
    sync(state_dir)?;
    let before = if path.exists() { Some(keep(&path).await?) } else { None };
    sync(state_dir)?;
    // They belong to the one before, and would be taken for the log of the backup.
    for companion in ["-wal", "-shm"] {
        let companion = beside(&path, companion);
        remove(&companion).map_err(failed(&companion))?;
    }
    sync(state_dir)?;
    fs::rename(&ready, &path).map_err(failed(&path))?;
    sync(state_dir)?;
    Ok(before)
}

/// Copies a backup, checks the copy and has it on disk.
async fn copy_whole(backup: &Path, new: &Path) -> Result<(), BackupError> {
    private(new)?;
    fs::copy(backup, new).map_err(failed(backup))?;
    prepare(new, backup).await?;
    File::open(new).and_then(|file| file.sync_all()).map_err(failed(new))
}

/// Refuses a state folder in which a restore was cut: what is there may be neither the database before nor the backup.
pub(super) fn refuse_half_restored(state_dir: &Path) -> Result<(), StoreError> {
    let is_begun = state_dir.join(READY).exists();
    let is_missing = state_dir.join(RESTORING).exists() && !state_dir.join(DATABASE).exists();
    if is_begun || is_missing { Err(StoreError::HalfRestored(state_dir.into())) } else { Ok(()) }
}

/// Gives the database a second name beside its first, with what is in its log. Gives that name.
async fn keep(path: &Path) -> Result<PathBuf, BackupError> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut names = (seconds..).map(|seconds| beside(path, &format!(".before-restore-{seconds}")));
    let aside = names.find(|name| !name.exists()).unwrap_or_else(|| beside(path, ".before-restore"));
    let (log, aside_log) = (beside(path, "-wal"), beside(&aside, "-wal"));
    if log.exists() {
        fs::copy(&log, &aside_log).map_err(failed(&aside_log))?;
        File::open(&aside_log).and_then(|file| file.sync_all()).map_err(failed(&aside_log))?;
    }
    // What is in its log belongs to it. A damaged one, which a restore is for, is set aside as it is, its log too.
    if matches!(fold(path).await, Ok(true)) {
        remove(&aside_log).map_err(failed(&aside_log))?;
    }
    link(path, &aside).map_err(failed(&aside))?;
    Ok(aside)
}

/// A second name for a file; a copy where the file system knows no second names.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        }
        linked => linked,
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |error| BackupError::File(path, error)
}

/// Checks a copy, and gives it an incarnation of its own: another one each time, also of the same backup.
async fn prepare(new: &Path, backup: &Path) -> Result<(), BackupError> {
    let damaged = |why: String| BackupError::Damaged(backup.into(), why);
    refuse_newer(new).await.map_err(|error| match error {
        StoreError::Sql(error) => damaged(error.to_string()),
        error => error.into(),
    })?;
    let open = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(new)).await;
    let mut connection = open.map_err(|error| damaged(error.to_string()))?;
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await;
    let found: String = row.and_then(|row| row.try_get(0)).map_err(|error| damaged(error.to_string()))?;
    if found != "ok" {
        return Err(damaged(found));
    }
    super::MIGRATIONS
        .run(&mut connection)
        .await
        .map_err(|error| BackupError::Store(StoreError::Migrate(backup.into(), error)))?;
    let now = millis(SystemTime::now());
    let counted = sqlx::query("UPDATE identity SET restored = max(restored + 1, ?)").bind(now);
    if counted.execute(&mut connection).await?.rows_affected() != 1 {
        return Err(damaged("it has no identity".into()));
    }
    // Numbers go on far beyond those that were given since the backup was made: who resumes after one of them sees a gap.
    sqlx::query(
        "INSERT INTO events (sequence, at, kind, miner, subject, message)
         SELECT max(coalesce(max(sequence), 0) + 1, ?1), ?1, ?2, '', '', ?3 FROM events",
    )
    .bind(now)
    .bind(EventKind::DatabaseRestored.name())
    .bind("the database was brought back from a backup; what happened since that was made is not known here")
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok(())
}

/// Moves what is in the log of a database into its file; `false` = somebody who reads it kept that from being done.
async fn fold(path: &Path) -> Result<bool, sqlx::Error> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?;
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
    let is_busy: i64 = row.try_get(0)?;
    connection.close().await?;
    Ok(is_busy == 0)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Event, repeat::RequestKey};
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn backup_of_a_database_in_use_is_brought_back_as_another_incarnation() {
        let folder = tempfile::tempdir().unwrap();
        let (state, file) = (folder.path().join("state"), folder.path().join("backup.db"));
        let (store, lock) = Store::open(&state).await.unwrap();
        let mut write = store.write().await.unwrap();
        write.remember("a", &RequestKey::own("kept"), "1").await.unwrap();
        write.commit().await.unwrap();
        Store::back_up(&state, &file).await.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Store::back_up(&state, &file).await, Err(BackupError::Exists(_))));
        let mut write = store.write().await.unwrap();
        write.remember("a", &RequestKey::own("lost"), "2").await.unwrap();
        write.commit().await.unwrap();
        assert!(matches!(restore(&state, &file).await, Err(BackupError::Store(StoreError::InUse(_)))));
        let (id, before) = (store.database_id().to_owned(), store.incarnation().to_owned());
        store.close().await;
        drop(lock);
        let aside = restore(&state, &file).await.unwrap().unwrap();
        assert!(aside.exists());
        let (store, _lock) = Store::open(&state).await.unwrap();
        let mut write = store.write().await.unwrap();
        assert_eq!(write.answer("a", &RequestKey::own("kept")).await.unwrap().as_deref(), Some("1"));
        assert_eq!(write.answer("a", &RequestKey::own("lost")).await.unwrap(), None);
        assert_eq!(store.database_id(), id);
        assert_ne!(store.incarnation(), before);
    }

    #[tokio::test]
    async fn what_is_no_backup_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let (store, lock) = Store::open(&state).await.unwrap();
        let id = store.database_id().to_owned();
        store.close().await;
        drop(lock);
        let file = folder.path().join("no.db");
        let empty = folder.path().join("empty");
        for bytes in [b"not a database at all, but long enough to look like something".to_vec(), Vec::new()] {
            fs::write(&file, bytes).unwrap();
            assert!(restore(&state, &file).await.is_err());
            assert!(restore(&empty, &file).await.is_err());
        }
        drop(Store::open(&empty).await.unwrap());
        assert!(restore(&state, &folder.path().join("missing")).await.is_err());
        let (store, _lock) = Store::open(&state).await.unwrap();
        assert_eq!((store.database_id(), store.incarnation()), (id.as_str(), format!("{id}.0").as_str()));
    }

    /// A folder with a database that nobody has open, and a backup of it.
    async fn backed_up() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (state, file) = (folder.path().join("state"), folder.path().join("backup.db"));
        let (store, _lock) = Store::open(&state).await.unwrap();
        Store::back_up(&state, &file).await.unwrap();
        store.close().await;
        (folder, state, file)
    }

    /// All files of a folder whose names hold a text, with what is in them.
    fn files(folder: &Path, part: &str) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
        let mut found: Vec<_> =
            named.filter(|(name, _)| name.contains(part)).map(|(name, path)| (name, fs::read(path).unwrap())).collect();
        found.sort();
        found
    }

    #[tokio::test]
    async fn folder_in_which_a_restore_was_cut_is_refused_until_it_is_restored() {
        let (_folder, state, file) = backed_up().await;
        let cuts: [fn(&Path); 2] = [
            // Before the backup took the place of the database.
            |state| fs::write(state.join(READY), b"").unwrap(),
            // As versions before left it: between the two.
            |state| fs::rename(state.join(DATABASE), state.join(RESTORING)).unwrap(),
        ];
        for cut in cuts {
            cut(&state);
            let had = state.join(DATABASE).exists();
            let error = Store::open(&state).await.unwrap_err();
            assert!(matches!(error, StoreError::HalfRestored(_)), "{error:?}");
            assert!(error.to_string().contains("mujina-control restore"), "{error}");
            assert_eq!(state.join(DATABASE).exists(), had, "nothing was begun in its place");
            restore(&state, &file).await.unwrap();
            let (store, lock) = Store::open(&state).await.unwrap();
            store.close().await;
            drop(lock);
        }
    }

    #[tokio::test]
    async fn damaged_database_is_kept_with_the_log_that_could_not_be_folded_into_it() {
        let (_folder, state, file) = backed_up().await;
        let (damaged, log) = (vec![0xa5; 8192], vec![0x5a; 8192]);
        fs::write(state.join(DATABASE), &damaged).unwrap();
        fs::write(state.join("control.db-wal"), &log).unwrap();
        let aside = restore(&state, &file).await.unwrap().unwrap();
        let name = aside.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(files(&state, "before-restore"), [(name.clone(), damaged), (format!("{name}-wal"), log)]);
        let (store, _lock) = Store::open(&state).await.unwrap();
        store.close().await;
    }

    #[tokio::test]
    async fn what_was_in_the_log_of_a_whole_database_is_in_the_copy_that_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (state, file) = (folder.path().join("state"), folder.path().join("backup.db"));
        let (store, lock) = Store::open(&state).await.unwrap();
        Store::back_up(&state, &file).await.unwrap();
        let mut write = store.write().await.unwrap();
        write.remember("a", &RequestKey::own("newest"), "1").await.unwrap();
        write.commit().await.unwrap();
        // As a kill leaves them.
        let killed = folder.path().join("killed");
        fs::create_dir(&killed).unwrap();
        for (name, bytes) in files(&state, "control.db") {
            fs::write(killed.join(name), bytes).unwrap();
        }
        store.close().await;
        drop(lock);
        assert!(fs::metadata(killed.join("control.db-wal")).unwrap().len() > 0);
        let aside = restore(&killed, &file).await.unwrap().unwrap();
        assert_eq!(files(&killed, "before-restore").len(), 1, "its log is in it");
        fs::rename(aside, killed.join(DATABASE)).unwrap();
        let (store, _lock) = Store::open(&killed).await.unwrap();
        assert_eq!(store.answered("a", &RequestKey::own("newest")).await.unwrap().as_deref(), Some("1"));
        store.close().await;
    }

    #[tokio::test]
    async fn numbers_of_events_and_incarnations_never_come_again_after_a_restore() {
        let folder = tempfile::tempdir().unwrap();
        let (state, file) = (folder.path().join("state"), folder.path().join("backup.db"));
        let event = Event {
            at: UNIX_EPOCH,
            kind: EventKind::Overridden.name().into(),
            miner: None,
            subject: String::new(),
            message: "x".into(),
        };
        let append = async |store: &Store| {
            let mut write = store.write().await.unwrap();
            write.append_events(std::slice::from_ref(&event), 0).await.unwrap();
            write.commit().await.unwrap();
        };
        let (store, mut lock) = Store::open(&state).await.unwrap();
        append(&store).await;
        Store::back_up(&state, &file).await.unwrap();
        append(&store).await;
        let (mut newest, mut incarnation) = (store.newest_event().await.unwrap(), store.incarnation().to_owned());
        store.close().await;
        for _ in 0..2 {
            drop(lock);
            restore(&state, &file).await.unwrap();
            let (store, taken) = Store::open(&state).await.unwrap();
            lock = taken;
            // Who saw the newest event before resumes with a gap.
            let next = store.events_after(newest, 1).await.unwrap().remove(0);
            assert!(next.sequence > newest + 1, "{} after {newest}", next.sequence);
            assert_eq!(next.event.kind, "DATABASE_RESTORED");
            assert_ne!(store.incarnation(), incarnation);
            append(&store).await;
            assert_eq!(store.events_after(0, 10).await.unwrap().len(), 3, "what is in the backup is kept");
            (newest, incarnation) = (store.newest_event().await.unwrap(), store.incarnation().to_owned());
            store.close().await;
            // The clock of the next one has moved on.
            while u64::try_from(millis(SystemTime::now())).unwrap() <= newest + 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}
