mod full;

use super::*;
use crate::{
    access::Caller,
    spec::{DesiredState, WantedSpec},
    statistics::{BucketPage, KeepStatistics, TimeRange},
    trace::TraceParent,
};
use mujina_core::{
    id::{Generation, MinerName},
    share::{RejectReason, ShareBucket, ShareTotals},
    spec::MinerSpec,
};

fn miner() -> MinerName {
    "rig1".parse().unwrap()
}

fn bucket(sequence: u64) -> ShareBucket {
    let mut added = ShareTotals { found: 4, stale: 1, submitted: 3, accepted: 2, ..ShareTotals::default() };
    *added.rejected.get_mut(RejectReason::Ntime) += 1;
    ShareBucket {
        sequence,
        begin: UNIX_EPOCH + Duration::from_secs(1_790_000_000 + 10 * sequence),
        length: Duration::from_secs(10),
        pool: "main".parse().unwrap(),
        added,
        pending_delta: 0,
        hashes: 1e6,
    }
}

/// After all buckets.
fn after_all() -> SystemTime {
    bucket(1000).begin
}

fn page(database: &str, sequences: std::ops::RangeInclusive<u64>) -> BucketPage {
    let oldest_sequence = *sequences.start();
    BucketPage { database_id: database.into(), buckets: sequences.map(bucket).collect(), oldest_sequence }
}

async fn collect(store: &Store, page: &BucketPage) -> Collected {
    let mut write = store.write().await.unwrap();
    let collected = write.collect(&[(miner(), page.clone())], after_all()).await.unwrap().remove(0).unwrap();
    write.commit().await.unwrap();
    collected
}

async fn sequences(store: &Store) -> Vec<u64> {
    let found = store.share_buckets(&miner(), TimeRange::default(), None, 1000).await.unwrap();
    found.iter().map(|one| one.bucket.sequence).collect()
}

fn desired(generation: u64) -> DesiredState {
    DesiredState {
        miner: miner(),
        wanted: WantedSpec { spec: MinerSpec { paused: true, ..MinerSpec::default() }, ..WantedSpec::default() },
        generation: Generation(generation),
        etag: format!("e{generation}"),
        stored_at: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        trace_parent: TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        taken_over: Generation(0),
    }
}

#[tokio::test]
async fn page_that_was_not_committed_is_stored_by_the_next_attempt_and_never_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(collect(&store, &page("d", 1..=5)).await, Collected { buckets: 5, missing: 0, after: 5 });
    // Killed between the rows and the commit.
    let mut write = store.write().await.unwrap();
    write.collect(&[(miner(), page("d", 6..=9))], after_all()).await.unwrap();
    drop(write);
    store.close().await;
    drop((store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.share_cursor(&miner()).await.unwrap(), Some(("d".into(), 5)));
    assert_eq!(collect(&store, &page("d", 6..=9)).await.buckets, 4);
    // Killed after the commit, before anybody learnt of it: the same page comes again.
    assert_eq!(collect(&store, &page("d", 6..=9)).await.buckets, 0);
    assert_eq!(sequences(&store).await, (1..=9).collect::<Vec<_>>());
    store.close().await;
}

#[tokio::test]
async fn new_database_has_a_cursor_of_its_own_and_gaps_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(collect(&store, &page("old", 100..=101)).await, Collected { buckets: 2, missing: 0, after: 101 });
    assert_eq!(collect(&store, &page("old", 105..=105)).await, Collected { buckets: 1, missing: 3, after: 105 });
    assert_eq!(collect(&store, &page("new", 2..=2)).await, Collected { buckets: 1, missing: 1, after: 2 });
    assert_eq!(store.share_cursor(&miner()).await.unwrap(), Some(("new".into(), 2)));
    // A database that comes back goes on where it was.
    assert_eq!(collect(&store, &page("old", 104..=106)).await, Collected { buckets: 1, missing: 0, after: 106 });
    assert_eq!(store.share_cursor(&miner()).await.unwrap(), Some(("old".into(), 106)));
    let summary = store.summarize_shares(Some(&[miner()]), TimeRange::default()).await.unwrap();
    assert_eq!((summary.buckets, summary.missing, summary.totals.found), (5, 4, 20));
    assert_eq!(summary.totals.rejected.get(RejectReason::Ntime), 5);
    assert!(summary.totals.is_balanced());
    store.close().await;
}

#[tokio::test]
async fn buckets_come_back_as_they_were_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    collect(&store, &page("d", 1..=7)).await;
    let range = TimeRange { begin: Some(bucket(2).begin), end: Some(bucket(7).begin) };
    let first = store.share_buckets(&miner(), range, None, 3).await.unwrap();
    let rest = store.share_buckets(&miner(), range, Some(first[2].position), 9).await.unwrap();
    let found: Vec<_> = first.into_iter().chain(rest).map(|one| one.bucket).collect();
    assert_eq!(found, (2..=6).map(bucket).collect::<Vec<_>>());
    store.close().await;
}

#[tokio::test]
async fn old_buckets_are_dropped_and_a_clock_that_jumps_makes_none_old() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let (day, minute) = (Duration::from_secs(24 * 60 * 60), Duration::from_secs(60));
    let keep = KeepStatistics { ten_seconds: minute, ..KeepStatistics::all(day) };
    collect(&store, &page("d", 1..=300)).await;
    let ahead = bucket(300).begin + 1000 * day;
    assert_eq!(store.prune_shares(&keep, ahead).await.unwrap(), 0, "too few to bear a time out");
    collect(&store, &page("d", 301..=369)).await;
    // The time that counts is that of bucket 10: an hour of buckets is not older.
    assert_eq!(store.prune_shares(&keep, bucket(9).begin).await.unwrap(), 2, "it is never later than the clock says");
    assert_eq!(store.prune_shares(&keep, ahead).await.unwrap(), 1);
    assert_eq!(store.prune_shares(&keep, ahead).await.unwrap(), 0);
    assert_eq!(sequences(&store).await, (4..=369).collect::<Vec<_>>());
    // What was dropped with age is not collected again.
    assert_eq!(collect(&store, &page("d", 1..=7)).await.buckets, 0);
    store.close().await;
}

#[tokio::test]
async fn answers_are_forgotten_by_age_and_the_newest_are_kept_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    // As a clock leaves them that jumped ahead by decades since.
    let old = |first: i64, last: i64| {
        sqlx::query(
            "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
             INSERT INTO requests SELECT 'a', 'itself', 'old-' || i, x'', '1', i FROM n",
        )
        .bind(first)
        .bind(last)
        .execute(&store.writer)
    };
    old(1, 2).await.unwrap();
    let remember = async |id: &str| {
        let mut write = store.write().await.unwrap();
        write.remember("a", &RequestKey::own(id), "2").await.unwrap();
        write.commit().await.unwrap();
    };
    remember("new-1").await;
    let is_known = async |id: &str| store.answered("a", &RequestKey::own(id)).await.unwrap().is_some();
    assert!(is_known("old-1").await);
    old(3, 1000).await.unwrap();
    remember("new-2").await;
    assert!(!is_known("old-1").await);
    assert!(is_known("old-2").await);
    assert!(is_known("new-1").await);
    store.close().await;
}

#[tokio::test]
async fn answer_is_for_the_caller_and_the_request_that_it_was_given_to() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    sqlx::query("INSERT INTO requests VALUES ('a', '', 'old', x'', 'from before', 1)")
        .execute(&store.writer)
        .await
        .unwrap();
    let (ann, bob) = (Caller::itself("ann", "METHOD"), Caller::itself("bob", "METHOD"));
    let key = |by: &Caller, id: &str, content: &str| RequestKey::new(by, id.into(), content.as_bytes());
    let mut write = store.write().await.unwrap();
    write.remember("a", &key(&ann, "1", "this"), "hers").await.unwrap();
    assert_eq!(write.answer("a", &key(&ann, "1", "this")).await.unwrap().as_deref(), Some("hers"));
    assert!(matches!(write.answer("a", &key(&ann, "1", "that")).await, Err(StoreError::Reused)));
    let other_method = RequestKey::new(&Caller::itself("ann", "OTHER"), "1".into(), b"this");
    assert!(matches!(write.answer("a", &other_method).await, Err(StoreError::Reused)));
    for new in [key(&bob, "1", "this"), key(&ann, "2", "this"), RequestKey::own("1"), key(&ann, "", "this")] {
        assert_eq!(write.answer("a", &new).await.unwrap(), None, "{new:?}");
    }
    assert_eq!(write.answer("b", &key(&ann, "1", "this")).await.unwrap(), None);
    write.remember("a", &key(&bob, "1", "that"), "his").await.unwrap();
    write.remember("a", &RequestKey::none(), "nobody's").await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.answered("a", &key(&bob, "1", "that")).await.unwrap().as_deref(), Some("his"));
    assert_eq!(store.answered("a", &key(&bob, "old", "any")).await.unwrap().as_deref(), Some("from before"));
    store.close().await;
}

#[tokio::test]
async fn desired_states_survive_and_old_generations_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    for generation in 1..=150 {
        let mut write = store.write().await.unwrap();
        write.insert_desired(&[&desired(generation)]).await.unwrap();
        write.commit().await.unwrap();
    }
    let id = store.database_id().to_owned();
    store.close().await;
    drop((store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.database_id(), id);
    assert_eq!(store.all_desired().await.unwrap(), [desired(150)]);
    let mut write = store.write().await.unwrap();
    assert_eq!(write.desired(&miner(), Generation(51)).await.unwrap(), Some(desired(51)));
    assert_eq!(write.desired(&miner(), Generation(50)).await.unwrap(), None);
    drop(write);
    store.close().await;
}

#[tokio::test]
async fn database_of_a_newer_version_is_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (999, 'later', 1, x'00', 0)",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    store.close().await;
    drop((store, lock));
    let path = folder.path().join(DATABASE);
    let before = fs::read(&path).unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn state_folder_belongs_to_one_control_plane_and_its_files_to_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    collect(&store, &page("d", 1..=1)).await;
    assert!(matches!(Store::open(folder.path()).await, Err(StoreError::InUse(_))));
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
    store.close().await;
}
