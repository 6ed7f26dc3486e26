//! Who made which credential and gave which role: what tells whether two people could be one.

use super::{StoreError, Write, access::read_binding, from_millis};
use crate::access::{
    Binding, Subject,
    apart::{Given, Lineage},
};
use sqlx::{Row, sqlite::SqliteRow};

impl Write {
    /// Who has what from whom, with the roles that count, and which of these are this subject's.
    pub(crate) async fn lineage(
        &mut self,
        subject: &Subject,
        counts: impl Fn(&Binding) -> bool,
    ) -> Result<(Lineage, Vec<String>), StoreError> {
        let rows = sqlx::query(
            "SELECT 'token/' || id AS id, operator, created_by AS giver, created_at AS given_at,
                 min(expires_at, coalesce(revoked_at, expires_at)) AS until FROM operator_tokens
             UNION ALL
             SELECT 'certificate/' || serial, name, issued_by, issued_at,
                 min(certificates.not_after, coalesce(revocations.revoked_at, certificates.not_after))
             FROM certificates LEFT JOIN revocations USING (serial) WHERE kind = 'operator'",
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        let credentials = rows.iter().map(read_credential).collect::<Result<_, _>>()?;
        let rows = sqlx::query("SELECT * FROM bindings").fetch_all(&mut *self.transaction).await?;
        let (mut roles, mut own) = (Vec::new(), Vec::new());
        for row in &rows {
            let binding = read_binding(row)?;
            if !counts(&binding) {
                continue;
            }
            let Binding { id, subject: bound, .. } = binding;
            let id = format!("binding/{id}");
            if bound.is_for(subject) {
                own.push(id.clone());
            }
            let (by, at) = (row.try_get("created_by")?, from_millis(row.try_get("created_at")?));
            roles.push(Given { id, holder: bound.to_string(), by, at, until: None });
        }
        Ok((Lineage { credentials, roles }, own))
    }
}

fn read_credential(row: &SqliteRow) -> Result<Given, StoreError> {
    let operator: String = row.try_get("operator")?;
    Ok(Given {
        id: row.try_get("id")?,
        holder: format!("operator:{operator}"),
        by: row.try_get("giver")?,
        at: from_millis(row.try_get("given_at")?),
        until: Some(from_millis(row.try_get("until")?)),
    })
}
