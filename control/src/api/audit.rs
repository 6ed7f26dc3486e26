//! The audit log, read.

use super::{Answers, Parts, bad_token, export, page_size, problem, refuse, storage};
use crate::audit::{Head, Record, RecordHash};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{self, audit_service_server::AuditService},
    convert::timestamp,
};
use tonic::{Request, Response, Status};

/// Records in one message of an export.
const EXPORTED: usize = 500;

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl AuditService for Service {
    async fn list_audit_records(
        &self,
        request: Request<v1::ListAuditRecordsRequest>,
    ) -> Result<Response<v1::ListAuditRecordsResponse>, Status> {
        let v1::ListAuditRecordsRequest { target, page_size: asked, page_token } = request.into_inner();
        let most = page_size(asked, 100, 1000);
        let before = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<u64>().map_err(|_| refuse(bad_token()))?),
        };
        let target = Some(target.as_str()).filter(|target| !target.is_empty());
        let found = self.0.store.audit_before(before, target, most.saturating_add(1)).await;
        let mut found = found.map_err(|error| storage(&error))?;
        let has_more = found.len() > most;
        found.truncate(most);
        let next_page_token = found.last().filter(|_| has_more).map(|last| last.sequence.to_string());
        Ok(Response::new(v1::ListAuditRecordsResponse {
            records: found.into_iter().map(message).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    async fn verify_audit(
        &self,
        request: Request<v1::VerifyAuditRequest>,
    ) -> Result<Response<v1::VerifyAuditResponse>, Status> {
        let v1::VerifyAuditRequest { after_sequence, after_hash } = request.into_inner();
        let from = match (after_sequence, after_hash.as_str()) {
            (0, "") => None,
            (sequence, text) => Some(Head { sequence, hash: hash(text).map_err(refuse)? }),
        };
        if let Some(Head { sequence, hash }) = from {
            let noted = self.0.store.audit_record(sequence).await.map_err(|error| storage(&error))?;
            if noted.is_none_or(|record| record.hash != hash) {
                let problem = format!("record {sequence} is not the one that has this hash: it was changed or removed");
                return Ok(Response::new(v1::VerifyAuditResponse { problem, ..v1::VerifyAuditResponse::default() }));
            }
        }
        let verified = self.0.store.verify_audit(from).await.map_err(|error| storage(&error))?;
        Ok(Response::new(match verified {
            Ok(Head { sequence, hash }) => v1::VerifyAuditResponse {
                intact: true,
                last_sequence: sequence,
                last_hash: hash.to_string(),
                problem: String::new(),
            },
            Err(broken) => v1::VerifyAuditResponse {
                intact: false,
                last_sequence: broken.sequence,
                last_hash: String::new(),
                problem: broken.to_string(),
            },
        }))
    }

    type ExportAuditStream = Answers<v1::ExportAuditResponse>;

    async fn export_audit(
        &self,
        request: Request<v1::ExportAuditRequest>,
    ) -> Result<Response<Self::ExportAuditStream>, Status> {
        let after = request.into_inner().after_sequence;
        let store = self.0.store.clone();
        let next = move |after: Option<u64>| {
            let store = store.clone();
            async move {
                let records = match store.audit_after(after?, EXPORTED).await {
                    Ok(records) => records,
                    Err(error) => return Some((Err(storage(&error).into()), None)),
                };
                let last = records.last()?.sequence;
                let records = records.into_iter().map(message).collect();
                Some((Ok(v1::ExportAuditResponse { records }), Some(last)))
            }
        };
        Ok(Response::new(export(self.0.cancel.clone(), Some(after), next)))
    }
}

fn hash(text: &str) -> Result<RecordHash, Problem> {
    let mut bytes = [0; 32];
    let read = hex::decode_to_slice(text, &mut bytes);
    read.map_err(|_| problem("after_hash", "has not 64 hex digits; give the hash as it was noted"))?;
    Ok(RecordHash(bytes))
}

fn message(record: Record) -> v1::AuditRecord {
    let at = record.at();
    let Record { sequence, at_ms: _, who, origin, method, target, outcome, detail, trace_id, diff, previous, hash } =
        record;
    v1::AuditRecord {
        sequence,
        at: Some(timestamp(at)),
        who,
        origin,
        method,
        target,
        outcome,
        detail,
        trace_id,
        diff_json: diff,
        previous_hash: previous.to_string(),
        hash: hash.to_string(),
    }
}
