//! Does what operations ask for: several at a time, each target in a span of the request's trace.

use super::{
    Action, Operation, OperationState, Operations, ReconnectMode, ReconnectResult, Target, TargetEnd, TargetFailure,
    TargetState,
};
use crate::{
    reconcile::SyncState,
    registry::{CallError, CallKind, Miner, ReconnectEvent, backoff},
    spec::{SpecError, SpecParts, SpecRequest, Specs},
    store::StoreError,
    trace::TraceParent,
};
use mujina_core::{
    id::{Generation, MinerName, PoolName},
    spec::SpecDraft,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

/// Targets that are worked on at the same time, over all operations: enough for a fleet, few enough for one database.
const AT_ONCE: usize = 16;
/// A reconnect with its handshakes, first job and drain ends well before; what does not is stuck.
const RECONNECT: Duration = Duration::from_secs(180);
/// How long a miner may take to confirm that it pauses or resumes. The desired state stays when it passes.
const CONFIRM: Duration = Duration::from_secs(60);
/// Attempts to reach a miner; a reconnect that goes on there is joined.
const ATTEMPTS: u32 = 4;
/// Before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// Numbers of `google.rpc.Code`.
mod code {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const ABORTED: i32 = 10;
    pub(super) const INTERNAL: i32 = 13;
}

/// Works on all operations that have not ended.
#[derive(Debug)]
pub(crate) struct Runner {
    operations: Operations,
    specs: Specs,
}

impl Runner {
    pub(super) fn new(operations: Operations, specs: Specs) -> Self {
        Self { operations, specs }
    }

    /// Runs until `cancel`; what is under way then is resumed by the next start.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let work = Arc::new(Work { operations: self.operations, specs: self.specs, slots: Semaphore::new(AT_ONCE) });
        let mut changes = work.operations.changes();
        let mut running = JoinSet::new();
        let mut in_hand = HashSet::new();
        loop {
            changes.borrow_and_update();
            let known = match work.operations.store.running_operations().await {
                Ok(known) => known,
                Err(error) => {
                    error!(%error, "operations cannot be read; trying again");
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = tokio::time::sleep(STORE_RETRY) => continue,
                    }
                }
            };
            for id in known {
                if in_hand.insert(id.clone()) {
                    let work = work.clone();
                    running.spawn(async move {
                        work.operation(&id).await;
                        id
                    });
                }
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(ended) = running.join_next() => match ended {
                    Ok(id) => { in_hand.remove(&id); }
                    Err(_) => error!("an operation panicked; it is tried again at the next start; please report this"),
                },
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        running.shutdown().await;
    }
}

struct Work {
    operations: Operations,
    specs: Specs,
    slots: Semaphore,
}

impl Work {
    async fn operation(self: Arc<Self>, id: &str) {
        let stored = match self.operations.store.operation(id).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return,
            Err(error) => {
                error!(operation.id = id, %error, "operation cannot be read; trying again");
                return tokio::time::sleep(STORE_RETRY).await;
            }
        };
        let (number, operation) = (stored.number, Arc::new(stored.operation));
        if operation.state != OperationState::Running {
            return;
        }
        let span = info_span!(parent: None, "operation.run", operation.id = id, targets = operation.targets.len());
        stored.trace_parent.adopt(&span);
        async {
            let mut targets = JoinSet::new();
            let open = |target: &&Target| matches!(target.state, TargetState::Waiting | TargetState::Running);
            for target in operation.targets.iter().filter(open) {
                let (work, operation, miner) = (self.clone(), operation.clone(), target.miner.clone());
                // A remote parent: the database's threads hold a span for a moment after it ended.
                let span = info_span!(
                    parent: None, "operation.target",
                    operation.id = operation.id, miner.name = %miner, error = tracing::field::Empty
                );
                TraceParent::current().adopt(&span);
                targets.spawn(async move { work.target(number, &operation, &miner).await }.instrument(span));
            }
            while let Some(ended) = targets.join_next().await {
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        error!(operation.id = id, %error, "the state of an operation cannot be stored; trying again");
                        tokio::time::sleep(STORE_RETRY).await;
                    }
                    Err(_) => error!(operation.id = id, "a target panicked; please report this"),
                }
            }
        }
        .instrument(span)
        .await;
    }

    async fn target(&self, number: i64, operation: &Operation, name: &MinerName) -> Result<(), StoreError> {
        let Ok(_slot) = self.slots.acquire().await else { return Ok(()) };
        let mut write = self.operations.store.write().await?;
        if !write.begin_target(number, name).await? {
            return Ok(());
        }
        write.commit().await?;
        self.operations.changed();
        let end = match self.operations.registry.get(name) {
            None => failed(code::NOT_FOUND, "MINER_NOT_FOUND", "the miner is no longer in the configuration"),
            Some(miner) => {
                let request_id = format!("{}/{name}", operation.id);
                match &operation.action {
                    Action::Reconnect { pool, mode } => {
                        let asked = Reconnect { number, pool: pool.as_ref(), mode: *mode, request_id: &request_id };
                        self.reconnect(&miner, &asked).await?
                    }
                    Action::Pause { reason } => {
                        info!(miner.name = %name, reason, "pausing");
                        self.set_paused(&miner, true, request_id).await
                    }
                    Action::Resume => self.set_paused(&miner, false, request_id).await,
                }
            }
        };
        match &end {
            TargetEnd::Succeeded(_) => info!(operation.id = operation.id, miner.name = %name, "target succeeded"),
            TargetEnd::Failed(failure) => {
                tracing::Span::current().record("error", failure.message.as_str());
                info!(operation.id = operation.id, miner.name = %name, reason = failure.reason, "target failed");
            }
        }
        let mut write = self.operations.store.write().await?;
        write.end_target(number, name, &end).await?;
        write.commit().await?;
        self.operations.changed();
        Ok(())
    }

    async fn reconnect(&self, miner: &Miner, asked: &Reconnect<'_>) -> Result<TargetEnd, StoreError> {
        let deadline = Instant::now() + RECONNECT;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let failure = match timeout_at(deadline, self.reconnect_once(miner, asked)).await {
                Ok(Ok(result)) => return Ok(TargetEnd::Succeeded(Some(result))),
                Ok(Err(TryError::Store(error))) => return Err(error),
                Ok(Err(TryError::Call(error))) => error,
                Err(_) => {
                    let message = "the reconnect did not end in time; see the pool's state on the miner";
                    return Ok(failed(code::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", message));
                }
            };
            if failure.kind != CallKind::Unreachable || attempts == ATTEMPTS {
                return Ok(TargetEnd::Failed(failure.into()));
            }
            // The same request id joins a reconnect that goes on without us.
            tokio::time::sleep(backoff(attempts, rand::random())).await;
        }
    }

    async fn reconnect_once(&self, miner: &Miner, asked: &Reconnect<'_>) -> Result<ReconnectResult, TryError> {
        let mut events = miner.link.reconnect(asked.pool, asked.mode, asked.request_id).await?;
        let mut phases = Vec::new();
        loop {
            match events.next().await? {
                ReconnectEvent::Phase(phase) => phases.push(phase),
                ReconnectEvent::Result(result) => {
                    self.note_phases(asked.number, &miner.name, &result.phases).await?;
                    return Ok(result);
                }
            }
            self.note_phases(asked.number, &miner.name, &phases).await?;
        }
    }

    async fn note_phases(&self, number: i64, miner: &MinerName, phases: &[super::Phase]) -> Result<(), StoreError> {
        let mut write = self.operations.store.write().await?;
        write.set_phases(number, miner, phases).await?;
        write.commit().await?;
        self.operations.changed();
        Ok(())
    }

    async fn set_paused(&self, miner: &Miner, paused: bool, request_id: String) -> TargetEnd {
        let request = SpecRequest {
            miner: miner.name.clone(),
            draft: SpecDraft { paused, ..SpecDraft::default() },
            parts: SpecParts::PAUSED,
            etag: String::new(),
            request_id,
            validate_only: false,
        };
        let generation = match self.specs.apply(request).await {
            Ok(outcome) => outcome.desired.generation,
            Err(error) => return TargetEnd::Failed(error.into()),
        };
        match tokio::time::timeout(CONFIRM, confirmed(miner, generation)).await {
            Ok(end) => end,
            Err(_) => {
                let agreement = miner.view().agreement.clone();
                warn_unconfirmed(miner, &agreement.reason);
                let message = format!(
                    "generation {generation} is stored and will be applied, but the miner did not confirm it in time: {}",
                    agreement.reason
                );
                failed(code::DEADLINE_EXCEEDED, "NOT_CONFIRMED", &message)
            }
        }
    }
}

fn warn_unconfirmed(miner: &Miner, reason: &str) {
    if miner.view().agreement.state != SyncState::Unreachable {
        warn!(miner.name = %miner.name, reason, "the miner does not confirm its desired state");
    }
}

struct Reconnect<'a> {
    number: i64,
    pool: Option<&'a PoolName>,
    mode: ReconnectMode,
    request_id: &'a str,
}

/// Waits until the miner has the generation in force, or never will.
async fn confirmed(miner: &Miner, generation: Generation) -> TargetEnd {
    let mut views = miner.views();
    loop {
        let view = views.borrow_and_update().clone();
        if view.desired_generation > generation {
            return failed(
                code::ABORTED,
                "SUPERSEDED",
                "a newer desired state was written before this one was in force",
            );
        }
        if view.desired_generation == generation {
            let reason = view.agreement.reason.as_str();
            match view.agreement.state {
                SyncState::InSync => return TargetEnd::Succeeded(None),
                SyncState::Rejected => return failed(code::FAILED_PRECONDITION, "SPEC_REJECTED", reason),
                SyncState::Drifted | SyncState::Overridden => return failed(code::ABORTED, "DRIFTED", reason),
                SyncState::Applying | SyncState::Unreachable | SyncState::NothingWanted => {}
            }
        }
        if views.changed().await.is_err() {
            return failed(code::INTERNAL, "SHUTTING_DOWN", "the control plane is shutting down");
        }
    }
}

fn failed(code: i32, reason: &str, message: &str) -> TargetEnd {
    TargetEnd::Failed(TargetFailure { code, reason: reason.into(), message: message.into() })
}

enum TryError {
    Call(CallError),
    Store(StoreError),
}

impl From<CallError> for TryError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<StoreError> for TryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CallError> for TargetFailure {
    fn from(error: CallError) -> Self {
        let failure = *error.failure;
        Self { code: failure.code.into(), reason: failure.reason, message: failure.message }
    }
}

impl From<SpecError> for TargetFailure {
    fn from(error: SpecError) -> Self {
        let (code, reason) = match &error {
            SpecError::UnknownMiner(_) => (code::NOT_FOUND, "MINER_NOT_FOUND"),
            SpecError::Invalid(_) => (code::INVALID_ARGUMENT, "INVALID_ARGUMENT"),
            SpecError::EtagMismatch { .. } => (code::ABORTED, "ETAG_MISMATCH"),
            SpecError::RepeatTooOld { .. } => (code::FAILED_PRECONDITION, "REPEAT_TOO_OLD"),
            SpecError::NeverSeen(_) => (code::FAILED_PRECONDITION, "MINER_NOT_SEEN"),
            SpecError::Store(_) => (code::INTERNAL, "STORAGE_FAILED"),
        };
        Self { code, reason: reason.into(), message: error.to_string() }
    }
}
