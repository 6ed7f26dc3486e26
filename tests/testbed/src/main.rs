//! The demo: a pool, a miner and a control plane in one process. See `mujina_testbed::demo`.

use clap::Parser;
use mujina_testbed::demo::{self, DemoArgs};
use std::process::ExitCode;

fn main() -> ExitCode {
    demo::main(&DemoArgs::parse())
}
