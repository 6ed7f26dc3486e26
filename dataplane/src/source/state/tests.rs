use super::*;
use crate::{
    job::tests::job,
    pool::{FailureKind, Recovery},
    source::{ReconnectOutcome, reconnect::Answer},
};
use mujina_core::{
    id::ShareId,
    pool::PoolStrategy,
    status::{PhaseName, PoolState},
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
        let now = Now { at: Instant::now(), wall: SystemTime::UNIX_EPOCH };
        Self { state: State::new(true, || 1.0), now, actions: Vec::new() }
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

fn group(pools: &[&str]) -> PoolGroup {
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
    let mut world = World::configured(&["a", "b"]);
    assert_eq!(world.done(), ["connect 1 a"]);
    assert_eq!(world.pool_state(0), PoolState::Connecting);
    world.job(1);
    assert_eq!(world.done(), ["activate 1"]);
    assert_eq!(world.state.snapshot(world.now).settled, 0);
    world.switched(1);
    assert!(world.done().is_empty());
    let snapshot = world.state.snapshot(world.now);
    assert_eq!((snapshot.live.unwrap().as_str(), snapshot.settled), ("a", 1));
    assert_eq!((world.pool_state(0), world.pool_state(1)), (PoolState::Ready, PoolState::Idle));
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
        assert_eq!(world.state.deadline(world.now.at), Some(world.now.at + Duration::from_secs(delay)));
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
fn refused_pool_gives_way_at_once_and_work_returns_when_it_is_back() {
    let mut world = World::configured(&["a", "b"]);
    world.done();
    world.fails(1, FailureKind::Refused, Recovery::Park);
    assert_eq!(world.done(), ["connect 2 b"]);
    world.becomes_live(2);
    world.done();
    world.passes(Duration::from_secs(30));
    assert_eq!(world.done(), ["connect 3 a"]);
    world.job(3);
    world.switched(3);
    assert_eq!(world.done(), ["activate 3", "close 2"]);
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
    world.passes(Duration::from_secs(61));
    world.event(1, ConnectionEvent::Cleared { reason: "tip without job".into() });
    assert_eq!(world.pool_state(0), PoolState::WaitingForJob);
    assert_eq!(world.done(), ["connect 2 b"]);
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

#[test]
fn v1_pools_are_refused_by_name() {
    let mut group = group(&["a"]);
    group.pools[0].endpoint = "stratum+tcp://a.example".parse().unwrap();
    assert_eq!(State::check(&[group]), Err(ConfigureError::UnsupportedPool("a".parse().unwrap())));
}
