//! `mujina-soak`: hours of mining through faults, for those who want more than the minute that the tests take.

use clap::{Parser, Subcommand};
use mujina_core::units::duration;
use mujina_testbed::{
    board_soak::{BoardSoakPlan, soak_boards},
    soak::soak,
};
use std::{error::Error, process::ExitCode, time::Duration};

/// Mines on the local reference pool through a proxy that injects faults, and checks the books all the time.
#[derive(Debug, Parser)]
#[command(name = "mujina-soak", version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    other: Option<Soak>,
    /// How long, for example 10m
    #[arg(long = "for", value_parser = duration::parse, value_name = "DURATION", default_value = "10m")]
    lasts: Duration,
    /// Decides which faults come when
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Other things to mine through.
#[derive(Debug, Subcommand)]
enum Soak {
    /// Twelve emulated boards, to which everything happens that can.
    Boards {
        /// How long for the chips, for example 1h
        #[arg(long = "for", value_parser = duration::parse, value_name = "DURATION", default_value = "1h")]
        lasts: Duration,
        /// Seconds of heating and cooling in a real second
        #[arg(long, default_value_t = BoardSoakPlan::default().time_scale)]
        time_scale: f64,
        /// Decides which troubles come when
        #[arg(long, default_value_t = BoardSoakPlan::default().seed)]
        seed: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { other, lasts, seed } = Args::parse();
    let said = match other {
        None => soak(lasts, seed).await.map(|report| format!("{report:#?}")).map_err(Box::<dyn Error>::from),
        Some(Soak::Boards { lasts, time_scale, seed }) => {
            let plan = BoardSoakPlan { lasts, time_scale, seed, ..BoardSoakPlan::default() };
            soak_boards(&plan).await.map(|report| report.to_string()).map_err(Box::<dyn Error>::from)
        }
    };
    match said {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mujina-soak: {error}");
            ExitCode::FAILURE
        }
    }
}
