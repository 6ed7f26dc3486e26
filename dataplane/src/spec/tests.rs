//! The spec on a real mining side: one CPU thread at the lowest duty, invented work.

use super::*;
use crate::{
    board::cpu::{CpuConfig, ThreadCount},
    miner::{BoardsPlan, Miner, MinerPlan},
    pool::MinerIdentity,
    source::{SourcePolicy, synthetic::SyntheticWork},
    spec::fixtures::{draft, groups, pause, request},
};
use mujina_core::units::DutyPercent;
use std::{path::Path, time::Duration};

/// Far above what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
const MAIN: &str = "pool_groups[main].pools[primary].url";

struct World {
    miner: Miner,
    spec: SpecHandle,
    supervisor: Supervisor,
    cancel: CancellationToken,
}

impl World {
    async fn start(state: &Path, configured: Option<SpecDraft>) -> Self {
        let cpu = CpuConfig {
            threads: ThreadCount::from(1),
            duty: DutyPercent::try_from(1_u64).unwrap(),
            ..CpuConfig::default()
        };
        let identity = MinerIdentity { vendor: "Mujina".into(), hardware_version: "cpu".into(), firmware: "0".into() };
        let plan = MinerPlan {
            cpu: Some(cpu),
            synthetic: Some(SyntheticWork::default()),
            share_every: None,
            pool_limits: Default::default(),
            pool_limits_v1: Default::default(),
            scheduler_limits: Default::default(),
            source_policy: SourcePolicy::default(),
            identity,
            boards: BoardsPlan::default(),
        };
        let (cancel, mut supervisor) = (CancellationToken::new(), Supervisor::default());
        let miner = Miner::start(plan, cancel.clone()).await.unwrap();
        let folder = StateDir::open(state).unwrap();
        let spec = start(miner.handle(), &folder, configured, &mut supervisor, cancel.clone()).await.unwrap();
        Self { miner, spec, supervisor, cancel }
    }

    async fn hashing(&self, wanted: bool) {
        let mut snapshot = self.miner.handle().scheduler.snapshot();
        let found = tokio::time::timeout(DEADLINE, snapshot.wait_for(|now| now.hashing == wanted)).await;
        found.unwrap().unwrap();
    }

    async fn stop(mut self) {
        self.cancel.cancel();
        tokio::time::timeout(DEADLINE, self.miner.ended()).await.unwrap().unwrap();
        assert_eq!(self.supervisor.finish(DEADLINE).await, None);
    }
}

#[tokio::test]
async fn pause_stops_hashing_and_outlives_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let world = World::start(root.path(), None).await;
    world.hashing(true).await;
    let paused = world.spec.apply(pause(true)).await.unwrap();
    assert_eq!((paused.state.generation, paused.state.observed_generation), (Generation(2), Generation(2)));
    // The answer came when no thread hashed any more.
    world.hashing(false).await;
    world.stop().await;

    let world = World::start(root.path(), None).await;
    assert!(world.spec.state().borrow().spec.paused);
    world.hashing(false).await;
    world.spec.apply(pause(false)).await.unwrap();
    world.hashing(true).await;
    world.stop().await;
}

#[tokio::test]
async fn pool_set_at_run_time_outlives_a_restart_with_the_old_configuration() {
    let root = tempfile::tempdir().unwrap();
    let unreachable = |user: &str| {
        let mut draft = draft(user);
        draft.pool_groups[0].pools[0].url = draft.pool_groups[0].pools[0].url.replace("pool.example", "127.0.0.1:1");
        draft
    };
    let world = World::start(root.path(), Some(unreachable("alice"))).await;
    let outcome = world.spec.apply(request(unreachable("bob"))).await.unwrap();
    assert_eq!((outcome.state.generation, outcome.changes.len()), (Generation(2), 1));
    world.stop().await;
    let world = World::start(root.path(), Some(unreachable("alice"))).await;
    let state = world.spec.state().borrow().clone();
    assert_eq!(state.spec.pools().next().unwrap().user, "bob");
    assert_eq!((state.generation, state.origin), (Generation(2), SpecOrigin::Local));
    world.stop().await;
}

#[test]
fn configured_pools_without_a_protocol_are_refused_before_the_start() {
    let mut old = draft("alice");
    assert_eq!(check_configured(old.clone()), Ok(groups("alice")));
    old.pool_groups[0].pools[0].url = "stratum+tcp://pool.example".into();
    assert!(check_configured(old.clone()).is_ok());
    old.pool_groups[0].pools[0].url = "stratum://pool.example".into();
    let Problems(problems) = check_configured(old).unwrap_err();
    assert_eq!((problems.len(), problems[0].field.as_str()), (1, MAIN));
}
