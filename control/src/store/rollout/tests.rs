use super::*;
use crate::{
    rollout::{Action, Outcome, Seen, Strategy},
    store::profile::tests::fragment,
};
use mujina_core::id::Generation;
use std::time::{Duration, UNIX_EPOCH};

fn rollout(id: &str, targets: usize) -> Rollout {
    let targets = (0..targets).map(|i| (format!("rig{i}").parse().unwrap(), BTreeMap::new())).collect();
    Rollout::new(id.into(), &targets, Strategy::default()).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

async fn insert(store: &Store, rollout: &Rollout) -> StoredRollout {
    let mut write = store.write().await.unwrap();
    let place = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let planned = PlannedRollout {
        rollout: rollout.clone(),
        change: fragment(),
        profile: None,
        needs: [Permission::Limits, Permission::AnyPool].into(),
        approvals: Approvals { needed: 2, given: Vec::new() },
        created_at: now(),
        created_by: "alice".into(),
        trace_parent: place,
    };
    let stored = write.insert_rollout(planned).await.unwrap();
    write.commit().await.unwrap();
    stored
}

async fn save(store: &Store, before: &StoredRollout, after: &Rollout) -> Option<StoredRollout> {
    let mut write = store.write().await.unwrap();
    let saved = write.save_rollout(before, after).await.unwrap();
    write.commit().await.unwrap();
    saved
}

#[tokio::test]
async fn rollout_reads_back_as_it_was_written_after_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    let mut stored = insert(&store, &rollout("r1", 12)).await;
    assert_eq!(store.rollout("r1").await.unwrap().as_ref(), Some(&stored));
    assert_eq!(store.open_rollouts().await.unwrap(), Vec::<String>::new());
    let mut approvals = stored.approvals.clone();
    assert_eq!(approvals.give("alice", "bob", now()), Ok(true));
    let mut write = store.write().await.unwrap();
    let approved = write.save_approvals(&stored, approvals.clone()).await.unwrap().unwrap();
    assert_eq!(write.save_approvals(&stored, Approvals::default()).await.unwrap(), None, "of an older revision");
    write.commit().await.unwrap();
    assert_eq!((&approved.approvals, approved.revision), (&approvals, 2));
    stored = approved;
    let mut next = stored.rollout.clone();
    next.start(now()).unwrap();
    let actions = next.step(now(), &BTreeMap::<MinerName, Seen>::new(), None);
    assert!(matches!(&actions[..], [Action::Apply { .. }]), "{actions:?}");
    stored = save(&store, &stored, &next).await.unwrap();
    next.applied(&"rig0".parse().unwrap(), Generation(6), Generation(5), now());
    stored = save(&store, &stored, &next).await.unwrap();
    store.close().await;
    drop((store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.rollout("r1").await.unwrap().as_ref(), Some(&stored));
    assert_eq!((stored.revision, store.open_rollouts().await.unwrap()), (4, vec!["r1".to_owned()]));
    assert_eq!(store.rollout("r2").await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn targets_are_told_by_the_revision_that_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let stored = insert(&store, &rollout("r1", 3)).await;
    let mut next = stored.rollout.clone();
    next.targets.get_mut(&"rig1".parse().unwrap()).unwrap().failure = Some("hot".into());
    let saved = save(&store, &stored, &next).await.unwrap();
    let written = async |revision| {
        let (now, written) = store.rollout_since("r1", revision).await.unwrap().unwrap();
        assert_eq!(now, saved);
        written.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(written(None).await, ["rig0", "rig1", "rig2"]);
    assert_eq!(written(Some(stored.revision)).await, ["rig1"]);
    assert_eq!(written(Some(saved.revision)).await, Vec::<String>::new());
    assert_eq!(store.rollout_since("r2", None).await.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn who_holds_an_older_revision_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let stored = insert(&store, &rollout("r1", 3)).await;
    let mut mine = stored.rollout.clone();
    mine.start(now()).unwrap();
    let saved = save(&store, &stored, &mine).await.unwrap();
    let mut theirs = stored.rollout.clone();
    theirs.abort("by hand").unwrap();
    theirs.targets.get_mut(&"rig1".parse().unwrap()).unwrap().failure = Some("never written".into());
    assert_eq!(save(&store, &stored, &theirs).await, None);
    assert_eq!(store.rollout("r1").await.unwrap(), Some(saved));
    store.close().await;
}

#[tokio::test]
async fn ended_rollouts_are_dropped_with_age_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    for number in 0..HISTORY + 10 {
        let stored = insert(&store, &rollout(&format!("r{number}"), 1)).await;
        if number != 3 {
            let mut ended = stored.rollout.clone();
            ended.course.status = Status::Finished { outcome: Outcome::Succeeded, at: now() };
            save(&store, &stored, &ended).await.unwrap();
        }
    }
    let page = store.rollouts(None, 1000).await.unwrap();
    let ids: Vec<_> = page.iter().map(|stored| stored.rollout.course.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[ids.len() - 1]), (201, "r209", "r3"));
    let next = store.rollouts(Some(page[4].number), 2).await.unwrap();
    assert_eq!(next.iter().map(|stored| stored.number).collect::<Vec<_>>(), [page[5].number, page[6].number]);
    store.close().await;
}

#[tokio::test]
async fn rollout_of_an_older_version_takes_every_permission_that_a_spec_can() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    insert(&store, &rollout("r1", 1)).await;
    let mut write = store.write().await.unwrap();
    sqlx::query("UPDATE rollouts SET needs = NULL").execute(&mut *write.transaction).await.unwrap();
    write.commit().await.unwrap();
    let needs = store.rollout("r1").await.unwrap().unwrap().needs;
    assert_eq!(needs, content::OF_SPECS.into());
    assert!(needs.contains(&Permission::Limits) && needs.contains(&Permission::AnyPool));
    store.close().await;
}
