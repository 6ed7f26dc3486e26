//! Tokens, enrolments, certificates and revocations on disk. Of secrets only digests.

mod certificate;
mod enrolled;
mod enrolment;
mod token;

pub(crate) use enrolment::{EnrolmentRow, NewEnrolment};
pub(crate) use token::TokenRow;

use super::{Store, StoreError, Write, from_millis, millis};
use sqlx::{Row, sqlite::SqliteRow};
use std::{
    collections::BTreeMap,
    str::FromStr,
    time::{Duration, SystemTime},
};

/// How long what ended is kept for people who look back.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Store {
    /// Drops what ended long ago, in one step. Nothing that a clock which jumped ahead could make count again: revocations stay,
    /// and so do the newest certificates of each miner, by which all of its are revoked. Operators' stay too: who made them is
    /// asked when the allow-list changes.
    pub(crate) async fn prune_identities(&self, now: SystemTime) -> Result<(), StoreError> {
        let oldest = millis(now.checked_sub(KEPT).unwrap_or(SystemTime::UNIX_EPOCH));
        let mut write = self.write().await?;
        for statement in [
            "DELETE FROM enrolment_tokens WHERE expires_at < ?",
            // A pending one whose token is gone is not forgotten: a person still decides.
            "DELETE FROM enrolments WHERE decided_at < ?",
            "DELETE FROM certificates WHERE not_after < ? AND kind <> 'operator' AND serial NOT IN (
                 SELECT serial FROM (
                     SELECT serial, row_number() OVER (PARTITION BY kind, name ORDER BY issued_at DESC) AS place
                     FROM certificates WHERE serial NOT IN (SELECT serial FROM revocations)
                 ) WHERE place <= 8
             )",
        ] {
            sqlx::query(statement).bind(oldest).execute(&mut *write.transaction).await?;
        }
        write.commit().await
    }
}

fn labels(row: &SqliteRow) -> Result<BTreeMap<String, String>, StoreError> {
    let text: String = row.try_get("labels")?;
    serde_json::from_str(&text).map_err(|_| StoreError::corrupt("labels"))
}

/// A column that holds the text of a value.
fn parsed<T: FromStr>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| StoreError::corrupt(format_args!("a {column} `{text}`")))
}
