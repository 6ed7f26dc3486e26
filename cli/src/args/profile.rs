//! `profile`, `apply` and `diff`: what is wanted of miners with certain labels.

use clap::{Args as ClapArgs, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use mujina_core::id::{MinerName, ProfileName};
use std::path::PathBuf;

/// `profile`
#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// All profiles
    List,
    /// One profile, in a form that `apply` takes
    Get {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::profiles))]
        name: ProfileName,
    },
    /// Store profiles and change their miners at once; see `rollout` for changes in waves
    Apply(Documents),
    /// Delete a profile; what it said stays as it is on the miners
    Delete {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::profiles))]
        name: ProfileName,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// What all profiles together want of one miner, and which of them says what
    Resolve {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::miners))]
        miner: MinerName,
    },
    /// Take what is wanted of one miner alone away, so that profiles count again
    ClearOverride {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::miners))]
        miner: MinerName,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
}

/// `apply`, `diff`, `profile apply`
#[derive(Debug, ClapArgs)]
pub(crate) struct Documents {
    /// YAML, JSON or TOML (by its ending), several documents of `kind: Profile` or `kind: MinerSpec`; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `diff`
#[derive(Debug, ClapArgs)]
pub(crate) struct Diff {
    /// YAML, JSON or TOML (by its ending), several documents of `kind: Profile` or `kind: MinerSpec`; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

impl Profile {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List => "profile list",
            Self::Get { .. } => "profile get",
            Self::Apply(_) => "profile apply",
            Self::Delete { .. } => "profile delete",
            Self::Resolve { .. } => "profile resolve",
            Self::ClearOverride { .. } => "profile clear-override",
        }
    }
}
