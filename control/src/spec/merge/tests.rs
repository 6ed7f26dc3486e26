use super::*;
use mujina_core::{
    id::Generation,
    spec::{GroupDraft, PoolDraft, SpecOrigin},
};

const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

fn draft(password: Option<&str>) -> SpecDraft {
    let pool = PoolDraft {
        name: "a".into(),
        url: URL.into(),
        user: "alice".into(),
        password: password.map(Secret::from),
        ..PoolDraft::default()
    };
    let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
    SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }
}

fn confirmed(has_password: bool) -> Confirmed {
    Confirmed {
        spec: Some(draft(None).check(None).unwrap()),
        passwords_set: has_password.then(|| "a".parse().unwrap()).into_iter().collect(),
        generation: Generation(3),
        observed_generation: Generation(3),
        control_generation: Generation(0),
        origin: SpecOrigin::Local,
        waiting_for: String::new(),
        refused: None,
    }
}

fn left(wanted: &WantedSpec) -> Option<Left> {
    wanted.left_to_miner.get(&"a".parse().unwrap()).copied()
}

fn password(wanted: &WantedSpec) -> Option<&str> {
    wanted.spec.pools().next().unwrap().password.as_ref().map(Secret::expose)
}

#[test]
fn parts_that_are_not_spoken_of_come_from_the_desired_state_first() {
    let stored = merge(draft(Some("x")), SpecParts::ALL, &Base::default()).unwrap();
    let mut other = confirmed(false);
    other.spec = Some(MinerSpec::default());
    let base = Base { desired: Some(&stored), confirmed: Some(&other) };
    let paused = SpecDraft { paused: true, ..SpecDraft::default() };
    let wanted = merge(paused, SpecParts::PAUSED, &base).unwrap();
    assert!(wanted.spec.paused);
    assert_eq!((wanted.spec.pool_groups.len(), password(&wanted)), (1, Some("x")));
}

#[test]
fn parts_come_from_the_miner_when_nothing_is_stored_and_its_password_stays_with_it() {
    let seen = confirmed(true);
    let paused = SpecDraft { paused: true, ..SpecDraft::default() };
    let wanted = merge(paused, SpecParts::PAUSED, &Base { desired: None, confirmed: Some(&seen) }).unwrap();
    assert_eq!((password(&wanted), left(&wanted)), (None, Some(Left::Kept)));
}

#[test]
fn part_of_a_spec_for_a_miner_that_nobody_saw_is_refused() {
    let error = merge(SpecDraft::default(), SpecParts::PAUSED, &Base::default()).unwrap_err();
    assert_eq!(error, MergeError::NoBase);
}

#[test]
fn unsaid_password_is_taken_from_whoever_knows_it() {
    let stored = merge(draft(Some("x")), SpecParts::ALL, &Base::default()).unwrap();
    let (with, without) = (confirmed(true), confirmed(false));
    let kept = WantedSpec { left_to_miner: BTreeMap::from([("a".parse().unwrap(), Left::Kept)]), ..stored.clone() };
    for (desired, confirmed, expected) in [
        (Some(&stored), None, (Some("x"), None)),
        (Some(&stored), Some(&without), (Some("x"), None)),
        (Some(&kept), Some(&without), (None, Some(Left::Kept))),
        (None, Some(&with), (None, Some(Left::Kept))),
        (None, Some(&without), (None, None)),
        (None, None, (None, Some(Left::Unknown))),
    ] {
        let wanted = merge(draft(None), SpecParts::ALL, &Base { desired, confirmed }).unwrap();
        assert_eq!((password(&wanted), left(&wanted)), expected, "{desired:?} {confirmed:?}");
    }
}

#[test]
fn said_password_replaces_one_that_was_left_to_the_miner_and_an_empty_one_clears_it() {
    let seen = confirmed(true);
    let base = Base { desired: None, confirmed: Some(&seen) };
    let set = merge(draft(Some("y")), SpecParts::ALL, &base).unwrap();
    assert_eq!((password(&set), left(&set)), (Some("y"), None));
    let cleared = merge(draft(Some("")), SpecParts::ALL, &base).unwrap();
    assert_eq!((password(&cleared), left(&cleared)), (None, None));
    let changes = base.wanted().unwrap().diff(&cleared);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].before.as_str(), changes[0].after.as_str()), ("***", ""));
}

#[test]
fn bad_fields_outside_the_mask_are_not_looked_at() {
    let seen = confirmed(false);
    let mut bad = draft(None);
    bad.pool_groups[0].pools[0].url = "nonsense".into();
    let base = Base { desired: None, confirmed: Some(&seen) };
    assert!(merge(bad.clone(), SpecParts::PAUSED, &base).is_ok());
    assert!(matches!(merge(bad, SpecParts::ALL, &base), Err(MergeError::Invalid(_))));
}
