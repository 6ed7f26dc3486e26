use super::*;
use crate::spec::{
    SpecParts,
    fixtures::{draft, draft_with_password, entry, fresh, groups, moment, pause, request},
};
use mujina_core::spec::SpecState;
use proptest::prelude::*;

fn current() -> Entry {
    entry(draft_with_password("alice", "hunter2").check(None).unwrap().pool_groups)
}

fn one(request: &SpecRequest) -> Decision {
    decide(&current(), &Repeats::default(), request, fresh(1))
}

fn accepted(decision: Decision) -> Accepted {
    match decision {
        Decision::Accepted(accepted) => *accepted,
        other => panic!("{other:?}"),
    }
}

fn problems(decision: Decision) -> Vec<String> {
    match decision {
        Decision::Refused(SpecError::Invalid(Problems(problems))) => {
            problems.into_iter().map(|problem| problem.field).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn new_pool_is_accepted_for_the_source_alone() {
    let accepted = accepted(one(&request(draft("bob"))));
    assert_eq!(accepted.entry.generation, Generation(8));
    assert_eq!((accepted.entry.etag.as_str(), accepted.entry.accepted_at), ("fresh-1", moment(1001)));
    assert_eq!(accepted.pools.as_ref(), Some(&accepted.entry.spec.pool_groups));
    assert_eq!(accepted.paused, None);
    assert_eq!(accepted.changes.len(), 1, "{:?}", accepted.changes);
}

#[test]
fn pause_leaves_the_pools_alone() {
    let accepted = accepted(one(&pause(true)));
    assert_eq!((accepted.pools, accepted.paused), (None, Some(true)));
    assert_eq!(accepted.entry.spec.pool_groups, current().spec.pool_groups);
}

#[test]
fn part_that_is_not_spoken_of_is_neither_checked_nor_changed() {
    let mut asked = request(draft("bob"));
    asked.draft.paused = true;
    asked.parts = SpecParts { pool_groups: true, ..SpecParts::NONE };
    let only_pools = accepted(one(&asked));
    assert_eq!((only_pools.entry.spec.paused, only_pools.paused), (false, None));
    let mut asked = pause(true);
    asked.draft.pool_groups = draft("").pool_groups;
    assert_eq!(accepted(one(&asked)).entry.spec.pool_groups, current().spec.pool_groups);
}

#[test]
fn password_that_is_not_said_is_kept_and_an_empty_one_clears() {
    assert_eq!(one(&request(draft("alice"))), Decision::Unchanged(Vec::new()));
    let cleared = accepted(one(&request(draft_with_password("alice", ""))));
    assert_eq!(cleared.entry.spec.pools().next().unwrap().password, None);
}

#[test]
fn check_alone_answers_with_the_changes() {
    let asked = SpecRequest { validate_only: true, ..request(draft("bob")) };
    match one(&asked) {
        Decision::Unchanged(changes) => assert_eq!(changes[0].after, "bob"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_fields_are_named() {
    let mut bad = draft("");
    bad.pool_groups[0].pools[0].url = "stratum://x".into();
    assert_eq!(
        problems(one(&request(bad))),
        ["pool_groups[main].pools[primary].url", "pool_groups[main].pools[primary].user"]
    );
    let mut old = draft("bob");
    old.pool_groups[0].pools[0].url = "stratum+tcp://".into();
    assert_eq!(problems(one(&request(old))), ["pool_groups[main].pools[primary].url"]);
}

#[test]
fn write_over_what_was_not_read_is_refused() {
    let asked = SpecRequest { etag: "etag-6".into(), ..request(draft("bob")) };
    assert_eq!(one(&asked), Decision::Refused(SpecError::EtagMismatch { current: "etag-7".into() }));
    let asked = SpecRequest { etag: "etag-7".into(), ..request(draft("bob")) };
    accepted(one(&asked));
}

#[test]
fn control_plane_never_goes_back() {
    let at = |generation| SpecRequest {
        origin: SpecOrigin::Control,
        control_generation: Some(Generation(generation)),
        ..request(draft("alice"))
    };
    let stale = SpecError::StaleGeneration { asked: Generation(3), accepted: Generation(4) };
    assert_eq!(one(&at(3)), Decision::Refused(stale));
    assert_eq!(one(&at(4)), Decision::Unchanged(Vec::new()));
    let newer = accepted(one(&at(5)));
    assert_eq!((newer.entry.control_generation, newer.entry.origin), (Generation(5), SpecOrigin::Control));
    assert_eq!((newer.pools, newer.paused, newer.changes), (None, None, Vec::new()));
}

#[test]
fn operator_leaves_the_control_generation_as_it_is() {
    assert_eq!(accepted(one(&request(draft("bob")))).entry.control_generation, Generation(4));
}

#[test]
fn lost_spec_ends_with_pools_or_a_resume_but_not_with_another_pause() {
    let lost = Entry {
        spec: MinerSpec { pool_groups: groups("alice"), paused: true, ..MinerSpec::default() },
        origin: SpecOrigin::Recovery,
        ..current()
    };
    let decide = |request: &SpecRequest| decide(&lost, &Repeats::default(), request, fresh(1));
    assert_eq!(decide(&pause(true)), Decision::Unchanged(Vec::new()));
    assert_eq!(accepted(decide(&pause(false))).entry.origin, SpecOrigin::Local);
    let same = SpecDraft { paused: true, ..draft("alice") };
    assert_eq!(accepted(decide(&request(same))).entry.origin, SpecOrigin::Local);
}

fn outcome(number: u64) -> SpecOutcome {
    let Entry { spec, etag, origin, control_generation, accepted_at, .. } = current();
    let state = SpecState {
        spec,
        generation: Generation(number),
        etag,
        origin,
        control_generation,
        accepted_at,
        sections: Vec::new(),
        observed_generation: Generation(number),
        reverts_at: None,
    };
    SpecOutcome { state, changes: Vec::new() }
}

#[test]
fn repeat_is_answered_as_before_whatever_happened_since() {
    let mut repeats = Repeats::default();
    let asked = SpecRequest { request_id: "a".into(), etag: "old".into(), ..request(draft("bob")) };
    repeats.remember(asked.clone(), outcome(5));
    let decision = decide(&current(), &repeats, &asked, fresh(1));
    assert_eq!(decision, Decision::Repeated(Box::new(outcome(5))));
    let other = SpecRequest { request_id: "a".into(), ..request(draft("carol")) };
    assert_eq!(problems(decide(&current(), &repeats, &other, fresh(1))), ["request_id"]);
}

#[test]
fn memory_of_repeats_is_bounded() {
    let mut repeats = Repeats::default();
    let asked = |number: usize| SpecRequest { request_id: number.to_string(), ..request(draft("bob")) };
    for number in 0..1000 {
        repeats.remember(asked(number), outcome(5));
    }
    repeats.remember(request(draft("bob")), outcome(5));
    assert_eq!(repeats.0.len(), REMEMBERED);
    assert!(repeats.find(&asked(999)).is_some() && repeats.find(&asked(1)).is_none());
    let long = SpecRequest { request_id: "x".repeat(256), ..request(draft("bob")) };
    assert_eq!(problems(one(&long)), ["request_id"]);
}

fn any_request() -> impl Strategy<Value = SpecRequest> {
    let user = prop_oneof![Just("alice"), Just("bob"), Just("")];
    let url = prop_oneof![
        3 => Just(crate::spec::fixtures::URL),
        1 => Just("stratum+tcp://pool.example"),
        1 => Just("nonsense"),
    ];
    let etag = prop_oneof![4 => Just(String::new()), 1 => Just("wrong".to_owned())];
    let id = prop_oneof![4 => Just(String::new()), 2 => "[ab]"];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (user, url, etag, id, proptest::option::of(0_u64..6), flags).prop_map(
        |(user, url, etag, request_id, generation, (pool_groups, paused, value, validate_only))| {
            let mut draft = draft(user);
            draft.pool_groups[0].pools[0].url = url.into();
            draft.paused = value;
            SpecRequest {
                parts: SpecParts { pool_groups, paused, boards: false },
                etag,
                request_id,
                validate_only,
                control_generation: generation.map(Generation),
                ..request(draft)
            }
        },
    )
}

proptest! {
    #[test]
    fn history_only_goes_forward(requests in proptest::collection::vec(any_request(), 1..40)) {
        let (mut entry, mut repeats) = (current(), Repeats::default());
        for (number, asked) in requests.iter().enumerate() {
            let before = entry.clone();
            match decide(&entry, &repeats, asked, fresh(number as u64)) {
                Decision::Accepted(accepted) => {
                    entry = accepted.entry;
                    prop_assert!(!asked.validate_only);
                    prop_assert_eq!(entry.generation, before.generation.next());
                    prop_assert_ne!(&entry.etag, &before.etag);
                    prop_assert!(entry.control_generation >= before.control_generation);
                    prop_assert_eq!(accepted.changes, before.spec.diff(&entry.spec));
                    prop_assert_eq!(accepted.pools.is_some(), entry.spec.pool_groups != before.spec.pool_groups);
                    prop_assert_eq!(accepted.paused.is_some(), entry.spec.paused != before.spec.paused);
                    repeats.remember(asked.clone(), outcome(entry.generation.0));
                }
                Decision::Unchanged(changes) => {
                    prop_assert!(asked.validate_only || changes.is_empty());
                }
                Decision::Refused(_) | Decision::Repeated(_) => {}
            }
        }
    }
}
