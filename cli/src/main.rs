//! The command line program: reads the process's surroundings, runs one command, and ends with its exit code.

use mujina_proto::trace::{Telemetry, TelemetrySettings};
use mujinactl::{Surroundings, exit};
use std::{
    io,
    process::{self, ExitCode},
    thread,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the end of a command may wait for the collector.
const FLUSH: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // Ends the process when a shell asks what may follow.
    clap_complete::CompleteEnv::with_factory(mujinactl::command_line).complete();
    let Surroundings { environment, log, otlp_endpoint } = Surroundings::of_process();
    let settings =
        TelemetrySettings { service: "mujinactl", instance: String::new(), log, otlp_endpoint, frequent_spans: &[] };
    let telemetry = match Telemetry::new(&settings, None) {
        Ok(telemetry) => telemetry,
        Err(error) => return refuse(&error),
    };
    telemetry.install();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = heed_interrupts(environment.interrupt.clone()) {
        return refuse(&error);
    }
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let code = runtime.block_on(mujinactl::run(std::env::args_os(), environment, &mut out, &mut err));
    // A thread that still waits for standard input must not keep the process.
    runtime.shutdown_background();
    telemetry.shut_down(FLUSH);
    ExitCode::from(code)
}

/// From here on Ctrl-C asks the command to end, and another one ends the process. On a thread of its own: that of the command
/// may stand still in a pipe that nobody empties.
fn heed_interrupts(interrupt: CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut interrupts = {
        let _within = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    let heed = async move {
        interrupts.recv().await;
        interrupt.cancel();
        interrupts.recv().await;
        process::exit(exit::INTERRUPTED.into())
    };
    thread::Builder::new().name("interrupts".into()).spawn(move || runtime.block_on(heed)).map(drop)
}

fn refuse(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}
