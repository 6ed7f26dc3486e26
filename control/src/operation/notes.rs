//! Writes down how far targets are: many of them in one transaction, because each costs a write to the disk.
//!
//! Whoever notes something waits until it is stored. What is noted while one transaction is on its way goes into the next,
//! so a thousand targets need a few tens of transactions and one needs its own at once.

use super::{Operations, Phase, TargetEnd};
use crate::store::StoreError;
use mujina_core::id::MinerName;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

/// Notes of one transaction: more would keep others from the database for too long.
const AT_ONCE: usize = 512;

/// What is noted of a target.
#[derive(Debug)]
pub(crate) enum Note {
    /// Work on it begins or goes on.
    Begin,
    /// Phases that ended.
    Phases(Vec<Phase>),
    /// It ended.
    End(Box<TargetEnd>),
}

/// Whether a target may be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// For the first time.
    First,
    /// It had begun before; nobody knows how far that came.
    Again,
    /// It ended, or may not start any more.
    Not,
}

/// It could not be stored. Why, the writer has told.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the state of an operation cannot be stored; trying again")]
pub(super) struct NotStored;

struct Item {
    operation: i64,
    miner: MinerName,
    note: Note,
    stored: oneshot::Sender<Result<Begun, NotStored>>,
}

/// Takes notes.
#[derive(Debug, Clone)]
pub(super) struct Notes(mpsc::Sender<Item>);

/// Stores them.
pub(super) struct Writer {
    operations: Operations,
    items: mpsc::Receiver<Item>,
}

/// Both ends.
pub(super) fn notes(operations: Operations) -> (Notes, Writer) {
    // As many as two transactions take; whoever finds it full waits, which slows down the work and nothing else.
    let (sender, items) = mpsc::channel(2 * AT_ONCE);
    (Notes(sender), Writer { operations, items })
}

impl Notes {
    /// Notes something of a target; answers when it is on disk.
    pub(super) async fn note(&self, operation: i64, miner: &MinerName, note: Note) -> Result<Begun, NotStored> {
        let (stored, is_stored) = oneshot::channel();
        let item = Item { operation, miner: miner.clone(), note, stored };
        self.0.send(item).await.map_err(|_| NotStored)?;
        is_stored.await.map_err(|_| NotStored)?
    }
}

impl Writer {
    /// Runs until nobody takes notes any more.
    pub(super) async fn run(mut self) {
        let mut items = Vec::new();
        while self.items.recv_many(&mut items, AT_ONCE).await > 0 {
            let stored = self.store(&items).await;
            if let Err(error) = &stored {
                error!(
                    error = error as &(dyn std::error::Error + 'static),
                    notes = items.len(),
                    "operations are not stored"
                );
            } else {
                self.operations.changed();
            }
            let mut answers = stored.ok().map(Vec::into_iter);
            for item in items.drain(..) {
                let answer = answers.as_mut().and_then(Iterator::next);
                // Whoever asked may be gone.
                let _ = item.stored.send(answer.ok_or(NotStored));
            }
        }
    }

    async fn store(&self, items: &[Item]) -> Result<Vec<Begun>, StoreError> {
        let mut write = self.operations.store.write().await?;
        let mut answers = Vec::with_capacity(items.len());
        for operation in items.iter().map(|item| item.operation).collect::<BTreeSet<_>>() {
            write.next_revision(operation).await?;
        }
        let mut ended = BTreeSet::new();
        for Item { operation, miner, note, stored: _ } in items {
            answers.push(match note {
                Note::Begin => write.begin_target(*operation, miner).await?,
                Note::Phases(phases) => {
                    write.set_phases(*operation, miner, phases).await?;
                    Begun::Not
                }
                Note::End(end) => {
                    write.end_target(*operation, miner, end).await?;
                    ended.insert(*operation);
                    Begun::Not
                }
            });
        }
        for operation in ended {
            write.finish_operation(operation).await?;
        }
        write.commit().await?;
        Ok(answers)
    }
}
