use super::*;
use crate::backplane::BoardRefusal;
use crate::source::ConfigureError;
use crate::spec::SpecParts;
use crate::{
    scheduler::SchedulerGone,
    spec::{
        begin::{Found, begin},
        fixtures::{draft, fresh, groups, moment, pause, request},
        mining::{TuneError, Wish},
    },
};
use mujina_core::{
    fault::FaultReason,
    id::Generation,
    spec::{BoardTuningDraft, SpecDraft, SpecOrigin},
};
use tokio::{sync::oneshot, task::JoinSet};

/// A mining side that does as it is told by the test.
struct Fake {
    orders: mpsc::Sender<Order>,
    pools: watch::Receiver<Arc<Snapshot>>,
}

#[derive(Debug)]
enum Order {
    Configure(Vec<PoolGroup>, oneshot::Sender<Result<u64, ConfigureError>>),
    Pause(bool, oneshot::Sender<Result<(), SchedulerGone>>),
}

impl Mining for Fake {
    fn configure(&self, groups: Vec<PoolGroup>) -> Wish<Result<u64, ConfigureError>> {
        let (reply, answer) = oneshot::channel();
        self.orders.try_send(Order::Configure(groups, reply)).unwrap();
        Box::pin(async { answer.await.unwrap_or(Err(ConfigureError::ShuttingDown)) })
    }

    fn set_paused(&self, paused: bool) -> Wish<Result<(), SchedulerGone>> {
        let (reply, answer) = oneshot::channel();
        self.orders.try_send(Order::Pause(paused, reply)).unwrap();
        Box::pin(async { answer.await.unwrap_or(Err(SchedulerGone)) })
    }

    fn tune(&self, boards: BTreeMap<String, BoardTuning>) -> Wish<Result<(), TuneError>> {
        let refused = boards.contains_key("refused");
        let refusal = || TuneError(vec![BoardRefusal::Unknown("refused".into())]);
        Box::pin(async move { if refused { Err(refusal()) } else { Ok(()) } })
    }

    fn pools(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.pools.clone()
    }
}

/// An actor on a fake, first start with pool user `alice`, both wishes of the start granted.
struct World {
    root: tempfile::TempDir,
    handle: SpecHandle,
    orders: mpsc::Receiver<Order>,
    pools: watch::Sender<Arc<Snapshot>>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        let (sender, mut orders) = mpsc::channel(8);
        let (pools, watched) = watch::channel(Arc::new(Snapshot::default()));
        let (record, _) = begin(Found::Nothing, Some(groups("alice")), fresh(0));
        let record = store(&folder, record).await.unwrap();
        let starting = Actor::start(Fake { orders: sender, pools: watched }, folder, record);
        let granting = async {
            grant_configure(&mut orders, 1).await;
            grant_pause(&mut orders).await;
        };
        let ((actor, handle), ()) = tokio::join!(starting, granting);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(actor.run(cancel.clone()));
        Self { root, handle, orders, pools, cancel, tasks }
    }

    fn settle(&self, number: u64) {
        self.pools.send_replace(Arc::new(Snapshot { configured: number, settled: number, ..Snapshot::default() }));
    }

    async fn wait_for(&self, is_so: impl FnMut(&Arc<SpecState>) -> bool) -> SpecState {
        let mut state = self.handle.state();
        let found = tokio::time::timeout(Duration::from_secs(60), state.wait_for(is_so)).await.unwrap().unwrap();
        SpecState::clone(&found)
    }

    fn stored(&self) -> Record {
        let folder = StateDir::open(self.root.path()).unwrap();
        match file::find(&folder, moment(0)).unwrap().0 {
            Found::Stored(record) => record,
            other => panic!("{other:?}"),
        }
    }

    async fn stop(&mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn grant_configure(orders: &mut mpsc::Receiver<Order>, number: u64) -> Vec<PoolGroup> {
    match orders.recv().await {
        Some(Order::Configure(groups, reply)) => {
            reply.send(Ok(number)).unwrap();
            groups
        }
        other => panic!("{other:?}"),
    }
}

async fn grant_pause(orders: &mut mpsc::Receiver<Order>) -> bool {
    match orders.recv().await {
        Some(Order::Pause(paused, reply)) => {
            reply.send(Ok(())).unwrap();
            paused
        }
        other => panic!("{other:?}"),
    }
}

fn applying(state: &SpecState) -> Vec<&'static str> {
    state.sections.iter().filter(|section| section.applying.is_some()).map(|section| section.path).collect()
}

#[tokio::test(start_paused = true)]
async fn stored_spec_is_made_true_at_the_start() {
    let mut world = World::new().await;
    let begun = world.wait_for(|state| applying(state) == ["pool_groups"]).await;
    assert_eq!((begun.generation, begun.observed_generation), (Generation(1), Generation(0)));
    world.settle(1);
    let settled = world.wait_for(|state| applying(state).is_empty()).await;
    assert_eq!(settled.observed_generation, Generation(1));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn new_pools_are_stored_handed_on_and_observed_when_they_settle() {
    let mut world = World::new().await;
    world.settle(1);
    world.wait_for(|state| state.observed_generation == Generation(1)).await;
    let handle = world.handle.clone();
    let asking = handle.apply(request(draft("bob")));
    let (outcome, handed) = tokio::join!(asking, grant_configure(&mut world.orders, 2));
    let outcome = outcome.unwrap();
    assert_eq!((handed, outcome.changes.len()), (groups("bob"), 1));
    assert_eq!((outcome.state.generation, outcome.state.observed_generation), (Generation(2), Generation(1)));
    assert_eq!(applying(&outcome.state), ["pool_groups"]);
    world.settle(2);
    world.wait_for(|state| state.observed_generation == Generation(2)).await;
    // The pause was not spoken of.
    assert!(world.orders.try_recv().is_err());
    world.stop().await;
    assert_eq!(world.stored().entry.spec.pool_groups, groups("bob"));
}

#[tokio::test(start_paused = true)]
async fn pause_is_answered_when_no_thread_hashes() {
    let mut world = World::new().await;
    world.settle(1);
    let handle = world.handle.clone();
    let mut asking = Box::pin(handle.apply(pause(true)));
    let order = tokio::select! {
        outcome = &mut asking => panic!("answered too early: {outcome:?}"),
        order = world.orders.recv() => order,
    };
    let Some(Order::Pause(true, reply)) = order else { panic!("{order:?}") };
    world.wait_for(|state| applying(state) == ["paused"] && state.spec.paused).await;
    reply.send(Ok(())).unwrap();
    let outcome = asking.await.unwrap();
    assert!(applying(&outcome.state).is_empty());
    assert_eq!(outcome.state.observed_generation, Generation(2));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stuck_mining_side_is_reported_and_heard_later() {
    let mut world = World::new().await;
    world.settle(1);
    let outcome = world.handle.apply(pause(true)).await.unwrap();
    assert_eq!(applying(&outcome.state), ["paused"]);
    grant_pause(&mut world.orders).await;
    world.wait_for(|state| state.observed_generation == Generation(2)).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_changes_nothing() {
    let mut world = World::new().await;
    world.settle(1);
    let before = world.wait_for(|state| applying(state).is_empty()).await;
    std::fs::remove_dir_all(world.root.path()).unwrap();
    let error = world.handle.apply(request(draft("bob"))).await.unwrap_err();
    assert!(matches!(error, SpecError::Storage(_)), "{error}");
    assert_eq!(SpecState::clone(&world.handle.state().borrow()), before);
    assert!(world.orders.try_recv().is_err());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn refused_request_is_neither_stored_nor_handed_on() {
    let mut world = World::new().await;
    let error = world.handle.apply(request(draft(""))).await.unwrap_err();
    assert!(matches!(error, SpecError::Invalid(_)), "{error}");
    assert!(world.orders.try_recv().is_err());
    world.stop().await;
    assert_eq!(world.stored().entry.generation, Generation(1));
}

#[tokio::test(start_paused = true)]
async fn repeat_is_answered_without_doing_it_again() {
    let mut world = World::new().await;
    let asked = SpecRequest { request_id: "one".into(), ..request(draft("bob")) };
    let handle = world.handle.clone();
    let (first, _) = tokio::join!(handle.apply(asked.clone()), grant_configure(&mut world.orders, 2));
    let (other, _) = tokio::join!(handle.apply(request(draft("carol"))), grant_configure(&mut world.orders, 3));
    other.unwrap();
    assert_eq!(handle.apply(asked).await.unwrap(), first.unwrap());
    assert!(world.orders.try_recv().is_err());
    assert_eq!(handle.state().borrow().generation, Generation(3));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stopped_actor_says_so() {
    let mut world = World::new().await;
    world.stop().await;
    assert_eq!(world.handle.apply(pause(true)).await, Err(SpecError::ShuttingDown));
}

#[tokio::test(start_paused = true)]
async fn unreadable_spec_is_a_fault_until_somebody_writes() {
    let root = tempfile::tempdir().unwrap();
    let folder = StateDir::open(root.path()).unwrap();
    std::fs::write(root.path().join("spec.json"), "{ half of it").unwrap();
    let record = crate::spec::find(&folder, Some(groups("alice"))).await.unwrap();
    assert_eq!((record.entry.origin, record.entry.spec.paused), (SpecOrigin::Recovery, true));
    // A restart in between changes nothing.
    assert_eq!(crate::spec::find(&folder, Some(groups("alice"))).await.unwrap(), record);
    let (sender, mut orders) = mpsc::channel(8);
    let (_pools, watched) = watch::channel(Arc::new(Snapshot::default()));
    let starting = Actor::start(Fake { orders: sender, pools: watched }, folder, record);
    let granting = async {
        grant_configure(&mut orders, 1).await;
        assert!(grant_pause(&mut orders).await);
    };
    let ((actor, handle), ()) = tokio::join!(starting, granting);
    let (cancel, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(actor.run(cancel.clone()));
    assert!(!crate::spec::faults(&handle.state().borrow()).is_empty());
    let (resumed, paused) = tokio::join!(handle.apply(pause(false)), grant_pause(&mut orders));
    assert!(!paused && crate::spec::faults(&resumed.unwrap().state).is_empty());
    cancel.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test]
async fn tuning_that_boards_refuse_is_stored_and_said_to_be_not_in_force() {
    let world = World::new().await;
    let boards = |name: &str| {
        let tuning = BoardTuningDraft { fan_target: Some(50.0), ..BoardTuningDraft::default() };
        let draft = SpecDraft { boards: [(name.to_owned(), tuning)].into(), ..SpecDraft::default() };
        SpecRequest { parts: SpecParts { boards: true, ..SpecParts::NONE }, ..request(draft) }
    };
    let section = |state: &SpecState| state.sections.iter().find(|one| one.path == "boards").unwrap().applying.clone();
    let granted = world.handle.apply(boards("bitaxe-gamma")).await.unwrap();
    assert_eq!((section(&granted.state), granted.changes.len()), (None, 1));
    let refused = world.handle.apply(boards("refused")).await.unwrap();
    assert!(section(&refused.state).unwrap().starts_with("there is no board `refused`"), "{:?}", refused.state);
    let said: Vec<_> =
        crate::spec::faults(&refused.state).iter().map(|fault| (fault.reason, fault.subject.clone())).collect();
    assert_eq!(said, [(FaultReason::TuningRefused, "spec/boards".to_owned())]);
    assert!(refused.state.sections.iter().all(|one| one.refused == (one.path == "boards")), "{:?}", refused.state);
    // Pools and pause were not spoken of and stay.
    assert_eq!(refused.state.spec.pool_groups, groups("alice"));
    world.cancel.cancel();
}

/// Pools of another user, to be confirmed within half a minute.
async fn try_out(world: &mut World, user: &str, number: u64) -> SpecState {
    let within = Some(Duration::from_secs(30));
    let asked = SpecRequest { confirm_within: within, ..request(draft(user)) };
    let handle = world.handle.clone();
    let (outcome, _) = tokio::join!(handle.apply(asked), grant_configure(&mut world.orders, number));
    outcome.unwrap().state
}

#[tokio::test(start_paused = true)]
async fn change_that_nobody_confirms_goes_back_and_is_stored_so() {
    let (lines, _guard) = crate::log_lines::LogLines::take();
    let mut world = World::new().await;
    let tried = try_out(&mut world, "bob", 2).await;
    assert!(tried.reverts_at.is_some());
    // Nothing else happens until the half minute is over, which a paused clock skips.
    assert_eq!(grant_configure(&mut world.orders, 3).await, groups("alice"));
    world.settle(3);
    let back = world.wait_for(|state| state.observed_generation == tried.generation.next()).await;
    assert_eq!((back.origin, back.reverts_at), (SpecOrigin::Reverted, None));
    assert_eq!(back.control_generation, tried.control_generation);
    let late = world.handle.confirm(tried.generation).await.unwrap_err();
    assert_eq!(late, SpecError::OtherGeneration { asked: tried.generation, current: back.generation });
    world.stop().await;
    let stored = world.stored().entry;
    assert_eq!((stored.spec.pool_groups, stored.trial), (groups("alice"), None));
    assert_eq!(lines.all().iter().filter(|line| line.contains("not confirmed in time")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn confirmed_change_stays_and_may_be_confirmed_again() {
    let mut world = World::new().await;
    let tried = try_out(&mut world, "bob", 2).await;
    let kept = world.handle.confirm(tried.generation).await.unwrap();
    assert_eq!((kept.generation, kept.reverts_at), (tried.generation, None));
    assert_eq!(kept.etag, tried.etag, "who read it may still write over it");
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(world.handle.confirm(tried.generation).await, Ok(kept));
    assert!(world.orders.try_recv().is_err());
    world.stop().await;
    let stored = world.stored().entry;
    assert_eq!((stored.spec.pool_groups, stored.trial), (groups("bob"), None));
}

#[tokio::test(start_paused = true)]
async fn trial_goes_on_after_a_restart_with_what_is_left() {
    let mut world = World::new().await;
    let tried = try_out(&mut world, "bob", 2).await;
    world.stop().await;
    let record = world.stored();
    assert_eq!(record.entry.trial.as_ref().map(|trial| trial.reverts_at), tried.reverts_at);
    let folder = StateDir::open(world.root.path()).unwrap();
    let (sender, mut orders) = mpsc::channel(8);
    let (_pools, watched) = watch::channel(Arc::new(Snapshot::default()));
    let starting = Actor::start(Fake { orders: sender, pools: watched }, folder, record);
    let granting = async {
        assert_eq!(grant_configure(&mut orders, 1).await, groups("bob"));
        grant_pause(&mut orders).await;
    };
    let ((actor, handle), ()) = tokio::join!(starting, granting);
    let (cancel, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(actor.run(cancel.clone()));
    assert_eq!(grant_configure(&mut orders, 2).await, groups("alice"));
    let mut state = handle.state();
    let back = state.wait_for(|state| state.origin == SpecOrigin::Reverted).await.unwrap().clone();
    assert_eq!(back.generation, tried.generation.next());
    cancel.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn spec_that_goes_back_does_so_even_if_the_disk_is_full() {
    let mut world = World::new().await;
    try_out(&mut world, "bob", 2).await;
    std::fs::remove_dir_all(world.root.path()).unwrap();
    assert_eq!(grant_configure(&mut world.orders, 3).await, groups("alice"));
    world.wait_for(|state| state.origin == SpecOrigin::Reverted).await;
    world.stop().await;
}
