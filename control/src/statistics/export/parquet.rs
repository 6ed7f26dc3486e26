//! Apache Parquet: a row group for each piece, columns that are never null, times in milliseconds of UTC.

use super::{COLUMNS, ExportError, ExportRow, Format, covered};
use parquet::{
    basic::{LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::{Type, TypePtr},
};
use std::{mem::take, sync::Arc, time::Duration};

/// A Parquet file.
pub struct Parquet {
    /// Until the end.
    writer: Option<SerializedFileWriter<Vec<u8>>>,
    groups: usize,
    step: Duration,
}

impl Parquet {
    /// A file with columns for these groups.
    ///
    /// # Errors
    /// Names that cannot be columns.
    pub fn new(groups: &[String], step: Duration) -> Result<Self, ExportError> {
        let texts = groups.iter().map(|name| column(name, Physical::BYTE_ARRAY, Some(LogicalType::String)));
        let numbers = COLUMNS.iter().map(|name| match *name {
            "begin" => {
                let utc = LogicalType::timestamp(true, TimeUnit::MILLIS);
                column(name, Physical::INT64, Some(utc))
            }
            "submitted" | "accepted" | "rejected" | "stale" => column(name, Physical::INT64, None),
            _ => column(name, Physical::DOUBLE, None),
        });
        let fields = texts.chain(numbers).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("statistics").with_fields(fields).build()?;
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(WriterProperties::default()))?;
        Ok(Self { writer: Some(writer), groups: groups.len(), step })
    }
}

fn column(name: &str, physical: Physical, logical: Option<LogicalType>) -> Result<TypePtr, ExportError> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

impl Format for Parquet {
    fn rows(&mut self, rows: &[ExportRow]) -> Result<Vec<u8>, ExportError> {
        let Some(writer) = &mut self.writer else { return Ok(Vec::new()) };
        if !rows.is_empty() {
            let mut group = writer.next_row_group()?;
            for at in 0..self.groups {
                let text = |row: &ExportRow| ByteArray::from(row.group.get(at).map_or("", String::as_str));
                let values: Vec<_> = rows.iter().map(text).collect();
                let mut column = group.next_column()?.ok_or_else(no_column)?;
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                column.close()?;
            }
            for name in COLUMNS {
                let mut column = group.next_column()?.ok_or_else(no_column)?;
                let values = values(name, rows, self.step);
                match values {
                    Values::Whole(values) => column.typed::<Int64Type>().write_batch(&values, None, None)?,
                    Values::Real(values) => column.typed::<DoubleType>().write_batch(&values, None, None)?,
                };
                column.close()?;
            }
            group.close()?;
        }
        // What was written is handed on; the writer counts for itself where it is in the file.
        Ok(take(writer.inner_mut()))
    }

    fn end(&mut self) -> Result<Vec<u8>, ExportError> {
        match self.writer.take() {
            Some(writer) => Ok(writer.into_inner()?),
            None => Ok(Vec::new()),
        }
    }
}

enum Values {
    Whole(Vec<i64>),
    Real(Vec<f64>),
}

/// The values of one of [`COLUMNS`].
fn values(name: &str, rows: &[ExportRow], step: Duration) -> Values {
    let whole = |read: fn(&super::Point) -> u64| {
        Values::Whole(rows.iter().map(|row| i64::try_from(read(&row.point)).unwrap_or(i64::MAX)).collect())
    };
    let real = |read: &dyn Fn(&super::Point) -> f64| Values::Real(rows.iter().map(|row| read(&row.point)).collect());
    match name {
        "begin" => Values::Whole(rows.iter().map(|row| row.point.begin_ms).collect()),
        "submitted" => whole(|point| point.submitted),
        "accepted" => whole(|point| point.accepted),
        "rejected" => whole(|point| point.rejected),
        "stale" => whole(|point| point.stale),
        "step_seconds" => real(&|_| step.as_secs_f64()),
        "covered_seconds" => real(&|point| covered(point.covered_ms)),
        "accepted_hashes" => real(&|point| point.accepted_work),
        "hash_rate_hps" => real(&|point| point.hash_rate(step).0),
        _ => real(&|point| point.hash_rate(step).1),
    }
}

fn no_column() -> parquet::errors::ParquetError {
    parquet::errors::ParquetError::General("the schema has fewer columns than the rows".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Point;
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };

    #[test]
    fn file_made_in_pieces_reads_as_one() {
        let mut file = Parquet::new(&["miner".into(), "label:site".into()], Duration::from_secs(60)).unwrap();
        let point = Point {
            begin_ms: 60_000,
            covered_ms: 60_000,
            submitted: 5,
            accepted: 4,
            accepted_work: 6e12,
            ..Point::default()
        };
        let row = |miner: &str, begin_ms| ExportRow {
            group: vec![miner.into(), "a".into()],
            point: Point { begin_ms, ..point },
        };
        let mut bytes = file.rows(&[row("rig1", 60_000), row("rig2", 60_000)]).unwrap();
        assert!(!bytes.is_empty(), "the begin of the file is handed on");
        bytes.extend(file.rows(&[]).unwrap());
        bytes.extend(file.rows(&[row("rig1", 120_000)]).unwrap());
        bytes.extend(file.end().unwrap());
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!((reader.metadata().num_row_groups(), reader.metadata().file_metadata().num_rows()), (2, 3));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let read = |at: usize| {
            let row = &rows[at];
            (row.get_string(0).unwrap().as_str(), row.get_long(5).unwrap(), row.get_double(10).unwrap())
        };
        assert_eq!((read(0), read(1), read(2)), (("rig1", 5, 1e11), ("rig2", 5, 1e11), ("rig1", 5, 1e11)));
        assert_eq!(rows[2].get_timestamp_millis(2).unwrap(), 120_000);
    }

    #[test]
    fn file_without_rows_is_whole() {
        let mut file = Parquet::new(&[], Duration::from_secs(60)).unwrap();
        let bytes = file.end().unwrap();
        assert_eq!(SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap().metadata().num_row_groups(), 0);
        assert!(file.end().unwrap().is_empty());
    }
}
