//! The payout allow-list and the proposals to change it, on disk.

use super::{Store, StoreError, Write, count, counted, from_millis, millis};
use crate::access::{
    Binding, Permission, Subject,
    apart::Approver,
    payout::{
        PayoutGuard,
        change::{Change, ChangeError, PayoutList, Proposal, Proposed},
    },
};
use sqlx::{Row, Sqlite, SqliteConnection, sqlite::SqliteRow};
use std::time::SystemTime;

/// Why the allow-list stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum PayoutError {
    /// Nobody proposed it, or it was decided on before.
    #[error("no open proposal has the id {}; see the list of proposals", .0.escape_debug())]
    Unknown(String),
    /// The rules of changes.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for PayoutError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// The allow-list in force.
    ///
    /// # Errors
    /// The database failed. A list that cannot be read is an error too, and never no list.
    pub async fn payout_list(&self) -> Result<PayoutList, StoreError> {
        let mut reader = self.readers.acquire().await?;
        list(&mut reader).await
    }

    /// Proposals on which nobody has decided, the oldest first, expired ones too.
    ///
    /// # Errors
    /// The database failed.
    pub async fn payout_proposals(&self) -> Result<Vec<Proposal>, StoreError> {
        let rows = sqlx::query("SELECT * FROM payout_proposals WHERE decision IS NULL ORDER BY proposed_at, id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_proposal).collect()
    }
}

impl Write {
    /// The allow-list in force, to check a spec in the transaction that stores it.
    ///
    /// # Errors
    /// See [`Store::payout_list`].
    pub async fn payout_list(&mut self) -> Result<PayoutList, StoreError> {
        list(&mut self.transaction).await
    }

    /// An admin wants a change: it is in force, or waits for another admin.
    ///
    /// # Errors
    /// See [`PayoutError`].
    pub async fn propose_payout(
        &mut self,
        change: Change,
        by: &Subject,
        id: String,
        now: SystemTime,
    ) -> Result<Proposed, PayoutError> {
        let proposed = list(&mut self.transaction).await?.propose(change, by, id, now)?;
        match &proposed {
            Proposed::InForce(list) => self.insert_list(list, &by.person(), None, now).await?,
            Proposed::Waits(Proposal { id, change, base, by, at }) => {
                sqlx::query(
                    "INSERT INTO payout_proposals (id, change, base, proposed_by, proposed_at) VALUES (?, ?, ?, ?, ?)",
                )
                .bind(id)
                .bind(serde_json::to_string(change).map_err(|_| StoreError::corrupt("a change of the allow-list"))?)
                .bind(count(*base))
                .bind(by)
                .bind(millis(*at))
                .execute(&mut *self.transaction)
                .await?;
            }
        }
        Ok(proposed)
    }

    /// Another admin approves: the list that is in force now.
    ///
    /// # Errors
    /// See [`PayoutError`].
    pub async fn approve_payout(
        &mut self,
        id: &str,
        by: &Approver,
        now: SystemTime,
    ) -> Result<PayoutList, PayoutError> {
        let subject = &by.subject;
        let proposal = self.open_proposal(id).await?;
        let approved = list(&mut self.transaction).await?.approve(&proposal, subject, now)?;
        let decides = |role: &Binding| role.role.permits(Permission::ManageAccess) && role.selector.is_everything();
        let (lineage, roles) = self.lineage(subject, decides).await?;
        lineage.roles_apart(proposal.wish(), by, &roles).map_err(ChangeError::from)?;
        self.insert_list(&approved, &proposal.by, Some(&subject.person()), now).await?;
        self.decide_proposal(id, "approved", subject, now).await?;
        Ok(approved)
    }

    /// An admin, the proposer too, ends a proposal.
    ///
    /// # Errors
    /// See [`PayoutError`].
    pub async fn reject_payout(&mut self, id: &str, by: &Subject, now: SystemTime) -> Result<Proposal, PayoutError> {
        let proposal = self.open_proposal(id).await?;
        self.decide_proposal(id, "rejected", by, now).await?;
        Ok(proposal)
    }

    async fn open_proposal(&mut self, id: &str) -> Result<Proposal, PayoutError> {
        let row = sqlx::query("SELECT * FROM payout_proposals WHERE id = ? AND decision IS NULL")
            .bind(id)
            .fetch_optional(&mut *self.transaction)
            .await?;
        let row = row.ok_or_else(|| PayoutError::Unknown(id.chars().take(80).collect()))?;
        Ok(read_proposal(&row)?)
    }

    async fn decide_proposal(
        &mut self,
        id: &str,
        decision: &str,
        by: &Subject,
        at: SystemTime,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE payout_proposals SET decision = ?, decided_by = ?, decided_at = ? WHERE id = ?")
            .bind(decision)
            .bind(by.person())
            .bind(millis(at))
            .bind(id)
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn insert_list(
        &mut self,
        list: &PayoutList,
        proposed_by: &str,
        approved_by: Option<&str>,
        at: SystemTime,
    ) -> Result<(), StoreError> {
        let PayoutList { guard, version } = list;
        let entries = match guard {
            PayoutGuard::Off => None,
            PayoutGuard::On(entries) => {
                Some(serde_json::to_string(entries).map_err(|_| StoreError::corrupt("an allow-list"))?)
            }
        };
        sqlx::query(
            "INSERT INTO payout_lists (version, entries, proposed_by, approved_by, in_force_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(count(*version))
        .bind(entries)
        .bind(proposed_by)
        .bind(approved_by)
        .bind(millis(at))
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

async fn list(connection: &mut SqliteConnection) -> Result<PayoutList, StoreError> {
    let row = sqlx::query::<Sqlite>("SELECT version, entries FROM payout_lists ORDER BY version DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(PayoutList::default()) };
    let entries: Option<String> = row.try_get("entries")?;
    let guard = match entries {
        None => PayoutGuard::Off,
        Some(text) => {
            PayoutGuard::On(serde_json::from_str(&text).map_err(|_| StoreError::corrupt("a payout allow-list"))?)
        }
    };
    Ok(PayoutList { guard, version: counted(row.try_get("version")?) })
}

fn read_proposal(row: &SqliteRow) -> Result<Proposal, StoreError> {
    let (id, change): (String, String) = (row.try_get("id")?, row.try_get("change")?);
    Ok(Proposal {
        change: serde_json::from_str(&change).map_err(|_| StoreError::corrupt(format!("proposal {id}")))?,
        base: counted(row.try_get("base")?),
        by: row.try_get("proposed_by")?,
        at: from_millis(row.try_get("proposed_at")?),
        id,
    })
}
