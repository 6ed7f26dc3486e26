//! A whole miner with an emulated board and invented work.

use super::*;
use crate::{
    pool::MinerIdentity,
    simulate::{BoardKind, Options, SimulatedBoard},
    source::{SourcePolicy, synthetic::SyntheticWork},
    transport::device::DeviceEvent,
};
use mujina_core::board::BoardState;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

fn plan(gate_bits: u8) -> MinerPlan {
    MinerPlan {
        cpu: None,
        synthetic: Some(SyntheticWork { share_every: Duration::from_millis(100), ..SyntheticWork::default() }),
        share_every: None,
        pool_limits: Default::default(),
        pool_limits_v1: Default::default(),
        scheduler_limits: Default::default(),
        source_policy: SourcePolicy::default(),
        identity: MinerIdentity { vendor: "Mujina".into(), hardware_version: "none".into(), firmware: "0".into() },
        boards: BoardsPlan { gate_bits, ..BoardsPlan::default() },
    }
}

#[tokio::test]
async fn emulated_gamma_mines_comes_back_after_a_replug_and_is_off_when_the_miner_has_stopped() {
    let options = Options::of(BoardKind::BitaxeGamma);
    let gate_bits = options.gate_bits;
    let board = SimulatedBoard::start(BoardKind::BitaxeGamma, options).unwrap();
    let remote = board.remote();
    let (plug, devices) = mpsc::channel(4);
    plug.send(DeviceEvent::Arrived(board.device())).await.unwrap();
    let cancel = CancellationToken::new();
    let guests = Guests { threads: None, devices: Some(devices) };
    let mut miner = Miner::start_with(plan(gate_bits), guests, cancel.clone()).await.unwrap();
    // No pool: work is invented from now on.
    miner.handle().source.configure(Vec::new()).await.unwrap();
    let id: BoardId = "bitaxe-5eed0001".parse().unwrap();
    let (mut reports, mut snapshot) = (miner.handle().boards_handle.reports(), miner.handle().scheduler.snapshot());
    let mut counted = 0;
    for starts in 1..=2 {
        let mines = reports.wait_for(|all| {
            all.boards
                .get(&id)
                .is_some_and(|board| board.state == BoardState::Mining && board.tuning.frequency.is_some())
        });
        let mines = timeout(DEADLINE, mines).await.ok().map(|all| all.unwrap().boards[&id].clone());
        let report = mines.unwrap_or_else(|| {
            panic!("it does not mine: {:?} {:?}", remote.statistics(), reports.borrow().boards);
        });
        assert_eq!(report.model, "bitaxe-gamma");
        let more =
            snapshot.wait_for(|now| now.boards.get(&id).is_some_and(|board| board.totals.accepted >= counted + 10));
        let now = timeout(DEADLINE, more).await.expect("shares in time").unwrap().clone();
        counted = now.boards[&id].totals.accepted;
        assert_eq!(now.boards[&id].totals.hardware_error, 0);
        if starts == 1 {
            // The cable alone: the board has power from elsewhere and hashes on.
            remote.unplug();
            plug.send(DeviceEvent::Left { place: board.device().place }).await.unwrap();
            let gone = reports.wait_for(|all| all.boards.get(&id).is_some_and(|board| board.state == BoardState::Gone));
            timeout(DEADLINE, gone).await.expect("it is gone in time").unwrap();
            plug.send(DeviceEvent::Arrived(remote.reconnect().unwrap())).await.unwrap();
        }
    }
    assert_eq!(snapshot.borrow().threads.len(), 1, "the thread has come back under its name");
    cancel.cancel();
    timeout(DEADLINE, miner.ended()).await.expect("an end in time").unwrap();
    let physics = remote.physics();
    assert!(!physics.running && physics.core.volts() < 0.01, "{physics:?}");
    let safe = reports.borrow().boards[&id].safe_state.clone().expect("it was made safe");
    assert!(safe.confirmed, "{safe:?}");
    let violations: Vec<_> = remote.violations().iter().map(ToString::to_string).collect();
    assert_eq!(violations, Vec::<String>::new());
}
