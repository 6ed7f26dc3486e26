//! The process of the control plane: flags, signals, exit codes (0 = stopped as asked, 1 = failed, 2 = bad configuration).

use clap::{Args, Parser, Subcommand};
use mujina_control::{
    Config, Surroundings,
    config::{Environment, Flags},
    setup::{AUTHORITY, Made, Setup},
    store::{Store, restore},
};
use mujina_core::id::PeerName;
use mujina_proto::tls::check_host;
use mujina_proto::trace::{Telemetry, TelemetrySettings};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How long the last spans may take to reach the collector.
const FLUSH: Duration = Duration::from_secs(2);

/// Open files for a fleet of some thousands; with fewer it is told that they are few.
const FILES: u64 = 8192;

/// The control plane of Mujina.
#[derive(Debug, Parser)]
#[command(name = "mujina-control", version, about)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Only check the configuration and say what it amounts to.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

/// What to do instead of running.
#[derive(Debug, Subcommand)]
enum Task {
    /// Make an authority, a certificate for this control plane, a first admin and a configuration: for a fleet.
    Init(Init),
    /// Copy the database to a file, also while a control plane uses it.
    Backup {
        /// The file; it must not exist.
        file: PathBuf,
    },
    /// Put a backup in the place of the database, which no control plane may be using; the old one is kept beside it.
    Restore {
        /// The backup.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Init {
    /// Name or address by which miners and operators reach this machine; may be repeated [default: its host name, localhost
    /// and 127.0.0.1].
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Where to listen for them.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7650")]
    listen_tls: SocketAddr,
    /// Name of the first admin.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: PeerName,
}

fn main() -> ExitCode {
    // Wrong flags end the process here, with 2.
    let Arguments { flags, check, task } = Arguments::parse();
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
    let done = match task {
        None => serve(config),
        Some(task) => perform(task, config.state_dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mujina-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does a task and says what to do next.
fn perform(task: Task, state_dir: PathBuf) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match task {
        Task::Init(Init { names, listen_tls, admin }) => {
            let names = if names.is_empty() { own_names() } else { names };
            let setup = Setup { state_dir, listen: listen_tls, names, admin };
            let Made { authority, context, config } = runtime.block_on(setup.run(SystemTime::now()))?;
            println!("authority    {authority}");
            println!("context      {}", context.display());
            match config {
                Some(config) => println!("config       {}", config.display()),
                None => println!("config       there was one; add `api.listen_tls` and `api.names` to it"),
            }
            println!("\nnext:");
            println!("  mujina-control --state-dir {}  # run it", context.parent().unwrap_or(&context).display());
            println!("  mujinactl context import {}", context.display());
            println!("  mujinactl enroll token create --ttl 1h          # then, on each miner:");
            println!("  mujina-dataplane enroll https://HOST:{} TOKEN", listen_tls.port());
            println!(
                "\nThe authority's key is in {}: back it up apart from the database.",
                context.with_file_name(AUTHORITY).display()
            );
        }
        Task::Backup { file } => {
            runtime.block_on(Store::back_up(&state_dir, &file))?;
            println!(
                "{} holds the database as it was a moment ago, passwords included; the authority is not in it",
                file.display()
            );
        }
        Task::Restore { file } => match runtime.block_on(restore(&state_dir, &file))? {
            Some(aside) => println!("restored; the database that was there is {}", aside.display()),
            None => println!("restored"),
        },
    }
    Ok(())
}

/// How miners on this machine and beside it reach it.
fn own_names() -> Vec<String> {
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    let host = host.filter(|host| check_host(host).is_ok() && host != "localhost");
    host.into_iter().chain(["localhost".into(), "127.0.0.1".into()]).collect()
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
    raise_open_files();
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

/// A miner that called home is one open file, and the usual soft limit of 1024 is for programs that cannot have more.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(files) if files < FILES => {
            warn!(
                files,
                "few files may be open, so few miners can call home; raise `ulimit -Hn`, or LimitNOFILE of the unit"
            );
        }
        Ok(files) => info!(files, "open files"),
        Err(error) => warn!(%error, "the limit of open files cannot be raised; a big fleet may not fit"),
    }
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
