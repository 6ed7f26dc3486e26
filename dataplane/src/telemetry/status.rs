//! Puts the status tree together from what the parts publish. `assemble` is pure but for its memory of since when things are
//! as they are; the publisher feeds it.

mod assemble;

use super::lifetime::Lifetimes;
use crate::{backplane::BoardReports, identity::Identity, scheduler, source};
use assemble::{Assembler, Seen};
use mujina_core::{spec::SpecState, status::MinerStatus};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Shortest time between two trees: people and watchers need no more.
const SHORTEST: Duration = Duration::from_millis(250);

/// Everything that a status is made of.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) scheduler: watch::Receiver<Arc<scheduler::Snapshot>>,
    pub(super) source: watch::Receiver<Arc<source::Snapshot>>,
    pub(super) spec: watch::Receiver<Arc<SpecState>>,
    pub(super) storage: watch::Receiver<Option<String>>,
    pub(super) lifetimes: watch::Receiver<Option<Arc<Lifetimes>>>,
    pub(super) boards: watch::Receiver<Arc<BoardReports>>,
}

/// The task that publishes.
pub(super) struct Publisher {
    sources: Sources,
    assembler: Assembler,
    status: watch::Sender<Arc<MinerStatus>>,
}

impl Publisher {
    pub(super) fn new(identity: Identity, mut sources: Sources) -> (Self, watch::Receiver<Arc<MinerStatus>>) {
        let mut assembler = Assembler::new(identity);
        let first = assemble_now(&mut assembler, &mut sources, false);
        let (status, watched) = watch::channel(Arc::new(first));
        (Self { sources, assembler, status }, watched)
    }

    /// Publishes after every change until `cancel`, at once when the spec changed, then once more.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        let mut not_before = Instant::now();
        let mut mining_ends = false;
        loop {
            let changed = async {
                if mining_ends {
                    // Its last word was said; only the stop is left.
                    return std::future::pending().await;
                }
                let Sources { scheduler, source, spec, storage, lifetimes, boards } = &mut self.sources;
                let others = async {
                    sleep_until(not_before).await;
                    tokio::select! {
                        changed = scheduler.changed() => changed.is_err(),
                        changed = source.changed() => changed.is_err(),
                        Ok(()) = storage.changed() => false,
                        Ok(()) = lifetimes.changed() => false,
                        Ok(()) = boards.changed() => false,
                    }
                };
                // Who changes the spec looks at once.
                tokio::select! {
                    changed = spec.changed() => changed.is_err(),
                    ended = others => ended,
                }
            };
            let stops = tokio::select! {
                () = cancel.cancelled() => true,
                ended = changed => {
                    mining_ends = ended;
                    false
                }
            };
            let status = assemble_now(&mut self.assembler, &mut self.sources, stops || mining_ends);
            self.status.send_replace(Arc::new(status));
            if stops {
                return;
            }
            not_before = Instant::now() + SHORTEST;
        }
    }
}

fn assemble_now(assembler: &mut Assembler, sources: &mut Sources, stopping: bool) -> MinerStatus {
    let Sources { scheduler, source, spec, storage, lifetimes, boards } = sources;
    // Cloned, not borrowed: whoever holds a watched value keeps its publisher waiting, and these publish on the thread that
    // mines.
    let (scheduler, source) = (scheduler.borrow_and_update().clone(), source.borrow_and_update().clone());
    let (spec, storage) = (spec.borrow_and_update().clone(), storage.borrow_and_update().clone());
    let (lifetimes, boards) = (lifetimes.borrow_and_update().clone(), boards.borrow_and_update().clone());
    let seen = Seen {
        scheduler: &scheduler,
        source: &source,
        spec: &spec,
        storage: storage.as_deref(),
        lifetimes: lifetimes.as_deref(),
        boards: &boards,
        stopping,
    };
    assembler.assemble(&seen, SystemTime::now())
}
