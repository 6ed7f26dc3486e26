//! Stratum V2 pools: one connection is one task.
//!
//! ```text
//! connect ─ handshake ─ transport: reader ─frames─▶ client ─▶ session ─▶ client ─frames─▶ transport: writer
//!                                                     ▲ shares, close      └─▶ events for `source`
//! ```
//! `session` decides everything and knows no socket and no clock. Types of the Stratum crates are named here alone.
//! Source: Stratum V2 specification, state of August 2026, and the rules named in the files.

mod client;
mod failure;
mod handshake;
mod jobs;
mod limits;
mod message;
mod pending;
mod session;
#[cfg(test)]
mod testing;
mod transport;

use crate::pool::ConnectionPlan;
pub use limits::Limits;

/// Connects, mines and ends, as the plan says; the last event is always `Ended`.
pub async fn run(plan: ConnectionPlan) {
    client::run(plan, Limits::default()).await;
}

/// The same with other deadlines and bounds.
pub async fn run_with(plan: ConnectionPlan, limits: Limits) {
    client::run(plan, limits).await;
}
