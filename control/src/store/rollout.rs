//! Rollouts on disk: written down before anything is done, so that a control plane that was killed goes on with them.
//!
//! Targets lie in rows of their own, and only those that changed are written. Every write names the revision that it was
//! made from; who holds an older one writes nothing, so that two processes never drive the same rollout.

use super::{
    Store, StoreError, Write, count, counted, fragment, from_millis, millis,
    remember::{read_profile, write_profile},
};
use crate::{
    access::{Permission, content},
    profile::{Busy, Fragment, Profile},
    rollout::{Approvals, Course, Rollout, Status, Target},
    trace::TraceParent,
};
use mujina_core::id::{MinerName, ProfileName};
use serde::Serialize;
use sqlx::{Row, Sqlite, sqlite::SqliteRow};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

/// Ended rollouts that are kept.
const HISTORY: i64 = 200;

/// A rollout with what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRollout {
    /// Order of creation.
    pub number: i64,
    /// Counts the writes.
    pub revision: u64,
    /// What is wanted of every target.
    pub change: Fragment,
    /// The profile that is stored when all waves held, with the etag of the one that it replaces; `change` is what it says.
    pub profile: Option<Profile>,
    /// What somebody must be permitted who lets it change miners.
    pub needs: BTreeSet<Permission>,
    /// Who approved it.
    pub approvals: Approvals,
    /// Who planned it.
    pub created_by: String,
    /// How far it is.
    pub rollout: Rollout,
    /// When it was planned.
    pub created_at: SystemTime,
    /// The request that asked for it.
    pub trace_parent: TraceParent,
}

/// A rollout that is new.
#[derive(Debug, Clone)]
pub struct PlannedRollout {
    /// The plan.
    pub rollout: Rollout,
    /// What is wanted of every target.
    pub change: Fragment,
    /// See [`StoredRollout`].
    pub profile: Option<Profile>,
    /// See [`StoredRollout`].
    pub needs: BTreeSet<Permission>,
    /// How many must approve it.
    pub approvals: Approvals,
    /// When it was planned.
    pub created_at: SystemTime,
    /// Who planned it.
    pub created_by: String,
    /// The request that asked for it.
    pub trace_parent: TraceParent,
}

impl Store {
    /// One rollout.
    pub async fn rollout(&self, id: &str) -> Result<Option<StoredRollout>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let row = sqlx::query("SELECT * FROM rollouts WHERE id = ?").bind(id).fetch_optional(&mut *reader).await?;
        match row {
            Some(row) => Ok(Some(read(&mut reader, &row).await?)),
            None => Ok(None),
        }
    }

    /// One rollout, and the targets that were written after a revision; all of them after none.
    pub async fn rollout_since(
        &self,
        id: &str,
        revision: Option<u64>,
    ) -> Result<Option<(StoredRollout, BTreeSet<MinerName>)>, StoreError> {
        // One moment for the rollout and what was written.
        let mut moment = self.readers.begin().await?;
        let row = sqlx::query("SELECT * FROM rollouts WHERE id = ?").bind(id).fetch_optional(&mut *moment).await?;
        let Some(row) = row else { return Ok(None) };
        let stored = read(&mut moment, &row).await?;
        let rows = sqlx::query("SELECT miner FROM rollout_targets WHERE rollout = ? AND revision > ?")
            .bind(stored.number)
            .bind(revision.map_or(-1, count))
            .fetch_all(&mut *moment)
            .await?;
        let written = rows.iter().map(name).collect::<Result<_, _>>()?;
        Ok(Some((stored, written)))
    }

    /// Newest first, at most `most`, older than number `before`.
    pub async fn rollouts(&self, before: Option<i64>, most: usize) -> Result<Vec<StoredRollout>, StoreError> {
        let mut reader = self.readers.acquire().await?;
        let rows = sqlx::query("SELECT * FROM rollouts WHERE number < ? ORDER BY number DESC LIMIT ?")
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

    /// Ids of those that have begun and not ended, oldest first.
    pub async fn open_rollouts(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT id FROM rollouts WHERE status NOT IN ('planned', 'finished') ORDER BY number")
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }
}

impl Write {
    /// Stores a new rollout, and drops ended ones that are too old to matter.
    pub async fn insert_rollout(&mut self, planned: PlannedRollout) -> Result<StoredRollout, StoreError> {
        let PlannedRollout { rollout, change, profile, needs, approvals, created_at, created_by, trace_parent } =
            planned;
        let Rollout { course, targets } = &rollout;
        let said = profile.as_ref().map(write_profile).transpose()?.unwrap_or_default();
        let number = sqlx::query(
            "INSERT INTO rollouts (id, change, course, status, revision, created_at, trace_parent, profile, created_by, needs,
                 approvals_needed, approvals)
             VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&course.id)
        .bind(fragment::write(&change)?)
        .bind(json(course)?)
        .bind(course.status.name())
        .bind(millis(created_at))
        .bind(trace_parent.to_string())
        .bind(said)
        .bind(&created_by)
        .bind(json(&needs)?)
        .bind(approvals.needed)
        .bind(json(&approvals.given)?)
        .execute(&mut *self.transaction)
        .await?
        .last_insert_rowid();
        self.put_targets(number, 1, targets.iter()).await?;
        sqlx::query("DELETE FROM rollouts WHERE number <= ? AND status = 'finished'")
            .bind(number.saturating_sub(HISTORY))
            .execute(&mut *self.transaction)
            .await?;
        Ok(StoredRollout {
            number,
            revision: 1,
            change,
            profile,
            needs,
            approvals,
            created_by,
            rollout,
            created_at,
            trace_parent,
        })
    }

    /// One rollout, as it is for the rest of this write.
    pub async fn rollout(&mut self, id: &str) -> Result<Option<StoredRollout>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM rollouts WHERE id = ?").bind(id).fetch_optional(&mut *self.transaction).await?;
        match row {
            Some(row) => Ok(Some(read(&mut self.transaction, &row).await?)),
            None => Ok(None),
        }
    }

    /// The miners of rollouts that have begun and not ended.
    pub(crate) async fn miners_in_rollouts(&mut self) -> Result<Busy, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT miner FROM rollout_targets JOIN rollouts ON rollouts.number = rollout
             WHERE status NOT IN ('planned', 'finished')",
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        rows.iter().map(name).collect()
    }

    /// The rollout that brings a profile, if one that has begun and not ended does.
    pub(crate) async fn rollout_of_profile(&mut self, name: &ProfileName) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT id FROM rollouts WHERE status NOT IN ('planned', 'finished') AND profile <> ''
             AND json_extract(profile, '$.name') = ?",
        )
        .bind(name.as_str())
        .fetch_optional(&mut *self.transaction)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Writes down who approved a plan; `None` when somebody wrote since `before` was read, and then nothing is written.
    pub async fn save_approvals(
        &mut self,
        before: &StoredRollout,
        approvals: Approvals,
    ) -> Result<Option<StoredRollout>, StoreError> {
        let written =
            sqlx::query("UPDATE rollouts SET approvals = ?, revision = revision + 1 WHERE number = ? AND revision = ?")
                .bind(json(&approvals.given)?)
                .bind(before.number)
                .bind(count(before.revision))
                .execute(&mut *self.transaction)
                .await?;
        let revision = before.revision.saturating_add(1);
        Ok((written.rows_affected() > 0).then(|| StoredRollout { revision, approvals, ..before.clone() }))
    }

    /// Writes down how far a rollout is; `None` when somebody wrote since `before` was read, and then nothing is written.
    pub async fn save_rollout(
        &mut self,
        before: &StoredRollout,
        after: &Rollout,
    ) -> Result<Option<StoredRollout>, StoreError> {
        let finished_at = match &after.course.status {
            Status::Finished { at, .. } => Some(millis(*at)),
            _ => None,
        };
        let written = sqlx::query(
            "UPDATE rollouts SET course = ?, status = ?, finished_at = ?, revision = revision + 1
             WHERE number = ? AND revision = ?",
        )
        .bind(json(&after.course)?)
        .bind(after.course.status.name())
        .bind(finished_at)
        .bind(before.number)
        .bind(count(before.revision))
        .execute(&mut *self.transaction)
        .await?;
        if written.rows_affected() == 0 {
            return Ok(None);
        }
        let changed = after.targets.iter().filter(|(name, target)| before.rollout.targets.get(*name) != Some(target));
        let revision = before.revision.saturating_add(1);
        self.put_targets(before.number, revision, changed).await?;
        Ok(Some(StoredRollout { revision, rollout: after.clone(), ..before.clone() }))
    }

    async fn put_targets(
        &mut self,
        rollout: i64,
        revision: u64,
        targets: impl Iterator<Item = (&MinerName, &Target)>,
    ) -> Result<(), StoreError> {
        for (miner, target) in targets {
            sqlx::query("INSERT OR REPLACE INTO rollout_targets (rollout, miner, state, revision) VALUES (?, ?, ?, ?)")
                .bind(rollout)
                .bind(miner.as_str())
                .bind(json(target)?)
                .bind(count(revision))
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(())
    }
}

async fn read(connection: &mut sqlx::SqliteConnection, row: &SqliteRow) -> Result<StoredRollout, StoreError> {
    let number: i64 = row.try_get("number")?;
    let (id, change, course, trace_parent): (String, String, String, String) =
        (row.try_get("id")?, row.try_get("change")?, row.try_get("course")?, row.try_get("trace_parent")?);
    let (profile, needs): (String, Option<String>) = (row.try_get("profile")?, row.try_get("needs")?);
    let bad = || StoreError::corrupt(format!("rollout {id}"));
    let course: Course = serde_json::from_str(&course).map_err(|_| bad())?;
    let rows = sqlx::query::<Sqlite>("SELECT miner, state FROM rollout_targets WHERE rollout = ?")
        .bind(number)
        .fetch_all(connection)
        .await?;
    let mut targets = BTreeMap::new();
    for row in &rows {
        let (miner, state): (String, String) = (row.try_get("miner")?, row.try_get("state")?);
        targets.insert(miner.parse().map_err(|_| bad())?, serde_json::from_str(&state).map_err(|_| bad())?);
    }
    Ok(StoredRollout {
        number,
        revision: counted(row.try_get("revision")?),
        change: fragment::read(&change, &id)?,
        profile: if profile.is_empty() { None } else { Some(read_profile(&profile)?) },
        needs: match needs {
            Some(needs) => serde_json::from_str(&needs).map_err(|_| bad())?,
            // Planned before this was kept: it may be anything.
            None => content::OF_SPECS.into(),
        },
        approvals: Approvals {
            needed: row.try_get("approvals_needed")?,
            given: serde_json::from_str(&row.try_get::<String, _>("approvals")?).map_err(|_| bad())?,
        },
        created_by: row.try_get("created_by")?,
        rollout: Rollout { course, targets },
        created_at: from_millis(row.try_get("created_at")?),
        trace_parent: TraceParent::parse(&trace_parent),
    })
}

/// The miner of a target.
fn name(row: &SqliteRow) -> Result<MinerName, StoreError> {
    let name: String = row.try_get(0)?;
    name.parse().map_err(|_| StoreError::corrupt("a target without a name"))
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::corrupt("a rollout"))
}

#[cfg(test)]
mod tests;
