//! The folder that keeps what must survive a restart: one process at a time, and files that are whole or absent.
//!
//! Used by `identity` and `spec`; telemetry keeps its database beside them. A file is replaced by writing a new one and
//! renaming it, both forced to the disk, so that a power cut leaves the old or the new content and nothing between.

use rand::Rng;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Held by the process that uses the folder.
const LOCK_FILE: &str = "lock";

/// Files that can be set aside under one name: a clock that starts at the same second every time makes them alike.
const MOST_ASIDE: u32 = 1000;

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Not there and not to be made, or not to be written.
    #[error("cannot use the state folder {0}; check that it can be made and written, or set another `state_dir`")]
    Unusable(PathBuf, #[source] io::Error),
    /// Another process holds the lock.
    #[error("another mujina-dataplane uses the state folder {0}; stop it or set another `state_dir`")]
    InUse(PathBuf),
}

/// The folder, locked until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
    _lock: Arc<File>,
}

impl StateDir {
    /// Makes the folder (mode 0700) if it is not there, and takes its lock.
    ///
    /// # Errors
    /// See [`StateDirError`].
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let unusable = |error| StateDirError::Unusable(path.into(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(path.join(LOCK_FILE)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _lock: Arc::new(lock) }),
            Err(TryLockError::WouldBlock) => Err(StateDirError::InUse(path.into())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Content of one of its files; `None` when there is none. More than `limit` bytes are an error.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut content = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
        match u64::try_from(content.len()) {
            Ok(size) if size <= limit => Ok(Some(content)),
            _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} has more than {limit} bytes"))),
        }
    }

    /// Replaces one of its files (mode 0600) by new content, wholly or not at all. Blocks until it is on the disk.
    ///
    /// # Errors
    /// What the system says; the old content is kept then.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let fresh = self.path.join(format!(".{name}.{:016x}", rand::rng().random::<u64>()));
        let written = self.write_new(&fresh, content).and_then(|()| fs::rename(&fresh, self.path.join(name)));
        if let Err(error) = written {
            // Often it was never made.
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        self.sync()
    }

    /// Gives one of its files another name that begins with `to` and that no file has yet, and returns it. Blocks until
    /// that is on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_aside(&self, from: &str, to: &str) -> io::Result<String> {
        let mut names = std::iter::once(to.to_owned()).chain((2..=MOST_ASIDE).map(|number| format!("{to}-{number}")));
        let free = names.find(|name| !self.path.join(name).exists());
        let name = free.ok_or_else(|| io::Error::other(format!("there are {MOST_ASIDE} files named {to} already")))?;
        fs::rename(self.path.join(from), self.path.join(&name))?;
        self.sync()?;
        Ok(name)
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folder_has_one_user_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/state");
        let first = StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(matches!(StateDir::open(&path), Err(StateDirError::InUse(_))));
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn written_file_is_private_whole_and_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        assert_eq!(folder.read("a", 9).unwrap(), None);
        folder.write("a", b"one").unwrap();
        folder.write("a", b"two").unwrap();
        assert_eq!(folder.read("a", 3).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(folder.read("a", 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(fs::metadata(root.path().join("a")).unwrap().permissions().mode() & 0o777, 0o600);
        let mut names: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a", "lock"]);
    }

    #[test]
    fn failed_write_keeps_the_old_content() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        // A folder of that name cannot be replaced by a file.
        fs::create_dir(root.path().join("a")).unwrap();
        folder.write("a", b"new").unwrap_err();
        assert!(root.path().join("a").is_dir());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn place_where_no_folder_can_be_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = StateDir::open(&file.join("state")).unwrap_err();
        assert!(error.to_string().contains("file/state"), "{error}");
    }
}
