//! Does what operations ask for: many at a time, each target in a span of the request's trace.

use super::{
    Begun, Note, Operation, OperationState, Operations, TargetState,
    act::{Work, code, failed},
    notes::{Notes, notes},
    ramp,
};
use crate::{rollout::Ramp, spec::Specs, store::NotStored, trace::TraceParent};
use mujina_core::id::MinerName;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span};

/// Targets that are worked on at the same time, over all operations: they wait for miners and cost little else. Switches of
/// power on a ramp do not count, or a miner that does not answer would make others wait and then switch together.
const AT_ONCE: usize = 256;
/// Before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// After a restart nothing is switched on a ramp for this long: what was switched before is over then.
const AFTER_RESTART: Duration = Duration::from_secs(1);

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
        let (notes, writer) = notes(self.operations.clone());
        let work = Work::new(self.operations.clone(), self.specs, notes.clone());
        let hands =
            Arc::new(Hands { operations: self.operations, notes, work, slots: Arc::new(Semaphore::new(AT_ONCE)) });
        let mut changes = hands.operations.changes();
        let mut running = JoinSet::new();
        let mut in_hand = HashSet::new();
        let mut writing = JoinSet::new();
        writing.spawn(writer.run());
        loop {
            changes.borrow_and_update();
            let known = match hands.operations.store.running_operations().await {
                Ok(known) => known,
                Err(error) => {
                    error!(%error, "operations cannot be read; trying again");
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        Some(_) = writing.join_next() => break,
                        () = tokio::time::sleep(STORE_RETRY) => continue,
                    }
                }
            };
            for id in known {
                if in_hand.insert(id.clone()) {
                    let hands = hands.clone();
                    running.spawn(async move {
                        hands.operation(&id).await;
                        id
                    });
                }
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                // It ends with the last that takes notes, which is here.
                Some(_) = writing.join_next() => break,
                Some(ended) = running.join_next() => match ended {
                    Ok(id) => { in_hand.remove(&id); }
                    Err(_) => error!("an operation panicked; it is tried again at the next start; please report this"),
                },
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        running.shutdown().await;
        writing.shutdown().await;
    }
}

struct Hands {
    operations: Operations,
    notes: Notes,
    work: Work,
    slots: Arc<Semaphore>,
}

/// What a target is worked on for.
struct Order {
    number: i64,
    operation: Arc<Operation>,
}

impl Hands {
    async fn operation(self: Arc<Self>, id: &str) {
        let stored = match self.operations.store.operation(id, None).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return,
            Err(error) => {
                error!(operation.id = id, %error, "operation cannot be read; trying again");
                return tokio::time::sleep(STORE_RETRY).await;
            }
        };
        if stored.operation.state != OperationState::Running {
            return;
        }
        let targets = stored.operation.targets.len();
        let span = info_span!(parent: None, "operation.run", operation.id = id, targets);
        stored.trace_parent.adopt(&span);
        let power = |miner: &MinerName| self.operations.registry.get(miner)?.power();
        let operation = ramp::usual(stored.operation, self.operations.ramp, power);
        let order = Arc::new(Order { number: stored.number, operation: Arc::new(operation) });
        async {
            let mut targets = JoinSet::new();
            let all_stored = match ramp::of(&order.operation) {
                Ok(None) => self.all(&order, &mut targets).await,
                Ok(Some(ramp)) => {
                    self.slowly(&order, ramp, &mut targets).await;
                    true
                }
                Err(error) => self.refuse(&order, &error.to_string()).await,
            };
            wait_for(id, targets, all_stored).await;
        }
        .instrument(span)
        .await;
    }

    /// As many at a time as there are slots. `false` = one could not be stored; the next round goes on with the others.
    async fn all(self: &Arc<Self>, order: &Arc<Order>, targets: &mut JoinSet<Result<(), NotStored>>) -> bool {
        let open = |state| matches!(state, TargetState::Waiting | TargetState::Running);
        for target in order.operation.targets.iter().filter(|target| open(target.state)) {
            let Ok(slot) = self.slots.clone().acquire_owned().await else { break };
            // No more tasks are kept than are at work.
            while let Some(ended) = targets.try_join_next() {
                if !is_stored(&order.operation.id, &ended) {
                    return false;
                }
            }
            self.begin(order, target.miner.clone(), Some(slot), targets);
        }
        true
    }

    /// As the ramp allows. A target is written down as begun before it is switched, so that a restart switches none too soon.
    async fn slowly(
        self: &Arc<Self>,
        order: &Arc<Order>,
        mut ramp: Ramp,
        targets: &mut JoinSet<Result<(), NotStored>>,
    ) {
        let Operation { id, progress, .. } = &*order.operation;
        if progress.waiting < progress.total {
            tokio::time::sleep(AFTER_RESTART).await;
        }
        // Those that had begun are the first.
        let mut had_begun = usize::try_from(progress.running).unwrap_or(usize::MAX);
        // Not the time of day: a clock that is set back would stall the ramp, and one set ahead would double it.
        let begun = Instant::now();
        loop {
            let switching = ramp.step(begun.elapsed());
            had_begun = had_begun.saturating_sub(switching.now.len());
            for miner in switching.now {
                self.begin(order, miner, None, targets);
            }
            let Some(next) = switching.next else { return };
            tokio::time::sleep_until(begun + next).await;
            // Cancelled: nobody waits any more.
            if had_begun == 0
                && matches!(self.operations.store.operation_progress(id).await, Ok(progress) if progress.waiting == 0)
            {
                return;
            }
        }
    }

    /// Nothing can be switched so slowly; this was checked before it was stored. `false` = the refusal could not be stored.
    async fn refuse(&self, order: &Order, reason: &str) -> bool {
        error!(operation.id = order.operation.id, reason, "a stored ramp cannot be followed");
        let open = |state| matches!(state, TargetState::Waiting | TargetState::Running);
        for target in order.operation.targets.iter().filter(|target| open(target.state)) {
            let end = failed(code::FAILED_PRECONDITION, "RAMP", reason);
            if self.notes.note(order.number, &target.miner, Note::End(Box::new(end))).await.is_err() {
                return false;
            }
        }
        true
    }

    fn begin(
        self: &Arc<Self>,
        order: &Arc<Order>,
        miner: MinerName,
        slot: Option<OwnedSemaphorePermit>,
        targets: &mut JoinSet<Result<(), NotStored>>,
    ) {
        let (hands, order) = (self.clone(), order.clone());
        // A remote parent: the database's threads hold a span for a moment after it ended.
        let span = info_span!(
            parent: None, "operation.target",
            operation.id = order.operation.id, miner.name = %miner, error = tracing::field::Empty
        );
        TraceParent::current().adopt(&span);
        let work = async move {
            let result = hands.target(&order, &miner).await;
            drop(slot);
            result
        };
        targets.spawn(work.instrument(span));
    }

    async fn target(&self, order: &Order, name: &MinerName) -> Result<(), NotStored> {
        let Order { number, operation } = order;
        let begun = match self.notes.note(*number, name, Note::Begin).await? {
            Begun::Not => return Ok(()),
            begun => begun,
        };
        let end = self.work.act(*number, operation, name, begun).await?;
        match &end.outcome {
            Ok(_) => info!(operation.id = operation.id, miner.name = %name, "target succeeded"),
            Err(failure) => {
                tracing::Span::current().record("error", failure.message.as_str());
                info!(operation.id = operation.id, miner.name = %name, reason = failure.reason, "target failed");
            }
        }
        self.notes.note(*number, name, Note::End(Box::new(end))).await.map(|_| ())
    }
}

/// Waits for all targets; and then, once, for the store, if it failed with any.
async fn wait_for(id: &str, mut targets: JoinSet<Result<(), NotStored>>, mut all_stored: bool) {
    while let Some(ended) = targets.join_next().await {
        all_stored &= is_stored(id, &ended);
    }
    if !all_stored {
        tokio::time::sleep(STORE_RETRY).await;
    }
}

/// Whether the store took what became of a target.
fn is_stored(id: &str, ended: &Result<Result<(), NotStored>, tokio::task::JoinError>) -> bool {
    match ended {
        Ok(stored) => stored.is_ok(),
        Err(_) => {
            error!(operation.id = id, "a target panicked; please report this");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failed_store_is_waited_for_once_whatever_the_number_of_targets() {
        let mut targets = JoinSet::new();
        for target in 0..1000 {
            targets.spawn(async move { if target % 2 == 0 { Err(NotStored) } else { Ok(()) } });
        }
        let begun = Instant::now();
        wait_for("operation", targets, true).await;
        assert_eq!(begun.elapsed(), STORE_RETRY);
        wait_for("operation", JoinSet::new(), true).await;
        assert_eq!(begun.elapsed(), STORE_RETRY, "nothing failed");
        wait_for("operation", JoinSet::new(), false).await;
        assert_eq!(begun.elapsed(), STORE_RETRY * 2);
    }
}
