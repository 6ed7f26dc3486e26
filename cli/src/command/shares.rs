//! `shares`: what became of the nonces.

pub(crate) mod list;
pub(crate) mod rejects;
pub(crate) mod stats;
pub(crate) mod tail;

use crate::args::Outcome;
use mujina_proto::types::v1::ShareOutcome;

/// The outcomes as they travel.
fn wanted(outcomes: &[Outcome]) -> Vec<i32> {
    outcomes.iter().map(|outcome| message(*outcome).into()).collect()
}

fn message(outcome: Outcome) -> ShareOutcome {
    match outcome {
        Outcome::Stale => ShareOutcome::Stale,
        Outcome::Duplicate => ShareOutcome::Duplicate,
        Outcome::BelowTarget => ShareOutcome::BelowTarget,
        Outcome::OutOfWindow => ShareOutcome::OutOfWindow,
        Outcome::HardwareError => ShareOutcome::HardwareError,
        Outcome::Suppressed => ShareOutcome::Suppressed,
        Outcome::Pending => ShareOutcome::Pending,
        Outcome::Accepted => ShareOutcome::Accepted,
        Outcome::Rejected => ShareOutcome::Rejected,
        Outcome::Lost => ShareOutcome::Lost,
    }
}
