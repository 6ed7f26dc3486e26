//! Puts the boards together: those of this machine, emulated ones, and those that somebody else plugs in.
//!
//! The only place that knows drivers and emulator both.

use crate::{
    backplane::{Backplane, BackplanePlan, BoardsHandle, BoardsThread},
    board::{driver::Drivers, known, safe::Registry, task::chain::ChainStarter, tuner::Learnt},
    simulate::{self, BoardKind, SimulatedBoard},
    transport::{
        device::{BoardDevice, DeviceEvent},
        usb::UsbPlan,
    },
};
use mujina_core::{board::BoardReport, id::BoardId};
use std::{collections::BTreeMap, io};
use tokio::sync::mpsc;

/// Boards that arrive at once, and some; whoever tells of more waits.
const DEVICES: usize = 64;

/// Boards that come and go.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardsPlan {
    /// Whether boards are looked for on the USB of this machine.
    pub usb: bool,
    /// Leading zero bits that chips demand of every result: 32 in silicon. Emulated boards of this plan have their own.
    pub gate_bits: u8,
    /// Emulated boards. Each needs a place of its own.
    pub simulated: Vec<(BoardKind, simulate::Options)>,
    /// What an earlier process learnt of boards.
    pub learnt: BTreeMap<BoardId, Learnt>,
}

impl Default for BoardsPlan {
    fn default() -> Self {
        Self { usb: false, gate_bits: known::SILICON_GATE_BITS, simulated: Vec::new(), learnt: BTreeMap::new() }
    }
}

/// All boards but those that are always there, and the thread that looks after them.
#[derive(Debug)]
pub(super) struct Boards {
    thread: BoardsThread,
    /// Unplugged when all boards are safe.
    simulated: Vec<SimulatedBoard>,
    /// Keeps the backplane from thinking that nobody will ever tell of devices again.
    _devices: mpsc::Sender<DeviceEvent>,
}

/// Starts the boards' thread. `devices`: what somebody else plugs in.
///
/// # Errors
/// There is no thread for it, or there are no pseudo-terminals for emulated boards.
pub(super) fn start(
    plan: BoardsPlan,
    standing: Vec<BoardReport>,
    devices: Option<mpsc::Receiver<DeviceEvent>>,
    chains: ChainStarter,
) -> io::Result<(Boards, BoardsHandle)> {
    let BoardsPlan { usb, gate_bits, simulated, learnt } = plan;
    let gates: BTreeMap<_, _> =
        simulated.iter().map(|(_, options)| (options.place.clone(), options.gate_bits)).collect();
    let simulated = simulated.into_iter().map(|(kind, options)| SimulatedBoard::start(kind, options));
    let simulated = simulated.collect::<io::Result<Vec<_>>>()?;
    let (told, events) = mpsc::channel(DEVICES.max(simulated.len()));
    for board in &simulated {
        // There is room for all of them.
        let _ = told.try_send(DeviceEvent::Arrived(board.device()));
    }
    let registry = Registry::of_process();
    let plan = BackplanePlan {
        opener: Drivers::new(registry.clone()),
        chains,
        standing,
        devices: [Some(events), devices].into_iter().flatten().collect(),
        gate_bits: Box::new(move |device: &BoardDevice| gates.get(&device.place).copied().unwrap_or(gate_bits)),
        last_resort: registry.clone(),
        learnt,
    };
    let (backplane, handle) = Backplane::new(plan);
    let usb = usb.then(|| (UsbPlan::of_this_machine(known::is_board), told.clone()));
    let thread = BoardsThread::start(backplane, usb, registry)?;
    Ok((Boards { thread, simulated, _devices: told }, handle))
}

impl Boards {
    /// Tells all boards to become safe.
    pub(super) fn stop(&self) {
        self.thread.stop();
    }

    /// Waits until they are.
    pub(super) async fn ended(self) {
        let Self { thread, simulated, _devices } = self;
        thread.ended().await;
        drop(simulated);
    }
}
