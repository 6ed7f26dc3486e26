use super::*;
use crate::{
    backplane::standing,
    pool::ConnectionFacts,
    scheduler::{ConnectionScope, Scope, ThreadScope},
    source::ConnectionSnapshot,
};
use mujina_core::{
    board::SensorReport,
    id::Generation,
    pool::PoolStrategy,
    share::ShareTotals,
    spec::{GroupDraft, MinerSpec, PoolDraft, SpecDraft, SpecOrigin, SpecSection},
    status::PoolRole,
    units::{Celsius, Difficulty, Work},
};
use std::time::{Duration, UNIX_EPOCH};

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second)
}

struct World {
    assembler: Assembler,
    scheduler: scheduler::Snapshot,
    source: source::Snapshot,
    spec: SpecState,
    storage: Option<&'static str>,
    boards: BoardReports,
    stopping: bool,
}

impl World {
    /// One thread that hashes for pool `main`.
    fn mining() -> Self {
        let identity = Identity { miner_id: "m1".parse().unwrap(), name: "rig".into(), boot_id: "b".into() };
        let thread = ThreadScope {
            id: "cpu-0".parse().unwrap(),
            board: "cpu".parse().unwrap(),
            state: ThreadState::Hashing,
            failure: None,
            slot: Some(0),
            nominal_hash_rate: HashRate::from_megahashes_per_second(5.0),
            scope: Scope::default(),
        };
        let connection = ConnectionScope {
            pool: "main".parse().unwrap(),
            since: at(1),
            totals: ShareTotals { found: 3, submitted: 3, accepted: 3, ..ShareTotals::default() },
            hashes: 0,
        };
        let scheduler = scheduler::Snapshot {
            at: at(0),
            since: at(0),
            live: Some(ConnectionId(7)),
            paused: false,
            hashing: true,
            share_work: Some(Work::from_hashes(4_295_032_833.0)),
            miner: Scope::default(),
            pools: BTreeMap::new(),
            connections: [(ConnectionId(7), connection)].into(),
            boards: BTreeMap::new(),
            threads: vec![thread],
            unknown_verdicts: 0,
        };
        let facts =
            ConnectionFacts { share_difficulty: Some(Difficulty::try_from(1.0).unwrap()), ..Default::default() };
        let connection = ConnectionSnapshot {
            id: ConnectionId(7),
            facts,
            ready_at: Some(at(1)),
            job_label: "5".into(),
            job_received_at: Some(at(2)),
            version_mask: 0x1fff_e000,
            jobs: 4,
            phases: Vec::new(),
        };
        let pool = PoolSnapshot {
            name: "main".parse().unwrap(),
            url: URL.into(),
            user: "alice".into(),
            authority_fingerprint: "ab".into(),
            state: PoolState::Ready,
            reason: String::new(),
            since: at(1),
            retry_at: None,
            failures: 0,
            connection: Some(connection.into()),
            role: PoolRole::Live,
            work_split: None,
        };
        let source = source::Snapshot {
            live: Some("main".parse().unwrap()),
            synthetic: false,
            pools: vec![pool],
            configured: 1,
            settled: 1,
            ..source::Snapshot::default()
        };
        let cpu = standing::report("cpu".parse().unwrap(), "cpu", BTreeMap::new(), at(0));
        Self {
            assembler: Assembler::new(identity),
            scheduler,
            source,
            spec: spec(),
            storage: None,
            boards: BoardReports { boards: [(cpu.id.clone(), cpu)].into(), ..BoardReports::default() },
            stopping: false,
        }
    }

    fn look(&mut self, second: u64) -> MinerStatus {
        let seen = Seen {
            scheduler: &self.scheduler,
            source: &self.source,
            spec: &self.spec,
            storage: self.storage,
            lifetimes: None,
            boards: &self.boards,
            stopping: self.stopping,
        };
        self.assembler.assemble(&seen, at(second))
    }

    fn lose_work(&mut self, state: PoolState, reason: &str) {
        (self.scheduler.hashing, self.scheduler.live, self.source.live) = (false, None, None);
        let pool = &mut self.source.pools[0];
        (pool.state, pool.reason, pool.failures) = (state, reason.into(), 1);
    }
}

const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

fn spec() -> SpecState {
    let pool = PoolDraft { name: "main".into(), url: URL.into(), user: "alice".into(), ..PoolDraft::default() };
    let group = GroupDraft { name: "all".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
    SpecState {
        spec: SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }.check(None).unwrap(),
        generation: Generation(2),
        etag: "e".into(),
        origin: SpecOrigin::Local,
        control_generation: Generation(0),
        accepted_at: at(0),
        sections: Vec::new(),
        observed_generation: Generation(1),
        reverts_at: None,
    }
}

fn reasons(status: &MinerStatus) -> Vec<FaultReason> {
    status.faults.iter().map(|fault| fault.reason).collect()
}

#[test]
fn mining_miner_shows_its_pool_with_the_ledger_of_its_connection() {
    let status = World::mining().look(5);
    assert_eq!((status.state, status.state_since), (MinerState::Mining, at(5)));
    assert_eq!((status.generation, status.observed_generation), (Generation(2), Generation(1)));
    assert!(status.pools[0].live);
    let connection = status.pools[0].connection.as_ref().unwrap();
    assert_eq!((connection.totals.accepted, connection.totals_since, connection.jobs), (3, at(1), 4));
    assert_eq!(status.boards[0].threads[0].slot, Some(0));
    assert_eq!(status.nominal_hash_rate, Some(HashRate::from_megahashes_per_second(5.0)));
    assert!(status.faults.is_empty());
}

#[test]
fn states_follow_what_matters_most() {
    let mut world = World::mining();
    world.lose_work(PoolState::BackingOff, "refused");
    assert_eq!(world.look(1).state, MinerState::NoWork);
    world.source.pools.clear();
    world.spec.spec = MinerSpec::default();
    world.source.synthetic = true;
    let status = world.look(2);
    assert_eq!(status.state, MinerState::NoPool);
    assert!(status.state_reason.contains("invented work"), "{}", status.state_reason);
    world.spec.spec.paused = true;
    assert_eq!(world.look(3).state, MinerState::Paused);
    world.stopping = true;
    assert_eq!(world.look(4).state, MinerState::Stopping);
}

#[test]
fn first_connection_is_a_start_and_a_later_one_is_lost_work() {
    let mut world = World::mining();
    world.lose_work(PoolState::Connecting, "");
    world.source.pools[0].failures = 0;
    assert_eq!(world.look(1).state, MinerState::Starting);
    let mut world = World::mining();
    world.look(1);
    world.lose_work(PoolState::Connecting, "");
    assert_eq!(world.look(2).state, MinerState::NoWork);
}

#[test]
fn times_since_are_kept_until_the_thing_changes() {
    let mut world = World::mining();
    assert_eq!(world.look(1).state_since, at(1));
    assert_eq!(world.look(9).state_since, at(1));
    world.lose_work(PoolState::AuthenticationFailed, "wrong key");
    let status = world.look(10);
    assert_eq!(reasons(&status), [FaultReason::PoolAuthenticationFailed, FaultReason::NoWork]);
    let later = world.look(20);
    assert!(later.faults.iter().all(|fault| fault.since == at(10)), "{:?}", later.faults);
    assert_eq!((later.state_since, later.faults[0].subject.as_str()), (at(10), "pool/main"));
}

#[test]
fn faults_of_threads_storage_and_spec_are_listed() {
    let mut world = World::mining();
    world.scheduler.threads[0].state = ThreadState::Dead;
    world.scheduler.threads[0].failure = Some("panicked".into());
    world.storage = Some("disk full");
    world.spec.origin = SpecOrigin::Recovery;
    let found = reasons(&world.look(1));
    for reason in [FaultReason::SpecUnreadable, FaultReason::ThreadDead, FaultReason::StorageFailed] {
        assert!(found.contains(&reason), "{found:?}");
    }
}

#[test]
fn hashing_without_a_share_for_too_long_is_a_fault_until_one_is_found() {
    let mut world = World::mining();
    world.look(1);
    let hashes = |world: &mut World, shares: u64| {
        world.scheduler.connections.get_mut(&ConnectionId(7)).unwrap().hashes = shares * 4_295_032_833;
    };
    hashes(&mut world, 19);
    assert!(world.look(2).faults.is_empty());
    hashes(&mut world, 21);
    assert_eq!(reasons(&world.look(3)), [FaultReason::NoNonces]);
    world.scheduler.connections.get_mut(&ConnectionId(7)).unwrap().totals.submitted += 1;
    assert!(world.look(4).faults.is_empty());
}

#[test]
fn shares_that_come_more_rarely_than_the_pool_wants_are_no_fault() {
    // As with `share_every`, or where the flood cap holds them back.
    let mut world = World::mining();
    world.scheduler.share_work = Some(Work::from_hashes(100.0 * 4_295_032_833.0));
    world.look(1);
    world.scheduler.connections.get_mut(&ConnectionId(7)).unwrap().hashes = 50 * 4_295_032_833;
    assert!(world.look(2).faults.is_empty());
}

impl World {
    fn cpu(&mut self) -> &mut mujina_core::board::BoardReport {
        self.boards.boards.get_mut("cpu".parse().as_ref().unwrap()).unwrap()
    }
}

fn fault(reason: FaultReason) -> Fault {
    Fault { reason, subject: "board/cpu".into(), message: "see to it".into(), since: at(3) }
}

#[test]
fn board_shows_its_state_and_readings_beside_its_threads() {
    let mut world = World::mining();
    let board = world.cpu();
    (board.state, board.state_reason) = (BoardState::Waiting, "cools down".into());
    board.sensors.push(SensorReport {
        name: "asic".into(),
        temperature: Some(Celsius::from_degrees(71.0)),
        soft_limit: Celsius::from_degrees(70.0),
        hard_limit: Celsius::from_degrees(80.0),
        problem: String::new(),
    });
    let status = world.look(5);
    let board = &status.boards[0];
    assert_eq!((board.summary.state, board.summary.state_reason.as_str()), (BoardState::Waiting, "cools down"));
    assert_eq!(board.summary.hottest, Some(("asic".into(), Celsius::from_degrees(71.0))));
    assert_eq!((board.nominal_hash_rate, board.threads.len()), (Some(HashRate::from_megahashes_per_second(5.0)), 1));
    world.scheduler.threads[0].state = ThreadState::Dead;
    assert_eq!(world.look(6).boards[0].nominal_hash_rate, None);
}

#[test]
fn faults_of_boards_are_faults_of_the_miner_with_their_own_times() {
    let mut world = World::mining();
    world.cpu().faults.push(fault(FaultReason::FanStalled));
    world.boards.usb_problem = "no sysfs; mount it".into();
    world.look(5);
    let status = world.look(9);
    let said: Vec<_> = status.faults.iter().map(|one| (one.reason, one.subject.as_str(), one.since)).collect();
    assert_eq!(said, [(FaultReason::FanStalled, "board/cpu", at(3)), (FaultReason::UsbUnavailable, "usb", at(5))]);
    assert_eq!(status.boards[0].summary.faults, [FaultReason::FanStalled]);
}

#[test]
fn refused_tuning_is_told_by_the_board_or_else_by_the_spec() {
    let mut world = World::mining();
    let refused = SpecSection { path: "boards", applying: Some("board cpu: too much".into()), refused: true };
    world.spec.sections = vec![refused];
    let status = world.look(1);
    assert_eq!(status.faults[0].subject, "spec/boards");
    assert!(status.faults[0].message.starts_with("board cpu: too much; "), "{:?}", status.faults);
    world.cpu().faults.push(fault(FaultReason::TuningRefused));
    let status = world.look(2);
    assert_eq!((status.faults.len(), status.faults[0].subject.as_str()), (1, "board/cpu"));
}

#[test]
fn miner_without_threads_waits_for_its_boards_or_says_what_they_say() {
    let mut world = World::mining();
    world.scheduler.threads.clear();
    world.lose_work(PoolState::Ready, "");
    world.cpu().state = BoardState::Starting;
    let status = world.look(1);
    assert_eq!((status.state, status.state_reason.as_str()), (MinerState::Starting, "board cpu is being brought up"));
    assert!(status.faults.is_empty(), "{:?}", status.faults);
    (world.cpu().state, world.cpu().state_reason) = (BoardState::Waiting, "cools down".into());
    let status = world.look(2);
    let expected = "no hash thread is alive; board cpu: cools down";
    assert_eq!((status.state, status.state_reason.as_str()), (MinerState::NoWork, expected));
    assert_eq!(reasons(&status), [FaultReason::NoWork]);
}
