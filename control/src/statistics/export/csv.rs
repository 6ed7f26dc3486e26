//! Comma-separated values: UTF-8, a line of names, quoted where needed (RFC 4180).

use super::{COLUMNS, ExportError, ExportRow, Format, covered};
use crate::statistics::Point;
use csv::{Writer, WriterBuilder};
use mujina_proto::convert::timestamp;
use std::time::Duration;

/// A file of comma-separated values.
#[derive(Debug)]
pub struct Csv {
    /// Until they are written.
    names: Option<Vec<String>>,
    step: Duration,
}

impl Csv {
    /// A file with columns for these groups.
    #[must_use]
    pub fn new(groups: &[String], step: Duration) -> Self {
        let names = groups.iter().cloned().chain(COLUMNS.map(Into::into)).collect();
        Self { names: Some(names), step }
    }
}

impl Format for Csv {
    fn rows(&mut self, rows: &[ExportRow]) -> Result<Vec<u8>, ExportError> {
        let mut writer = WriterBuilder::new().from_writer(Vec::new());
        if let Some(names) = self.names.take() {
            writer.write_record(names).map_err(ExportError::Csv)?;
        }
        for row in rows {
            write(&mut writer, row, self.step)?;
        }
        writer.into_inner().map_err(|error| ExportError::Csv(error.into_error().into()))
    }

    fn end(&mut self) -> Result<Vec<u8>, ExportError> {
        // A file without rows has names nevertheless.
        self.rows(&[])
    }
}

fn write(writer: &mut Writer<Vec<u8>>, row: &ExportRow, step: Duration) -> Result<(), ExportError> {
    let ExportRow { group, point } = row;
    let (rate, error) = point.hash_rate(step);
    let Point { begin_ms: _, covered_ms, submitted, accepted, rejected, stale, accepted_work, work_variance: _ } =
        point;
    let numbers = [
        timestamp(point.begin()).to_string(),
        step.as_secs_f64().to_string(),
        covered(*covered_ms).to_string(),
        submitted.to_string(),
        accepted.to_string(),
        rejected.to_string(),
        stale.to_string(),
        accepted_work.to_string(),
        rate.to_string(),
        error.to_string(),
    ];
    writer.write_record(group.iter().chain(&numbers)).map_err(ExportError::Csv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_commas_and_quotes_are_quoted_and_names_come_once() {
        let groups = ["label:site".to_owned(), "pool".to_owned()];
        let mut file = Csv::new(&groups, Duration::from_secs(60));
        let point = Point {
            begin_ms: 1_790_000_040_000,
            covered_ms: 50_000,
            submitted: 5,
            accepted: 4,
            rejected: 1,
            stale: 2,
            accepted_work: 6e12,
            work_variance: 9e24,
        };
        let row = |site: &str| ExportRow { group: vec![site.into(), "main".into()], point };
        let mut bytes = file.rows(&[row("a,\"b\"")]).unwrap();
        bytes.extend(file.rows(&[row("")]).unwrap());
        bytes.extend(file.end().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "label:site,pool,begin,step_seconds,covered_seconds,submitted,accepted,rejected,stale,accepted_hashes,\
                 hash_rate_hps,hash_rate_error_hps",
                "\"a,\"\"b\"\"\",main,2026-09-21T14:14:00Z,60,50,5,4,1,2,6000000000000,100000000000,50000000000",
                ",main,2026-09-21T14:14:00Z,60,50,5,4,1,2,6000000000000,100000000000,50000000000",
            ]
        );
    }

    #[test]
    fn file_without_rows_has_names() {
        let mut file = Csv::new(&[], Duration::from_secs(60));
        assert!(file.end().unwrap().starts_with(b"begin,step_seconds"));
        assert!(file.end().unwrap().is_empty());
    }
}
