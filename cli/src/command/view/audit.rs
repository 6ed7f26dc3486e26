//! The audit log.

use super::clean;
use crate::output::{Cell, Paint, Table, Tone, clock};
use mujina_proto::{
    control::v1::{AuditRecord, VerifyAuditResponse},
    convert::time,
};

/// A row a record; with what was changed and the trace when `wide`.
pub(crate) fn audit_records(records: &[AuditRecord], wide: bool, paint: Paint) -> String {
    if records.is_empty() {
        return "nothing was recorded\n".into();
    }
    let mut headers = vec![">NO", "AT", "WHO", "CALL", "TARGET", "OUTCOME", "DETAIL"];
    if wide {
        headers.extend(["FROM", "TRACE", "CHANGED"]);
    }
    let mut table = Table::new(&headers);
    for record in records {
        let tone = match record.outcome.as_str() {
            "done" => Tone::Good,
            "denied" => Tone::Bad,
            _ => Tone::Warn,
        };
        let method = record.method.rsplit_once('.').map_or(record.method.as_str(), |(_, method)| method);
        let mut row: Vec<Cell> = vec![
            record.sequence.into(),
            clock(time(record.at)).into(),
            Cell::new(&record.who, Tone::Strong),
            method.into(),
            (&record.target).into(),
            Cell::new(&record.outcome, tone),
            Cell::new(&record.detail, Tone::Dim),
        ];
        if wide {
            let changed = if record.diff_json == "null" { "" } else { &record.diff_json };
            row.extend([(&record.origin).into(), (&record.trace_id).into(), Cell::new(changed, Tone::Dim)]);
        }
        table.row(row);
    }
    table.render(paint)
}

/// What following the chain came to.
pub(crate) fn audit_verified(answer: &VerifyAuditResponse) -> String {
    let VerifyAuditResponse { intact, last_sequence, last_hash, problem } = answer;
    match (intact, last_sequence) {
        (false, _) => format!("broken: {}\n", clean(problem)),
        (true, 0) => "intact: nothing was recorded yet\n".into(),
        (true, last) => format!(
            "intact up to record {last}\nnote its hash elsewhere: with it, nothing before it can be changed unseen\n  {}\n",
            clean(last_hash)
        ),
    }
}
