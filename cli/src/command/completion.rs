//! `completion`: scripts for shells. What a script offers is asked of this program, so that it knows the names of miners, pools and
//! profiles, and never falls behind the program.

use crate::{context::Context, error::CliError};
use clap_complete::{
    Shell,
    env::{EnvCompleter, Shells},
};

/// The variable by which a script asks.
const VARIABLE: &str = "COMPLETE";
/// The program, which is looked for where the shell looks.
const PROGRAM: &str = "mujinactl";

pub(crate) fn run(shell: Shell, context: &mut Context<'_>) -> Result<(), CliError> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let unknown = || CliError::Usage(format!("no script can be made for {name}"));
    let completer: &dyn EnvCompleter = shells.completer(&name).ok_or_else(unknown)?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    context.print(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_of_the_command_line_has_a_script_that_asks_the_program() {
        for shell in Shell::value_variants() {
            let shells = Shells::builtins();
            let mut script = Vec::new();
            let completer = shells.completer(&shell.to_string()).unwrap();
            completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains(VARIABLE) && script.contains(PROGRAM), "{shell}: {script}");
        }
    }
}
