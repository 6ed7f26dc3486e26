//! What the demo says at its end, for machines.

use mujina_proto::types::v1::{BoardStatus, MinerStatus, RateEstimate, ShareTotals};
use prost_types::Timestamp;
use serde::Serialize;

/// Standard errors that the credited work may be away from the reported rate.
const MOST_ERRORS: f64 = 3.0;

/// The object of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    /// Shares that the pool accepted.
    pub(super) accepted: u64,
    /// Shares that it refused.
    pub(super) rejected: u64,
    /// Shares without a verdict yet.
    pub(super) pending: u64,
    /// Shares that never got one.
    pub(super) lost: u64,
    /// Nonces with an outcome.
    pub(super) found: u64,
    /// Whether both sums of the ledger hold.
    pub(super) balanced: bool,
    /// Measured over the longest window that is observed, in hashes per second; 0 when nothing was measured.
    pub(super) hashrate_hps: f64,
    /// The same for each board.
    pub(super) boards: Vec<BoardSummary>,
    /// How the credited work compares with the reported rate.
    pub(super) work: WorkSummary,
    /// Absent when the run was too short for it.
    pub(super) reconnect: Option<ReconnectSummary>,
    /// Names of the spans of the reconnect's trace, of all three programs.
    pub(super) trace_span_names: Vec<String>,
}

/// What one board did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct BoardSummary {
    /// Its id.
    pub(super) id: String,
    /// Its model.
    pub(super) model: String,
    /// Shares of it that the pool accepted.
    pub(super) accepted: u64,
    /// Shares of it that the pool refused.
    pub(super) rejected: u64,
    /// Shares of it that never got a verdict.
    pub(super) lost: u64,
    /// Nonces of it with an outcome.
    pub(super) found: u64,
    /// Measured over the longest window that is observed, in hashes per second; 0 when nothing was measured.
    pub(super) hashrate_hps: f64,
}

impl BoardSummary {
    fn new(board: &BoardStatus) -> Self {
        let totals = board.totals.clone().unwrap_or_default();
        Self {
            id: board.board_id.clone(),
            model: board.model.clone(),
            accepted: totals.accepted,
            rejected: totals.rejected,
            lost: totals.lost,
            found: totals.found,
            hashrate_hps: best_rate(&board.rates).and_then(|rate| rate.hash_rate_hps).unwrap_or_default(),
        }
    }
}

/// Two views of the hash rate that must agree: what the pool credited, and what the miner reports of its verified nonces.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct WorkSummary {
    /// Time since the ledger began to count.
    pub(super) observed_s: f64,
    /// Expected hashes of the accepted shares.
    pub(super) credited_hashes: f64,
    /// The same for each second.
    pub(super) credited_hps: f64,
    /// Its standard error: shares come by chance.
    pub(super) credited_standard_error_hps: f64,
    /// Hashes that the threads counted for each second: no estimate.
    pub(super) counted_hps: f64,
    /// What the status says, over the longest window.
    pub(super) reported_hps: f64,
    /// Its standard error.
    pub(super) reported_standard_error_hps: f64,
    /// What the boards were expected to reach, from the measurement at the start.
    pub(super) expected_hps: f64,
    /// Distance of the credited from the reported rate in standard errors of both.
    pub(super) distance_standard_errors: f64,
    /// Whether that is at most three.
    pub(super) agrees: bool,
}

/// How the reconnect went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ReconnectSummary {
    /// Longest time that a hash thread had nothing to hash.
    pub(super) work_gap_ms: f64,
    /// Shares of the old connection without a verdict.
    pub(super) shares_lost: u64,
    /// 32 hex digits.
    pub(super) trace_id: String,
}

impl Summary {
    pub(super) fn new(
        status: &MinerStatus,
        reconnect: Option<ReconnectSummary>,
        trace_span_names: Vec<String>,
    ) -> Self {
        let totals = status.totals.clone().unwrap_or_default();
        Self {
            accepted: totals.accepted,
            rejected: totals.rejected,
            pending: totals.pending,
            lost: totals.lost,
            found: totals.found,
            balanced: totals.balanced,
            hashrate_hps: best_rate(&status.rates).and_then(|rate| rate.hash_rate_hps).unwrap_or_default(),
            boards: status.boards.iter().map(BoardSummary::new).collect(),
            work: WorkSummary::new(status, &totals),
            reconnect,
            trace_span_names,
        }
    }
}

impl WorkSummary {
    fn new(status: &MinerStatus, totals: &ShareTotals) -> Self {
        let seconds =
            |time: Option<Timestamp>| time.map_or(0.0, |time| time.seconds as f64 + f64::from(time.nanos) * 1e-9);
        let observed_s = seconds(status.observed_at) - seconds(totals.since);
        let per_second = |amount: f64| if observed_s > 0.0 { amount / observed_s } else { 0.0 };
        let credited_hps = per_second(totals.accepted_work_hashes);
        let credited_standard_error_hps = credited_hps / (totals.accepted.max(1) as f64).sqrt();
        let threads = status.boards.iter().flat_map(|board| &board.threads);
        let reported = best_rate(&status.rates);
        let reported_hps = reported.and_then(|rate| rate.hash_rate_hps).unwrap_or_default();
        let error = reported.and_then(|rate| rate.relative_standard_error_ratio).unwrap_or(1.0);
        let reported_standard_error_hps = reported_hps * error;
        let both = credited_standard_error_hps.hypot(reported_standard_error_hps);
        let distance = (credited_hps - reported_hps).abs();
        Self {
            observed_s,
            credited_hashes: totals.accepted_work_hashes,
            credited_hps,
            credited_standard_error_hps,
            counted_hps: per_second(threads.map(|thread| thread.hashes).sum::<u64>() as f64),
            reported_hps,
            reported_standard_error_hps,
            expected_hps: status.nominal_hash_rate_hps.unwrap_or_default(),
            distance_standard_errors: if both > 0.0 { distance / both } else { 0.0 },
            agrees: credited_hps > 0.0 && distance <= MOST_ERRORS * both,
        }
    }
}

/// The estimate that rests on most.
pub(super) fn best_rate(rates: &[RateEstimate]) -> Option<&RateEstimate> {
    rates.iter().filter(|rate| rate.hash_rate_hps.is_some()).max_by_key(|rate| rate.shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(accepted: u64, rate_hps: f64) -> MinerStatus {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let totals = ShareTotals { since: at(100), accepted, accepted_work_hashes: 6e9, ..ShareTotals::default() };
        let rate = RateEstimate {
            hash_rate_hps: Some(rate_hps),
            shares: 400,
            relative_standard_error_ratio: Some(0.05),
            ..RateEstimate::default()
        };
        MinerStatus { observed_at: at(160), totals: Some(totals), rates: vec![rate], ..MinerStatus::default() }
    }

    #[test]
    fn credited_work_agrees_with_a_reported_rate_near_it() {
        let WorkSummary { credited_hps, credited_standard_error_hps, agrees, distance_standard_errors, .. } =
            Summary::new(&status(100, 1.2e8), None, Vec::new()).work;
        assert_eq!((credited_hps, credited_standard_error_hps, agrees), (1e8, 1e7, true));
        assert!((distance_standard_errors - 2e7 / 1e7_f64.hypot(6e6)).abs() < 1e-9);
    }

    #[test]
    fn credited_work_far_from_the_reported_rate_disagrees() {
        assert!(!Summary::new(&status(100, 1.6e8), None, Vec::new()).work.agrees);
        assert!(!Summary::new(&status(10_000, 1.2e8), None, Vec::new()).work.agrees);
        assert!(!Summary::new(&MinerStatus::default(), None, Vec::new()).work.agrees, "nothing was credited");
    }
}
