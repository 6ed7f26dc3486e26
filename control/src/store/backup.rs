//! Copies of the database while it is in use, and bringing one back.

use super::{DATABASE, Store, StoreError, lock, private, refuse_newer};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

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
/// # Errors
/// See [`BackupError`]; the database is as it was then.
pub async fn restore(state_dir: &Path, backup: &Path) -> Result<Option<PathBuf>, BackupError> {
    let _lock = lock(state_dir)?;
    let path = state_dir.join(DATABASE);
    let new = state_dir.join("control.db.restoring");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| BackupError::File(path, error)
    };
    remove(&new).map_err(failed(&new))?;
    private(&new)?;
    fs::copy(backup, &new).map_err(failed(backup))?;
    prepare(&new, backup).await?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed(&new))?;
    let before = if path.exists() {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let aside = state_dir.join(format!("control.db.before-restore-{seconds}"));
        // What is in its log belongs to it.
        fold(&path).await?;
        fs::rename(&path, &aside).map_err(failed(&aside))?;
        Some(aside)
    } else {
        None
    };
    for companion in ["control.db-wal", "control.db-shm"] {
        let companion = state_dir.join(companion);
        remove(&companion).map_err(failed(&companion))?;
    }
    fs::rename(&new, &path).map_err(failed(&path))?;
    File::open(state_dir).and_then(|folder| folder.sync_all()).map_err(failed(state_dir))?;
    Ok(before)
}

/// Checks a copy, and gives it an incarnation of its own.
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
    let counted = sqlx::query("UPDATE identity SET restored = restored + 1").execute(&mut connection).await?;
    if counted.rows_affected() != 1 {
        return Err(damaged("it has no identity".into()));
    }
    connection.close().await?;
    Ok(())
}

/// Moves what is in the log of a database into its file.
async fn fold(path: &Path) -> Result<(), BackupError> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?;
    // A damaged one, which a restore is for, is set aside as it is.
    let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
    let _ = connection.close().await;
    Ok(())
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
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn backup_of_a_database_in_use_is_brought_back_as_another_incarnation() {
        let folder = tempfile::tempdir().unwrap();
        let (state, file) = (folder.path().join("state"), folder.path().join("backup.db"));
        let (store, lock) = Store::open(&state).await.unwrap();
        let mut write = store.write().await.unwrap();
        write.remember("a", "kept", "1").await.unwrap();
        write.commit().await.unwrap();
        Store::back_up(&state, &file).await.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Store::back_up(&state, &file).await, Err(BackupError::Exists(_))));
        let mut write = store.write().await.unwrap();
        write.remember("a", "lost", "2").await.unwrap();
        write.commit().await.unwrap();
        assert!(matches!(restore(&state, &file).await, Err(BackupError::Store(StoreError::InUse(_)))));
        let (id, before) = (store.database_id().to_owned(), store.incarnation().to_owned());
        store.close().await;
        drop(lock);
        let aside = restore(&state, &file).await.unwrap().unwrap();
        assert!(aside.exists());
        let (store, _lock) = Store::open(&state).await.unwrap();
        let mut write = store.write().await.unwrap();
        assert_eq!(write.answer("a", "kept").await.unwrap().as_deref(), Some("1"));
        assert_eq!(write.answer("a", "lost").await.unwrap(), None);
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
        for bytes in [b"not a database at all, but long enough to look like something".to_vec(), Vec::new()] {
            fs::write(&file, bytes).unwrap();
            assert!(restore(&state, &file).await.is_err());
        }
        assert!(restore(&state, &folder.path().join("missing")).await.is_err());
        let (store, _lock) = Store::open(&state).await.unwrap();
        assert_eq!((store.database_id(), store.incarnation()), (id.as_str(), format!("{id}.0").as_str()));
    }
}
