//! The program around a data plane: flags, configuration, telemetry, signals, exit code; and the commands that mine nothing.
//!
//! `main.rs` is one call of [`start`] with `run`. Hosts in another process (tests, demo) call `run` themselves
//! and bring their own [`Surroundings`].

mod bench;
mod enroll;

use crate::{
    backplane,
    board::safe,
    config::{Config, Flags},
    miner::Guests,
};
use clap::{Parser, Subcommand};
use mujina_core::id::MinerId;
use mujina_proto::{
    dial::Address,
    trace::{
        SpanRing,
        telemetry::{Telemetry, TelemetrySettings},
    },
};
use std::{
    error::Error,
    io,
    pin::pin,
    process::{self, ExitCode},
    time::Duration,
};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Threads of the service runtime: a slow disk must not keep the API waiting, and the cores are there to hash.
const WORKERS: usize = 2;
/// Time that spans have to reach the collector at the end.
const FLUSH: Duration = Duration::from_secs(2);
/// Time that work on the disk has to end when the rest has.
const BLOCKING_STOP: Duration = Duration::from_secs(1);
/// Spans that come by the second and must not push the rare ones out of the memory.
pub const FREQUENT_SPANS: &[&str] = &["share", "verify", "submit"];

/// Exit code of a configuration with mistakes; `clap` has the same for flags.
const MISTAKEN: u8 = 2;

/// What a data plane is given by its process.
#[derive(Debug)]
pub struct Surroundings {
    /// The newest spans of the process.
    pub spans: SpanRing,
    /// Who wants to know when it is up.
    pub ready: Option<oneshot::Sender<Ready>>,
    /// Hash threads and boards that the process brings.
    pub guests: Guests,
}

/// A data plane is up: it mines, or will by itself, and the API answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Where the API listens, the unix socket first.
    pub addresses: Vec<Address>,
    /// Which miner it is.
    pub miner_id: MinerId,
}

/// Mines Bitcoin with the boards of this machine, steered over gRPC. Reference: docs/configuration.md
#[derive(Debug, Parser)]
#[command(name = "mujina-dataplane", version, max_term_width = 120)]
struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Only check the configuration: prints OK, or everything that is wrong
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What it does instead of mining.
#[derive(Debug, Subcommand)]
enum Command {
    /// Measures how fast this machine is
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Makes this miner one of a fleet: its control plane steers it from the next start on. Run as the miner's own user
    Enroll(enroll::Enroll),
    /// Ends that again: removes the key and the certificate; the next start calls nobody
    Leave,
}

/// Reads flags and configuration, runs a data plane until a signal or its end, and says how it went.
pub fn start<E: Error + 'static>(
    run: impl AsyncFnOnce(Config, Surroundings, CancellationToken) -> Result<(), E>,
) -> ExitCode {
    let Args { flags, check, command } = Args::parse();
    if let Some(Command::Bench(what)) = command {
        print!("{}", bench::run(&what));
        return ExitCode::SUCCESS;
    }
    let config = match Config::load(&flags) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(MISTAKEN);
        }
    };
    if check {
        println!("OK");
        return ExitCode::SUCCESS;
    }
    let done = match command {
        Some(Command::Enroll(what)) => enroll::enroll(what, &config),
        Some(Command::Leave) => enroll::leave(&config),
        Some(Command::Bench(_)) | None => return mine(config, run),
    };
    done.map_or_else(|cause| failed(cause.as_ref()), |()| ExitCode::SUCCESS)
}

fn mine<E: Error + 'static>(
    config: Config,
    run: impl AsyncFnOnce(Config, Surroundings, CancellationToken) -> Result<(), E>,
) -> ExitCode {
    within_telemetry(config, run).unwrap_or_else(|cause| failed(cause.as_ref()))
}

fn failed(cause: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("mujina-dataplane: {}", chain(cause));
    ExitCode::FAILURE
}

fn within_telemetry<E: Error + 'static>(
    config: Config,
    run: impl AsyncFnOnce(Config, Surroundings, CancellationToken) -> Result<(), E>,
) -> Result<ExitCode, Box<dyn Error>> {
    let settings = TelemetrySettings {
        service: "mujina-dataplane",
        instance: config.name.clone().unwrap_or_default(),
        log: config.log.clone(),
        otlp_endpoint: config.otlp_endpoint.clone(),
        frequent_spans: FREQUENT_SPANS,
    };
    let telemetry = Telemetry::new(&settings, None)?;
    telemetry.install();
    safe::install_panic_hook(backplane::supervises);
    let surroundings = Surroundings { spans: telemetry.spans(), ready: None, guests: Guests::default() };
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(WORKERS).thread_name("mujina-service").enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let cancel = CancellationToken::new();
        let running = run(config, surroundings, cancel.clone());
        Ok::<_, io::Error>(until_end(running, &cancel, async || signals.next().await).await)
    })?;
    let code = match ended {
        Ended::Itself(Ok(())) => ExitCode::SUCCESS,
        Ended::Itself(Err(failure)) => {
            error!(cause = chain(&failure), "the data plane failed");
            ExitCode::FAILURE
        }
        // Nothing is waited for, not even the destructors, but that no board is left alone with power.
        Ended::Forced => {
            let _ = safe::make_all_safe("the process was told to end at once");
            process::exit(1)
        }
    };
    runtime.shutdown_timeout(BLOCKING_STOP);
    telemetry.shut_down(FLUSH);
    Ok(code)
}

/// How a data plane came to its end.
#[derive(Debug, PartialEq)]
enum Ended<T> {
    /// By itself, or after it was asked to.
    Itself(T),
    /// Somebody asked a second time.
    Forced,
}

/// Runs to the end. The first signal asks for it, the second does not wait.
async fn until_end<T>(
    running: impl Future<Output = T>,
    cancel: &CancellationToken,
    mut signal: impl AsyncFnMut() -> &'static str,
) -> Ended<T> {
    let mut running = pin!(running);
    tokio::select! {
        result = &mut running => return Ended::Itself(result),
        name = signal() => {
            info!(signal = name, "stopping; another signal ends the process at once");
            cancel.cancel();
        }
    }
    tokio::select! {
        result = &mut running => Ended::Itself(result),
        _ = signal() => Ended::Forced,
    }
}

/// The signals that ask for the end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Cancel safe.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// An error with everything below it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_well_formed_and_leave_their_values_to_the_configuration() {
        Args::command().debug_assert();
        let args = Args::parse_from(["mujina-dataplane", "--threads", "many", "--listen", "x", "--check"]);
        assert!(args.check);
        let error = Config::from_sources([], &args.flags).unwrap_err();
        assert_eq!(error.0.len(), 2, "{error}");
    }

    #[tokio::test]
    async fn first_signal_asks_and_the_second_does_not_wait() {
        let cancel = CancellationToken::new();
        let stopping = cancel.clone().cancelled_owned();
        let orderly = until_end(stopping, &cancel, signals(1)).await;
        assert_eq!(orderly, Ended::Itself(()));
        let cancel = CancellationToken::new();
        let stuck = until_end(std::future::pending::<()>(), &cancel, signals(2)).await;
        assert_eq!(stuck, Ended::Forced);
        assert!(cancel.is_cancelled());
    }

    #[tokio::test]
    async fn end_without_a_signal_is_its_own() {
        let cancel = CancellationToken::new();
        let ended = until_end(async { Err::<(), _>("broken") }, &cancel, signals(0)).await;
        assert_eq!(ended, Ended::Itself(Err("broken")));
        assert!(!cancel.is_cancelled());
    }

    /// So many signals, at once.
    fn signals(mut left: u32) -> impl AsyncFnMut() -> &'static str {
        async move || {
            if left == 0 {
                std::future::pending::<()>().await;
            }
            left -= 1;
            "SIGTERM"
        }
    }

    #[test]
    fn failure_is_told_with_its_causes() {
        let inner = io::Error::other("disk full");
        let error = crate::identity::IdentityError::File("/state/miner-id".into(), inner);
        assert!(chain(&error).ends_with("state folder: disk full"), "{}", chain(&error));
    }
}
