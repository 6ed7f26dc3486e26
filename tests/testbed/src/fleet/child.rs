//! The control plane as a process of its own, so that what it costs can be told from what the miners cost.

use anyhow::Context as _;
use mujina_control::{
    Config, Surroundings,
    config::{Environment, Flags},
};
use mujina_proto::trace::{Telemetry, TelemetrySettings};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, SysconfVar, sysconf},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct ControlProcess {
    child: Child,
    log: PathBuf,
}

/// What a process took so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Memory that is resident, in bytes.
    pub(super) resident: u64,
    /// Processor time.
    pub(super) time: Duration,
}

impl ControlProcess {
    /// Starts it; it listens some time later.
    pub(super) fn start(state_dir: &Path) -> anyhow::Result<Self> {
        let log = state_dir.with_file_name("control.log");
        let stderr = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(std::env::current_exe()?)
            .arg("control")
            .arg("--state-dir")
            .arg(state_dir)
            // As deploy/mujina-control.service has it.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .context("the control plane cannot be started")?;
        Ok(Self { child, log })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory and time so far.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes: u64 =
            kibibytes.and_then(|text| text.split_whitespace().next()?.parse().ok()).context("no VmRSS")?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // After the name, which may hold anything but is in parentheses.
        let rest = stat.rsplit_once(')').context("no stat")?.1;
        let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
        let millis = ticks.saturating_mul(1000) / u64::try_from(per_second)?;
        Ok(Usage { resident: kibibytes * 1024, time: Duration::from_millis(millis) })
    }

    /// Lines of its log that hold this text.
    pub(super) fn lines_with(&self, text: &str) -> anyhow::Result<usize> {
        Ok(fs::read_to_string(&self.log)?.lines().filter(|line| line.contains(text)).count())
    }

    /// Ends it without a word.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.id())?), Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for ControlProcess {
    fn drop(&mut self) {
        // Gone already is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of the process.
pub(super) fn main(state_dir: &Path) -> ExitCode {
    match serve(state_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("control plane of the fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(state_dir: &Path) -> anyhow::Result<()> {
    let flags = Flags {
        state_dir: Some(state_dir.into()),
        log: Some("warn,mujina_control::door=debug".into()),
        ..Flags::default()
    };
    let config = Config::load(&flags, &Environment::default())?;
    let settings = TelemetrySettings {
        service: "mujina-control",
        instance: String::new(),
        log: config.log.clone(),
        otlp_endpoint: None,
        frequent_spans: &[],
    };
    let telemetry = Telemetry::new(&settings, None)?;
    telemetry.install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let surroundings = Surroundings { spans: telemetry.spans(), ready: None };
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let running = mujina_control::run(config, surroundings, cancel.clone());
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => return ended.map_err(anyhow::Error::from),
            _ = terminate.recv() => cancel.cancel(),
        }
        running.await.map_err(anyhow::Error::from)
    })
}
