//! The data plane of Mujina: one process per miner, which owns everything that hashes.

pub mod asic;
pub mod backplane;
pub mod board;
pub mod bridge;
pub mod config;
pub mod home;
pub mod identity;
pub mod job;
mod learnt;
mod ledger;
#[cfg(test)]
mod log_lines;
pub mod miner;
pub mod peripheral;
pub mod pool;
pub mod program;
pub mod rpc;
mod run;
pub mod scheduler;
pub mod simulate;
pub mod source;
pub mod spec;
pub mod state_dir;
pub mod supervisor;
pub mod telemetry;
pub mod thread;
mod token_bucket;
pub mod trace;
pub mod transport;

pub use program::{FREQUENT_SPANS, Ready, Surroundings};
pub use run::{RunError, run};
