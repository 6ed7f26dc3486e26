//! Everything that needs more than one package, as one binary: linking is what tests cost most.
#![cfg(test)]

#[path = "../architecture.rs"]
mod architecture;
#[path = "../contract.rs"]
mod contract;
#[path = "../paper.rs"]
mod paper;

mod boards;
mod command_flow;
mod failover;
mod fleet_paper;
mod home;
mod hostile_pool;
mod pool_checks;
mod pools;
mod restart;
mod rig;
mod rules;
mod soak;
mod sv1;
mod sv1_translator;
mod work_flow;
