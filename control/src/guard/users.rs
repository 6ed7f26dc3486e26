//! Who the processes at the other end of the unix socket belong to.

use crate::access::Subject;
use nix::unistd::{Uid, User, geteuid};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Names of users, looked up once: a user that is renamed is known by the new name after a restart.
#[derive(Debug, Clone)]
pub(super) struct Users {
    own_uid: u32,
    names: Arc<Mutex<HashMap<u32, Option<String>>>>,
}

impl Users {
    pub(super) fn new() -> Self {
        Self { own_uid: geteuid().as_raw(), names: Arc::default() }
    }

    /// The subject that a process of this user is.
    pub(super) async fn subject(&self, uid: u32, gid: u32) -> Subject {
        Subject::unix_peer(uid, gid, self.name(uid).await, self.own_uid)
    }

    async fn name(&self, uid: u32) -> Option<String> {
        let known = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(&uid).cloned();
        if let Some(name) = known {
            return name;
        }
        // It may ask a server on the network.
        let look = move || User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        let name = tokio::task::spawn_blocking(look).await.ok().flatten();
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, name.clone());
        name
    }
}
