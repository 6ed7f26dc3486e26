//! The command line program: reads the process's surroundings, runs one command, and ends with its exit code.

use mujina_proto::trace::{Telemetry, TelemetrySettings};
use mujinactl::{Environment, Surroundings};
use std::{io, process::ExitCode, time::Duration};

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
    let code = runtime.block_on(command(environment));
    // A thread that still waits for standard input must not keep the process.
    runtime.shutdown_background();
    telemetry.shut_down(FLUSH);
    ExitCode::from(code)
}

/// The command, which Ctrl-C asks to end.
async fn command(environment: Environment) -> u8 {
    let interrupt = environment.interrupt.clone();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let command = mujinactl::run(std::env::args_os(), environment, &mut out, &mut err);
    let watch = async {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.cancel();
        }
        std::future::pending().await
    };
    tokio::select! {
        code = command => code,
        code = watch => code,
    }
}

fn refuse(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}
