//! Writes down how far targets are, those of many together.

use super::{Operations, Phase, TargetEnd};
use crate::store::{Hand, NotStored, StoreError, Together, Write, Writer, together};
use mujina_core::id::MinerName;
use std::collections::BTreeSet;

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

/// A note of one target of one operation.
pub(crate) struct Item {
    operation: i64,
    miner: MinerName,
    note: Note,
}

/// Takes notes.
#[derive(Debug, Clone)]
pub(super) struct Notes(Hand<Operations>);

/// Both ends.
pub(super) fn notes(operations: Operations) -> (Notes, Writer<Operations>) {
    let (hand, writer) = together(operations.store.clone(), operations);
    (Notes(hand), writer)
}

impl Notes {
    /// Notes something of a target; answers when it is on disk.
    pub(super) async fn note(&self, operation: i64, miner: &MinerName, note: Note) -> Result<Begun, NotStored> {
        self.0.store(Item { operation, miner: miner.clone(), note }).await
    }
}

impl Together for Operations {
    type Item = Item;
    type Answer = Begun;
    const WHAT: &'static str = "the state of operations";
    const MOST: usize = 512;

    async fn store(&self, write: &mut Write, items: &[Item]) -> Result<Vec<Begun>, StoreError> {
        let mut answers = Vec::with_capacity(items.len());
        for operation in items.iter().map(|item| item.operation).collect::<BTreeSet<_>>() {
            write.next_revision(operation).await?;
        }
        let mut ended = BTreeSet::new();
        for Item { operation, miner, note } in items {
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
        Ok(answers)
    }

    fn stored(&self) {
        self.changed();
    }
}
