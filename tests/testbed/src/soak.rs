//! Mining while the way to the pool breaks in every manner that the proxy knows: at every look the books must balance, and
//! at the end the pool must have counted what the miner says.

use crate::{
    log_watcher::LogWatcher,
    plane::PlaneError,
    proxy::{Cut, FaultProxy, Flow},
    sv2_pool::{PoolCounts, PoolError, PoolOptions, Sv2Pool},
    world::{HostedMiner, Telling, at_rest, miner_config, mujinactl},
};
use mujina_proto::types::v1::{MinerStatus, ShareTotals};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Between two looks at the books.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a fault lasts, at least and at most.
const FAULT_LASTS: (u64, u64) = (200, 1500);
/// Peace after a fault, at least and at most: long enough that shares flow again in most of it.
const PEACE_LASTS: (u64, u64) = (500, 3000);

/// Most shares that one connection may lose: what is found in the longest fault at the flood cap, and its burst.
const LOST_PER_CONNECTION: u64 = 130;

/// What went on.
#[derive(Debug, Clone)]
pub struct SoakReport {
    /// Looks at the books; all balanced.
    pub looks: u64,
    /// Faults that were injected.
    pub faults: u64,
    /// Connections to the pool.
    pub connections: u64,
    /// The miner's books at the end, with nothing pending.
    pub totals: ShareTotals,
    /// The pool's own counts at the end.
    pub pool: PoolCounts,
}

/// Why it is no success.
#[derive(Debug, thiserror::Error)]
pub enum SoakError {
    /// The system.
    #[error("cannot set the world up")]
    System(#[from] io::Error),
    /// The pool.
    #[error("the pool failed")]
    Pool(#[from] PoolError),
    /// The miner.
    #[error("the miner failed")]
    Plane(#[from] PlaneError),
    /// The miner's API did not answer.
    #[error("the miner did not answer")]
    Answer(#[from] tonic::Status),
    /// Some ledger does not add up.
    #[error("the books of {scope} do not balance: {totals:?}")]
    Unbalanced {
        /// Whose.
        scope: String,
        /// Its ledger.
        totals: Box<ShareTotals>,
    },
    /// It did not come to rest.
    #[error("mining did not come to rest at the end: {0}")]
    Restless(String),
    /// Pool and miner disagree.
    #[error("the miner counted {totals:?}, the pool {pool:?}")]
    Disagreement {
        /// The miner's books.
        totals: Box<ShareTotals>,
        /// The pool's.
        pool: Box<PoolCounts>,
    },
}

/// Mines for so long; `seed` decides which faults come when.
///
/// # Errors
/// The first thing that is not as it must be.
pub async fn soak(lasts: Duration, seed: u64) -> Result<SoakReport, SoakError> {
    let mut pool = Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await?;
    let proxy = FaultProxy::start(pool.address()).await?;
    let folder = tempfile::tempdir()?;
    let log = LogWatcher::new("miner");
    log.allow_warn("mujina_dataplane::source", "pool connection failed");
    let config = miner_config(folder.path(), Some(&pool.url_at(proxy.address())), 1);
    let miner = HostedMiner::start(config, &Telling::default(), Some(&log)).await?;

    let (mut looks, mut faults) = (0, 0);
    let breaking = breaking(&proxy, &pool, StdRng::seed_from_u64(seed), &mut faults);
    let looking = async {
        let begin = Instant::now();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while begin.elapsed() < lasts {
            ticks.tick().await;
            check(&miner.clients.status().await?)?;
            looks += 1;
        }
        Ok::<_, SoakError>(())
    };
    tokio::select! {
        result = looking => result?,
        result = breaking => result?,
    }

    proxy.set_both(Flow::Pass);
    proxy.admit().await?;
    let totals = rest(&miner).await?;
    let counts = pool.counts();
    let connections = proxy.counts().connected;
    miner.stop().await?;
    log.finish();
    proxy.stop().await;
    pool.stop().await?;
    // Shares that were lost on the way may have arrived all the same, judged or not: what was not answered lies between.
    let bounded = totals.lost <= connections * LOST_PER_CONNECTION;
    if !bounded || counts.unjudged() > totals.lost || !counts.fits(totals.accepted, totals.rejected, totals.lost) {
        return Err(SoakError::Disagreement { totals: Box::new(totals), pool: Box::new(counts) });
    }
    Ok(SoakReport { looks, faults, connections, totals, pool: counts })
}

/// Never ends by itself.
async fn breaking(proxy: &FaultProxy, pool: &Sv2Pool, mut dice: StdRng, faults: &mut u64) -> Result<(), SoakError> {
    let milliseconds =
        |dice: &mut StdRng, (least, most): (u64, u64)| Duration::from_millis(dice.random_range(least..most));
    loop {
        sleep(milliseconds(&mut dice, PEACE_LASTS)).await;
        *faults += 1;
        let flows = [
            Flow::Split { bytes: 7, pause: Duration::from_millis(1) },
            Flow::Throttle { bytes_per_second: 2_000 },
            Flow::Stall,
            Flow::Blackhole,
        ];
        match dice.random_range(0..10) {
            0 => proxy.cut(Cut::Reset).await,
            1 => proxy.cut(Cut::Close).await,
            2 => {
                proxy.refuse().await?;
                proxy.cut(Cut::Reset).await;
                sleep(milliseconds(&mut dice, FAULT_LASTS)).await;
                proxy.admit().await?;
            }
            3 | 4 => pool.provider().new_block(),
            5 => pool.provider().new_template(),
            _ => {
                let flow = *flows.choose(&mut dice).expect("there are some");
                proxy.set_both(flow);
                sleep(milliseconds(&mut dice, FAULT_LASTS)).await;
                // What was swallowed leaves a hole that no cipher forgives: the connection is over.
                if flow == Flow::Blackhole {
                    proxy.cut(Cut::Reset).await;
                }
                proxy.set_both(Flow::Pass);
            }
        }
    }
}

/// Every ledger of the tree.
fn check(status: &MinerStatus) -> Result<(), SoakError> {
    let pools = status.pools.iter().flat_map(|pool| {
        let connection = pool.connection.as_ref().and_then(|one| one.totals.as_ref());
        [(format!("pool {}", pool.name), pool.totals.as_ref()), (format!("a connection of {}", pool.name), connection)]
    });
    let boards = status.boards.iter().flat_map(|board| {
        let threads = board.threads.iter().map(|one| (format!("thread {}", one.thread_id), one.totals.as_ref()));
        threads.chain([(format!("board {}", board.board_id), board.totals.as_ref())])
    });
    let all = [("the miner".to_owned(), status.totals.as_ref())].into_iter().chain(pools).chain(boards);
    for (scope, totals) in all {
        if let Some(totals) = totals.filter(|totals| !totals.balanced || !adds_up(totals)) {
            return Err(SoakError::Unbalanced { scope, totals: Box::new(totals.clone()) });
        }
    }
    Ok(())
}

/// Both sums of the ledger, from the counters themselves.
fn adds_up(totals: &ShareTotals) -> bool {
    let dropped = totals.stale
        + totals.duplicate
        + totals.below_target
        + totals.out_of_window
        + totals.hardware_error
        + totals.suppressed;
    let refused: u64 = totals.rejected_by_reason.values().sum();
    totals.found == dropped + totals.submitted
        && refused == totals.rejected
        && totals.submitted == totals.accepted + totals.rejected + totals.pending + totals.lost
}

/// Stops hashing and waits until every share has its verdict.
async fn rest(miner: &HostedMiner) -> Result<ShareTotals, SoakError> {
    let said = mujinactl(&miner.address, &["pause"]).await;
    if said.code != 0 {
        return Err(SoakError::Restless(said.err));
    }
    let status = miner.clients.wait_for(at_rest).await.map_err(SoakError::Restless)?;
    check(&status)?;
    status.totals.ok_or_else(|| SoakError::Restless("the status has no totals".into()))
}
