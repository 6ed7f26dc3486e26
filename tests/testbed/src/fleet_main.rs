//! Tools of the testbed: a fleet in a box. See `mujina_testbed::fleet`.

use clap::{Parser, Subcommand};
use mujina_testbed::fleet::{self, ControlArgs, FleetArgs};
use std::process::ExitCode;

/// Whole Mujina worlds on one machine.
#[derive(Debug, Parser)]
#[command(name = "mujina-testbed", version)]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Run a control plane and many real data planes that call home, with hashing simulated in time
    Fleet(FleetArgs),
    /// Run a Stratum V2 pool (the reference implementation) on this machine and say its URL
    Pool,
    /// Run the control plane of a fleet alone
    #[command(hide = true)]
    Control(ControlArgs),
}

fn main() -> ExitCode {
    match Arguments::parse().tool {
        Tool::Fleet(args) => fleet::main(&args),
        Tool::Pool => fleet::pool(),
        Tool::Control(args) => fleet::control(&args),
    }
}
