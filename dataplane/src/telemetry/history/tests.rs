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

/// What one account has.
fn lifetimes(accepted: u64) -> BTreeMap<String, super::super::lifetime::Totals> {
    let totals = ShareTotals { found: accepted, submitted: accepted, accepted, ..ShareTotals::default() };
    [("main stratum2+tcp://x y".to_owned(), (totals, at(5)))].into()
}

/// A source with one pool.
fn source(url: &str) -> Arc<source::Snapshot> {
    let pool = source::PoolSnapshot {
        name: "main".parse().unwrap(),
        url: url.into(),
        user: "alice".into(),
        authority_fingerprint: String::new(),
        state: mujina_core::status::PoolState::Ready,
        reason: String::new(),
        since: UNIX_EPOCH,
        retry_at: None,
        failures: 0,
        connection: None,
        role: mujina_core::status::PoolRole::Live,
        work_split: None,
    };
    Arc::new(source::Snapshot { pools: vec![pool], ..source::Snapshot::default() })
}

/// A history of pool `main` that got so many shares accepted.
fn history(folder: &Path, accepted: u64) -> (History, HistoryHandle) {
    let (scheduler, source) = (watch::channel(snapshot(accepted)).1, watch::channel(source("url-1")).1);
    History::new(folder, scheduler, source)
}

fn all(after_sequence: u64) -> BucketRequest {
    BucketRequest { database_id: String::new(), after_sequence, limit: 100, wait: Duration::ZERO }
}

#[test]
fn sequences_and_lifetime_go_on_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    let first = Store::open(&path).unwrap();
    assert_eq!(first.append(0, &[cut(0, 1), cut(10, 2)], &lifetimes(3), at(20)).unwrap(), 2);
    let id = first.id().to_owned();
    drop(first);
    let second = Store::open(&path).unwrap();
    assert_eq!((second.id(), second.newest().unwrap()), (id.as_str(), 2));
    assert_eq!(second.append(0, &[cut(20, 4)], &lifetimes(7), at(30)).unwrap(), 3);
    let page = second.read(1, 10).unwrap();
    assert_eq!(page.buckets.iter().map(|one| (one.sequence, one.added.accepted)).collect::<Vec<_>>(), [(2, 2), (3, 4)]);
    assert_eq!(second.lifetimes().unwrap(), lifetimes(7));
}

#[test]
fn buckets_of_yesterday_are_forgotten_and_their_numbers_not_reused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("history.redb")).unwrap();
    let day = KEPT_SECONDS;
    let cuts: Vec<_> = (0..day / 10 + 2).map(|i| cut(10 * i, 1)).collect();
    store.append(0, &cuts, &BTreeMap::new(), at(day + 20)).unwrap();
    let page = store.read(0, 1).unwrap();
    assert_eq!((page.oldest_sequence, page.buckets.len()), (3, 1));
    assert_eq!(store.append(0, &[cut(day + 20, 1)], &BTreeMap::new(), at(day + 30)).unwrap(), day / 10 + 3);
    assert_eq!(store.read(0, 1).unwrap().oldest_sequence, 4);
}

#[test]
fn clock_that_jumps_ahead_forgets_no_bucket_and_is_not_told_as_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("history.redb")).unwrap();
    let year = 365 * KEPT_SECONDS;
    store.append(0, &[cut(0, 1), cut(10, 1)], &BTreeMap::new(), at(20)).unwrap();
    let long = Cut { length: Duration::from_secs(year), ..cut(20, 1) };
    store.append(0, &[long], &BTreeMap::new(), at(year + 20)).unwrap();
    store.append(0, &[cut(year + 20, 1)], &BTreeMap::new(), at(year + 30)).unwrap();
    let page = store.read(0, 10).unwrap();
    let lengths: Vec<_> = page.buckets.iter().map(|bucket| bucket.length.as_secs()).collect();
    assert_eq!((page.oldest_sequence, lengths), (1, vec![10, 10, KEPT_SECONDS, 10]));
}

const KEPT_SECONDS: u64 = 24 * 60 * 60;

#[tokio::test]
async fn garbage_is_set_aside_and_a_new_database_begun() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("history.redb"), vec![0xa5; 10_000]).unwrap();
    let (mut history, handle) = history(folder.path(), 0);
    history.flush().await;
    assert_eq!(handle.buckets(all(0)).await.unwrap().buckets, []);
    let names =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("unreadable")).count(), 1);
}

#[tokio::test]
async fn waiting_reader_gets_the_bucket_that_is_closed_at_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (history, handle) = history(folder.path(), 5);
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
    let (mut history, handle) = history(folder.path(), 0);
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
    let (mut history, handle) = history(&missing, 3);
    history.close(false).await;
    assert!(handle.failure().borrow().is_some());
    std::fs::create_dir(&missing).unwrap();
    history.close(false).await;
    assert_eq!(*handle.failure().borrow(), None);
    assert_eq!(handle.buckets(all(0)).await.unwrap().buckets[0].added.accepted, 3);
}

#[tokio::test]
async fn buckets_that_waited_too_long_for_the_disk_are_missing_in_the_count() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("later");
    let (mut history, handle) = history(&missing, 3);
    history.waiting.extend((0..8192 + 2).map(|i| cut(10 * i, 1)));
    for _ in 0..2 {
        history.close(false).await;
    }
    // The one that was cut now is the third too many.
    assert_eq!((history.waiting.len(), history.lost), (MOST_WAITING, 3));
    std::fs::create_dir(&missing).unwrap();
    history.close(false).await;
    let page = handle.buckets(all(0)).await.unwrap();
    assert_eq!((page.oldest_sequence, page.buckets[0].begin, history.lost), (4, at(30), 0));
}

fn accepted_in_life(handle: &HistoryHandle, now: u64) -> Option<u64> {
    let lifetimes = handle.lifetimes().borrow().clone()?;
    let ledger = ShareTotals { found: now, submitted: now, accepted: now, ..ShareTotals::default() };
    lifetimes.of(&"main".parse().unwrap(), &ledger).map(|(totals, _)| totals.accepted)
}

#[tokio::test]
async fn lifetime_totals_go_on_over_restarts_and_are_live_in_between() {
    let folder = tempfile::tempdir().unwrap();
    for (process, before) in [(3, 0), (4, 3), (5, 7)] {
        let (mut history, handle) = history(folder.path(), process);
        assert_eq!(accepted_in_life(&handle, 0), None, "nothing was read yet");
        history.flush().await;
        assert_eq!(accepted_in_life(&handle, 1), Some(before + 1));
        history.close(true).await;
        assert_eq!(accepted_in_life(&handle, process), Some(before + process));
    }
}

#[tokio::test]
async fn lifetime_totals_follow_the_account_and_come_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (scheduler, counted) = watch::channel(snapshot(3));
    let (spec, source_of_history) = watch::channel(source("url-1"));
    let (mut history, handle) = History::new(folder.path(), counted, source_of_history);
    history.flush().await;
    spec.send_replace(source("url-2"));
    history.turn();
    assert_eq!(accepted_in_life(&handle, 5), Some(2));
    scheduler.send_replace(snapshot(9));
    spec.send_replace(source("url-1"));
    history.turn();
    assert_eq!(accepted_in_life(&handle, 10), Some(4));
    history.close(true).await;
    drop((history, handle));
    let stored = Store::open(&folder.path().join("history.redb")).unwrap().lifetimes().unwrap();
    let of = |account: &str| stored[account].0.accepted;
    assert_eq!((of("main url-1 alice"), of("main url-2 alice")), (3, 6));
}

#[tokio::test]
async fn accounts_follow_the_spec_while_the_task_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (_scheduler, counted) = watch::channel(snapshot(3));
    let (spec, source_of_history) = watch::channel(source("url-1"));
    let (history, handle) = History::new(folder.path(), counted, source_of_history);
    let (cancel, mut shown) = (CancellationToken::new(), handle.lifetimes());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(history.run(cancel.clone()));
    shown.wait_for(Option::is_some).await.unwrap();
    spec.send_replace(source("url-2"));
    shown.wait_for(|_| accepted_in_life(&handle, 3) == Some(0)).await.unwrap();
    cancel.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn database_is_opened_again_after_an_error_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (scheduler, watched) = watch::channel(snapshot(3));
    let (mut history, handle) = History::new(folder.path(), watched, watch::channel(source("url-1")).1);
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
    Store::open(&path).unwrap().append(0, &[cut(0, 1)], &BTreeMap::new(), at(20)).unwrap();
    let damaged = redb::Database::open(&path).unwrap();
    let transaction = damaged.begin_write().unwrap();
    let lifetime = redb::TableDefinition::<&str, &[u8]>::new("lifetime");
    transaction.open_table(lifetime).unwrap().insert("main", b"{" as &[u8]).unwrap();
    transaction.commit().unwrap();
    drop(damaged);
    let (_scheduler, watched) = watch::channel(snapshot(5));
    let (mut history, handle) = History::new(folder.path(), watched, watch::channel(source("url-1")).1);
    history.close(false).await;
    assert_eq!(*handle.failure().borrow(), None);
    assert_eq!(handle.buckets(all(0)).await.unwrap().buckets[0].added.accepted, 5);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
