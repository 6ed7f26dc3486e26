//! What a command finds around it: the one place that reads the process's environment.
//!
//! Hosts that run commands in their own process make an [`Environment`] by hand.

use mujina_core::place;
use std::{
    ffi::OsString,
    io::{self, IsTerminal, Read},
    path::PathBuf,
};
use tokio_util::sync::CancellationToken;

/// What a command may know of the world, besides its arguments.
pub struct Environment {
    /// `MUJINA_ADDRESS`: the service to speak to when `--address` does not say.
    pub address: Option<String>,
    /// `MUJINACTL_CONTEXT`: the context to use when `--context` does not say.
    pub context: Option<String>,
    /// Folder of the contexts.
    pub config_dir: PathBuf,
    /// Folder where a control plane puts its socket unless told otherwise.
    pub control_dir: PathBuf,
    /// Folder where a miner puts its socket unless told otherwise.
    pub miner_dir: PathBuf,
    /// Whether answers have colours and are redrawn in place.
    pub styled: bool,
    /// Whether errors and progress have colours.
    pub styled_errors: bool,
    /// Whether a person sits at standard input and can be asked.
    pub interactive: bool,
    /// Where `--password-stdin` and `-f -` read from.
    pub stdin: Box<dyn Read + Send>,
    /// Cancelled when the user wants the command to end.
    pub interrupt: CancellationToken,
}

impl Environment {
    /// Both services and the contexts in one state folder, no address, no terminal, nothing on standard input, never interrupted.
    #[must_use]
    pub fn bare(state_dir: impl Into<PathBuf>) -> Self {
        let miner_dir = state_dir.into();
        Self {
            address: None,
            context: None,
            config_dir: miner_dir.join("config"),
            control_dir: miner_dir.clone(),
            miner_dir,
            styled: false,
            styled_errors: false,
            interactive: false,
            stdin: Box::new(io::empty()),
            interrupt: CancellationToken::new(),
        }
    }
}

/// What a process is started with.
pub struct Surroundings {
    /// For the command.
    pub environment: Environment,
    /// `MUJINA_LOG`: what goes to the log; `off` by default, because answers are what a command is for.
    pub log: String,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else `OTEL_EXPORTER_OTLP_ENDPOINT`: where the collector listens.
    pub otlp_endpoint: Option<String>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let colours = variable("NO_COLOR").is_none();
        let state_dir = variable("MUJINA_STATE_DIR").map_or_else(
            || place::default_state_dir(variable("XDG_STATE_HOME").as_deref(), variable("HOME").as_deref()),
            PathBuf::from,
        );
        let bare = Environment::bare(state_dir);
        let environment = Environment {
            control_dir: variable("MUJINA_CONTROL_STATE_DIR").map_or_else(|| bare.control_dir.clone(), PathBuf::from),
            address: text("MUJINA_ADDRESS"),
            context: text("MUJINACTL_CONTEXT"),
            config_dir: config_dir(),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            styled: colours && io::stdout().is_terminal(),
            styled_errors: colours && io::stderr().is_terminal(),
            stdin: Box::new(io::stdin()),
            ..bare
        };
        Self {
            environment,
            log: text("MUJINA_LOG").unwrap_or_else(|| "off".into()),
            otlp_endpoint: text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| text("OTEL_EXPORTER_OTLP_ENDPOINT")),
        }
    }
}

/// `XDG_CONFIG_HOME/mujina`, else `HOME/.config/mujina`, else a folder of the working directory.
fn config_dir() -> PathBuf {
    let home = || variable("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from).join(".config");
    variable("XDG_CONFIG_HOME").map_or_else(home, PathBuf::from).join("mujina")
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The same as text; what is no text cannot be an address or a filter and is refused where it is read.
fn text(name: &str) -> Option<String> {
    variable(name).map(|value| value.to_string_lossy().into_owned())
}
