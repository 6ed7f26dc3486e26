use super::*;
use crate::scheduler::{PoolScope, Scope};
use mujina_core::share::ShareTotals;
use std::{collections::BTreeMap, time::UNIX_EPOCH};

fn cut(second: u64, accepted: u64) -> Cut {
    let added = ShareTotals { found: accepted, submitted: accepted, accepted, ..ShareTotals::default() };
    Cut {
        begin: UNIX_EPOCH + Duration::from_secs(second),
        length: Duration::from_secs(10),
        pool: "main".parse().unwrap(),
        added,
        pending_delta: 0,
        hashes: 1.5,
    }
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn snapshot(accepted: u64) -> Arc<Snapshot> {
    let totals = ShareTotals { found: accepted, submitted: accepted, accepted, ..ShareTotals::default() };
    let scope = Scope { totals, ..Scope::default() };
    let pools = [("main".parse().unwrap(), PoolScope { scope, ..PoolScope::default() })];
    Arc::new(Snapshot {
        at: UNIX_EPOCH,
        since: UNIX_EPOCH,
        live: None,
        paused: false,
        hashing: true,
        share_work: None,
        miner: Scope::default(),
        pools: pools.into(),
        connections: BTreeMap::new(),
        boards: BTreeMap::new(),
        threads: Vec::new(),
        unknown_verdicts: 0,
    })
}

fn all(after_sequence: u64) -> BucketRequest {
    BucketRequest { database_id: String::new(), after_sequence, limit: 100, wait: Duration::ZERO }
}

#[test]
fn sequences_and_lifetime_go_on_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let first = Store::open(&path).unwrap();
    assert_eq!(first.append(&[cut(0, 1), cut(10, 2)], at(20)).unwrap(), 2);
    let id = first.id().to_owned();
    drop(first);
    let second = Store::open(&path).unwrap();
    assert_eq!((second.id(), second.newest().unwrap()), (id.as_str(), 2));
    assert_eq!(second.append(&[cut(20, 4)], at(30)).unwrap(), 3);
    let page = second.read(1, 10).unwrap();
    assert_eq!(page.buckets.iter().map(|one| (one.sequence, one.added.accepted)).collect::<Vec<_>>(), [(2, 2), (3, 4)]);
    assert_eq!(second.lifetime().unwrap()["main"].accepted, 7);
}

#[test]
fn buckets_of_yesterday_are_forgotten_and_their_numbers_not_reused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("history.redb")).unwrap();
    store.append(&[cut(0, 1), cut(10, 1)], at(20)).unwrap();
    let day = KEPT_SECONDS;
    store.append(&[cut(day + 10, 1)], at(day + 5)).unwrap();
    let page = store.read(0, 10).unwrap();
    assert_eq!((page.oldest_sequence, page.buckets.len()), (2, 2));
    store.append(&[], at(3 * day)).unwrap();
    let page = store.read(0, 10).unwrap();
    assert_eq!((page.oldest_sequence, page.buckets.len(), store.newest().unwrap()), (4, 0, 3));
}

const KEPT_SECONDS: u64 = 24 * 60 * 60;

#[tokio::test]
async fn garbage_is_set_aside_and_a_new_database_begun() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("history.redb"), vec![0xa5; 10_000]).unwrap();
    let (_scheduler, watched) = watch::channel(snapshot(0));
    let (mut history, handle) = History::new(folder.path(), watched);
    history.flush().await;
    assert_eq!(handle.buckets(all(0)).await.unwrap().buckets, []);
    let names =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("unreadable")).count(), 1);
}

#[tokio::test]
async fn waiting_reader_gets_the_bucket_that_is_closed_at_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (_scheduler, watched) = watch::channel(snapshot(5));
    let (history, handle) = History::new(folder.path(), watched);
    let mut opened = handle.store.clone();
    let cancel = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(history.run(cancel.clone()));
    opened.wait_for(Option::is_some).await.unwrap();
    let reading = handle.buckets(BucketRequest { wait: Duration::from_secs(60), ..all(0) });
    let (page, ()) = tokio::join!(reading, async { cancel.cancel() });
    assert_eq!(page.unwrap().buckets[0].added.accepted, 5);
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn cursor_of_another_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_scheduler, watched) = watch::channel(snapshot(0));
    let (mut history, handle) = History::new(folder.path(), watched);
    let early = handle.buckets(all(0)).await.unwrap_err();
    assert!(matches!(early, HistoryError::Unavailable(_)), "{early:?}");
    let ((), early) = tokio::join!(history.flush(), handle.buckets(all(0)));
    assert_eq!(early.unwrap().buckets, [], "a reader waits for a database that is being opened");
    let foreign = BucketRequest { database_id: "0123".into(), ..all(0) };
    let error = handle.buckets(foreign).await.unwrap_err();
    assert!(matches!(error, HistoryError::OtherDatabase { .. }), "{error:?}");
}

#[tokio::test]
async fn buckets_wait_in_memory_while_the_folder_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("later");
    let (_scheduler, watched) = watch::channel(snapshot(3));
    let (mut history, handle) = History::new(&missing, watched);
    history.close(false).await;
    assert!(handle.failure().borrow().is_some());
    std::fs::create_dir(&missing).unwrap();
    history.close(false).await;
    assert_eq!(*handle.failure().borrow(), None);
    assert_eq!(handle.buckets(all(0)).await.unwrap().buckets[0].added.accepted, 3);
}

#[tokio::test]
async fn database_is_opened_again_after_an_error_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (scheduler, watched) = watch::channel(snapshot(3));
    let (mut history, handle) = History::new(folder.path(), watched);
    history.close(false).await;
    let first = handle.store.borrow().as_ref().map(Arc::downgrade).unwrap();
    history.failed("no space left".into());
    assert!(first.upgrade().is_none(), "nobody keeps the old one open, which would lock out the new one");
    scheduler.send_replace(snapshot(4));
    history.close(false).await;
    assert_eq!(*handle.failure().borrow(), None);
    let buckets = handle.buckets(all(0)).await.unwrap().buckets;
    assert_eq!(buckets.iter().map(|one| one.added.accepted).collect::<Vec<_>>(), [3, 1]);
}

#[tokio::test]
async fn database_with_a_damaged_record_is_set_aside_and_nothing_that_waits_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    Store::open(&path).unwrap().append(&[cut(0, 1)], at(20)).unwrap();
    let damaged = redb::Database::open(&path).unwrap();
    let transaction = damaged.begin_write().unwrap();
    let lifetime = redb::TableDefinition::<&str, &[u8]>::new("lifetime");
    transaction.open_table(lifetime).unwrap().insert("main", b"{" as &[u8]).unwrap();
    transaction.commit().unwrap();
    drop(damaged);
    let (_scheduler, watched) = watch::channel(snapshot(5));
    let (mut history, handle) = History::new(folder.path(), watched);
    history.close(false).await;
    assert_eq!(*handle.failure().borrow(), None);
    assert_eq!(handle.buckets(all(0)).await.unwrap().buckets[0].added.accepted, 5);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
