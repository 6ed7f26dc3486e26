//! What is kept of an enrolment: `home/` in the state folder, for its owner alone.
//!
//! Whoever writes there holds the folder's own lock: a data plane that calls home, an enrolment, or a `leave`. A miner that is
//! not enrolled yet can mine while it is being enrolled.

use super::url::HomeUrl;
use crate::state_dir::{StateDir, StateDirError};
use mujina_core::id::MinerName;
use mujina_proto::tls::{Identity, NewKey, Roots, TlsError, TokenId};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The folder within the state folder.
const FOLDER: &str = "home";
/// Key and certificates, in one file, so that a renewal is one rename.
const IDENTITY: &str = "identity.pem";
/// Whose word about the control plane is taken.
const AUTHORITY: &str = "authority.pem";
/// Where home is. Written last and removed first: with it, the enrolment is whole.
const HOME: &str = "home.json";
/// Begin of the names of keys whose certificate has not come yet.
const PENDING: &str = "pending-";
/// Far above a URL and a name.
const LIMIT: u64 = 16 * 1024;
/// What this program writes; raised when an older program could not understand the file.
const VERSION: u32 = 1;

/// Why what is kept of an enrolment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The folder.
    #[error("cannot use {0}; check the permissions of the state folder")]
    Folder(PathBuf, #[source] io::Error),
    /// Somebody else uses it.
    #[error("{0} is in use, by a mujina-dataplane that calls home or by another enrolment; stop that first")]
    InUse(PathBuf),
    /// Of another user: the service could not read what is written there, or this user cannot.
    #[error("{folder} belongs to another user; run this as that user, for example with `sudo -u '#{owner}'`", folder = folder.display())]
    Owner {
        /// The state folder.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Key and certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Not what this program wrote.
    #[error("{0} is damaged; enrol again with `--force`, or run `mujina-dataplane leave`")]
    Damaged(PathBuf),
    /// Written by a newer program.
    #[error("{path} has version {found} and this program knows up to {VERSION}; update the program", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Certificate and authority are of two enrolments.
    #[error("{0} holds parts of two enrolments, because one was interrupted; enrol again with `--force`")]
    Mixed(PathBuf),
}

/// The folder, locked until it is dropped.
#[derive(Debug)]
pub(crate) struct Files(StateDir);

/// Where home is, and who this miner is there.
#[derive(Debug)]
pub(crate) struct Home {
    pub(super) files: Files,
    pub(super) place: Place,
    pub(super) identity: Identity,
    pub(super) authority: Roots,
}

/// Where home is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) url: HomeUrl,
    pub(crate) name: MinerName,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    url: HomeUrl,
    name: MinerName,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Home {
    /// Reads what an enrolment left; `None` when there was none. Blocks.
    ///
    /// # Errors
    /// It cannot be used.
    pub(crate) fn find(state_dir: &Path) -> Result<Option<Self>, HomeError> {
        let folder = state_dir.join(FOLDER);
        if !folder.join(HOME).exists() {
            return Ok(None);
        }
        let files = Files::open(state_dir)?;
        let Some(place) = files.place()? else { return Ok(None) };
        let identity = Identity::load(&folder.join(IDENTITY))?;
        let authority = Roots::load(&folder.join(AUTHORITY))?;
        let own = identity.roots()?;
        if own.fingerprints().all(|one| authority.fingerprints().any(|known| known == one)) {
            Ok(Some(Self { files, place, identity, authority }))
        } else {
            Err(HomeError::Mixed(folder))
        }
    }
}

impl Files {
    /// Makes the folder if it is not there, and takes its lock. Blocks.
    ///
    /// # Errors
    /// Somebody else has it, or it cannot be had.
    pub(super) fn open(state_dir: &Path) -> Result<Self, HomeError> {
        check_owner(state_dir)?;
        match StateDir::open(&state_dir.join(FOLDER)) {
            Ok(folder) => Ok(Self(folder)),
            Err(StateDirError::InUse(folder)) => Err(HomeError::InUse(folder)),
            Err(StateDirError::Unusable(folder, error)) => Err(HomeError::Folder(folder, error)),
        }
    }

    /// Where home is, if this miner is enrolled.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn place(&self) -> Result<Option<Place>, HomeError> {
        let path = self.path(HOME);
        let content = self.0.read(HOME, LIMIT).map_err(|error| HomeError::Folder(path.clone(), error))?;
        let Some(content) = content else { return Ok(None) };
        let damaged = |_| HomeError::Damaged(path.clone());
        let Version { version } = serde_json::from_slice(&content).map_err(damaged)?;
        if version > VERSION {
            return Err(HomeError::Newer { path, found: version });
        }
        let Document { version: _, url, name } = serde_json::from_slice(&content).map_err(damaged)?;
        Ok(Some(Place { url, name }))
    }

    /// The key of an enrolment with this token that was begun before, or a new one, which is kept. Blocks.
    ///
    /// # Errors
    /// It cannot be read or kept.
    pub(super) fn pending_key(&self, token: TokenId) -> Result<NewKey, HomeError> {
        let path = self.path(&format!("{PENDING}{token}.pem"));
        if path.exists() {
            return Ok(NewKey::load(&path)?);
        }
        let key = NewKey::generate()?;
        key.save(&path)?;
        Ok(key)
    }

    /// Gives up keys whose certificate has not come. Blocks.
    pub(super) fn forget_pending(&self) {
        let names = fs::read_dir(self.0.path()).into_iter().flatten().flatten().map(|entry| entry.file_name());
        for name in names.filter(|name| name.to_str().is_some_and(|name| name.starts_with(PENDING))) {
            // One that stays is found by the next enrolment with that token, and does no harm.
            let _ = fs::remove_file(self.0.path().join(name));
        }
    }

    /// Keeps a new enrolment in the place of any before. Blocks.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn keep(&self, place: &Place, identity: &Identity, authority: &Roots) -> Result<(), HomeError> {
        let Place { url, name } = place.clone();
        let failed = |file: &str, error| HomeError::Folder(self.path(file), error);
        let mut text = serde_json::to_vec_pretty(&Document { version: VERSION, url, name })
            .map_err(|error| failed(HOME, error.into()))?;
        text.push(b'\n');
        identity.save(&self.path(IDENTITY))?;
        self.0.write(AUTHORITY, authority.to_pem().as_bytes()).map_err(|error| failed(AUTHORITY, error))?;
        self.0.write(HOME, &text).map_err(|error| failed(HOME, error))
    }

    /// Keeps a renewed certificate with its key. Blocks.
    ///
    /// # Errors
    /// It cannot be written; the one before is kept then.
    pub(super) fn renew(&self, identity: &Identity) -> Result<(), TlsError> {
        identity.save(&self.path(IDENTITY))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }
}

/// Ends an enrolment: removes everything of it, and tells whose it was; `None` = there was none. The certificate stays valid
/// until it expires or is revoked, but its key is gone. Blocks.
///
/// # Errors
/// The folder is in use or cannot be removed.
pub fn leave(state_dir: &Path) -> Result<Option<(HomeUrl, MinerName)>, HomeError> {
    let folder = state_dir.join(FOLDER);
    if !folder.exists() {
        return Ok(None);
    }
    let files = Files::open(state_dir)?;
    // What is damaged goes too.
    let place = files.place().ok().flatten();
    let failed = |error| HomeError::Folder(folder.clone(), error);
    match fs::remove_file(files.path(HOME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::remove_dir_all(&folder).map_err(failed)?;
    Ok(place.map(|Place { url, name }| (url, name)))
}

/// Files of root in the folder of a service that is not root could never be read by it.
fn check_owner(state_dir: &Path) -> Result<(), HomeError> {
    let owner = match fs::metadata(state_dir) {
        Ok(metadata) => metadata.uid(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(HomeError::Folder(state_dir.into(), error)),
    };
    if owner == nix::unistd::geteuid().as_raw() {
        Ok(())
    } else {
        Err(HomeError::Owner { folder: state_dir.into(), owner })
    }
}
