//! A board as the backplane keeps it: while it is there, with its task; after that, as it was seen last.

use crate::{
    board::{
        limits::{BoardLimits, LimitRefusal},
        task::{self, Memory, TaskOrder, Told},
    },
    transport::device::BoardDevice,
};
use mujina_core::{
    board::{BoardReport, BoardState, BoardTuning, SafeStateReport},
    fault::{Fault, FaultReason},
    id::BoardId,
};
use std::time::SystemTime;
use tokio::{
    sync::{mpsc, watch},
    task::Id,
};
use tokio_util::sync::CancellationToken;

/// One board.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its device, as it was plugged in last.
    pub(super) device: BoardDevice,
    /// Whether the device is there.
    pub(super) present: bool,
    /// One that arrived while the task of the one before was not over.
    pub(super) next: Option<BoardDevice>,
    pub(super) running: Option<Running>,
    pub(super) report: BoardReport,
    pub(super) memory: Memory,
    pub(super) limits: Option<BoardLimits>,
}

/// The task of a board.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) task: Id,
    pub(super) orders: mpsc::Sender<TaskOrder>,
    pub(super) told: watch::Receiver<Told>,
    pub(super) unplugged: CancellationToken,
}

impl Slot {
    /// A board without a task.
    pub(super) fn without_task(device: BoardDevice, report: BoardReport) -> Self {
        let (memory, limits) = (Memory::default(), None);
        Self { device, present: true, next: None, running: None, report, memory, limits }
    }

    /// Takes what the task told. Whether it was anything new.
    pub(super) fn hear(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        // Also of one that has ended: its last words are the ones that count.
        let told = running.told.borrow_and_update();
        let news = self.report != told.report;
        self.report.clone_from(&told.report);
        self.memory.clone_from(&told.memory);
        self.limits.clone_from(&told.limits);
        news
    }

    /// Its device is gone, and its task over. A board that could not be made safe before may go on without us.
    pub(super) fn gone(&mut self) {
        let was = self.report.state;
        let report = &mut self.report;
        report.state = BoardState::Gone;
        "it was unplugged".clone_into(&mut report.state_reason);
        if was != BoardState::Gone {
            report.state_since = SystemTime::now();
        }
        report.faults.retain(|fault| fault.reason == FaultReason::BoardUnsafe);
        report.chips.clear();
        report.sensors.clear();
        report.fans.clear();
        report.rails.clear();
        (report.led, report.locate_until) = (None, None);
        (report.tuning.frequency, report.tuning.voltage) = (None, None);
    }

    /// Its task panicked. By then the last resort has made it safe, or said in the log that it could not.
    pub(super) fn panicked(&mut self) {
        let report = &mut self.report;
        let now = SystemTime::now();
        let message = "its task panicked; this is a bug, please report it with the log; `mujinactl board reinit` starts \
             the board again";
        let fault = Fault {
            reason: FaultReason::BoardFailed,
            subject: format!("board/{}", report.id),
            message: message.to_owned(),
            since: now,
        };
        let safe = SafeStateReport {
            at: now,
            reason: "its task panicked".to_owned(),
            confirmed: false,
            detail: "made safe by the last resort; the log says what it saw".to_owned(),
        };
        report.state = BoardState::Fault;
        message.clone_into(&mut report.state_reason);
        report.state_since = now;
        report.faults = vec![fault];
        report.safe_state = Some(safe.clone());
        self.memory.safe = Some(safe);
    }

    /// Why a tuning does not fit this board; `None` when it does, or that is not known yet.
    pub(super) fn refusal_of(&self, tuning: &BoardTuning) -> Option<String> {
        let model = self.limits.as_ref().filter(|_| self.present)?;
        let (limits, refusals) = model.tightened_where_granted(tuning);
        let kept = if limits == *model { "" } else { "; the limits that it tightens are in force all the same" };
        (!refusals.is_empty()).then(|| format!("{}{kept}", LimitRefusal::in_words(&refusals)))
    }
}

/// A board that cannot be used: recognised and not to be driven, or not to be opened.
pub(super) fn unusable(
    id: &BoardId,
    model: &str,
    device: &BoardDevice,
    state: BoardState,
    (kind, reason): (FaultReason, &str),
) -> BoardReport {
    let subject = format!("board/{id}");
    let fault = Fault { reason: kind, subject, message: reason.to_owned(), since: SystemTime::now() };
    BoardReport { faults: vec![fault], ..task::unopened(id, model, device, state, reason) }
}
