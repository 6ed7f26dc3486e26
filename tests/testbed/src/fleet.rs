//! A fleet in a box: a control plane that was set up for a fleet, and any number of real data planes that enrol with it and call
//! home, with hashing simulated in time.
//!
//! ```text
//!  this process                                      its child, measured by itself
//!  1 000 data planes ── TLS, certificates ──────────▶ control plane ◀── TLS ── mujinactl, the measurements
//!  (API, spec, scheduler, ledger, statistics;
//!   invented work, a few thousand hashes a second)
//! ```

mod child;
mod client;
mod hasher;
mod measure;
mod miners;
mod pool;

use crate::ports::free_address;
use anyhow::{Context as _, bail};
use child::ControlProcess;
use client::Operator;
use miners::Miners;
use mujina_control::setup::{ADMIN_CONTEXT, Setup};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
pub use pool::pool;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

/// Descriptors that a miner in this process takes: 13 at rest, and room for connections that come and go.
const DESCRIPTORS: u64 = 16;

/// A fleet in a box.
#[derive(Debug, Clone, clap::Args)]
pub struct FleetArgs {
    /// How many miners
    #[arg(long, default_value_t = 100)]
    pub miners: usize,
    /// Hashes a second that each of them really computes
    #[arg(long, value_name = "N", default_value_t = 500.0)]
    pub hash_rate: f64,
    /// Where to keep everything [default: a folder that vanishes]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Measure what a fleet costs and how quickly it follows, print a table, and end
    #[arg(long)]
    pub measure: bool,
}

/// The control plane of a fleet: what `fleet` starts beside itself.
#[derive(Debug, Clone, clap::Args)]
pub struct ControlArgs {
    /// Its state folder
    #[arg(long, value_name = "DIR")]
    pub state_dir: PathBuf,
}

/// Runs the control plane of a fleet until it is told to stop.
#[must_use]
pub fn control(args: &ControlArgs) -> ExitCode {
    child::main(&args.state_dir)
}

/// Runs a fleet until Ctrl-C, or through its measurements.
#[must_use]
pub fn main(args: &FleetArgs) -> ExitCode {
    let ran = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(run(args)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &FleetArgs) -> anyhow::Result<()> {
    raise_limits(args.miners)?;
    let vanishing = match &args.folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("mf").tempdir()?),
    };
    let folder = match (&args.folder, &vanishing) {
        (Some(folder), _) => std::path::absolute(folder)?,
        (None, Some(vanishing)) => vanishing.path().into(),
        (None, None) => bail!("no folder"),
    };
    let state_dir = folder.join("control");
    let address = set_up(&state_dir).await?;
    let control = ControlProcess::start(&state_dir)?;
    let operator = Operator::connect(&state_dir, address).await?;
    println!("control plane on https://{address}, process {}", control.id());
    println!("context: mujinactl context import {}", state_dir.join(ADMIN_CONTEXT).display());
    let base = control.usage()?;
    let begin = std::time::Instant::now();
    let miners = Miners::start(&folder, &operator, address, args.miners, args.hash_rate).await?;
    operator.all_connected(args.miners, Duration::from_secs(600)).await?;
    println!("{} miners enrolled and called home in {:.1} s", args.miners, begin.elapsed().as_secs_f64());
    let ended = if args.measure {
        measure::all(measure::Setting { control: Some(control), operator, state_dir, miners: args.miners, base }).await
    } else {
        println!("Ctrl-C ends it");
        tokio::signal::ctrl_c().await?;
        control.stop()
    };
    miners.stop().await;
    ended
}

/// Sets a control plane up, unless the folder has one.
async fn set_up(state_dir: &Path) -> anyhow::Result<SocketAddr> {
    let file = state_dir.join("control.toml");
    if let Ok(text) = std::fs::read_to_string(&file) {
        let address = text.split('"').nth(1).and_then(|text| text.parse().ok());
        return address.with_context(|| format!("{} names no address", file.display()));
    }
    let address = free_address();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let setup = Setup { state_dir: state_dir.into(), listen: address, names, admin: "admin".parse()? };
    setup.run(SystemTime::now()).await?;
    Ok(address)
}

fn raise_limits(miners: usize) -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = u64::try_from(miners)?.saturating_mul(DESCRIPTORS).saturating_add(1024);
    if soft >= wanted {
        return Ok(());
    }
    // Root may raise the hard limit as well.
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        if hard < wanted {
            bail!(
                "{miners} miners take {wanted} descriptors, and this user may have {hard}; use fewer, or raise `ulimit -Hn`"
            );
        }
    }
    Ok(())
}
