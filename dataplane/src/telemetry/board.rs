//! One board as people see it: what the board tells of itself, and what the scheduler counted.

use crate::scheduler::{self, ThreadScope};
use mujina_core::{
    board::BoardReport,
    status::{BoardStatus, ThreadState, ThreadStatus},
    units::HashRate,
};

/// A board with its threads and the ledger that is kept for it.
pub(crate) fn board_status(report: &BoardReport, counted: &scheduler::Snapshot) -> BoardStatus {
    let scope = counted.boards.get(&report.id).cloned().unwrap_or_default();
    let threads = || counted.threads.iter().filter(|thread| thread.board == report.id);
    let alive = threads().filter(|thread| thread.state != ThreadState::Dead);
    let nominal: HashRate = alive.map(|thread| thread.nominal_hash_rate).sum();
    BoardStatus {
        id: report.id.clone(),
        model: report.model.clone(),
        threads: threads().map(thread_status).collect(),
        totals: scope.totals,
        rates: scope.rates,
        facts: report.facts.clone(),
        nominal_hash_rate: (nominal > HashRate::ZERO).then_some(nominal),
        summary: report.summary(),
    }
}

fn thread_status(thread: &ThreadScope) -> ThreadStatus {
    let ThreadScope { id, board: _, state, failure: _, slot, nominal_hash_rate: _, scope } = thread;
    ThreadStatus {
        id: id.clone(),
        state: *state,
        totals: scope.totals,
        rates: scope.rates.clone(),
        hashes: scope.hashes,
        slot: *slot,
    }
}
