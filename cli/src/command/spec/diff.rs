//! `spec diff`: what `spec apply` would change. Differences are no failure: the exit code says only whether it was found out.

use super::file::{self, SpecFile};
use crate::{
    command::{peer::Peer, store::Write, view},
    context::Context,
    error::CliError,
};
use std::path::Path;

pub(crate) async fn run(path: &Path, context: &mut Context<'_>) -> Result<(), CliError> {
    let SpecFile { spec, etag } = file::read(context, path).await?;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("compare the spec with that of {}", target.label());
    let written = Write { spec, parts: &[], etag, validate_only: true }.send(&target, &doing).await?;
    let changes = view::changes(written.changes(), context.paint);
    written.show(context, &changes)
}
