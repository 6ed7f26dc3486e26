//! Statistics as a file, made piece by piece so that a long one is never held whole.

mod csv;
mod parquet;

use super::Point;
use std::time::Duration;

pub use self::{csv::Csv, parquet::Parquet};

/// Why a file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// As CSV.
    #[error("the file could not be written as CSV; please report this")]
    Csv(#[source] ::csv::Error),
    /// As Parquet.
    #[error("the file could not be written as Parquet; please report this")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

/// A row: what a group counted over one step.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRow {
    /// In the order of the names of the groups.
    pub group: Vec<String>,
    /// The counts.
    pub point: Point,
}

/// Columns behind those of the groups.
const COLUMNS: [&str; 10] = [
    "begin",
    "step_seconds",
    "covered_seconds",
    "submitted",
    "accepted",
    "rejected",
    "stale",
    "accepted_hashes",
    "hash_rate_hps",
    "hash_rate_error_hps",
];

/// Makes a file of rows.
pub trait Format: Send {
    /// The next rows, as bytes of the file; the file begins with the first call.
    ///
    /// # Errors
    /// See [`ExportError`].
    fn rows(&mut self, rows: &[ExportRow]) -> Result<Vec<u8>, ExportError>;

    /// The end of the file. Nothing follows.
    ///
    /// # Errors
    /// See [`ExportError`].
    fn end(&mut self) -> Result<Vec<u8>, ExportError>;
}

/// Milliseconds as seconds.
fn covered(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}
