//! Cuts growing ledgers into closed spans of time.   Pure: called by `history` with snapshots and the time.
//!
//! Whatever the moments of the cuts, the sums over all buckets of a pool are its ledger. Counters only grow, but for a
//! share that is refused after it was accepted: a pool whose ledger shrank in some place is not cut until it has grown
//! again, so that a bucket never holds less than nothing. A clock that jumps changes what the buckets are labelled with,
//! never what is in them.

use crate::scheduler::PoolScope;
use mujina_core::{
    id::PoolName,
    share::{RejectCounts, RejectReason, ShareTotals},
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Length of a bucket.
pub(super) const LENGTH: Duration = Duration::from_secs(10);

/// A closed bucket that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    pub(super) begin: SystemTime,
    pub(super) length: Duration,
    pub(super) pool: PoolName,
    pub(super) added: ShareTotals,
    pub(super) pending_delta: i64,
    pub(super) hashes: f64,
}

/// What was cut so far.
#[derive(Debug)]
pub(super) struct Cutter {
    begin: SystemTime,
    pools: BTreeMap<PoolName, Done>,
}

#[derive(Debug, Clone)]
struct Done {
    /// Begin of its open bucket.
    begin: SystemTime,
    totals: ShareTotals,
    hashes: u64,
}

impl Cutter {
    pub(super) fn new(now: SystemTime) -> Self {
        Self { begin: aligned(now), pools: BTreeMap::new() }
    }

    /// How long the open bucket still runs; zero when it is due, or when the clock went backwards.
    pub(super) fn remaining(&self, now: SystemTime) -> Duration {
        match now.duration_since(self.begin) {
            Ok(age) => LENGTH.saturating_sub(age),
            Err(_) => Duration::ZERO,
        }
    }

    /// Closes the open bucket of every pool in which something happened, and opens the next. At the `last` cut nothing is
    /// left for later.
    pub(super) fn cut(&mut self, pools: &BTreeMap<PoolName, PoolScope>, now: SystemTime, last: bool) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let next = aligned(now);
        for (name, scope) in pools {
            let fresh = Done { begin: self.begin, totals: ShareTotals::default(), hashes: 0 };
            let done = self.pools.entry(name.clone()).or_insert(fresh);
            let Some((added, pending_delta)) = difference(&scope.scope.totals, &done.totals, last) else { continue };
            let hashes = scope.scope.hashes.saturating_sub(done.hashes);
            if added != ShareTotals::default() || pending_delta != 0 || hashes > 0 {
                #[expect(clippy::cast_precision_loss, reason = "a rate over ten seconds needs no 53 bits")]
                let hashes = hashes as f64;
                let length = next.duration_since(done.begin).unwrap_or_default().max(LENGTH);
                cuts.push(Cut { begin: done.begin, length, pool: name.clone(), added, pending_delta, hashes });
            }
            *done = Done { begin: next, totals: scope.scope.totals, hashes: scope.scope.hashes };
        }
        self.begin = next;
        cuts
    }
}

/// The begin of the bucket that `now` lies in.
fn aligned(now: SystemTime) -> SystemTime {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(since - since % LENGTH.as_secs())
}

/// What was added between two ledgers, `pending` apart. `None` when a counter shrank, unless that is not `forgiven`.
fn difference(now: &ShareTotals, before: &ShareTotals, forgiven: bool) -> Option<(ShareTotals, i64)> {
    let ShareTotals {
        found,
        stale,
        duplicate,
        below_target,
        out_of_window,
        hardware_error,
        suppressed,
        submitted,
        accepted,
        rejected,
        pending,
        lost,
        submitted_work,
        accepted_work,
        best_difficulty,
        blocks,
    } = now;
    let less = |now: u64, before: u64| match now.checked_sub(before) {
        None if forgiven => Some(0),
        grown => grown,
    };
    let mut refused = RejectCounts::default();
    for reason in RejectReason::ALL {
        *refused.get_mut(reason) = less(rejected.get(reason), before.rejected.get(reason))?;
    }
    let added = ShareTotals {
        found: less(*found, before.found)?,
        stale: less(*stale, before.stale)?,
        duplicate: less(*duplicate, before.duplicate)?,
        below_target: less(*below_target, before.below_target)?,
        out_of_window: less(*out_of_window, before.out_of_window)?,
        hardware_error: less(*hardware_error, before.hardware_error)?,
        suppressed: less(*suppressed, before.suppressed)?,
        submitted: less(*submitted, before.submitted)?,
        accepted: less(*accepted, before.accepted)?,
        rejected: refused,
        pending: 0,
        lost: less(*lost, before.lost)?,
        submitted_work: (submitted_work - before.submitted_work).max(0.0),
        accepted_work: (accepted_work - before.accepted_work).max(0.0),
        best_difficulty: best_difficulty.filter(|best| before.best_difficulty.is_none_or(|old| old < *best)),
        blocks: less(*blocks, before.blocks)?,
    };
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Some((added, signed(*pending) - signed(before.pending)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Scope;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
    }

    fn pools(totals: ShareTotals, hashes: u64) -> BTreeMap<PoolName, PoolScope> {
        let scope = Scope { totals, hashes, ..Scope::default() };
        [("main".parse().unwrap(), PoolScope { scope, ..PoolScope::default() })].into()
    }

    #[test]
    fn buckets_begin_at_multiples_of_ten_seconds_and_empty_ones_are_left_out() {
        let mut cutter = Cutter::new(at(3));
        assert_eq!(cutter.remaining(at(3)), Duration::from_secs(7));
        let totals = ShareTotals { found: 1, stale: 1, ..ShareTotals::default() };
        let cuts = cutter.cut(&pools(totals, 500), at(10), false);
        assert_eq!((cuts[0].begin, cuts[0].length, cuts[0].added.stale), (at(0), LENGTH, 1));
        assert!(cutter.cut(&pools(totals, 500), at(20), false).is_empty());
        let cuts = cutter.cut(&pools(totals, 501), at(30), false);
        assert_eq!((cuts[0].begin, cuts[0].hashes), (at(20), 1.0));
    }

    #[test]
    fn clock_that_goes_back_closes_the_bucket_at_once() {
        let mut cutter = Cutter::new(at(100));
        assert_eq!(cutter.remaining(at(50)), Duration::ZERO);
        cutter.cut(&pools(ShareTotals::default(), 0), at(50), false);
        assert_eq!(cutter.remaining(at(50)), LENGTH);
    }

    #[test]
    fn pool_whose_ledger_shrank_is_cut_when_it_has_grown_again() {
        let mut cutter = Cutter::new(at(0));
        let mut totals = ShareTotals { found: 2, submitted: 2, accepted: 2, ..ShareTotals::default() };
        cutter.cut(&pools(totals, 1), at(10), false);
        totals.accepted = 1;
        *totals.rejected.get_mut(RejectReason::Stale) = 1;
        assert!(cutter.cut(&pools(totals, 2), at(20), false).is_empty());
        totals = ShareTotals { found: 3, submitted: 3, accepted: 2, ..totals };
        let cuts = cutter.cut(&pools(totals, 3), at(30), false);
        assert_eq!((cuts[0].begin, cuts[0].length, cuts[0].added.accepted), (at(10), Duration::from_secs(20), 0));
        assert_eq!((cuts[0].added.rejected.sum(), cuts[0].added.submitted), (1, 1));
    }

    /// One thing that happens to a ledger.
    fn happen(totals: &mut ShareTotals, what: u8) {
        match what {
            0 => (totals.found, totals.stale) = (totals.found + 1, totals.stale + 1),
            1 => (totals.found, totals.below_target) = (totals.found + 1, totals.below_target + 1),
            2 => {
                totals.found += 1;
                totals.submitted += 1;
                totals.pending += 1;
            }
            3 if totals.pending > 0 => (totals.pending, totals.accepted) = (totals.pending - 1, totals.accepted + 1),
            4 if totals.pending > 0 => (totals.pending, totals.lost) = (totals.pending - 1, totals.lost + 1),
            5 if totals.accepted > 0 => {
                totals.accepted -= 1;
                *totals.rejected.get_mut(RejectReason::Other) += 1;
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn sums_over_all_buckets_are_the_ledger(steps in prop::collection::vec((0..6_u8, 0..40_u64, any::<bool>()), 1..300)) {
            let mut cutter = Cutter::new(at(0));
            let (mut totals, mut clock, mut hashes) = (ShareTotals::default(), 0, 0);
            let (mut sum, mut pending, mut hashed) = (ShareTotals::default(), 0_i64, 0.0);
            let mut take = |cuts: Vec<Cut>| {
                for cut in cuts {
                    sum.add(&cut.added);
                    pending += cut.pending_delta;
                    hashed += cut.hashes;
                }
            };
            for (what, seconds, cut) in steps {
                happen(&mut totals, what);
                prop_assert!(totals.is_balanced());
                clock += seconds;
                hashes += seconds;
                if cut {
                    take(cutter.cut(&pools(totals, hashes), at(clock), false));
                }
            }
            // Growth lets the books be closed whatever was refused late.
            for _ in 0..500 {
                happen(&mut totals, 2);
                happen(&mut totals, 3);
            }
            take(cutter.cut(&pools(totals, hashes), at(clock + 10), true));
            prop_assert_eq!(pending, i64::try_from(totals.pending).unwrap());
            sum.pending = totals.pending;
            prop_assert_eq!(sum, totals);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let all = hashes as f64;
            prop_assert!((hashed - all).abs() < 0.5);
        }
    }
}
