//! The log as lines of JSON, to be kept elsewhere and verified by anybody. Pure.

use super::{Record, RecordHash};
use serde::{Deserialize, Serialize};

/// A line, as audit.rs describes it.
#[derive(Serialize, Deserialize)]
struct Line {
    sequence: u64,
    at_ms: u64,
    who: String,
    origin: String,
    method: String,
    target: String,
    outcome: String,
    detail: String,
    trace_id: String,
    diff: String,
    previous: String,
    hash: String,
}

/// A text that is no exported record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this line is no exported audit record ({0}); give a file that `mujinactl audit export` wrote")]
pub struct LineError(String);

/// One record as a line, its end included.
///
/// # Errors
/// Never in practice: all fields are texts and numbers.
pub fn line(record: &Record) -> Result<String, serde_json::Error> {
    let Record { sequence, at_ms, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash } =
        record.clone();
    let (previous, hash) = (previous.to_string(), hash.to_string());
    let line = Line { sequence, at_ms, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash };
    serde_json::to_string(&line).map(|line| line + "\n")
}

/// Reads a line, to verify an export without the database.
///
/// # Errors
/// It is none.
pub fn read(text: &str) -> Result<Record, LineError> {
    let line: Line = serde_json::from_str(text).map_err(|error| LineError(error.to_string()))?;
    let Line { sequence, at_ms, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash } = line;
    let bytes = |text: &str| {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| LineError("a hash has 64 hex digits".into()))?;
        Ok(RecordHash(bytes))
    };
    let (previous, hash) = (bytes(&previous)?, bytes(&hash)?);
    Ok(Record { sequence, at_ms, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash })
}
