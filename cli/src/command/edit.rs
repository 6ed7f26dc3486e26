//! Changing a part of the spec: read, change, write over what was read; once more when somebody else was faster.

use super::{
    peer::{Peer, Target},
    store::{Stored, Write, Written},
    view, wait,
};
use crate::{context::Context, error::CliError};
use mujina_proto::types::v1::MinerSpec;

/// Reason of a write over something else than what was read.
const ETAG_MISMATCH: &str = "ETAG_MISMATCH";

/// What is left of a write whose answer did not come.
pub(crate) const MAY_BE_ACCEPTED: &str = "the change may have been accepted; see `mujinactl spec get`";

/// A part of the spec that a command changes.
#[derive(Debug, Clone, Copy)]
struct Part {
    path: &'static [&'static str],
    /// For a person.
    noun: &'static str,
}

/// Changes the pools of the miner that is meant, and shows what came of it.
pub(crate) async fn pools(
    context: &mut Context<'_>,
    change: impl Fn(&mut MinerSpec) -> Result<(), CliError> + Send,
    dry_run: bool,
) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    part(context, &target, Part { path: &["pool_groups"], noun: "pools" }, change, dry_run).await
}

/// Changes the tuning of a miner's boards, and shows what came of it.
pub(crate) async fn boards(
    context: &mut Context<'_>,
    target: &Target,
    change: impl Fn(&mut MinerSpec) -> Result<(), CliError> + Send,
    dry_run: bool,
) -> Result<(), CliError> {
    part(context, target, Part { path: &["boards"], noun: "tuning" }, change, dry_run).await
}

async fn part(
    context: &mut Context<'_>,
    target: &Target,
    part: Part,
    change: impl Fn(&mut MinerSpec) -> Result<(), CliError> + Send,
    dry_run: bool,
) -> Result<(), CliError> {
    context.goes_on = (!dry_run).then(|| MAY_BE_ACCEPTED.to_owned());
    let written = match write(target, part, &change, dry_run).await {
        Err(error) if error.reason() == Some(ETAG_MISMATCH) => write(target, part, &change, dry_run).await?,
        written => written?,
    };
    finish(context, target, &written, dry_run).await
}

async fn write(
    target: &Target,
    part: Part,
    change: &(impl Fn(&mut MinerSpec) -> Result<(), CliError> + Send),
    validate_only: bool,
) -> Result<Written, CliError> {
    let doing = format!("change the {} of {}", part.noun, target.label());
    let stored = Stored::read(target).await?;
    let mut spec = stored.spec();
    change(&mut spec)?;
    let etag = stored.etag().to_owned();
    Write { spec, parts: part.path, etag, validate_only }.send(target, &doing).await
}

/// Shows a change that was made, or would be, and waits for it when that was asked for.
pub(crate) async fn finish(
    context: &mut Context<'_>,
    target: &Target,
    written: &Written,
    dry_run: bool,
) -> Result<(), CliError> {
    context.goes_on = None;
    let generation = written.generation();
    let changes = view::changes(written.changes(), context.paint);
    written.show(context, &changes)?;
    if dry_run {
        return context.confirm("nothing was changed (dry run)");
    }
    if context.wait {
        context.goes_on =
            Some(format!("generation {generation} is accepted and is being put in force without this command"));
        wait::in_force(context, target, generation).await?;
        context.confirm(&format!("generation {generation} is in force"))
    } else {
        context.confirm(&format!("generation {generation} is accepted; --wait waits until it is in force"))
    }
}
