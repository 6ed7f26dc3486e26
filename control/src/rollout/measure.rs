//! Counts shares of the miners of a wave and of the untouched rest, once they are collected.

use super::{
    Measurements,
    gate::{Counts, Measured},
};
use crate::{
    registry::{Reachability, Registry},
    statistics::TimeRange,
    store::{Store, StoreError, StoredBucket},
};
use mujina_core::id::MinerName;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

/// Least span before a wave.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Longest wait for buckets of the end of a soak.
const PATIENCE: Duration = Duration::from_secs(3 * 60);
/// Buckets that are read at once.
const PAGE: usize = 2000;

/// Counts of both spans; `None` = they are not collected yet.
pub(super) async fn measure(
    store: &Store,
    registry: &Registry,
    wave: usize,
    miners: &[MinerName],
    before: SystemTime,
    (since, until): (SystemTime, SystemTime),
) -> Result<Option<Measurements>, StoreError> {
    let is_patient = SystemTime::now() < until + PATIENCE;
    let earlier = HOUR.max(until.duration_since(since).unwrap_or_default());
    let begin = before.checked_sub(earlier).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut counts = BTreeMap::new();
    for name in miners {
        let is_here = registry.get(name).is_some_and(|miner| miner.view().reachability == Reachability::Connected);
        // A bucket that begins after the soak says that all of the soak are there.
        let (mut after, mut old, mut new, mut is_whole) = (None, Sum::default(), Sum::default(), false);
        loop {
            let range = TimeRange { begin: Some(begin), end: None };
            let page = store.share_buckets(name, range, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.position);
            for StoredBucket { position: _, bucket } in &page {
                let end = bucket.begin + bucket.length;
                is_whole |= end >= until;
                if end <= before {
                    old.add(bucket);
                } else if bucket.begin >= since && end <= until {
                    new.add(bucket);
                }
            }
        }
        if is_here && !is_whole && is_patient {
            return Ok(None);
        }
        counts.insert(name.clone(), Measured { before: old.counts, during: new.counts });
    }
    Ok(Some(Measurements { wave, since: Some(since), counts }))
}

/// Counts of several buckets; those of several pools over the same time count that time once.
#[derive(Default)]
struct Sum {
    counts: Counts,
    begins: BTreeSet<SystemTime>,
}

impl Sum {
    fn add(&mut self, bucket: &mujina_core::share::ShareBucket) {
        let Self { counts, begins } = self;
        if begins.insert(bucket.begin) {
            counts.span += bucket.length;
        }
        let added = &bucket.added;
        counts.submitted = counts.submitted.saturating_add(added.submitted);
        counts.submitted_work += added.submitted_work;
        counts.accepted = counts.accepted.saturating_add(added.accepted);
        counts.rejected = counts.rejected.saturating_add(added.rejected.sum());
    }
}
