//! What the owner of a miner configures: read once, checked as a whole, every mistake reported with its key and its origin.
//!
//! Layers, the later over the earlier: defaults, one TOML file, `MUJINA_*` variables, flags. `config/layers.rs` finds and
//! stacks them, `config/read.rs` turns values into settings. The only place that reads the process's environment. Hosts
//! that run a data plane in their own process begin with [`Config::new`] and set fields. Reference: docs/configuration.md.

mod flags;
mod layers;
mod limits;
mod mistake;
mod read;
mod simulate;
#[cfg(test)]
mod tests;

pub use self::{
    flags::Flags,
    mistake::{ConfigError, Mistake, Origin},
    simulate::Simulate,
};
use crate::{
    board::cpu::CpuConfig,
    pool::{sv1, sv2},
    scheduler,
    source::{SourcePolicy, synthetic::SyntheticWork},
};
use mujina_core::{
    place::MINER_SOCKET,
    pool::{PoolEndpoint, PoolStrategy},
    spec::{GroupDraft, PoolDraft, SpecDraft},
    text::Secret,
};
use mujina_proto::serve::ListenOn;
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// How often the status line is logged unless told otherwise: often enough to see a fault soon, 2,880 lines a day.
pub const DEFAULT_STATUS_LINE: Duration = Duration::from_secs(30);
/// Everything that is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Folder of everything that survives a restart.
    pub state_dir: PathBuf,
    /// Name for people; `None` = the machine's.
    pub name: Option<String>,
    /// The pool to mine on; `None` = what the stored spec says.
    pub pool: Option<PoolSettings>,
    /// The CPU board; `None` = there is none.
    pub cpu: Option<CpuConfig>,
    /// Whether boards on USB are looked for.
    pub usb: bool,
    /// Emulated boards beside the real ones.
    pub simulate: Simulate,
    /// Where the API listens.
    pub api: ListenOn,
    /// Log filter.
    pub log: String,
    /// How often the status line is logged; `None` = never.
    pub status_line: Option<Duration>,
    /// What to hash while no pool is wanted; `None` = nothing.
    pub synthetic: Option<SyntheticWork>,
    /// Mean time between two shares of the whole miner, never more than the pool asks for; `None` = what the pool wants.
    pub share_every: Option<Duration>,
    /// Deadlines and bounds of connections to pools.
    pub pool_limits: sv2::Limits,
    /// The same for V1.
    pub pool_limits_v1: sv1::Limits,
    /// Bounds of what is sent to pools.
    pub scheduler_limits: scheduler::Limits,
    /// When pools are left and returned to.
    pub failover: SourcePolicy,
    /// Collector that takes OTLP over gRPC.
    pub otlp_endpoint: Option<String>,
}

/// A pool account.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSettings {
    /// Where it is and who it must prove to be.
    pub url: PoolEndpoint,
    /// Account or payout address.
    pub user: String,
    /// Sent to V1 pools only.
    pub password: Option<Secret>,
}

impl Config {
    /// The defaults, with a folder for the state: all cores, no pool, the API on a socket in that folder alone.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let state_dir = state_dir.into();
        Self {
            name: None,
            pool: None,
            cpu: Some(CpuConfig::default()),
            usb: true,
            simulate: Simulate::default(),
            api: ListenOn { socket: Some(state_dir.join(MINER_SOCKET)), tcp: None },
            log: "info".into(),
            status_line: Some(DEFAULT_STATUS_LINE),
            synthetic: Some(SyntheticWork::default()),
            share_every: None,
            pool_limits: sv2::Limits::default(),
            pool_limits_v1: sv1::Limits::default(),
            scheduler_limits: scheduler::Limits::default(),
            failover: SourcePolicy::default(),
            otlp_endpoint: None,
            state_dir,
        }
    }

    /// Reads file, environment of this process and `flags`.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::from_sources(std::env::vars_os(), flags)
    }

    /// Reads the file that `environment` and `flags` lead to, and the two.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_sources(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        read::config(layers::stack(environment, flags))
    }
}

impl PoolSettings {
    /// The pool as a spec of its own.
    #[must_use]
    pub fn draft(&self) -> SpecDraft {
        let Self { url, user, password } = self;
        draft(url.to_string(), user.clone(), password.clone())
    }
}

/// A spec of one pool. Its names are what `mujinactl pool` shows.
fn draft(url: String, user: String, password: Option<Secret>) -> SpecDraft {
    let pool = PoolDraft { name: "primary".into(), url, user, password, ..PoolDraft::default() };
    let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
    SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }
}
