//! Which miner changed when: so that whoever follows the miners looks at those alone that changed since.
//!
//! Holds one entry for each miner, and a bounded memory of miners that left or got other labels. A reader that was away for
//! longer than that memory is told so and begins anew.

use super::Labels;
use mujina_core::id::MinerName;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Departures that are remembered: all of a fleet of this size may get other labels before a reader must begin anew.
const DEPARTURES: usize = 4096;

/// The order of all changes.
#[derive(Debug)]
pub(super) struct ChangeLog {
    state: Mutex<State>,
    told: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the newest change.
    revision: u64,
    /// The newest change of each miner that ever changed.
    newest: BTreeMap<u64, MinerName>,
    /// Oldest first.
    departures: VecDeque<Departure>,
    /// Of the newest departure that was forgotten.
    horizon: u64,
}

/// A miner left, or its labels were others until then.
#[derive(Debug, Clone)]
pub struct Departure {
    /// When.
    pub revision: u64,
    /// Which.
    pub miner: MinerName,
    /// Its labels until then.
    pub labels: Arc<Labels>,
}

/// What happened since a revision.
#[derive(Debug)]
pub struct News {
    /// Up to here.
    pub revision: u64,
    /// Whether nothing happened after that.
    pub is_all: bool,
    /// Miners that changed, each once and with its revision, in order. Some may have left again.
    pub changed: Vec<(u64, MinerName)>,
    /// Miners that left, or had other labels.
    pub departures: Vec<Departure>,
}

impl ChangeLog {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), told: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is written under the lock is written in steps that cannot panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revision(&self) -> u64 {
        self.state().revision
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// Gives a change of a miner its place. `apply` makes it visible, with that revision, and says which one the miner had
    /// before: nobody sees the one without the other.
    pub(super) fn changed(&self, miner: &MinerName, apply: impl FnOnce(u64) -> u64) {
        let mut state = self.state();
        state.revision += 1;
        let revision = state.revision;
        let before = apply(revision);
        if state.newest.get(&before).is_some_and(|name| name == miner) {
            state.newest.remove(&before);
        }
        state.newest.insert(revision, miner.clone());
        // With the lock held, so that a newer revision is never told before an older one.
        self.told.send_replace(revision);
    }

    /// Notes that a miner left, or that its labels are no longer these; `apply` makes that visible.
    pub(super) fn departed(&self, miner: &MinerName, labels: Arc<Labels>, apply: impl FnOnce()) {
        let mut state = self.state();
        state.revision += 1;
        let revision = state.revision;
        apply();
        state.departures.push_back(Departure { revision, miner: miner.clone(), labels });
        if state.departures.len() > DEPARTURES
            && let Some(forgotten) = state.departures.pop_front()
        {
            state.horizon = forgotten.revision;
        }
        // With the lock held, so that a newer revision is never told before an older one.
        self.told.send_replace(revision);
    }

    /// A miner that is gone needs no entry.
    pub(super) fn forget(&self, miner: &MinerName) {
        self.state().newest.retain(|_, name| name != miner);
    }

    /// What happened since, up to so many changes; `None` = that is no longer remembered, or it was another log.
    pub(super) fn since(&self, seen: u64, most: usize) -> Option<News> {
        let state = self.state();
        if seen < state.horizon || seen > state.revision {
            return None;
        }
        let mut rest = state.newest.range(seen.saturating_add(1)..);
        let changed: Vec<_> = rest.by_ref().take(most).map(|(at, name)| (*at, name.clone())).collect();
        let is_all = rest.next().is_none();
        let last = changed.last().map_or(seen, |(at, _)| *at);
        let revision = if is_all { state.revision } else { last };
        let happened = |one: &&Departure| one.revision > seen && one.revision <= revision;
        Some(News {
            revision,
            is_all,
            changed,
            departures: state.departures.iter().filter(happened).cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn name(text: &str) -> MinerName {
        text.parse().unwrap()
    }

    fn change(log: &ChangeLog, miner: &str, revision: &Cell<u64>) {
        log.changed(&name(miner), |next| revision.replace(next));
    }

    fn changed(log: &ChangeLog, seen: u64) -> Vec<String> {
        log.since(seen, 9).unwrap().changed.iter().map(|(_, name)| name.to_string()).collect()
    }

    #[test]
    fn miner_that_changed_often_is_told_of_once() {
        let log = ChangeLog::new();
        let (a, b) = (Cell::new(0), Cell::new(0));
        for _ in 0..3 {
            change(&log, "a", &a);
        }
        change(&log, "b", &b);
        assert_eq!(changed(&log, 0), ["a", "b"]);
        assert_eq!(changed(&log, 3), ["b"]);
        change(&log, "a", &a);
        assert_eq!(changed(&log, 4), ["a"]);
        assert_eq!(changed(&log, 0), ["b", "a"]);
        assert_eq!((a.get(), b.get(), log.revision()), (5, 4, 5));
    }

    #[test]
    fn reader_that_was_away_for_too_long_begins_anew() {
        let log = ChangeLog::new();
        for _ in 0..=DEPARTURES {
            log.departed(&name("a"), Arc::default(), || {});
        }
        assert!(log.since(0, 9).is_none());
        assert_eq!(log.since(1, 9).unwrap().departures.len(), DEPARTURES);
        assert!(log.since(log.revision() + 1, 9).is_none(), "a revision that never was");
    }

    #[test]
    fn miner_that_left_is_in_no_list_of_changes() {
        let log = ChangeLog::new();
        change(&log, "a", &Cell::new(0));
        log.forget(&name("a"));
        log.departed(&name("a"), Arc::default(), || {});
        let news = log.since(0, 9).unwrap();
        assert!(news.changed.is_empty());
        assert_eq!(news.departures.first().map(|one| one.miner.as_str()), Some("a"));
    }

    #[test]
    fn reader_in_steps_is_told_the_same_as_one_that_reads_all() {
        let log = ChangeLog::new();
        change(&log, "a", &Cell::new(0));
        log.departed(&name("gone"), Arc::default(), || {});
        for miner in ["b", "c"] {
            change(&log, miner, &Cell::new(0));
        }
        let (mut seen, mut told) = (0, Vec::new());
        while let Some(News { revision, is_all, changed, departures }) = log.since(seen, 1) {
            told.extend(changed.iter().map(|(_, name)| name.to_string()));
            told.extend(departures.iter().map(|one| one.miner.to_string()));
            seen = revision;
            if is_all {
                break;
            }
        }
        assert_eq!((told, seen), (["a", "b", "gone", "c"].map(str::to_owned).to_vec(), log.revision()));
    }
}
