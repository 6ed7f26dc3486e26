//! What of the operations a caller sees: those targets that are miners it may see, and operations with such a target.

use crate::{
    access::{Caller, Permission},
    operation::{Operation, OperationError, Operations, Progress, Target},
    registry::Registry,
};

/// Operations, as one caller sees them.
pub(super) struct Shown {
    registry: Registry,
    operations: Operations,
    caller: Caller,
}

impl Shown {
    pub(super) fn new(registry: Registry, operations: Operations, caller: Caller) -> Self {
        Self { registry, operations, caller }
    }

    /// Whether it sees all miners, those included that are no longer known.
    fn is_whole(&self) -> bool {
        self.caller.may(Permission::Read, None).is_ok()
    }

    /// The operation with those of its targets that the caller sees; `None` = it sees none. All of them must be there.
    pub(super) fn filtered(&self, mut operation: Operation) -> Option<Operation> {
        if self.is_whole() {
            return Some(operation);
        }
        let is_seen =
            |target: &Target| self.registry.get(&target.miner).is_some_and(|miner| self.caller.sees(&miner.labels()));
        operation.targets.retain(is_seen);
        operation.progress = Progress::of(&operation.targets);
        (!operation.targets.is_empty()).then_some(operation)
    }

    /// One, with all targets that the caller sees.
    pub(super) async fn get(&self, id: &str) -> Result<Operation, OperationError> {
        let operation = self.operations.get(id).await?;
        self.filtered(operation).ok_or_else(|| OperationError::Unknown(id.into()))
    }

    /// One, with those targets alone that were written after a revision; with all of them after none.
    pub(super) async fn since(&self, id: &str, revision: Option<u64>) -> Result<Operation, OperationError> {
        if self.is_whole() {
            return self.operations.since(id, revision).await;
        }
        // What is counted are the targets that are seen, so all of them are needed.
        let mut operation = self.get(id).await?;
        operation.targets.retain(|target| revision.is_none_or(|revision| target.revision > revision));
        Ok(operation)
    }

    /// A page of operations without their targets, and the number to go on from.
    pub(super) async fn list(
        &self,
        before: Option<i64>,
        most: usize,
    ) -> Result<(Vec<Operation>, Option<i64>), OperationError> {
        let mut found = self.operations.list(before, most + 1).await?;
        let has_more = found.len() > most;
        found.truncate(most);
        let next = found.last().filter(|_| has_more).map(|(number, _)| *number);
        let mut seen = Vec::new();
        for (_, operation) in found {
            if self.is_whole() {
                seen.push(operation);
            } else if let Some(operation) = self.filtered(self.operations.get(&operation.id).await?) {
                seen.push(Operation { targets: Vec::new(), ..operation });
            }
        }
        Ok((seen, next))
    }
}
