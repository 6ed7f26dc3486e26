//! Whether the books add up. Pure.

use super::BoardSoakError;
use mujina_core::{
    board::BoardReport,
    share::{RejectCounts, ShareTotals},
};
use mujina_dataplane::scheduler::Snapshot;

/// Every ledger by itself, and each kind of them together with that of the miner.
pub(super) fn check(now: &Snapshot) -> Result<(), BoardSoakError> {
    let pools = now.pools.iter().map(|(name, pool)| (format!("pool {name}"), &pool.scope.totals));
    let connections = now.connections.iter().map(|(id, connection)| (format!("connection {id}"), &connection.totals));
    let boards = now.boards.iter().map(|(id, board)| (format!("board {id}"), &board.totals));
    let threads = now.threads.iter().map(|thread| (format!("thread {}", thread.id), &thread.scope.totals));
    let all = [("the miner".to_owned(), &now.miner.totals)].into_iter();
    for (scope, totals) in all.chain(pools).chain(connections).chain(boards).chain(threads) {
        if !totals.is_balanced() {
            return Err(BoardSoakError::Unbalanced(format!("{scope}: {totals:?}")));
        }
    }
    let miner = counts(&now.miner.totals);
    let sums = [
        ("pools", sum(now.pools.values().map(|pool| &pool.scope.totals))),
        ("boards", sum(now.boards.values().map(|board| &board.totals))),
        ("threads", sum(now.threads.iter().map(|thread| &thread.scope.totals))),
    ];
    match sums.into_iter().find(|(_, sum)| *sum != miner) {
        Some((scopes, sum)) => Err(BoardSoakError::Unbalanced(format!("{scopes} {sum:?}, the miner {miner:?}"))),
        None if now.unknown_verdicts > 0 => {
            Err(BoardSoakError::Unbalanced(format!("{} verdicts for unknown shares", now.unknown_verdicts)))
        }
        None => Ok(()),
    }
}

/// What is counted one by one.
fn counts(totals: &ShareTotals) -> ([u64; 11], RejectCounts) {
    let counts = [
        totals.found,
        totals.stale,
        totals.duplicate,
        totals.below_target,
        totals.out_of_window,
        totals.hardware_error,
        totals.suppressed,
        totals.submitted,
        totals.accepted,
        totals.pending,
        totals.lost,
    ];
    (counts, totals.rejected)
}

fn sum<'a>(all: impl Iterator<Item = &'a ShareTotals>) -> ([u64; 11], RejectCounts) {
    let mut sum = ShareTotals::default();
    all.for_each(|totals| sum.add(totals));
    counts(&sum)
}

/// What the chips of one board returned, over all lives of its chain: each begins to count anew. While a board is opened it
/// shows no chips, and then for a moment those of the life before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ChipBooks {
    /// Of lives that are over.
    past: Nonces,
    /// Of the present one.
    present: Nonces,
    /// Lives that are over.
    pub(super) lives: u64,
}

/// Nonces by what they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nonces {
    /// Right, and met their ticket.
    pub verified: u64,
    /// Wrong in one way or another.
    pub wrong: u64,
    /// Came before.
    pub duplicates: u64,
}

impl Nonces {
    /// All of them.
    #[must_use]
    pub fn sum(self) -> u64 {
        self.verified + self.wrong + self.duplicates
    }

    /// With those of another.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            verified: self.verified + other.verified,
            wrong: self.wrong + other.wrong,
            duplicates: self.duplicates + other.duplicates,
        }
    }
}

impl ChipBooks {
    /// Takes what the board shows now.
    pub(super) fn hear(&mut self, board: &BoardReport) {
        if board.chips.is_empty() {
            return;
        }
        let now = board.chips.iter().fold(Nonces::default(), |sum, chip| {
            let wrong = chip.errors.sum();
            sum.and(Nonces { verified: chip.verified, wrong, duplicates: chip.duplicates })
        });
        if now.sum() < self.present.sum() {
            self.past = self.past.and(self.present);
            self.lives += 1;
        }
        self.present = now;
    }

    pub(super) fn total(&self) -> Nonces {
        self.past.and(self.present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::board::{BoardState, ChipReport};
    use std::time::SystemTime;

    fn board(verified: &[u64]) -> BoardReport {
        let mut board = BoardReport::new("bitaxe-1".parse().unwrap(), "bitaxe", BoardState::Mining, SystemTime::now());
        board.chips = verified
            .iter()
            .map(|&verified| ChipReport {
                index: 0,
                address: 0,
                chip_id: 0x1370,
                verified,
                errors: mujina_core::board::ChipErrors::default(),
                duplicates: 1,
                hash_rate: None,
                relative_error: None,
                nominal_hash_rate: mujina_core::units::HashRate::default(),
                last_nonce_at: None,
                notes: Vec::new(),
            })
            .collect();
        board
    }

    #[test]
    fn chips_that_count_anew_are_added_to_what_they_were() {
        let mut books = ChipBooks::default();
        for verified in [&[][..], &[5], &[9], &[], &[9], &[2, 3], &[1, 1]] {
            books.hear(&board(verified));
        }
        assert_eq!(books.total(), Nonces { verified: 9 + 5 + 2, wrong: 0, duplicates: 1 + 2 + 2 });
        assert_eq!(books.lives, 2);
    }
}
