//! What is done to one target.

use super::{
    Action, Begun, Note, Operation, Operations, ReconnectMode, ReconnectResult, TargetEnd, TargetFailure, TestedPool,
    bundle, notes::Notes,
};
use crate::{
    access::Caller,
    reconcile::SyncState,
    registry::{CallError, CallKind, Finding, Miner, PoolToTest, ReconnectEvent, backoff, headed, no_boards},
    repeat::RequestKey,
    spec::{SpecError, SpecParts, SpecRequest, Specs},
    store::NotStored,
};
use mujina_core::{
    id::{Generation, MinerName, PoolName},
    spec::SpecDraft,
};
use mujina_proto::failure::Failure;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

/// A reconnect with its handshakes, first job and drain ends well before; what does not is stuck.
const RECONNECT: Duration = Duration::from_secs(180);
/// How long a miner may take to confirm that it pauses or resumes, from its turn on. The desired state stays all the same.
const CONFIRM: Duration = Duration::from_secs(60);
/// Attempts to reach a miner; a reconnect that goes on there is joined.
const ATTEMPTS: u32 = 4;
/// Bundles that are put together at the same time: each is held in memory.
const BUNDLES: usize = 16;

/// Numbers of `google.rpc.Code`.
pub(super) mod code {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(in super::super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const ABORTED: i32 = 10;
    pub(super) const INTERNAL: i32 = 13;
}

/// Does what actions say.
#[derive(Debug)]
pub(super) struct Work {
    operations: Operations,
    specs: Specs,
    notes: Notes,
    bundles: Semaphore,
}

impl Work {
    pub(super) fn new(operations: Operations, specs: Specs, notes: Notes) -> Self {
        Self { operations, specs, notes, bundles: Semaphore::new(BUNDLES) }
    }

    pub(super) async fn act(
        &self,
        number: i64,
        operation: &Operation,
        name: &MinerName,
        begun: Begun,
    ) -> Result<TargetEnd, NotStored> {
        let Some(miner) = self.operations.registry.get(name) else {
            return Ok(failed(code::NOT_FOUND, "MINER_NOT_FOUND", "the miner is no longer known; nothing was done"));
        };
        if let Some(reason) = miner.quarantine() {
            let message =
                format!("nothing is sent to this miner, {reason}; find out which one is real, then release it");
            return Ok(failed(code::FAILED_PRECONDITION, "IDENTITY_QUARANTINED", &message));
        }
        let request_id = format!("{}/{name}", operation.id);
        let again = begun == Begun::Again;
        Ok(match &operation.action {
            Action::Reconnect { pool, mode } => {
                let asked = Reconnect { number, pool: pool.as_ref(), mode: *mode, request_id: &request_id };
                self.reconnect(&miner, &asked).await?
            }
            Action::Pause { reason } => {
                info!(miner.name = %name, reason, "pausing");
                self.set_paused(&miner, operation, true, request_id).await
            }
            Action::Resume => self.set_paused(&miner, operation, false, request_id).await,
            Action::Restart { .. } | Action::SelfTest { .. } if again => interrupted(),
            Action::Restart { board } => on_boards(&miner, board.as_deref(), restart).await,
            Action::SelfTest { board } => on_boards(&miner, board.as_deref(), self_test).await,
            Action::TestPool(pool) => test_pools(&miner, pool).await,
            Action::CollectBundle => self.bundle(&miner).await,
        })
    }

    async fn reconnect(&self, miner: &Miner, asked: &Reconnect<'_>) -> Result<TargetEnd, NotStored> {
        let deadline = Instant::now() + RECONNECT;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let failure = match timeout_at(deadline, self.reconnect_once(miner, asked)).await {
                Ok(Ok(result)) => return Ok(TargetEnd { outcome: Ok(Some(result)), ..TargetEnd::succeeded() }),
                Ok(Err(TryError::Store(error))) => return Err(error),
                Ok(Err(TryError::Call(error))) => error,
                Err(_) => {
                    let message = "the reconnect did not end in time; see the pool's state on the miner";
                    return Ok(failed(code::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", message));
                }
            };
            if failure.kind != CallKind::Unreachable || attempts == ATTEMPTS {
                return Ok(failure.into());
            }
            // The same request id joins a reconnect that goes on without us.
            tokio::time::sleep(backoff(attempts, rand::random())).await;
        }
    }

    async fn reconnect_once(&self, miner: &Miner, asked: &Reconnect<'_>) -> Result<ReconnectResult, TryError> {
        let mut events = miner.link.reconnect(asked.pool, asked.mode, asked.request_id).await?;
        let mut phases = Vec::new();
        loop {
            let (seen, result) = match events.next().await? {
                ReconnectEvent::Phase(phase) => {
                    phases.push(phase);
                    (phases.clone(), None)
                }
                ReconnectEvent::Result(result) => (result.phases.clone(), Some(result)),
            };
            self.notes.note(asked.number, &miner.name, Note::Phases(seen)).await?;
            if let Some(result) = result {
                return Ok(result);
            }
        }
    }

    async fn set_paused(&self, miner: &Miner, operation: &Operation, paused: bool, request_id: String) -> TargetEnd {
        let by = Caller::itself(&operation.created_by, "operation");
        let draft = SpecDraft { paused, ..SpecDraft::default() };
        let key = RequestKey::own(request_id);
        let request = SpecRequest { key, ..SpecRequest::new(miner.name.clone(), draft, SpecParts::PAUSED, by) };
        let generation = match self.specs.apply(request).await {
            Ok(outcome) => outcome.desired.generation,
            Err(error) => return TargetEnd::failed(error.into()),
        };
        match confirmed(miner, generation).await {
            Some(end) => end,
            None => {
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

    async fn bundle(&self, miner: &Arc<Miner>) -> TargetEnd {
        let Ok(_turn) = self.bundles.acquire().await else { return shutting_down() };
        let collected = match patiently(|| miner.link.bundle()).await {
            Ok(collected) => collected,
            Err(error) => return error.into(),
        };
        match bundle::bytes(headed(&collected, miner.name.as_str(), SystemTime::now())) {
            Some(bytes) => {
                let detail = format!("{} bytes; read it with GetBundle", bytes.len());
                TargetEnd { bundle: Some(bytes), ..TargetEnd::succeeded().saying(detail) }
            }
            None => failed(
                code::INTERNAL,
                "BUNDLE_TOO_LONG",
                "what the miner tells is too long to be kept; ask it directly",
            ),
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

/// Waits until the miner has the generation in force, or never will; `None` = that takes too long.
async fn confirmed(miner: &Miner, generation: Generation) -> Option<TargetEnd> {
    let mut views = miner.views();
    let (mut deadline, mut awaited_turn) = (Instant::now() + CONFIRM, false);
    loop {
        let view = views.borrow_and_update().clone();
        if awaited_turn || view.waits_for_turn {
            deadline = Instant::now() + CONFIRM;
        }
        awaited_turn = view.waits_for_turn;
        if view.desired_generation > generation {
            let message = "a newer desired state was written before this one was in force";
            return Some(failed(code::ABORTED, "SUPERSEDED", message));
        }
        if view.desired_generation == generation {
            let reason = view.agreement.reason.as_str();
            match view.agreement.state {
                SyncState::InSync => return Some(TargetEnd::succeeded()),
                SyncState::Rejected => return Some(failed(code::FAILED_PRECONDITION, "SPEC_REJECTED", reason)),
                SyncState::Drifted | SyncState::Overridden => return Some(failed(code::ABORTED, "DRIFTED", reason)),
                SyncState::Applying | SyncState::Unreachable | SyncState::NothingWanted => {}
            }
        }
        match timeout_at(deadline, views.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Some(shutting_down()),
            // The turns of others may take longer.
            Err(_) if view.waits_for_turn => {}
            Err(_) => return None,
        }
    }
}

/// Does something to one board, or to all one after the other, and says what was found.
async fn on_boards(
    miner: &Arc<Miner>,
    board: Option<&str>,
    act: impl AsyncFn(&Miner, &str) -> Result<Finding, CallError>,
) -> TargetEnd {
    let boards = match board {
        Some(board) => vec![board.to_owned()],
        None => match patiently(|| miner.link.boards()).await {
            Ok(boards) => boards.into_iter().filter(|board| board.is_driven).map(|board| board.id).collect(),
            Err(error) => return error.into(),
        },
    };
    if boards.is_empty() {
        return TargetEnd::failed(no_boards().into());
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for board in &boards {
        // Not asked for again when the way is lost: nobody knows whether it was done.
        match act(miner, board).await {
            Ok(finding) => found.push(finding),
            Err(error) => {
                let words = format!("{board}: {error}");
                found.push(Finding { is_good: false, words });
                failures.push(error);
            }
        }
    }
    judged(&found, failures.into_iter().next().map(TargetFailure::from), "BOARD_FAILED")
}

async fn restart(miner: &Miner, board: &str) -> Result<Finding, CallError> {
    miner.link.reinitialise(board).await?;
    Ok(Finding { is_good: true, words: format!("{board}: runs") })
}

async fn self_test(miner: &Miner, board: &str) -> Result<Finding, CallError> {
    miner.link.self_test(board).await
}

async fn test_pools(miner: &Arc<Miner>, pool: &TestedPool) -> TargetEnd {
    let names = match pool {
        TestedPool::All => match patiently(|| miner.link.pools()).await {
            Ok(names) => names,
            Err(error) => return error.into(),
        },
        TestedPool::Named(name) => vec![name.to_string()],
        TestedPool::Url { .. } => Vec::new(),
    };
    let pools: Vec<_> = match pool {
        TestedPool::Url { url, user } => vec![PoolToTest::Url { url, user }],
        TestedPool::All | TestedPool::Named(_) => names.iter().map(|name| PoolToTest::Named(name)).collect(),
    };
    if pools.is_empty() {
        let message = "the miner has no pool to test; write a spec with one, or give a URL";
        return failed(code::FAILED_PRECONDITION, "NO_POOL", message);
    }
    let mut found = Vec::new();
    for pool in pools {
        match patiently(|| miner.link.test_pool(pool)).await {
            Ok(finding) => found.push(finding),
            Err(error) => return TargetEnd::from(error).saying(words(&found)),
        }
    }
    judged(&found, None, "POOL_NOT_USABLE")
}

/// The end that findings amount to.
fn judged(found: &[Finding], failure: Option<TargetFailure>, reason: &str) -> TargetEnd {
    let bad: Vec<_> = found.iter().filter(|finding| !finding.is_good).map(|finding| finding.words.as_str()).collect();
    let end = match (failure, bad.as_slice()) {
        (_, []) => TargetEnd::succeeded(),
        (Some(failure), bad) => TargetEnd::failed(TargetFailure { message: bad.join("; "), ..failure }),
        (None, bad) => failed(code::FAILED_PRECONDITION, reason, &bad.join("; ")),
    };
    end.saying(words(found))
}

fn words(found: &[Finding]) -> String {
    found.iter().map(|finding| finding.words.as_str()).collect::<Vec<_>>().join("; ")
}

/// Asks again while the miner is not reached: only for what may be asked twice.
async fn patiently<T, F: Future<Output = Result<T, CallError>>>(call: impl Fn() -> F) -> Result<T, CallError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match call().await {
            Err(error) if error.kind == CallKind::Unreachable && attempts < ATTEMPTS => {
                tokio::time::sleep(backoff(attempts, rand::random())).await;
            }
            answered => return answered,
        }
    }
}

/// What cannot be recognised as a repeat is not asked for twice.
fn interrupted() -> TargetEnd {
    let message = "the control plane stopped while this was under way, and it is not known whether the miner did it; look at \
                   its boards, and retry the operation if it should be done";
    failed(code::ABORTED, "INTERRUPTED", message)
}

fn shutting_down() -> TargetEnd {
    failed(code::INTERNAL, "SHUTTING_DOWN", "the control plane is shutting down")
}

pub(super) fn failed(code: i32, reason: &str, message: &str) -> TargetEnd {
    TargetEnd::failed(TargetFailure { code, reason: reason.into(), message: message.into() })
}

enum TryError {
    Call(CallError),
    Store(NotStored),
}

impl From<CallError> for TryError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<NotStored> for TryError {
    fn from(error: NotStored) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for TargetFailure {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code.into(), reason: failure.reason, message: failure.message }
    }
}

impl From<CallError> for TargetFailure {
    fn from(error: CallError) -> Self {
        (*error.failure).into()
    }
}

impl From<CallError> for TargetEnd {
    fn from(error: CallError) -> Self {
        Self::failed(error.into())
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
            SpecError::Denied(_) => (code::PERMISSION_DENIED, "PERMISSION_DENIED"),
            SpecError::Payout(_) => (code::FAILED_PRECONDITION, "PAYOUT_NOT_ALLOWED"),
            SpecError::Store(_) => (code::INTERNAL, "STORAGE_FAILED"),
        };
        Self { code, reason: reason.into(), message: error.to_string() }
    }
}
