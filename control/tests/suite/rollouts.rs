//! Rollouts, over miners with a made-up pool.

use crate::{
    miner::FakeMiner,
    process::{Process, connected, program},
    world::{Control, PATIENCE, config, spec, unbound, whole},
};
use mujina_proto::{
    control::v1::{
        self, audit_service_client::AuditServiceClient, operation_action::Action,
        operation_service_client::OperationServiceClient, rollout_change, rollout_service_client::RolloutServiceClient,
        spec_service_client::SpecServiceClient,
    },
    convert::{duration, timestamp},
    types,
};
use rand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, SystemTime},
};
use tokio::{task::JoinSet, time::timeout};

pub(crate) const NAMES: [&str; 3] = ["rig1", "rig2", "rig3"];

/// Three miners whose pool knows `alice` and `bob`, and accepts shares all the time.
pub(crate) struct Fleet {
    pub(crate) miners: [FakeMiner; 3],
    _serving: Vec<crate::host::Hosted>,
    _pool: JoinSet<()>,
}

impl Fleet {
    pub(crate) async fn new(folder: &Path) -> Self {
        let miners = NAMES.map(|name| FakeMiner::new(folder, name));
        let (mut serving, mut pool) = (Vec::new(), JoinSet::new());
        for miner in &miners {
            miner.change(|state| state.unknown_users.push("nobody".into()));
            serving.push(miner.serve().await);
            let miner = miner.clone();
            pool.spawn(async move {
                let mut shares = tokio::time::interval(Duration::from_millis(50));
                loop {
                    shares.tick().await;
                    miner.change(|state| state.accepted += 1);
                }
            });
        }
        Self { miners, _serving: serving, _pool: pool }
    }

    pub(crate) fn named(&self) -> Vec<(&'static str, &FakeMiner)> {
        NAMES.into_iter().zip(&self.miners).collect()
    }

    /// Accounts that a miner was told to work for, with the generations, in order.
    pub(crate) fn told(&self, miner: usize) -> Vec<(u64, String)> {
        let state = self.miners.get(miner).unwrap().state();
        let mut told: Vec<_> =
            state.applied.iter().map(|one| (one.control_generation, user(one.spec.as_ref().unwrap()))).collect();
        told.dedup();
        told
    }
}

/// The account of the only pool.
fn user(spec: &types::v1::MinerSpec) -> String {
    let mut pools = spec.pool_groups.iter().flat_map(|group| &group.pools);
    pools.next().unwrap().user.clone()
}

/// All three to another account: one first, then the others.
pub(crate) fn change_to(user: &str, confirm_within: u64) -> v1::PlanRolloutRequest {
    let mut groups = spec(None).pool_groups;
    groups.iter_mut().flat_map(|group| &mut group.pools).for_each(|pool| pool.user = user.into());
    let fragment = v1::SpecFragment { pool_groups: Some(v1::PoolGroupList { groups }), ..v1::SpecFragment::default() };
    let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    v1::PlanRolloutRequest {
        change: Some(v1::RolloutChange {
            change: Some(rollout_change::Change::Spec(fragment)),
            selection: Some(v1::MinerSelection { all: true, ..v1::MinerSelection::default() }),
        }),
        strategy: Some(v1::RolloutStrategy {
            waves: vec!["1".into(), "100%".into()],
            max_unavailable: "100%".into(),
            pause_between: span(0),
            soak: span(0),
            on_failure: v1::RolloutFailureAction::RollBack.into(),
            confirm_within: span(confirm_within.try_into().unwrap()),
            gates: Some(v1::RolloutGates { skip_rejects: true, skip_hash_rate: true, ..Default::default() }),
            ..v1::RolloutStrategy::default()
        }),
        request_id: "plan".into(),
        ..v1::PlanRolloutRequest::default()
    }
}

async fn ready(control: &Control) {
    for name in NAMES {
        control.until_connected(name).await;
        control.apply(unbound(name)).await;
        control.until_sync(name, v1::SyncState::InSync).await;
    }
}

async fn start(control: &Control, plan: v1::PlanRolloutRequest) -> String {
    let planned = control.rollouts().plan_rollout(plan).await.unwrap().into_inner();
    assert_eq!(planned.effects.len(), 3);
    let rollout_id = planned.rollout.unwrap().rollout_id;
    control.rollouts().start_rollout(v1::StartRolloutRequest { rollout_id: rollout_id.clone() }).await.unwrap();
    rollout_id
}

/// Follows it to its end.
async fn ended(control: &Control, rollout_id: &str) -> v1::Rollout {
    let request = v1::WatchRolloutRequest { rollout_id: rollout_id.into(), ..Default::default() };
    let mut stream = control.rollouts().watch_rollout(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().unwrap().snapshot);
    while stream.message().await.unwrap().is_some() {}
    let request = v1::GetRolloutRequest { rollout_id: rollout_id.into() };
    control.rollouts().get_rollout(request).await.unwrap().into_inner().rollout.unwrap()
}

#[tokio::test]
async fn canary_that_finds_no_share_is_taken_back_and_the_others_are_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let id = start(&control, change_to("nobody", 2)).await;
    let rollout = timeout(PATIENCE, ended(&control, &id)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::RolledBack, "{rollout:?}");
    assert!(rollout.reason.contains("rig1 no share was accepted within 2 s"), "{}", rollout.reason);
    let states: Vec<_> = rollout.targets.iter().map(v1::RolloutTarget::state).collect();
    let waiting = v1::RolloutTargetState::Waiting;
    assert_eq!(states, [v1::RolloutTargetState::Reverted, waiting, waiting]);
    let users = |miner| fleet.told(miner).into_iter().map(|(_, user)| user).collect::<Vec<_>>();
    assert_eq!(
        (users(0), users(1), users(2)),
        (vec!["alice".into(), "nobody".into(), "alice".into()], vec!["alice".into()], vec!["alice".into()],)
    );
    control.until_event("ROLLOUT_ROLLING_BACK").await;
    control.until_event("ROLLOUT_FINISHED").await;
    control.stop().await;
}

#[tokio::test]
async fn rollout_right_after_a_change_goes_back_to_that_change_once_a_share_proved_it() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let [rig1, ..] = &fleet.miners;
    rig1.change(|state| state.unknown_users.push("bob".into()));
    let mut bob = whole("rig1", None);
    bob.spec.iter_mut().flat_map(|spec| &mut spec.pool_groups).for_each(|group| group.pools[0].user = "bob".into());
    control.apply(bob).await;
    control.until_sync("rig1", v1::SyncState::InSync).await;
    let id = start(&control, change_to("nobody", 2)).await;
    control.until_event("ROLLOUT_RUNNING").await;
    rig1.change(|state| state.unknown_users.retain(|user| user != "bob"));
    let rollout = timeout(PATIENCE, ended(&control, &id)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::RolledBack, "{rollout:?}");
    let users: Vec<_> = fleet.told(0).into_iter().map(|(_, user)| user).collect();
    assert_eq!(users, ["alice", "bob", "nobody", "bob"]);
    control.stop().await;
}

/// Shares of one miner over a span: `bob` has half of rig1's refused, and with `carol` it finds half as many. With `dave` it
/// finds none, and leaves the bucket out.
fn bucket(
    sequence: u64,
    begin: SystemTime,
    length: Duration,
    (miner, account): (usize, &str),
) -> Option<types::v1::ShareBucket> {
    if (miner, account) == (0, "dave") {
        return None;
    }
    let usual = u64::try_from(length.as_millis()).unwrap() * 2;
    let submitted = if (miner, account) == (0, "carol") { usual / 2 } else { usual };
    let rejected = if (miner, account) == (0, "bob") { submitted / 2 } else { 0 };
    let begin = timestamp(begin);
    Some(types::v1::ShareBucket {
        sequence,
        begin: Some(begin),
        length: Some(duration(length)),
        pool: "main".into(),
        added: Some(types::v1::ShareTotals {
            since: Some(begin),
            found: submitted,
            submitted,
            accepted: submitted - rejected,
            rejected,
            rejected_by_reason: [("stale".to_owned(), rejected)].into_iter().filter(|(_, count)| *count > 0).collect(),
            submitted_work_hashes: 1e9 * f64::from(u32::try_from(submitted).unwrap()),
            balanced: true,
            ..types::v1::ShareTotals::default()
        }),
        pending_delta: 0,
        hashes: 0.0,
    })
}

/// Counts of the last minutes, and from now on of each fifth of a second.
fn count_shares(fleet: &Fleet) -> JoinSet<()> {
    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(200);
    let mut counting = JoinSet::new();
    for (index, miner) in fleet.miners.iter().enumerate() {
        let miner = miner.clone();
        counting.spawn(async move {
            let begun = SystemTime::now();
            let old = (1..=30_u32).filter_map(|i| bucket(i.into(), begun - LONG * (31 - i), LONG, (index, "alice")));
            miner.change(|state| state.buckets = old.collect());
            let (mut ticks, mut end) = (tokio::time::interval(SHORT), begun);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                // A late tick closes all that it is late for.
                while end + SHORT <= SystemTime::now() {
                    miner.change(|state| {
                        let account = if state.spec.pool_groups.is_empty() { String::new() } else { user(&state.spec) };
                        let sequence = state.buckets.last().map_or(1, |newest| newest.sequence + 1);
                        state.buckets.extend(bucket(sequence, end, SHORT, (index, &account)));
                    });
                    end += SHORT;
                }
            }
        });
    }
    counting
}

/// The same change, judged by what is counted while its waves soak.
fn judged_change_to(
    user: &str,
    on_failure: v1::RolloutFailureAction,
    gates: v1::RolloutGates,
) -> v1::PlanRolloutRequest {
    let mut plan = v1::PlanRolloutRequest { request_id: format!("to {user}"), ..change_to(user, 20) };
    let strategy = plan.strategy.as_mut().unwrap();
    strategy.soak = Some(duration(Duration::from_secs(2)));
    strategy.on_failure = on_failure.into();
    strategy.gates = Some(gates);
    plan
}

#[tokio::test]
async fn more_rejects_or_fewer_hashes_than_chance_gives_stop_a_wave_and_a_person_may_take_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let _counting = count_shares(&fleet);
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    // The canary's pool refuses half of its shares.
    let gates = v1::RolloutGates { skip_hash_rate: true, ..v1::RolloutGates::default() };
    let id = start(&control, judged_change_to("bob", v1::RolloutFailureAction::Pause, gates)).await;
    let request = v1::WatchRolloutRequest { rollout_id: id.clone(), ..Default::default() };
    let mut stream = control.rollouts().watch_rollout(request).await.unwrap().into_inner();
    let paused = async {
        loop {
            let news = stream.message().await.unwrap().expect("it is not over");
            if let Some(rollout) = news.rollout.filter(|rollout| rollout.state() == v1::RolloutState::Paused) {
                return rollout;
            }
        }
    };
    let paused = timeout(PATIENCE, paused).await.unwrap();
    assert!(paused.reason.contains("50.00%") && paused.reason.contains("rejected"), "{}", paused.reason);
    assert_eq!(fleet.told(1), [(1, "alice".into())], "the next wave was not touched");
    // A person takes that as it is. Of the others nothing is refused, and nobody is left to compare them with but themselves.
    let go_on = v1::ResumeRolloutRequest { rollout_id: id.clone(), accept_wave: true };
    control.rollouts().resume_rollout(go_on).await.unwrap();
    let rollout = timeout(PATIENCE, ended(&control, &id)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::Succeeded, "{rollout:?}");
    assert_eq!(fleet.told(2).last(), Some(&(2, "bob".into())));
    // With the next account the canary hashes half as fast as it did.
    let gates = v1::RolloutGates { skip_rejects: true, ..v1::RolloutGates::default() };
    let id = start(&control, judged_change_to("carol", v1::RolloutFailureAction::RollBack, gates)).await;
    let rollout = timeout(PATIENCE, ended(&control, &id)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::RolledBack, "{rollout:?}");
    assert!(rollout.reason.contains("hash rate"), "{}", rollout.reason);
    let accounts: Vec<_> = fleet.told(0).into_iter().map(|(_, account)| account).collect();
    assert_eq!(accounts, ["alice", "bob", "carol", "bob"]);
    assert!(fleet.told(1).iter().all(|(_, account)| account != "carol"), "the next wave was not touched");
    control.stop().await;
}

#[tokio::test]
async fn canary_that_stops_hashing_after_its_first_share_stops_the_rollout() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let _counting = count_shares(&fleet);
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let gates = v1::RolloutGates { skip_rejects: true, ..v1::RolloutGates::default() };
    let id = start(&control, judged_change_to("dave", v1::RolloutFailureAction::RollBack, gates)).await;
    // The miner has to be asked for buckets in vain, which takes it a while to answer.
    let rollout = timeout(PATIENCE * 4, ended(&control, &id)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::RolledBack, "{rollout:?}");
    assert!(rollout.reason.contains("1 of 1 miners handed in no share during the soak"), "{}", rollout.reason);
    let accounts: Vec<_> = fleet.told(0).into_iter().map(|(_, account)| account).collect();
    assert_eq!(accounts, ["alice", "dave", "alice"]);
    assert_eq!(fleet.told(1), [(1, "alice".into())], "the next wave was not touched");
    control.stop().await;
}

#[tokio::test]
async fn rollout_of_a_killed_control_plane_goes_on_and_does_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let mut control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let id = start(&control, change_to("bob", 600)).await;
    let mut kills = 0;
    let rollout = loop {
        // Each time it lives a little longer, or none would ever end.
        let life = Duration::from_millis(rand::rng().random_range(0..40 + 20 * kills));
        if let Ok(rollout) = timeout(life, ended(&control, &id)).await {
            break rollout;
        }
        control.kill();
        kills += 1;
        assert!(kills < 200, "it never ends");
        control = Control::start(config(folder.path(), &fleet.named())).await;
    };
    assert_eq!(rollout.state(), v1::RolloutState::Succeeded, "{rollout:?}");
    let proved = v1::RolloutTargetState::Proved;
    assert!(rollout.targets.iter().all(|target| target.state() == proved && target.generation == 2), "{rollout:?}");
    for miner in 0..3 {
        let told: BTreeSet<_> = fleet.told(miner).into_iter().collect();
        assert_eq!(told, [(1, "alice".into()), (2, "bob".into())].into(), "after {kills} kills");
    }
    control.stop().await;
}

#[tokio::test]
async fn rollout_is_followed_over_a_restart_without_its_targets_being_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let id = start(&control, change_to("bob", 600)).await;
    let watch = async |control: &Control, resume_token: String| {
        let request = v1::WatchRolloutRequest { rollout_id: id.clone(), resume_token };
        control.rollouts().watch_rollout(request).await.unwrap().into_inner()
    };
    let mut stream = watch(&control, String::new()).await;
    let first = timeout(PATIENCE, stream.message()).await.unwrap().unwrap().unwrap();
    assert!(first.snapshot && !first.gap);
    control.kill();
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    let mut stream = watch(&control, first.resume_token).await;
    let targets = |rollout: Option<v1::Rollout>| rollout.unwrap().targets.into_iter();
    let mut known: BTreeMap<_, _> = targets(first.rollout).map(|target| (target.miner.clone(), target)).collect();
    assert_eq!(known.len(), 3);
    let (mut told, mut messages, mut token) = (0, 0, String::new());
    while let Some(news) = timeout(PATIENCE, stream.message()).await.unwrap().unwrap() {
        assert!(!news.snapshot && !news.gap);
        token = news.resume_token;
        messages += 1;
        for target in targets(news.rollout) {
            told += 1;
            known.insert(target.miner.clone(), target);
        }
    }
    assert!(told < 3 * messages, "{told} targets in {messages} messages");
    let request = v1::GetRolloutRequest { rollout_id: id.clone() };
    let ended = control.rollouts().get_rollout(request).await.unwrap().into_inner().rollout;
    assert_eq!(ended.as_ref().map(v1::Rollout::state), Some(v1::RolloutState::Succeeded));
    assert_eq!(known.into_values().collect::<Vec<_>>(), targets(ended).collect::<Vec<_>>());
    // Who was told the end is told that it was the end; who cannot be told what is new is told everything.
    for (token, count, is_anew) in [(token.clone(), 0, false), (format!("{token}0000"), 3, true)] {
        let mut stream = watch(&control, token).await;
        let last = stream.message().await.unwrap().unwrap();
        assert_eq!((last.snapshot, last.gap, targets(last.rollout).len()), (is_anew, is_anew, count));
        assert!(stream.message().await.unwrap().is_none());
    }
    control.stop().await;
}

/// The program itself, for the miners of a fleet, killed at random until something has come to its end.
pub(crate) struct Killed<'a> {
    folder: &'a Path,
    fleet: &'a Fleet,
    process: Process,
    kills: u64,
}

impl<'a> Killed<'a> {
    pub(crate) fn new(folder: &'a Path, fleet: &'a Fleet) -> Self {
        Self { folder, fleet, process: Self::start(folder, fleet), kills: 0 }
    }

    fn start(folder: &Path, fleet: &Fleet) -> Process {
        let mut command = program(folder);
        for (name, miner) in fleet.named() {
            let key = format!("MUJINA_CONTROL_MINERS__{}__ADDRESS", name.to_uppercase());
            command.env(key, format!("unix://{}", miner.socket.display()));
        }
        Process(command.spawn().unwrap())
    }

    /// Each time it lives a little longer, or nothing would ever end.
    async fn until_ended<T>(&mut self, ended: impl AsyncFn(&Path) -> T) -> T {
        loop {
            let life = Duration::from_millis(rand::rng().random_range(0..100 + 30 * self.kills));
            if let Ok(ended) = timeout(life, ended(self.folder)).await {
                return ended;
            }
            self.kills += 1;
            assert!(self.kills < 300, "it never ends");
            self.again().await;
        }
    }

    /// Killed, and started anew.
    pub(crate) async fn again(&mut self) {
        self.process.0.kill().unwrap();
        self.process.ended().await;
        self.process = Self::start(self.folder, self.fleet);
    }
}

/// Follows an operation, which is asked for again and again by the same request id.
pub(crate) async fn operation_ended(folder: &Path, request: v1::StartOperationRequest) -> v1::Operation {
    let mut client = OperationServiceClient::new(connected(folder).await);
    let id = client.start_operation(request).await.unwrap().into_inner().operation.unwrap().operation_id;
    let watch = v1::WatchOperationRequest { operation_id: id.clone(), ..Default::default() };
    let mut news = client.watch_operation(watch).await.unwrap().into_inner();
    while news.message().await.unwrap().is_some() {}
    client.get_operation(v1::GetOperationRequest { operation_id: id }).await.unwrap().into_inner().operation.unwrap()
}

#[tokio::test]
async fn program_killed_amid_operations_and_rollouts_does_nothing_twice_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let mut killed = Killed::new(folder.path(), &fleet);
    let mut specs = SpecServiceClient::new(connected(folder.path()).await);
    for (name, miner) in fleet.named() {
        specs.apply_spec(unbound(name)).await.unwrap();
        miner.until("spec applied", |state| state.control_generation == 1).await;
    }
    for (id, action) in
        [("pause", Action::Pause(v1::PauseAction::default())), ("resume", Action::Resume(v1::ResumeAction::default()))]
    {
        let request = v1::StartOperationRequest {
            action: Some(v1::OperationAction { action: Some(action) }),
            all: true,
            request_id: id.into(),
            ..v1::StartOperationRequest::default()
        };
        let ended = killed.until_ended(async |folder| operation_ended(folder, request.clone()).await).await;
        assert_eq!(ended.state(), v1::OperationState::Succeeded, "{ended:?}");
    }
    let ended = killed
        .until_ended(async |folder| {
            let mut client = RolloutServiceClient::new(connected(folder).await);
            let planned = client.plan_rollout(change_to("bob", 600)).await.unwrap().into_inner();
            let id = v1::StartRolloutRequest { rollout_id: planned.rollout.unwrap().rollout_id };
            // One that was started is not started again.
            let _ = client.start_rollout(id.clone()).await;
            let watch = v1::WatchRolloutRequest { rollout_id: id.rollout_id.clone(), ..Default::default() };
            let mut news = client.watch_rollout(watch).await.unwrap().into_inner();
            while news.message().await.unwrap().is_some() {}
            let get = v1::GetRolloutRequest { rollout_id: id.rollout_id };
            client.get_rollout(get).await.unwrap().into_inner().rollout.unwrap()
        })
        .await;
    assert_eq!(ended.state(), v1::RolloutState::Succeeded, "{ended:?}");
    let expected = [(1, "alice"), (2, "alice"), (3, "alice"), (4, "bob")].map(|(number, user)| (number, user.into()));
    for miner in 0..3 {
        assert_eq!(fleet.told(miner), expected, "after {} kills", killed.kills);
    }
    let mut audit = AuditServiceClient::new(connected(folder.path()).await);
    let seen = audit.verify_audit(v1::VerifyAuditRequest::default()).await.unwrap().into_inner();
    assert!(seen.intact, "{}", seen.problem);
}

#[tokio::test]
async fn profile_that_a_rollout_brings_is_stored_when_all_waves_held() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let mut plan = change_to("bob", 600);
    let change = plan.change.as_mut().unwrap();
    let Some(rollout_change::Change::Spec(said)) = change.change.take() else { panic!("a spec") };
    let profile = v1::Profile { name: "pools".into(), spec: Some(said), ..v1::Profile::default() };
    change.change = Some(rollout_change::Change::Profile(profile));
    change.selection = None;
    let id = start(&control, plan).await;
    let rollout = timeout(PATIENCE, ended(&control, &id)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::Succeeded, "{rollout:?}");
    let profiles = control.profiles().list_profiles(v1::ListProfilesRequest {}).await.unwrap().into_inner().profiles;
    assert_eq!(profiles.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>(), ["pools"]);
    for (miner, name) in NAMES.into_iter().enumerate() {
        let request = v1::ResolveSpecRequest { miner: name.into() };
        let resolved = control.profiles().resolve_spec(request).await.unwrap().into_inner();
        assert!(resolved.stored && resolved.origins[0].profile == "pools", "{resolved:?}");
        assert_eq!(fleet.told(miner), [(1, "alice".into()), (2, "bob".into())]);
    }
    control.stop().await;
}

#[tokio::test]
async fn rollout_that_has_ended_is_not_taken_back_while_another_changes_its_miners() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(folder.path()).await;
    let control = Control::start(config(folder.path(), &fleet.named())).await;
    ready(&control).await;
    let first = start(&control, change_to("bob", 600)).await;
    let rollout = timeout(PATIENCE, ended(&control, &first)).await.unwrap();
    assert_eq!(rollout.state(), v1::RolloutState::Succeeded, "{rollout:?}");
    let mut next = v1::PlanRolloutRequest { request_id: "next".into(), ..change_to("carol", 600) };
    next.strategy.as_mut().unwrap().soak = Some(duration(Duration::from_secs(24 * 60 * 60)));
    let second = start(&control, next).await;
    let back = v1::RollBackRolloutRequest { rollout_id: first, reason: String::new() };
    let refused = crate::door::failure(control.rollouts().roll_back_rollout(back.clone()).await);
    assert_eq!(refused.reason, "MINER_IN_ROLLOUT", "{refused:?}");
    let abort = v1::AbortRolloutRequest { rollout_id: second.clone(), reason: String::new() };
    control.rollouts().abort_rollout(abort).await.unwrap();
    timeout(PATIENCE, ended(&control, &second)).await.unwrap();
    control.rollouts().roll_back_rollout(back).await.unwrap();
    control.stop().await;
}
