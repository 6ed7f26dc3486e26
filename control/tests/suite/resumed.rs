//! The program killed at each step of something that takes its time: what was begun comes to its end, and nothing is done twice.

use crate::{
    miner::FakeMiner,
    process::connected,
    rollouts::{Fleet, Killed, NAMES, change_to, operation_ended},
    world::{PATIENCE, unbound, whole},
};
use mujina_proto::control::v1::{
    self, event_service_client::EventServiceClient, operation_action::Action,
    operation_service_client::OperationServiceClient, rollout_service_client::RolloutServiceClient,
    spec_service_client::SpecServiceClient,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};

/// The ramp spaces the decisions: one may be on its way to its miner for longer than the next.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// All miners work for `alice` by generation 1.
async fn begun<'a>(folder: &'a Path, fleet: &'a Fleet) -> Killed<'a> {
    let killed = Killed::new(folder, fleet);
    let mut specs = SpecServiceClient::new(connected(folder).await);
    for (name, miner) in fleet.named() {
        specs.apply_spec(unbound(name)).await.unwrap();
        miner.until("spec applied", |state| state.control_generation == 1).await;
    }
    killed
}

/// Kills the program whenever a miner was sent this generation, after what `first` waits for, which is told how many were.
async fn kill_at_each(killed: &mut Killed<'_>, fleet: &Fleet, generation: u64, first: impl AsyncFn(usize)) {
    let mut sent = JoinSet::new();
    for miner in &fleet.miners {
        let miner = miner.clone();
        sent.spawn(async move {
            miner.until("sent", |state| state.control_generation == generation).await;
        });
    }
    let mut count = 0;
    while let Some(one) = sent.join_next().await {
        one.unwrap();
        count += 1;
        timeout(PATIENCE, first(count)).await.expect("it goes on");
        killed.again().await;
    }
}

/// When each miner was sent this generation first, by the miner, in order.
fn told_at(fleet: &Fleet, generation: u64) -> Vec<Instant> {
    let of = |miner: &FakeMiner| {
        let state = miner.state();
        let mut told = state.applied.iter().zip(&state.applied_at);
        told.find(|(request, _)| request.control_generation == generation).map(|(_, at)| *at)
    };
    let mut times: Vec<_> = fleet.miners.iter().filter_map(of).collect();
    times.sort();
    times
}

/// How many targets of an operation are written down as done.
async fn succeeded(folder: &Path, operation_id: &str) -> usize {
    let mut client = OperationServiceClient::new(connected(folder).await);
    let request = v1::GetOperationRequest { operation_id: operation_id.into() };
    let operation = client.get_operation(request).await.unwrap().into_inner().operation.unwrap();
    operation.targets.iter().filter(|target| target.state() == v1::TargetState::Succeeded).count()
}

#[tokio::test]
async fn ramp_that_is_cut_at_each_switch_comes_to_its_end_and_never_switches_too_much_in_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let mut killed = begun(folder.path(), &fleet).await;
    let request = v1::StartOperationRequest {
        action: Some(v1::OperationAction { action: Some(Action::Pause(v1::PauseAction::default())) }),
        all: true,
        request_id: "pause".into(),
        // Nobody knows what they draw, so that each counts as much as may be switched in a second.
        ramp_watts: 1000.0,
        ..v1::StartOperationRequest::default()
    };
    let mut client = OperationServiceClient::new(connected(folder.path()).await);
    let started = client.start_operation(request.clone()).await.unwrap().into_inner().operation.unwrap();
    // The first time amid a switch, then when one was just written down as done.
    let done = async |sent: usize| {
        while sent > 1 && succeeded(folder.path(), &started.operation_id).await < sent {
            tokio::task::yield_now().await;
        }
    };
    kill_at_each(&mut killed, &fleet, 2, done).await;
    let ended = timeout(PATIENCE, operation_ended(folder.path(), request)).await.unwrap();
    assert_eq!(ended.state(), v1::OperationState::Succeeded, "{ended:?}");
    let times = told_at(&fleet, 2);
    assert_eq!(times.len(), NAMES.len());
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(1) - ON_THE_WAY, "{times:?}");
    }
    for miner in 0..NAMES.len() {
        assert_eq!(fleet.told(miner), [(1, "alice".into()), (2, "alice".into())]);
        assert!(fleet.miners[miner].state().spec.paused);
    }
}

#[tokio::test]
async fn rollout_that_is_taken_back_while_the_program_is_killed_is_taken_back_once_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let mut killed = begun(folder.path(), &fleet).await;
    let mut client = RolloutServiceClient::new(connected(folder.path()).await);
    let planned = client.plan_rollout(change_to("bob", 600)).await.unwrap().into_inner();
    let rollout_id = planned.rollout.unwrap().rollout_id;
    client.start_rollout(v1::StartRolloutRequest { rollout_id: rollout_id.clone() }).await.unwrap();
    let done = timeout(PATIENCE, rollout_ended(folder.path(), &rollout_id)).await.unwrap();
    assert_eq!(done.state(), v1::RolloutState::Succeeded, "{done:?}");
    let back = v1::RollBackRolloutRequest { rollout_id: rollout_id.clone(), reason: String::new() };
    client.roll_back_rollout(back).await.unwrap();
    kill_at_each(&mut killed, &fleet, 3, async |_| {}).await;
    let ended = timeout(PATIENCE, rollout_ended(folder.path(), &rollout_id)).await.unwrap();
    assert_eq!(ended.state(), v1::RolloutState::RolledBack, "{ended:?}");
    let reverted = v1::RolloutTargetState::Reverted;
    assert!(ended.targets.iter().all(|target| target.state() == reverted), "{ended:?}");
    for miner in 0..NAMES.len() {
        let told = [(1, "alice"), (2, "bob"), (3, "alice")].map(|(number, user)| (number, user.into()));
        assert_eq!(fleet.told(miner), told);
    }
}

async fn rollout_ended(folder: &Path, rollout_id: &str) -> v1::Rollout {
    let mut client = RolloutServiceClient::new(connected(folder).await);
    let watch = v1::WatchRolloutRequest { rollout_id: rollout_id.into(), ..v1::WatchRolloutRequest::default() };
    let mut news = client.watch_rollout(watch).await.unwrap().into_inner();
    while news.message().await.unwrap().is_some() {}
    let get = v1::GetRolloutRequest { rollout_id: rollout_id.into() };
    client.get_rollout(get).await.unwrap().into_inner().rollout.unwrap()
}

/// How the change of a miner that is wanted last stands, once its trial is over, and its generation.
async fn tried(folder: &Path, miner: &str, generation: u64) -> Option<v1::SpecTrialState> {
    let mut client = SpecServiceClient::new(connected(folder).await);
    loop {
        let read = client.get_spec(v1::GetSpecRequest { miner: miner.into() }).await.unwrap().into_inner();
        let desired = read.desired.unwrap();
        let state = desired.trial.map(|trial| trial.state());
        if desired.generation == generation && state != Some(v1::SpecTrialState::Running) {
            return state;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn trials_that_are_cut_are_confirmed_or_taken_back_once() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let mut killed = begun(folder.path(), &fleet).await;
    fleet.miners.iter().for_each(|miner| miner.change(|state| state.reverts = true));
    let [proves, fails, _] = &fleet.miners;
    let mut client = SpecServiceClient::new(connected(folder.path()).await);
    // The one that proves itself has all the time that a slow machine may need; the other the shortest there is.
    for (name, user, seconds) in [("rig1", "bob", 600), ("rig2", "nobody", 10)] {
        let mut change = whole(name, None);
        let pools = change.spec.iter_mut().flat_map(|spec| &mut spec.pool_groups).flat_map(|group| &mut group.pools);
        pools.for_each(|pool| pool.user = user.into());
        change.confirm_within = Some(prost_types::Duration { seconds, nanos: 0 });
        client.apply_spec(change).await.unwrap();
    }
    for miner in [proves, fails] {
        miner.until("sent", |state| state.control_generation == 2).await;
    }
    killed.again().await;
    proves.until("confirmed", |state| !state.reverts_at).await;
    killed.again().await;
    fails.until("taken back", |state| state.control_generation == 3).await;
    killed.again().await;
    let confirmed = timeout(PATIENCE, tried(folder.path(), "rig1", 2)).await.unwrap();
    assert_eq!(confirmed, Some(v1::SpecTrialState::Confirmed));
    timeout(PATIENCE, tried(folder.path(), "rig2", 3)).await.unwrap();
    // A third kill, when all is over, changes nothing.
    killed.again().await;
    timeout(PATIENCE, tried(folder.path(), "rig2", 3)).await.unwrap();
    assert_eq!(fleet.told(0), [(1, "alice".into()), (2, "bob".into())]);
    assert_eq!(fleet.told(1), [(1, "alice".into()), (2, "nobody".into()), (3, "alice".into())]);
    let mut events = EventServiceClient::new(connected(folder.path()).await);
    let told = events.list_events(v1::ListEventsRequest::default()).await.unwrap().into_inner().events;
    let reverted = told.iter().filter(|event| event.kind == "SPEC_REVERTED").count();
    assert!(reverted <= 1, "{told:?}");
}
