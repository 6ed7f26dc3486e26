//! Whole miners with an emulated board and invented work.

mod scenarios;

use super::*;
use crate::{
    backplane::BoardReports,
    pool::{MinerIdentity, sv1, sv2},
    scheduler,
    simulate::{BoardKind, Event, Options, Record, Remote, SimulatedBoard, Violation, ViolationRecord},
    source::{SourcePolicy, synthetic::SyntheticWork},
    transport::device::DeviceEvent,
};
use mujina_core::{
    board::{BoardReport, BoardState},
    id::BoardId,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(180);

fn plan(gate_bits: u8) -> MinerPlan {
    MinerPlan {
        cpu: None,
        synthetic: Some(SyntheticWork { share_every: Duration::from_millis(100), ..SyntheticWork::default() }),
        share_every: None,
        pool_limits: sv2::Limits::default(),
        pool_limits_v1: sv1::Limits::default(),
        scheduler_limits: scheduler::Limits::default(),
        source_policy: SourcePolicy::default(),
        identity: MinerIdentity { vendor: "Mujina".into(), hardware_version: "none".into(), firmware: "0".into() },
        boards: BoardsPlan { gate_bits, ..BoardsPlan::default() },
    }
}

/// A miner whose only board is an emulated one.
struct World {
    board: SimulatedBoard,
    remote: Remote,
    plug: mpsc::Sender<DeviceEvent>,
    cancel: CancellationToken,
    miner: Miner,
    id: BoardId,
    reports: watch::Receiver<Arc<BoardReports>>,
    snapshot: watch::Receiver<Arc<scheduler::Snapshot>>,
}

impl World {
    async fn start(kind: BoardKind, options: Options, prepare: impl FnOnce(&Remote)) -> Self {
        let gate_bits = options.gate_bits;
        let board = SimulatedBoard::start(kind, options).unwrap();
        prepare(&board.remote());
        Self::on(board, gate_bits).await
    }

    /// A miner that finds this board.
    async fn on(board: SimulatedBoard, gate_bits: u8) -> Self {
        let remote = board.remote();
        let (plug, devices) = mpsc::channel(4);
        plug.send(DeviceEvent::Arrived(board.device())).await.unwrap();
        let cancel = CancellationToken::new();
        let guests = Guests { threads: None, devices: Some(devices) };
        let miner = Miner::start_with(plan(gate_bits), guests, cancel.clone()).await.unwrap();
        // No pool: work is invented from now on.
        miner.handle().source.configure(Vec::new()).await.unwrap();
        let family = if board.device().product == "Bitaxe" { "bitaxe" } else { "emberone-00" };
        let id = format!("{family}-{}", board.device().serial).parse().unwrap();
        let (reports, snapshot) = (miner.handle().boards.reports(), miner.handle().scheduler.snapshot());
        Self { board, remote, plug, cancel, miner, id, reports, snapshot }
    }

    /// Waits until the board is as it should be.
    async fn board(&mut self, what: &str, is_so: impl Fn(&BoardReport) -> bool) -> BoardReport {
        let so = self.reports.wait_for(|all| all.boards.get(&self.id).is_some_and(&is_so));
        let seen = timeout(DEADLINE, so).await.ok().map(|all| all.unwrap().boards[&self.id].clone());
        seen.unwrap_or_else(|| panic!("{what}: {:?} {:?}", self.remote.statistics(), self.reports.borrow().boards))
    }

    async fn mines(&mut self) -> BoardReport {
        self.board("mines", |board| board.state == BoardState::Mining && board.tuning.frequency.is_some()).await
    }

    /// Waits until it is off until its next start.
    async fn rests(&mut self) -> BoardReport {
        let rests = |board: &BoardReport| {
            board.state == BoardState::Waiting && !board.state_reason.contains("is being made safe")
        };
        self.board("rests", rests).await
    }

    /// Waits until so many more of its shares were accepted.
    async fn more_shares(&mut self, count: u64) {
        let accepted = |now: &scheduler::Snapshot| now.boards.get(&self.id).map_or(0, |board| board.totals.accepted);
        let before = accepted(&self.snapshot.borrow());
        let more = self.snapshot.wait_for(|now| accepted(now) >= before + count);
        timeout(DEADLINE, more).await.expect("shares in time").unwrap();
    }

    async fn unplug(&mut self) {
        self.remote.unplug();
        self.plug.send(DeviceEvent::Left { place: self.board.device().place }).await.unwrap();
        self.board("is gone", |board| board.state == BoardState::Gone).await;
    }

    fn assert_off(&self) {
        let physics = self.remote.physics();
        assert!(!physics.running && physics.core.volts() < 0.01, "{physics:?}");
    }

    /// Stops in order. The board is off then, is known to be, and has nothing to complain of.
    async fn stop(mut self) {
        self.cancel.cancel();
        timeout(DEADLINE, self.miner.ended()).await.expect("an end in time").unwrap();
        self.assert_off();
        let safe = self.reports.borrow().boards[&self.id].safe_state.clone().expect("it was made safe");
        assert!(safe.confirmed, "{safe:?}");
        let totals = self.snapshot.borrow().boards[&self.id].totals;
        assert!(totals.is_balanced(), "{totals:?}");
        assert_eq!(self.violations(), Vec::<String>::new());
    }

    /// What the board complains of, but for bytes to chips whose supply had gone by itself: until the driver has seen that
    /// and holds them in reset, it cannot know better.
    fn violations(&self) -> Vec<String> {
        let (mut released, mut gone_at, mut unseen) = (false, None, Vec::new());
        for Record { at, event } in self.remote.record() {
            match event {
                Event::Gpio { line: 0, high } => {
                    released = high;
                    unseen.extend(gone_at.take().filter(|_| !high).map(|gone_at| gone_at..=at));
                }
                Event::CorePower(false) if released => gone_at = Some(at),
                _ => {}
            }
        }
        let is_excused = |one: &ViolationRecord| {
            one.violation == Violation::ChipsOff && unseen.iter().any(|unseen| unseen.contains(&one.at))
        };
        self.remote.violations().iter().filter(|one| !is_excused(one)).map(ToString::to_string).collect()
    }
}
