//! Shares through connections whose pools drop, delay, batch, judge late and hang up: the books balance at every step.
//!
//! Real sessions, the real ledger, and no time but that of the test: a million shares take seconds. `just chaos` runs them.

use super::*;
use crate::{
    ledger::{Ledger, Place},
    pool::fuzzing::Audit,
    thread::ThreadIndex,
};
use mujina_core::{
    id::PoolName,
    share::{Share as FoundShare, ShareOutcome},
    units::Difficulty,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeSet, VecDeque},
    time::SystemTime,
};

const THREADS: u32 = 4;
const POOLS: usize = 2;
/// Worlds that a test plays through.
const WORLDS: u32 = 20;

/// How bad the pools of a world are: each a chance in a thousand.
#[derive(Debug, Clone, Copy)]
struct Chaos {
    seed: u64,
    /// That a share is never answered.
    silence: u32,
    /// That it is refused.
    refusal: u32,
    /// That a refusal comes after the share was counted.
    late: u32,
    /// That the connection breaks, at each step.
    breaks: u32,
    /// That it closes in order, at each step.
    closes: u32,
    /// That the chain moves or the channel changes, at each word of the pool.
    moves: u32,
    /// That the writer takes nothing, at each step.
    blocked: u32,
    /// Shares that one message counts at most.
    batch: usize,
}

fn chaos() -> impl Strategy<Value = Chaos> {
    let chances = (0..200_u32, 0..300_u32, 0..1000_u32, 0..8_u32, 0..4_u32, 0..100_u32, 0..900_u32);
    (any::<u64>(), chances, 1..40_usize).prop_map(|(seed, chances, batch)| {
        let (silence, refusal, late, breaks, closes, moves, blocked) = chances;
        Chaos { seed, silence, refusal, late, breaks, closes, moves, blocked, batch }
    })
}

fn worlds() -> ProptestConfig {
    ProptestConfig { cases: WORLDS, max_shrink_iters: 100, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(worlds())]

    // A hundred thousand shares.
    #[test]
    fn ledger_balances_at_every_step_whatever_pools_do(chaos in chaos()) {
        World::play(chaos, 5_000);
    }

    // A million shares.
    #[test]
    #[ignore = "takes longer than a test may; see `just chaos`"]
    fn ledger_balances_at_every_step_of_a_million_shares(chaos in chaos()) {
        World::play(chaos, 50_000);
    }

    // A1, A2
    #[test]
    fn pool_that_answers_everything_and_the_ledger_agree(chaos in chaos()) {
        let honest = Chaos { silence: 0, breaks: 0, closes: 0, moves: 0, ..chaos };
        let world = World::play(honest, 1_000);
        let totals = world.ledger.assert_balanced();
        prop_assert_eq!((totals.accepted, totals.rejected.sum(), totals.lost), (world.accepted, world.refused, 0));
        prop_assert!(totals.accepted + totals.rejected.sum() > 0);
    }
}

#[test]
fn chaos_leaves_nothing_out() {
    let chaos = Chaos {
        seed: 1,
        silence: 100,
        refusal: 200,
        late: 500,
        breaks: 4,
        closes: 2,
        moves: 80,
        blocked: 500,
        batch: 20,
    };
    let world = World::play(chaos, 20_000);
    let kinds = ["opened", "job", "cleared", "sent", "not sent", "accepted", "rejected", "lost", "reclassified", "end"];
    assert!(kinds.iter().all(|kind| world.seen.contains(kind)), "{:?}", world.seen);
    let totals = world.ledger.assert_balanced();
    assert!(totals.stale > 0 && totals.suppressed > 0 && totals.duplicate > 0 && totals.blocks > 0, "{totals:?}");
    assert!(world.connections > 20, "{}", world.connections);
}

struct World {
    chaos: Chaos,
    random: StdRng,
    ledger: Ledger,
    now: Instant,
    lines: Vec<Line>,
    /// Kinds of event of all connections so far.
    seen: BTreeSet<&'static str>,
    connections: u64,
    shares: u64,
    /// Nonces that were dropped before they were shares.
    dropped: u64,
    /// Shares that are with a connection and not sent.
    in_hand: u64,
    /// What the pools counted and refused, by their own books.
    accepted: u64,
    refused: u64,
}

/// A connection and the pool at its other end.
struct Line {
    id: ConnectionId,
    pool: PoolName,
    session: Session,
    audit: Audit,
    jobs: VecDeque<Job>,
    /// Sequence numbers that the pool has not answered yet.
    heard: VecDeque<u32>,
    /// Refusals that are on their way although the share was counted.
    late: VecDeque<u32>,
    job_id: u32,
}

impl World {
    /// Plays until so many shares were found at least, and then until nothing is open.
    fn play(chaos: Chaos, shares: u64) -> Self {
        let now = Instant::now();
        let mut ledger = Ledger::new(now);
        for thread in 0..THREADS {
            let id = format!("thread-{thread}").parse().unwrap();
            ledger.join(ThreadIndex(thread), &id, format!("board-{}", thread / 2).parse().unwrap(), now);
        }
        let random = StdRng::seed_from_u64(chaos.seed);
        let lines = Vec::new();
        let mut world = Self {
            chaos,
            random,
            ledger,
            now,
            lines,
            seen: BTreeSet::new(),
            connections: 0,
            shares: 0,
            dropped: 0,
            in_hand: 0,
            accepted: 0,
            refused: 0,
        };
        for pool in 0..POOLS {
            let line = world.connect(pool);
            world.lines.push(line);
            world.bring_up(pool);
        }
        while world.shares < shares {
            let at = world.random.random_range(0..POOLS);
            world.step(at);
            world.check();
        }
        for at in 0..POOLS {
            world.settle(at);
            world.check();
        }
        let totals = world.ledger.assert_balanced();
        assert_eq!((totals.pending, world.in_hand, totals.found), (0, 0, world.shares + world.dropped));
        world
    }

    fn check(&self) {
        let totals = self.ledger.assert_balanced();
        assert_eq!(totals.found + self.in_hand, self.shares + self.dropped);
        assert_eq!(self.ledger.unknown_verdicts(), 0);
    }

    /// A connection in place of the one that was there.
    fn connect(&mut self, at: usize) -> Line {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let pool: PoolName = format!("pool-{at}").parse().unwrap();
        self.ledger.begin(id, pool.clone(), self.now, SystemTime::UNIX_EPOCH);
        // A pool that is silent is soon behind by more than that, one that answers never.
        let pending_shares = if self.chaos.silence > 0 { 256 } else { 4096 };
        let limits = Limits { share_queue: 32, pending_shares, ..Limits::default() };
        let rate = Some(HashRate::from_megahashes_per_second(1.0));
        let profile = Profile { connection: id, ..profile() };
        let bring_up_by = self.now + limits.bring_up;
        let session = Session::new(profile, limits, ConnectionFacts::default(), rate, bring_up_by, self.now);
        let (jobs, heard, late) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Line { id, pool, session, audit: Audit::default(), jobs, heard, late, job_id: 10 }
    }

    fn bring_up(&mut self, at: usize) {
        for message in [set_up(), opened(), job(10, None), tip(10, 1)] {
            self.write(at, 3);
            self.act(at, Input::Message(message));
        }
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.random.random_range(0..1000) < per_mille
    }

    fn step(&mut self, at: usize) {
        let chaos = self.chaos;
        self.now += Duration::from_micros(self.random.random_range(0..20_000));
        if self.chance(chaos.breaks) {
            return self.act(at, Input::Failed(Failure::Aborted));
        }
        if self.chance(chaos.closes) {
            self.act(at, Input::Close);
        }
        for _ in 0..self.random.random_range(0..3) {
            self.find(at);
        }
        if !self.chance(chaos.blocked) {
            self.write(at, 4);
        }
        match self.random.random_range(0..1000) {
            0..400 => self.answer(at),
            400..410 if chaos.silence > 0 => {
                self.now += Duration::from_secs(self.random.random_range(0..400));
                self.act(at, Input::Tick);
            }
            410..420 => self.drop_nonce(at),
            _ if self.chance(chaos.moves) => self.change(at),
            _ => self.act(at, Input::Tick),
        }
    }

    /// A thread found a share.
    fn find(&mut self, at: usize) {
        let line = &self.lines[at];
        let back = self.random.random_range(0..line.jobs.len().max(1));
        let Some(job) = line.jobs.get(back) else { return };
        self.shares += 1;
        let (id, block) = (ShareId(self.shares), self.random.random_range(0..1000) == 0);
        let submission = ShareSubmission {
            id,
            job: job.handle,
            extranonce: Extranonce::new(&[7; 8]).unwrap(),
            ntime: job.min_ntime,
            nonce: self.random.random(),
            version: job.version,
            block,
            hash: [self.random.random(); 32],
            span: tracing::Span::none(),
        };
        let place = Place { thread: ThreadIndex(self.random.random_range(0..THREADS)), connection: line.id };
        let found = found(&submission, place, &line.pool);
        // Small whole numbers, whose sums are exact.
        self.ledger.hand_over(place, found, (self.shares % 5 + 1) as f64);
        self.in_hand += 1;
        self.lines[at].audit.handed(id);
        self.act(at, Input::Share(submission));
    }

    fn drop_nonce(&mut self, at: usize) {
        let place = Place { thread: ThreadIndex(self.random.random_range(0..THREADS)), connection: self.lines[at].id };
        self.ledger.drop_nonce(place, DropReason::Duplicate);
        self.dropped += 1;
    }

    /// The writer takes so many messages.
    fn write(&mut self, at: usize, messages: usize) {
        for _ in 0..messages {
            if !self.lines[at].session.has_outgoing() {
                return;
            }
            self.act(at, Input::Writable);
        }
    }

    /// The pool says what became of the oldest shares that it has heard, or of one that it has counted wrongly.
    fn answer(&mut self, at: usize) {
        let chaos = self.chaos;
        if self.random.random_range(0..3) == 0
            && let Some(sequence_number) = self.lines[at].late.pop_front()
        {
            return self.refuse(at, sequence_number);
        }
        let most = self.lines[at].heard.len().min(chaos.batch);
        let count = self.random.random_range(0..=most);
        let answered: Vec<_> = self.lines[at].heard.drain(..count).collect();
        let Some(last_sequence_number) = answered.last().copied() else { return };
        let mut counted = 0;
        for sequence_number in answered {
            if self.chance(chaos.silence) {
                continue;
            }
            if !self.chance(chaos.refusal) {
                counted += 1;
            } else if self.chance(chaos.late) {
                self.lines[at].late.push_back(sequence_number);
            } else {
                self.refuse(at, sequence_number);
            }
        }
        if counted > 0 {
            self.accepted += u64::from(counted);
            let shares_sum = counted.into();
            let channel_id = CHANNEL;
            let said = Incoming::SharesAccepted { channel_id, last_sequence_number, count: counted, shares_sum };
            self.act(at, Input::Message(said));
        }
    }

    fn refuse(&mut self, at: usize, sequence_number: u32) {
        self.refused += 1;
        let code = ["stale-share", "duplicate-share", "invalid-share", "?"][self.random.random_range(0..4)].into();
        self.act(at, Input::Message(Incoming::ShareRefused { channel_id: CHANNEL, sequence_number, code }));
    }

    /// Something that has nothing to do with shares, and yet takes some with it.
    fn change(&mut self, at: usize) {
        self.lines[at].job_id += 1;
        let job_id = self.lines[at].job_id;
        let message = match self.random.random_range(0..20) {
            0 => tip(job_id, self.random.random()),
            1 => Incoming::SetTarget { channel_id: GROUP, share_target: target(f64::from(job_id)) },
            2 => Incoming::CloseChannel { channel_id: CHANNEL, reason: "chaos".into() },
            3 => Incoming::Reconnect { host: String::new(), port: 0 },
            4..12 => job(job_id, None),
            _ => job(job_id, Some(1000)),
        };
        let moves = matches!(message, Incoming::NewJob(NewJob { min_ntime: None, .. }));
        self.act(at, Input::Message(message));
        if moves {
            let prev_hash = self.random.random();
            self.act(at, Input::Message(tip(job_id, prev_hash)));
        }
    }

    /// Everything that is open is answered as far as the pool answers at all; then the connection closes.
    fn settle(&mut self, at: usize) {
        let connection = self.lines[at].id;
        for _ in 0..10_000 {
            let line = &self.lines[at];
            if !line.session.has_outgoing() && line.heard.is_empty() && line.late.is_empty() {
                break;
            }
            self.write(at, 50);
            self.answer(at);
        }
        if self.lines[at].id == connection {
            self.act(at, Input::Close);
            self.now += Duration::from_secs(60);
            self.act(at, Input::Tick);
        }
        assert_ne!(self.lines[at].id, connection, "a connection that was asked to close has closed");
    }

    fn act(&mut self, at: usize, input: Input) {
        let line = &mut self.lines[at];
        let actions = line.session.handle(input, self.now, None);
        for action in actions {
            match action {
                Action::Send(Outgoing::Share(share)) => line.heard.push_back(share.sequence_number),
                Action::Send(Outgoing::Open { request_id, .. }) if request_id > 1 => {
                    // A new channel, of which the pool has heard nothing.
                    line.heard.clear();
                    line.late.clear();
                }
                Action::Send(_) => {}
                Action::Job(job) => {
                    line.audit.job(&job);
                    line.jobs.push_front(*job);
                    line.jobs.truncate(4);
                }
                Action::Event(event) => {
                    line.audit.event(&event);
                    self.in_hand -= book(&mut self.ledger, &event);
                }
                Action::End { .. } => {
                    line.audit.end();
                    self.seen.append(&mut line.audit.seen);
                    let id = line.id;
                    assert!(self.ledger.end(id).is_empty(), "the session has settled every share");
                    let next = self.connect(at);
                    self.lines[at] = next;
                    return self.bring_up(at);
                }
            }
        }
    }
}

/// Books an event as the scheduler does. Says how many shares are in hand no more.
fn book(ledger: &mut Ledger, event: &ConnectionEvent) -> u64 {
    match event {
        ConnectionEvent::Sent { share } => {
            ledger.sent(*share);
            1
        }
        ConnectionEvent::NotSent { share, reason } => {
            ledger.not_sent(*share, *reason);
            1
        }
        ConnectionEvent::Judged { share, verdict, latency } => {
            ledger.judged(*share, *verdict, *latency);
            0
        }
        ConnectionEvent::Reclassified { share, reason } => {
            ledger.reclassified(*share, *reason);
            0
        }
        _ => 0,
    }
}

fn found(submission: &ShareSubmission, place: Place, pool: &PoolName) -> FoundShare {
    FoundShare {
        id: submission.id,
        found_at: SystemTime::UNIX_EPOCH,
        pool: pool.clone(),
        connection: place.connection,
        board: format!("board-{}", place.thread.0 / 2).parse().unwrap(),
        thread: format!("thread-{}", place.thread.0).parse().unwrap(),
        job_id: "".into(),
        header: [0; 80],
        extranonce: Extranonce::default(),
        extranonce_prefix: Extranonce::default(),
        hash: submission.hash,
        difficulty: Difficulty::default(),
        share_difficulty: Difficulty::default(),
        share_target: ShareTarget::MAX,
        outcome: ShareOutcome::Pending,
        latency: None,
        trace_id: None,
        block: submission.block,
    }
}
