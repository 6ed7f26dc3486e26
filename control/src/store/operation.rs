//! Operations on disk: stored before they are answered, so that a control plane that was killed goes on with them.
//!
//! How many targets are how far is counted by the database itself, with each change of a target.

mod bundle;

use super::{Store, StoreError, Write, count, counted, from_millis, millis};
use crate::{
    operation::{Action, Begun, Operation, OperationState, Phase, Progress, Target, TargetEnd, TargetState},
    trace::TraceParent,
};
use mujina_core::{id::MinerName, units::Watts};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, Sqlite, SqliteConnection, sqlite::SqliteRow};
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
    /// One, with those targets that were written after a revision; with all of them after none.
    pub(crate) async fn operation(
        &self,
        id: &str,
        revision: Option<u64>,
    ) -> Result<Option<StoredOperation>, StoreError> {
        // One moment for the operation and its targets.
        let mut moment = self.readers.begin().await?;
        let row = sqlx::query("SELECT * FROM operations WHERE id = ?").bind(id).fetch_optional(&mut *moment).await?;
        let Some(row) = row else { return Ok(None) };
        let mut stored = read(&mut moment, &row).await?;
        let query = if revision.is_none() {
            "SELECT * FROM operation_targets WHERE operation = ?1 AND revision > ?2 ORDER BY miner"
        } else {
            "SELECT * FROM operation_targets INDEXED BY operation_targets_by_revision
             WHERE operation = ?1 AND revision > ?2 ORDER BY miner"
        };
        let after = revision.map_or(-1, count);
        let rows = sqlx::query(query).bind(stored.number).bind(after).fetch_all(&mut *moment).await?;
        stored.operation.targets = rows.iter().map(read_target).collect::<Result<_, _>>()?;
        Ok(Some(stored))
    }

    /// How far the targets of one are.
    pub(crate) async fn operation_progress(&self, id: &str) -> Result<Progress, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let row = sqlx::query("SELECT number FROM operations WHERE id = ?").bind(id).fetch_one(&mut *reader).await?;
        progress(&mut reader, row.try_get(0)?).await
    }

    /// Newest first, at most `most`, older than number `before`, without their targets.
    pub(crate) async fn operations(
        &self,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<StoredOperation>, StoreError> {
        let mut moment = self.readers.begin().await?;
        let rows = sqlx::query("SELECT * FROM operations WHERE number < ? ORDER BY number DESC LIMIT ?")
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&mut *moment)
            .await?;
        let mut found = Vec::new();
        for row in &rows {
            found.push(read(&mut moment, row).await?);
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
        let Operation {
            id,
            action,
            state,
            targets,
            progress: _,
            created_at,
            finished_at: _,
            trace_id: _,
            created_by,
            ramp,
            retry_of,
            revision,
        } = operation;
        let number = sqlx::query(
            "INSERT INTO operations (id, action, state, created_at, trace_parent, created_by, ramp_watts, retry_of, revision)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(json(action)?)
        .bind(text(state)?)
        .bind(millis(*created_at))
        .bind(trace_parent.to_string())
        .bind(created_by)
        .bind(ramp.map_or(0.0, Watts::watts))
        .bind(retry_of)
        .bind(count(*revision))
        .execute(&mut *self.transaction)
        .await?
        .last_insert_rowid();
        // One statement, for there may be a hundred thousand.
        let listed: Vec<_> = targets
            .iter()
            .map(|Target { miner, power, .. }| (miner.as_str(), power.map_or(0.0, Watts::watts)))
            .collect();
        sqlx::query(
            "INSERT INTO operation_targets (operation, miner, state, watts)
             SELECT ?1, value ->> 0, ?2, value ->> 1 FROM json_each(?3)",
        )
        .bind(number)
        .bind(text(&TargetState::Waiting)?)
        .bind(json(&listed)?)
        .execute(&mut *self.transaction)
        .await?;
        sqlx::query("DELETE FROM operations WHERE number <= ? AND state <> ?")
            .bind(number.saturating_sub(HISTORY))
            .bind(text(&OperationState::Running)?)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Begins a revision: targets that are written from here on carry it.
    pub(crate) async fn next_revision(&mut self, operation: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE operations SET revision = revision + 1 WHERE number = ?")
            .bind(operation)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Notes that work on a target begins or goes on, unless it may not (cancelled) or has ended.
    pub(crate) async fn begin_target(&mut self, operation: i64, miner: &MinerName) -> Result<Begun, StoreError> {
        let begun = sqlx::query(
            "UPDATE operation_targets SET state = ?1, started_at = ?2,
                 revision = (SELECT revision FROM operations WHERE number = ?3)
             WHERE operation = ?3 AND miner = ?4 AND state = ?5",
        )
        .bind(text(&TargetState::Running)?)
        .bind(millis(SystemTime::now()))
        .bind(operation)
        .bind(miner.as_str())
        .bind(text(&TargetState::Waiting)?)
        .execute(&mut *self.transaction)
        .await?;
        if begun.rows_affected() > 0 {
            return Ok(Begun::First);
        }
        let goes_on = sqlx::query("SELECT 1 FROM operation_targets WHERE operation = ? AND miner = ? AND state = ?")
            .bind(operation)
            .bind(miner.as_str())
            .bind(text(&TargetState::Running)?)
            .fetch_optional(&mut *self.transaction)
            .await?;
        Ok(if goes_on.is_some() { Begun::Again } else { Begun::Not })
    }

    /// Notes the phases that ended.
    pub(crate) async fn set_phases(
        &mut self,
        operation: i64,
        miner: &MinerName,
        phases: &[Phase],
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE operation_targets SET phases = ?1, revision = (SELECT revision FROM operations WHERE number = ?2)
             WHERE operation = ?2 AND miner = ?3",
        )
        .bind(json(phases)?)
        .bind(operation)
        .bind(miner.as_str())
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Notes how a target ended. The operation is finished by [`Write::finish_operation`].
    pub(crate) async fn end_target(
        &mut self,
        operation: i64,
        miner: &MinerName,
        end: &TargetEnd,
    ) -> Result<(), StoreError> {
        let TargetEnd { outcome, detail, bundle } = end;
        let (state, failure, result) = match outcome {
            Ok(result) => (TargetState::Succeeded, None, result.as_ref().map(json).transpose()?),
            Err(failure) => (TargetState::Failed, Some(json(failure)?), None),
        };
        let now = SystemTime::now();
        sqlx::query(
            "UPDATE operation_targets SET state = ?1, failure = ?2, result = ?3, detail = ?4,
                 elapsed_ms = max(?5 - coalesce(started_at, ?5), 0),
                 revision = (SELECT revision FROM operations WHERE number = ?6)
             WHERE operation = ?6 AND miner = ?7",
        )
        .bind(text(&state)?)
        .bind(failure)
        .bind(result)
        .bind(detail)
        .bind(millis(now))
        .bind(operation)
        .bind(miner.as_str())
        .execute(&mut *self.transaction)
        .await?;
        match bundle {
            Some(bundle) => self.insert_bundle(operation, miner, bundle, now).await,
            None => Ok(()),
        }
    }

    /// Skips the targets that have not started and says how many; `None` when the operation does not exist.
    pub(crate) async fn cancel_operation(&mut self, id: &str) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT number FROM operations WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *self.transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let number: i64 = row.try_get(0)?;
        self.next_revision(number).await?;
        let skipped = sqlx::query(
            "UPDATE operation_targets SET state = ?1, revision = (SELECT revision FROM operations WHERE number = ?2)
             WHERE operation = ?2 AND state = ?3",
        )
        .bind(text(&TargetState::Skipped)?)
        .bind(number)
        .bind(text(&TargetState::Waiting)?)
        .execute(&mut *self.transaction)
        .await?
        .rows_affected();
        if skipped > 0 {
            sqlx::query("UPDATE operations SET cancelled = 1 WHERE number = ?")
                .bind(number)
                .execute(&mut *self.transaction)
                .await?;
        }
        self.finish_operation(number).await?;
        Ok(Some(skipped))
    }

    /// Ends the operation when no target is left to work on.
    pub(crate) async fn finish_operation(&mut self, number: i64) -> Result<(), StoreError> {
        let state = OperationState::of(&progress(&mut self.transaction, number).await?);
        if state == OperationState::Running {
            return Ok(());
        }
        sqlx::query("UPDATE operations SET state = ?, finished_at = coalesce(finished_at, ?) WHERE number = ?")
            .bind(text(&state)?)
            .bind(millis(SystemTime::now()))
            .bind(number)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}

/// An operation without its targets.
async fn read(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<StoredOperation, StoreError> {
    let number: i64 = row.try_get("number")?;
    let trace_parent = TraceParent::parse(row.try_get("trace_parent")?);
    let action: String = row.try_get("action")?;
    let ramp: f64 = row.try_get("ramp_watts")?;
    let operation = Operation {
        id: row.try_get("id")?,
        action: from_json::<Action>(&action)?,
        state: parse(row.try_get("state")?)?,
        targets: Vec::new(),
        progress: progress(connection, number).await?,
        created_at: from_millis(row.try_get("created_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(from_millis),
        trace_id: trace_parent.trace_id(),
        created_by: row.try_get("created_by")?,
        ramp: (ramp > 0.0).then(|| Watts::from_watts(ramp)),
        retry_of: row.try_get("retry_of")?,
        revision: counted(row.try_get("revision")?),
    };
    Ok(StoredOperation { number, operation, trace_parent })
}

async fn progress(connection: &mut SqliteConnection, number: i64) -> Result<Progress, StoreError> {
    let rows = sqlx::query::<Sqlite>("SELECT state, targets FROM operation_counts WHERE operation = ?")
        .bind(number)
        .fetch_all(connection)
        .await?;
    let mut progress = Progress::default();
    for row in &rows {
        let targets: i64 = row.try_get("targets")?;
        progress.add(parse(row.try_get("state")?)?, u32::try_from(targets).unwrap_or_default());
    }
    Ok(progress)
}

fn read_target(row: &SqliteRow) -> Result<Target, StoreError> {
    let miner: String = row.try_get("miner")?;
    let (phases, failure, result): (String, Option<String>, Option<String>) =
        (row.try_get("phases")?, row.try_get("failure")?, row.try_get("result")?);
    let elapsed: Option<i64> = row.try_get("elapsed_ms")?;
    let watts: f64 = row.try_get("watts")?;
    Ok(Target {
        miner: miner.parse().map_err(|_| StoreError::corrupt("a target of an operation"))?,
        state: parse(row.try_get("state")?)?,
        phases: from_json(&phases)?,
        failure: failure.as_deref().map(from_json).transpose()?,
        result: result.as_deref().map(from_json).transpose()?,
        elapsed: elapsed.map(|millis| Duration::from_millis(counted(millis))),
        detail: row.try_get("detail")?,
        power: (watts > 0.0).then(|| Watts::from_watts(watts)),
        revision: counted(row.try_get("revision")?),
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

#[cfg(test)]
mod tests;
