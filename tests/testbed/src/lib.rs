//! Whole worlds in one process: a real SV2 pool and the chain that feeds it, a real SV1 server before it, pools of both
//! protocols that do what a test says, faults on the way, and what watches the result.
//!
//! Nothing here leaves 127.0.0.1. Servers take a free port, run under a handle, and end with it. Waits are for events and
//! give up after [`PATIENCE`].

use std::time::Duration;

pub mod arrival;
pub mod board_soak;
pub mod demo;
pub mod fleet;
mod foreign;
pub mod header;
pub mod log_watcher;
pub mod otlp_receiver;
pub mod percentile;
pub mod plane;
pub mod ports;
pub mod proxy;
pub mod scripted_pool;
pub mod scripted_sv1;
pub mod soak;
pub mod sv1_client;
pub mod sv1_translator;
pub mod sv1_wire;
pub mod sv2_client;
pub mod sv2_pool;
pub mod sv2_wire;
pub mod template_provider;
pub mod world;

/// How long a wait lasts before the test is told that nothing came. Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);
