//! What a running command holds: its switches, where it writes, and the way to the service.
//!
//! The service is the one that was named; else the control plane of the default place if it answers, else the miner
//! of the default place.

use crate::{
    args::Global,
    config::Environment,
    error::CliError,
    output::{Format, Paint, Tone},
};
use mujina_core::{
    id::MinerName,
    place::{CONTROL_SOCKET, MINER_SOCKET},
    text::sanitise,
};
use mujina_proto::dial::{Address, Client, DialError, dial};
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a socket may take to be connected: it is on this machine.
const DIAL: Duration = Duration::from_secs(5);
/// Longest line of progress in bytes: what peers say is in it.
const LONGEST: usize = 2048;
/// Longest password or file that is read; both are far smaller.
const MAX_INPUT: u32 = 1 << 20;

/// A running command.
pub(crate) struct Context<'a> {
    /// Answers.
    out: &'a mut (dyn Write + Send),
    /// Progress and errors.
    err: &'a mut (dyn Write + Send),
    stdin: Option<Box<dyn Read + Send>>,
    address: Option<Address>,
    default_sockets: [PathBuf; 2],
    /// The miner that was named.
    pub(crate) miner: Option<MinerName>,
    /// How to answer.
    pub(crate) format: Format,
    /// Colours or none.
    pub(crate) paint: Paint,
    paint_errors: Paint,
    /// Wait until changes are in force.
    pub(crate) wait: bool,
    quiet: bool,
    /// What the command has set going that does not end with it.
    pub(crate) goes_on: Option<String>,
}

impl<'a> Context<'a> {
    /// The context of one command that speaks to `address`, or looks for a service when there is none.
    pub(crate) fn new(
        global: Global,
        address: Option<Address>,
        environment: Environment,
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
    ) -> Self {
        let Environment { address: _, control_dir, miner_dir, styled, styled_errors, stdin, interrupt: _ } =
            environment;
        let Global { address: _, miner, output, wait, timeout: _, trace: _, quiet } = global;
        Self {
            out,
            err,
            stdin: Some(stdin),
            address,
            default_sockets: [control_dir.join(CONTROL_SOCKET), miner_dir.join(MINER_SOCKET)],
            miner,
            format: output,
            paint: Paint(styled),
            paint_errors: Paint(styled_errors),
            wait,
            quiet,
            goes_on: None,
        }
    }

    /// Whether the service was named and not looked for.
    pub(crate) fn address_was_given(&self) -> bool {
        self.address.is_some()
    }

    /// A channel to the service.
    pub(crate) fn connect(&self) -> impl Future<Output = Result<(Address, Client), CliError>> + Send + use<> {
        connect(self.address.clone(), self.default_sockets.clone())
    }

    /// Writes an answer.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), CliError> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Writes a line that nobody asked for: what was done, in answers for people.
    pub(crate) fn confirm(&mut self, line: &str) -> Result<(), CliError> {
        if self.is_chatty() { self.print(&format!("{}\n", sanitise(line, LONGEST))) } else { Ok(()) }
    }

    /// Writes a line of progress beside the answer.
    pub(crate) fn note(&mut self, line: &str) -> Result<(), CliError> {
        if self.is_chatty() {
            let line = self.paint_errors.text(&sanitise(line, LONGEST), Tone::Dim);
            writeln!(self.err, "{line}")?;
        }
        Ok(())
    }

    /// Writes to standard error whatever was asked for. That it cannot be written can be told nobody.
    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
    }

    fn is_chatty(&self) -> bool {
        !self.quiet && self.format.is_for_people()
    }

    /// All of a file, or of standard input for `-`.
    pub(crate) async fn read(&mut self, path: &Path) -> Result<String, CliError> {
        let failed = |error| CliError::File(path.to_owned(), error);
        if path == Path::new("-") {
            return self.read_stdin().await.map_err(failed);
        }
        let path = path.to_owned();
        let reading = move || read_all(Box::new(std::fs::File::open(path)?));
        blocking(reading).await.map_err(failed)
    }

    /// All of standard input; it can be had once.
    async fn read_stdin(&mut self) -> io::Result<String> {
        let taken = || io::Error::other("standard input was read already; it can serve one argument");
        let stdin = self.stdin.take().ok_or_else(taken)?;
        blocking(move || read_all(stdin)).await
    }
}

/// The service that was named by a flag or the environment, if any.
///
/// # Errors
/// `MUJINA_ADDRESS` is no address.
pub(crate) fn address(global: &Global, environment: &Environment) -> Result<Option<Address>, CliError> {
    match (&global.address, &environment.address) {
        (Some(address), _) => Ok(Some(address.clone())),
        (None, Some(text)) => {
            text.parse().map(Some).map_err(|error| CliError::Usage(format!("MUJINA_ADDRESS is not usable: {error}")))
        }
        (None, None) => Ok(None),
    }
}

async fn connect(address: Option<Address>, default_sockets: [PathBuf; 2]) -> Result<(Address, Client), CliError> {
    if let Some(address) = address {
        let client = dial(&address, DIAL).await?;
        return Ok((address, client));
    }
    for socket in &default_sockets {
        let address = Address::Unix(socket.clone());
        match dial(&address, DIAL).await {
            Ok(client) => return Ok((address, client)),
            Err(DialError::Nobody(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CliError::NoService(default_sockets))
}

/// Files and pipes may keep one waiting: they are read beside the runtime.
async fn blocking(read: impl FnOnce() -> io::Result<String> + Send + 'static) -> io::Result<String> {
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

fn read_all(from: Box<dyn Read + Send>) -> io::Result<String> {
    let mut text = String::new();
    from.take(u64::from(MAX_INPUT) + 1).read_to_string(&mut text)?;
    if u32::try_from(text.len()).is_ok_and(|length| length <= MAX_INPUT) {
        Ok(text)
    } else {
        Err(io::Error::other("has more than a megabyte; is it the right file?"))
    }
}
