//! Waiting until a generation of the desired state is in force, telling what happens meanwhile.

use super::{following::Following, peer::Target, view::sync};
use crate::{
    context::Context,
    error::CliError,
    output::{clock, word},
    saved::Client,
};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{Miner, MinerView, SyncState, WatchMinersResponse},
    convert::{self, time},
    dataplane::v1::{GetSpecRequest, WatchMinerRequest},
    types::v1::{MinerStatus, SpecSection, SpecSectionState},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Shortest time between two status trees: a person sees no more, and the miner allows no less.
const INTERVAL: Duration = Duration::from_millis(100);

/// Names of miners in a message.
const NAMED: usize = 8;

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
            let mut miners = Following::begin(&target.client, MinerView::Full).await.map_err(failed())?;
            while let Some(event) = miners.next().await.map_err(failed())? {
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

/// Waits until all of these miners do what is wanted of them. Those that were `written` to themselves give up what was
/// changed on them; others do not before its time.
///
/// # Errors
/// Some refuse it, or cannot follow.
pub(crate) async fn converged(
    context: &mut Context<'_>,
    client: &Client,
    miners: BTreeSet<String>,
    written: &BTreeSet<String>,
) -> Result<(), CliError> {
    let doing = "wait for the miners";
    let mut stream = Following::begin(client, MinerView::Basic).await.map_err(CliError::call(doing))?;
    let mut followers = Followers::new(miners);
    let bar = context.bar();
    while let Some(event) = stream.next().await.map_err(CliError::call(doing))? {
        followers.take(&event, written);
        let (done, all) = (followers.done(), followers.0.len());
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let refuse = followers.stuck().len();
        bar.show(count(done), count(all), &format!("{done} of {all} miners in sync, {refuse} cannot follow"));
        context.goes_on = Some(format!("{PUTTING_IN_FORCE}{}", followers.missing()));
        if let Some(ended) = followers.verdict() {
            bar.clear();
            return ended;
        }
    }
    bar.clear();
    Err(CliError::Ended { doing: doing.into() })
}

/// What is left when the command ends before the miners have followed.
pub(crate) const PUTTING_IN_FORCE: &str = "the changes are stored and are being put in force without this command";

/// How far a miner is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    InSync,
    /// Why not yet.
    Follows(String),
    /// Why it cannot, or not before long.
    Stuck(String),
}

/// Miners that are waited for, by name.
struct Followers(BTreeMap<String, Standing>);

impl Followers {
    fn new(miners: BTreeSet<String>) -> Self {
        Self(miners.into_iter().map(|name| (name, Standing::Follows("nothing is known yet".into()))).collect())
    }

    /// Takes what a watch says.
    fn take(&mut self, event: &WatchMinersResponse, written: &BTreeSet<String>) {
        let gone = || Standing::Stuck("is not among the miners of the control plane".into());
        if event.snapshot {
            self.0.values_mut().for_each(|standing| *standing = gone());
        }
        for name in &event.removed {
            self.0.entry(name.clone()).and_modify(|standing| *standing = gone());
        }
        for miner in &event.miners {
            if let Some(standing) = self.0.get_mut(&miner.name) {
                *standing = standing_of(miner, event.snapshot, written.contains(&miner.name));
            }
        }
    }

    fn done(&self) -> usize {
        self.0.values().filter(|standing| **standing == Standing::InSync).count()
    }

    fn stuck(&self) -> Vec<Problem> {
        let stuck = |(name, standing): (&String, &Standing)| match standing {
            Standing::Stuck(reason) => Some(Problem { field: name.clone(), reason: reason.clone() }),
            Standing::InSync | Standing::Follows(_) => None,
        };
        self.0.iter().filter_map(stuck).collect()
    }

    /// Those that have not followed, for a message.
    fn missing(&self) -> String {
        let missing = |(name, standing): (&String, &Standing)| match standing {
            Standing::InSync => None,
            Standing::Follows(reason) | Standing::Stuck(reason) => Some(format!("{name} ({reason})")),
        };
        let missing: Vec<_> = self.0.iter().filter_map(missing).collect();
        match (missing.get(..NAMED), missing.len()) {
            (_, 0) => String::new(),
            (Some(first), all) if all > NAMED => {
                format!("; not followed yet: {} and {} more", first.join(", "), all - NAMED)
            }
            _ => format!("; not followed yet: {}", missing.join(", ")),
        }
    }

    /// The end, once there is nothing left to wait for.
    fn verdict(&self) -> Option<Result<(), CliError>> {
        let (failed, of) = (self.stuck(), self.0.len());
        if self.done() + failed.len() < of {
            return None;
        }
        Some(if failed.is_empty() { Ok(()) } else { Err(CliError::Miners { failed, of }) })
    }
}

/// How far a miner is, as the first message of a watch says or a later one. What the first one says may still be about the
/// generation before.
fn standing_of(miner: &Miner, first: bool, written: bool) -> Standing {
    let because = |reason: &str| match reason {
        "" => sync(miner.sync_state()),
        reason => format!("{}: {reason}", sync(miner.sync_state())),
    };
    let stays = first && written;
    match miner.sync_state() {
        SyncState::InSync => Standing::InSync,
        SyncState::Rejected if !first => Standing::Stuck(because(&miner.sync_reason)),
        SyncState::Overridden if !stays => Standing::Stuck(match time(miner.overridden_until) {
            Some(until) => format!("{} until {}", because(&miner.sync_reason), clock(Some(until))),
            None => because(&miner.sync_reason),
        }),
        SyncState::Drifted if !stays => Standing::Stuck(because(&miner.sync_reason)),
        SyncState::Unreachable => Standing::Follows(because(&miner.unreachable_reason)),
        SyncState::Rejected
        | SyncState::Overridden
        | SyncState::Drifted
        | SyncState::Applying
        | SyncState::Unspecified => Standing::Follows(because(&miner.sync_reason)),
    }
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

    #[test]
    fn wait_for_many_ends_where_those_that_are_left_cannot_follow_and_names_them() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let named = |name: &str, state| Miner { name: name.into(), ..miner(state, 4, 4) };
        let event = |snapshot, miners| WatchMinersResponse { miners, snapshot, ..WatchMinersResponse::default() };
        let mut followers = Followers::new(names(&["a", "b", "c"]));
        assert!(followers.verdict().is_none());
        let lost = Miner { unreachable_reason: "nobody answers".into(), ..named("b", SyncState::Unreachable) };
        followers.take(&event(true, vec![named("a", SyncState::Applying), lost]), &names(&[]));
        assert_eq!(
            followers.missing(),
            "; not followed yet: a (applying), b (unreachable: nobody answers), \
             c (is not among the miners of the control plane)"
        );
        assert!(followers.verdict().is_none());
        let until = Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 });
        let overridden = Miner { overridden_until: until, ..named("b", SyncState::Overridden) };
        followers.take(&event(false, vec![named("a", SyncState::InSync), overridden]), &names(&[]));
        let Some(Err(CliError::Miners { failed, of: 3 })) = followers.verdict() else { panic!("nobody follows") };
        let failed: Vec<_> = failed.iter().map(|one| format!("{}: {}", one.field, one.reason)).collect();
        assert_eq!(
            failed,
            ["b: overridden until 2026-09-21 14:13:20Z", "c: is not among the miners of the control plane"]
        );
    }

    #[test]
    fn what_the_first_message_says_of_a_miner_may_be_of_the_generation_before() {
        let stuck =
            |state, first, written| matches!(standing_of(&miner(state, 4, 4), first, written), Standing::Stuck(_));
        assert!(!stuck(SyncState::Rejected, true, false) && stuck(SyncState::Rejected, false, false));
        // A profile does not overrule what was changed on a miner; a spec of its own does.
        for state in [SyncState::Overridden, SyncState::Drifted] {
            assert!(stuck(state, true, false) && !stuck(state, true, true) && stuck(state, false, true), "{state:?}");
        }
    }
}
