//! What people see of the source.

use super::{Now, State};
use crate::source::{ChannelSnapshot, PoolSnapshot, Snapshot, connection::Connection, selector::Selector};
use mujina_core::status::{PoolRole, PoolState};

impl State {
    pub(in crate::source) fn snapshot(&self, now: Now) -> Snapshot {
        let live = self.live.and_then(|id| self.connections.get(&id));
        let pools: Vec<PoolSnapshot> = self
            .entries
            .iter()
            .map(|entry| {
                let newest = self.newest_of(&entry.spec);
                let split = self.quotas.split(&entry.spec.name);
                let mut pool = entry.snapshot(newest, (PoolRole::None, split), (now.at, now.wall));
                pool.role = match newest {
                    Some(connection) => self.role(connection),
                    None if pool.state == PoolState::Idle => PoolRole::None,
                    None => PoolRole::Connecting,
                };
                pool
            })
            .collect();
        let channels = self.connections.values().filter_map(|one| {
            one.spec.as_ref()?;
            Some(ChannelSnapshot {
                pool: one.pool.clone(),
                authority_fingerprint: one.authority_fingerprint.clone(),
                role: self.role(one),
                connection: one.snapshot(),
            })
        });
        Snapshot {
            live: live.filter(|connection| connection.spec.is_some()).map(|connection| connection.pool.clone()),
            synthetic: live.is_some_and(|connection| connection.spec.is_none()),
            channels: channels.collect(),
            pools,
            configured: self.configured,
            settled: if self.is_settled(now) { self.configured } else { self.configured.saturating_sub(1) },
            pin: self.pin.as_ref().map(|pin| pin.shown.clone()),
            transitions: self.transitions.list(),
        }
    }

    fn role(&self, connection: &Connection) -> PoolRole {
        if self.live == Some(connection.id) {
            PoolRole::Live
        } else if connection.is_closing() {
            PoolRole::Draining
        } else if connection.is_usable() {
            PoolRole::Standby
        } else {
            PoolRole::Connecting
        }
    }

    fn is_settled(&self, now: Now) -> bool {
        let nobody_leaves = self.connections.values().all(|connection| self.is_wanted(connection));
        let works = match self.live.and_then(|id| self.connections.get(&id)) {
            Some(live) => {
                live.is_usable() && self.is_wanted(live) && (self.entries.is_empty() || !self.is_waiting(now))
            }
            None => self.entries.is_empty() && !self.synthetic,
        };
        self.configured > 0 && nobody_leaves && works
    }

    /// Whether a preferred pool has not had its chance yet.
    fn is_waiting(&self, now: Now) -> bool {
        let usable = |spec| self.newest_of(spec).is_some_and(Connection::is_usable);
        // Whose turn it is plays no part here.
        let live = self.standing().live;
        let candidates: Vec<_> = self
            .entries
            .iter()
            .enumerate()
            .map(|(at, entry)| entry.candidate(usable(&entry.spec), live == Some(at)))
            .collect();
        Selector { candidates: &candidates, standing: self.standing(), policy: &self.policy, now: now.at }.is_waiting()
    }
}
