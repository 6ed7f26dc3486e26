//! `audit`: the log of changes.

use super::{file, message, pages, view};
use crate::{
    args::{Audit, AuditVerify},
    context::Context,
    error::CliError,
    output::Format,
    saved::Client,
};
use mujina_proto::control::v1::{
    ExportAuditRequest, ListAuditRecordsRequest, VerifyAuditRequest, audit_service_client::AuditServiceClient,
};
use std::path::Path;

pub(crate) async fn run(command: Audit, context: &mut Context<'_>) -> Result<(), CliError> {
    let (_, client) = context.connect().await?;
    let mut service = AuditServiceClient::new(client);
    match command {
        Audit::List { target, limit } => {
            let answer = pages::read(limit, |page_size, page_token| {
                let mut service = service.clone();
                let request = ListAuditRecordsRequest { target: target.clone(), page_size, page_token };
                async move { service.list_audit_records(request).await }
            });
            let answer = answer.await.map_err(CliError::call("list the audit log"))?;
            let wide = context.format == Format::Wide;
            message::show(context, &answer, |paint| view::audit_records(&answer.records, wide, paint))
        }
        Audit::Verify(args) => verify(args, &mut service, context).await,
        Audit::Export { to, after } => export(to.as_deref(), after, &mut service, context).await,
    }
}

async fn verify(
    args: AuditVerify,
    service: &mut AuditServiceClient<Client>,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let AuditVerify { after, hash } = args;
    let request = VerifyAuditRequest { after_sequence: after, after_hash: hash };
    let failed = CliError::call("verify the audit log");
    let answer = service.verify_audit(request).await.map_err(failed)?.into_inner();
    message::show(context, &answer, |_| view::audit_verified(&answer))?;
    if answer.intact { Ok(()) } else { Err(CliError::Audit(answer.problem)) }
}

async fn export(
    to: Option<&Path>,
    after: u64,
    service: &mut AuditServiceClient<Client>,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let doing = "export the audit log";
    let request = ExportAuditRequest { after_sequence: after };
    let mut stream = service.export_audit(request).await.map_err(CliError::call(doing))?.into_inner();
    let mut written = file::Sink::open(to)?;
    let mut count = 0_u64;
    while let Some(part) = stream.message().await.map_err(CliError::call(doing))? {
        for record in &part.records {
            count += 1;
            written.write(format!("{}\n", message::to_json(record)?).as_bytes(), context)?;
        }
    }
    written.finish()?;
    match to {
        Some(to) => context.confirm(&format!("{count} records are in {}", to.display())),
        None => Ok(()),
    }
}
