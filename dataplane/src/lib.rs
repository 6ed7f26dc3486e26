//! The data plane of Mujina: one process per miner, which owns everything that hashes.

pub mod job;
mod ledger;
pub mod pool;
pub mod scheduler;
pub mod source;
pub mod thread;
pub mod trace;
