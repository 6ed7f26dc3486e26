//! `access` and `auth`: who may do what.

use clap::{Args as ClapArgs, Subcommand};
use mujina_core::{id::PeerName, units::duration};
use std::{path::PathBuf, time::Duration};

/// `access`
#[derive(Debug, Subcommand)]
pub(crate) enum Access {
    /// Who has which role
    #[command(subcommand)]
    Binding(AccessBinding),
    /// Tokens of operators
    #[command(subcommand)]
    Token(AccessToken),
    /// Pools and accounts that may be paid
    #[command(subcommand)]
    Payout(AccessPayout),
}

/// `access binding`
#[derive(Debug, Subcommand)]
pub(crate) enum AccessBinding {
    /// All of them
    List,
    /// Give somebody a role
    Add(BindingAdd),
    /// Take a role away
    Remove {
        /// Id of the binding, as `access binding list` shows it
        id: String,
    },
}

/// `access binding add`
#[derive(Debug, ClapArgs)]
pub(crate) struct BindingAdd {
    /// Who: operator:NAME, user:NAME, uid:NUMBER or anonymous
    pub(crate) subject: String,
    /// viewer, technician, operator, energy, admin or auditor
    pub(crate) role: String,
    /// Only for miners with these labels, for example site=a
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub(crate) selector: String,
}

/// `access token`
#[derive(Debug, Subcommand)]
pub(crate) enum AccessToken {
    /// Make a token of an operator; it is shown once
    Create(TokenCreate),
    /// All tokens, without their secrets
    List,
    /// Make a token good for nothing
    Revoke {
        /// Its id, as `access token list` shows it
        id: String,
    },
}

/// `access token create`
#[derive(Debug, ClapArgs)]
pub(crate) struct TokenCreate {
    /// Whom its bearer is taken for
    pub(crate) operator: PeerName,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) label: String,
    /// How long it is good, such as 12h or 90d [default: 30d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) ttl: Option<Duration>,
}

/// `access payout`
#[derive(Debug, Subcommand)]
pub(crate) enum AccessPayout {
    /// The list, and what waits for a second admin
    Show,
    /// Ask for another list; the first is in force at once, every later one when another admin approves
    Propose(PayoutPropose),
    /// Approve what somebody else proposed
    Approve {
        /// Id of the proposal
        id: String,
    },
    /// Drop what somebody else proposed
    Reject {
        /// Id of the proposal
        id: String,
    },
}

/// `access payout propose`
#[derive(Debug, ClapArgs)]
pub(crate) struct PayoutPropose {
    /// JSON or YAML: entries with url, user and tlsPins; `-` reads standard input
    #[arg(short, long, value_name = "FILE", required_unless_present = "turn_off")]
    pub(crate) file: Option<PathBuf>,
    /// End the guard: every pool and account may be written then
    #[arg(long, conflicts_with = "file")]
    pub(crate) turn_off: bool,
}

/// `auth`
#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Whether you may do something; exit code 4 = no
    CanI {
        /// A permission (`pause`) or a call (`SpecService/ApplySpec`); about --miner, if given
        question: String,
    },
    /// Who you are, and what you may do
    Whoami,
}

impl Access {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Binding(AccessBinding::List) => "access binding list",
            Self::Binding(AccessBinding::Add(_)) => "access binding add",
            Self::Binding(AccessBinding::Remove { .. }) => "access binding remove",
            Self::Token(AccessToken::Create(_)) => "access token create",
            Self::Token(AccessToken::List) => "access token list",
            Self::Token(AccessToken::Revoke { .. }) => "access token revoke",
            Self::Payout(AccessPayout::Show) => "access payout show",
            Self::Payout(AccessPayout::Propose(_)) => "access payout propose",
            Self::Payout(AccessPayout::Approve { .. }) => "access payout approve",
            Self::Payout(AccessPayout::Reject { .. }) => "access payout reject",
        }
    }
}

impl Auth {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::CanI { .. } => "auth can-i",
            Self::Whoami => "auth whoami",
        }
    }
}
