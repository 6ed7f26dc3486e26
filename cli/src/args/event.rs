//! `event` and `stats`: what happened, and what came of it in figures.

use super::fleet::Miners;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use mujina_core::units::duration;
use std::{path::PathBuf, time::Duration};

/// `event`
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// The newest events, of --miner if given
    List {
        /// At most this many
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Events as they happen, of --miner if given, until Ctrl-C
    Watch {
        /// Begin after this event, as an earlier answer numbered it
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        after: u64,
    },
}

/// `stats`
#[derive(Debug, Subcommand)]
pub(crate) enum Stats {
    /// Series over time, with error bars
    Query(StatsRange),
    /// The same rows as a file
    Export(StatsExport),
}

/// Which figures.
#[derive(Debug, ClapArgs)]
pub(crate) struct StatsRange {
    #[command(flatten)]
    pub(crate) miners: Miners,
    /// Width of a point: at least 10s; by default the finest that gives at most 200
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) step: Option<Duration>,
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration::parse)]
    pub(crate) since: Duration,
    /// How far back it ends; now by default
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) until: Option<Duration>,
    /// What makes a series of its own: miner, pool or label:KEY
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    pub(crate) group_by: Vec<String>,
}

/// `stats export`
#[derive(Debug, ClapArgs)]
pub(crate) struct StatsExport {
    #[command(flatten)]
    pub(crate) range: StatsRange,
    /// What to write
    #[arg(long, value_enum, default_value_t = ExportAs::Csv)]
    pub(crate) format: ExportAs,
    /// Into this file; on standard output by default
    #[arg(long = "to", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportAs {
    /// Comma-separated values
    Csv,
    /// Apache Parquet
    Parquet,
}

impl Event {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "event list",
            Self::Watch { .. } => "event watch",
        }
    }
}

impl Stats {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Query(_) => "stats query",
            Self::Export(_) => "stats export",
        }
    }
}
