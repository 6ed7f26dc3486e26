//! Boards that are always there and need no care, such as the CPU: they are shown like the others, and say what they cannot.

use super::{BoardCommand, BoardRefusal, BoardReports, BoardsHandle};
use mujina_core::{
    board::{BoardConstraints, BoardReport, BoardState, BoardTuning, TuningReport},
    id::BoardId,
};
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Orders that may wait: they come from people and from the spec.
const COMMAND_QUEUE: usize = 16;

/// Why nothing can be asked of such a board.
const NOTHING_TO_DRIVE: &str = "it has neither supply, fan nor light that could be steered";

/// Answers for boards that need no care.
#[derive(Debug)]
pub(crate) struct Standing {
    reports: watch::Sender<Arc<BoardReports>>,
    commands: mpsc::Receiver<BoardCommand>,
}

impl Standing {
    /// Publishes the boards at once.
    pub(crate) fn new(boards: impl IntoIterator<Item = BoardReport>) -> (Self, BoardsHandle) {
        let boards = boards.into_iter().map(|board| (board.id.clone(), board)).collect();
        let (sender, reports) = watch::channel(Arc::new(BoardReports { boards, usb_problem: String::new() }));
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        (Self { reports: sender, commands: queue }, BoardsHandle { reports, commands })
    }

    /// Answers until `cancel`.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                Some(command) = self.commands.recv() => self.follow(command),
            }
        }
    }

    /// An asker that gave up needs no answer.
    fn follow(&self, command: BoardCommand) {
        match command {
            BoardCommand::Reinitialize(board, reply) | BoardCommand::Locate(board, _, reply) => {
                let _ = reply.send(Err(self.refusal(board)));
            }
            BoardCommand::SelfTest(board, _, reply) => {
                let _ = reply.send(Err(self.refusal(board)));
            }
            BoardCommand::Tune(wanted, reply) => {
                let _ = reply.send(self.refusals(&wanted));
            }
            BoardCommand::Pause(paused) => self.pause(paused),
        }
    }

    fn refusal(&self, board: BoardId) -> BoardRefusal {
        if self.reports.borrow().boards.contains_key(&board) {
            BoardRefusal::Cannot { board, reason: NOTHING_TO_DRIVE.into() }
        } else {
            BoardRefusal::Unknown(board.to_string())
        }
    }

    /// What is wanted of a board that is not there waits for it; of one that is there and has nothing to tune it is refused.
    fn refusals(&self, wanted: &BTreeMap<String, BoardTuning>) -> Vec<BoardRefusal> {
        let reports = self.reports.borrow();
        let asked = reports.boards.values().filter(|board| {
            let tuning = wanted.get(board.id.as_str()).or_else(|| wanted.get(&board.model));
            tuning.is_some_and(|tuning| *tuning != BoardTuning::default())
        });
        asked.map(|board| BoardRefusal::Cannot { board: board.id.clone(), reason: NOTHING_TO_DRIVE.into() }).collect()
    }

    fn pause(&self, paused: bool) {
        let (state, reason) =
            if paused { (BoardState::Paused, "the miner is paused") } else { (BoardState::Mining, "") };
        self.reports.send_if_modified(|reports| {
            let changes = reports.boards.values().any(|board| board.state != state);
            if changes {
                for board in Arc::make_mut(reports).boards.values_mut() {
                    board.state = state;
                    reason.clone_into(&mut board.state_reason);
                    board.state_since = SystemTime::now();
                }
            }
            changes
        });
    }
}

/// The report of a board that just hashes.
pub(crate) fn report(id: BoardId, model: &str, facts: BTreeMap<String, String>, since: SystemTime) -> BoardReport {
    BoardReport {
        id,
        model: model.to_owned(),
        state: BoardState::Mining,
        state_reason: String::new(),
        state_since: since,
        facts,
        expected_chips: 0,
        chips: Vec::new(),
        sensors: Vec::new(),
        fans: Vec::new(),
        rails: Vec::new(),
        tuning: TuningReport::default(),
        constraints: BoardConstraints::default(),
        led: None,
        locate_until: None,
        safe_state: None,
        starts: 1,
        faults: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::{board::TuningMode, units::Watts};
    use std::time::Duration;
    use tokio::task::JoinSet;

    fn cpu() -> BoardId {
        "cpu".parse().unwrap()
    }

    fn standing(tasks: &mut JoinSet<()>, cancel: &CancellationToken) -> BoardsHandle {
        let (standing, handle) = Standing::new([report(cpu(), "cpu", BTreeMap::new(), SystemTime::UNIX_EPOCH)]);
        tasks.spawn(standing.run(cancel.clone()));
        handle
    }

    #[tokio::test]
    async fn board_without_anything_to_steer_says_so_and_unknown_ones_are_unknown() {
        let (mut tasks, cancel) = (JoinSet::new(), CancellationToken::new());
        let handle = standing(&mut tasks, &cancel);
        let refused = handle.ask(|reply| BoardCommand::Reinitialize(cpu(), reply)).await.unwrap();
        assert_eq!(refused, Err(BoardRefusal::Cannot { board: cpu(), reason: NOTHING_TO_DRIVE.into() }));
        let other: BoardId = "other".parse().unwrap();
        let refused = handle.ask(|reply| BoardCommand::Locate(other, Duration::from_secs(1), reply)).await.unwrap();
        assert_eq!(refused, Err(BoardRefusal::Unknown("other".into())));
        let power = BoardTuning { mode: TuningMode::Power(Watts::from_watts(5.0)), ..BoardTuning::default() };
        let wanted = [("cpu".to_owned(), power), ("bitaxe-gamma".to_owned(), BoardTuning::default())].into();
        assert_eq!(handle.ask(|reply| BoardCommand::Tune(wanted, reply)).await.unwrap().len(), 1);
        cancel.cancel();
        tasks.join_all().await;
        let gone = handle.ask(|reply| BoardCommand::Reinitialize(cpu(), reply)).await;
        assert_eq!(gone, Err(BoardRefusal::Stopping));
    }

    #[tokio::test]
    async fn pause_of_the_miner_shows_on_its_boards() {
        let (mut tasks, cancel) = (JoinSet::new(), CancellationToken::new());
        let handle = standing(&mut tasks, &cancel);
        let mut reports = handle.reports();
        for (paused, state) in [(true, BoardState::Paused), (false, BoardState::Mining)] {
            handle.pause(paused).await;
            reports.wait_for(|reports| reports.boards[&cpu()].state == state).await.unwrap();
        }
    }
}
