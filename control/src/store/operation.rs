//! Operations on disk: stored before they are answered, so that a control plane that was killed goes on with them.

use super::{Store, StoreError, Write, from_millis, millis};
use crate::{
    operation::{Action, Operation, OperationState, Phase, Target, TargetEnd, TargetState},
    trace::TraceParent,
};
use mujina_core::id::MinerName;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, Sqlite, sqlite::SqliteRow};
use std::time::{Duration, SystemTime};

/// Ended operations that are kept.
const HISTORY: i64 = 1000;

/// What the runner needs beside the operation.
#[derive(Debug, Clone)]
pub(crate) struct StoredOperation {
    /// Order of creation.
    pub(crate) number: i64,
    /// The operation.
    pub(crate) operation: Operation,
    /// The request that started it.
    pub(crate) trace_parent: TraceParent,
}

impl Store {
    pub(crate) async fn operation(&self, id: &str) -> Result<Option<StoredOperation>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let row = sqlx::query("SELECT * FROM operations WHERE id = ?").bind(id).fetch_optional(&mut *reader).await?;
        match row {
            Some(row) => Ok(Some(read(&mut reader, &row).await?)),
            None => Ok(None),
        }
    }

    /// Newest first, at most `most`, older than number `before`.
    pub(crate) async fn operations(
        &self,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<StoredOperation>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let rows = sqlx::query("SELECT * FROM operations WHERE number < ? ORDER BY number DESC LIMIT ?")
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&mut *reader)
            .await?;
        let mut found = Vec::new();
        for row in &rows {
            found.push(read(&mut reader, row).await?);
        }
        Ok(found)
    }

    /// Ids of those that have not ended, oldest first.
    pub(crate) async fn running_operations(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT id FROM operations WHERE state = ? ORDER BY number")
            .bind(text(&OperationState::Running)?)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }
}

impl Write {
    /// Stores a new operation and drops ended ones that are too old to matter.
    pub(crate) async fn insert_operation(
        &mut self,
        operation: &Operation,
        trace_parent: &TraceParent,
    ) -> Result<(), StoreError> {
        let Operation { id, action, state, targets, created_at, finished_at: _, trace_id: _ } = operation;
        let number =
            sqlx::query("INSERT INTO operations (id, action, state, created_at, trace_parent) VALUES (?, ?, ?, ?, ?)")
                .bind(id)
                .bind(json(action)?)
                .bind(text(state)?)
                .bind(millis(*created_at))
                .bind(trace_parent.to_string())
                .execute(&mut *self.0)
                .await?
                .last_insert_rowid();
        for Target { miner, state, .. } in targets {
            sqlx::query("INSERT INTO operation_targets (operation, miner, state) VALUES (?, ?, ?)")
                .bind(number)
                .bind(miner.as_str())
                .bind(text(state)?)
                .execute(&mut *self.0)
                .await?;
        }
        sqlx::query("DELETE FROM operations WHERE number <= ? AND state <> ?")
            .bind(number.saturating_sub(HISTORY))
            .bind(text(&OperationState::Running)?)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Notes that work on a target begins or goes on; `false` when it may not (cancelled) or has ended.
    pub(crate) async fn begin_target(&mut self, operation: i64, miner: &MinerName) -> Result<bool, StoreError> {
        let begun = sqlx::query(
            "UPDATE operation_targets SET state = ?1, started_at = coalesce(started_at, ?2)
             WHERE operation = ?3 AND miner = ?4 AND state IN (?1, ?5)",
        )
        .bind(text(&TargetState::Running)?)
        .bind(millis(SystemTime::now()))
        .bind(operation)
        .bind(miner.as_str())
        .bind(text(&TargetState::Waiting)?)
        .execute(&mut *self.0)
        .await?;
        Ok(begun.rows_affected() > 0)
    }

    /// Notes the phases that ended.
    pub(crate) async fn set_phases(
        &mut self,
        operation: i64,
        miner: &MinerName,
        phases: &[Phase],
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE operation_targets SET phases = ? WHERE operation = ? AND miner = ?")
            .bind(json(phases)?)
            .bind(operation)
            .bind(miner.as_str())
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Notes how a target ended, and the operation with its last one.
    pub(crate) async fn end_target(
        &mut self,
        operation: i64,
        miner: &MinerName,
        end: &TargetEnd,
    ) -> Result<(), StoreError> {
        let (state, failure, result) = match end {
            TargetEnd::Succeeded(result) => (TargetState::Succeeded, None, result.as_ref().map(json).transpose()?),
            TargetEnd::Failed(failure) => (TargetState::Failed, Some(json(failure)?), None),
        };
        sqlx::query(
            "UPDATE operation_targets SET state = ?, failure = ?, result = ?, elapsed_ms = max(? - started_at, 0)
             WHERE operation = ? AND miner = ?",
        )
        .bind(text(&state)?)
        .bind(failure)
        .bind(result)
        .bind(millis(SystemTime::now()))
        .bind(operation)
        .bind(miner.as_str())
        .execute(&mut *self.0)
        .await?;
        self.finish_operation(operation).await
    }

    /// Skips the targets that have not started; `false` when the operation does not exist.
    pub(crate) async fn cancel_operation(&mut self, id: &str) -> Result<bool, StoreError> {
        let row =
            sqlx::query("SELECT number FROM operations WHERE id = ?").bind(id).fetch_optional(&mut *self.0).await?;
        let Some(row) = row else { return Ok(false) };
        let number: i64 = row.try_get(0)?;
        let skipped = sqlx::query("UPDATE operation_targets SET state = ? WHERE operation = ? AND state = ?")
            .bind(text(&TargetState::Skipped)?)
            .bind(number)
            .bind(text(&TargetState::Waiting)?)
            .execute(&mut *self.0)
            .await?;
        if skipped.rows_affected() > 0 {
            sqlx::query("UPDATE operations SET cancelled = 1 WHERE number = ?")
                .bind(number)
                .execute(&mut *self.0)
                .await?;
        }
        self.finish_operation(number).await?;
        Ok(true)
    }

    /// Ends the operation when no target is left to work on.
    async fn finish_operation(&mut self, number: i64) -> Result<(), StoreError> {
        let rows = sqlx::query("SELECT state FROM operation_targets WHERE operation = ?")
            .bind(number)
            .fetch_all(&mut *self.0)
            .await?;
        let states = rows.iter().map(|row| parse(row.try_get(0)?)).collect::<Result<Vec<_>, _>>()?;
        let state = OperationState::of(&states);
        if state == OperationState::Running {
            return Ok(());
        }
        sqlx::query("UPDATE operations SET state = ?, finished_at = coalesce(finished_at, ?) WHERE number = ?")
            .bind(text(&state)?)
            .bind(millis(SystemTime::now()))
            .bind(number)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }
}

async fn read(connection: &mut sqlx::SqliteConnection, row: &SqliteRow) -> Result<StoredOperation, StoreError> {
    let number: i64 = row.try_get("number")?;
    let rows = sqlx::query::<Sqlite>("SELECT * FROM operation_targets WHERE operation = ? ORDER BY miner")
        .bind(number)
        .fetch_all(connection)
        .await?;
    let trace_parent = TraceParent::parse(row.try_get("trace_parent")?);
    let action: String = row.try_get("action")?;
    let operation = Operation {
        id: row.try_get("id")?,
        action: from_json::<Action>(&action)?,
        state: parse(row.try_get("state")?)?,
        targets: rows.iter().map(read_target).collect::<Result<_, _>>()?,
        created_at: from_millis(row.try_get("created_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(from_millis),
        trace_id: trace_parent.trace_id(),
    };
    Ok(StoredOperation { number, operation, trace_parent })
}

fn read_target(row: &SqliteRow) -> Result<Target, StoreError> {
    let miner: String = row.try_get("miner")?;
    let (phases, failure, result): (String, Option<String>, Option<String>) =
        (row.try_get("phases")?, row.try_get("failure")?, row.try_get("result")?);
    let elapsed: Option<i64> = row.try_get("elapsed_ms")?;
    Ok(Target {
        miner: miner.parse().map_err(|_| StoreError::corrupt("a target of an operation"))?,
        state: parse(row.try_get("state")?)?,
        phases: from_json(&phases)?,
        failure: failure.as_deref().map(from_json).transpose()?,
        result: result.as_deref().map(from_json).transpose()?,
        elapsed: elapsed.map(|millis| Duration::from_millis(super::counted(millis))),
    })
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::corrupt("a value"))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::corrupt("an operation"))
}

/// The bare name of a unit variant.
fn text<T: Serialize>(state: &T) -> Result<String, StoreError> {
    Ok(json(state)?.trim_matches('"').to_owned())
}

fn parse<T: DeserializeOwned>(name: &str) -> Result<T, StoreError> {
    from_json(&format!("\"{name}\""))
}
