//! A spec that must be confirmed to stay: what it goes back to, and when.
//!
//! ```text
//! stays ──apply, confirm_within──▶ on trial ──confirm, or a change without──▶ stays
//!   ▲                                 │ └─▶ a change with confirm_within: on trial anew, back to the same
//!   └────────── time is up ───────────┘
//! ```
//! Pure. A change that cuts the miner off from whoever made it mends itself: nobody can confirm it.

use super::{
    SpecError, SpecParts,
    step::{Entry, Fresh},
};
use mujina_core::{
    id::Generation,
    spec::{MinerSpec, Problem, SpecOrigin},
    units::duration,
};
use std::time::{Duration, SystemTime};

/// Shortest time to confirm within: pools must be reached first.
pub(super) const SHORTEST: Duration = Duration::from_secs(10);
/// Longest.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What an entry that is not confirmed goes back to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trial {
    /// The last spec that stays.
    pub(crate) back_to: MinerSpec,
    /// How long it was given.
    pub(crate) within: Duration,
    /// When it goes back, by the wall clock.
    pub(crate) reverts_at: SystemTime,
}

impl Trial {
    /// Of a change to `current`.
    pub(super) fn begin(current: &Entry, within: Duration, now: SystemTime) -> Self {
        let back_to = current.trial.as_ref().map_or(&current.spec, |trial| &trial.back_to).clone();
        Self { back_to, within, reverts_at: now.checked_add(within).unwrap_or(now) }
    }

    /// How long it may still be confirmed. A wall clock that was set back meanwhile, or has no battery, gives no more time than
    /// there was.
    pub(super) fn left(&self, now: SystemTime) -> Duration {
        self.reverts_at.duration_since(now).unwrap_or_default().min(self.within)
    }
}

impl Trial {
    /// Whether a request for what is in force already asks for all that is on trial: who only wants the pause as it is has
    /// nothing to say of new pools.
    pub(super) fn is_vouched_for(&self, tried: &MinerSpec, parts: SpecParts) -> bool {
        let MinerSpec { pool_groups, paused, boards } = &self.back_to;
        (parts.pool_groups || *pool_groups == tried.pool_groups)
            && (parts.paused || *paused == tried.paused)
            && (parts.boards || *boards == tried.boards)
    }
}

/// What is wrong with a time to confirm within.
pub(super) fn problem(within: Duration) -> Option<Problem> {
    let reason = || format!("is {}; use 10s to 24h, or leave it out to keep the change", duration::human(within));
    (!(SHORTEST..=LONGEST).contains(&within)).then(|| Problem { field: "confirm_within".into(), reason: reason() })
}

/// The entry as one that stays; `None` = it does already.
pub(super) fn confirm(current: &Entry, generation: Generation) -> Result<Option<Entry>, SpecError> {
    if current.generation != generation {
        return Err(SpecError::OtherGeneration { asked: generation, current: current.generation });
    }
    Ok(current.trial.is_some().then(|| Entry { trial: None, ..current.clone() }))
}

/// The entry that follows one that was not confirmed; `None` = this one stays.
pub(super) fn revert(current: &Entry, fresh: Fresh) -> Option<Entry> {
    let Trial { back_to, .. } = current.trial.clone()?;
    Some(Entry {
        spec: back_to,
        generation: current.generation.next(),
        etag: fresh.etag,
        origin: SpecOrigin::Reverted,
        control_generation: current.control_generation,
        accepted_at: fresh.now,
        trial: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{
        SpecRequest,
        begin::{Beginning, Found, Record, begin},
        fixtures::{draft, entry, fresh, groups, moment, pause, request},
        step::{Decision, Repeats, decide},
    };

    const MINUTE: Duration = Duration::from_secs(60);

    fn asked(user: &str, confirm_within: Option<Duration>) -> SpecRequest {
        SpecRequest { confirm_within, ..request(draft(user)) }
    }

    fn accepted(current: &Entry, request: &SpecRequest, number: u64) -> Entry {
        match decide(current, &Repeats::default(), request, fresh(number)) {
            Decision::Accepted(accepted) => accepted.entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unconfirmed_change_goes_back_as_a_new_generation_of_the_same_desired_state() {
        let current = entry(groups("alice"));
        let changed = accepted(&current, &asked("bob", Some(MINUTE)), 1);
        assert_eq!(changed.trial.as_ref().unwrap().reverts_at, moment(1001 + 60));
        let back = revert(&changed, fresh(2)).unwrap();
        assert_eq!(back.spec, current.spec);
        assert_eq!((back.generation, back.origin), (changed.generation.next(), SpecOrigin::Reverted));
        assert_eq!((back.control_generation, back.trial.clone()), (current.control_generation, None));
        assert_eq!(revert(&back, fresh(3)), None);
    }

    #[test]
    fn second_trial_goes_back_to_the_last_spec_that_was_confirmed() {
        let current = entry(groups("alice"));
        let first = accepted(&current, &asked("bob", Some(MINUTE)), 1);
        let second = accepted(&first, &asked("carol", Some(MINUTE)), 2);
        assert_eq!(revert(&second, fresh(3)).unwrap().spec, current.spec);
        let confirmed = confirm(&first, first.generation).unwrap().unwrap();
        let third = accepted(&confirmed, &asked("carol", Some(MINUTE)), 4);
        assert_eq!(revert(&third, fresh(5)).unwrap().spec, first.spec);
    }

    #[test]
    fn later_change_that_stays_ends_the_trial_even_if_it_changes_nothing_else() {
        let first = accepted(&entry(groups("alice")), &asked("bob", Some(MINUTE)), 1);
        for user in ["bob", "carol"] {
            let after = accepted(&first, &asked(user, None), 2);
            assert_eq!((after.trial, after.spec.pool_groups), (None, groups(user)));
        }
        let resumed = decide(&first, &Repeats::default(), &pause(false), fresh(3));
        assert_eq!(
            resumed,
            Decision::Unchanged(Vec::new()),
            "who resumes what is not paused says nothing of its pools"
        );
        let same = decide(&first, &Repeats::default(), &asked("bob", Some(MINUTE)), fresh(3));
        assert_eq!(same, Decision::Unchanged(Vec::new()), "asking again does not put the end off");
    }

    #[test]
    fn confirmation_is_of_one_generation_and_may_be_repeated() {
        let changed = accepted(&entry(groups("alice")), &asked("bob", Some(MINUTE)), 1);
        let kept = confirm(&changed, changed.generation).unwrap().unwrap();
        assert_eq!(kept, Entry { trial: None, ..changed.clone() });
        assert_eq!(confirm(&kept, kept.generation), Ok(None));
        let current = changed.generation;
        for asked in [Generation(7), current.next()] {
            assert_eq!(confirm(&changed, asked), Err(SpecError::OtherGeneration { asked, current }));
        }
    }

    #[test]
    fn time_to_confirm_has_bounds() {
        for within in [SHORTEST, MINUTE, LONGEST] {
            assert_eq!(problem(within), None);
        }
        for within in [Duration::ZERO, SHORTEST - Duration::from_millis(1), LONGEST + Duration::from_secs(1)] {
            let refused = decide(&entry(groups("alice")), &Repeats::default(), &asked("bob", Some(within)), fresh(1));
            let Decision::Refused(SpecError::Invalid(problems)) = refused else { panic!("{refused:?}") };
            assert_eq!(problems.0.first().unwrap().field, "confirm_within");
        }
    }

    #[test]
    fn clock_that_is_wrong_after_a_restart_gives_no_more_time_than_there_was() {
        let trial = Trial::begin(&entry(groups("alice")), MINUTE, moment(0));
        assert_eq!(trial.left(moment(50)), Duration::from_secs(10));
        assert_eq!(trial.left(moment(61)), Duration::ZERO);
        assert_eq!(trial.left(SystemTime::UNIX_EPOCH), MINUTE);
    }

    #[test]
    fn start_goes_back_when_the_time_is_up_and_else_goes_on_with_the_trial() {
        let changed = accepted(&entry(groups("alice")), &asked("bob", Some(MINUTE)), 1);
        let record = Record { entry: changed.clone(), configured: None };
        let (early, beginning) = begin(Found::Stored(record.clone()), None, fresh(60));
        assert_eq!((&early.entry, beginning), (&changed, Beginning::Stored));
        let (late, beginning) = begin(Found::Stored(record.clone()), None, fresh(61));
        assert_eq!((late.entry.spec.pool_groups, beginning), (groups("alice"), Beginning::Reverted));
        assert_eq!(late.entry.origin, SpecOrigin::Reverted);
        let (configured, beginning) = begin(Found::Stored(record), Some(groups("carol")), fresh(61));
        assert_eq!((configured.entry.spec.pool_groups, beginning), (groups("carol"), Beginning::Configured));
        assert_eq!(configured.entry.trial, None);
    }
}
