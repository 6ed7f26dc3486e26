//! Files that hold keys: whole or absent whatever happens, and readable by their owner alone.

use super::TlsError;
use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Far above any key with its chain.
const LONGEST: u64 = 64 * 1024;
/// The owner may read and write, nobody else.
const PRIVATE: u32 = 0o600;
/// Anybody may read.
const PUBLIC: u32 = 0o644;

/// Reads a file that must belong to its owner alone.
///
/// # Errors
/// Others may read it, it is far too long, or it cannot be read.
pub fn read_private(path: &Path) -> Result<String, TlsError> {
    let failed = |error| TlsError::Read(path.into(), error);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed { path: path.into(), mode });
    }
    bounded(file, path)
}

/// Reads a file that anybody may see.
///
/// # Errors
/// It is far too long, or it cannot be read.
pub(super) fn read_public(path: &Path) -> Result<String, TlsError> {
    bounded(File::open(path).map_err(|error| TlsError::Read(path.into(), error))?, path)
}

fn bounded(file: File, path: &Path) -> Result<String, TlsError> {
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| TlsError::Read(path.into(), error))?;
    if text.len() as u64 > LONGEST { Err(TlsError::TooLong(path.into())) } else { Ok(text) }
}

/// Writes a file for its owner alone, in the place of any that was there.
///
/// # Errors
/// It cannot be written; the old one is as it was.
pub fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    write(path, text, PRIVATE, |new| fs::rename(new, path)).map_err(|error| TlsError::Write(path.into(), error))
}

/// Writes a file for its owner alone, unless there is one.
///
/// # Errors
/// There is one (`AlreadyExists`), or it cannot be written.
pub fn create_private(path: &Path, text: &str) -> Result<(), TlsError> {
    let place = |new: &Path| fs::hard_link(new, path).and_then(|()| fs::remove_file(new));
    write(path, text, PRIVATE, place).map_err(|error| TlsError::Write(path.into(), error))
}

/// Writes a file that anybody may read, in the place of any that was there.
///
/// # Errors
/// It cannot be written; the old one is as it was.
pub fn write_public(path: &Path, text: &str) -> Result<(), TlsError> {
    write(path, text, PUBLIC, |new| fs::rename(new, path)).map_err(|error| TlsError::Write(path.into(), error))
}

/// Writes beside the file, syncs, puts the new one in its place, syncs the folder.
fn write(path: &Path, text: &str, mode: u32, place: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let new = beside(path)?;
    // Left by a writer that was killed; never opened, because somebody may have put a link there.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&new)?;
        // The mask of the process may have taken more away.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        place(&new)
    })();
    if written.is_err() {
        // The error that matters is the first.
        let _ = fs::remove_file(&new);
    }
    written?;
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let mut new = std::ffi::OsString::from(".");
    new.push(name);
    new.push(".new");
    Ok(path.with_file_name(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn private_file_is_replaced_whole_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.pem");
        // Left by a writer that was killed; with a link in its place nothing may be written through it.
        let victim = folder.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(".identity.pem.new")).unwrap();
        for text in ["first", "second"] {
            write_private(&path, text).unwrap();
            assert_eq!(read_private(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(names(folder.path()), ["identity.pem", "victim"]);
    }

    #[test]
    fn file_that_others_can_read_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.pem");
        write_private(&path, "key").unwrap();
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = read_private(&path).unwrap_err();
            assert!(matches!(error, TlsError::Exposed { mode: found, .. } if found == mode), "{error:?}");
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
    }

    #[test]
    fn created_file_is_never_put_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.pem");
        create_private(&path, "first").unwrap();
        let error = create_private(&path, "second").unwrap_err();
        assert!(
            matches!(&error, TlsError::Write(_, cause) if cause.kind() == io::ErrorKind::AlreadyExists),
            "{error:?}"
        );
        assert_eq!(read_private(&path).unwrap(), "first");
        assert_eq!(names(folder.path()), ["authority.pem"]);
    }

    #[test]
    fn endless_and_missing_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.pem");
        write_private(&path, &"x".repeat(64 * 1024 + 1)).unwrap();
        assert!(matches!(read_private(&path), Err(TlsError::TooLong(_))));
        assert!(matches!(read_private(&folder.path().join("none.pem")), Err(TlsError::Read(..))));
        assert!(matches!(write_private(&folder.path().join("no/folder.pem"), "x"), Err(TlsError::Write(..))));
    }
}
