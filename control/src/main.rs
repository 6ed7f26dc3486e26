//! The process of the control plane: flags, signals, exit codes (0 = stopped as asked, 1 = failed, 2 = bad configuration).

use clap::Parser;
use mujina_control::{
    Config, Surroundings,
    config::{Environment, Flags},
};
use mujina_proto::trace::{Telemetry, TelemetrySettings};
use std::{io, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// How long the last spans may take to reach the collector.
const FLUSH: Duration = Duration::from_secs(2);

/// The control plane of Mujina.
#[derive(Debug, Parser)]
#[command(name = "mujina-control", version, about)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Only check the configuration and say what it amounts to.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    // Wrong flags end the process here, with 2.
    let Arguments { flags, check } = Arguments::parse();
    let config = match Config::load(&flags, &Environment::of_process()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("mujina-control: {error}");
            return ExitCode::from(2);
        }
    };
    if check {
        println!("{config}");
        return ExitCode::SUCCESS;
    }
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mujina-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> anyhow::Result<()> {
    let settings = TelemetrySettings {
        service: "mujina-control",
        instance: String::new(),
        log: config.log.clone(),
        otlp_endpoint: config.otlp_endpoint.clone(),
        frequent_spans: &[],
    };
    let telemetry = Telemetry::new(&settings, None)?;
    telemetry.install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let surroundings = Surroundings { spans: telemetry.spans(), ready: None };
    let result = runtime.block_on(async {
        let cancel = CancellationToken::new();
        let signals = stop_on_signals(cancel.clone())?;
        tokio::pin!(signals);
        let running = mujina_control::run(config, surroundings, cancel);
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => ended.map_err(anyhow::Error::from),
            () = &mut signals => Err(anyhow::anyhow!("stopped at once by a second signal")),
        }
    });
    runtime.shutdown_timeout(FLUSH);
    telemetry.shut_down(FLUSH);
    result
}

/// The first SIGINT or SIGTERM cancels; the future ends with the second.
fn stop_on_signals(cancel: CancellationToken) -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        for stop in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop {
                info!("stopping; a second signal stops at once");
                cancel.cancel();
            } else {
                error!("second signal; stopping at once");
            }
        }
    })
}
