//! The task of one board: brings it up, looks after it, and makes it safe, whatever mining and the API do.
//!
//! One per device that is there, on the boards' own thread, started by `backplane`. It decides in a pure machine and acts
//! in a thin loop: through [`Hardware`](super::hardware::Hardware) on everything but the chips, through orders on their
//! chain. A board that fails is made safe and started again after a rest that doubles; after
//! [`MOST_FAILURES`](super::thermal::MOST_FAILURES) in a row somebody must ask for it.

mod cause;
pub(crate) mod chain;
mod machine;
mod open;
mod run;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use open::{provisional_model, unopened};
pub(crate) use run::run;

use super::{limits::BoardLimits, tuner::Learnt};
use crate::{backplane::BoardRefusal, transport::device::BoardDevice};
use mujina_core::{
    board::{BoardReport, BoardTuning, SafeStateReport, SelfTestStep},
    id::BoardId,
    units::Celsius,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// The way of an answer.
pub(crate) type Reply = oneshot::Sender<Result<(), BoardRefusal>>;

/// What a person asks of one board.
#[derive(Debug)]
pub(crate) enum TaskOrder {
    /// See [`BoardCommand::Reinitialize`](crate::backplane::BoardCommand::Reinitialize).
    Reinitialize(Reply),
    /// See [`BoardCommand::Locate`](crate::backplane::BoardCommand::Locate).
    Locate(Duration, Reply),
    /// See [`BoardCommand::SelfTest`](crate::backplane::BoardCommand::SelfTest).
    SelfTest(mpsc::Sender<Option<SelfTestStep>>, Reply),
}

/// What is wanted of all boards, for as long as nothing else is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    /// Whether the miner is paused.
    pub(crate) paused: bool,
    /// By board id or by model; field by field, the id wins.
    pub(crate) tuning: BTreeMap<String, BoardTuning>,
}

impl Wishes {
    /// What is wanted of this board; the defaults of its model when nothing is. An entry of its own says the mode; limits and
    /// fan target that it does not name stay as they are wanted of the model, so that nobody loosens them by a mode alone.
    pub(crate) fn tuning_of(&self, id: &BoardId, model: &str) -> BoardTuning {
        match (self.tuning.get(id.as_str()), self.tuning.get(model)) {
            (Some(own), Some(all)) => over(own, all),
            (own, all) => own.or(all).cloned().unwrap_or_default(),
        }
    }
}

/// What is wanted of a board, over what is wanted of all of its model.
fn over(own: &BoardTuning, all: &BoardTuning) -> BoardTuning {
    let BoardTuning { mode, soft_limits, hard_limits, fan_target } = own.clone();
    let limits = |own: BTreeMap<String, Celsius>, all: &BTreeMap<String, Celsius>| {
        let mut limits = all.clone();
        limits.extend(own);
        limits
    };
    BoardTuning {
        mode,
        soft_limits: limits(soft_limits, &all.soft_limits),
        hard_limits: limits(hard_limits, &all.hard_limits),
        fan_target: fan_target.or(all.fan_target),
    }
}

/// What is known of a board from an earlier time that it was there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Memory {
    /// What its tuner learnt.
    pub(crate) learnt: Learnt,
    /// Times that it was brought up.
    pub(crate) starts: u32,
    /// The newest time that it was made safe.
    pub(crate) safe: Option<SafeStateReport>,
}

/// What a task tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// For everybody.
    pub(crate) report: BoardReport,
    /// For the next task of the same board.
    pub(crate) memory: Memory,
    /// What its model may do; `None` while the model is not known.
    pub(crate) limits: Option<BoardLimits>,
}

/// Where a task tells, at least once a second.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) told: watch::Sender<Told>,
    /// Rung after each.
    pub(crate) bell: Arc<Notify>,
}

impl Teller {
    fn tell(&self, told: Told) {
        self.told.send_replace(told);
        self.bell.notify_one();
    }
}

/// What a task is made of.
#[derive(Debug)]
pub(crate) struct TaskPlan<O, C> {
    pub(crate) id: BoardId,
    pub(crate) device: BoardDevice,
    pub(crate) opener: O,
    pub(crate) chains: C,
    /// 32 but for emulated chips.
    pub(crate) gate_bits: u8,
    pub(crate) memory: Memory,
    pub(crate) wishes: watch::Receiver<Wishes>,
    pub(crate) orders: mpsc::Receiver<TaskOrder>,
    pub(crate) teller: Teller,
    /// The device is gone.
    pub(crate) unplugged: CancellationToken,
    /// The miner stops.
    pub(crate) stop: CancellationToken,
}
