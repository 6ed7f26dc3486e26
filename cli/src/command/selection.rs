//! Which miners a command is for: some by name, those that are selected, all, or the one that is meant anyway.

use super::peer::Peer;
use crate::{args::Selection, context::Context, error::CliError};
use mujina_core::id::MinerName;
use mujina_proto::control::v1::MinerSelection;

/// What names and flags say; `None` = nothing.
///
/// # Errors
/// They say it in more than one way.
pub(crate) fn said(
    context: &Context<'_>,
    names: &[MinerName],
    others: &Selection,
) -> Result<Option<MinerSelection>, CliError> {
    let Selection { selector, filter, all } = others;
    let by_name = !names.is_empty() || context.miner.is_some();
    let by_kind = selector.is_some() || filter.is_some();
    match (by_name, by_kind, all) {
        (false, false, false) => Ok(None),
        (true, false, false) => {
            let mut miners: Vec<_> = names.iter().chain(&context.miner).map(ToString::to_string).collect();
            miners.sort();
            miners.dedup();
            Ok(Some(of_miners(miners)))
        }
        (false, true, false) => Ok(Some(MinerSelection {
            selector: selector.clone().unwrap_or_default(),
            filter: filter.clone().unwrap_or_default(),
            ..MinerSelection::default()
        })),
        (false, false, true) => Ok(Some(MinerSelection { all: true, ..MinerSelection::default() })),
        _ => Err(CliError::Usage("names, --all, and -l or --filter exclude each other; choose miners one way".into())),
    }
}

/// The same; where nothing is said the miner that is meant anyway. Of a miner itself nothing can be chosen.
pub(crate) fn chosen(
    context: &Context<'_>,
    peer: &Peer,
    names: &[MinerName],
    others: &Selection,
) -> Result<MinerSelection, CliError> {
    match (said(context, names, others)?, &peer.miners) {
        (Some(selection), None) => Err(peer.is_a_miner(if selection.all {
            "--all"
        } else if selection.miners.is_empty() {
            "a selector"
        } else {
            "a name"
        })),
        (Some(selection), Some(_)) => {
            for name in names.iter().chain(&context.miner) {
                peer.one(Some(name))?;
            }
            Ok(selection)
        }
        (None, _) => peer.some(None).map(of_miners),
    }
}

/// These miners.
pub(crate) fn of_miners(miners: Vec<String>) -> MinerSelection {
    MinerSelection { miners, ..MinerSelection::default() }
}
