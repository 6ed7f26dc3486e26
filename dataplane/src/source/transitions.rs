//! How the work moved between pools: one record a move, with its reason and its price.   Kept by `state`.

use super::MAX_TRANSITIONS;
use crate::scheduler::SwitchReport;
use mujina_core::{
    id::{ConnectionId, PoolName},
    status::{ConnectPhase, PoolTransition, TransitionReason},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Who was worked for last.
#[derive(Debug, Clone)]
pub(super) struct Departed {
    pub(super) pool: PoolName,
    pub(super) connection: ConnectionId,
    /// Since when nobody is worked for; `None` while it still is.
    pub(super) since: Option<Instant>,
}

/// A move that was ordered.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) reason: TransitionReason,
    pub(super) detail: String,
}

/// The newest moves, newest first.
#[derive(Debug, Default)]
pub(super) struct Transitions {
    list: Arc<VecDeque<PoolTransition>>,
    count: u64,
    last: Option<Departed>,
}

impl Transitions {
    pub(super) fn list(&self) -> Arc<VecDeque<PoolTransition>> {
        Arc::clone(&self.list)
    }

    /// Who was worked for last, live or not.
    pub(super) fn last(&self) -> Option<&Departed> {
        self.last.as_ref()
    }

    /// The connection that was worked for is gone, and nobody is worked for from now on.
    pub(super) fn left(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(last) = self.last.as_mut().filter(|last| last.connection == connection) {
            last.since.get_or_insert(now);
        }
    }

    /// Invented work is no pool's: what comes after it is a beginning.
    pub(super) fn left_for_nothing(&mut self) {
        self.last = None;
    }

    /// Every thread has the new work.
    pub(super) fn moved(
        &mut self,
        to: (PoolName, ConnectionId),
        ordered: Ordered,
        report: SwitchReport,
        phases: Vec<ConnectPhase>,
        (now, wall): (Instant, SystemTime),
    ) {
        let next = Departed { pool: to.0.clone(), connection: to.1, since: None };
        let last = self.last.replace(next);
        let idle = last.as_ref().and_then(|last| last.since).map(|since| now.saturating_duration_since(since));
        let SwitchReport { work_gap, threads, late: _ } = report;
        self.count += 1;
        let Ordered { reason, detail } = ordered;
        let list = Arc::make_mut(&mut self.list);
        list.truncate(MAX_TRANSITIONS - 1);
        list.push_front(PoolTransition {
            sequence: self.count,
            at: wall,
            from: last.map(|last| (last.pool, last.connection)),
            to,
            reason,
            detail,
            work_gap: idle.map_or(work_gap, |idle| idle.max(work_gap)),
            threads,
            shares_lost: 0,
            phases,
        });
    }

    /// A connection is over, with what it lost.
    pub(super) fn ended(&mut self, connection: ConnectionId, lost: u64) {
        let is_its = |one: &PoolTransition| one.from.as_ref().is_some_and(|(_, id)| *id == connection);
        if lost > 0
            && let Some(at) = self.list.iter().position(is_its)
            && let Some(transition) = Arc::make_mut(&mut self.list).get_mut(at)
        {
            transition.shares_lost = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn moved(transitions: &mut Transitions, pool: &str, id: u64, now: Instant) {
        let ordered = Ordered { reason: TransitionReason::FailedOver, detail: String::new() };
        let report = SwitchReport { work_gap: Duration::from_micros(40), threads: 2, late: 0 };
        let to = (pool.parse().unwrap(), ConnectionId(id));
        transitions.moved(to, ordered, report, Vec::new(), (now, SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn gap_counts_from_the_moment_when_nobody_was_worked_for() {
        let (mut transitions, now) = (Transitions::default(), Instant::now());
        moved(&mut transitions, "a", 1, now);
        transitions.left(ConnectionId(1), now);
        moved(&mut transitions, "b", 2, now + Duration::from_millis(7));
        transitions.ended(ConnectionId(1), 3);
        moved(&mut transitions, "a", 3, now + Duration::from_millis(9));
        let list = transitions.list();
        let gaps: Vec<_> = list.iter().map(|one| one.work_gap.as_micros()).collect();
        assert_eq!(gaps, [40, 7_000, 40]);
        assert_eq!(list.iter().map(|one| one.shares_lost).collect::<Vec<_>>(), [0, 3, 0]);
        assert_eq!(list[1].from.as_ref().unwrap().0.as_str(), "a");
    }

    #[test]
    fn oldest_moves_are_forgotten() {
        let mut transitions = Transitions::default();
        for id in 0..2 * MAX_TRANSITIONS as u64 {
            moved(&mut transitions, "a", id, Instant::now());
        }
        let list = transitions.list();
        assert_eq!((list.len(), list[0].sequence), (MAX_TRANSITIONS, 2 * MAX_TRANSITIONS as u64));
    }
}
