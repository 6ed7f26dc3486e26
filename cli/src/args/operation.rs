//! `op`: work on several miners.

use super::fleet::Miners;
use clap::{Args as ClapArgs, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use mujina_core::id::MinerName;
use std::path::PathBuf;

/// `op`
#[derive(Debug, Subcommand)]
pub(crate) enum Op {
    /// The newest operations
    List {
        /// At most this many
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// One operation with its miners
    Show(OpId),
    /// Follow an operation to its end
    Watch(OpId),
    /// Begin with no more miners; those under way end by themselves
    Cancel(OpId),
    /// The same again for the miners that failed or were skipped
    Retry {
        /// Its id
        id: String,
        /// Do not follow it
        #[arg(long)]
        detach: bool,
    },
    /// What `op run collect-bundle` collected from a miner, as JSON
    Bundle {
        /// Id of the operation
        id: String,
        /// Name of the miner
        #[arg(add = ArgValueCompleter::new(crate::complete::miners))]
        of: MinerName,
        /// Into this file; on standard output by default
        #[arg(long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Do something on several miners, and follow it
    #[command(subcommand)]
    Run(OpRun),
}

/// The operation that is meant.
#[derive(Debug, ClapArgs)]
pub(crate) struct OpId {
    /// Its id
    pub(crate) id: String,
}

/// On which miners, and how.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct On {
    #[command(flatten)]
    pub(crate) miners: Miners,
    /// Do not follow it
    #[arg(long)]
    pub(crate) detach: bool,
}

/// How fast power is switched.
#[derive(Debug, Clone, Copy, Default, ClapArgs)]
pub(crate) struct Ramp {
    /// Most power that may be switched per second, such as 5kW
    #[arg(long, value_name = "POWER", value_parser = watts)]
    pub(crate) ramp: Option<f64>,
}

/// `op run`
#[derive(Debug, Subcommand)]
pub(crate) enum OpRun {
    /// A new pool connection
    Reconnect {
        /// Pool by name; the live one of each miner by default
        #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCompleter::new(crate::complete::pools))]
        pool: String,
        /// Close the old connection first; its pending shares are lost
        #[arg(long)]
        immediate: bool,
        #[command(flatten)]
        on: On,
    },
    /// Stop hashing
    Pause {
        /// Why, for the status and the log
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        #[command(flatten)]
        ramp: Ramp,
        #[command(flatten)]
        on: On,
    },
    /// Hash again
    Resume {
        #[command(flatten)]
        ramp: Ramp,
        #[command(flatten)]
        on: On,
    },
    /// Bring boards up again; pool connections stay
    Restart {
        /// Board by id; all of each miner by default
        #[arg(long, default_value = "", hide_default_value = true)]
        board: String,
        #[command(flatten)]
        on: On,
    },
    /// Test a pool from each miner
    TestPool {
        /// A pool of the spec by name, or a URL; every pool of the spec by default
        #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCompleter::new(crate::complete::pools))]
        pool: String,
        /// Account for a pool that is given by URL
        #[arg(short, long, default_value = "", hide_default_value = true)]
        user: String,
        #[command(flatten)]
        on: On,
    },
    /// Let boards test themselves; they do not mine meanwhile
    SelfTest {
        /// Board by id; all of each miner by default
        #[arg(long, default_value = "", hide_default_value = true)]
        board: String,
        #[command(flatten)]
        on: On,
    },
    /// Collect what helps to find a fault; see `op bundle`
    CollectBundle {
        #[command(flatten)]
        on: On,
    },
}

impl Op {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "op list",
            Self::Show(_) => "op show",
            Self::Watch(_) => "op watch",
            Self::Cancel(_) => "op cancel",
            Self::Retry { .. } => "op retry",
            Self::Bundle { .. } => "op bundle",
            Self::Run(OpRun::Reconnect { .. }) => "op run reconnect",
            Self::Run(OpRun::Pause { .. }) => "op run pause",
            Self::Run(OpRun::Resume { .. }) => "op run resume",
            Self::Run(OpRun::Restart { .. }) => "op run restart",
            Self::Run(OpRun::TestPool { .. }) => "op run test-pool",
            Self::Run(OpRun::SelfTest { .. }) => "op run self-test",
            Self::Run(OpRun::CollectBundle { .. }) => "op run collect-bundle",
        }
    }
}

/// Reads a power: `800W`, `5kW`, `1.5 MW`.
fn watts(text: &str) -> Result<f64, String> {
    let (number, factor) = [("kW", 1e3), ("MW", 1e6), ("W", 1.0)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), factor)))
        .ok_or("give it with its unit, such as 800W or 5kW")?;
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * factor),
        _ => Err("write a number above zero with its unit, such as 800W or 5kW".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::watts;

    #[test]
    fn power_is_read_with_its_unit_and_nothing_else() {
        assert_eq!([watts("800W"), watts("5kW"), watts("1.5 MW")], [Ok(800.0), Ok(5e3), Ok(1.5e6)]);
        for wrong in ["", "5", "W", "-1W", "0kW", "infW", "5 kV", "5kw"] {
            assert!(watts(wrong).is_err(), "{wrong}");
        }
    }
}
