//! With which spec a process begins: the stored one, what its configuration says, or none at all and paused.
//!
//! Pure. The configuration wins over the stored spec only when it says something else than at the last start: an operator
//! who changed the pool at run time keeps it over restarts, and one who edits the configuration is heard.

use super::{
    step::{Entry, Fresh},
    trial,
};
use mujina_core::{
    id::Generation,
    pool::{PoolGroup, PoolSpec},
    spec::{MinerSpec, SpecOrigin},
};

/// What was found on disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// Nothing: the first start.
    Nothing,
    /// A good spec.
    Stored(Record),
    /// Something that cannot be used; it was set aside.
    Unreadable,
}

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) entry: Entry,
    /// What the configuration said at the newest start; see [`fingerprint`].
    pub(crate) configured: Option<String>,
}

/// Why the entry is what it is, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// No spec was stored.
    First,
    /// The stored spec goes on.
    Stored,
    /// The stored spec was to be confirmed, and was not in time.
    Reverted,
    /// The configuration changed since the last start.
    Configured,
    /// The stored spec is lost.
    Recovery,
}

/// Decides with what to begin. `configured` are the pools that the configuration names, if it names any.
pub(crate) fn begin(found: Found, configured: Option<Vec<PoolGroup>>, fresh: Fresh) -> (Record, Beginning) {
    let print = configured.as_deref().map(fingerprint);
    let first = |paused, origin, fresh: Fresh| Entry {
        spec: MinerSpec { pool_groups: configured.clone().unwrap_or_default(), paused, ..MinerSpec::default() },
        generation: Generation(1),
        etag: fresh.etag,
        origin,
        control_generation: Generation(0),
        accepted_at: fresh.now,
        trial: None,
    };
    let (entry, beginning) = match found {
        Found::Nothing => (first(false, SpecOrigin::Configuration, fresh), Beginning::First),
        Found::Unreadable => (first(true, SpecOrigin::Recovery, fresh), Beginning::Recovery),
        Found::Stored(Record { entry, configured: before }) => {
            let overdue = entry.trial.as_ref().is_some_and(|trial| trial.left(fresh.now).is_zero());
            let reverted = overdue.then(|| trial::revert(&entry, fresh.clone())).flatten();
            let (entry, beginning) = match reverted {
                Some(reverted) => (reverted, Beginning::Reverted),
                None => (entry, Beginning::Stored),
            };
            match configured {
                Some(groups) if print != before && groups != entry.spec.pool_groups => {
                    (reconfigured(&entry, groups, fresh), Beginning::Configured)
                }
                _ => (entry, beginning),
            }
        }
    };
    (Record { entry, configured: print }, beginning)
}

/// Other pools; all else as it was, and it stays. A lost spec stays lost: the configuration does not speak of the pause.
fn reconfigured(entry: &Entry, pool_groups: Vec<PoolGroup>, fresh: Fresh) -> Entry {
    let origin = match entry.origin {
        SpecOrigin::Recovery => SpecOrigin::Recovery,
        SpecOrigin::Configuration | SpecOrigin::Local | SpecOrigin::Control | SpecOrigin::Reverted => {
            SpecOrigin::Configuration
        }
    };
    Entry {
        spec: MinerSpec { pool_groups, ..entry.spec.clone() },
        generation: entry.generation.next(),
        etag: fresh.etag,
        origin,
        control_generation: entry.control_generation,
        accepted_at: fresh.now,
        trial: None,
    }
}

/// Changes if and only if the configured pools do: SHA-256 over all their fields, each with its length before it.
fn fingerprint(groups: &[PoolGroup]) -> String {
    use bitcoin::hashes::{Hash, sha256};
    let mut text = String::new();
    let mut put = |field: &str| text.push_str(&format!("{}:{field}", field.len()));
    for PoolGroup { name, strategy, pools } in groups {
        put(name.as_str());
        put(&format!("{strategy:?}"));
        for PoolSpec { name, endpoint, user, password, nominal_hash_rate, quota, options } in pools {
            put(name.as_str());
            put(&endpoint.to_string());
            put(user);
            put(password.as_ref().map_or("", |secret| secret.expose()));
            put(&nominal_hash_rate.map_or(String::new(), |rate| rate.hashes_per_second().to_string()));
            put(&quota.to_string());
            put(&format!("{options:?}"));
        }
    }
    sha256::Hash::hash(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::fixtures::{entry, fresh, groups};

    #[test]
    fn first_start_takes_what_the_configuration_says() {
        let (record, beginning) = begin(Found::Nothing, Some(groups("alice")), fresh(1));
        assert_eq!(beginning, Beginning::First);
        assert_eq!((record.entry.generation, record.entry.origin), (Generation(1), SpecOrigin::Configuration));
        assert_eq!(
            record.entry.spec,
            MinerSpec { pool_groups: groups("alice"), paused: false, ..MinerSpec::default() }
        );
    }

    #[test]
    fn stored_spec_outlives_a_configuration_that_says_the_same_as_before() {
        let (before, _) = begin(Found::Nothing, Some(groups("alice")), fresh(1));
        let changed = Record { entry: entry(groups("bob")), ..before };
        let (after, beginning) = begin(Found::Stored(changed.clone()), Some(groups("alice")), fresh(2));
        assert_eq!((after, beginning), (changed, Beginning::Stored));
    }

    #[test]
    fn changed_configuration_wins_once_and_keeps_the_pause() {
        let mut stored = Record { entry: entry(groups("bob")), configured: Some(fingerprint(&groups("alice"))) };
        stored.entry.spec.paused = true;
        let (after, beginning) = begin(Found::Stored(stored.clone()), Some(groups("carol")), fresh(2));
        assert_eq!(beginning, Beginning::Configured);
        assert_eq!(after.entry.spec, MinerSpec { pool_groups: groups("carol"), paused: true, ..MinerSpec::default() });
        assert_eq!(after.entry.generation, stored.entry.generation.next());
        assert_eq!(after.entry.origin, SpecOrigin::Configuration);
        assert_ne!(after.entry.etag, stored.entry.etag);
        let (again, beginning) = begin(Found::Stored(after.clone()), Some(groups("carol")), fresh(3));
        assert_eq!((again, beginning), (after, Beginning::Stored));
    }

    #[test]
    fn silent_configuration_leaves_the_stored_spec_and_is_heard_when_it_speaks_again() {
        let stored = Record { entry: entry(groups("bob")), configured: Some(fingerprint(&groups("alice"))) };
        let (silent, beginning) = begin(Found::Stored(stored), None, fresh(2));
        assert_eq!((silent.configured.as_ref(), beginning), (None, Beginning::Stored));
        let (again, beginning) = begin(Found::Stored(silent), Some(groups("alice")), fresh(3));
        assert_eq!((again.entry.spec.pool_groups, beginning), (groups("alice"), Beginning::Configured));
    }

    #[test]
    fn lost_spec_means_paused_over_restarts_until_somebody_writes() {
        let (lost, beginning) = begin(Found::Unreadable, Some(groups("alice")), fresh(1));
        assert_eq!(beginning, Beginning::Recovery);
        assert_eq!(lost.entry.spec, MinerSpec { pool_groups: groups("alice"), paused: true, ..MinerSpec::default() });
        assert_eq!(lost.entry.origin, SpecOrigin::Recovery);
        let (after, _) = begin(Found::Stored(lost), Some(groups("bob")), fresh(2));
        assert_eq!((after.entry.origin, after.entry.spec.paused), (SpecOrigin::Recovery, true));
    }

    #[test]
    fn fingerprint_tells_every_field_apart() {
        let with = |edit: fn(&mut PoolSpec)| {
            let mut changed = groups("alice");
            edit(&mut changed[0].pools[0]);
            fingerprint(&changed)
        };
        let prints = [
            with(|_| {}),
            with(|pool| pool.user = "alicex".into()),
            with(|pool| pool.password = Some("x".into())),
            with(|pool| pool.name = "other".parse().unwrap()),
            with(|pool| pool.endpoint = "stratum+tcp://pool.example".parse().unwrap()),
        ];
        for (i, print) in prints.iter().enumerate() {
            assert!(!prints[..i].contains(print), "{i}");
        }
    }
}
