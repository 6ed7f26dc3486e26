//! What a running command holds: its switches, where it writes, and the way to the service.
//!
//! The service is the one that was named by a flag, else by the environment, else by the context in use; else the control plane of the default place if it answers, else the miner
//! of the default place.

use crate::{
    args::Global,
    config::Environment,
    error::CliError,
    output::{Bar, Format, Paint, Tone},
    saved::{Client, Contexts, Saved},
};
use mujina_core::{
    id::{MinerName, PeerName},
    place::{CONTROL_SOCKET, MINER_SOCKET},
    text::sanitise,
};
use mujina_proto::dial::{Address, Bearing, DialError, dial};
use serde_json::json;
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a service on another machine may take to be connected, with its handshake.
const DIAL_FAR: Duration = Duration::from_secs(10);
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
    way: Way,
    /// Those that are kept.
    pub(crate) contexts: Contexts,
    /// Somebody can be asked.
    interactive: bool,
    /// All questions are answered with yes.
    yes: bool,
    /// It goes on until it is interrupted, or until nobody reads its answers any more.
    watches: bool,
    /// The address of the command line.
    pub(crate) given_address: Option<Address>,
    /// The name of a context of the command line.
    pub(crate) given_context: Option<PeerName>,
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
    /// The context of one command that goes this way to its service, and `watches` until it is interrupted or does not.
    pub(crate) fn new(
        global: Global,
        way: Way,
        watches: bool,
        environment: Environment,
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
    ) -> Self {
        let Environment { config_dir, styled, styled_errors, stdin, interactive, .. } = environment;
        let Global {
            address: given_address,
            context: given_context,
            miner,
            output,
            wait,
            yes,
            timeout: _,
            trace: _,
            quiet,
        } = global;
        Self {
            out,
            err,
            stdin: Some(stdin),
            way,
            contexts: Contexts::new(config_dir),
            interactive,
            yes,
            watches,
            given_address,
            given_context,
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
        !matches!(self.way, Way::Look(_))
    }

    /// A channel to the service.
    pub(crate) fn connect(&self) -> impl Future<Output = Result<(Address, Client), CliError>> + Send + use<> {
        connect(self.way.clone())
    }

    /// Writes a part of an export, which need not be text; nothing of it is held back. That its reader went away ends the
    /// export: it has nothing else to do.
    pub(crate) fn print_bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    /// Writes an answer. Where its reader went away, only a watch ends with that: whatever else a command does has an
    /// outcome, which its exit code tells.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), CliError> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        if self.watches {
            written?;
        } else {
            unless_unread(written)?;
        }
        Ok(())
    }

    /// Writes a line that nobody asked for: what was done, in answers for people.
    pub(crate) fn confirm(&mut self, line: &str) -> Result<(), CliError> {
        if self.is_chatty() { self.print(&format!("{}\n", sanitise(line, LONGEST))) } else { Ok(()) }
    }

    /// Writes a line of progress beside the answer, for whoever still reads them.
    pub(crate) fn note(&mut self, line: &str) -> Result<(), CliError> {
        if self.is_chatty() {
            let line = self.paint_errors.text(&sanitise(line, LONGEST), Tone::Dim);
            unless_unread(writeln!(self.err, "{line}"))?;
        }
        Ok(())
    }

    /// Says on standard error what an answer does not say of itself, to people and to machines, even where nothing else is.
    pub(crate) fn warn(&mut self, line: &str) {
        let text = sanitise(line, LONGEST);
        let block = if self.format.is_for_people() {
            self.paint_errors.text(&text, Tone::Warn)
        } else {
            json!({ "note": text }).to_string()
        };
        self.complain(&format!("{block}\n"));
    }

    /// Writes to standard error whatever was asked for. That it cannot be written can be told nobody.
    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
    }

    /// Whether a change of this many miners may be made: one may, several when a person says so or said so before. The plan
    /// goes to standard error, where it does not disturb the answer.
    ///
    /// # Errors
    /// Nobody can be asked, or the answer is no.
    pub(crate) async fn agree(&mut self, plan: &str, miners: usize) -> Result<(), CliError> {
        if miners < 2 || self.yes {
            return Ok(());
        }
        self.complain(plan);
        self.ask(&format!("this changes {miners} miners")).await
    }

    /// Colours of standard error, or none.
    pub(crate) fn paint_of_errors(&self) -> Paint {
        self.paint_errors
    }

    /// Whether nobody needs to be asked.
    pub(crate) fn agrees_to_all(&self) -> bool {
        self.yes
    }

    /// Whether a person sits here who can be asked.
    pub(crate) fn has_person(&self) -> bool {
        self.interactive
    }

    /// Whether a question would be answered, by a person or by --yes.
    pub(crate) fn can_agree(&self) -> bool {
        self.yes || self.interactive
    }

    /// A bar of progress on a terminal, nothing elsewhere.
    pub(crate) fn bar(&self) -> Bar {
        Bar::new(self.paint_errors.0 && self.is_chatty())
    }

    /// Asks a person whether to go on with `what`.
    ///
    /// # Errors
    /// Nobody can be asked, or the answer is no.
    pub(crate) async fn ask(&mut self, what: &str) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        self.ask_person(what).await
    }

    /// Asks what --yes cannot answer, because a person must have looked at something first.
    ///
    /// # Errors
    /// Nobody can be asked, or the answer is no.
    pub(crate) async fn ask_person(&mut self, what: &str) -> Result<(), CliError> {
        if !self.interactive {
            return Err(CliError::Unasked(what.to_owned()));
        }
        self.complain(&format!("{}. Go on? [y/N] ", sanitise(what, LONGEST)));
        let taken = || io::Error::other("standard input was read already; give --yes");
        let mut stdin = self.stdin.take().ok_or_else(taken)?;
        let (answer, stdin) = blocking(move || Ok((read_line(stdin.as_mut())?, stdin))).await?;
        self.stdin = Some(stdin);
        if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(CliError::Declined) }
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
        let reading = move || read_all(&mut std::fs::File::open(path)?);
        blocking(reading).await.map_err(failed)
    }

    /// All of standard input. It can be had once, but for a terminal, where more may be typed after the end.
    async fn read_stdin(&mut self) -> io::Result<String> {
        let taken = || io::Error::other("standard input was read already; it can serve one argument");
        let mut stdin = self.stdin.take().ok_or_else(taken)?;
        if self.interactive {
            self.complain("reading what is typed here; end it with Ctrl-D on a line of its own\n");
        }
        let (text, stdin) = blocking(move || Ok((read_all(stdin.as_mut())?, stdin))).await?;
        self.stdin = Some(stdin).filter(|_| self.interactive);
        Ok(text)
    }
}

/// How a command comes to its service.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// Whoever listens on these sockets first.
    Look([PathBuf; 2]),
    /// This address, on this machine.
    Plain(Address),
    /// A context that was kept.
    Saved(Box<Saved>),
}

impl Way {
    /// For commands that need no service.
    pub(crate) fn nowhere() -> Self {
        Self::Look([PathBuf::new(), PathBuf::new()])
    }
}

/// The way that flags, the environment or the context in use say.
///
/// # Errors
/// What they say is no address, or no context that is kept.
pub(crate) fn way(global: &Global, environment: &Environment) -> Result<Way, CliError> {
    way_of(global.address.as_ref(), global.context.as_ref(), environment)
}

/// The same, where the flags are not read yet.
///
/// # Errors
/// As with flags that are.
pub(crate) fn way_of(
    given_address: Option<&Address>,
    given_context: Option<&PeerName>,
    environment: &Environment,
) -> Result<Way, CliError> {
    let contexts = Contexts::new(environment.config_dir.clone());
    let named = |name: &PeerName| Ok(Way::Saved(Box::new(contexts.get(name)?)));
    if let Some(name) = given_context {
        return named(name);
    }
    let unfit =
        |variable: &str, error: &dyn std::fmt::Display| CliError::Usage(format!("{variable} is not usable: {error}"));
    let address = match (given_address, &environment.address) {
        (Some(address), _) => Some(address.clone()),
        (None, Some(text)) => Some(text.parse().map_err(|error| unfit("MUJINA_ADDRESS", &error))?),
        (None, None) => None,
    };
    match (address, &environment.context) {
        (Some(address @ Address::Tls { .. }), _) => match contexts.of_address(&address)? {
            Some(saved) => Ok(Way::Saved(Box::new(saved))),
            None => Err(DialError::NoTrust(address).into()),
        },
        (Some(address), _) => Ok(Way::Plain(address)),
        (None, Some(name)) => named(&name.parse().map_err(|error| unfit("MUJINACTL_CONTEXT", &error))?),
        (None, None) => match contexts.current()? {
            Some(saved) => Ok(Way::Saved(Box::new(saved))),
            None => {
                Ok(Way::Look([environment.control_dir.join(CONTROL_SOCKET), environment.miner_dir.join(MINER_SOCKET)]))
            }
        },
    }
}

/// Goes this way to a service.
pub(crate) async fn connect(way: Way) -> Result<(Address, Client), CliError> {
    let sockets = match way {
        Way::Saved(saved) => return Ok((saved.address.clone(), saved.dial(DIAL_FAR).await?)),
        Way::Plain(address) => {
            let client = dial(&address, DIAL).await?;
            return Ok((address, Bearing::nothing(client)));
        }
        Way::Look(sockets) => sockets,
    };
    for socket in &sockets {
        let address = Address::Unix(socket.clone());
        match dial(&address, DIAL).await {
            Ok(client) => return Ok((address, Bearing::nothing(client))),
            Err(DialError::Nobody(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CliError::NoService(sockets))
}

/// Files and pipes may keep one waiting: they are read beside the runtime.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

/// What came of writing; that nobody reads it any more is no failure.
fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn read_line(from: &mut (dyn Read + Send)) -> io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < LONGEST && from.read(&mut byte)? > 0 && byte != *b"\n" {
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn read_all(from: &mut (dyn Read + Send)) -> io::Result<String> {
    let mut text = String::new();
    from.take(u64::from(MAX_INPUT) + 1).read_to_string(&mut text)?;
    if u32::try_from(text.len()).is_ok_and(|length| length <= MAX_INPUT) {
        Ok(text)
    } else {
        Err(io::Error::other("has more than a megabyte; is it the right file?"))
    }
}
