//! What is wanted of this miner: checked, stored, then made true.
//!
//! One actor owns the spec in force. Configuration, API and control plane write to it through [`SpecHandle`]; it writes to
//! disk before it answers, and tells `source` and `scheduler` what changed. Nothing that mines knows of it.

use mujina_core::{
    id::Generation,
    spec::{Problems, SpecChange, SpecDraft, SpecOrigin, SpecState},
};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Changes that may wait: they come from people and control planes.
const COMMAND_QUEUE: usize = 16;

/// A change that somebody asks for.
#[derive(Debug, Clone)]
pub struct SpecRequest {
    /// The new values of the parts that `parts` names.
    pub draft: SpecDraft,
    /// Which parts of the spec the draft speaks of.
    pub parts: SpecParts,
    /// Write only over the spec with this etag; empty = over any.
    pub etag: String,
    /// A repeat with the same id answers as the first did and does nothing; empty = no repeat.
    pub request_id: String,
    /// Only check and answer with the changes.
    pub validate_only: bool,
    /// Who asks.
    pub origin: SpecOrigin,
    /// Generation of the control plane's desired state, when it asks.
    pub control_generation: Option<Generation>,
    /// Why, for the log.
    pub reason: String,
}

/// Parts of a spec that a change speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecParts {
    /// `pool_groups`
    pub pool_groups: bool,
    /// `paused`
    pub paused: bool,
}

impl SpecParts {
    /// The whole spec.
    pub const ALL: Self = Self { pool_groups: true, paused: true };
}

/// What a change brought.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecOutcome {
    /// The spec after it, in force or being made true.
    pub state: SpecState,
    /// What differs from before.
    pub changes: Vec<SpecChange>,
}

/// Why a change was refused; nothing changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// Fields that do not check out, pools that this version cannot mine on included.
    #[error("{0}")]
    Invalid(Problems),
    /// Somebody else wrote meanwhile.
    #[error("the spec changed since it was read (etag is now `{current}`); read it again and repeat")]
    EtagMismatch {
        /// The etag in force.
        current: String,
    },
    /// An older desired state than the one accepted last.
    #[error("generation {asked} of the desired state is older than {accepted}, which was accepted already")]
    StaleGeneration {
        /// What was asked for.
        asked: Generation,
        /// What was accepted last.
        accepted: Generation,
    },
    /// It could not be kept.
    #[error("the spec cannot be stored ({0}); nothing was changed: check space and permissions of the state folder")]
    Storage(String),
    /// The miner is shutting down.
    #[error("the miner is shutting down")]
    ShuttingDown,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) request: SpecRequest,
    pub(crate) reply: oneshot::Sender<Result<SpecOutcome, SpecError>>,
}

/// The way to the spec. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SpecHandle {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<Arc<SpecState>>,
}

impl SpecHandle {
    /// A handle with the actor's ends of its lines.
    pub(crate) fn new(state: watch::Receiver<Arc<SpecState>>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        (Self { commands, state }, queue)
    }

    /// The spec and its place in history, newest at once after each change of either.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Arc<SpecState>> {
        self.state.clone()
    }

    /// Changes the spec. Answers when the change is stored and handed on: hashing is stopped when it pauses, threads have
    /// work again when it resumes; new pools come into force by themselves (see the sections of the state).
    ///
    /// # Errors
    /// See [`SpecError`].
    pub async fn apply(&self, request: SpecRequest) -> Result<SpecOutcome, SpecError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command { request, reply }).await.map_err(|_| SpecError::ShuttingDown)?;
        answer.await.map_err(|_| SpecError::ShuttingDown)?
    }
}
