//! `rollout`: a change of many miners in waves.

use super::fleet::Selection;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use mujina_core::units::duration;
use std::{path::PathBuf, time::Duration};

/// `rollout`
#[derive(Debug, Subcommand)]
pub(crate) enum Rollout {
    /// Check a change and keep its plan; nothing is changed before it is started
    Plan(Box<RolloutPlan>),
    /// Approve a plan that somebody else made
    Approve(RolloutId),
    /// Begin with a plan, or with a file that is planned first
    Start(Box<RolloutStart>),
    /// The newest rollouts
    List {
        /// At most this many
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// One rollout with its miners
    Show(RolloutId),
    /// Follow a rollout until it has ended
    Watch(RolloutId),
    /// Change no more until it is resumed
    Pause(RolloutReason),
    /// Go on in spite of what failed
    Resume {
        /// Its id
        id: String,
        /// Take the wave that failed as it is, instead of watching it anew
        #[arg(long)]
        accept_wave: bool,
    },
    /// Change no more and end; what holds stays
    Abort(RolloutReason),
    /// Take every miner back that was changed; also after the end
    Rollback(RolloutReason),
}

/// The rollout that is meant.
#[derive(Debug, ClapArgs)]
pub(crate) struct RolloutId {
    /// Its id
    pub(crate) id: String,
}

/// The same, and why.
#[derive(Debug, ClapArgs)]
pub(crate) struct RolloutReason {
    /// Its id
    pub(crate) id: String,
    /// Why, for those who look at it later
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

/// `rollout plan`
#[derive(Debug, ClapArgs)]
pub(crate) struct RolloutPlan {
    /// One document of `kind: Profile`, or a part of a spec together with -l, --filter or --all; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Keep nothing, only say what it would do
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// People other than you who must approve it before it can start, at most 5
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32).range(0..=5))]
    pub(crate) approvals: u32,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) strategy: Strategy,
}

/// `rollout start`
#[derive(Debug, ClapArgs)]
pub(crate) struct RolloutStart {
    /// Id of a plan
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) id: Option<String>,
    /// Plan what this file says and begin with it; as with `rollout plan`
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// People other than you who must approve what the file says before it can start, at most 5
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, conflicts_with = "id", value_parser = clap::value_parser!(u32).range(0..=5))]
    pub(crate) approvals: u32,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) strategy: Strategy,
}

/// How a rollout goes about.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "How")]
pub(crate) struct Strategy {
    /// Sizes of the waves: counts or percentages of all; the last is repeated [default: 1,10%,100%]
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    pub(crate) waves: Vec<String>,
    /// Most miners on their way at the same time [default: 10%]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_unavailable: Option<String>,
    /// How long a wave is watched after its last miner was proved [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) soak: Option<Duration>,
    /// After a wave that held, before the next [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) pause_between: Option<Duration>,
    /// Who goes first: name, random or label:KEY [default: name]
    #[arg(long, value_name = "ORDER")]
    pub(crate) order: Option<String>,
    /// Miners with these labels go before all others
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) canary: Option<String>,
    /// What to do when a gate fails [default: pause]
    #[arg(long, value_enum)]
    pub(crate) on_failure: Option<OnFailure>,
    /// Miners that may fail before the gate does
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) max_failed: u32,
    /// How long a miner may take to accept the change and find a share; then it goes back by itself [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) confirm_within: Option<Duration>,
    /// Do not ask for a share that was accepted since
    #[arg(long)]
    pub(crate) no_share_gate: bool,
    /// Do not judge rejects
    #[arg(long)]
    pub(crate) no_reject_gate: bool,
    /// Confidence that a rise of rejects is more than chance before it counts, 0.5 to 1 [default: 0.999]
    #[arg(long, value_name = "RATIO", value_parser = confidence, conflicts_with = "no_reject_gate")]
    pub(crate) reject_confidence: Option<f64>,
    /// Do not judge the hash rate
    #[arg(long)]
    pub(crate) no_hash_rate_gate: bool,
    /// Standard errors by which the hash rate may drop [default: 3]
    #[arg(long, value_name = "N", value_parser = errors, conflicts_with = "no_hash_rate_gate")]
    pub(crate) hash_rate_errors: Option<f64>,
    /// Do not mind new faults
    #[arg(long)]
    pub(crate) no_fault_gate: bool,
}

/// What to do when a gate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailure {
    /// Change no more and wait for a person
    Pause,
    /// Change no more and end; what holds stays
    Abort,
    /// Take every miner back
    Rollback,
}

/// Reads a confidence.
fn confidence(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.5..=1.0).contains(&number) => Ok(number),
        _ => Err("write a number from 0.5 to 1, such as 0.99".into()),
    }
}

/// Reads a count of standard errors.
fn errors(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("write a number above zero, such as 3".into()),
    }
}

impl Rollout {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "rollout plan",
            Self::Approve(_) => "rollout approve",
            Self::Start(_) => "rollout start",
            Self::List { .. } => "rollout list",
            Self::Show(_) => "rollout show",
            Self::Watch(_) => "rollout watch",
            Self::Pause(_) => "rollout pause",
            Self::Resume { .. } => "rollout resume",
            Self::Abort(_) => "rollout abort",
            Self::Rollback(_) => "rollout rollback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_take_sensible_numbers_and_nothing_else() {
        assert_eq!([confidence("0.5"), confidence("0.99"), confidence("1")], [Ok(0.5), Ok(0.99), Ok(1.0)]);
        assert_eq!([errors("3"), errors("2.5")], [Ok(3.0), Ok(2.5)]);
        for wrong in ["", "0.4", "1.1", "NaN", "-1", "99%"] {
            assert!(confidence(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0", "-1", "inf", "NaN", "3x"] {
            assert!(errors(wrong).is_err(), "{wrong}");
        }
    }
}
