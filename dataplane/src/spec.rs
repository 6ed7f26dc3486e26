//! What is wanted of this miner: checked, stored, then made true.
//!
//! One actor owns the spec in force. Configuration, API and control plane write to it through [`SpecHandle`]; it writes to
//! disk before it answers, and tells `source` and `scheduler` what changed. Nothing that mines knows of it.

mod actor;
mod begin;
mod file;
#[cfg(test)]
mod fixtures;
mod mining;
mod step;
mod trial;

use self::{
    actor::Actor,
    begin::{Beginning, Record},
    step::Entry,
};
use crate::{
    miner::MinerHandle,
    state_dir::StateDir,
    supervisor::{ExitPolicy, Supervisor},
};
use mujina_core::{
    fault::{Fault, FaultReason},
    id::Generation,
    pool::PoolGroup,
    spec::{Problems, SpecChange, SpecDraft, SpecOrigin, SpecState},
};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Span, error, info, info_span};

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
    /// The miner goes back to the last spec that stays unless this one is confirmed within this time; `None` = it stays.
    pub confirm_within: Option<Duration>,
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
    /// `boards`
    pub boards: bool,
}

impl SpecParts {
    /// The whole spec.
    pub const ALL: Self = Self { pool_groups: true, paused: true, boards: true };
    /// None of it.
    pub const NONE: Self = Self { pool_groups: false, paused: false, boards: false };
    /// Only whether it hashes.
    pub const PAUSED: Self = Self { paused: true, ..Self::NONE };
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
    /// Another generation than the one to be confirmed.
    #[error(
        "generation {current} of the spec is in force, not {asked}; it was changed or went back meanwhile: read it again"
    )]
    OtherGeneration {
        /// What was to be confirmed.
        asked: Generation,
        /// What is in force.
        current: Generation,
    },
    /// It could not be kept.
    #[error("the spec cannot be stored ({0}); nothing was changed: check space and permissions of the state folder")]
    Storage(String),
    /// The miner is shutting down.
    #[error("the miner is shutting down")]
    ShuttingDown,
}

/// What somebody wants of the spec.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Another one.
    Change(SpecRequest),
    /// That the one of this generation stays.
    Confirmed(Generation),
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) wanted: Wanted,
    pub(crate) reply: oneshot::Sender<Result<SpecOutcome, SpecError>>,
    /// What the change is traced under.
    pub(crate) span: Span,
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
        let span = info_span!("spec.apply", spec.origin = ?request.origin, validate_only = request.validate_only);
        self.ask(Wanted::Change(request), span).await
    }

    /// Keeps a change that was made to be confirmed. Repeating it changes nothing.
    ///
    /// # Errors
    /// Another generation is in force, or it cannot be stored.
    pub async fn confirm(&self, generation: Generation) -> Result<SpecState, SpecError> {
        let span = info_span!("spec.confirm", spec.generation = %generation);
        Ok(self.ask(Wanted::Confirmed(generation), span).await?.state)
    }

    async fn ask(&self, wanted: Wanted, span: Span) -> Result<SpecOutcome, SpecError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command { wanted, reply, span }).await.map_err(|_| SpecError::ShuttingDown)?;
        answer.await.map_err(|_| SpecError::ShuttingDown)?
    }
}

/// Why the spec's side does not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configured pools do not check out.
    #[error("the configured pools cannot be used: {0}")]
    Configured(#[source] Problems),
    /// What was found cannot be set aside, or what is in force cannot be kept.
    #[error("the spec cannot be kept in the state folder: {0}; check its space and permissions")]
    Storage(String),
}

/// Finds the spec to begin with, keeps it, begins to make it true, and serves changes until `cancel`.
///
/// `configured` are the pools that the configuration names, if it names any. An unreadable stored spec is set aside,
/// reported, and means paused.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    miner: MinerHandle,
    folder: &StateDir,
    configured: Option<SpecDraft>,
    supervisor: &mut Supervisor,
    cancel: CancellationToken,
) -> Result<SpecHandle, StartError> {
    let configured = configured.map(check_configured).transpose().map_err(StartError::Configured)?;
    let record = find(folder, configured).await?;
    let (actor, handle) = Actor::start(miner, folder.clone(), record).await;
    supervisor.spawn("spec", ExitPolicy::Essential, actor.run(cancel));
    Ok(handle)
}

/// What of a spec needs attention.
#[must_use]
pub fn faults(state: &SpecState) -> Vec<Fault> {
    let unreadable = (state.origin == SpecOrigin::Recovery).then(|| Fault {
        reason: FaultReason::SpecUnreadable,
        subject: "spec".into(),
        message:
            "the stored spec could not be read and was set aside in the state folder; hashing is paused until the \
                  pools are set again or the miner is resumed"
                .into(),
        since: state.accepted_at,
    });
    let refused = state.sections.iter().filter(|section| section.refused).map(|section| Fault {
        reason: FaultReason::TuningRefused,
        subject: format!("spec/{}", section.path),
        message: format!(
            "{}; its clock and voltage go on as they were: correct it with `mujinactl board tune`",
            section.applying.as_deref().unwrap_or("a board refuses its tuning")
        ),
        since: state.accepted_at,
    });
    unreadable.into_iter().chain(refused).collect()
}

/// Checks pools that the configuration names.
pub(crate) fn check_configured(draft: SpecDraft) -> Result<Vec<PoolGroup>, Problems> {
    Ok(draft.check(None)?.pool_groups)
}

/// The record to begin with, stored.
async fn find(folder: &StateDir, configured: Option<Vec<PoolGroup>>) -> Result<Record, StartError> {
    let fresh = actor::fresh();
    let (place, now) = (folder.clone(), fresh.now);
    let found = tokio::task::spawn_blocking(move || file::find(&place, now)).await;
    let (found, aside) = found
        .map_err(io::Error::other)
        .and_then(|found| found)
        .map_err(|error| StartError::Storage(error.to_string()))?;
    if let Some((cause, aside)) = aside {
        error!(
            cause = &cause as &dyn std::error::Error,
            aside, "the stored spec cannot be used and was set aside; hashing is paused until a new one is applied"
        );
    }
    let before = found.clone();
    let (record, beginning) = begin::begin(found, configured, fresh);
    let Entry { generation, origin, .. } = &record.entry;
    let what = match beginning {
        Beginning::First => "first start, no spec is stored",
        Beginning::Stored => "the stored spec goes on",
        Beginning::Configured => "the configuration names other pools than at the last start and wins",
        Beginning::Reverted => "the stored spec was not confirmed in time, the one before goes on",
        Beginning::Recovery => "no usable spec, paused",
    };
    info!(spec.generation = %generation, spec.origin = ?origin, "{what}");
    if before == begin::Found::Stored(record.clone()) {
        return Ok(record);
    }
    actor::store(folder, record).await.map_err(StartError::Storage)
}

#[cfg(test)]
mod tests;
