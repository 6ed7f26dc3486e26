use super::*;
use crate::operation::{TargetFailure, TestedPool};
use tempfile::TempDir;

async fn open() -> (TempDir, Store, super::super::FolderLock) {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    (folder, store, lock)
}

fn name(text: &str) -> MinerName {
    text.parse().unwrap()
}

fn operation(id: &str, miners: &[&str]) -> Operation {
    let target = |miner: &&str| Target {
        miner: name(miner),
        state: TargetState::Waiting,
        phases: Vec::new(),
        failure: None,
        result: None,
        elapsed: None,
        detail: String::new(),
        power: Some(Watts::from_watts(15.0)),
        revision: 0,
    };
    let targets: Vec<_> = miners.iter().map(target).collect();
    Operation {
        id: id.into(),
        action: Action::TestPool(TestedPool::All),
        state: OperationState::Running,
        progress: Progress::of(&targets),
        targets,
        created_at: from_millis(1_790_000_000_000),
        finished_at: None,
        trace_id: String::new(),
        created_by: "operator/alice".into(),
        ramp: Some(Watts::from_watts(5000.0)),
        retry_of: "another".into(),
        revision: 0,
    }
}

#[tokio::test]
async fn operation_is_read_as_it_was_stored() {
    let (_folder, store, _lock) = open().await;
    let stored = operation("a", &["rig1", "rig2"]);
    let mut write = store.write().await.unwrap();
    write.insert_operation(&stored, &TraceParent::default()).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.operation("a", None).await.unwrap().unwrap().operation, stored);
    let listed = store.operations(None, 10).await.unwrap();
    assert_eq!(listed[0].operation, Operation { targets: Vec::new(), ..stored });
}

#[tokio::test]
async fn counts_follow_the_targets_and_only_changed_ones_are_read_again() {
    let (_folder, store, _lock) = open().await;
    let mut write = store.write().await.unwrap();
    write.insert_operation(&operation("a", &["rig1", "rig2", "rig3"]), &TraceParent::default()).await.unwrap();
    write.next_revision(1).await.unwrap();
    assert_eq!(write.begin_target(1, &name("rig1")).await.unwrap(), Begun::First);
    assert_eq!(write.begin_target(1, &name("rig1")).await.unwrap(), Begun::Again);
    assert_eq!(write.begin_target(1, &name("rig9")).await.unwrap(), Begun::Not);
    write.commit().await.unwrap();
    let begun = store.operation("a", None).await.unwrap().unwrap().operation;
    assert_eq!(begun.progress, Progress { total: 3, waiting: 2, running: 1, ..Progress::default() });
    assert_eq!(begun.progress, Progress::of(&begun.targets));
    let mut write = store.write().await.unwrap();
    write.next_revision(1).await.unwrap();
    let failure = TargetFailure { code: 9, reason: "X".into(), message: "x".into() };
    write.end_target(1, &name("rig1"), &TargetEnd::failed(failure).saying("three tests")).await.unwrap();
    write.finish_operation(1).await.unwrap();
    write.commit().await.unwrap();
    let news = store.operation("a", Some(begun.revision)).await.unwrap().unwrap().operation;
    let changed: Vec<_> = news.targets.iter().map(|one| (one.miner.as_str(), one.detail.as_str())).collect();
    assert_eq!((changed, news.state), (vec![("rig1", "three tests")], OperationState::Running));
    let mut write = store.write().await.unwrap();
    assert_eq!(write.cancel_operation("a").await.unwrap(), Some(2));
    write.commit().await.unwrap();
    let ended = store.operation("a", Some(news.revision)).await.unwrap().unwrap().operation;
    assert_eq!((ended.state, ended.targets.len()), (OperationState::Cancelled, 2));
    assert_eq!(ended.progress, Progress { total: 3, failed: 1, skipped: 2, ..Progress::default() });
}

#[tokio::test]
async fn bundles_are_kept_for_some_days_and_the_oldest_make_room() {
    let (_folder, store, _lock) = open().await;
    let mut write = store.write().await.unwrap();
    write.insert_operation(&operation("a", &["rig1", "rig2", "rig3"]), &TraceParent::default()).await.unwrap();
    let now = SystemTime::now();
    let days = |days: u64| now - Duration::from_secs(days * 24 * 60 * 60);
    for (miner, at) in [("rig1", days(3)), ("rig2", days(2)), ("rig3", days(1))] {
        write.insert_bundle(1, &name(miner), &[7; 100], at).await.unwrap();
    }
    write.prune_bundles(now, 250).await.unwrap();
    write.commit().await.unwrap();
    let is_there = async |miner: &str| store.bundle("a", &name(miner)).await.unwrap().is_some();
    assert_eq!((is_there("rig1").await, is_there("rig2").await, is_there("rig3").await), (false, true, true));
    let mut write = store.write().await.unwrap();
    write.prune_bundles(now + Duration::from_secs(6 * 24 * 60 * 60), MAX_ALL).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!((is_there("rig2").await, is_there("rig3").await), (false, true));
}

/// No bound.
const MAX_ALL: i64 = i64::MAX;
