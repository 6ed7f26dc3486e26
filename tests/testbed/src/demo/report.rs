//! What the demo says at its end, for machines.

use mujina_proto::types::v1::{MinerStatus, RateEstimate};
use serde::Serialize;

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
    /// Absent when the run was too short for it.
    pub(super) reconnect: Option<ReconnectSummary>,
    /// Names of the spans of the reconnect's trace, of all three programs.
    pub(super) trace_span_names: Vec<String>,
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
            reconnect,
            trace_span_names,
        }
    }
}

/// The estimate that rests on most.
pub(super) fn best_rate(rates: &[RateEstimate]) -> Option<&RateEstimate> {
    rates.iter().filter(|rate| rate.hash_rate_hps.is_some()).max_by_key(|rate| rate.shares)
}
