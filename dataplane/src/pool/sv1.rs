//! Stratum V1 pools: one connection is one task.
//!
//! ```text
//! connect ─ (tls) ─ transport: reader ─lines─▶ client ─▶ session ─▶ client ─lines─▶ transport: writer
//!                                                ▲ shares, close      └─▶ events for `source`
//! ```
//! `session` decides everything and knows no socket and no clock. Nobody ever wrote the protocol down in one place: the
//! rules V1 to V22 of stratum-client, BIP310, and the behaviour of the pools named there are its source.

mod client;
mod der;
mod failure;
mod jobs;
mod limits;
mod message;
mod pending;
mod refusal;
mod session;
#[cfg(test)]
mod testing;
mod tls;
mod transport;

use crate::pool::ConnectionPlan;
pub use limits::Limits;

/// Connects, mines and ends, as the plan says; the last event is always `Ended`.
pub async fn run(plan: ConnectionPlan, limits: Limits) {
    client::run(plan, limits, &tls::web_roots()).await;
}
