//! Profiles on disk, and what is wanted of single miners beside them.

use super::{Store, StoreError, Write, count, counted, fragment, millis, now};
use crate::profile::{Fragment, Profile};
use mujina_core::id::{Generation, MinerName, ProfileName};
use mujina_proto::convert::spec::NOTHING_STORED;
use sqlx::{Row, sqlite::SqliteRow};
use std::collections::BTreeMap;

const COLUMNS: &str = "name, selector, priority, fragment, etag, generation";
const OWN: &str = "SELECT miner, fragment, etag FROM miner_fragments";

/// What is wanted of one miner before all profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnFragment {
    /// What.
    pub fragment: Fragment,
    /// Changes with every write.
    pub etag: String,
}

/// Nothing is said.
impl Default for OwnFragment {
    fn default() -> Self {
        Self { fragment: Fragment::default(), etag: NOTHING_STORED.into() }
    }
}

impl Store {
    /// All profiles in order of their names.
    pub async fn profiles(&self) -> Result<Vec<Profile>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM profiles ORDER BY name")))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }

    /// What is wanted of single miners.
    pub async fn own_fragments(&self) -> Result<BTreeMap<MinerName, OwnFragment>, StoreError> {
        let rows = sqlx::query(OWN).fetch_all(&self.readers).await?;
        rows.iter().map(read_named).collect()
    }
}

impl Write {
    /// All profiles, as they are for the rest of this write.
    pub async fn profiles(&mut self) -> Result<Vec<Profile>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM profiles ORDER BY name")))
            .fetch_all(&mut *self.transaction)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One profile.
    pub async fn profile(&mut self, name: &ProfileName) -> Result<Option<Profile>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM profiles WHERE name = ?")))
            .bind(name.as_str())
            .fetch_optional(&mut *self.transaction)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The etag that a write over this profile must name, also where there is none.
    pub async fn profile_etag(&mut self, name: &ProfileName) -> Result<String, StoreError> {
        Ok(self.profile(name).await?.map_or_else(|| NOTHING_STORED.to_owned(), |profile| profile.etag))
    }

    /// Stores a profile over the one of the same name; its generation and etag are made here.
    pub async fn put_profile(&mut self, profile: &Profile) -> Result<Profile, StoreError> {
        let Profile { name, selector, priority, fragment: said, etag: _, generation: _ } = profile;
        let row = sqlx::query(
            "INSERT INTO profile_counts (name, generation) VALUES (?, 1)
             ON CONFLICT (name) DO UPDATE SET generation = generation + 1 RETURNING generation",
        )
        .bind(name.as_str())
        .fetch_one(&mut *self.transaction)
        .await?;
        let generation = Generation(counted(row.try_get(0)?));
        let etag = uuid::Uuid::new_v4().simple().to_string();
        sqlx::query(
            "INSERT OR REPLACE INTO profiles (name, selector, priority, fragment, etag, generation, stored_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(name.as_str())
        .bind(selector.to_string())
        .bind(priority)
        .bind(fragment::write(said)?)
        .bind(&etag)
        .bind(count(generation.0))
        .bind(millis(now()))
        .execute(&mut *self.transaction)
        .await?;
        Ok(Profile { etag, generation, ..profile.clone() })
    }

    /// Drops a profile; `false` when there is none.
    pub async fn delete_profile(&mut self, name: &ProfileName) -> Result<bool, StoreError> {
        let gone = sqlx::query("DELETE FROM profiles WHERE name = ?")
            .bind(name.as_str())
            .execute(&mut *self.transaction)
            .await?;
        Ok(gone.rows_affected() > 0)
    }

    /// What is wanted of single miners, as it is for the rest of this write.
    pub async fn own_fragments(&mut self) -> Result<BTreeMap<MinerName, OwnFragment>, StoreError> {
        let rows = sqlx::query(OWN).fetch_all(&mut *self.transaction).await?;
        rows.iter().map(read_named).collect()
    }

    /// What is wanted of one miner before all profiles.
    pub async fn own_fragment(&mut self, miner: &MinerName) -> Result<Option<OwnFragment>, StoreError> {
        let row = sqlx::query("SELECT fragment, etag FROM miner_fragments WHERE miner = ?")
            .bind(miner.as_str())
            .fetch_optional(&mut *self.transaction)
            .await?;
        row.map(|row| read_own(&row, miner.as_str())).transpose()
    }

    /// Stores what is wanted of one miner; nothing said is nothing stored.
    pub async fn put_own_fragment(
        &mut self,
        miner: &MinerName,
        fragment: &Fragment,
    ) -> Result<OwnFragment, StoreError> {
        if fragment.is_empty() {
            sqlx::query("DELETE FROM miner_fragments WHERE miner = ?")
                .bind(miner.as_str())
                .execute(&mut *self.transaction)
                .await?;
            return Ok(OwnFragment::default());
        }
        let etag = uuid::Uuid::new_v4().simple().to_string();
        sqlx::query("INSERT OR REPLACE INTO miner_fragments (miner, fragment, etag, stored_at) VALUES (?, ?, ?, ?)")
            .bind(miner.as_str())
            .bind(fragment::write(fragment)?)
            .bind(&etag)
            .bind(millis(now()))
            .execute(&mut *self.transaction)
            .await?;
        Ok(OwnFragment { fragment: fragment.clone(), etag })
    }
}

fn read(row: &SqliteRow) -> Result<Profile, StoreError> {
    let (name, selector, said): (String, String, String) =
        (row.try_get("name")?, row.try_get("selector")?, row.try_get("fragment")?);
    let bad = || StoreError::corrupt(format!("profile {name}"));
    let fragment = fragment::read(&said, &name)?;
    Ok(Profile {
        selector: selector.parse().map_err(|_| bad())?,
        priority: row.try_get("priority")?,
        etag: row.try_get("etag")?,
        generation: Generation(counted(row.try_get("generation")?)),
        name: name.parse().map_err(|_| bad())?,
        fragment,
    })
}

fn read_named(row: &SqliteRow) -> Result<(MinerName, OwnFragment), StoreError> {
    let miner: String = row.try_get("miner")?;
    let name = miner.parse().map_err(|_| StoreError::corrupt("a fragment of a miner without a name"))?;
    Ok((name, read_own(row, &miner)?))
}

fn read_own(row: &SqliteRow, miner: &str) -> Result<OwnFragment, StoreError> {
    let said: String = row.try_get("fragment")?;
    Ok(OwnFragment { fragment: fragment::read(&said, miner)?, etag: row.try_get("etag")? })
}

#[cfg(test)]
pub(crate) mod tests;
