//! What was set of single miners, on disk.

use super::{Store, StoreError, Write, count, counted, millis};
use crate::registry::Marks;
use mujina_core::{
    id::{MinerName, PeerName},
    units::Watts,
};
use mujina_proto::tls::PeerKind;
use sqlx::{Row, sqlite::SqliteRow};
use std::{collections::BTreeMap, time::SystemTime};

impl Store {
    /// Of all miners of which something was set.
    pub(crate) async fn all_marks(&self) -> Result<BTreeMap<MinerName, Marks>, StoreError> {
        let rows = sqlx::query("SELECT * FROM miner_marks").fetch_all(&self.readers).await?;
        let read = |row: &SqliteRow| Ok((name(row)?, marks(row)?));
        rows.iter().map(read).collect()
    }

    /// What miners drew when they last hashed.
    pub(crate) async fn all_power(&self) -> Result<BTreeMap<MinerName, Watts>, StoreError> {
        let rows = sqlx::query("SELECT miner, watts FROM miner_power").fetch_all(&self.readers).await?;
        let read = |row: &SqliteRow| {
            let watts: f64 = row.try_get("watts")?;
            Ok((name(row)?, Watts::from_watts(watts)))
        };
        rows.iter().map(read).collect()
    }
}

impl Write {
    /// What was set of a miner.
    pub(crate) async fn marks(&mut self, miner: &MinerName) -> Result<Marks, StoreError> {
        let row = sqlx::query("SELECT * FROM miner_marks WHERE miner = ?")
            .bind(miner.as_str())
            .fetch_optional(&mut *self.transaction)
            .await?;
        row.as_ref().map(marks).transpose().map(Option::unwrap_or_default)
    }

    pub(crate) async fn set_marks(&mut self, miner: &MinerName, marks: &Marks) -> Result<(), StoreError> {
        let Marks { labels, quarantine, revision } = marks;
        let labels = serde_json::to_string(labels).map_err(|_| StoreError::corrupt("labels"))?;
        sqlx::query("INSERT OR REPLACE INTO miner_marks (miner, labels, quarantine, revision) VALUES (?, ?, ?, ?)")
            .bind(miner.as_str())
            .bind(labels)
            .bind(quarantine)
            .bind(count(*revision))
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Notes what miners draw, before they are paused.
    pub(crate) async fn set_power(&mut self, power: &[(&str, f64)]) -> Result<(), StoreError> {
        let power = serde_json::to_string(power).map_err(|_| StoreError::corrupt("a power"))?;
        sqlx::query(
            "INSERT INTO miner_power (miner, watts, at) SELECT value ->> 0, value ->> 1, ?1 FROM json_each(?2) WHERE true
             ON CONFLICT DO UPDATE SET watts = excluded.watts, at = excluded.at",
        )
        .bind(millis(SystemTime::now()))
        .bind(power)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Revokes the certificates of a miner; returns their serials.
    pub(crate) async fn revoke_miner(
        &mut self,
        miner: &MinerName,
        by: &str,
        reason: &str,
    ) -> Result<Vec<String>, StoreError> {
        // A name that no certificate can carry has none.
        let Ok(holder) = miner.as_str().parse::<PeerName>() else { return Ok(Vec::new()) };
        let revoked = self.revoke_holder((PeerKind::Miner, &holder), (by, SystemTime::now()), reason).await?;
        Ok(revoked.iter().map(ToString::to_string).collect())
    }

    /// Forgets a miner: all but its statistics, what it took part in, and the audit log. Its generations go too: should the
    /// miner come back, it says itself which it accepted last.
    pub(crate) async fn forget_miner(&mut self, miner: &MinerName) -> Result<(), StoreError> {
        self.delete_enrolled_miner(miner).await?;
        for table in ["miner_marks", "miner_power", "desired_specs", "miner_fragments", "local_changes", "trials"] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE miner = ?")))
                .bind(miner.as_str())
                .execute(&mut *self.transaction)
                .await?;
        }
        // Another miner of the name makes requests of its own.
        sqlx::query("DELETE FROM requests WHERE scope = ?")
            .bind(answers_of(miner))
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }
}

/// Where answers to writes of a miner's spec are remembered (`spec::apply`).
fn answers_of(miner: &MinerName) -> String {
    format!("spec/{miner}")
}

fn name(row: &SqliteRow) -> Result<MinerName, StoreError> {
    let name: String = row.try_get("miner")?;
    name.parse().map_err(|_| StoreError::corrupt("a miner's name"))
}

fn marks(row: &SqliteRow) -> Result<Marks, StoreError> {
    let labels: String = row.try_get("labels")?;
    Ok(Marks {
        labels: serde_json::from_str(&labels).map_err(|_| StoreError::corrupt("labels"))?,
        quarantine: row.try_get("quarantine")?,
        revision: counted(row.try_get("revision")?),
    })
}
