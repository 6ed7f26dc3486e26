//! Words about several miners: which are meant, what is shown of them, what they are called.

use clap::{Args as ClapArgs, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use mujina_core::id::MinerName;

/// A label as it is written: `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    /// Of at most 63 characters, as the control plane checks them.
    pub(crate) key: String,
    /// The same.
    pub(crate) value: String,
}

/// Reads a label.
pub(super) fn label(text: &str) -> Result<Label, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Label { key: key.into(), value: value.into() }),
        _ => Err("write KEY=VALUE, for example site=north".into()),
    }
}

/// A change of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LabelChange {
    /// `KEY=VALUE`
    Set(Label),
    /// `KEY-`
    Remove(String),
}

/// Which miners are meant: some by name, those that a selector or a filter chooses, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Which miners")]
pub(crate) struct Selection {
    /// Those with these labels, for example site=a,model!=x
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Those of which this holds, for example 'hashrate_1h.ratio<0.9'
    #[arg(long, value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// All of the control plane
    #[arg(long, conflicts_with_all = ["selector", "filter"])]
    pub(crate) all: bool,
}

/// The same with names.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub(crate) struct Miners {
    /// Miners by name
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(crate::complete::miners))]
    pub(crate) names: Vec<MinerName>,
    #[command(flatten)]
    pub(crate) others: Selection,
}

/// `miner`
#[derive(Debug, Subcommand)]
pub(crate) enum Miner {
    /// The known miners; `-o wide` shows labels and addresses
    List(MinerList),
    /// One miner, as the control plane sees it
    Get {
        /// Its name; the same as --miner
        #[arg(add = ArgValueCompleter::new(crate::complete::miners))]
        name: Option<MinerName>,
    },
    /// Set labels with KEY=VALUE and take them away with KEY-
    Label(MinerLabel),
    /// Forget a miner that enrolled, and revoke its certificates
    Remove {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::miners))]
        name: MinerName,
    },
    /// Speak again to a miner whose identity was used twice
    Release {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::miners))]
        name: MinerName,
    },
    /// How many miners there are, and how they are
    Summary {
        /// Of those with these labels
        #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
        selector: String,
    },
}

/// `miner list`
#[derive(Debug, ClapArgs)]
pub(crate) struct MinerList {
    /// Only those with these labels, for example site=a,model!=x
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub(crate) selector: String,
    /// Only those of which this holds, for example 'hashrate_1h.ratio<0.9'
    #[arg(long, value_name = "EXPR", default_value = "", hide_default_value = true)]
    pub(crate) filter: String,
}

/// `miner label`
#[derive(Debug, ClapArgs)]
pub(crate) struct MinerLabel {
    /// Names of miners, then KEY=VALUE to set a label and KEY- to take it away
    #[arg(required = true, value_name = "NAME|KEY=VALUE|KEY-", add = ArgValueCompleter::new(crate::complete::miners))]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) others: Selection,
}

impl MinerLabel {
    /// The names among the words, and the changes.
    pub(crate) fn split(&self) -> Result<(Vec<MinerName>, Vec<LabelChange>), String> {
        let (mut names, mut changes) = (Vec::new(), Vec::new());
        for word in &self.words {
            match (label(word), word.strip_suffix('-')) {
                (Ok(label), _) => changes.push(LabelChange::Set(label)),
                (Err(_), Some(key)) if !key.is_empty() => changes.push(LabelChange::Remove(key.into())),
                (Err(_), _) => names.push(word.parse().map_err(|error| format!("{word} names no miner: {error}"))?),
            }
        }
        if changes.is_empty() {
            return Err("which labels? write KEY=VALUE to set one and KEY- to take one away".into());
        }
        Ok((names, changes))
    }
}

impl Miner {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "miner list",
            Self::Get { .. } => "miner get",
            Self::Label(_) => "miner label",
            Self::Remove { .. } => "miner remove",
            Self::Release { .. } => "miner release",
            Self::Summary { .. } => "miner summary",
        }
    }
}
