use super::*;
use crate::{
    statistics::{BucketPage, RESOLUTIONS},
    store::{FolderLock, MIGRATIONS, Store},
};
use sqlx::{
    Connection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use std::{collections::BTreeMap, time::UNIX_EPOCH};
use tempfile::TempDir;

async fn open() -> (TempDir, Store, FolderLock) {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    (folder, store, lock)
}

fn name(text: &str) -> MinerName {
    text.parse().unwrap()
}

/// After all buckets.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_100_000)
}

/// A bucket of ten seconds; two pools take turns in one span.
fn bucket(sequence: u64) -> ShareBucket {
    let mut added = ShareTotals { found: 9, stale: 1, submitted: 8, accepted: 6, ..ShareTotals::default() };
    *added.rejected.get_mut(RejectReason::Ntime) += 2;
    added.accepted_work = 6e12;
    ShareBucket {
        sequence,
        begin: UNIX_EPOCH + Duration::from_secs(1_790_000_040 + 10 * (sequence / 2)),
        length: Duration::from_secs(10),
        pool: if sequence.is_multiple_of(2) { "main" } else { "spare" }.parse().unwrap(),
        added,
        pending_delta: 0,
        hashes: 1e6,
    }
}

fn page(sequences: std::ops::Range<u64>) -> BucketPage {
    let oldest_sequence = sequences.start;
    BucketPage { database_id: "d".into(), buckets: sequences.map(bucket).collect(), oldest_sequence }
}

fn points(miners: &[&str], step_ms: i64, resolution_ms: Option<i64>, by_pool: bool) -> Points {
    let groups = miners.iter().enumerate().map(|(i, miner)| (name(miner), i)).collect();
    Points { groups, by_pool, begin_ms: 0, end_ms: i64::MAX, step_ms, resolution_ms }
}

#[tokio::test]
async fn many_miners_go_into_one_transaction_and_a_bad_page_spoils_its_own_miner_alone() {
    let (_folder, store, _lock) = open().await;
    let bad = BucketPage { database_id: String::new(), ..page(2..4) };
    let mut pages: Vec<_> = (0..300).map(|i| (name(&format!("rig{i}")), page(2..8))).collect();
    pages.insert(7, (name("broken"), bad));
    // The same miner twice: what overlaps counts once.
    pages.push((name("rig0"), page(4..10)));
    let mut write = store.write().await.unwrap();
    let answers = write.collect(&pages, now()).await.unwrap();
    write.commit().await.unwrap();
    let stored: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|one| one.buckets).ok()).collect();
    assert_eq!((stored[0], stored[7], stored[301]), (Some(6), None, Some(2)));
    assert_eq!(store.share_cursor(&name("rig0")).await.unwrap(), Some(("d".into(), 9)));
    assert_eq!(store.share_cursor(&name("broken")).await.unwrap(), None);
    let found = store.share_buckets(&name("rig299"), TimeRange::default(), None, 100).await.unwrap();
    assert_eq!(found.into_iter().map(|one| one.bucket).collect::<Vec<_>>(), (2..8).map(bucket).collect::<Vec<_>>());
    assert_eq!(store.collected_miners().await.unwrap().len(), 300);
}

#[tokio::test]
async fn impossible_numbers_of_one_miner_leave_the_statistics_of_all_others_whole() {
    let (_folder, store, _lock) = open().await;
    let mut impossible = page(2..5);
    impossible.buckets[1].added.accepted = u64::MAX;
    let mut without_hashes = page(2..5);
    without_hashes.buckets[1].hashes = f64::NAN;
    let pages = [(name("rig1"), page(2..5)), (name("bad1"), impossible), (name("bad2"), without_hashes)];
    let mut write = store.write().await.unwrap();
    let answers = write.collect(&pages, now()).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    let summary = store.summarize_shares(None, TimeRange::default()).await.unwrap();
    assert_eq!((summary.buckets, summary.totals.accepted), (3, 18));
}

#[tokio::test]
async fn error_bar_of_a_fleet_is_that_of_its_hardest_shares() {
    let (_folder, store, _lock) = open().await;
    let (mut hard, mut idle) = (page(2..3), page(2..3));
    hard.buckets[0].added = ShareTotals { submitted: 1, accepted: 1, accepted_work: 1e14, ..ShareTotals::default() };
    idle.buckets[0].added = ShareTotals::default();
    let pages = [(name("easy"), page(2..3)), (name("hard"), hard), (name("idle"), idle)];
    let mut write = store.write().await.unwrap();
    write.collect(&pages, now()).await.unwrap();
    write.commit().await.unwrap();
    for resolution in [None].into_iter().chain(RESOLUTIONS.map(Some)) {
        let mut points = points(&["easy", "hard", "idle"], 24 * 60 * 60_000, resolution, false);
        // In percent of a share of 1e14.
        let errors =
            |rows: Vec<SeriesRow>| rows.iter().map(|row| (row.work_variance.sqrt() / 1e12).round()).collect::<Vec<_>>();
        // Six shares of 1e12, one of 1e14 and none, each a group of its own: √6 %, 100 %, nothing.
        assert_eq!(errors(store.share_series(&points, 10).await.unwrap()), [2.0, 100.0, 0.0]);
        points.groups.values_mut().for_each(|group| *group = 0);
        let rows = store.share_series(&points, 10).await.unwrap();
        // Seven shares of their mean would give 40 %.
        assert_eq!((rows[0].accepted, errors(rows)), (7, vec![100.0]));
    }
}

#[tokio::test]
async fn sums_follow_the_buckets_in_every_width_even_where_pages_cut_a_span_and_come_again() {
    let (_folder, store, _lock) = open().await;
    // Pages end between the two pools of a span, and overlap.
    for cut in [2..5, 4..9, 3..9, 9..20, 20..380, 380..740, 740..743] {
        let mut write = store.write().await.unwrap();
        write.collect(&[(name("rig1"), page(cut))], now()).await.unwrap();
        write.commit().await.unwrap();
    }
    let total = |rows: &[SeriesRow]| {
        rows.iter().fold((0, 0, 0, 0.0), |sum, row| {
            (sum.0 + row.covered_ms, sum.1 + row.accepted, sum.2 + row.rejected, sum.3 + row.accepted_work)
        })
    };
    let spans = 741_u64.div_ceil(2);
    for resolution in [None].into_iter().chain(RESOLUTIONS.map(Some)) {
        let step = resolution.unwrap_or(10_000);
        let rows = store.share_series(&points(&["rig1"], step, resolution, false), 10_000).await.unwrap();
        assert_eq!(total(&rows), (spans * 10_000, 741 * 6, 741 * 2, 741.0 * 6e12), "{resolution:?}");
        assert!(rows.is_sorted_by_key(|row| row.begin_ms) && rows.iter().all(|row| row.begin_ms % step == 0));
        let by_pool = store.share_series(&points(&["rig1"], step, resolution, true), 10_000).await.unwrap();
        let mut pools = BTreeMap::<String, u64>::new();
        for row in by_pool {
            *pools.entry(row.pool).or_default() += row.covered_ms;
        }
        // A pool's own time is that of its own buckets.
        assert_eq!(pools, BTreeMap::from([("main".into(), 371 * 10_000), ("spare".into(), 370 * 10_000)]));
    }
}

#[tokio::test]
async fn database_of_an_earlier_version_keeps_its_buckets_and_gets_their_sums() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let before = MIGRATIONS.iter().filter(|migration| migration.version < 8).cloned().collect::<Vec<_>>();
    Migrator { migrations: before.into(), ..Migrator::DEFAULT }.run_direct(None, &mut connection, false).await.unwrap();
    for sequence in 2..14_i64 {
        let pool = if sequence % 2 == 0 { "main" } else { "spare" };
        sqlx::query(
            "INSERT INTO share_buckets (id, miner, database_id, sequence, begin_ms, length_ms, pool, found, stale, duplicate,
                 below_target, out_of_window, hardware_error, suppressed, submitted, accepted, lost, blocks, submitted_work,
                 accepted_work, best_difficulty, pending_delta, hashes)
             VALUES (?1, 'rig1', 'd', ?1, ?2, 10000, ?3, 9, 1, 0, 0, 0, 0, 0, 8, 6, 0, 0, 0.0, 6e12, NULL, 0, 1e6)",
        )
        .bind(sequence)
        .bind(1_790_000_040_000 + 10_000 * (sequence / 2))
        .bind(pool)
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::query("INSERT INTO share_rejects (bucket, reason, count) VALUES (?, 'ntime', 2)")
            .bind(sequence)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    sqlx::query("INSERT INTO share_cursors (miner, database_id, ordinal, sequence) VALUES ('rig1', 'd', 1, 13)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let found = store.share_buckets(&name("rig1"), TimeRange::default(), None, 100).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|one| one.bucket).collect();
    assert_eq!(found, (2..14).map(bucket).collect::<Vec<_>>());
    // Collecting goes on, and the sums of before and after are one.
    let mut write = store.write().await.unwrap();
    write.collect(&[(name("rig1"), page(10..16))], now()).await.unwrap();
    write.commit().await.unwrap();
    for resolution in RESOLUTIONS {
        let rows = store.share_series(&points(&["rig1"], resolution, Some(resolution), false), 100).await.unwrap();
        let sums = rows.iter().fold((0, 0), |sum, row| (sum.0 + row.covered_ms, sum.1 + row.accepted));
        assert_eq!(sums, (7 * 10_000, 14 * 6));
    }
}
