//! What a newcomer sees first: the reference implementation's SV2 pool on an invented chain, a data plane with its CPU
//! board and two emulated ones, a control plane, and a live view of them. Half way, or when ten seconds have passed, the pool is reconnected
//! through the control plane by the same code that `mujinactl pool reconnect` runs.

mod report;
mod screen;
mod tour;

use crate::{
    plane::PlaneError,
    sv2_pool::{PoolError, PoolOptions, Sv2Pool},
    template_provider::ProviderOptions,
    world::{HostedControl, HostedMiner, Telling, control_config, miner_config},
};
use clap::Parser;
use mujina_core::units::duration;
use mujina_dataplane::{
    board::cpu::{CpuConfig, ThreadPriority},
    config::Simulate,
    simulate::{BoardKind, UnknownBoard},
};
use mujina_proto::trace::{Telemetry, TelemetryError, TelemetrySettings};
use report::{ReconnectSummary, Summary};
use screen::Screen;
use std::{
    error::Error,
    io,
    path::Path,
    process::ExitCode,
    str::FromStr,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};
use tonic::Status;

/// Name of the miner in the control plane.
const MINER: &str = "demo";
/// When the reconnect is made, unless the run is too short for it.
const RECONNECT_AFTER: Duration = Duration::from_secs(10);
/// How long a reconnect may take.
const RECONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// Leading zero bits of the emulated chips' results. The two boards then hash as much as half a core can: enough for each to
/// find shares within a minute beside the CPU.
const GATE_BITS: u8 = 14;
/// How often the view is renewed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A local Stratum V2 pool, a miner and a control plane, with a live view until Ctrl-C.
#[derive(Debug, Clone, Parser)]
#[command(name = "mujina-demo", version, max_term_width = 120)]
pub struct DemoArgs {
    /// Ends by itself after this time, for example 45s
    #[arg(long = "for", value_parser = duration::parse, value_name = "DURATION")]
    lasts: Option<Duration>,
    /// Prints one JSON object on the last line of standard output
    #[arg(long)]
    json: bool,
    /// Shows two pools instead: a switch, a failover, a return and a pin, and ends
    #[arg(long, conflicts_with = "lasts")]
    tour: bool,
    /// Hash threads; one per core by default
    #[arg(long, default_value_t = 0)]
    threads: u32,
    /// Emulated boards beside the CPU; an empty text for none
    #[arg(long, value_delimiter = ',', default_value = "bitaxe-gamma,emberone", value_name = "BOARD,...")]
    boards: Vec<BoardName>,
    /// Shares that the pool wants in a minute
    #[arg(long, default_value_t = 120.0)]
    shares_per_minute: f32,
    /// What the services write to standard error, for example info
    #[arg(long, default_value = "warn")]
    log: String,
}

/// A kind of board, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BoardName(Option<BoardKind>);

impl FromStr for BoardName {
    type Err = UnknownBoard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|kind| Self(Some(kind))) }
    }
}

/// Why the demo ended.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The system.
    #[error("cannot set the demo up; check space and permissions of the folder for temporary files")]
    System(#[from] io::Error),
    /// The pool.
    #[error("the local pool failed")]
    Pool(#[from] PoolError),
    /// One of the services.
    #[error("a service failed")]
    Plane(#[from] PlaneError),
    /// The demo's own spans.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// An answer of a service.
    #[error("a service answered with an error")]
    Answer(#[from] Status),
    /// The reconnect.
    #[error("the reconnect failed: {0}")]
    Reconnect(String),
    /// A step of the tour.
    #[error("the tour got stuck: {0}")]
    Tour(String),
    /// The sums do not hold.
    #[error("the ledger does not balance; this is a bug, please report it with the log")]
    Unbalanced,
}

/// Runs the demo on a runtime of its own.
#[must_use]
pub fn main(args: &DemoArgs) -> ExitCode {
    let run = || -> Result<(), DemoError> {
        let settings = TelemetrySettings {
            service: "mujinactl",
            instance: String::new(),
            log: args.log.clone(),
            otlp_endpoint: None,
            frequent_spans: &[],
        };
        let telemetry = Telemetry::new(&settings, None)?;
        telemetry.install();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(show(args, &telemetry))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("mujina-demo: {error}");
            let mut cause = error.source();
            while let Some(next) = cause {
                text = format!("{text}: {next}");
                cause = next.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn show(args: &DemoArgs, telemetry: &Telemetry) -> Result<(), DemoError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let folder = tempfile::Builder::new().prefix("mujina-demo-").tempdir()?;
    let mut screen = Screen::new(args.json);
    if args.tour {
        let tour = tokio::select! {
            tour = tour::tour(args, folder.path(), &mut screen) => tour?,
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        };
        screen.end_tour(&tour);
        return if tour.balanced { Ok(()) } else { Err(DemoError::Unbalanced) };
    }
    screen.say("starting a local Stratum V2 pool, a miner and a control plane");
    let mut world = tokio::select! {
        world = World::start(args, folder.path()) => world?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    screen.introduce(&world.control.address, &world.miner.address);
    let begin = Instant::now();
    let reconnect_at = args.lasts.map_or(RECONNECT_AFTER, |lasts| RECONNECT_AFTER.min(lasts / 2));
    let mut reconnect: Option<ReconnectSummary> = None;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = looks.tick() => {}
        }
        if args.lasts.is_some_and(|lasts| begin.elapsed() >= lasts) {
            break;
        }
        if reconnect.is_none() && begin.elapsed() >= reconnect_at {
            reconnect = Some(world.reconnect().await?);
        }
        screen.show(&world.miner.clients.status().await?, reconnect.as_ref(), begin.elapsed());
    }
    let summary = world.summary(reconnect, telemetry).await?;
    screen.end(&summary);
    world.stop().await?;
    if summary.balanced { Ok(()) } else { Err(DemoError::Unbalanced) }
}

/// Everything that runs.
struct World {
    pool: Sv2Pool,
    miner: HostedMiner,
    control: HostedControl,
}

impl World {
    async fn start(args: &DemoArgs, folder: &Path) -> Result<Self, DemoError> {
        let chain = ProviderOptions { template_interval: Some(Duration::from_secs(30)), ..ProviderOptions::default() };
        let options = PoolOptions { shares_per_minute: args.shares_per_minute, chain, ..PoolOptions::default() };
        let pool = Sv2Pool::start(options).await?;
        let telling = Telling { log: args.log.clone(), otlp_endpoint: None };
        let mut config = miner_config(&folder.join("miner"), Some(&pool.url()), args.threads);
        // As an owner gets it, not as tests need it.
        config.cpu = config.cpu.map(|cpu| CpuConfig { priority: ThreadPriority::default(), ..cpu });
        let boards = args.boards.iter().filter_map(|board| board.0).collect();
        config.simulate = Simulate { boards, gate_bits: GATE_BITS, ..Simulate::default() };
        let miner = HostedMiner::start(config, &telling, None).await?;
        let config = control_config(&folder.join("control"), &[(MINER, &miner.address)]);
        let control = HostedControl::start(config, &telling, None).await?;
        Ok(Self { pool, miner, control })
    }

    async fn reconnect(&self) -> Result<ReconnectSummary, DemoError> {
        let call = mujinactl::ReconnectCall {
            address: self.control.address.clone(),
            miner: MINER.parse().ok(),
            pool: None,
            immediate: false,
            deadline: RECONNECT_DEADLINE,
        };
        let report =
            mujinactl::reconnect(call, |_| {}).await.map_err(|error| DemoError::Reconnect(error.to_string()))?;
        Ok(ReconnectSummary {
            work_gap_ms: report.work_gap.as_secs_f64() * 1e3,
            shares_lost: report.shares_lost,
            trace_id: report.trace_id.unwrap_or_default(),
        })
    }

    async fn summary(
        &mut self,
        reconnect: Option<ReconnectSummary>,
        telemetry: &Telemetry,
    ) -> Result<Summary, DemoError> {
        let status = self.miner.clients.status().await?;
        let trace_id = reconnect.as_ref().map(|one| one.trace_id.as_str()).unwrap_or_default();
        let rings = [telemetry.spans(), self.control.spans(), self.miner.spans()];
        let mut names: Vec<_> = rings.iter().flat_map(|ring| ring.of_trace(trace_id)).map(|span| span.name).collect();
        names.sort();
        names.dedup();
        Ok(Summary::new(&status, reconnect, names))
    }

    async fn stop(mut self) -> Result<(), DemoError> {
        self.control.stop().await?;
        self.miner.stop().await?;
        self.pool.stop().await?;
        Ok(())
    }
}
