//! `context` and `login`: how services are reached, and as whom.

use clap::{Args as ClapArgs, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use mujina_core::id::PeerName;
use mujina_proto::{dial::Address, tls::Fingerprint};
use std::path::PathBuf;

/// `context`
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Keep the context in a file that `mujina-control init` or `context export` wrote
    Import {
        /// The file; `-` reads standard input
        file: PathBuf,
        /// Another name for it
        #[arg(long)]
        name: Option<PeerName>,
        /// Use it from now on; the first context is used anyway
        #[arg(long = "use")]
        select: bool,
    },
    /// Make a context from its parts; --address says where the service is
    Add(ContextAdd),
    /// Use a context from now on
    Use {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::contexts))]
        name: PeerName,
    },
    /// All contexts
    List,
    /// Forget a context with its key or token
    Remove {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::contexts))]
        name: PeerName,
    },
    /// One context, without its secret; the one in use by default
    Show {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::contexts))]
        name: Option<PeerName>,
    },
    /// Print a context with its secret, for another machine
    Export {
        /// Its name
        #[arg(add = ArgValueCompleter::new(crate::complete::contexts))]
        name: PeerName,
    },
}

impl ContextCommand {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Import { .. } => "context import",
            Self::Add(_) => "context add",
            Self::Use { .. } => "context use",
            Self::List => "context list",
            Self::Remove { .. } => "context remove",
            Self::Show { .. } => "context show",
            Self::Export { .. } => "context export",
        }
    }
}

/// `context add`
#[derive(Debug, ClapArgs)]
pub(crate) struct ContextAdd {
    /// Its name
    pub(crate) name: PeerName,
    /// The certificate of the service's authority, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) authority: Option<PathBuf>,
    /// A key with its certificate, as PEM
    #[arg(long, visible_alias = "certificate", value_name = "FILE", conflicts_with = "token_file")]
    pub(crate) identity: Option<PathBuf>,
    /// An operator's token; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// `login`
#[derive(Debug, ClapArgs)]
pub(crate) struct Login {
    /// The control plane, for example https://control.example.org:8443
    #[arg(required_unless_present = "renew", conflicts_with = "renew")]
    pub(crate) url: Option<Address>,
    /// The token that an admin made; `-` reads standard input
    #[arg(long, value_name = "FILE", required_unless_present = "renew", conflicts_with = "renew")]
    pub(crate) token_file: Option<PathBuf>,
    /// Fingerprint of the control plane's authority, as it shows it itself; without, a person is asked to compare it
    #[arg(long, value_name = "HEX", conflicts_with = "renew")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Name of the context; the operator's by default
    #[arg(long, conflicts_with = "renew")]
    pub(crate) name: Option<PeerName>,
    /// Change the token into a certificate, for a key that is made here and stays here
    #[arg(long, conflicts_with = "renew")]
    pub(crate) certificate: bool,
    /// Get the next certificate of the context in use
    #[arg(long)]
    pub(crate) renew: bool,
}
