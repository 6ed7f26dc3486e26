//! Puts the mining side together and takes it apart in order: hash threads, boards, scheduler, source.
//!
//! Everything that must not wait for management runs on one OS thread with a runtime of its own, and all boards on another,
//! so that neither mining nor the API can keep a board from being made safe. What it offers to the service side are their
//! handles and the facts of its boards.

use super::{
    MinerHandle,
    boards::{self, BoardsPlan},
};
use crate::{
    backplane::standing,
    board::{
        cpu::{CpuBoard, CpuConfig},
        task::chain::ChainStarter,
    },
    pool::{
        ConnectionPlan, MinerIdentity,
        probe::{Prober, Stratum},
        sv1, sv2,
    },
    scheduler::{self, Scheduler, SchedulerHandle},
    source::{
        Connector, Lines, Source, SourcePolicy,
        forced_rate::forced_rate,
        synthetic::{self, SyntheticPlan, SyntheticWork},
    },
    supervisor::{ExitPolicy, Supervisor, TaskFailed},
    thread::{self, ThreadEntry, ThreadEvent},
    transport::device::DeviceEvent,
};
use mujina_core::pool::PoolEndpoint;
use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, dispatcher, error};

/// Time that hash threads have to stop.
const THREADS_STOP: Duration = Duration::from_secs(2);
/// Time that the source and the scheduler have to end: the source's own deadlines, and some.
const TASKS_STOP: Duration = Duration::from_secs(4);

/// Chains that may wait to join: more than there are boards on a hub.
const CHAINS_JOIN: usize = 64;

/// What to mine with.
#[derive(Debug, Clone)]
pub struct MinerPlan {
    /// The CPU board, if it is wanted.
    pub cpu: Option<CpuConfig>,
    /// What to hash while no pool is configured; `None` = nothing.
    pub synthetic: Option<SyntheticWork>,
    /// Mean time between two shares of the whole miner, whatever targets its jobs come with; `None` = as the pool wants.
    pub share_every: Option<Duration>,
    /// Deadlines and bounds of connections to pools.
    pub pool_limits: sv2::Limits,
    /// The same for V1.
    pub pool_limits_v1: sv1::Limits,
    /// Bounds of what is sent to pools.
    pub scheduler_limits: scheduler::Limits,
    /// When pools are left and returned to.
    pub source_policy: SourcePolicy,
    /// What pools are told of this miner.
    pub identity: MinerIdentity,
    /// Boards that come and go.
    pub boards: BoardsPlan,
}

/// Makes hash threads that somebody else runs, such as those of a benchmark: given the way for their events, it returns what
/// the scheduler must know of each.
pub type GuestThreads = Box<dyn FnOnce(mpsc::Sender<ThreadEvent>) -> Vec<ThreadEntry> + Send>;

/// What somebody else brings to a miner.
#[derive(Default)]
pub struct Guests {
    /// Hash threads.
    pub threads: Option<GuestThreads>,
    /// Boards that he plugs in and out, as discovery would tell it.
    pub devices: Option<mpsc::Receiver<DeviceEvent>>,
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, devices } = self;
        f.debug_struct("Guests").field("threads", &threads.is_some()).field("devices", devices).finish()
    }
}

/// Why the mining side did not come up or went down.
#[derive(Debug, thiserror::Error)]
pub enum MinerError {
    /// No thread for it.
    #[error("cannot start the mining thread; check the limits of the process")]
    Thread(#[source] io::Error),
    /// A board could not be started.
    #[error("cannot start the CPU board")]
    Board(#[source] crate::board::BoardError),
    /// No thread for the boards, or no pseudo-terminals for emulated ones.
    #[error("cannot start the boards; check the limits of the process")]
    Boards(#[source] io::Error),
    /// A task that must run ended.
    #[error(transparent)]
    Task(#[from] TaskFailed),
    /// The mining thread panicked.
    #[error("the mining thread panicked; this is a bug, please report it with the log")]
    Panicked,
}

/// The mining side, running.
#[derive(Debug)]
pub struct Miner {
    handle: MinerHandle,
    ended: oneshot::Receiver<Result<(), MinerError>>,
}

impl Miner {
    /// Starts the mining thread and waits until it is up. It runs until `cancel`.
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn start(plan: MinerPlan, cancel: CancellationToken) -> Result<Self, MinerError> {
        Self::start_with(plan, Guests::default(), cancel).await
    }

    /// The same with hash threads and devices of others besides the boards of the plan.
    ///
    /// # Errors
    /// What kept it from coming up.
    pub async fn start_with(plan: MinerPlan, guests: Guests, cancel: CancellationToken) -> Result<Self, MinerError> {
        let (up, is_up) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let dispatch = dispatcher::get_default(Clone::clone);
        let body = move || {
            let _subscriber = dispatcher::set_default(&dispatch);
            let result = mine(plan, guests, up, &cancel);
            // Nobody may be left to hear it.
            let _ = end.send(result);
        };
        std::thread::Builder::new().name("mujina-mining".into()).spawn(body).map_err(MinerError::Thread)?;
        match is_up.await {
            Ok(handle) => Ok(Self { handle, ended }),
            Err(_) => {
                Err(ended.await.map_or(MinerError::Panicked, |result| result.err().unwrap_or(MinerError::Panicked)))
            }
        }
    }

    /// The way in.
    #[must_use]
    pub fn handle(&self) -> MinerHandle {
        self.handle.clone()
    }

    /// Waits until the mining side has ended.
    ///
    /// # Errors
    /// Why, if nobody asked it to.
    pub async fn ended(&mut self) -> Result<(), MinerError> {
        (&mut self.ended).await.unwrap_or(Err(MinerError::Panicked))
    }
}

/// The mining thread, from beginning to end.
fn mine(
    plan: MinerPlan,
    guests: Guests,
    up: oneshot::Sender<MinerHandle>,
    cancel: &CancellationToken,
) -> Result<(), MinerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MinerError::Thread)?;
    runtime.block_on(async {
        let (thread_events, events) = mpsc::channel(thread::EVENT_QUEUE);
        let (scheduler, scheduler_handle) = Scheduler::with_limits(events, plan.scheduler_limits);
        let mut standing = Vec::new();
        let mut entries = Vec::new();
        let mut cpu = None;
        if let Some(config) = &plan.cpu {
            let (threads, board) = CpuBoard::start(config, thread_events.clone()).map_err(MinerError::Board)?;
            standing.push(standing::report(board.id(), "cpu", board.facts(), SystemTime::now()));
            entries.extend(threads);
            cpu = Some(board);
        }
        let Guests { threads, devices } = guests;
        entries.extend(threads.map(|threads| threads(thread_events.clone())).into_iter().flatten());
        let stratum = stratum(plan.pool_limits, plan.pool_limits_v1);
        let prober = Prober::new(stratum.clone(), plan.identity.clone(), scheduler_handle.hash_rate());
        let plain = connector(stratum, plan.identity, plan.synthetic);
        let connector = match plan.share_every {
            Some(share_every) => forced_rate(plain, share_every),
            None => plain,
        };
        let (source, source_handle) =
            Source::new(scheduler_handle.clone(), plan.source_policy, plan.synthetic.is_some(), connector);
        let (stop_scheduler, stop_source) = (CancellationToken::new(), CancellationToken::new());
        let mut supervisor = Supervisor::default();
        supervisor.spawn("scheduler", ExitPolicy::Essential, scheduler.run(stop_scheduler.clone()));
        supervisor.spawn("source", ExitPolicy::Essential, source.run(stop_source.clone()));
        for entry in entries {
            // The scheduler was started a line above and runs until it is told otherwise.
            let _ = scheduler_handle.send(scheduler::Command::AddThread(entry)).await;
        }
        let (chain_entries, chains_join) = mpsc::channel(CHAINS_JOIN);
        let chains = ChainStarter { events: thread_events, entries: chain_entries };
        let (boards_thread, boards) =
            boards::start(plan.boards, standing, devices, chains).map_err(MinerError::Boards)?;
        let joining = join_scheduler(chains_join, scheduler_handle.clone());
        supervisor.spawn("chains", ExitPolicy::Expendable, joining);
        let handle = MinerHandle { scheduler: scheduler_handle.clone(), source: source_handle, prober, boards };
        let _ = up.send(handle);

        let failure = tokio::select! {
            () = cancel.cancelled() => None,
            failure = supervisor.first_failure() => Some(failure),
        };
        // In order: no new work and boards in the safe state, then no open share, then no ledger. Boards are told first, so
        // that they halt their chains before these end, and none takes that for a failure.
        boards_thread.stop();
        let threads_stopped = tokio::time::timeout(THREADS_STOP, scheduler_handle.stop()).await.is_ok();
        if !threads_stopped {
            error!("hash threads did not stop in time; they end with the process");
        }
        boards_thread.ended().await;
        stop_source.cancel();
        let source_ended = supervisor.ended("source", TASKS_STOP).await;
        debug!(source_ended, "connections are closed");
        stop_scheduler.cancel();
        let panicked = supervisor.finish(TASKS_STOP).await;
        if let Some(board) = cpu.filter(|_| threads_stopped) {
            board.join();
        }
        failure.or(panicked).map_or(Ok(()), |failure| Err(failure.into()))
    })
}

/// Chains reach the scheduler when their board starts them. Ends with the last board.
async fn join_scheduler(mut entries: mpsc::Receiver<ThreadEntry>, scheduler: SchedulerHandle) {
    while let Some(entry) = entries.recv().await {
        // A scheduler that is gone ends the chain: its mailbox is dropped here.
        let _ = scheduler.send(scheduler::Command::AddThread(entry)).await;
    }
}

/// A pool's URL says what it speaks, and nothing else is ever tried (stratum-client R6). What is remembered of pools is one
/// for all connections.
fn stratum(limits: sv2::Limits, limits_v1: sv1::Limits) -> Stratum {
    let memory = sv2::Memory::default();
    Arc::new(move |plan| match plan.pool.endpoint {
        PoolEndpoint::V1 { .. } => Box::pin(sv1::run(plan, limits_v1)),
        PoolEndpoint::V2 { .. } => Box::pin(sv2::run(plan, limits, memory.clone())),
    })
}

/// Pools speak Stratum; invented work speaks for itself.
fn connector(stratum: Stratum, identity: MinerIdentity, synthetic: Option<SyntheticWork>) -> Connector {
    Box::new(move |pool, lines| {
        let Lines { id, target, hash_rate, shares, events, close, abort, span } = lines;
        match pool {
            Some(pool) => {
                let identity = identity.clone();
                stratum(ConnectionPlan { id, pool, target, identity, hash_rate, shares, events, close, abort, span })
            }
            None => {
                let work = synthetic.unwrap_or_default();
                Box::pin(synthetic::run(SyntheticPlan { id, work, hash_rate, shares, events, close, abort }))
            }
        }
    })
}
