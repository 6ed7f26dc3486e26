//! Who this miner is: an id that it keeps, one that changes with every start, and a name for people.
//!
//! Made once by `run`, shown by telemetry and the API. The miner id lives in the state folder, so that a control plane
//! knows the miner again whatever its name and address become.

use crate::state_dir::StateDir;
use mujina_core::{
    id::{MinerId, NameError},
    text::sanitise,
};
use std::{io, path::PathBuf};
use uuid::Uuid;

/// File of the miner id within the state folder.
const ID_FILE: &str = "miner-id";
/// A miner id has at most 63 characters; the rest is room for blanks.
const ID_FILE_LIMIT: u64 = 256;
/// Longest name in bytes.
pub const MAX_NAME: usize = 63;
/// Name of a miner whose machine has none either.
const NAMELESS: &str = "miner";

/// Why a miner does not know who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or made.
    #[error("cannot read or make {0}; check the permissions of the state folder")]
    File(PathBuf, #[source] io::Error),
    /// The file holds something else.
    #[error("{0} holds no miner id; restore it, or remove it to become a new miner")]
    Damaged(PathBuf, #[source] NameError),
}

/// Who this miner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Made at the first start and kept.
    pub miner_id: MinerId,
    /// Changes with every start.
    pub boot_id: String,
    /// For people: 1 to 63 bytes of visible text.
    pub name: String,
}

impl Identity {
    /// Reads the miner id, or makes it. Without a `name` the machine's is used. Blocks.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn load(folder: &StateDir, name: Option<&str>) -> Result<Self, IdentityError> {
        let name = name.map_or_else(|| machine_name().unwrap_or_else(|| NAMELESS.into()), str::to_owned);
        Ok(Self { miner_id: miner_id(folder)?, boot_id: Uuid::new_v4().to_string(), name })
    }
}

fn miner_id(folder: &StateDir) -> Result<MinerId, IdentityError> {
    let path = || folder.path().join(ID_FILE);
    let failed = |error| IdentityError::File(path(), error);
    if let Some(content) = folder.read(ID_FILE, ID_FILE_LIMIT).map_err(failed)? {
        let text = String::from_utf8_lossy(&content);
        return text.trim().parse().map_err(|error| IdentityError::Damaged(path(), error));
    }
    let id = Uuid::new_v4().to_string();
    folder.write(ID_FILE, format!("{id}\n").as_bytes()).map_err(failed)?;
    Ok(id.parse().expect("a UUID is a label: 36 characters of 0-9, a-f and '-'"))
}

/// The host name, if it is fit to be seen.
pub(crate) fn machine_name() -> Option<String> {
    let host = nix::unistd::gethostname().ok()?;
    let name = sanitise(&host.to_string_lossy(), MAX_NAME).trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// Takes a name as its owner wrote it.
///
/// # Errors
/// What is wrong with it and what to do.
pub fn check_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    if name.is_empty() {
        Err("is empty; give a name, or leave it out to use the machine's".into())
    } else if name.len() > MAX_NAME {
        Err(format!("has {} bytes; use at most {MAX_NAME}", name.len()))
    } else if sanitise(name, MAX_NAME) != name {
        Err("contains characters that cannot be seen; remove them".into())
    } else {
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn miner_keeps_its_id_and_changes_its_boot() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        let first = Identity::load(&folder, Some("rig1")).unwrap();
        let second = Identity::load(&folder, None).unwrap();
        assert_eq!(first.miner_id, second.miner_id);
        assert_ne!(first.boot_id, second.boot_id);
        assert_eq!(first.name, "rig1");
        assert!(check_name(&second.name).is_ok(), "{}", second.name);
    }

    #[test]
    fn two_miners_have_two_ids() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = |path| miner_id(&StateDir::open(path).unwrap()).unwrap();
        assert_ne!(id(one.path()), id(other.path()));
    }

    #[test]
    fn damaged_id_is_never_replaced_silently() {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        for content in ["", "Not An Id", "\u{0}\u{0}"] {
            fs::write(root.path().join(ID_FILE), content).unwrap();
            let error = miner_id(&folder).unwrap_err();
            assert!(matches!(error, IdentityError::Damaged(..)), "{error}");
            assert_eq!(fs::read_to_string(root.path().join(ID_FILE)).unwrap(), content);
        }
    }

    #[test]
    fn names_are_short_and_visible() {
        assert_eq!(check_name(" garage rig "), Ok("garage rig".into()));
        for bad in ["", "  ", "a\u{202e}b", "a\nb", &"a".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
