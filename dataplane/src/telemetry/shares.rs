//! The newest shares, with what became of them so far.

use super::rejects::RejectLog;
use crate::scheduler::SchedulerHandle;
use mujina_core::{
    id::ShareId,
    share::{Share, ShareOutcome},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Shares that are remembered: an hour at the rate that most pools ask for, at about a third of a kilobyte each.
const REMEMBERED: usize = 1000;

/// The newest shares. All clones are the same log.
#[derive(Debug, Clone, Default)]
pub(super) struct ShareLog {
    shares: Arc<Mutex<BTreeMap<ShareId, Arc<Share>>>>,
    rejects: RejectLog,
}

impl ShareLog {
    pub(super) async fn run(self, scheduler: SchedulerHandle, cancel: CancellationToken) {
        let Some(mut events) = scheduler.watch_shares() else { return };
        drop(scheduler);
        loop {
            let event = tokio::select! {
                () = cancel.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(share) => {
                    let share = Arc::new(share);
                    self.rejects.note(&share, SystemTime::now());
                    self.note(share);
                }
                Err(RecvError::Lagged(missed)) => debug!(missed, "share log missed events"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// The refused among them, which are remembered for longer.
    pub(super) fn rejects(&self) -> &RejectLog {
        &self.rejects
    }

    fn note(&self, share: Arc<Share>) {
        let mut log = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        log.insert(share.id, share);
        while log.len() > REMEMBERED {
            log.pop_first();
        }
    }

    pub(super) fn list(
        &self,
        before: Option<ShareId>,
        limit: usize,
        wanted: &dyn Fn(ShareOutcome) -> bool,
    ) -> Vec<Arc<Share>> {
        let log = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let older = log.range(..before.unwrap_or(ShareId(u64::MAX))).rev().map(|(_, share)| share);
        older.filter(|share| wanted(share.outcome)).take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::share;

    #[test]
    fn newest_come_first_and_old_ones_are_forgotten() {
        let log = ShareLog::default();
        for id in 1..=1_500 {
            log.note(Arc::new(share(id, ShareOutcome::Pending)));
        }
        log.note(Arc::new(share(1_499, ShareOutcome::Accepted)));
        let ids = |before, wanted: &dyn Fn(ShareOutcome) -> bool| {
            log.list(before, 2, wanted).iter().map(|share| share.id.0).collect::<Vec<_>>()
        };
        assert_eq!(ids(None, &|_| true), [1_500, 1_499]);
        assert_eq!(ids(Some(ShareId(1_499)), &|_| true), [1_498, 1_497]);
        assert_eq!(ids(None, &|outcome| outcome == ShareOutcome::Accepted), [1_499]);
        assert_eq!(log.list(None, 5_000, &|_| true).len(), REMEMBERED);
    }
}
