//! What a control plane last knew of a miner: the answer of reads that the miner itself does not give. How old it is goes to
//! standard error with the reason.

use super::peer::{Target, registry};
use crate::{context::Context, error::CliError, output::age};
use mujina_proto::{control::v1::GetMinerRequest, convert::time, types::v1::MinerStatus};
use std::time::SystemTime;
use tonic::Code;

/// The last status tree of a miner that is not reached, in the place of an answer that ended with `error`.
///
/// # Errors
/// That one, where it is another, or where nothing is known of the miner.
pub(crate) async fn instead(
    error: CliError,
    target: &Target,
    context: &mut Context<'_>,
) -> Result<MinerStatus, CliError> {
    let Some(name) = target.name.clone() else { return Err(error) };
    let CliError::Call { doing, mut failure } = error else { return Err(error) };
    if failure.code != Code::Unavailable {
        return Err(CliError::Call { doing, failure });
    }
    // Who does not answer this either is the control plane.
    let Ok(answer) = registry(&target.client).get_miner(GetMinerRequest { name }).await else {
        return Err(CliError::Call { doing, failure });
    };
    let miner = answer.into_inner().miner.unwrap_or_default();
    let Some(status) = miner.status else {
        failure.message.push_str("; nothing is known of it yet, because it was never reached");
        return Err(CliError::Call { doing, failure });
    };
    let since = age(time(miner.status_at), SystemTime::now());
    context.warn(&as_it_was(target.label(), &since, &failure.message));
    Ok(status)
}

fn as_it_was(name: &str, since: &str, why: &str) -> String {
    format!("{name} as it was {since} ago: the miner is not reached: {why}")
}
