//! An accelerated hour of emulated boards on one mining side: cables are pulled, bytes go wrong, controllers fall silent, chips
//! stall, heat comes and supplies fail, while the pool brings tips and breaks its connections.
//!
//! ```text
//!  pool ═ sv2 ═ miner ═ ttys ═ boards        players: one per board, one trouble after the other
//!    └── judges every share     └── watch: ledgers, hard limits, what boards complain of, tasks, threads, descriptors
//! ```
//!
//! Heat passes `time_scale` times as fast as time; nothing else is accelerated, so that an hour for the chips is a few minutes
//! for everybody, in which polls, rests and deadlines are as long as ever. To the chips a polling period of a second is thus
//! `time_scale` seconds long, which makes it harder for the driver: all that heats them is that much quicker.

mod books;
mod excuses;
mod limits;
mod player;
mod pool;
mod process;
mod rack;
mod report;
mod troubles;
mod watch;

pub use books::Nonces;
pub use pool::PoolBooks;
pub use process::Process;
pub use rack::RACK;
pub use report::BoardSoakReport;
pub use troubles::TroubleKind;
pub use watch::{Heat, Looks, NonceCounts};

use crate::{
    log_watcher::LogWatcher,
    scripted_pool::{ScriptedOptions, ScriptedPool},
    sv2_wire::WireError,
};
use mujina_core::id::BoardId;
use mujina_dataplane::{backplane::BoardRefusal, miner::MinerError, scheduler::SchedulerGone, simulate::BoardKind};
use player::Players;
use pool::Pool;
use process::Runtimes;
use rack::Rack;
use rand::{SeedableRng, rngs::StdRng};
use std::{
    io,
    time::{Duration, Instant},
};
use watch::Watch;

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);
/// Between two looks at what tells nobody that it changed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Threads and descriptors that may be more at the end than at the beginning: this library keeps none.
const SPARE: usize = 0;

/// What is said of a board that cannot be reached, be it that its cable was pulled.
const EXPECTED_ERRORS: [&str; 3] =
    ["could not be confirmed to be safe", "could not be proven safe", "hash thread died; the others hash on"];

/// What is played.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardSoakPlan {
    /// Boards, in the order in which they are plugged in.
    pub boards: Vec<BoardKind>,
    /// For how long troubles begin, in time of the chips.
    pub lasts: Duration,
    /// Seconds of heating and cooling in a real second.
    pub time_scale: f64,
    /// How long a board is left to itself at most before somebody reinitialises it: by their first rest of 30 s some recover.
    pub left_alone: Duration,
    /// Decides which troubles come when.
    pub seed: u64,
}

impl Default for BoardSoakPlan {
    /// The hour of twelve boards, in six minutes and what the last troubles need to end.
    fn default() -> Self {
        let (lasts, left_alone) = (Duration::from_secs(3600), Duration::from_secs(50));
        Self { boards: RACK.to_vec(), lasts, time_scale: 10.0, left_alone, seed: 1 }
    }
}

/// Why it is no success.
#[derive(Debug, thiserror::Error)]
pub enum BoardSoakError {
    /// The system.
    #[error("cannot set the boards up; check the limits of the process")]
    System(#[from] io::Error),
    /// The pool.
    #[error("the pool failed")]
    Pool(#[from] WireError),
    /// The miner.
    #[error("the miner failed")]
    Miner(#[from] MinerError),
    /// The scheduler ended early.
    #[error("the miner ended early")]
    Gone(#[from] SchedulerGone),
    /// The boards ended early.
    #[error("the boards ended early")]
    Boards(#[from] BoardRefusal),
    /// Some ledger does not add up.
    #[error("the books do not balance: {0}")]
    Unbalanced(String),
    /// The pool was given what it should not have been given.
    #[error("the pool was sent {repeated} headers twice, and: {wrong:?}")]
    Shares {
        /// Headers that came again.
        repeated: u64,
        /// What else was wrong with shares.
        wrong: Vec<String>,
    },
    /// Miner and pool disagree.
    #[error("the miner counted {miner}, the pool {pool:?}")]
    Disagreement {
        /// The miner's books.
        miner: String,
        /// The pool's.
        pool: Box<PoolBooks>,
    },
    /// A board was too hot for longer than a poll.
    #[error("{board} was above a hard limit for {polls} polls, {seconds:.2} s")]
    TooHot {
        /// Which.
        board: BoardId,
        /// Polls that began meanwhile.
        polls: usize,
        /// For how long, in real seconds.
        seconds: f64,
    },
    /// A board complains of what it was sent.
    #[error("{board} complains: {complaints:?}")]
    Complaints {
        /// Which.
        board: BoardId,
        /// Of what.
        complaints: Vec<String>,
    },
    /// A board did not do what it should.
    #[error("{board} does not get as far as `{what}`: {seen}")]
    Stuck {
        /// Which.
        board: BoardId,
        /// What was waited for.
        what: String,
        /// What was seen instead.
        seen: String,
    },
    /// It did not come to rest.
    #[error("mining did not come to rest at the end: {0}")]
    Restless(String),
    /// A board was left in danger.
    #[error("{board} was not left in the safe state: {seen}")]
    Unsafe {
        /// Which.
        board: BoardId,
        /// How it was left.
        seen: String,
    },
    /// Something was not given back.
    #[error("something was leaked: before {before}, after {after}")]
    Leaked {
        /// Before.
        before: String,
        /// After.
        after: String,
    },
}

/// Plays it.
///
/// # Errors
/// The first thing that is not as it must be.
pub async fn soak_boards(plan: &BoardSoakPlan) -> Result<BoardSoakReport, BoardSoakError> {
    let before = Process::now()?;
    let mut report = play(plan).await?;
    // Threads that were told to end may take a moment.
    let is_left =
        |now: &Process| now.threads.len() <= before.threads.len() + SPARE && now.files <= before.files + SPARE;
    let after = Process::wait_for(is_left).await?;
    if !is_left(&after) {
        return Err(BoardSoakError::Leaked { before: before.to_string(), after: after.to_string() });
    }
    (report.before, report.after) = (before, after);
    Ok(report)
}

async fn play(plan: &BoardSoakPlan) -> Result<BoardSoakReport, BoardSoakError> {
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let log = LogWatcher::new("miner");
    // Every trouble is told of.
    log.allow_warn("mujina_dataplane", "");
    for text in EXPECTED_ERRORS {
        log.allow_error("mujina_dataplane", text);
    }
    let runtimes = Runtimes::default();
    let scripted = ScriptedPool::start(ScriptedOptions::default()).await?;
    let mut rack = Rack::start(plan, &scripted.url(), runtimes.dispatch(&log), &mut dice).await?;
    let pool = Pool::start(scripted, StdRng::from_rng(&mut dice));
    let mut watch = Watch::start(&rack);

    let began = Instant::now();
    let until = plan.lasts.div_f64(plan.time_scale);
    let mut players = Players::new(&rack, plan.left_alone, &mut dice);
    let playing = async {
        players.all_mine().await?;
        let at_first = runtimes.settled(None).await?;
        pool.break_connections();
        players.play(Instant::now() + until).await?;
        pool.calm_down();
        players.all_mine().await?;
        let at_last = runtimes.settled(Some(&at_first)).await?;
        Ok::<_, BoardSoakError>((at_first, at_last))
    };
    let (at_first, at_last) = tokio::select! {
        result = playing => result?,
        never = watch.run() => match never? {},
        never = pool.failed() => match never? {},
    };
    let lasted = began.elapsed();

    // Nothing new is found from here on, and what was found gets its verdict.
    rack.rest().await?;
    watch.look()?;
    rack.stop().await?;
    watch.look()?;
    let pool = pool.stop().await;
    let report = BoardSoakReport {
        plan: plan.clone(),
        lasted,
        troubles: players.troubles(),
        slowest_return: players.slowest_return(),
        totals: rack.totals(),
        nonces: watch.nonces(players.returned_again())?,
        heat: watch.heat(),
        looks: watch.looks(),
        starts: rack.starts(),
        pool,
        at_first,
        at_last,
        before: Process::default(),
        after: Process::default(),
    };
    report.check()?;
    log.finish();
    Ok(report)
}
