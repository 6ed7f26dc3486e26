//! The boards, plugged into one mining side.

use super::{BoardSoakError, BoardSoakPlan, DEADLINE, books, troubles::History};
use mujina_core::{
    board::BoardReport,
    id::BoardId,
    pool::{DEFAULT_QUOTA, PoolGroup, PoolOptions, PoolSpec, PoolStrategy},
    share::ShareTotals,
    units::Celsius,
};
use mujina_dataplane::{
    backplane::BoardReports,
    miner::{BoardsPlan, Guests, Miner, MinerPlan},
    pool::{MinerIdentity, sv1, sv2},
    scheduler::{self, Snapshot},
    simulate::{BoardKind, Options, SimulatedBoard},
    source::SourcePolicy,
    transport::device::DeviceEvent,
};
use rand::{Rng, rngs::StdRng};
use std::{collections::BTreeMap, sync::Arc, time::Instant};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, instrument::WithSubscriber};

/// Twelve boards with thirty-four chips.
pub const RACK: [BoardKind; 12] = {
    use BoardKind::{BitaxeGamma, BitaxeSupra, BitaxeUltra, EmberOne};
    [
        BitaxeGamma,
        BitaxeGamma,
        EmberOne,
        BitaxeGamma,
        BitaxeGamma,
        BitaxeUltra,
        BitaxeGamma,
        BitaxeGamma,
        EmberOne,
        BitaxeGamma,
        BitaxeGamma,
        BitaxeSupra,
    ]
};
/// Leading zero bits of a nonce: the fewest that emulated chips can have. All of the rack hash a million times a second, a
/// few percent of a core, and each chip returns its five nonces a second all the same.
const GATE_BITS: u8 = 8;
/// The air around the boards, from the coldest to the warmest, in degrees Celsius.
const AMBIENT: std::ops::Range<f64> = 20.0..36.0;

/// One board.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) kind: BoardKind,
    pub(super) id: BoardId,
    pub(super) board: SimulatedBoard,
    /// What its records count from.
    pub(super) epoch: Instant,
    pub(super) history: History,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Rack {
    pub(super) seats: Vec<Seat>,
    pub(super) plug: mpsc::Sender<DeviceEvent>,
    pub(super) miner: Miner,
    cancel: CancellationToken,
    pub(super) reports: watch::Receiver<Arc<BoardReports>>,
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
}

impl Rack {
    /// Plugs everything in. The miner logs to `log`.
    pub(super) async fn start(
        plan: &BoardSoakPlan,
        pool_url: &str,
        log: Dispatch,
        dice: &mut StdRng,
    ) -> Result<Self, BoardSoakError> {
        let (plug, devices) = mpsc::channel(plan.boards.len().max(1));
        let guests = Guests { threads: None, devices: Some(devices) };
        let cancel = CancellationToken::new();
        let miner = Miner::start_with(miner_plan(), guests, cancel.clone()).with_subscriber(log).await?;
        let numbered = (1_u64..).zip(&plan.boards);
        let seats = numbered.map(|(number, kind)| seat(*kind, number, plan.time_scale, dice));
        let seats = seats.collect::<Result<Vec<_>, _>>()?;
        for seat in &seats {
            // A miner that is gone is found by whoever waits for it.
            let _ = plug.send(DeviceEvent::Arrived(seat.board.device())).await;
        }
        let handle = miner.handle();
        let pools = vec![pool_group(pool_url)];
        handle.source.configure(pools).await.map_err(|error| BoardSoakError::Restless(error.to_string()))?;
        let (reports, snapshot) = (handle.boards.reports(), handle.scheduler.snapshot());
        Ok(Self { seats, plug, miner, cancel, reports, snapshot })
    }

    /// Stops hashing, and waits until every share has its verdict.
    pub(super) async fn rest(&mut self) -> Result<(), BoardSoakError> {
        self.miner.handle().scheduler.pause().await?;
        let at_rest = |now: &Arc<Snapshot>| now.paused && !now.hashing && now.miner.totals.pending == 0;
        let rests = timeout(DEADLINE, self.snapshot.wait_for(at_rest)).await;
        let rests = rests.ok().and_then(Result::ok).map(|now| Arc::clone(&now));
        let seen = || BoardSoakError::Restless(format!("{:?}", self.snapshot.borrow().miner.totals));
        books::check(&*rests.ok_or_else(seen)?)
    }

    /// Stops the miner. All boards are safe then, and are known to be.
    pub(super) async fn stop(&mut self) -> Result<(), BoardSoakError> {
        self.cancel.cancel();
        let late = |_| BoardSoakError::Restless("the miner does not end".into());
        timeout(DEADLINE, self.miner.ended()).await.map_err(late)??;
        for Seat { id, board, .. } in &self.seats {
            let physics = board.remote().physics();
            let safe = self.report(id).and_then(|report| report.safe_state);
            let is_safe = !physics.running && physics.core.volts() < 0.01;
            if !is_safe || !safe.as_ref().is_some_and(|safe| safe.confirmed) {
                return Err(BoardSoakError::Unsafe { board: id.clone(), seen: format!("{safe:?}, {physics:?}") });
            }
        }
        Ok(())
    }

    fn report(&self, id: &BoardId) -> Option<BoardReport> {
        self.reports.borrow().boards.get(id).cloned()
    }

    /// The miner's books.
    pub(super) fn totals(&self) -> ShareTotals {
        self.snapshot.borrow().miner.totals
    }

    /// How often each board was brought up.
    pub(super) fn starts(&self) -> BTreeMap<BoardId, u32> {
        let starts = |seat: &Seat| (seat.id.clone(), self.report(&seat.id).map_or(0, |report| report.starts));
        self.seats.iter().map(starts).collect()
    }
}

fn seat(kind: BoardKind, number: u64, time_scale: f64, dice: &mut StdRng) -> Result<Seat, BoardSoakError> {
    let serial = format!("50ac{number:04x}");
    let options = Options {
        gate_bits: GATE_BITS,
        time_scale,
        ambient: Celsius::from_degrees(dice.random_range(AMBIENT)),
        serial: serial.clone(),
        place: format!("soak-{number}"),
        seed: dice.random(),
        ..Options::of(kind)
    };
    let family = if kind == BoardKind::EmberOne { "emberone-00" } else { "bitaxe" };
    let id = format!("{family}-{serial}").parse().expect("letters, digits and dashes");
    let epoch = Instant::now();
    let board = SimulatedBoard::start(kind, options)?;
    Ok(Seat { kind, id, board, epoch, history: History::default() })
}

fn miner_plan() -> MinerPlan {
    MinerPlan {
        cpu: None,
        synthetic: None,
        share_every: None,
        pool_limits: sv2::Limits::default(),
        pool_limits_v1: sv1::Limits::default(),
        scheduler_limits: scheduler::Limits::default(),
        source_policy: SourcePolicy::default(),
        identity: MinerIdentity { vendor: "Mujina".into(), hardware_version: "none".into(), firmware: "0".into() },
        boards: BoardsPlan { gate_bits: GATE_BITS, ..BoardsPlan::default() },
    }
}

fn pool_group(url: &str) -> PoolGroup {
    let spec = PoolSpec {
        name: "pool".parse().expect("a name"),
        endpoint: url.parse().expect("the testbed's pools have good URLs"),
        user: "alice".into(),
        password: None,
        nominal_hash_rate: None,
        quota: DEFAULT_QUOTA,
        options: PoolOptions::default(),
    };
    PoolGroup { name: "main".parse().expect("a name"), strategy: PoolStrategy::Failover, pools: vec![spec] }
}
