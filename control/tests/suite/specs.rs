//! Desired states, from the API to the miner.

use crate::{
    miner::FakeMiner,
    world::{Control, config, paused, spec, unbound, whole},
};
use mujina_control::Config;
use mujina_core::units::Watts;
use mujina_proto::{control::v1, failure::Failure, types};
use tonic::Code;

#[tokio::test]
async fn desired_state_reaches_the_miner_with_its_password_and_no_reader_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let stored = control.apply(whole("rig1", Some("hunter2"))).await.desired.unwrap();
    assert_eq!(stored.generation, 1);
    let seen = control.until_sync("rig1", v1::SyncState::InSync).await;
    assert_eq!((seen.desired_generation, seen.acknowledged_generation), (1, 1));
    assert_eq!(seen.labels["site"], "cellar");
    let applied = miner.state().applied.clone();
    assert_eq!(applied.len(), 1);
    assert_eq!(applied[0].spec.as_ref().unwrap().pool_groups[0].pools[0].password.as_deref(), Some("hunter2"));
    let read = control.specs().get_spec(v1::GetSpecRequest { miner: "rig1".into() }).await.unwrap().into_inner();
    assert!(!format!("{read:?}").contains("hunter2"));
    assert!(read.desired.unwrap().spec.unwrap().pool_groups[0].pools[0].password_set);
    assert_eq!(read.confirmed.unwrap().control_generation, 1);
    control.stop().await;
}

#[tokio::test]
async fn accepted_spec_is_in_sync_only_once_it_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.slow = true);
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.apply(whole("rig1", None)).await;
    let accepted = |miner: &v1::Miner| miner.acknowledged_generation == 1;
    let seen = control.until("rig1", "accepted", accepted).await;
    assert_eq!(seen.sync_state(), v1::SyncState::Applying);
    miner.change(|state| state.observed = state.generation);
    control.until_sync("rig1", v1::SyncState::InSync).await;
    control.stop().await;
}

#[tokio::test]
async fn rejected_spec_says_why_and_is_left_until_a_new_one_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let refusal = Failure::invalid_field("pool_groups[main].pools[main].url", "is not for me");
    miner.change(|state| state.refusals.push_back(refusal.into()));
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.apply(unbound("rig1")).await;
    let seen = control.until_sync("rig1", v1::SyncState::Rejected).await;
    assert!(seen.sync_reason.contains("is not for me"), "{}", seen.sync_reason);
    assert_eq!((seen.desired_generation, seen.acknowledged_generation), (1, 0));
    control.apply(whole("rig1", Some("x"))).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    assert_eq!(miner.state().applied.iter().map(|one| one.control_generation).collect::<Vec<_>>(), [1, 2]);
    control.stop().await;
}

#[tokio::test]
async fn spec_that_meets_a_conflict_three_times_is_given_up_until_a_new_one_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let busy = || Failure::new(Code::Aborted, "STALE_GENERATION", "somebody else writes").into();
    miner.change(|state| state.refusals.extend((0..3).map(|_| busy())));
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.apply(unbound("rig1")).await;
    let seen = control.until_sync("rig1", v1::SyncState::Rejected).await;
    assert_eq!(seen.sync_reason, "somebody else writes");
    assert_eq!(miner.state().applied.len(), 3);
    let told = control.until_event("SPEC_REJECTED").await;
    assert!(told.miner == "rig1" && told.message.contains("somebody else writes"), "{told:?}");
    control.apply(whole("rig1", None)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    control.stop().await;
}

#[tokio::test]
async fn change_made_on_a_miner_is_respected_until_a_new_spec_is_written_and_both_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.apply(whole("rig1", None)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    miner.change(|state| {
        state.spec.paused = true;
        state.origin = types::v1::SpecOrigin::Local;
        state.generation += 1;
        state.observed = state.generation;
    });
    let first = control.until_sync("rig1", v1::SyncState::Overridden).await.overridden_until;
    assert!(first.is_some());
    control.until_event("OVERRIDDEN").await;
    control.kill();
    // A restart neither makes it try again nor begins the time anew.
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let again = control.until_sync("rig1", v1::SyncState::Overridden).await.overridden_until;
    let apart = again.unwrap().seconds - first.unwrap().seconds;
    assert_eq!(apart, 0);
    assert_eq!(miner.state().applied.len(), 1);
    control.apply(whole("rig1", None)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    assert!(!miner.state().spec.paused);
    let ended = control.until_event("OVERRIDE_ENDED").await;
    assert!(ended.message.contains("takes over"), "{}", ended.message);
    assert_eq!(control.events().await.iter().filter(|event| event.kind == "OVERRIDDEN").count(), 1);
    control.stop().await;
}

#[tokio::test]
async fn miner_that_was_away_is_reconciled_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.until_connected("rig1").await;
    drop(serving);
    let away = |miner: &v1::Miner| miner.reachability() == v1::MinerReachability::Unreachable;
    let seen = control.until("rig1", "unreachable", away).await;
    assert!(seen.unreachable_reason.starts_with("the miner"), "{}", seen.unreachable_reason);
    control.apply(whole("rig1", None)).await;
    control.until_sync("rig1", v1::SyncState::Unreachable).await;
    miner.change(|state| state.boot_id = "boot-2".into());
    let _serving = miner.serve().await;
    let seen = control.until_sync("rig1", v1::SyncState::InSync).await;
    assert_eq!(seen.status.unwrap().boot_id, "boot-2");
    control.stop().await;
}

#[tokio::test]
async fn password_that_only_the_miner_knows_stays_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.spec = spec(Some("hunter2")));
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control
        .until("rig1", "spec known", |miner| miner.sync_state() == v1::SyncState::Unspecified && miner.status.is_some())
        .await;
    let stored = control.apply(paused("rig1")).await;
    assert_eq!(stored.changes.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["paused"]);
    assert!(stored.desired.unwrap().spec.unwrap().pool_groups[0].pools[0].password_set);
    control.until_sync("rig1", v1::SyncState::InSync).await;
    {
        let state = miner.state();
        assert_eq!(state.applied[0].spec.as_ref().unwrap().pool_groups[0].pools[0].password, None);
        assert_eq!(state.spec.pool_groups[0].pools[0].password.as_deref(), Some("hunter2"));
        assert!(state.spec.paused);
    }
    control.stop().await;
}

#[tokio::test]
async fn writes_are_checked_before_anything_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let failed =
        async |request: v1::ApplySpecRequest| Failure::from(&control.specs().apply_spec(request).await.unwrap_err());
    let mut bad = whole("rig1", None);
    bad.spec.as_mut().unwrap().pool_groups[0].pools[0].url = "stratum://x".into();
    bad.spec.as_mut().unwrap().pool_groups[0].pools[0].user = String::new();
    let failure = failed(bad).await;
    assert_eq!(failure.code, Code::InvalidArgument);
    let fields: Vec<_> = failure.problems.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["spec.pool_groups[main].pools[main].url", "spec.pool_groups[main].pools[main].user"]);
    let failure = failed(paused("rig1")).await;
    assert_eq!((failure.code, failure.reason.as_str()), (Code::FailedPrecondition, "MINER_NOT_SEEN"));
    let failure = failed(whole("rig9", None)).await;
    assert_eq!((failure.code, failure.reason.as_str()), (Code::NotFound, "MINER_NOT_FOUND"));
    let mut masked = whole("rig1", None);
    masked.update_mask = Some(prost_types::FieldMask { paths: vec!["pools".into(), "x".into()] });
    assert_eq!(failed(masked).await.problems.len(), 2);
    let read = control.specs().get_spec(v1::GetSpecRequest { miner: "rig1".into() }).await.unwrap().into_inner();
    assert_eq!((read.desired, read.confirmed), (None, None));
    control.stop().await;
}

#[tokio::test]
async fn etags_request_ids_and_dry_runs_keep_writers_from_harm() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let dry = control.apply(v1::ApplySpecRequest { validate_only: true, ..whole("rig1", None) }).await;
    assert!(dry.changes.iter().any(|change| change.path == "pool_groups[main].pools[main].url"));
    assert_eq!(dry.desired.unwrap().generation, 0);
    let first = control.apply(v1::ApplySpecRequest { request_id: "r1".into(), ..whole("rig1", Some("a")) }).await;
    let etag = first.desired.as_ref().unwrap().etag.clone();
    let second = control.apply(v1::ApplySpecRequest { etag: etag.clone(), ..paused("rig1") }).await;
    assert_eq!(second.desired.unwrap().generation, 2);
    let stale = control.specs().apply_spec(v1::ApplySpecRequest { etag, ..paused("rig1") }).await.unwrap_err();
    assert_eq!((stale.code(), Failure::from(&stale).reason.as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    control.kill();
    // A repeat is answered as before even by another process, and does nothing.
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let again = control.apply(v1::ApplySpecRequest { request_id: "r1".into(), ..whole("rig1", Some("a")) }).await;
    assert_eq!(again, first);
    let other = v1::ApplySpecRequest { request_id: "r1".into(), ..paused("rig1") };
    let refused = Failure::from(&control.specs().apply_spec(other).await.unwrap_err());
    assert_eq!(refused.problems.first().map(|problem| problem.field.as_str()), Some("request_id"), "{refused:?}");
    let read = control.specs().get_spec(v1::GetSpecRequest { miner: "rig1".into() }).await.unwrap().into_inner();
    assert_eq!(read.desired.unwrap().generation, 2);
    control.stop().await;
}

#[tokio::test]
async fn change_of_pools_stays_only_when_a_share_was_accepted_since() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.until_connected("rig1").await;
    miner.change(|state| state.reverts = true);
    control.apply(whole("rig1", None)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    assert_eq!(trial(&control).await, Some(v1::SpecTrialState::Running));
    assert!(miner.state().applied[0].confirm_within.is_some_and(|within| (290..=300).contains(&within.seconds)));
    miner.change(|state| state.accepted += 1);
    miner.until("confirmed", |state| !state.reverts_at).await;
    miner.change(|state| state.accepted += 1);
    while trial(&control).await != Some(v1::SpecTrialState::Confirmed) {
        tokio::task::yield_now().await;
    }
    // Nobody needs a proof that a miner is paused, unless it is asked for.
    control.apply(paused("rig1")).await;
    assert_eq!(trial(&control).await, None);
    control.stop().await;
}

#[tokio::test]
async fn change_that_a_miner_refuses_or_takes_back_is_replaced_by_the_spec_before() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, _serving, control) = proved(folder.path(), Some("good")).await;
    control.apply(misled("nobody")).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    go_back(&miner);
    let back = control.until("rig1", "back", |miner| miner.acknowledged_generation == 3).await;
    assert_eq!(back.desired_generation, 3);
    control.until_sync("rig1", v1::SyncState::InSync).await;
    let last = miner.state().applied.last().unwrap().spec.clone().unwrap();
    assert_eq!(last.pool_groups[0].pools[0].user, "alice");
    assert_eq!(last.pool_groups[0].pools[0].password.as_deref(), Some("good"));
    control.until_event("SPEC_REVERTED").await;
    control.stop().await;
}

/// A spec with the pool account of nobody whom the pool knows.
fn misled(user: &str) -> v1::ApplySpecRequest {
    let mut bad = whole("rig1", None);
    *account(bad.spec.as_mut().unwrap()) = user.into();
    bad
}

/// The account at its first pool.
fn account(spec: &mut types::v1::MinerSpec) -> &mut String {
    let pool = spec.pool_groups.first_mut().and_then(|group| group.pools.first_mut());
    &mut pool.unwrap().user
}

/// What a miner does that did not hear a confirmation in time: it goes back to the account that was confirmed last.
fn go_back(miner: &FakeMiner) {
    miner.change(|state| {
        *account(&mut state.spec) = "alice".into();
        state.spec.paused = false;
        state.origin = types::v1::SpecOrigin::Reverted;
        state.generation += 1;
        state.observed = state.generation;
    });
}

/// How the newest change stands.
async fn trial(control: &Control) -> Option<v1::SpecTrialState> {
    let read = control.specs().get_spec(v1::GetSpecRequest { miner: "rig1".into() }).await.unwrap().into_inner();
    read.desired.unwrap().trial.map(|trial| trial.state())
}

/// A miner whose first pools are confirmed, with the fleet that it belongs to.
async fn proved(folder: &std::path::Path, password: Option<&str>) -> (FakeMiner, crate::host::Hosted, Control) {
    let miner = FakeMiner::new(folder, "rig1");
    let serving = miner.serve().await;
    let control = Control::start(config(folder, &[("rig1", &miner)])).await;
    control.until_connected("rig1").await;
    miner.change(|state| (state.reverts, state.unknown_users) = (true, vec!["nobody".into(), "noone".into()]));
    control.apply(whole("rig1", password)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    miner.change(|state| state.accepted += 1);
    miner.until("confirmed", |state| !state.reverts_at).await;
    // Told to the miner first, then written down.
    while trial(&control).await != Some(v1::SpecTrialState::Confirmed) {
        tokio::task::yield_now().await;
    }
    (miner, serving, control)
}

#[tokio::test]
async fn pause_amid_a_trial_neither_ends_it_nor_is_taken_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, _serving, control) = proved(folder.path(), None).await;
    control.apply(misled("nobody")).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    control.apply(paused("rig1")).await;
    control.until("rig1", "paused", |miner| miner.acknowledged_generation == 3).await;
    assert!(miner.state().applied[2].confirm_within.is_some(), "the miner must go back by itself still");
    assert!(miner.state().reverts_at);
    go_back(&miner);
    control.until("rig1", "back", |miner| miner.acknowledged_generation == 4).await;
    let last = miner.state().applied.last().unwrap().spec.clone().unwrap();
    assert_eq!((last.pool_groups[0].pools[0].user.as_str(), last.paused), ("alice", true));
    control.stop().await;
}

#[tokio::test]
async fn change_on_trial_is_proved_while_a_pause_waits_for_its_turn() {
    const OTHERS: usize = 15;
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (1..=OTHERS + 1).map(|number| format!("rig{number}")).collect();
    let fakes: Vec<_> = names.iter().map(|name| FakeMiner::new(folder.path(), name)).collect();
    let mut serving = Vec::new();
    for fake in &fakes {
        serving.push(fake.serve().await);
    }
    let named: Vec<_> = names.iter().map(String::as_str).zip(&fakes).collect();
    // Nobody measures what they draw, so that each has a second for itself.
    let ramp = Some(Watts::from_watts(1.0));
    let control = Control::start(Config { ramp, ..config(folder.path(), &named) }).await;
    for name in &names {
        control.until_connected(name).await;
    }
    let miner = &fakes[0];
    miner.change(|state| state.reverts = true);
    control.apply(whole("rig1", None)).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    for name in &names[1..] {
        control.apply(paused(name)).await;
    }
    let waits = |miner: &v1::Miner| miner.sync_reason.contains("may be switched per second");
    control.until(names.last().unwrap(), "waits", waits).await;
    control.apply(paused("rig1")).await;
    control.until("rig1", "waits", waits).await;
    miner.change(|state| state.accepted += 1);
    miner.until("confirmed", |state| !state.reverts_at).await;
    let sent = {
        let state = miner.state();
        (state.control_generation, state.spec.paused)
    };
    assert_eq!(sent, (1, false));
    control.stop().await;
}

#[tokio::test]
async fn second_change_that_fails_goes_back_to_what_was_proved_and_not_to_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, _serving, control) = proved(folder.path(), None).await;
    for user in ["nobody", "noone"] {
        control.apply(misled(user)).await;
        control.until_sync("rig1", v1::SyncState::InSync).await;
    }
    go_back(&miner);
    control.until("rig1", "back", |miner| miner.acknowledged_generation == 4).await;
    let last = miner.state().applied.last().unwrap().spec.clone().unwrap();
    assert_eq!(last.pool_groups[0].pools[0].user, "alice");
    control.stop().await;
}

#[tokio::test]
async fn share_of_the_pool_before_proves_nothing_of_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, _serving, control) = proved(folder.path(), None).await;
    control.apply(misled("nobody")).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    // Told with the spec before, as a tree that was on its way is.
    miner.change(|state| (state.lagging, state.accepted) = (true, 7));
    let mut trees = control.registry().watch_miners(v1::WatchMinersRequest::default()).await.unwrap().into_inner();
    let news = async {
        while let Some(news) = trees.message().await.unwrap() {
            let accepted = |miner: &v1::Miner| {
                miner.status.as_ref()?.pools.first()?.connection.as_ref()?.totals.as_ref().map(|totals| totals.accepted)
            };
            if news.miners.iter().any(|miner| accepted(miner) == Some(7)) {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), news).await.unwrap();
    assert_eq!(trial(&control).await, Some(v1::SpecTrialState::Running));
    assert!(miner.state().reverts_at, "nobody confirmed it");
    control.stop().await;
}

#[tokio::test]
async fn events_are_followed_from_where_a_reader_was() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let refusal = || Failure::invalid_field("paused", "not now").into();
    miner.change(|state| state.refusals.extend([refusal(), refusal()]));
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    control.until_connected("rig1").await;
    let mut stream = control.watch_events(0).await;
    let bookmark = stream.message().await.unwrap().unwrap();
    assert_eq!((bookmark.events.len(), bookmark.gap), (0, false));
    control.apply(paused("rig1")).await;
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!(first.events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["SPEC_REJECTED"]);
    control.apply(paused("rig1")).await;
    stream.message().await.unwrap().unwrap();
    control.kill();
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let mut stream = control.watch_events(first.resume_sequence).await;
    let second = stream.message().await.unwrap().unwrap();
    assert_eq!((second.events.len(), second.gap), (1, false));
    // A place that is not there is told, and the reader goes on from now.
    let strange = control.watch_events(1_000_000).await.message().await.unwrap().unwrap();
    assert_eq!((strange.events.len(), strange.gap, strange.resume_sequence), (0, true, second.resume_sequence));
    control.stop().await;
}
