//! `mujina-soak`: hours of mining through faults, for those who want more than the minute that the tests take.

use clap::Parser;
use mujina_core::units::duration;
use mujina_testbed::soak::soak;
use std::{process::ExitCode, time::Duration};

/// Mines on the local reference pool through a proxy that injects faults, and checks the books all the time.
#[derive(Debug, Parser)]
#[command(name = "mujina-soak", version)]
struct Args {
    /// How long, for example 10m
    #[arg(long = "for", value_parser = duration::parse, value_name = "DURATION", default_value = "10m")]
    lasts: Duration,
    /// Decides which faults come when
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { lasts, seed } = Args::parse();
    match soak(lasts, seed).await {
        Ok(report) => {
            println!("{report:#?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mujina-soak: {error}");
            ExitCode::FAILURE
        }
    }
}
