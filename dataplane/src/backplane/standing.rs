//! Boards that are always there and need no care, such as the CPU: they are shown like the others, and say what they cannot.

use super::BoardRefusal;
use crate::board::task::Wishes;
use mujina_core::{
    board::{BoardReport, BoardState, BoardTuning},
    id::BoardId,
};
use std::{collections::BTreeMap, time::SystemTime};

/// Why nothing can be asked of such a board.
const NOTHING_TO_DRIVE: &str = "it has neither supply, fan nor light that could be steered";

/// Boards that need no care.
#[derive(Debug, Default)]
pub(crate) struct Standing(BTreeMap<BoardId, BoardReport>);

impl Standing {
    pub(crate) fn new(boards: impl IntoIterator<Item = BoardReport>) -> Self {
        Self(boards.into_iter().map(|board| (board.id.clone(), board)).collect())
    }

    pub(crate) fn reports(&self) -> &BTreeMap<BoardId, BoardReport> {
        &self.0
    }

    /// Why one of these does not do what was asked; `None` for a board that is none of these.
    pub(crate) fn refusal(&self, board: &BoardId) -> Option<BoardRefusal> {
        let is_one = self.0.contains_key(board);
        is_one.then(|| BoardRefusal::Cannot { board: board.clone(), reason: NOTHING_TO_DRIVE.into() })
    }

    /// There is nothing to tune on these: what is wanted of them is refused.
    pub(crate) fn refusals(&self, wishes: &Wishes) -> Vec<BoardRefusal> {
        let asked = self.0.values().filter(|board| wishes.tuning_of(&board.id, &board.model) != BoardTuning::default());
        asked.filter_map(|board| self.refusal(&board.id)).collect()
    }

    /// Shows that the miner is paused, or not any more.
    pub(crate) fn pause(&mut self, paused: bool) {
        let (state, reason) =
            if paused { (BoardState::Paused, "the miner is paused") } else { (BoardState::Mining, "") };
        for board in self.0.values_mut().filter(|board| board.state != state) {
            board.state = state;
            reason.clone_into(&mut board.state_reason);
            board.state_since = SystemTime::now();
        }
    }
}

/// The report of a board that just hashes.
pub(crate) fn report(id: BoardId, model: &str, facts: BTreeMap<String, String>, since: SystemTime) -> BoardReport {
    BoardReport { facts, starts: 1, ..BoardReport::new(id, model, BoardState::Mining, since) }
}
