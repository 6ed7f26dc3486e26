//! The last resort: puts boards into the safe state without the async runtime.   Armed by board tasks; called by a panic
//! hook, by whoever handles signals, and by drop.
//!
//! Chips go on hashing when the host is gone (boards 5), so this must work when nothing else does: a list of requests made
//! beforehand, a handle on the control port of its own, plain reads and writes with a deadline, a thread per board. The user
//! of the port is cut off first, so that no reply is taken from under our hands.
//!
//! ```text
//! drop of an armed guard ─▶ that board         ┐   take over the port ─▶ let it go quiet ─▶ each step, twice if need be
//! panic of a thread that supervises, signal ─▶ all  │   ─▶ read back what matters ─▶ outcome        (2 s for all together)
//! ```

mod line;

use crate::{
    bridge::{Takeover, frame::Protocol, request::Request},
    peripheral::{emc2101, tps546},
};
use line::Line;
use mujina_core::{board::SafeStateReport, id::BoardId};
use std::{
    collections::BTreeMap,
    fmt::Display,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant, SystemTime},
};
use tracing::{error, warn};

/// Time for all boards together (boards 5.2).
pub const WITHIN: Duration = Duration::from_secs(2);

/// One step on the way to the safe state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeStep {
    /// What it does, for a person.
    pub what: &'static str,
    /// What is asked.
    pub request: Request,
    /// What is asked to see that it was done, and the answer that says so; `None` for what only helps.
    pub proof: Option<(Request, Vec<u8>)>,
}

/// Lines of a controller (bitaxe-raw 3).
pub mod gpio {
    /// Reset of the chips, active low.
    pub const RESET: u8 = 0;
    /// Core regulator; EmberOne only.
    pub const POWER: u8 = 1;
    /// Supply of the chips' inputs and outputs; EmberOne only.
    pub const IO_POWER: u8 = 2;
}

fn low(what: &'static str, line: u8) -> SafeStep {
    SafeStep { what, request: Request::GpioWrite(line, false), proof: Some((Request::GpioRead(line), vec![0])) }
}

fn core_off() -> SafeStep {
    let (address, bytes) = tps546::off();
    let (_, register) = tps546::off_read_back();
    let proof = Request::I2cWriteRead { address, bytes: vec![register], count: 1 };
    SafeStep { what: "core off", request: Request::I2cWrite { address, bytes }, proof: Some((proof, vec![0])) }
}

impl SafeStep {
    /// What is to be said of it when it has no proof.
    pub(super) fn helped(&self, done: Result<Vec<u8>, impl Display>) -> String {
        let Self { what, .. } = self;
        done.map_or_else(|problem| format!("{what} not known: {problem}"), |_| (*what).to_owned())
    }

    /// What the answer to its proof says.
    pub(super) fn proven(&self, answer: Result<Vec<u8>, impl Display>, expected: &[u8]) -> Result<String, String> {
        let Self { what, .. } = self;
        match answer {
            Ok(answer) if answer == expected => Ok((*what).to_owned()),
            Ok(answer) => Err(format!("{what} failed: reads back {answer:02x?}")),
            Err(problem) => Err(format!("{what} not proven: {problem}")),
        }
    }
}

/// Steps for a Bitaxe (boards 2.3).
#[must_use]
pub fn bitaxe_steps() -> Vec<SafeStep> {
    let (address, bytes) = emc2101::full_speed();
    let fan = SafeStep { what: "fan full", request: Request::I2cWrite { address, bytes }, proof: None };
    vec![low("reset low", gpio::RESET), core_off(), fan]
}

/// Steps for an EmberOne (boards 3.3).
#[must_use]
pub fn ember_one_steps() -> Vec<SafeStep> {
    vec![
        low("reset low", gpio::RESET),
        core_off(),
        low("power enable low", gpio::POWER),
        low("I/O power low", gpio::IO_POWER),
    ]
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeOutcome {
    /// Which board.
    pub board: BoardId,
    /// Whether every step that has a proof was proven.
    pub confirmed: bool,
    /// What was seen, for a person.
    pub detail: String,
    /// When it was done.
    pub at: SystemTime,
}

impl SafeOutcome {
    /// As the status shows it.
    #[must_use]
    pub fn report(&self, reason: &str) -> SafeStateReport {
        let Self { board: _, confirmed, detail, at } = self.clone();
        SafeStateReport { at, reason: reason.into(), confirmed, detail }
    }
}

/// A board that can be made safe at any moment.
#[derive(Debug)]
struct Entry {
    board: BoardId,
    protocol: Protocol,
    steps: Vec<SafeStep>,
    line: Line,
    takeover: Takeover,
}

impl Entry {
    fn make_safe(&self, deadline: Instant) -> SafeOutcome {
        self.takeover.take();
        self.go_through(deadline)
    }

    fn go_through(&self, deadline: Instant) -> SafeOutcome {
        let seen: Vec<_> = self.line.quiet(deadline).map_or_else(
            |error| vec![Err(format!("the port: {error}"))],
            |()| self.steps.iter().map(|step| self.take(step, deadline)).collect(),
        );
        self.outcome(seen)
    }

    fn outcome(&self, seen: Vec<Result<String, String>>) -> SafeOutcome {
        let confirmed = seen.iter().all(Result::is_ok);
        let detail: Vec<_> = seen.into_iter().map(|step| step.unwrap_or_else(|problem| problem)).collect();
        SafeOutcome { board: self.board.clone(), confirmed, detail: detail.join(", "), at: SystemTime::now() }
    }

    /// Takes one step and proves it. The next is taken whatever comes of it.
    fn take(&self, step: &SafeStep, deadline: Instant) -> Result<String, String> {
        let done = self.line.ask(self.protocol, &step.request, deadline);
        match &step.proof {
            None => Ok(step.helped(done)),
            Some((question, expected)) => step.proven(self.line.ask(self.protocol, question, deadline), expected),
        }
    }
}

/// Boards that have power. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<Armed>>);

#[derive(Debug, Default)]
struct Armed {
    /// Guards that were ever made.
    count: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

/// Those of this process. Registries that nobody has any more are forgotten when another is made.
static PROCESS: Mutex<Vec<Weak<Mutex<Armed>>>> = Mutex::new(Vec::new());

impl Registry {
    /// One that panic hook and signals know of: for the boards of a miner.
    #[must_use]
    pub fn of_process() -> Self {
        let registry = Self::default();
        let mut all = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&registry.0));
        registry
    }

    /// Those of its boards that have power; they count as not armed from now on.
    fn take(&self) -> Vec<Arc<Entry>> {
        std::mem::take(&mut self.armed().entries).into_values().collect()
    }

    /// [`make_all_safe`] for the boards of this registry only.
    #[must_use]
    pub fn make_all_safe(&self, reason: &str) -> Vec<SafeOutcome> {
        make_safe(&self.take(), reason)
    }

    /// Held for the time of a look only.
    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a board from being left alone with power. Armed from before it gets power until the safe state was confirmed;
/// dropped while armed, it makes the board safe itself and blocks for up to [`WITHIN`].
#[derive(Debug)]
pub struct SafeGuard {
    registry: Registry,
    number: u64,
    entry: Arc<Entry>,
}

impl SafeGuard {
    /// Opens a handle of its own on the control port.
    ///
    /// # Errors
    /// It does not open.
    pub fn new(
        registry: &Registry,
        board: BoardId,
        control: &Path,
        protocol: Protocol,
        steps: Vec<SafeStep>,
        takeover: Takeover,
    ) -> io::Result<Self> {
        let line = Line::open(control)?;
        let number = {
            let mut armed = registry.armed();
            armed.count += 1;
            armed.count
        };
        Ok(Self {
            registry: registry.clone(),
            number,
            entry: Arc::new(Entry { board, protocol, steps, line, takeover }),
        })
    }

    /// From now on the board must not be left alone.
    pub fn arm(&self) {
        self.registry.armed().entries.insert(self.number, self.entry.clone());
    }

    /// The steps to the safe state.
    pub(super) fn steps(&self) -> &[SafeStep] {
        &self.entry.steps
    }

    /// What came of them when somebody else took them; disarms when all were proven.
    pub(super) fn conclude(&self, seen: Vec<Result<String, String>>) -> SafeOutcome {
        let outcome = self.entry.outcome(seen);
        if outcome.confirmed {
            self.disarm();
        }
        outcome
    }

    /// Tries the last resort's way while the board's task still has the port and waits. The board stays armed.
    ///
    /// # Cancel safety
    /// Given up, it goes on by itself.
    pub async fn attempt(&self, deadline: Instant) -> SafeOutcome {
        let entry = self.entry.clone();
        let trying = tokio::task::spawn_blocking(move || entry.go_through(deadline));
        trying.await.unwrap_or_else(|failed| SafeOutcome {
            board: self.entry.board.clone(),
            confirmed: false,
            detail: format!("the last resort failed: {failed}"),
            at: SystemTime::now(),
        })
    }

    /// The board is safe, and was seen to be.
    pub fn disarm(&self) {
        self.registry.armed().entries.remove(&self.number);
    }
}

impl Drop for SafeGuard {
    fn drop(&mut self) {
        let left = self.registry.armed().entries.remove(&self.number);
        if let Some(entry) = left {
            let outcome = entry.make_safe(Instant::now() + WITHIN);
            log(&outcome, "its task ended");
        }
    }
}

/// Puts all boards of the process that have power into the safe state and tells what came of it, within [`WITHIN`] for all of them
/// together. They stay taken from their tasks: each must be opened anew.
///
/// Blocks; needs no runtime. Safe to be called by several threads.
#[must_use]
pub fn make_all_safe(reason: &str) -> Vec<SafeOutcome> {
    let all = PROCESS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let entries: Vec<_> = all.iter().filter_map(Weak::upgrade).flat_map(|armed| Registry(armed).take()).collect();
    make_safe(&entries, reason)
}

fn make_safe(entries: &[Arc<Entry>], reason: &str) -> Vec<SafeOutcome> {
    let deadline = Instant::now() + WITHIN;
    let outcomes = thread::scope(|scope| {
        let spawn = |entry: &Arc<Entry>| {
            let (entry, own) = (entry.clone(), entry.clone());
            let thread = thread::Builder::new().name("mujina-safe".into());
            let spawned = thread.spawn_scoped(scope, move || entry.make_safe(deadline));
            // Without a thread it is done here, one board after the other.
            spawned.map_err(|_| own.make_safe(deadline))
        };
        let running: Vec<_> = entries.iter().map(spawn).collect();
        let join = |thread: Result<thread::ScopedJoinHandle<'_, _>, _>| match thread {
            Ok(thread) => thread.join().ok(),
            Err(done) => Some(done),
        };
        running.into_iter().filter_map(join).collect::<Vec<_>>()
    });
    outcomes.iter().for_each(|outcome| log(outcome, reason));
    outcomes
}

/// Makes boards safe when a thread panics that supervises them. Panics of other threads are caught and handled where they
/// happen, and stop no board.
///
/// `supervises` is asked with the name of the panicking thread.
pub fn install_panic_hook(supervises: fn(Option<&str>) -> bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if supervises(thread::current().name()) {
            let _ = make_all_safe("a thread that supervises boards panicked");
        }
    }));
}

fn log(outcome: &SafeOutcome, reason: &str) {
    let SafeOutcome { board, confirmed, detail, at: _ } = outcome;
    if *confirmed {
        warn!(board.id = %board, reason, detail, "board was made safe by the last resort");
    } else {
        error!(board.id = %board, reason, detail, "board could not be proven safe; cut its power");
    }
}

#[cfg(test)]
mod tests;
