//! Where the services keep their state and their sockets unless told otherwise, so that the command line finds them.

use std::{ffi::OsStr, path::PathBuf};

/// File name of the data plane's socket within its state folder.
pub const MINER_SOCKET: &str = "api.sock";
/// File name of the control plane's socket within its state folder.
pub const CONTROL_SOCKET: &str = "control.sock";

/// `$XDG_STATE_HOME/mujina`, else `$HOME/.local/state/mujina`, else `/var/lib/mujina`. Empty and relative values are not
/// said. Source: XDG Base Directory Specification.
#[must_use]
pub fn default_state_dir(xdg_state_home: Option<&OsStr>, home: Option<&OsStr>) -> PathBuf {
    let absolute = |value: Option<&OsStr>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg_state_home)
        .or_else(|| absolute(home).map(|home| home.join(".local/state")))
        .map_or_else(|| PathBuf::from("/var/lib/mujina"), |state| state.join("mujina"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_follows_the_users_wishes_then_the_home_then_the_system() {
        let at = |xdg: &str, home: &str| default_state_dir(Some(OsStr::new(xdg)), Some(OsStr::new(home)));
        assert_eq!(at("/x", "/h"), PathBuf::from("/x/mujina"));
        assert_eq!(at("x", "/h"), PathBuf::from("/h/.local/state/mujina"));
        assert_eq!(at("", ""), PathBuf::from("/var/lib/mujina"));
    }
}
