//! Rollouts against simulated miners and a performer that may be killed between any two things that it does.

mod histories;
mod world;

use super::{target::SETTLING, *};
use crate::reconcile::{SyncState, evidence::LiveLedger};
use crate::rollout::{
    FaultKey, Gates, Size, Strategy,
    gate::{Counts, Gate, Measured, Verdict},
};
use std::time::Duration;
use world::{Kind, World, name};

fn strategy() -> Strategy {
    Strategy {
        waves: vec![Size::Count(1), Size::Count(3), Size::Percent(100)],
        max_unavailable: Size::Count(2),
        pause_between: Duration::from_secs(60),
        soak: Duration::from_secs(300),
        confirm_within: Duration::from_secs(120),
        ..Strategy::default()
    }
}

fn because(status: &Status) -> &str {
    match status {
        Status::Paused { because } | Status::Aborting { because } | Status::RollingBack { because } => because,
        Status::Finished { outcome: Outcome::Aborted(because) | Outcome::RolledBack(because), .. } => because,
        _ => "",
    }
}

#[test]
fn fleet_of_good_miners_is_changed_wave_by_wave() {
    let mut world = World::new(&[Kind::Good; 12], strategy());
    world.run();
    let Status::Finished { outcome: Outcome::Succeeded, at } = &world.rollout.course.status else {
        panic!("{:?}", world.rollout.course.status)
    };
    assert_eq!(world.rollout.count(&[Phase::Proved]), 12);
    assert_eq!(world.orders.concat(), world.rollout.course.waves.concat());
    // Three soaks, three rests after a wave, and some seconds each for 1, 3 and 8 targets by twos.
    let took = at.duration_since(world.begun).unwrap().as_secs();
    assert!((3 * 360..3 * 360 + 80).contains(&took), "{took} s");
    assert_eq!(world.rollout.course.reports.len(), 3);
    let gates: Vec<_> = world.rollout.course.reports[0].findings.iter().map(|finding| finding.gate).collect();
    assert_eq!(gates, [Gate::Targets, Gate::Rejects, Gate::HashRate]);
}

#[test]
fn canary_that_finds_no_share_goes_back_by_itself_and_nobody_follows() {
    let mut world = World::new(&[Kind::Silent, Kind::Good, Kind::Good], strategy());
    world.run();
    let because = because(&world.rollout.course.status);
    assert_eq!(because, "wave 1: rig000 no share was accepted within 120 s of generation 6");
    assert!(matches!(world.rollout.course.status, Status::Paused { .. }));
    assert_eq!(world.phase(0), Phase::Reverted);
    assert_eq!((world.miner(0).spec, world.rollout.count(&[Phase::Waiting])), (5, 2));
}

#[test]
fn failing_gate_pauses_aborts_or_takes_everybody_back() {
    let kinds = [Kind::Good, Kind::Good, Kind::Rejects, Kind::Good, Kind::Good];
    for (on_failure, changed) in [(OnFailure::Pause, 2), (OnFailure::Abort, 2), (OnFailure::RollBack, 0)] {
        let mut world = World::new(&kinds, Strategy { on_failure, ..strategy() });
        world.run();
        assert!(because(&world.rollout.course.status).contains("rig002 generation 6 was rejected (no such pool)"));
        // The canary, and the one that was on its way beside the one that failed.
        assert_eq!(world.rollout.count(&[Phase::Proved]), changed, "{on_failure:?}");
        assert_eq!(world.miners.values().filter(|miner| miner.is_new()).count(), changed, "{on_failure:?}");
        assert_eq!(matches!(world.rollout.course.status, Status::Paused { .. }), on_failure == OnFailure::Pause);
    }
}

#[test]
fn as_many_targets_as_may_fail_do_not_stop_the_rest() {
    let kinds = [Kind::Good, Kind::Away, Kind::Good, Kind::Touched, Kind::Good];
    let mut world = World::new(&kinds, Strategy { max_failed: 2, ..strategy() });
    world.run();
    assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::Succeeded, .. }));
    assert_eq!((world.phase(1), world.phase(3)), (Phase::RevertFailed, Phase::RevertFailed));
    let why = |index| world.target(index).failure.clone().unwrap();
    assert!(why(1).starts_with("generation 6 was not in force within 120 s: cannot be known"), "{}", why(1));
    assert!(why(3).contains("was changed on the miner itself"), "{}", why(3));
}

#[test]
fn miner_that_somebody_else_wrote_to_is_neither_judged_nor_taken_back() {
    let mut world = World::new(&[Kind::Good, Kind::Stranger, Kind::Good], strategy());
    world.run();
    assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::Succeeded, .. }));
    assert_eq!((world.phase(1), world.miner(1).spec), (Phase::Superseded, world::STRANGE));
    world.rollout.roll_back("changed our minds").unwrap();
    world.run();
    assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::RolledBack(_), .. }));
    assert_eq!((world.miner(0).spec, world.miner(1).spec, world.miner(2).spec), (5, world::STRANGE, 5));
}

#[test]
fn wave_of_which_nobody_is_proved_pauses_and_goes_on_when_a_person_accepts_it() {
    // The first waves: one that somebody else writes to before it is in force, and three that fail within what may.
    let kinds = [Kind::Taken, Kind::Rejects, Kind::Rejects, Kind::Taken, Kind::Good];
    let mut world = World::new(&kinds, Strategy { max_failed: 2, ..strategy() });
    for expected in [
        "wave 1: no target is left to be judged: 1 superseded, 0 failed",
        "wave 2: no target is left to be judged: 1 superseded, 2 failed",
    ] {
        world.run();
        assert!(
            matches!(&world.rollout.course.status, Status::Paused { because } if because == expected),
            "{:?}",
            world.rollout.course.status
        );
        // Whoever only goes on gets the same answer.
        world.rollout.resume(world.now).unwrap();
        world.run();
        assert_eq!(because(&world.rollout.course.status), expected);
        world.rollout.accept_wave(world.now).unwrap();
    }
    world.run();
    assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::Succeeded, .. }));
    // A last wave that nobody accepts ends nothing.
    let mut world = World::new(&[Kind::Taken], strategy());
    world.run();
    assert!(matches!(world.rollout.course.status, Status::Paused { .. }), "{:?}", world.rollout.course.status);
}

#[test]
fn new_fault_of_a_changed_miner_trips_and_one_that_strikes_everybody_does_not() {
    for (with_rest, trips) in [(false, true), (true, false)] {
        let mut world = World::new(&[Kind::Good; 6], strategy());
        world.faulty = vec![0];
        if with_rest {
            world.faulty.extend([1, 2, 3, 4, 5]);
        }
        world.run();
        let is_paused = matches!(world.rollout.course.status, Status::Paused { .. });
        assert_eq!(is_paused, trips, "{:?}", world.rollout.course.status);
        if trips {
            let because = because(&world.rollout.course.status).to_owned();
            assert_eq!(because, "wave 1: rig000 has the new fault POOL_REFUSED on pool/main");
            // Whoever goes on in spite of it is not stopped by the same fault again.
            world.rollout.resume(world.now).unwrap();
            world.run();
            assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::Succeeded, .. }));
        }
    }
}

#[test]
fn wave_whose_hash_rate_drops_fails_when_its_soak_is_over_and_a_person_may_accept_it() {
    let mut world = World::new(&[Kind::Good; 6], strategy());
    world.shares_after = 2400;
    world.run();
    assert!(
        because(&world.rollout.course.status).starts_with("wave 1: hash rate -20.00%"),
        "{:?}",
        world.rollout.course
    );
    let failed: Vec<_> = world.rollout.course.reports[0].findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(failed, [Verdict::Holds, Verdict::Holds, Verdict::Fails]);
    // Going on watches the same wave anew; taking it as it is goes to the next.
    let before = world.now;
    world.rollout.resume(world.now).unwrap();
    world.run();
    assert_eq!(world.rollout.course.wave, 0);
    assert!((300..310).contains(&world.now.duration_since(before).unwrap().as_secs()));
    world.rollout.accept_wave(world.now).unwrap();
    world.run();
    assert_eq!((world.rollout.course.wave, world.rollout.course.reports.len()), (1, 3));
}

#[test]
fn target_that_falls_out_of_sync_while_it_is_watched_fails_the_wave_unless_it_returns() {
    for (kind, holds) in [(Kind::Leaves, false), (Kind::Returns, true)] {
        let mut world = World::new(&[kind, Kind::Good], strategy());
        world.run();
        let succeeded = matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::Succeeded, .. });
        assert_eq!(succeeded, holds, "{kind:?} {:?}", world.rollout.course.status);
    }
}

#[test]
fn paused_rollout_orders_nobody_and_watches_those_on_their_way() {
    let mut world = World::new(&[Kind::Good, Kind::Silent, Kind::Good, Kind::Good, Kind::Good], strategy());
    while world.rollout.course.wave == 0 {
        world.tick();
    }
    world.tick();
    assert_eq!(world.rollout.count(&[Phase::Applying]), 2);
    world.rollout.pause("lunch").unwrap();
    world.run();
    assert_eq!((world.phase(1), world.phase(2)), (Phase::Reverted, Phase::Proved));
    assert_eq!(world.rollout.count(&[Phase::Waiting]), 2);
    world.rollout.resume(world.now).unwrap();
    world.run();
    // What failed meanwhile was seen and forgiven.
    assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::Succeeded, .. }));
}

#[test]
fn order_that_was_lost_with_the_process_is_looked_up_before_anything_is_taken_back() {
    for was_done in [false, true] {
        let mut world = World::new(&[Kind::Good, Kind::Good], strategy());
        let actions = world.rollout.step(world.now, &world.seen(), None);
        assert!(matches!(&actions[0], Action::Apply { request_id, .. } if request_id == "rollout/r1/rig000/apply"));
        if was_done {
            // Stored, and the process dies before it is told.
            let mut other = world.rollout.clone();
            world.perform(&actions[0], &mut other);
        }
        world.rollout.roll_back("no").unwrap();
        let actions = world.rollout.step(world.now, &world.seen(), None);
        assert!(matches!(&actions[..], [Action::FindOut { .. }]), "{actions:?}");
        world.run();
        assert_eq!(world.phase(0), if was_done { Phase::Reverted } else { Phase::Waiting });
        assert!(!world.miner(0).is_new());
    }
}

#[test]
fn refused_way_back_is_a_failure_of_its_own_and_the_end_counts_it() {
    let mut world = World::new(&[Kind::Good, Kind::Good], strategy());
    world.run();
    world.rollout.roll_back("changed our minds").unwrap();
    world.refused = vec![name(1)];
    world.run();
    assert_eq!((world.phase(0), world.phase(1)), (Phase::Reverted, Phase::RevertFailed));
    assert_eq!(world.target(1).failure.as_deref(), Some("cannot be brought back: the payout list has no such address"));
    let expected = "changed our minds; 1 of 2 targets could not be brought back";
    assert_eq!(because(&world.rollout.course.status), expected);
    assert!(matches!(world.rollout.course.status, Status::Finished { outcome: Outcome::RolledBack(_), .. }));
    // The reason of a target that failed before is kept.
    let mut world = World::new(&[Kind::Silent], strategy());
    world.refused = vec![name(0)];
    world.run();
    let failure = world.target(0).failure.clone().unwrap();
    let expected = "no share was accepted within 120 s of generation 6; it cannot be brought back: the payout list";
    assert!(failure.starts_with(expected), "{failure}");
}

#[test]
fn target_of_which_nothing_was_heard_since_the_start_waits_for_its_status() {
    let mut world = World::new(&[Kind::Good, Kind::Good], Strategy { waves: vec![Size::Percent(100)], ..strategy() });
    let known = world.seen();
    let fault = FaultKey { reason: "FAN".into(), subject: "board/0".into() };
    let mut seen = known.clone();
    seen.insert(name(0), Seen { desired: known[&name(0)].desired, ..Seen::default() });
    let actions = world.rollout.step(world.now, &seen, None);
    let ordered = |actions: &[Action]| -> Vec<MinerName> {
        let miner = |action: &Action| if let Action::Apply { miner, .. } = action { Some(miner.clone()) } else { None };
        actions.iter().filter_map(miner).collect()
    };
    assert_eq!(ordered(&actions), [name(1)]);
    // With its status come the faults and the shares that it had before.
    seen.insert(name(0), Seen { faults: [fault.clone()].into(), ..known[&name(0)].clone() });
    let actions = world.rollout.step(world.now, &seen, None);
    assert_eq!(ordered(&actions), [name(0), name(1)]);
    let target = world.target(0);
    assert_eq!((&target.faults_before, &target.ledger_before), (&Some([fault].into()), &known[&name(0)].live));
}

#[test]
fn miner_is_given_a_moment_to_prove_the_change_before_and_no_more() {
    let mut world = World::new(&[Kind::Good; 2], Strategy { waves: vec![Size::Percent(100)], ..strategy() });
    let mut seen = world.seen();
    for miner in seen.values_mut() {
        miner.is_on_trial = true;
    }
    let ordered = |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::Apply { .. })).count();
    let begun = world.now;
    let actions = world.rollout.step(begun, &seen, None);
    assert_eq!((ordered(&actions), actions.last()), (0, Some(&Action::WaitUntil(begun + SETTLING))));
    seen.get_mut(&name(0)).unwrap().is_on_trial = false;
    let actions = world.rollout.step(begun + SETTLING - Duration::from_secs(1), &seen, None);
    assert_eq!((ordered(&actions), world.phase(1)), (1, Phase::Waiting));
    let actions = world.rollout.step(begun + SETTLING, &seen, None);
    assert_eq!(ordered(&actions), 2, "it may need the change to get well");
    // One that is away shows nothing.
    let mut world = World::new(&[Kind::Away], strategy());
    let mut seen = world.seen();
    seen.get_mut(&name(0)).unwrap().is_on_trial = true;
    assert_eq!(ordered(&world.rollout.step(begun, &seen, None)), 1);
}

#[test]
fn first_status_since_the_order_is_the_baseline_of_a_target_that_was_away() {
    let mut world = World::new(&[Kind::Good], strategy());
    let mut miner = Seen { is_away: true, sync: SyncState::Unreachable, ..Seen::default() };
    let step = |world: &mut World, miner: &Seen| {
        world.now += Duration::from_secs(1);
        world.rollout.step(world.now, &[(name(0), miner.clone())].into(), None)
    };
    let actions = step(&mut world, &miner);
    let mut rollout = world.rollout.clone();
    world.perform(&actions[0], &mut rollout);
    world.rollout = rollout;
    let generation = world.target(0).applied.unwrap().generation;
    let fault = FaultKey { reason: "FAN".into(), subject: "board/0".into() };
    let heard = |accepted, now: SystemTime| Seen {
        heard_at: Some(now + Duration::from_secs(1)),
        desired: generation,
        sync: SyncState::InSync,
        has_status: true,
        is_of_spec: true,
        live: Some(LiveLedger { boot_id: "boot".into(), connection: 1, accepted }),
        faults: [fault.clone()].into(),
        ..Seen::default()
    };
    miner = heard(500, world.now);
    step(&mut world, &miner);
    assert_eq!(world.phase(0), Phase::InForce, "500 shares of an old connection prove nothing");
    miner = heard(501, world.now);
    step(&mut world, &miner);
    assert_eq!((world.phase(0), &world.target(0).failure), (Phase::Proved, &None), "the fault is an old one");
}

#[test]
fn target_that_awaits_its_turn_on_the_ramp_of_power_has_all_its_time_from_then() {
    let mut world = World::new(&[Kind::Good], strategy());
    let within = strategy().confirm_within;
    let known = world.seen();
    let actions = world.rollout.step(world.now, &known, None);
    let mut rollout = world.rollout.clone();
    world.perform(&actions[0], &mut rollout);
    world.rollout = rollout;
    let desired = world.target(0).applied.unwrap().generation;
    let waits_for_turn =
        Seen { desired, sync: SyncState::Applying, waits_for_turn: true, has_status: true, ..Seen::default() };
    let sent = Seen { waits_for_turn: false, ..waits_for_turn.clone() };
    let mut look = |seen: &Seen, after: Duration| {
        world.now += after;
        world.rollout.step(world.now, &[(name(0), seen.clone())].into(), None);
        world.phase(0)
    };
    for _ in 0..20 {
        assert_eq!(look(&waits_for_turn, within / 4), Phase::Applying);
    }
    assert_eq!(look(&waits_for_turn, within * 3), Phase::Applying);
    assert_eq!(look(&sent, within - Duration::from_secs(1)), Phase::Applying);
    assert_eq!(look(&sent, Duration::from_secs(1)), Phase::Reverting, "its time is up");
}

#[test]
fn clock_that_is_set_ends_no_wait_early_and_none_late() {
    let (day, hour) = (Duration::from_secs(24 * 60 * 60), Duration::from_secs(60 * 60));
    let mut world = World::new(&[Kind::Good, Kind::Silent], strategy());
    let set_ahead = |world: &mut World| {
        world.now += day;
        world.rollout.clock_set_ahead(day, world.now);
    };
    // A day ahead while a wave is watched, while the next waits, and while a target is on its way.
    while !matches!(world.rollout.course.stage, Stage::Soaking { .. }) {
        world.tick();
    }
    set_ahead(&mut world);
    let watched = world.now;
    while matches!(world.rollout.course.stage, Stage::Soaking { .. } | Stage::Judging { .. }) {
        world.tick();
    }
    let Stage::Resting { until } = world.rollout.course.stage else { panic!("{:?}", world.rollout.course) };
    assert_eq!(until.duration_since(watched).unwrap(), Duration::from_secs(360));
    set_ahead(&mut world);
    assert_eq!(world.rollout.course.stage, Stage::Resting { until: until + day });
    // An hour back: what began begins now.
    world.now -= hour;
    world.tick();
    let resting = world.rollout.course.stage;
    assert!(matches!(resting, Stage::Resting { until } if until <= world.now + Duration::from_secs(60)), "{resting:?}");
    while world.phase(1) != Phase::InForce {
        world.tick();
    }
    set_ahead(&mut world);
    world.tick();
    assert_eq!(world.phase(1), Phase::InForce);
    world.now -= hour;
    let begun = world.now;
    while world.phase(1) == Phase::InForce {
        world.tick();
    }
    assert!((100..130).contains(&world.now.duration_since(begun).unwrap().as_secs()));
}

#[test]
fn rollout_says_what_it_cannot_be_asked_for_now() {
    let mut world = World::new(&[Kind::Good], strategy());
    assert!(world.rollout.start(world.now).is_err() && world.rollout.resume(world.now).is_err());
    world.run();
    let error = world.rollout.pause("no").unwrap_err();
    assert_eq!(error.to_string(), "the rollout is finished, and cannot pause; see where it stands, or plan a new one");
    let none = Rollout::new("r".into(), &BTreeMap::new(), strategy()).unwrap_err();
    assert!(none.to_string().starts_with("targets: selects no miner"));
}
