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

/// Changes the pools of the miner that is meant, and shows what came of it.
pub(crate) async fn pools(
    context: &mut Context<'_>,
    change: impl Fn(&mut MinerSpec) -> Result<(), CliError> + Send,
    dry_run: bool,
) -> Result<(), CliError> {
    let peer = Peer::find(context).await?;
    let target = peer.one(context.miner.as_ref())?;
    let doing = format!("change the pools of {}", target.label());
    context.goes_on = (!dry_run).then(|| MAY_BE_ACCEPTED.to_owned());
    let written = match write(&target, &change, &doing, dry_run).await {
        Err(error) if error.reason() == Some(ETAG_MISMATCH) => write(&target, &change, &doing, dry_run).await?,
        written => written?,
    };
    finish(context, &target, &written, dry_run).await
}

async fn write(
    target: &Target,
    change: &(impl Fn(&mut MinerSpec) -> Result<(), CliError> + Send),
    doing: &str,
    validate_only: bool,
) -> Result<Written, CliError> {
    let stored = Stored::read(target).await?;
    let mut spec = stored.spec();
    change(&mut spec)?;
    let etag = stored.etag().to_owned();
    Write { spec, parts: &["pool_groups"], etag, validate_only }.send(target, doing).await
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
