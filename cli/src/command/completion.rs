//! `completion`: scripts for shells.

use crate::{args::Args, context::Context, error::CliError};
use clap::CommandFactory;
use clap_complete::{Shell, generate};

pub(crate) fn run(shell: Shell, context: &mut Context<'_>) -> Result<(), CliError> {
    let mut script = Vec::new();
    generate(shell, &mut Args::command(), "mujinactl", &mut script);
    context.print(&String::from_utf8_lossy(&script))
}
