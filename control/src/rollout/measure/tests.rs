use super::*;
use crate::{config::MinerConfig, statistics::BucketPage, store::FolderLock};
use std::time::UNIX_EPOCH;
use tempfile::TempDir;
use tokio::time::Instant;

/// Seconds after a begin that is long ago.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

/// Ten shares in the ten seconds from `begin` on.
fn bucket(begin: u64) -> ShareBucket {
    let added = ShareTotals { found: 10, submitted: 10, accepted: 10, submitted_work: 1e10, ..ShareTotals::default() };
    ShareBucket {
        sequence: begin / 10 + 1,
        begin: at(begin),
        length: Duration::from_secs(10),
        pool: "main".parse().unwrap(),
        added,
        pending_delta: 0,
        hashes: 0.0,
    }
}

struct World {
    store: Store,
    registry: Registry,
    _kept: (TempDir, FolderLock),
}

impl World {
    /// Miner rig1, of which these buckets are stored.
    async fn new(buckets: impl IntoIterator<Item = u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, lock) = Store::open(folder.path()).await.unwrap();
        let config =
            MinerConfig { address: "unix:/nonexistent/mujina.sock".parse().unwrap(), labels: BTreeMap::default() };
        let registry = Registry::new(&[("rig1".parse().unwrap(), config)].into(), Vec::new()).unwrap();
        let buckets: Vec<_> = buckets.into_iter().map(bucket).collect();
        let oldest_sequence = buckets.first().map_or(1, |bucket| bucket.sequence);
        let page = BucketPage { database_id: "d".into(), buckets, oldest_sequence };
        let mut write = store.write().await.unwrap();
        write.collect(&[("rig1".parse().unwrap(), page)], at(5000)).await.unwrap()[0].as_ref().unwrap();
        write.commit().await.unwrap();
        Self { store, registry, _kept: (folder, lock) }
    }

    /// A wave that began after 3600 s, and was watched from 3700 to 4000.
    async fn measured(&self, silent_until: Option<u64>) -> (Measured, Option<SystemTime>) {
        let during = (at(3700), at(4000));
        let name = "rig1".parse().unwrap();
        measure_one(&self.store, &name, at(3600), during, silent_until.map(at)).await.unwrap()
    }
}

fn seconds(counts: &Counts) -> (u64, u64) {
    (counts.span.as_secs(), counts.submitted)
}

#[tokio::test]
async fn time_without_buckets_counts_before_and_during_the_soak() {
    // A bucket a minute, and none after the first of the soak but one when it is over.
    let every_minute = (0..3720).step_by(60).chain([3720, 4020]);
    let (measured, known) = World::new(every_minute).await.measured(None).await;
    assert_eq!((seconds(&measured.before), seconds(&measured.during)), ((3600, 600), (300, 10)));
    assert!(measured.is_collected && known == Some(at(4030)));
}

#[tokio::test]
async fn silent_miner_counts_as_far_as_it_was_asked() {
    let world = World::new((0..3710).step_by(10)).await;
    let (measured, known) = world.measured(Some(4005)).await;
    assert_eq!(seconds(&measured.during), (300, 10));
    assert!(measured.is_collected && known == Some(at(4005)));
    // What is not collected yet is not silence.
    let (measured, known) = world.measured(None).await;
    assert_eq!(seconds(&measured.during), (10, 10));
    assert_eq!(known, Some(at(3710)));
    let world = World::new((0..3690).step_by(10)).await;
    let (measured, _) = world.measured(None).await;
    assert!(!measured.is_collected);
    assert_eq!((seconds(&measured.before), seconds(&measured.during)), ((3600, 3600), (0, 0)));
}

#[tokio::test]
async fn buckets_across_the_ends_are_left_out_with_their_time() {
    let buckets = (5..5000).step_by(10);
    let (measured, _) = World::new(buckets).await.measured(None).await;
    let Counts { submitted_work, work_variance, .. } = measured.during;
    assert!((submitted_work / 290e9 - 1.0).abs() < 1e-9 && (work_variance / 290e18 - 1.0).abs() < 1e-9);
    assert_eq!((seconds(&measured.before), seconds(&measured.during)), ((3590, 3590), (290, 290)));
}

#[tokio::test]
async fn time_before_begins_with_the_first_bucket_that_there_ever_was() {
    let (measured, _) = World::new((3000..5000).step_by(10)).await.measured(None).await;
    assert_eq!(seconds(&measured.before), (600, 600));
    let (measured, _) = World::new([]).await.measured(Some(5000)).await;
    assert_eq!((seconds(&measured.before), seconds(&measured.during)), ((0, 0), (300, 0)));
}

#[tokio::test]
async fn soak_is_counted_once_the_miner_has_no_more_to_give() {
    let world = World::new([]).await;
    let name = "rig1".parse().unwrap();
    let miner = world.registry.get(&name).unwrap();
    miner.collected(Instant::now());
    let now = SystemTime::now();
    let count = async |ago: Duration, is_judged: bool| {
        let until = now - ago;
        let during = (until - Duration::from_secs(60), until);
        let miners = std::slice::from_ref(&name);
        measure(&world.store, &world.registry, 0, miners, during.0, during, |_| is_judged).await.unwrap()
    };
    // A bucket of the end may have been open when it was asked.
    assert_eq!(count(CLOSING / 2, true).await, None);
    let counted = count(CLOSING * 2, true).await.unwrap();
    assert_eq!(seconds(&counted.counts[&name].during), (60, 0));
    // Of the rest, one that went away is counted as far as it was seen.
    let seen = count(CLOSING / 2, false).await.unwrap().counts[&name].during.span;
    assert!(seen > Duration::from_secs(50) && seen < Duration::from_secs(60), "{seen:?}");
}
