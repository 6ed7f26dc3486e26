//! Our services hosted for a test or the demo: data planes, a control plane, and the command line, each with its own log
//! and spans, in folders that vanish with the world.

mod clients;

use crate::{
    PATIENCE,
    log_watcher::LogWatcher,
    plane::{Plane, PlaneError},
};
use clients::Clients;
use mujina_control::MinerConfig;
use mujina_core::id::{MinerId, MinerName};
use mujina_dataplane::board::cpu::{CpuConfig, ThreadPriority};
use mujina_proto::{
    dial::Address,
    trace::{SpanRing, TelemetrySettings, telemetry::ExtraLayer},
    types::v1::{MinerState, MinerStatus, ThreadState},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What both planes of a world tell.
#[derive(Debug, Clone)]
pub struct Telling {
    /// Filter of what goes to stderr.
    pub log: String,
    /// Collector of spans.
    pub otlp_endpoint: Option<String>,
}

impl Default for Telling {
    fn default() -> Self {
        Self { log: "off".into(), otlp_endpoint: None }
    }
}

impl Telling {
    fn settings(&self, service: &'static str, frequent_spans: &'static [&'static str]) -> TelemetrySettings {
        let Self { log, otlp_endpoint } = self.clone();
        TelemetrySettings { service, instance: String::new(), log, otlp_endpoint, frequent_spans }
    }
}

/// A hosted data plane. Dropping it asks it to stop.
#[derive(Debug)]
pub struct HostedMiner {
    plane: Plane,
    /// Where its API is.
    pub address: Address,
    /// Which miner it is.
    pub id: MinerId,
    /// Calls to its API.
    pub clients: Clients,
}

impl HostedMiner {
    /// Starts a data plane and waits until its API answers. Its WARN and ERROR lines go to `watcher`.
    ///
    /// # Errors
    /// Why it did not come up.
    pub async fn start(
        config: mujina_dataplane::config::Config,
        telling: &Telling,
        watcher: Option<&LogWatcher>,
    ) -> Result<Self, PlaneError> {
        let settings = telling.settings("mujina-dataplane", mujina_dataplane::FREQUENT_SPANS);
        let (plane, ready) = Plane::start(settings, watched(watcher), |around| {
            let surroundings = mujina_dataplane::Surroundings {
                spans: around.spans,
                ready: Some(around.ready),
                guests: mujina_dataplane::miner::Guests::default(),
            };
            mujina_dataplane::run(config, surroundings, around.cancel)
        })
        .await?;
        let address = first(ready.addresses)?;
        Ok(Self { plane, clients: Clients::new(&address)?, address, id: ready.miner_id })
    }

    /// Spans that it remembers.
    #[must_use]
    pub fn spans(&self) -> SpanRing {
        self.plane.spans()
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// It failed, or does not stop.
    pub async fn stop(self) -> Result<(), PlaneError> {
        self.plane.stop().await
    }
}

/// A hosted control plane. Dropping it asks it to stop.
#[derive(Debug)]
pub struct HostedControl {
    plane: Plane,
    /// Where its API is.
    pub address: Address,
    /// Where it is on the network, if it is.
    pub tls: Option<SocketAddr>,
    /// Calls to its API.
    pub clients: Clients,
}

impl HostedControl {
    /// Starts a control plane and waits until its API answers.
    ///
    /// # Errors
    /// Why it did not come up.
    pub async fn start(
        config: mujina_control::Config,
        telling: &Telling,
        watcher: Option<&LogWatcher>,
    ) -> Result<Self, PlaneError> {
        let settings = telling.settings("mujina-control", &[]);
        let (plane, ready) = Plane::start(settings, watched(watcher), |around| {
            let surroundings = mujina_control::Surroundings { spans: around.spans, ready: Some(around.ready) };
            mujina_control::run(config, surroundings, around.cancel)
        })
        .await?;
        let (address, tls) = (first(ready.addresses)?, ready.tls);
        Ok(Self { plane, clients: Clients::new(&address)?, address, tls })
    }

    /// Spans that it remembers.
    #[must_use]
    pub fn spans(&self) -> SpanRing {
        self.plane.spans()
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// It failed, or does not stop.
    pub async fn stop(self) -> Result<(), PlaneError> {
        self.plane.stop().await
    }
}

fn watched(watcher: Option<&LogWatcher>) -> Option<ExtraLayer> {
    watcher.map(|watcher| Box::new(watcher.layer()) as ExtraLayer)
}

fn first(addresses: Vec<Address>) -> Result<Address, PlaneError> {
    addresses.into_iter().next().ok_or_else(|| PlaneError::Failed("it listens nowhere".into()))
}

/// A data plane's configuration for a world: in `folder`, on `pool_url`, with `threads` hash threads.
#[must_use]
pub fn miner_config(folder: &Path, pool_url: Option<&str>, threads: u32) -> mujina_dataplane::config::Config {
    let mut config = mujina_dataplane::config::Config::new(folder);
    config.pool = pool_url.map(|url| mujina_dataplane::config::PoolSettings {
        url: url.parse().expect("the testbed's pools have good URLs"),
        user: "alice".into(),
        password: None,
    });
    // Tests run beside builds and one another: threads that run only when nobody else does would starve, and tests with them.
    let priority = ThreadPriority::Normal;
    config.cpu = Some(CpuConfig { threads: threads.into(), priority, ..Default::default() });
    config.usb = false;
    config.status_line = None;
    config
}

/// A control plane's configuration for a world: in `folder`, knowing these miners.
#[must_use]
pub fn control_config(folder: &Path, miners: &[(&str, &Address)]) -> mujina_control::Config {
    let mut config = mujina_control::Config::new(folder);
    config.miners = miners
        .iter()
        .map(|(name, address)| {
            let name: MinerName = name.parse().expect("the testbed's names are good");
            (name, MinerConfig { address: (*address).clone(), labels: BTreeMap::new() })
        })
        .collect();
    config
}

/// What a command said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Exit code.
    pub code: u8,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `mujinactl` in this process, against `address`, under the current dispatcher.
pub async fn mujinactl(address: &Address, words: &[&str]) -> Said {
    let mut environment = mujinactl::Environment::bare(PathBuf::from("/nonexistent"));
    environment.address = Some(address.to_string());
    let args = ["mujinactl"].iter().chain(words).map(OsString::from);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = match tokio::time::timeout(3 * PATIENCE, mujinactl::run(args, environment, &mut out, &mut err)).await {
        Ok(code) => code,
        Err(_) => {
            err.extend_from_slice(b"the command did not end");
            u8::MAX
        }
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code, out: text(out), err: text(err) }
}

/// Whether a paused miner has come to rest: no thread hashes any more, and every share has its verdict.
#[must_use]
pub fn at_rest(status: &MinerStatus) -> bool {
    let mut threads = status.boards.iter().flat_map(|board| &board.threads);
    let idle = threads.all(|thread| thread.state() == ThreadState::Idle);
    let answered = status.totals.as_ref().is_some_and(|totals| totals.pending == 0);
    status.state() == MinerState::Paused && idle && answered
}
