use super::*;
use crate::{
    job::tests::job,
    pool::{FailureKind, Recovery},
    source::{ReconnectOutcome, reconnect::Answer},
};
use mujina_core::{
    id::ShareId,
    pool::PoolStrategy,
    status::{PhaseName, PoolRole, PoolState},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

const KEY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

/// A state with a clock that moves only when told, and the actions since they were last taken.
struct World {
    state: State,
    now: Now,
    actions: Vec<Action>,
}

impl World {
    fn new() -> Self {
        let now = Now { at: Instant::now(), wall: SystemTime::UNIX_EPOCH, hash_rate: None };
        Self { state: State::new(SourcePolicy::default(), true, || 1.0), now, actions: Vec::new() }
    }

    fn configured(pools: &[&str]) -> Self {
        let mut world = Self::new();
        world.configure(pools);
        world
    }

    /// A world whose first pool is live on connection 1.
    fn mining(pools: &[&str]) -> Self {
        let mut world = Self::configured(pools);
        world.becomes_live(1);
        world.actions.clear();
        world
    }

    fn step(&mut self, input: Input) {
        self.actions.extend(self.state.handle(input, self.now));
    }

    fn configure(&mut self, pools: &[&str]) {
        let groups = if pools.is_empty() { Vec::new() } else { vec![group(pools)] };
        self.step(Input::Configure { groups, trace: TraceParent::default() });
    }

    fn event(&mut self, id: u64, event: ConnectionEvent) {
        self.step(Input::Event(ConnectionId(id), event));
    }

    fn job(&mut self, id: u64) {
        self.event(id, ConnectionEvent::Opened { extranonce_size: 8 });
        let job = Job { connection: ConnectionId(id), ..job() };
        self.event(id, ConnectionEvent::Job(Arc::new(job)));
    }

    fn switched(&mut self, id: u64) {
        let report = SwitchReport { work_gap: Duration::from_micros(40), threads: 2, late: 0 };
        self.step(Input::Switched(ConnectionId(id), report));
    }

    fn becomes_live(&mut self, id: u64) {
        self.job(id);
        self.switched(id);
    }

    fn fails(&mut self, id: u64, kind: FailureKind, recovery: Recovery) {
        let failure = PoolFailure { kind, message: "no".into(), phase: None, recovery };
        self.event(id, ConnectionEvent::Ended { failure: Some(failure), redirect: None });
    }

    fn closes(&mut self, id: u64) {
        self.event(id, ConnectionEvent::Ended { failure: None, redirect: None });
    }

    fn passes(&mut self, time: Duration) {
        self.now.at += time;
        self.step(Input::Tick);
    }

    fn reconnect(&mut self, pool: Option<&str>, immediate: bool, id: &str) -> Call {
        let (phases, taken) = mpsc::channel(16);
        let (reply, answer) = oneshot::channel();
        let request =
            ReconnectRequest { pool: pool.map(|pool| pool.parse().unwrap()), immediate, request_id: id.into() };
        let trace = TraceParent::default();
        self.step(Input::Reconnect { request, caller: Caller { phases, reply }, trace });
        Call { phases: taken, answer }
    }

    /// What was done since the last call, without what merely passes through.
    fn done(&mut self) -> Vec<String> {
        self.actions
            .drain(..)
            .filter_map(|action| match action {
                Action::Connect { id, spec, .. } => {
                    Some(format!("connect {id} {}", spec.map_or(SYNTHETIC.into(), |spec| spec.name.to_string())))
                }
                Action::Activate(id) => Some(format!("activate {id}")),
                Action::Close(id) => Some(format!("close {id}")),
                Action::Abort(id) => Some(format!("abort {id}")),
                Action::Begin { .. } | Action::Tell(_) => None,
            })
            .collect()
    }

    fn retry_in(&self, at: usize) -> Duration {
        let retry_at = self.state.snapshot(self.now).pools[at].retry_at.expect("it is tried again");
        assert!(self.state.deadline().is_some_and(|deadline| deadline > self.now.at), "somebody wakes us");
        retry_at.duration_since(self.now.wall).unwrap()
    }

    /// The moves so far, oldest first.
    fn moves(&self) -> Vec<(String, TransitionReason)> {
        let moves = self.state.snapshot(self.now).transitions;
        moves.iter().rev().map(|one| (one.to.0.to_string(), one.reason)).collect()
    }

    fn pin(&mut self, pool: &str, seconds: u64) -> Result<PoolPin, PinError> {
        let (reply, mut answer) = oneshot::channel();
        let duration = Duration::from_secs(seconds);
        self.step(Input::Pin { pool: pool.parse().unwrap(), duration, reply });
        answer.try_recv().unwrap()
    }

    fn judges(&mut self, id: u64, verdict: Verdict, times: u32) {
        for share in 0..times {
            let share = ShareId(share.into());
            self.event(id, ConnectionEvent::Judged { share, verdict, latency: Duration::ZERO });
        }
    }

    fn redirects(&mut self, id: u64, host: &str, port: u16) {
        let failure =
            PoolFailure { kind: FailureKind::Redirected, message: "go".into(), phase: None, recovery: Recovery::Retry };
        self.event(id, ConnectionEvent::Ended { failure: Some(failure), redirect: Some((host.into(), port)) });
    }

    /// Where the connections since the last call were made to, where that is not the pool's own address.
    fn targets(&mut self) -> Vec<Option<String>> {
        let actions = self.actions.drain(..);
        actions
            .filter_map(|action| match action {
                Action::Connect { target, .. } => Some(target.map(|Target { host, port }| format!("{host}:{port}"))),
                _ => None,
            })
            .collect()
    }

    fn pool_state(&self, at: usize) -> PoolState {
        self.state.snapshot(self.now).pools[at].state
    }
}

struct Call {
    phases: mpsc::Receiver<ConnectPhase>,
    answer: oneshot::Receiver<Answer>,
}

impl Call {
    fn answer(&mut self) -> Answer {
        self.answer.try_recv().expect("answered")
    }

    fn waits(&mut self) -> bool {
        self.answer.try_recv() == Err(oneshot::error::TryRecvError::Empty)
    }
}

pub(in crate::source) fn group(pools: &[&str]) -> PoolGroup {
    let pool = |name: &&str| PoolSpec {
        name: name.parse().unwrap(),
        endpoint: format!("stratum2+tcp://{name}.example/{KEY}").parse().unwrap(),
        user: "alice".into(),
        password: None,
        nominal_hash_rate: None,
        quota: mujina_core::pool::DEFAULT_QUOTA,
        options: mujina_core::pool::PoolOptions::default(),
    };
    PoolGroup {
        name: "main".parse().unwrap(),
        strategy: PoolStrategy::Failover,
        pools: pools.iter().map(pool).collect(),
    }
}

use crate::job::Job;

#[test]
fn first_pool_is_connected_and_made_live_with_its_first_job() {
    let mut world = World::configured(&["a"]);
    assert_eq!(world.done(), ["connect 1 a"]);
    assert_eq!(world.pool_state(0), PoolState::Connecting);
    world.job(1);
    assert_eq!(world.done(), ["activate 1"]);
    assert_eq!(world.state.snapshot(world.now).settled, 0);
    world.switched(1);
    assert!(world.done().is_empty());
    let snapshot = world.state.snapshot(world.now);
    assert_eq!((snapshot.live.unwrap().as_str(), snapshot.settled), ("a", 1));
    assert_eq!(world.pool_state(0), PoolState::Ready);
    assert_eq!((snapshot.pools[0].role, snapshot.channels.len()), (PoolRole::Live, 1));
}

#[test]
fn synthetic_work_goes_on_until_a_pool_has_a_job() {
    let mut world = World::configured(&[]);
    assert_eq!(world.done(), ["connect 1 synthetic"]);
    world.becomes_live(1);
    assert!(world.state.snapshot(world.now).synthetic);
    world.done();
    world.configure(&["a"]);
    assert_eq!(world.done(), ["connect 2 a"]);
    world.job(2);
    assert_eq!(world.done(), ["activate 2"]);
    world.switched(2);
    assert_eq!(world.done(), ["close 1"]);
    assert_eq!(world.state.snapshot(world.now).settled, 1, "the old connection is still there");
    world.closes(1);
    assert_eq!(world.state.snapshot(world.now).settled, 2);
}

#[test]
fn without_pools_and_synthetic_work_everything_is_closed() {
    let mut world = World::mining(&["a"]);
    world.state.synthetic = false;
    world.configure(&[]);
    assert_eq!(world.done(), ["close 1"]);
    world.closes(1);
    assert_eq!(world.state.snapshot(world.now).settled, 2);
}

#[test]
fn changed_spec_keeps_the_old_pool_until_the_new_one_works() {
    let mut world = World::mining(&["a"]);
    world.configure(&["b"]);
    assert_eq!(world.done(), ["connect 2 b"]);
    world.fails(2, FailureKind::Unreachable, Recovery::Retry);
    assert!(world.done().is_empty());
    world.passes(Duration::from_secs(1));
    assert_eq!(world.done(), ["connect 3 b"]);
    world.job(3);
    world.switched(3);
    assert_eq!(world.done(), ["activate 3", "close 1"]);
}

#[test]
fn same_spec_again_changes_nothing() {
    let mut world = World::mining(&["a", "b"]);
    world.configure(&["a", "b"]);
    assert!(world.done().is_empty());
    assert_eq!(world.state.snapshot(world.now).settled, 2);
}

#[test]
fn failed_attempts_back_off_and_show_why() {
    let mut world = World::configured(&["a"]);
    world.done();
    for (attempt, delay) in [(1, 1), (2, 2), (3, 4)] {
        world.fails(attempt, FailureKind::Unreachable, Recovery::Retry);
        assert_eq!(world.pool_state(0), PoolState::BackingOff);
        assert_eq!(world.retry_in(0), Duration::from_secs(delay));
        world.passes(Duration::from_secs(delay));
        assert_eq!(world.done(), [format!("connect {} a", attempt + 1)]);
    }
    assert_eq!(world.state.snapshot(world.now).pools[0].failures, 3);
}

#[test]
fn kinds_of_failure_stay_distinct_through_the_next_attempt() {
    for (kind, state) in [
        (FailureKind::Authentication, PoolState::AuthenticationFailed),
        (FailureKind::ClockSkew, PoolState::ClockSkew),
        (FailureKind::Refused, PoolState::Refused),
    ] {
        let mut world = World::configured(&["a"]);
        world.fails(1, kind, Recovery::Park);
        assert_eq!(world.pool_state(0), state);
        world.passes(Duration::from_secs(30));
        assert_eq!(world.pool_state(0), state);
        world.job(2);
        assert_eq!(world.pool_state(0), PoolState::Ready);
    }
}

#[test]
fn stopped_pool_is_tried_again_only_when_asked() {
    let mut world = World::configured(&["a"]);
    world.fails(1, FailureKind::Refused, Recovery::Stop);
    world.done();
    world.passes(Duration::from_secs(3600));
    assert!(world.done().is_empty());
    assert_eq!(world.pool_state(0), PoolState::Parked);
    let _call = world.reconnect(Some("a"), false, "");
    assert_eq!(world.done(), ["connect 2 a"]);
}

#[test]
fn pool_in_reserve_takes_over_at_once_and_the_first_is_returned_to_after_a_while() {
    let mut world = World::configured(&["a", "b"]);
    assert_eq!(world.done(), ["connect 1 a", "connect 2 b"]);
    world.becomes_live(1);
    world.job(2);
    assert_eq!(world.state.snapshot(world.now).pools[1].role, PoolRole::Standby);
    world.done();
    world.fails(1, FailureKind::Vanished, Recovery::Retry);
    assert_eq!(world.done(), ["activate 2"]);
    world.switched(2);
    world.passes(Duration::from_secs(1));
    assert_eq!(world.done(), ["connect 3 a"]);
    world.job(3);
    assert!(world.done().is_empty(), "it has just failed");
    assert!(world.state.deadline().is_some_and(|at| at <= world.now.at + SourcePolicy::default().return_after));
    world.passes(SourcePolicy::default().return_after);
    assert_eq!(world.done(), ["activate 3"]);
    world.switched(3);
    assert!(world.done().is_empty(), "the other stays in reserve");
    let reasons = [TransitionReason::Started, TransitionReason::FailedOver, TransitionReason::Returned];
    assert_eq!(world.moves(), ["a", "b", "a"].map(String::from).into_iter().zip(reasons).collect::<Vec<_>>());
}

#[test]
fn move_to_the_reserve_tells_why_and_how_long_nobody_was_worked_for() {
    let mut world = World::configured(&["a", "b"]);
    world.becomes_live(1);
    world.job(2);
    world.judges(1, Verdict::Lost, 2);
    world.fails(1, FailureKind::Vanished, Recovery::Retry);
    world.now.at += Duration::from_millis(3);
    world.switched(2);
    let moves = world.state.snapshot(world.now).transitions;
    assert_eq!((moves[0].detail.as_str(), moves[0].work_gap), ("no", Duration::from_millis(3)));
    assert_eq!(moves[0].from.as_ref().unwrap().1, ConnectionId(1));
}

#[test]
fn third_pool_is_left_alone_until_one_of_the_others_had_its_chance() {
    let mut world = World::configured(&["a", "b", "c"]);
    assert_eq!(world.done(), ["connect 1 a", "connect 2 b"]);
    world.becomes_live(1);
    world.fails(2, FailureKind::Refused, Recovery::Park);
    assert_eq!(world.done(), ["activate 1", "connect 3 c"]);
}

#[test]
fn quicker_second_pool_does_not_take_the_first_work() {
    let mut world = World::configured(&["a", "b"]);
    world.done();
    world.job(2);
    assert!(world.done().is_empty());
    world.job(1);
    assert_eq!(world.done(), ["activate 1"]);
    let mut slow = World::configured(&["a", "b"]);
    slow.job(2);
    slow.done();
    slow.passes(SourcePolicy::default().grace);
    assert_eq!(slow.done(), ["activate 2"]);
}

#[test]
fn edit_that_only_reorders_moves_the_work_and_reconnects_nothing() {
    let mut world = World::configured(&["a", "b"]);
    world.becomes_live(1);
    world.job(2);
    world.done();
    world.configure(&["b", "a"]);
    assert_eq!(world.done(), ["activate 2"]);
    world.switched(2);
    assert!(world.done().is_empty());
    assert_eq!(world.moves().last().unwrap(), &("b".to_owned(), TransitionReason::Configured));
}

#[test]
fn changed_quota_reconnects_nothing() {
    let mut world = World::mining(&["a"]);
    let mut changed = group(&["a"]);
    changed.strategy = PoolStrategy::Quota;
    changed.pools[0].quota = std::num::NonZeroU32::new(5).unwrap();
    world.step(Input::Configure { groups: vec![changed], trace: TraceParent::default() });
    assert!(world.done().is_empty());
    assert_eq!(world.state.snapshot(world.now).pools[0].work_split.unwrap().target, 1.0);
}

#[test]
fn members_of_a_quota_group_take_turns_without_reconnecting() {
    let mut world = World::new();
    let mut shared = group(&["a", "b"]);
    shared.strategy = PoolStrategy::Quota;
    world.step(Input::Configure { groups: vec![shared], trace: TraceParent::default() });
    world.job(1);
    world.job(2);
    world.done();
    let mut turns = Vec::new();
    for _ in 0..6 {
        let id = world.state.activating.as_ref().map(|one| one.id.0).or(world.state.live.map(|id| id.0)).unwrap();
        turns.push(id);
        world.switched(id);
        world.passes(SourcePolicy::default().quota_slice);
    }
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
    assert!(world.done().iter().all(|done| done.starts_with("activate")));
    let split = world.state.snapshot(world.now).pools[0].work_split.unwrap();
    assert!((split.achieved.unwrap() - 0.5).abs() < 1e-9, "{split:?}");
    assert_eq!(world.moves().last().unwrap().1, TransitionReason::Quota);
}

#[test]
fn pin_holds_for_its_time_and_reverts_by_itself() {
    let mut world = World::configured(&["a", "b", "c"]);
    world.becomes_live(1);
    world.job(2);
    world.done();
    let pin = world.pin("c", 3600).unwrap();
    assert_eq!(pin.expires_at, world.now.wall + Duration::from_secs(3600));
    assert_eq!(world.done(), ["connect 3 c"]);
    world.becomes_live(3);
    assert_eq!(world.done(), ["activate 3"]);
    assert_eq!(world.state.snapshot(world.now).pin, Some(pin));
    world.passes(Duration::from_secs(3600));
    assert_eq!(world.done(), ["activate 1"]);
    world.switched(1);
    assert_eq!(world.done(), ["close 3"]);
    assert_eq!(world.state.snapshot(world.now).pin, None);
    let reasons: Vec<_> = world.moves().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, [TransitionReason::Started, TransitionReason::Pinned, TransitionReason::Unpinned]);
}

#[test]
fn pin_ends_by_hand_or_with_its_pool_and_wants_a_pool_of_the_spec() {
    let mut world = World::mining(&["a", "b"]);
    assert_eq!(world.pin("x", 60), Err(PinError::PoolNotFound("x".parse().unwrap())));
    let pin = world.pin("b", 60).unwrap();
    let (reply, mut answer) = oneshot::channel();
    world.step(Input::Unpin { reply });
    assert_eq!(answer.try_recv().unwrap(), Some(pin));
    world.pin("b", 60).unwrap();
    world.configure(&["a"]);
    assert_eq!(world.state.snapshot(world.now).pin, None);
}

#[test]
fn pinned_pool_that_does_not_work_leaves_the_work_where_it_is() {
    let mut world = World::mining(&["a", "b"]);
    world.pin("b", 60).unwrap();
    world.fails(2, FailureKind::Unreachable, Recovery::Retry);
    assert!(world.done().is_empty());
    assert_eq!(world.state.snapshot(world.now).live.unwrap().as_str(), "a");
}

// A6
#[test]
fn pool_that_refuses_most_shares_is_passed_over_for_a_while() {
    let mut world = World::configured(&["a", "b"]);
    world.becomes_live(1);
    world.job(2);
    world.done();
    world.judges(1, Verdict::Rejected(mujina_core::share::RejectReason::Other), 50);
    assert_eq!(world.done(), ["activate 2"]);
    world.switched(2);
    assert!(world.done().is_empty(), "it stays connected");
    assert_eq!(world.moves().last().unwrap(), &("b".to_owned(), TransitionReason::Rejects));
    world.passes(SourcePolicy::default().shun);
    assert_eq!(world.done(), ["activate 1"]);
}

// R1
#[test]
fn pool_that_sends_us_elsewhere_is_followed_at_once() {
    let mut world = World::mining(&["a"]);
    world.redirects(1, "eu.a.example", 99);
    assert_eq!(world.targets(), [Some("eu.a.example:99".to_owned())]);
    assert_eq!(world.state.snapshot(world.now).pools[0].failures, 0);
    world.becomes_live(2);
    world.redirects(2, "", 0);
    assert_eq!(world.targets(), [Some("eu.a.example:99".to_owned())], "the same host is the one that said so");
    assert_eq!(world.moves().last().unwrap().1, TransitionReason::Reconnected);
}

// R3
#[test]
fn target_that_fails_is_forgotten_and_bad_ones_count_as_failures() {
    let mut world = World::mining(&["a"]);
    world.redirects(1, "eu.a.example", 99);
    world.fails(2, FailureKind::Authentication, Recovery::Retry);
    world.targets();
    world.passes(Duration::from_secs(1));
    assert_eq!(world.targets(), [None], "back to the pool's own address");
    world.redirects(3, "127.0.0.1", 99);
    let snapshot = world.state.snapshot(world.now);
    assert!(snapshot.pools[0].reason.contains("local address"), "{}", snapshot.pools[0].reason);
    assert_eq!(snapshot.pools[0].state, PoolState::BackingOff);
}

#[test]
fn verdicts_decide_nothing_and_change_nothing_visible() {
    let mut world = World::mining(&["a"]);
    world.state.take_changed();
    world.judges(1, Verdict::Accepted, 10);
    assert!(!world.state.take_changed());
    world.job(1);
    assert!(world.state.take_changed());
}

#[test]
fn graceful_reconnect_closes_the_old_connection_after_the_switch() {
    let mut world = World::mining(&["a"]);
    let mut call = world.reconnect(None, false, "r1");
    assert_eq!(world.done(), ["connect 2 a"]);
    let phase = ConnectionEvent::Phase { name: PhaseName::Tcp, elapsed: Duration::from_millis(1), detail: "x".into() };
    world.event(2, phase);
    assert_eq!(call.phases.try_recv().unwrap().name, PhaseName::Tcp);
    world.job(2);
    assert_eq!(world.done(), ["activate 2"]);
    world.switched(2);
    assert_eq!(world.done(), ["close 1"]);
    assert!(call.waits(), "shares of the old connection are still open");
    let verdict = |verdict| ConnectionEvent::Judged { share: ShareId(1), verdict, latency: Duration::ZERO };
    world.event(1, verdict(Verdict::Accepted));
    world.event(1, verdict(Verdict::Lost));
    world.closes(1);
    let outcome = call.answer().unwrap();
    assert_eq!((outcome.connection, outcome.shares_lost), (ConnectionId(2), 1));
    assert_eq!(outcome.switch.work_gap, Duration::from_micros(40));
    let names: Vec<_> = outcome.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(names, [PhaseName::Tcp, PhaseName::Switch, PhaseName::Drain]);
}

#[test]
fn repeat_of_a_reconnect_joins_it_or_gets_its_result() {
    let mut world = World::mining(&["a"]);
    let mut first = world.reconnect(Some("a"), false, "same");
    let mut joined = world.reconnect(Some("a"), false, "same");
    assert_eq!(world.done(), ["connect 2 a"]);
    let mut other = world.reconnect(Some("a"), false, "other");
    assert_eq!(other.answer(), Err(ReconnectError::UnderWay("a".parse().unwrap())));
    world.becomes_live(2);
    world.closes(1);
    let outcome: ReconnectOutcome = first.answer().unwrap();
    assert_eq!(joined.answer().as_ref(), Ok(&outcome));
    world.done();
    let mut late = world.reconnect(Some("a"), false, "same");
    assert_eq!(late.answer().as_ref(), Ok(&outcome));
    assert!(world.done().is_empty());
}

#[test]
fn failed_reconnect_leaves_the_old_connection_alone() {
    let mut world = World::mining(&["a"]);
    let mut call = world.reconnect(None, false, "");
    world.done();
    world.fails(2, FailureKind::Unreachable, Recovery::Retry);
    assert!(matches!(call.answer(), Err(ReconnectError::Failed { message, .. }) if message == "no"));
    assert!(world.done().is_empty());
    assert_eq!(world.pool_state(0), PoolState::Ready);
    assert_eq!(world.state.snapshot(world.now).live.unwrap().as_str(), "a");
}

#[test]
fn immediate_reconnect_cuts_first_and_counts_the_gap() {
    let mut world = World::mining(&["a"]);
    let mut call = world.reconnect(None, true, "");
    assert_eq!(world.done(), ["abort 1", "connect 2 a"]);
    world.closes(1);
    world.now.at += Duration::from_millis(250);
    world.becomes_live(2);
    assert_eq!(call.answer().unwrap().switch.work_gap, Duration::from_millis(250));
}

#[test]
fn reconnect_of_what_is_not_there_is_refused() {
    let mut world = World::configured(&[]);
    assert_eq!(world.reconnect(None, false, "").answer(), Err(ReconnectError::NoLivePool));
    let name: PoolName = "x".parse().unwrap();
    assert_eq!(world.reconnect(Some("x"), false, "").answer(), Err(ReconnectError::PoolNotFound(name)));
}

#[test]
fn pool_that_leaves_the_spec_ends_its_reconnect() {
    let mut world = World::mining(&["a"]);
    let mut call = world.reconnect(None, false, "");
    world.configure(&["b"]);
    assert_eq!(call.answer(), Err(ReconnectError::Superseded("a".parse().unwrap())));
}

#[test]
fn lost_tip_lets_the_next_pool_take_over() {
    let mut world = World::mining(&["a", "b"]);
    world.job(2);
    world.event(1, ConnectionEvent::Cleared { reason: "tip without job".into() });
    assert_eq!(world.pool_state(0), PoolState::WaitingForJob);
    assert_eq!(world.done(), ["activate 2"]);
}

#[test]
fn panicked_connection_counts_as_failed() {
    let mut world = World::mining(&["a"]);
    world.step(Input::Vanished(ConnectionId(1)));
    assert_eq!(world.pool_state(0), PoolState::BackingOff);
    assert!(world.state.is_empty());
}

#[test]
fn shutdown_closes_everything_and_opens_nothing() {
    let mut world = World::mining(&["a"]);
    world.step(Input::Shutdown);
    assert_eq!(world.done(), ["close 1"]);
    world.closes(1);
    assert!(world.done().is_empty() && world.state.is_empty());
    assert_eq!(world.reconnect(Some("a"), false, "").answer(), Err(ReconnectError::ShuttingDown));
}
