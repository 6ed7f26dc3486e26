//! Shares, ledgers, rates and buckets.

use super::{duration, length, time, timestamp};
use crate::types::v1;
use mujina_core::{
    share::{DropReason, RateEstimate, RejectCounts, RejectReason, Share, ShareBucket, ShareOutcome, ShareTotals},
    spec::Problem,
    units::{Difficulty, HashRate},
};
use std::time::SystemTime;

/// A ledger that counts since `since`.
#[must_use]
pub fn totals(totals: &ShareTotals, since: SystemTime) -> v1::ShareTotals {
    let balanced = totals.is_balanced();
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
    } = totals;
    v1::ShareTotals {
        since: Some(timestamp(since)),
        found: *found,
        stale: *stale,
        duplicate: *duplicate,
        below_target: *below_target,
        out_of_window: *out_of_window,
        hardware_error: *hardware_error,
        suppressed: *suppressed,
        submitted: *submitted,
        accepted: *accepted,
        rejected: rejected.sum(),
        rejected_by_reason: rejected.iter().map(|(reason, count)| (reason.to_string(), count)).collect(),
        pending: *pending,
        lost: *lost,
        submitted_work_hashes: *submitted_work,
        accepted_work_hashes: *accepted_work,
        best_difficulty: best_difficulty.map(Difficulty::as_f64),
        blocks: *blocks,
        balanced,
    }
}

/// The ledger that a message carries. Reasons that are not known count as [`RejectReason::Other`].
#[must_use]
pub fn totals_from(message: v1::ShareTotals) -> ShareTotals {
    let v1::ShareTotals {
        since: _,
        found,
        stale,
        duplicate,
        below_target,
        out_of_window,
        hardware_error,
        suppressed,
        submitted,
        accepted,
        rejected: _,
        rejected_by_reason,
        pending,
        lost,
        submitted_work_hashes,
        accepted_work_hashes,
        best_difficulty,
        blocks,
        balanced: _,
    } = message;
    let mut rejected = RejectCounts::default();
    for (reason, count) in rejected_by_reason {
        let sum = rejected.get_mut(RejectReason::from_name(&reason).unwrap_or(RejectReason::Other));
        *sum = sum.saturating_add(count);
    }
    ShareTotals {
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
        submitted_work: submitted_work_hashes,
        accepted_work: accepted_work_hashes,
        best_difficulty: best_difficulty.and_then(|difficulty| Difficulty::try_from(difficulty).ok()),
        blocks,
    }
}

impl From<&RateEstimate> for v1::RateEstimate {
    fn from(estimate: &RateEstimate) -> Self {
        let RateEstimate { window, observed, hash_rate, shares, relative_standard_error } = estimate;
        Self {
            window: Some(duration(*window)),
            observed: Some(duration(*observed)),
            hash_rate_hps: hash_rate.map(HashRate::hashes_per_second),
            shares: *shares,
            relative_standard_error_ratio: *relative_standard_error,
        }
    }
}

impl From<ShareOutcome> for v1::ShareOutcome {
    fn from(outcome: ShareOutcome) -> Self {
        match outcome {
            ShareOutcome::Dropped(DropReason::Stale) => Self::Stale,
            ShareOutcome::Dropped(DropReason::Duplicate) => Self::Duplicate,
            ShareOutcome::Dropped(DropReason::BelowTarget) => Self::BelowTarget,
            ShareOutcome::Dropped(DropReason::OutOfWindow) => Self::OutOfWindow,
            ShareOutcome::Dropped(DropReason::HardwareError) => Self::HardwareError,
            ShareOutcome::Dropped(DropReason::Suppressed) => Self::Suppressed,
            ShareOutcome::Pending => Self::Pending,
            ShareOutcome::Accepted => Self::Accepted,
            ShareOutcome::Rejected(_) => Self::Rejected,
            ShareOutcome::Lost => Self::Lost,
        }
    }
}

impl From<&Share> for v1::Share {
    fn from(share: &Share) -> Self {
        let Share {
            id,
            found_at,
            pool,
            connection,
            board,
            thread,
            job_id,
            header,
            extranonce,
            extranonce_prefix,
            hash,
            difficulty,
            share_difficulty,
            share_target,
            outcome,
            latency,
            trace_id,
            block,
        } = share;
        let reject_reason = match outcome {
            ShareOutcome::Rejected(reason) => reason.to_string(),
            _ => String::new(),
        };
        Self {
            id: id.0,
            found_at: Some(timestamp(*found_at)),
            pool: pool.to_string(),
            connection_id: connection.0,
            board: board.to_string(),
            thread: thread.to_string(),
            job_id: job_id.to_string(),
            header: header.to_vec(),
            extranonce: extranonce.as_bytes().to_vec(),
            hash: hash.iter().rev().copied().collect(),
            difficulty: difficulty.as_f64(),
            share_difficulty: share_difficulty.as_f64(),
            outcome: v1::ShareOutcome::from(*outcome).into(),
            reject_reason,
            latency: latency.map(duration),
            trace_id: trace_id.map(|id| id.to_string()).unwrap_or_default(),
            block: *block,
            extranonce_prefix: extranonce_prefix.as_bytes().to_vec(),
            share_target: share_target.to_be_bytes().to_vec(),
        }
    }
}

impl From<&ShareBucket> for v1::ShareBucket {
    fn from(bucket: &ShareBucket) -> Self {
        let ShareBucket { sequence, begin, length, pool, added, pending_delta, hashes } = bucket;
        Self {
            sequence: *sequence,
            begin: Some(timestamp(*begin)),
            length: Some(duration(*length)),
            pool: pool.to_string(),
            added: Some(totals(added, *begin)),
            pending_delta: *pending_delta,
            hashes: *hashes,
        }
    }
}

impl TryFrom<v1::ShareBucket> for ShareBucket {
    type Error = Problem;

    fn try_from(message: v1::ShareBucket) -> Result<Self, Problem> {
        let v1::ShareBucket { sequence, begin, length: span, pool, added, pending_delta, hashes } = message;
        let missing = |field: &str| Problem { field: format!("bucket.{field}"), reason: "is missing".into() };
        Ok(Self {
            sequence,
            begin: time(begin).ok_or_else(|| missing("begin"))?,
            length: length("bucket.length", span)?.ok_or_else(|| missing("length"))?,
            pool: pool
                .parse()
                .map_err(|error| Problem { field: "bucket.pool".into(), reason: format!("`{pool}` {error}") })?,
            added: totals_from(added.ok_or_else(|| missing("added"))?),
            pending_delta,
            hashes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn bucket_survives_the_wire() {
        let mut added = ShareTotals { found: 5, stale: 1, submitted: 4, accepted: 2, ..ShareTotals::default() };
        *added.rejected.get_mut(RejectReason::Ntime) += 1;
        added.best_difficulty = Some(Difficulty::try_from(2.5).unwrap());
        let bucket = ShareBucket {
            sequence: 7,
            begin: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
            length: Duration::from_secs(10),
            pool: "main".parse().unwrap(),
            added,
            pending_delta: 1,
            hashes: 1e9,
        };
        assert_eq!(ShareBucket::try_from(v1::ShareBucket::from(&bucket)), Ok(bucket));
    }

    #[test]
    fn refused_shares_of_unknown_reasons_do_not_wrap_when_they_are_summed() {
        let rejected_by_reason = [("new-1".to_owned(), u64::MAX), ("new-2".to_owned(), 2)].into();
        let totals = totals_from(v1::ShareTotals { rejected_by_reason, ..v1::ShareTotals::default() });
        assert_eq!(totals.rejected.get(RejectReason::Other), u64::MAX);
    }

    #[test]
    fn bucket_without_its_begin_names_the_field() {
        let error = ShareBucket::try_from(v1::ShareBucket::default()).unwrap_err();
        assert_eq!(error.field, "bucket.begin");
    }
}
