//! Waiting until a generation of the desired state is in force, telling what happens meanwhile.

use super::peer::{Target, registry};
use crate::{context::Context, error::CliError, output::word, saved::Client};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{Miner, MinerView, SyncState, WatchMinersRequest},
    convert,
    dataplane::v1::{GetSpecRequest, WatchMinerRequest},
    types::v1::{MinerStatus, SpecSection, SpecSectionState},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Shortest time between two status trees: a person sees no more, and the miner allows no less.
const INTERVAL: Duration = Duration::from_millis(100);

/// Reason of the fault that boards do not grant what is wanted of them.
const TUNING_REFUSED: &str = "TUNING_REFUSED";

/// Waits until `generation` is in force.
///
/// # Errors
/// The miner refused it, or another one took its place.
pub(crate) async fn in_force(context: &mut Context<'_>, target: &Target, generation: u64) -> Result<(), CliError> {
    let doing = format!("wait for generation {generation} of {}", target.label());
    let failed = || CliError::call(doing.clone());
    let mut progress = Progress::default();
    match &target.name {
        None => {
            let request = WatchMinerRequest { min_interval: Some(convert::duration(INTERVAL)), figures_interval: None };
            let mut stream = target.miners().watch_miner(request).await.map_err(failed())?.into_inner();
            while let Some(event) = stream.message().await.map_err(failed())? {
                let Some(status) = event.miner else { continue };
                for line in progress.lines(&status) {
                    context.note(&line)?;
                }
                if status.observed_generation >= generation {
                    return Ok(());
                }
                refused(target, &status, generation).await?;
            }
        }
        Some(name) => {
            let mut registry = registry(&target.client);
            let mut stream = registry.watch_miners(WatchMinersRequest::default()).await.map_err(failed())?.into_inner();
            while let Some(event) = stream.message().await.map_err(failed())? {
                for miner in event.miners.iter().filter(|miner| miner.name == *name) {
                    for line in miner.status.iter().flat_map(|status| progress.lines(status)) {
                        context.note(&line)?;
                    }
                    if judge(miner, generation, event.snapshot)? {
                        return Ok(());
                    }
                    if let Some(status) = &miner.status {
                        refused(target, status, generation).await?;
                    }
                }
            }
        }
    }
    Err(CliError::Ended { doing })
}

/// Waits until all of these miners do what is wanted of them.
///
/// # Errors
/// Some refuse it.
pub(crate) async fn converged(
    context: &mut Context<'_>,
    client: &Client,
    miners: &BTreeSet<String>,
) -> Result<(), CliError> {
    let doing = "wait for the miners";
    let request = WatchMinersRequest { view: MinerView::Basic.into(), ..WatchMinersRequest::default() };
    let mut stream = registry(client).watch_miners(request).await.map_err(CliError::call(doing))?.into_inner();
    let mut states = BTreeMap::new();
    let bar = context.bar();
    let all = u32::try_from(miners.len()).unwrap_or(u32::MAX);
    while let Some(event) = stream.message().await.map_err(CliError::call(doing))? {
        for miner in event.miners.into_iter().filter(|miner| miners.contains(&miner.name)) {
            // What the first message says of a refusal may be about the generation before.
            let rejected = miner.sync_state() == SyncState::Rejected && !event.snapshot;
            let reason = rejected.then(|| miner.sync_reason.clone());
            states.insert(miner.name.clone(), (miner.sync_state() == SyncState::InSync, reason));
        }
        let in_sync = states.values().filter(|(in_sync, _)| *in_sync).count();
        let failed: Vec<_> = states
            .iter()
            .filter_map(|(name, (_, reason))| Some(Problem { field: name.clone(), reason: reason.clone()? }))
            .collect();
        let done = u32::try_from(in_sync).unwrap_or(u32::MAX);
        bar.show(done, all, &format!("{done} of {all} miners in sync, {} refuse", failed.len()));
        if in_sync >= miners.len() {
            bar.clear();
            return Ok(());
        }
        if states.len() == miners.len() && failed.len() + in_sync >= miners.len() {
            bar.clear();
            return Err(CliError::Miners { failed, of: miners.len() });
        }
    }
    Err(CliError::Ended { doing: doing.into() })
}

/// An error when boards refuse what this generation wants of them and nothing else is under way: it would be waited for in
/// vain.
async fn refused(target: &Target, status: &MinerStatus, generation: u64) -> Result<(), CliError> {
    if !status.faults.iter().any(|fault| fault.reason == TUNING_REFUSED) {
        return Ok(());
    }
    let request = target.request(GetSpecRequest {})?;
    // Who does not answer now may with the next status.
    let Ok(answer) = target.miners().get_spec(request).await else { return Ok(()) };
    let state = answer.into_inner().state.unwrap_or_default();
    let accepted = if target.name.is_some() { state.control_generation } else { state.generation };
    match verdict(&state.sections) {
        Some(reason) if accepted == generation => {
            let message = format!("generation {generation} is accepted and not in force: {reason}");
            Err(CliError::Precondition(message))
        }
        _ => Ok(()),
    }
}

/// Why parts of a spec are refused, once none is under way any more.
fn verdict(sections: &[SpecSection]) -> Option<String> {
    let in_state = |state| sections.iter().filter(move |section| section.state() == state);
    let reasons: Vec<_> = in_state(SpecSectionState::Refused).map(|section| section.reason.as_str()).collect();
    let under_way = in_state(SpecSectionState::Applying).next().is_some();
    (!under_way && !reasons.is_empty()).then(|| reasons.join("; "))
}

/// Whether a miner does what this generation wants; an error when it never will. What the first message says may still be
/// about the generation before.
fn judge(miner: &Miner, generation: u64, first: bool) -> Result<bool, CliError> {
    let Miner { name, sync_reason, desired_generation, acknowledged_generation, .. } = miner;
    if *desired_generation > generation {
        return Err(CliError::Precondition(format!(
            "generation {generation} of {name} was replaced by {desired_generation} before it was in force"
        )));
    }
    // An older generation says nothing of this one.
    let is_about_it = *desired_generation == generation;
    match miner.sync_state() {
        SyncState::InSync => Ok(is_about_it),
        SyncState::Rejected if is_about_it && !first => {
            Err(CliError::Precondition(format!("{name} refused generation {generation}: {sync_reason}")))
        }
        SyncState::Drifted | SyncState::Overridden if is_about_it && *acknowledged_generation >= generation => {
            Err(CliError::Precondition(format!(
                "{name} was changed by somebody else after it accepted generation {generation}: {sync_reason}; \
             apply the spec again to overrule it"
            )))
        }
        SyncState::Rejected
        | SyncState::Drifted
        | SyncState::Overridden
        | SyncState::Unspecified
        | SyncState::Applying
        | SyncState::Unreachable => Ok(false),
    }
}

/// What was told already.
#[derive(Default)]
struct Progress(BTreeMap<String, String>);

impl Progress {
    /// A line for every pool whose state is another than before.
    fn lines(&mut self, status: &MinerStatus) -> Vec<String> {
        let mut lines = Vec::new();
        for pool in &status.pools {
            let state = word(pool.state().as_str_name(), "POOL_STATE");
            let live = if pool.live { ", live" } else { "" };
            let reason = if pool.state_reason.is_empty() { String::new() } else { format!(": {}", pool.state_reason) };
            let line = format!("pool {} is {state}{live}{reason}", pool.name);
            if self.0.insert(pool.name.clone(), line.clone()).as_ref() != Some(&line) {
                lines.push(line);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_proto::types::v1::{PoolState, PoolStatus};

    fn miner(sync_state: SyncState, desired: u64, acknowledged: u64) -> Miner {
        Miner {
            name: "rig1".into(),
            sync_state: sync_state.into(),
            desired_generation: desired,
            acknowledged_generation: acknowledged,
            ..Miner::default()
        }
    }

    #[test]
    fn only_what_is_about_the_generation_ends_the_wait() {
        for (miner, first, ends) in [
            (miner(SyncState::InSync, 4, 4), true, Some(true)),
            (miner(SyncState::InSync, 3, 3), true, Some(false)),
            (miner(SyncState::Applying, 4, 3), false, Some(false)),
            (miner(SyncState::Unreachable, 4, 3), false, Some(false)),
            (miner(SyncState::Rejected, 4, 3), true, Some(false)),
            (miner(SyncState::Rejected, 4, 3), false, None),
            (miner(SyncState::Rejected, 3, 2), false, Some(false)),
            (miner(SyncState::Drifted, 4, 3), false, Some(false)),
            (miner(SyncState::Drifted, 4, 4), false, None),
            (miner(SyncState::InSync, 5, 5), false, None),
        ] {
            assert_eq!(judge(&miner, 4, first).ok(), ends, "{miner:?}");
        }
    }

    #[test]
    fn refusal_ends_the_wait_once_nothing_else_is_under_way() {
        let section =
            |state: SpecSectionState| SpecSection { state: state.into(), reason: "hot".into(), ..Default::default() };
        let (applied, applying) = (section(SpecSectionState::Applied), section(SpecSectionState::Applying));
        let refused = section(SpecSectionState::Refused);
        assert_eq!(verdict(&[applied.clone(), refused.clone()]).as_deref(), Some("hot"));
        assert_eq!(verdict(&[applying.clone(), refused]), None);
        assert_eq!(verdict(&[applied, applying]), None);
    }

    #[test]
    fn state_is_told_once_until_it_changes() {
        let pool = |state: PoolState| PoolStatus { name: "a".into(), state: state.into(), ..PoolStatus::default() };
        let status = |state| MinerStatus { pools: vec![pool(state)], ..MinerStatus::default() };
        let mut progress = Progress::default();
        assert_eq!(progress.lines(&status(PoolState::Connecting)), ["pool a is connecting"]);
        assert_eq!(progress.lines(&status(PoolState::Connecting)), Vec::<String>::new());
        assert_eq!(progress.lines(&status(PoolState::WaitingForJob)), ["pool a is waiting for job"]);
    }
}
