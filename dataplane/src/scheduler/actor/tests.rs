//! The scheduler among threads and connections that the test plays itself, on a paused clock.

use super::*;
use crate::{
    job::{self, Job, JobHandle, header},
    pool::{ShareSubmission, Verdict},
    scheduler::SwitchReport,
    thread::{
        Assignment, Nonce, ThreadEntry, ThreadIndex, Work,
        mailbox::{MailboxReader, mailbox},
    },
};
use mujina_core::{
    id::{ConnectionId, ShareId},
    share::{DropReason, RejectReason, Share, ShareOutcome, ShareTotals},
    status::ThreadState,
    units::ShareTarget,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::{HashMap, HashSet};
use tokio::{sync::oneshot, task::JoinSet};

mod shares;
mod threads;

/// Longest that anything takes here, by the paused clock.
const PATIENCE: Duration = Duration::from_secs(30);
const A: ConnectionId = ConnectionId(1);
const B: ConnectionId = ConnectionId(2);

struct World {
    handle: SchedulerHandle,
    events: mpsc::Sender<ThreadEvent>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

/// A thread that does what the test says.
struct FakeThread {
    index: ThreadIndex,
    reader: MailboxReader,
    events: mpsc::Sender<ThreadEvent>,
    searched: u32,
}

impl World {
    fn new() -> Self {
        let (events, event_queue) = mpsc::channel(crate::thread::EVENT_QUEUE);
        let (scheduler, handle) = Scheduler::new(event_queue);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(scheduler.run(cancel.clone()));
        Self { handle, events, cancel, tasks }
    }

    async fn tell(&self, command: Command) {
        tokio::time::timeout(PATIENCE, self.handle.send(command)).await.expect("the scheduler reads on").unwrap();
    }

    /// A thread that shows every hash it finds until it is measured: one hash per quarter of a second.
    async fn thread(&self, index: u32) -> FakeThread {
        self.thread_of(index, HashRate::from_hashes_per_second(4.0)).await
    }

    async fn thread_of(&self, index: u32, nominal_hash_rate: HashRate) -> FakeThread {
        let (mailbox, reader) = mailbox();
        let id = format!("fake-{index}").parse().unwrap();
        let board = format!("board-{}", index / 2).parse().unwrap();
        let index = ThreadIndex(index);
        self.tell(Command::AddThread(ThreadEntry { index, id, board, nominal_hash_rate, mailbox })).await;
        FakeThread { index, reader, events: self.events.clone(), searched: 0 }
    }

    /// A connection with room for `room` shares.
    async fn connection(&self, id: ConnectionId, room: usize) -> mpsc::Receiver<ShareSubmission> {
        let (shares, queue) = mpsc::channel(room);
        let pool = format!("pool-{id}").parse().unwrap();
        self.tell(Command::Begin { connection: id, pool, shares, extranonce_size: 8 }).await;
        queue
    }

    /// A connection with a job, that is live.
    async fn live(&self, id: ConnectionId, room: usize) -> (mpsc::Receiver<ShareSubmission>, Arc<Job>) {
        let queue = self.connection(id, room).await;
        let job = self.job(job_of(id)).await;
        let _moving = self.activate(id).await;
        (queue, job)
    }

    async fn job(&self, job: Job) -> Arc<Job> {
        let job = Arc::new(job);
        self.tell(Command::Job(Arc::clone(&job))).await;
        job
    }

    async fn activate(&self, connection: ConnectionId) -> oneshot::Receiver<SwitchReport> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Activate { connection, reply }).await;
        answer
    }

    /// Waits until a snapshot is as wanted. Every one on the way balances.
    async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut watch = self.handle.snapshot();
        let seen = watch.wait_for(|snapshot| {
            assert!(snapshot.is_balanced(), "{snapshot:?}");
            assert_sums(snapshot);
            wanted(snapshot)
        });
        let seen = tokio::time::timeout(PATIENCE, seen).await.expect("the snapshot comes");
        Arc::clone(&seen.expect("the scheduler runs"))
    }

    async fn until_totals(&self, wanted: impl Fn(&ShareTotals) -> bool) -> ShareTotals {
        self.until(|snapshot| wanted(&snapshot.miner.totals)).await.miner.totals
    }

    async fn finish(mut self) -> Arc<Snapshot> {
        self.cancel.cancel();
        self.tasks.join_next().await.expect("one task").expect("no panic");
        let last = Arc::clone(&self.handle.snapshot().borrow());
        assert!(last.is_balanced());
        last
    }
}

/// Boards, threads and pools sum up to the miner.
fn assert_sums(snapshot: &Snapshot) {
    let sum = |scopes: &mut dyn Iterator<Item = &Scope>| scopes.map(|scope| scope.totals.found).sum::<u64>();
    let found = snapshot.miner.totals.found;
    assert_eq!(sum(&mut snapshot.boards.values()), found);
    assert_eq!(sum(&mut snapshot.threads.iter().map(|thread| &thread.scope)), found);
    assert_eq!(sum(&mut snapshot.pools.values().map(|pool| &pool.scope)), found);
}

impl FakeThread {
    /// The next assignment.
    async fn next(&mut self) -> Assignment {
        let next = async {
            loop {
                match self.reader.try_take() {
                    Some(assignment) => return assignment,
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("an assignment comes")
    }

    /// The next assignment, which is work; reports that it was taken up.
    async fn start(&mut self, gap: Option<Duration>) -> Arc<Work> {
        let Assignment::Work(work) = self.next().await else { panic!("no work") };
        self.say(ThreadEvent::Started { thread: self.index, generation: work.generation, gap }).await;
        work
    }

    /// The next assignment, which is to idle; does not report it.
    async fn told_to_idle(&mut self) {
        assert!(matches!(self.next().await, Assignment::Idle));
    }

    async fn say(&self, event: ThreadEvent) {
        tokio::time::timeout(PATIENCE, self.events.send(event)).await.expect("the scheduler reads on").unwrap();
    }

    /// Searches for a nonce that meets the ticket target.
    fn find(&mut self, work: &Arc<Work>) -> Nonce {
        let job = &work.job;
        let extranonce = work.slot.next(job.fingerprint(), job.min_ntime).expect("room in the slot");
        loop {
            self.searched += 1;
            let header = header::assemble(job, extranonce.as_bytes(), job.version, job.min_ntime, self.searched);
            work.slot.add_hashes(1);
            if work.ticket_target.is_met_by(header::hash(&header)) {
                break;
            }
        }
        Nonce {
            thread: self.index,
            work: Arc::clone(work),
            extranonce,
            version: job.version,
            ntime: job.min_ntime,
            nonce: self.searched,
            ticket_target: work.ticket_target,
            found_at: now().at,
        }
    }

    async fn report(&mut self, work: &Arc<Work>) -> Nonce {
        let nonce = self.find(work);
        self.say(ThreadEvent::Nonce(nonce.clone())).await;
        nonce
    }
}

/// A job of a connection whose every hash is a share.
fn job_of(connection: ConnectionId) -> Job {
    Job { connection, received_at: now().at, ntime_origin: now().at, ..job::tests::job() }
}

/// The same tip with other content.
fn refreshed(job: &Job) -> Job {
    let mut prefix = job.coinbase_tx_prefix.to_vec();
    prefix.push(0x51);
    Job { handle: JobHandle::fresh(), coinbase_tx_prefix: prefix.into(), first: false, ..job.clone() }
}

/// Another tip.
fn on_next_tip(job: &Job) -> Job {
    let prev_hash = job.prev_hash.map(|byte| byte.wrapping_add(1));
    Job { handle: JobHandle::fresh(), prev_hash, first: false, ..job.clone() }
}
