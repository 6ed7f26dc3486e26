//! Stratum V2 pools: one connection is one task.
//!
//! ```text
//! connect ─ handshake ─ transport: reader ─frames─▶ client ─▶ session ─▶ client ─frames─▶ transport: writer
//!                                                     ▲ shares, close      └─▶ events for `source`
//! ```
//! `session` decides everything and knows no socket and no clock. Types of the Stratum crates are named here alone.
//! Source: Stratum V2 specification, state of August 2026, and the rules named in the files.

mod client;
mod clock;
mod failure;
mod handshake;
mod jobs;
mod limits;
mod memory;
mod message;
mod pending;
mod session;
#[cfg(test)]
mod testing;
mod transport;
mod wants;

use crate::pool::ConnectionPlan;
pub use crate::pool::rate::RateTerms;
pub use limits::Limits;
pub use memory::Memory;

/// Connects, mines and ends, as the plan says; the last event is always `Ended`. `memory` is one for all connections.
pub async fn run(plan: ConnectionPlan, limits: Limits, memory: Memory) {
    client::run(plan, limits, memory).await;
}
