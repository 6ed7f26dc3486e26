//! `spec apply`: the whole spec from a file.

use super::file::{self, SpecFile};
use crate::{
    command::{edit, peer::Peer, store::Write},
    context::Context,
    error::CliError,
};
use std::path::Path;

pub(crate) async fn run(path: &Path, context: &mut Context<'_>) -> Result<(), CliError> {
    let SpecFile { spec, etag } = file::read(context, path).await?;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("apply the spec to {}", target.label());
    context.goes_on = Some(edit::MAY_BE_ACCEPTED.into());
    let written = Write { spec, parts: &[], etag, validate_only: false }.send(&target, &doing).await?;
    edit::finish(context, &target, &written, false).await
}
