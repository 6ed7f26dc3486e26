use super::*;
use crate::{
    board::cpu::CpuConfig,
    miner::{BoardsPlan, Miner, MinerPlan},
    pool::MinerIdentity,
    source::{SourcePolicy, synthetic::SyntheticWork},
};
use mujina_core::{
    extranonce::Extranonce,
    id::{ConnectionId, Generation},
    spec::{MinerSpec, SpecOrigin},
    status::MinerState,
    units::Difficulty,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// A share of which only id and outcome matter.
pub(super) fn share(id: u64, outcome: ShareOutcome) -> Share {
    Share {
        id: ShareId(id),
        found_at: UNIX_EPOCH,
        pool: "main".parse().unwrap(),
        connection: ConnectionId(1),
        board: "cpu".parse().unwrap(),
        thread: "cpu-0".parse().unwrap(),
        job_id: "1".into(),
        header: [0; 80],
        extranonce: Extranonce::new(&[1]).unwrap(),
        extranonce_prefix: Extranonce::new(&[3; 4]).unwrap(),
        hash: [0; 32],
        difficulty: Difficulty::try_from(1.0).unwrap(),
        share_difficulty: Difficulty::try_from(1.0).unwrap(),
        share_target: mujina_core::units::ShareTarget::MAX,
        outcome,
        latency: None,
        trace_id: None,
        block: false,
    }
}

fn spec() -> SpecState {
    SpecState {
        spec: MinerSpec::default(),
        generation: Generation(1),
        etag: "e".into(),
        origin: SpecOrigin::Configuration,
        control_generation: Generation(0),
        accepted_at: SystemTime::now(),
        sections: Vec::new(),
        observed_generation: Generation(1),
        reverts_at: None,
    }
}

#[tokio::test]
async fn hashing_of_a_real_miner_shows_in_status_shares_and_buckets() {
    let folder = tempfile::tempdir().unwrap();
    let (stop_mining, stop_telemetry) = (CancellationToken::new(), CancellationToken::new());
    let mining = MinerPlan {
        cpu: Some(CpuConfig { threads: 1.into(), ..CpuConfig::default() }),
        synthetic: Some(SyntheticWork { share_every: Duration::from_millis(50), ..SyntheticWork::default() }),
        share_every: None,
        pool_limits: Default::default(),
        pool_limits_v1: Default::default(),
        scheduler_limits: Default::default(),
        source_policy: SourcePolicy::default(),
        identity: MinerIdentity { vendor: "Mujina".into(), hardware_version: "cpu".into(), firmware: "0".into() },
        boards: BoardsPlan::default(),
    };
    let mut miner = Miner::start(mining, stop_mining.clone()).await.unwrap();
    let (_spec, watched_spec) = watch::channel(Arc::new(spec()));
    let identity = Identity { miner_id: "m1".parse().unwrap(), name: "rig".into(), boot_id: "b".into() };
    let plan = TelemetryPlan {
        identity,
        miner: miner.handle(),
        spec: watched_spec,
        state_dir: folder.path().into(),
        status_line: None,
    };
    let mut supervisor = Supervisor::default();
    let telemetry = start(plan, &mut supervisor, &stop_telemetry);
    miner.handle().source.configure(Vec::new()).await.unwrap();
    let mut status = telemetry.status();
    let earns = |status: &Arc<MinerStatus>| status.totals.accepted >= 5;
    let seen = tokio::time::timeout(Duration::from_secs(60), status.wait_for(earns)).await.unwrap().unwrap().clone();
    assert_eq!(seen.state, MinerState::NoPool);
    assert!(seen.totals.is_balanced());
    assert!(!telemetry.list_shares(None, 5, &|outcome| outcome == ShareOutcome::Accepted).is_empty());

    stop_mining.cancel();
    miner.ended().await.unwrap();
    stop_telemetry.cancel();
    assert_eq!(supervisor.finish(Duration::from_secs(20)).await, None);
    let last = Arc::clone(&telemetry.status().borrow());
    assert_eq!(last.state, MinerState::Stopping);
    let request = BucketRequest { database_id: String::new(), after_sequence: 0, limit: 100, wait: Duration::ZERO };
    let buckets = telemetry.buckets(request).await.unwrap().buckets;
    let mut sum = mujina_core::share::ShareTotals::default();
    buckets.iter().for_each(|bucket| sum.add(&bucket.added));
    assert_eq!((sum.accepted, sum.submitted), (last.totals.accepted, last.totals.submitted));
    assert_eq!(buckets.iter().map(|bucket| bucket.pending_delta).sum::<i64>(), 0);
}
