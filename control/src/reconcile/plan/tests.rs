use super::*;
use crate::{spec::WantedSpec, trace::TraceParent};
use mujina_core::spec::MinerSpec;
use proptest::prelude::*;
use std::{collections::BTreeMap, time::UNIX_EPOCH};

fn desired(generation: u64) -> DesiredState {
    DesiredState {
        miner: "rig1".parse().unwrap(),
        wanted: WantedSpec { spec: MinerSpec { paused: true, ..MinerSpec::default() }, ..WantedSpec::default() },
        generation: Generation(generation),
        etag: "e".into(),
        stored_at: UNIX_EPOCH,
        trace_parent: TraceParent::default(),
        taken_over: Generation(0),
    }
}

fn confirmed(control_generation: u64, origin: SpecOrigin) -> Confirmed {
    Confirmed {
        spec: Some(MinerSpec { paused: true, ..MinerSpec::default() }),
        passwords_set: [].into(),
        generation: Generation(9),
        observed_generation: Generation(9),
        control_generation: Generation(control_generation),
        origin,
        waiting_for: String::new(),
        refused: None,
    }
}

fn decide(desired: &DesiredState, confirmed: &Confirmed) -> Plan {
    plan(Some(desired), Some(confirmed), &Memory::default())
}

#[test]
fn nothing_is_done_without_a_desired_state_and_nothing_is_sent_blindly() {
    assert_eq!(plan(None, Some(&confirmed(1, SpecOrigin::Local)), &Memory::default()), Plan::Nothing);
    assert!(matches!(plan(Some(&desired(1)), None, &Memory::default()), Plan::Wait(_)));
}

#[test]
fn generation_that_the_miner_does_not_have_is_sent_whoever_wrote_there_before() {
    for origin in [SpecOrigin::Configuration, SpecOrigin::Local, SpecOrigin::Control, SpecOrigin::Recovery] {
        assert_eq!(decide(&desired(2), &confirmed(1, origin)), Plan::Send(Generation(2)), "{origin:?}");
    }
}

#[test]
fn accepted_generation_is_in_sync_once_it_is_in_force() {
    let mut seen = confirmed(2, SpecOrigin::Control);
    assert_eq!(decide(&desired(2), &seen), Plan::InSync);
    seen.observed_generation = Generation(8);
    seen.waiting_for = "pool_groups: connecting".into();
    assert_eq!(decide(&desired(2), &seen), Plan::Wait("pool_groups: connecting".into()));
}

#[test]
fn what_a_miner_cannot_do_is_told_once_nothing_will_come_by_waiting() {
    let refused = Some("boards[bitaxe-gamma]: 40 W are above its limit".to_owned());
    let seen =
        Confirmed { observed_generation: Generation(8), refused: refused.clone(), ..confirmed(2, SpecOrigin::Control) };
    assert_eq!(decide(&desired(2), &seen), Plan::Impossible(refused.clone().unwrap()));
    assert_eq!(decide(&desired(2), &seen).agreement().state, SyncState::Rejected);
    let waiting = Confirmed { waiting_for: "pool_groups: connecting".into(), ..seen.clone() };
    assert_eq!(decide(&desired(2), &waiting), Plan::Wait("pool_groups: connecting".into()));
    // A refusal of an older generation, whose boards are gone.
    assert_eq!(decide(&desired(2), &Confirmed { observed_generation: Generation(9), ..seen }), Plan::InSync);
}

#[test]
fn miner_that_somebody_changed_is_left_alone() {
    assert!(matches!(decide(&desired(2), &confirmed(2, SpecOrigin::Local)), Plan::Drifted(_)));
    let mut other = confirmed(2, SpecOrigin::Control);
    other.spec = Some(MinerSpec::default());
    assert!(matches!(decide(&desired(2), &other), Plan::Drifted(_)));
}

#[test]
fn miner_that_lost_its_spec_gets_it_again() {
    assert_eq!(decide(&desired(2), &confirmed(2, SpecOrigin::Recovery)), Plan::Send(Generation(2)));
    assert_eq!(decide(&desired(2), &confirmed(0, SpecOrigin::Configuration)), Plan::Send(Generation(2)));
}

#[test]
fn miner_that_obeyed_a_newer_desired_state_is_not_turned_back() {
    assert!(matches!(decide(&desired(2), &confirmed(3, SpecOrigin::Control)), Plan::Rejected(_)));
}

#[test]
fn refused_generation_is_not_sent_again_and_the_next_one_is() {
    let mut memory = Memory::default();
    memory.refused(Generation(2), "bad pool".into());
    let seen = confirmed(1, SpecOrigin::Control);
    assert_eq!(plan(Some(&desired(2)), Some(&seen), &memory), Plan::Rejected("bad pool".into()));
    assert_eq!(plan(Some(&desired(3)), Some(&seen), &memory), Plan::Send(Generation(3)));
}

#[test]
fn third_passing_refusal_ends_the_attempts() {
    let mut memory = Memory::default();
    let seen = confirmed(1, SpecOrigin::Control);
    for _ in 1..MOST_REFUSALS {
        memory.refused_for_now(Generation(2), "busy".into());
        assert_eq!(plan(Some(&desired(2)), Some(&seen), &memory), Plan::Send(Generation(2)));
    }
    memory.refused_for_now(Generation(2), "busy".into());
    assert_eq!(plan(Some(&desired(2)), Some(&seen), &memory), Plan::Rejected("busy".into()));
    memory.refused_for_now(Generation(3), "busy".into());
    assert_eq!(plan(Some(&desired(3)), Some(&seen), &memory), Plan::Send(Generation(3)));
}

#[test]
fn giving_up_is_told_once_for_each_generation() {
    let mut memory = Memory::default();
    for _ in 1..MOST_REFUSALS {
        memory.refused_for_now(Generation(2), "busy".into());
        assert_eq!(memory.gave_up(), None);
    }
    memory.refused_for_now(Generation(2), "busy".into());
    assert_eq!(memory.gave_up(), Some(GaveUp { generation: Generation(2), reason: "busy".into() }));
    assert_eq!(memory.gave_up(), None);
    memory.refused(Generation(3), "bad pool".into());
    assert_eq!(memory.gave_up().unwrap().generation, Generation(3));
}

#[test]
fn kept_password_that_the_miner_lost_is_asked_for() {
    let mut wanted = desired(2);
    wanted.wanted.left_to_miner = BTreeMap::from([("main".parse().unwrap(), Left::Kept)]);
    let mut seen = confirmed(1, SpecOrigin::Control);
    assert!(matches!(decide(&wanted, &seen), Plan::Rejected(reason) if reason.contains("pool main")));
    seen.passwords_set.insert("main".parse().unwrap());
    assert_eq!(decide(&wanted, &seen), Plan::Send(Generation(2)));
    seen.passwords_set.clear();
    wanted.wanted.left_to_miner = BTreeMap::from([("main".parse().unwrap(), Left::Unknown)]);
    assert_eq!(decide(&wanted, &seen), Plan::Send(Generation(2)));
}

fn origins() -> impl Strategy<Value = SpecOrigin> {
    prop_oneof![
        Just(SpecOrigin::Configuration),
        Just(SpecOrigin::Local),
        Just(SpecOrigin::Control),
        Just(SpecOrigin::Recovery),
    ]
}

proptest! {
    #[test]
    fn in_sync_means_the_very_generation_in_force_and_untouched(
        wanted in 1..4_u64, accepted in 0..5_u64, observed in 7..10_u64, origin in origins(), paused: bool, refused: bool,
    ) {
        let mut seen = confirmed(accepted, origin);
        seen.observed_generation = Generation(observed);
        seen.spec = Some(MinerSpec { paused, ..MinerSpec::default() });
        let mut memory = Memory::default();
        if refused {
            memory.refused(Generation(wanted), "no".into());
        }
        let is_so = accepted == wanted && observed == 9 && origin == SpecOrigin::Control && paused;
        let decided = plan(Some(&desired(wanted)), Some(&seen), &memory);
        prop_assert_eq!(decided == Plan::InSync, is_so);
        // What was refused, or is older than what the miner obeys, is never sent.
        prop_assert!(!(matches!(decided, Plan::Send(_)) && (refused || accepted > wanted)));
    }

    #[test]
    fn a_miner_that_accepts_what_it_is_sent_ends_in_sync(
        wanted in 1..4_u64, accepted in 0..4_u64, origin in origins(),
    ) {
        prop_assume!(accepted < wanted);
        let mut seen = confirmed(accepted, origin);
        let decided = decide(&desired(wanted), &seen);
        prop_assert_eq!(decided, Plan::Send(Generation(wanted)));
        seen.control_generation = Generation(wanted);
        seen.origin = SpecOrigin::Control;
        seen.generation = Generation(10);
        prop_assert!(matches!(decide(&desired(wanted), &seen), Plan::Wait(_)));
        seen.observed_generation = Generation(10);
        prop_assert_eq!(decide(&desired(wanted), &seen), Plan::InSync);
    }
}
