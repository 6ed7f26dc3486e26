//! `enroll`: tokens for new miners, what was asked with them, and certificates.

use super::fleet::{Label, label};
use clap::{Args as ClapArgs, Subcommand};
use mujina_core::{id::PeerName, units::duration};
use std::time::Duration;

/// `enroll`
#[derive(Debug, Subcommand)]
pub(crate) enum Enroll {
    /// Tokens by which miners enrol
    #[command(subcommand)]
    Token(EnrollToken),
    /// The miners that asked for a certificate
    List {
        /// Only those that wait for a person
        #[arg(long)]
        pending: bool,
    },
    /// Let a miner in that waits
    Approve {
        /// Its number, as `enroll list` shows it
        number: i64,
    },
    /// Keep a miner out that waits
    Refuse {
        /// Its number, as `enroll list` shows it
        number: i64,
        /// Why; the miner is told
        #[arg(long)]
        reason: String,
    },
    /// End certificates before their time: all of --miner, which must enrol again, all of an operator, or one
    Revoke(EnrollRevoke),
    /// The certificates that were issued
    Certificates {
        /// Only those of this miner or operator
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
    },
}

/// `enroll token`
#[derive(Debug, Subcommand)]
pub(crate) enum EnrollToken {
    /// Make a token, and say what to run on the miner
    Create(EnrollTokenCreate),
    /// All tokens, without their secrets
    List,
    /// Make a token good for nothing
    Revoke {
        /// Its id, as `enroll token list` shows it
        id: String,
    },
}

/// `enroll token create`
#[derive(Debug, ClapArgs)]
pub(crate) struct EnrollTokenCreate {
    /// How long it is good, such as 1h; up to 90d
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) ttl: Option<Duration>,
    /// Miners that may enrol with it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) uses: u32,
    /// Label of each miner that enrols with it; several can be given
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) labels: Vec<Label>,
    /// A person must approve each
    #[arg(long)]
    pub(crate) approval: bool,
}

/// `enroll revoke`
#[derive(Debug, ClapArgs)]
pub(crate) struct EnrollRevoke {
    /// All certificates of this operator
    #[arg(long, value_name = "NAME", conflicts_with_all = ["serial", "miner"])]
    pub(crate) operator: Option<PeerName>,
    /// One certificate
    #[arg(long, value_name = "HEX", conflicts_with = "miner")]
    pub(crate) serial: Option<String>,
    /// Why, for the audit
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

impl Enroll {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Token(EnrollToken::Create(_)) => "enroll token create",
            Self::Token(EnrollToken::List) => "enroll token list",
            Self::Token(EnrollToken::Revoke { .. }) => "enroll token revoke",
            Self::List { .. } => "enroll list",
            Self::Approve { .. } => "enroll approve",
            Self::Refuse { .. } => "enroll refuse",
            Self::Revoke(_) => "enroll revoke",
            Self::Certificates { .. } => "enroll certificates",
        }
    }
}
