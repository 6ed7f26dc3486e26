//! Counts what the pool decided about every share, from the pool's own log.
//!
//! The pool has no counters that outlive a connection, and what a miner is told may be lost on the way, so its log is the
//! one account of its decisions. Each share leaves `Received SubmitSharesExtended` and then one verdict; that both sums
//! agree ([`PoolCounts::balanced`]) shows that no wording was missed.

use crate::foreign::LogLine;
use std::collections::BTreeMap;
use tokio::sync::watch;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Lines of the pool's own warnings kept for a test that fails.
const LINES: usize = 200;

/// The pool's side of the ledger since it was first started, over all connections and restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Shares that arrived.
    pub received: u64,
    /// Found valid, blocks included.
    pub accepted: u64,
    /// Refused, by error code.
    pub rejected: BTreeMap<String, u64>,
    /// Of the accepted, those that were blocks.
    pub blocks: u64,
    /// Connections that came, before their handshake.
    pub connections: u64,
    /// Times it began to accept connections.
    pub(super) starts: u64,
    /// Its newest warnings and errors, for the message of a test that fails.
    pub warnings: Vec<String>,
}

impl PoolCounts {
    /// Refused, all codes together.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Every share that arrived has one verdict.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.unjudged() == 0
    }

    /// Shares that arrived and have no verdict: the pool drops those of a connection that ended meanwhile.
    #[must_use]
    pub fn unjudged(&self) -> u64 {
        self.received.abs_diff(self.accepted + self.rejected_total())
    }

    /// Whether a miner's account fits: what it was told of was decided so, and what it was told nothing of, because the
    /// connection ended or the batch is not full, is all that is missing. With nothing unanswered both must be equal.
    #[must_use]
    pub fn fits(&self, accepted: u64, rejected: u64, unanswered: u64) -> bool {
        let more_accepted = self.accepted.checked_sub(accepted);
        let more_rejected = self.rejected_total().checked_sub(rejected);
        more_accepted.zip(more_rejected).is_some_and(|(accepted, rejected)| accepted + rejected <= unanswered)
    }

    /// Takes in a line of the log; whether it said anything.
    fn note(&mut self, message: &str) -> bool {
        if message.starts_with("Required template data received") {
            self.starts += 1;
        } else if message.starts_with("New downstream connection") {
            self.connections += 1;
        } else if message.starts_with("Received SubmitSharesExtended") {
            self.received += 1;
        } else if let Some(error) = message.strip_prefix("SubmitSharesError: ") {
            let code = error.split("error_code: ").nth(1).and_then(|rest| rest.split_whitespace().next());
            *self.rejected.entry(code.unwrap_or("unknown").to_owned()).or_default() += 1;
        } else if let Some(verdict) = message.strip_prefix("SubmitSharesExtended: ") {
            let is_block = verdict.contains("Block Found");
            let is_valid = ["valid share ", "SubmitSharesSuccess("].iter().any(|start| verdict.starts_with(start));
            self.accepted += u64::from(is_block || is_valid);
            self.blocks += u64::from(is_block);
            return is_block || is_valid;
        } else {
            return false;
        }
        true
    }

    fn warn(&mut self, line: String) {
        self.warnings.push(line);
        let surplus = self.warnings.len().saturating_sub(LINES);
        self.warnings.drain(..surplus);
    }
}

/// Reads the log of the dispatch it is part of.
pub(super) struct VerdictLayer(pub(super) watch::Sender<PoolCounts>);

impl<S: Subscriber> Layer<S> for VerdictLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("pool_sv2") {
            return;
        }
        let line = LogLine::of(event);
        let is_warning = *event.metadata().level() <= Level::WARN;
        self.0.send_if_modified(|counts| {
            if is_warning {
                counts.warn(format!("{}{}", line.message, line.fields));
            }
            counts.note(&line.message)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_of_a_miner_fits_when_only_unanswered_shares_are_missing() {
        let rejected = BTreeMap::from([("stale-share".to_owned(), 2)]);
        let counts = PoolCounts { received: 12, accepted: 10, rejected, ..Default::default() };
        assert!(counts.balanced());
        assert!(counts.fits(10, 2, 0) && counts.fits(9, 2, 1) && counts.fits(9, 1, 5));
        assert!(!counts.fits(9, 2, 0) && !counts.fits(11, 2, 9) && !counts.fits(10, 3, 9) && !counts.fits(8, 2, 1));
    }
}
