//! Whole control planes, each against miners that are made up here and listen on real sockets.

#![expect(clippy::unwrap_used, reason = "a world that cannot be set up fails its test")]

mod abuse;
mod approvals;
mod door;
mod fleet;
mod host;
mod killed;
mod miner;
mod operations;
mod payouts;
mod process;
mod profiles;
mod readers;
mod relay;
mod resumed;
mod rights;
mod rollouts;
mod series;
mod specs;
mod statistics;
mod watches;
mod world;
