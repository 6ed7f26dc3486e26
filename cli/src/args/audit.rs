//! `audit`: who changed what.

use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

/// `audit`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// The newest records; `-o wide` shows more
    List {
        /// Only of this target
        #[arg(long, default_value = "", hide_default_value = true)]
        target: String,
        /// At most this many
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Follow the chain of records to its end
    Verify(AuditVerify),
    /// Write all records, oldest first, as one JSON object a line
    Export {
        /// Into this file; on standard output by default
        #[arg(long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
        /// Begin after this record
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        after: u64,
    },
}

/// `audit verify`
#[derive(Debug, ClapArgs)]
pub(crate) struct AuditVerify {
    /// Begin after this record, whose hash was noted earlier
    #[arg(long, value_name = "N", requires = "hash", default_value_t = 0, hide_default_value = true)]
    pub(crate) after: u64,
    /// Its hash, in hex
    #[arg(long, value_name = "HEX", requires = "after", default_value = "", hide_default_value = true)]
    pub(crate) hash: String,
}

impl Audit {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "audit list",
            Self::Verify(_) => "audit verify",
            Self::Export { .. } => "audit export",
        }
    }
}
