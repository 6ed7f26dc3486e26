use super::*;
use crate::{spec::WantedSpec, trace::TraceParent};
use mujina_core::spec::MinerSpec;
use proptest::prelude::*;
use std::time::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

const DAY: u64 = 24 * 60 * 60;

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

/// A miner that accepts what it is sent as the data plane does: an equal spec of a known generation changes nothing.
#[derive(Clone)]
struct Miner(Confirmed);

impl Miner {
    fn obeying(control_generation: u64) -> Self {
        Self(Confirmed {
            spec: Some(MinerSpec { paused: true, ..MinerSpec::default() }),
            passwords_set: [].into(),
            generation: Generation(9),
            observed_generation: Generation(9),
            control_generation: Generation(control_generation),
            origin: SpecOrigin::Control,
            waiting_for: String::new(),
            refused: None,
        })
    }

    fn write(&mut self, paused: bool, origin: SpecOrigin) {
        self.0.spec = Some(MinerSpec { paused, ..MinerSpec::default() });
        self.0.generation = self.0.generation.next();
        self.0.observed_generation = self.0.generation;
        self.0.origin = origin;
    }

    fn accept(&mut self, desired: &DesiredState) {
        let is_same = self.0.spec.as_ref() == Some(&desired.wanted.spec);
        if !is_same || desired.generation > self.0.control_generation {
            self.write(desired.wanted.spec.paused, SpecOrigin::Control);
            self.0.control_generation = desired.generation;
        }
    }
}

/// What a session keeps, and how it acts.
struct Session {
    miner: Miner,
    desired: DesiredState,
    local: Option<LocalChange>,
    events: Vec<Event>,
    sent: u32,
}

impl Session {
    fn new() -> Self {
        Self { miner: Miner::obeying(1), desired: desired(1), local: None, events: Vec::new(), sent: 0 }
    }

    fn look(&mut self, now: SystemTime) -> Agreement {
        for _ in 0..5 {
            let (memory, reach) = (Memory::default(), Reach::Open);
            let situation = Situation {
                desired: Some(&self.desired),
                confirmed: Some(&self.miner.0),
                reach: &reach,
                memory: &memory,
                local: self.local.as_ref(),
            };
            let Judgement { agreement, plan, local, events } = judge(&situation, OVERRIDE, now);
            self.local = local;
            self.events.extend(events);
            if !matches!(plan, Plan::Send(_)) {
                return agreement;
            }
            self.sent += 1;
            let before = self.miner.0.generation;
            self.miner.accept(&self.desired);
            if let Some(local) = self.local.as_mut().filter(|_| self.miner.0.generation == before) {
                local.settle(self.desired.generation);
            }
        }
        panic!("sends without end");
    }
}

#[test]
fn change_made_on_the_miner_is_respected_for_a_day_and_then_undone_with_events_for_both() {
    let mut session = Session::new();
    assert_eq!(session.look(at(0)).state, SyncState::InSync);
    session.miner.write(false, SpecOrigin::Local);
    let agreement = session.look(at(10));
    assert_eq!((agreement.state, agreement.at), (SyncState::Overridden, Some(at(10 + DAY))));
    assert_eq!(session.look(at(9 + DAY)).state, SyncState::Overridden);
    assert_eq!((session.sent, session.miner.0.spec.as_ref().unwrap().paused), (0, false));
    assert_eq!(session.look(at(10 + DAY)).state, SyncState::InSync);
    assert_eq!((session.sent, session.miner.0.spec.as_ref().unwrap().paused), (1, true));
    let ended = Event::OverrideEnded { how: OverrideEnd::Expired };
    assert_eq!(session.events, [Event::Overridden { until: at(10 + DAY) }, ended]);
    assert_eq!(session.local, None);
}

#[test]
fn change_on_the_miner_that_lapses_leaves_the_one_before_it_or_what_is_wanted() {
    let mut session = Session::new();
    session.miner.write(false, SpecOrigin::Local);
    session.look(at(0));
    // A second one was tried there, and went back to the first.
    session.miner.write(false, SpecOrigin::Reverted);
    let agreement = session.look(at(60));
    assert_eq!((agreement.state, agreement.at), (SyncState::Overridden, Some(at(60 + DAY))));
    assert_eq!(session.look(at(60 + DAY)).state, SyncState::InSync);
    // One that was only tried leaves what is wanted.
    session.miner.write(true, SpecOrigin::Reverted);
    assert_eq!((session.look(at(2 * DAY)).state, session.sent), (SyncState::InSync, 1));
}

#[test]
fn clock_that_is_set_back_does_not_lengthen_an_override() {
    let mut session = Session::new();
    session.miner.write(false, SpecOrigin::Local);
    session.look(at(400 * DAY));
    assert_eq!(session.look(at(0)).at, Some(at(DAY)));
    assert_eq!(session.look(at(DAY)).state, SyncState::InSync);
}

#[test]
fn newer_desired_state_waits_for_the_end_unless_it_was_written_to_take_over() {
    for takes_over in [false, true] {
        let mut session = Session::new();
        session.miner.write(false, SpecOrigin::Configuration);
        session.look(at(0));
        session.desired = desired(2);
        if takes_over {
            session.local.as_mut().unwrap().yield_to(Generation(2));
        }
        let expected = if takes_over { SyncState::InSync } else { SyncState::Overridden };
        assert_eq!(session.look(at(60)).state, expected);
        assert_eq!(session.events.last() == Some(&Event::OverrideEnded { how: OverrideEnd::TakenOver }), takes_over);
        assert_eq!(session.look(at(DAY)).state, SyncState::InSync);
    }
}

#[test]
fn another_change_on_the_miner_is_another_override_and_its_end_can_be_moved() {
    let mut session = Session::new();
    session.miner.write(false, SpecOrigin::Local);
    session.look(at(0));
    session.miner.write(true, SpecOrigin::Local);
    assert_eq!(session.look(at(100)).at, Some(at(100 + DAY)));
    assert_eq!(session.events.len(), 2);
    session.local.as_mut().unwrap().hold_until(at(200));
    assert_eq!(session.look(at(199)).state, SyncState::Overridden);
    // Changed there and back again: the miner has nothing to change and goes on naming the local writer.
    assert_eq!(session.look(at(200)).state, SyncState::InSync);
    assert_eq!((session.look(at(300)).state, session.sent), (SyncState::InSync, 1));
}

#[test]
fn miner_that_never_obeyed_is_taken_over_and_one_of_another_control_plane_is_left_alone() {
    let mut session = Session::new();
    session.miner.0.control_generation = Generation(0);
    session.miner.write(false, SpecOrigin::Local);
    assert_eq!((session.look(at(0)).state, session.sent), (SyncState::InSync, 1));
    session.miner.write(false, SpecOrigin::Control);
    assert_eq!((session.look(at(1)).state, session.sent), (SyncState::Drifted, 1));
    session.miner.0.control_generation = Generation(7);
    assert_eq!(session.look(at(2)).state, SyncState::Rejected);
}

#[test]
fn unreached_miner_says_since_when_and_its_override_outlasts_the_absence() {
    let mut session = Session::new();
    session.miner.write(false, SpecOrigin::Local);
    session.look(at(0));
    let reach = Reach::Lost { since: at(50), reason: "no route".into() };
    let situation = Situation {
        desired: Some(&session.desired),
        confirmed: Some(&session.miner.0),
        reach: &reach,
        memory: &Memory::default(),
        local: session.local.as_ref(),
    };
    let judgement = judge(&situation, OVERRIDE, at(2 * DAY));
    assert_eq!((judgement.agreement.state, judgement.agreement.at), (SyncState::Unreachable, Some(at(50))));
    assert_eq!((judgement.local, judgement.plan.agreement().state), (session.local.clone(), SyncState::Applying));
    let nothing = judge(&Situation { desired: None, ..situation }, OVERRIDE, at(0));
    assert_eq!(nothing.agreement.state, SyncState::NothingWanted);
    // Back after its time: the desired state is applied.
    assert_eq!(session.look(at(2 * DAY)).state, SyncState::InSync);
}

proptest! {
    #[test]
    fn no_local_change_is_lost_before_its_time_or_kept_after_it(
        history in prop::collection::vec((0..5_u8, 1..2 * DAY), 1..40), process_dies: bool,
    ) {
        let mut session = Session::new();
        let mut now = 0;
        for (what, seconds) in history {
            now += seconds;
            match what {
                0 => session.miner.write(false, SpecOrigin::Local),
                1 => session.miner.write(true, SpecOrigin::Local),
                2 => session.desired = desired(session.desired.generation.0 + 1),
                _ => {}
            }
            let written = session.miner.0.generation;
            let before = session.local.clone();
            let events = session.events.len();
            let agreement = session.look(at(now));
            // What was written there just now stands, and is told with its end.
            if what < 2 {
                prop_assert_eq!((agreement.state, agreement.at), (SyncState::Overridden, Some(at(now + DAY))));
                prop_assert_eq!(&session.events[events..], &[Event::Overridden { until: at(now + DAY) }]);
            }
            match before.filter(|before| before.generation == written && before.settled.is_none()) {
                Some(before) if at(now) < before.until => prop_assert_eq!(session.miner.0.generation, written),
                Some(_) => prop_assert_eq!(agreement.state, SyncState::InSync),
                None => {}
            }
            if process_dies {
                let text = serde_json::to_string(&session.local).unwrap();
                session.local = serde_json::from_str(&text).unwrap();
            }
        }
        now += 2 * DAY;
        prop_assert_eq!(session.look(at(now)).state, SyncState::InSync);
        prop_assert!(session.miner.0.spec.as_ref().unwrap().paused);
    }
}
