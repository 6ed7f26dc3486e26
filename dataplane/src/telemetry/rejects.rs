//! The newest shares that pools refused, each as it was sent: the only way to find mistakes of byte order, extranonce prefix
//! or target afterwards (stratum-client 4.6).

use mujina_core::{
    id::PoolName,
    share::{Share, ShareOutcome},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// Rejects that are remembered. They are kept apart from other shares, which at a fast miner are forgotten in minutes.
pub const MOST_REJECTS: usize = 128;

/// A refused share.
#[derive(Debug, Clone, PartialEq)]
pub struct Reject {
    /// When the refusal was seen.
    pub at: SystemTime,
    /// The share, with the reason as its outcome.
    pub share: Arc<Share>,
}

/// The newest rejects. All clones are the same log.
#[derive(Debug, Clone, Default)]
pub(super) struct RejectLog(Arc<Mutex<VecDeque<Reject>>>);

impl RejectLog {
    /// Remembers a share if it was refused. A share is refused once.
    pub(super) fn note(&self, share: &Arc<Share>, now: SystemTime) {
        if !matches!(share.outcome, ShareOutcome::Rejected(_)) {
            return;
        }
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_front(Reject { at: now, share: Arc::clone(share) });
        log.truncate(MOST_REJECTS);
    }

    /// The newest, of one pool or of all.
    pub(super) fn list(&self, pool: Option<&PoolName>, limit: usize) -> Vec<Reject> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|reject| pool.is_none_or(|pool| reject.share.pool == *pool)).take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::share;
    use mujina_core::share::RejectReason;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn only_refused_shares_are_kept_and_the_oldest_go_first() {
        let log = RejectLog::default();
        let refused = ShareOutcome::Rejected(RejectReason::LowDifficulty);
        for id in 1..=200 {
            log.note(&Arc::new(share(id, ShareOutcome::Pending)), at(id));
            log.note(&Arc::new(share(id, if id % 2 == 0 { refused } else { ShareOutcome::Accepted })), at(id));
        }
        let kept = log.list(None, usize::MAX);
        assert_eq!(kept.len(), 100);
        assert_eq!((kept[0].share.id.0, kept[0].at, kept[0].share.outcome), (200, at(200), refused));
        for id in 201..=400 {
            log.note(&Arc::new(share(id, refused)), at(id));
        }
        let ids: Vec<_> = log.list(None, usize::MAX).iter().map(|reject| reject.share.id.0).collect();
        assert_eq!((ids.len(), ids.first(), ids.last()), (MOST_REJECTS, Some(&400), Some(&273)));
    }

    #[test]
    fn rejects_of_one_pool_are_found_among_others() {
        let log = RejectLog::default();
        let mut other = share(1, ShareOutcome::Rejected(RejectReason::Stale));
        other.pool = "other".parse().unwrap();
        log.note(&Arc::new(other), at(1));
        log.note(&Arc::new(share(2, ShareOutcome::Rejected(RejectReason::Stale))), at(2));
        let of = |pool: &str| log.list(Some(&pool.parse().unwrap()), 5).iter().map(|one| one.share.id.0).sum::<u64>();
        assert_eq!((of("main"), of("other"), of("third"), log.list(None, 1).len()), (2, 1, 0, 1));
    }
}
