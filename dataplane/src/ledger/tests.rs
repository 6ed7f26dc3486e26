//! Random operations against a plain list of what happened to each nonce.

use super::*;
use mujina_core::extranonce::Extranonce;
use mujina_core::units::Difficulty;
use proptest::prelude::*;

const THREADS: u32 = 4;
const POOLS: u64 = 2;

#[derive(Debug, Clone, Copy)]
enum Op {
    Begin,
    End(usize),
    Drop { thread: u32, connection: usize, reason: DropReason },
    Hashes { thread: u32, connection: usize, hashes: u64 },
    Hand { thread: u32, connection: usize, block: bool },
    Sent(usize),
    NotSent(usize, DropReason),
    Judged(usize, Verdict),
    Reclassified(usize, RejectReason),
}

/// What the list says of one nonce.
#[derive(Debug, Clone)]
struct Fact {
    place: Place,
    pool: PoolName,
    work: f64,
    outcome: Option<ShareOutcome>,
    difficulty: Difficulty,
    block: bool,
    ended: bool,
}

struct World {
    ledger: Ledger,
    now: Instant,
    connections: Vec<(ConnectionId, PoolName, bool)>,
    /// Indexed by share number, but for dropped nonces, which have none.
    shares: Vec<Fact>,
    dropped: Vec<Fact>,
    hashes: u64,
    unknown: u64,
}

fn pool(number: u64) -> PoolName {
    format!("pool-{number}").parse().unwrap()
}

fn board(thread: u32) -> BoardId {
    format!("board-{}", thread / 2).parse().unwrap()
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut ledger = Ledger::new(now);
        for thread in 0..THREADS {
            ledger.join(ThreadIndex(thread), &format!("thread-{thread}").parse().unwrap(), board(thread), now);
        }
        let mut world = Self {
            ledger,
            now,
            connections: Vec::new(),
            shares: Vec::new(),
            dropped: Vec::new(),
            hashes: 0,
            unknown: 0,
        };
        world.apply(Op::Begin);
        world
    }

    fn place(&self, thread: u32, connection: usize) -> (Place, PoolName) {
        let (id, pool, _) = &self.connections[connection % self.connections.len()];
        (Place { thread: ThreadIndex(thread), connection: *id }, pool.clone())
    }

    fn share(&self, pick: usize) -> (ShareId, Option<usize>) {
        // One in so many picks is a share that never was.
        let at = pick % (self.shares.len() + 1);
        (ShareId(at as u64), (at < self.shares.len()).then_some(at))
    }

    /// Moves a share in the list if it stands where it must, and says whether the ledger must know it.
    fn turn(&mut self, at: Option<usize>, from: &[Option<ShareOutcome>], to: ShareOutcome) -> bool {
        let Some(fact) = at.map(|at| &mut self.shares[at]).filter(|fact| from.contains(&fact.outcome) && !fact.ended)
        else {
            self.unknown += 1;
            return false;
        };
        fact.outcome = Some(to);
        true
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Begin => {
                let number = self.connections.len() as u64 + 1;
                let (id, name) = (ConnectionId(number), pool(number % POOLS));
                self.ledger.begin(id, name.clone(), self.now, SystemTime::UNIX_EPOCH);
                self.connections.push((id, name, false));
            }
            Op::End(pick) => {
                let at = pick % self.connections.len();
                let id = self.connections[at].0;
                self.connections[at].2 = true;
                let mut left = 0;
                for fact in self.shares.iter_mut().filter(|fact| fact.place.connection == id) {
                    left += usize::from(matches!(fact.outcome, None | Some(ShareOutcome::Pending)));
                    fact.outcome = match fact.outcome {
                        None => Some(ShareOutcome::Dropped(DropReason::Stale)),
                        Some(ShareOutcome::Pending) => Some(ShareOutcome::Lost),
                        settled => settled,
                    };
                    fact.ended = true;
                }
                assert_eq!(self.ledger.end(id).len(), left);
            }
            Op::Drop { thread, connection, reason } => {
                let (place, pool) = self.place(thread, connection);
                self.ledger.drop_nonce(place, reason);
                let outcome = Some(ShareOutcome::Dropped(reason));
                let difficulty = Difficulty::default();
                self.dropped.push(Fact { place, pool, work: 0.0, outcome, difficulty, block: false, ended: false });
            }
            Op::Hashes { thread, connection, hashes } => {
                let (place, _) = self.place(thread, connection);
                self.ledger.add_hashes(place, hashes);
                self.ledger.credit(place, 1.0, self.now);
                self.hashes += hashes;
            }
            Op::Hand { thread, connection, block } => {
                let (place, pool) = self.place(thread, connection);
                if self.connections.iter().any(|(id, _, ended)| *id == place.connection && *ended) {
                    return;
                }
                let id = ShareId(self.shares.len() as u64);
                let difficulty = Difficulty::try_from(1.0 + (id.0 * 7919 % 101) as f64).unwrap();
                let work = 1.0 + (id.0 % 5) as f64;
                let share = share(id, place, &pool, difficulty, block);
                self.ledger.hand_over(place, share, work);
                self.shares.push(Fact { place, pool, work, outcome: None, difficulty, block, ended: false });
            }
            Op::Sent(pick) => {
                let (id, at) = self.share(pick);
                let known = self.turn(at, &[None], ShareOutcome::Pending);
                assert_eq!(self.ledger.sent(id).map(|share| share.outcome), known.then_some(ShareOutcome::Pending));
            }
            Op::NotSent(pick, reason) => {
                let (id, at) = self.share(pick);
                let known = self.turn(at, &[None], ShareOutcome::Dropped(reason));
                assert_eq!(self.ledger.not_sent(id, reason).is_some(), known);
            }
            Op::Judged(pick, verdict) => {
                let (id, at) = self.share(pick);
                let outcome = match verdict {
                    Verdict::Accepted => ShareOutcome::Accepted,
                    Verdict::Rejected(reason) => ShareOutcome::Rejected(reason),
                    Verdict::Lost => ShareOutcome::Lost,
                };
                let known = self.turn(at, &[Some(ShareOutcome::Pending)], outcome);
                let judged = self.ledger.judged(id, verdict, Duration::from_millis(3));
                assert_eq!(judged.map(|share| share.outcome), known.then_some(outcome));
            }
            Op::Reclassified(pick, reason) => {
                let (id, at) = self.share(pick);
                let known = self.turn(at, &[Some(ShareOutcome::Accepted)], ShareOutcome::Rejected(reason));
                assert_eq!(self.ledger.reclassified(id, reason).is_some(), known);
            }
        }
    }

    /// The totals of what the list says, for the nonces that `belongs` picks.
    fn expected(&self, belongs: impl Fn(&Fact) -> bool) -> ShareTotals {
        let mut totals = ShareTotals::default();
        for fact in self.shares.iter().chain(&self.dropped).filter(|fact| belongs(fact)) {
            let Some(outcome) = fact.outcome else { continue };
            totals.found += 1;
            if let ShareOutcome::Dropped(reason) = outcome {
                match reason {
                    DropReason::Stale => totals.stale += 1,
                    DropReason::Duplicate => totals.duplicate += 1,
                    DropReason::BelowTarget => totals.below_target += 1,
                    DropReason::OutOfWindow => totals.out_of_window += 1,
                    DropReason::HardwareError => totals.hardware_error += 1,
                    DropReason::Suppressed => totals.suppressed += 1,
                }
                continue;
            }
            totals.submitted += 1;
            totals.submitted_work += fact.work;
            totals.blocks += u64::from(fact.block);
            totals.best_difficulty = match totals.best_difficulty {
                Some(best) if best > fact.difficulty => Some(best),
                _ => Some(fact.difficulty),
            };
            match outcome {
                ShareOutcome::Pending => totals.pending += 1,
                ShareOutcome::Accepted => {
                    totals.accepted += 1;
                    totals.accepted_work += fact.work;
                }
                ShareOutcome::Rejected(reason) => *totals.rejected.get_mut(reason) += 1,
                ShareOutcome::Lost => totals.lost += 1,
                ShareOutcome::Dropped(_) => unreachable!("left above"),
            }
        }
        totals
    }

    /// After every step: every scope balances, and the scopes sum up.
    fn check_sums(&self) {
        self.ledger.assert_balanced();
    }

    /// Every scope holds what the list says.
    fn check(&self) {
        self.check_sums();
        let ledger = &self.ledger;
        let mut scopes = vec![(ledger.miner.totals, self.expected(|_| true))];
        for (name, pool) in &ledger.pools {
            scopes.push((pool.account.totals, self.expected(|fact| fact.pool == *name)));
        }
        for (id, connection) in &ledger.connections {
            scopes.push((connection.account.totals, self.expected(|fact| fact.place.connection == *id)));
        }
        for (id, account) in &ledger.boards {
            scopes.push((account.totals, self.expected(|fact| board(fact.place.thread.0) == *id)));
        }
        for (index, thread) in &ledger.threads {
            scopes.push((thread.account.totals, self.expected(|fact| fact.place.thread == *index)));
        }
        for (counted, expected) in scopes {
            assert_eq!(counted, expected);
        }
        assert_eq!((ledger.unknown_verdicts, ledger.miner.hashes), (self.unknown, self.hashes));
        let ended = |name: &PoolName| {
            ledger.connections.values().filter(|connection| connection.ended && connection.pool == *name).count()
        };
        assert!(ledger.pools.keys().all(|name| ended(name) <= 1));
        assert!(ledger.open.len() <= self.shares.len() && ledger.accepted.len() <= ledger.open.len());
    }
}

impl Ledger {
    /// Checks that every scope balances and that boards, threads and pools each sum up to the miner, whose totals it
    /// returns. The works must be small integers, whose sums are exact.
    pub(crate) fn assert_balanced(&self) -> ShareTotals {
        let threads = || self.threads.values().map(|thread| &thread.account);
        let pools = || self.pools.values().map(|pool| &pool.account);
        let connections = self.connections.values().map(|connection| &connection.account);
        assert!(self.boards.values().chain(threads()).chain(pools()).chain(connections).all(Account::is_balanced));
        for sum in [sum(self.boards.values()), sum(threads()), sum(pools())] {
            assert_eq!(sum, (self.miner.totals, self.miner.hashes));
        }
        self.miner.totals
    }
}

impl Account {
    fn is_balanced(&self) -> bool {
        self.totals.is_balanced()
    }
}

fn sum<'a>(accounts: impl Iterator<Item = &'a Account>) -> (ShareTotals, u64) {
    accounts.fold(Default::default(), |(mut totals, hashes): (ShareTotals, u64), account| {
        totals.add(&account.totals);
        (totals, hashes + account.hashes)
    })
}

fn share(id: ShareId, place: Place, pool: &PoolName, difficulty: Difficulty, block: bool) -> Share {
    Share {
        id,
        found_at: SystemTime::UNIX_EPOCH,
        pool: pool.clone(),
        connection: place.connection,
        board: board(place.thread.0),
        thread: format!("thread-{}", place.thread.0).parse().unwrap(),
        job_id: "1".into(),
        header: [0; 80],
        extranonce: Extranonce::new(&[0; 8]).unwrap(),
        extranonce_prefix: Extranonce::new(&[3; 4]).unwrap(),
        hash: [0; 32],
        difficulty,
        share_difficulty: difficulty,
        share_target: mujina_core::units::ShareTarget::MAX,
        outcome: ShareOutcome::Pending,
        latency: None,
        trace_id: None,
        block,
    }
}

fn drop_reason() -> impl Strategy<Value = DropReason> {
    prop_oneof![
        Just(DropReason::Stale),
        Just(DropReason::Duplicate),
        Just(DropReason::BelowTarget),
        Just(DropReason::OutOfWindow),
        Just(DropReason::HardwareError),
        Just(DropReason::Suppressed),
    ]
}

fn reject_reason() -> impl Strategy<Value = RejectReason> {
    proptest::sample::select(RejectReason::ALL.to_vec())
}

fn op() -> impl Strategy<Value = Op> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Accepted),
        2 => reject_reason().prop_map(Verdict::Rejected),
        1 => Just(Verdict::Lost),
    ];
    let hand = (0..THREADS, any::<usize>(), any::<bool>());
    prop_oneof![
        1 => Just(Op::Begin),
        1 => any::<usize>().prop_map(Op::End),
        4 => (0..THREADS, any::<usize>(), drop_reason())
            .prop_map(|(thread, connection, reason)| Op::Drop { thread, connection, reason }),
        2 => (0..THREADS, any::<usize>(), 0..1_000_000_u64)
            .prop_map(|(thread, connection, hashes)| Op::Hashes { thread, connection, hashes }),
        8 => hand.prop_map(|(thread, connection, block)| Op::Hand { thread, connection, block }),
        10 => any::<usize>().prop_map(Op::Sent),
        3 => (any::<usize>(), drop_reason()).prop_map(|(pick, reason)| Op::NotSent(pick, reason)),
        10 => (any::<usize>(), verdict).prop_map(|(pick, verdict)| Op::Judged(pick, verdict)),
        4 => (any::<usize>(), reject_reason()).prop_map(|(pick, reason)| Op::Reclassified(pick, reason)),
    ]
}

proptest! {
    // 128 × 800 operations and more, each followed by a check of every scope.
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn every_scope_balances_after_every_step(ops in proptest::collection::vec(op(), 800..900)) {
        let mut world = World::new();
        for (step, op) in ops.into_iter().enumerate() {
            world.apply(op);
            if step % 25 == 0 { world.check() } else { world.check_sums() }
        }
        world.check();
    }
}

#[test]
fn remembered_acceptances_are_bounded() {
    let mut world = World::new();
    let count = REMEMBERED as u64 + 10;
    for number in 0..count {
        world.apply(Op::Hand { thread: 0, connection: 0, block: false });
        let id = ShareId(number);
        assert!(world.ledger.sent(id).is_some());
        assert!(world.ledger.judged(id, Verdict::Accepted, Duration::ZERO).is_some());
    }
    assert_eq!((world.ledger.open.len(), world.ledger.accepted.len()), (REMEMBERED, REMEMBERED));
    assert!(world.ledger.reclassified(ShareId(0), RejectReason::Other).is_none());
    assert_eq!(world.ledger.unknown_verdicts, 1);
    assert!(world.ledger.reclassified(ShareId(count - 1), RejectReason::Stale).is_some());
    assert_eq!(world.ledger.miner.totals.accepted, count - 1);
    assert!(world.ledger.miner.totals.is_balanced());
}

#[test]
fn late_nonce_of_a_connection_that_is_long_gone_counts_for_its_pool() {
    let mut world = World::new();
    for _ in 0..4 {
        world.apply(Op::Begin);
    }
    for connection in 0..5 {
        world.apply(Op::End(connection));
    }
    assert_eq!(world.ledger.connections.len(), 2);
    world.apply(Op::Drop { thread: 1, connection: 0, reason: DropReason::Stale });
    world.check();
    assert_eq!(world.ledger.pools.values().map(|pool| pool.account.totals.stale).sum::<u64>(), 1);
}

#[test]
fn verdict_keeps_its_latency_and_loss_has_none() {
    let mut world = World::new();
    for number in 0..2 {
        world.apply(Op::Hand { thread: 0, connection: 0, block: true });
        world.ledger.sent(ShareId(number)).unwrap();
    }
    let latency = Duration::from_millis(40);
    let accepted = world.ledger.judged(ShareId(0), Verdict::Accepted, latency).unwrap();
    let lost = world.ledger.judged(ShareId(1), Verdict::Lost, latency).unwrap();
    assert_eq!((accepted.latency, lost.latency), (Some(latency), None));
    let pools = world.ledger.pools(world.now);
    let summary = pools.values().map(|pool| pool.verdict_latency).find(|summary| summary.count > 0).unwrap();
    assert_eq!((summary.count, summary.p50, summary.p99), (1, Some(latency), Some(latency)));
}
