//! Calls of others that are handed on to one miner at a time.
//!
//! All of them together are a quarter of what a connection takes, so that ours find room on it, and answers that nobody reads
//! cost 4 MiB for a miner at most. Whoever only looks leaves room to those that change something, and no person takes all.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Calls that look, in all and of one person.
const LOOKS: (usize, usize) = (48, 32);
/// Calls that change something, in all and of one person.
const CHANGES: (usize, usize) = (16, 12);

/// The places of one miner. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    looks: Kind,
    changes: Kind,
}

/// Calls of one kind, by person; nobody stands there with none.
#[derive(Debug, Default)]
struct Kind(BTreeMap<String, usize>);

/// A place, until it is dropped.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub(crate) struct Place {
    places: Places,
    person: String,
    changes: bool,
}

impl Places {
    /// A place for a call of `person` that `changes` something, or only looks; `None` = there are too many of its kind.
    pub(super) fn take(&self, person: String, changes: bool) -> Option<Place> {
        let is_free = {
            let (mut taken, bounds) = (self.taken(), if changes { CHANGES } else { LOOKS });
            taken.kind(changes).take(&person, bounds)
        };
        is_free.then(|| Place { places: self.clone(), person, changes })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // What is written under the lock is whole at each step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn kind(&mut self, changes: bool) -> &mut Kind {
        if changes { &mut self.changes } else { &mut self.looks }
    }
}

impl Kind {
    fn take(&mut self, person: &str, (most, of_one): (usize, usize)) -> bool {
        let all: usize = self.0.values().sum();
        let own = self.0.get(person).copied().unwrap_or_default();
        let is_free = all < most && own < of_one;
        if is_free {
            self.0.insert(person.to_owned(), own + 1);
        }
        is_free
    }

    fn give_back(&mut self, person: &str) {
        if let Some(own) = self.0.get_mut(person) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.0.remove(person);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().kind(self.changes).give_back(&self.person);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_looks_keeps_others_from_looking_or_changing() {
        let places = Places::default();
        let take = |person: &str, changes| places.take(person.into(), changes);
        let greedy: Vec<_> = (0..100).filter_map(|_| take("viewer", false)).collect();
        assert_eq!(greedy.len(), LOOKS.1);
        let others: Vec<_> = (0..100).filter_map(|i| take(&format!("other{i}"), false)).collect();
        assert_eq!(others.len(), LOOKS.0 - LOOKS.1);
        let changes: Vec<_> = (0..100).filter_map(|_| take("operator", true)).collect();
        assert_eq!(changes.len(), CHANGES.1);
        assert!(take("other", true).is_some());
        assert!(take("new", false).is_none());
        drop(others);
        assert!(take("viewer", false).is_none());
        assert!(take("new", false).is_some());
        drop((greedy, changes));
        let taken = places.taken();
        assert!(taken.looks.0.is_empty() && taken.changes.0.is_empty());
    }
}
