//! The flags that set something. Their values are text, checked together with all other layers.

use std::{ffi::OsString, path::PathBuf};

/// Settings of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Flags {
    /// Configuration file [default: $XDG_CONFIG_HOME/mujina/dataplane.toml if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of everything that survives a restart
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<OsString>,
    /// Pool, as stratum2+tcp://host:port/AUTHORITY_KEY
    #[arg(long, value_name = "URL")]
    pub pool_url: Option<OsString>,
    /// Account or payout address at the pool
    #[arg(long, value_name = "USER")]
    pub pool_user: Option<OsString>,
    /// File that holds the password for the pool
    #[arg(long, value_name = "FILE")]
    pub pool_pass_file: Option<OsString>,
    /// CPU threads to hash with: a number, or auto for one per core
    #[arg(long, value_name = "N")]
    pub threads: Option<OsString>,
    /// Part of the time that each CPU thread hashes, 1 to 100
    #[arg(long, value_name = "PERCENT")]
    pub duty_percent: Option<OsString>,
    /// Emulated boards, which are no hardware and really hash a little, for example bitaxe-gamma,emberone
    #[arg(long, value_name = "BOARDS")]
    pub simulate: Option<OsString>,
    /// Loopback address for the API beside its unix socket, for example 127.0.0.1:50051
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<OsString>,
    /// Unix socket of the API
    #[arg(long, value_name = "PATH")]
    pub socket: Option<OsString>,
    /// Log filter, for example info or mujina_dataplane=debug,warn
    #[arg(long, value_name = "FILTER")]
    pub log: Option<OsString>,
}

impl Flags {
    /// Flag, key and value of all that were given; the file is another matter.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, &OsString)> {
        let Self {
            config: _,
            state_dir,
            pool_url,
            pool_user,
            pool_pass_file,
            threads,
            duty_percent,
            simulate,
            listen,
            socket,
            log,
        } = self;
        let all = [
            ("--state-dir", "state_dir", state_dir),
            ("--pool-url", "pool.url", pool_url),
            ("--pool-user", "pool.user", pool_user),
            ("--pool-pass-file", "pool.pass_file", pool_pass_file),
            ("--threads", "cpu.threads", threads),
            ("--duty-percent", "cpu.duty_percent", duty_percent),
            ("--simulate", "simulate.boards", simulate),
            ("--listen", "api.listen", listen),
            ("--socket", "api.socket", socket),
            ("--log", "log", log),
        ];
        all.into_iter().filter_map(|(flag, key, value)| value.as_ref().map(|value| (flag, key, value)))
    }
}
