//! All boards of this miner: which there are, how they are, and what is wanted of them.
//!
//! A board task per device, on a thread of its own beside the mining thread, so that neither mining nor the API can keep
//! a board from being made safe. Hash threads of boards join the scheduler through the composition root.

mod actor;
mod names;
mod slot;
pub(crate) mod standing;
mod supervise;
#[cfg(test)]
mod tests;

pub(crate) use actor::{Backplane, BackplanePlan};
pub(crate) use supervise::BoardsThread;
pub use supervise::supervises;

use crate::board::tuner::Learnt;
use mujina_core::{
    board::{BoardReport, BoardTuning, SelfTestStep},
    id::BoardId,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// All boards at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoardReports {
    /// Boards that are or were there.
    pub boards: BTreeMap<BoardId, BoardReport>,
    /// Why boards on USB cannot be found; empty when they can, or are not looked for.
    pub usb_problem: String,
    /// What was learnt of boards by tuning them, now or in an earlier process; to be given to the next one.
    pub learnt: BTreeMap<BoardId, Learnt>,
}

/// What may be asked of boards.
#[derive(Debug)]
pub enum BoardCommand {
    /// Makes a board safe and brings it up from the beginning, whatever it failed with before. Answered when it runs or has
    /// failed.
    Reinitialize(BoardId, oneshot::Sender<Result<(), BoardRefusal>>),
    /// Lets its LED show where it is for so long; zero ends it. Answered with what the LED can do.
    Locate(BoardId, Duration, oneshot::Sender<Result<(), BoardRefusal>>),
    /// Tests it: rails, fan, sensors, a golden nonce on every chip. Answered when the test begins; each step is told as it
    /// ends, and `None` after the last one: steps that close without it are of a test that broke off. The board then mines on;
    /// one that does not run gets power for the test and is made safe again. A test whose steps nobody takes any more is
    /// broken off.
    SelfTest(BoardId, mpsc::Sender<Option<SelfTestStep>>, oneshot::Sender<Result<(), BoardRefusal>>),
    /// What is wanted of the tuning of boards, by board id or by model (the id wins). Takes the place of what was wanted.
    Tune(BTreeMap<String, BoardTuning>, oneshot::Sender<Vec<BoardRefusal>>),
    /// Stops the chips of all boards while the miner is paused, or lets them run again.
    Pause(bool),
}

/// Why a board does not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardRefusal {
    /// Nobody has that id.
    #[error("there is no board `{0}`; `mujinactl board list` shows those there are")]
    Unknown(String),
    /// It cannot now, or not at all.
    #[error("board {board}: {reason}")]
    Cannot {
        /// Which.
        board: BoardId,
        /// Why, and what to do.
        reason: String,
    },
    /// The miner is shutting down.
    #[error("the boards are being shut down")]
    Stopping,
}

/// The way to the boards. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BoardsHandle {
    pub(crate) reports: watch::Receiver<Arc<BoardReports>>,
    pub(crate) commands: mpsc::Sender<BoardCommand>,
}

impl BoardsHandle {
    /// All boards, newest at most a second old.
    #[must_use]
    pub fn reports(&self) -> watch::Receiver<Arc<BoardReports>> {
        self.reports.clone()
    }

    /// Asks for something, and waits for the answer that the command carries.
    ///
    /// # Errors
    /// The boards are being shut down, or the board refuses.
    pub async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> BoardCommand) -> Result<T, BoardRefusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| BoardRefusal::Stopping)?;
        answer.await.map_err(|_| BoardRefusal::Stopping)
    }

    /// Stops the chips of all boards, or lets them run again. Boards that are being shut down are stopped anyway.
    pub async fn pause(&self, paused: bool) {
        let _ = self.commands.send(BoardCommand::Pause(paused)).await;
    }
}
