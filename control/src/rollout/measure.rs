//! Counts shares of the miners of a wave and of the untouched rest, once they are collected.

use super::{
    Measurements,
    gate::{Counts, Measured},
};
use crate::{
    registry::{Miner, Reachability, Registry},
    statistics::TimeRange,
    store::{Store, StoreError, StoredBucket},
};
use mujina_core::{
    id::MinerName,
    share::{ShareBucket, ShareTotals},
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// Least span before a wave.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Longest wait for buckets of the end of a soak.
const PATIENCE: Duration = Duration::from_secs(3 * 60);
/// What a miner may take to close a bucket and to write it down: one that had nothing more to give then had it all.
const CLOSING: Duration = Duration::from_secs(10);
/// Buckets that are read at once.
const PAGE: usize = 2000;

/// Counts of both spans; `None` = they are not collected yet. Of miners that went away meanwhile only those that `are_judged`
/// are waited for.
pub(super) async fn measure(
    store: &Store,
    registry: &Registry,
    wave: usize,
    miners: &[MinerName],
    before: SystemTime,
    during: (SystemTime, SystemTime),
    are_judged: impl Fn(&MinerName) -> bool,
) -> Result<Option<Measurements>, StoreError> {
    let (since, until) = during;
    let now = SystemTime::now();
    let is_patient = now < until + PATIENCE;
    let mut counts = BTreeMap::new();
    for name in miners {
        let miner = registry.get(name);
        let is_here = miner.as_ref().is_some_and(|miner| miner.view().reachability == Reachability::Connected);
        // A miner that hands in nothing has no buckets either: that it was asked tells how far its silence is known.
        let asked = miner.and_then(|miner| silent_until(&miner, now));
        let (measured, known) = measure_one(store, name, before, during, asked).await?;
        let was_here = known.is_some_and(|known| known > since);
        let is_whole = known.is_some_and(|known| known >= until);
        if (is_here || was_here && are_judged(name)) && !is_whole && is_patient {
            return Ok(None);
        }
        counts.insert(name.clone(), measured);
    }
    Ok(Some(Measurements { wave, since: Some(since), counts }))
}

/// Up to when a miner is known to have closed no bucket that is not stored.
fn silent_until(miner: &Miner, now: SystemTime) -> Option<SystemTime> {
    now.checked_sub(miner.collected_at()?.elapsed())?.checked_sub(CLOSING)
}

/// Counts of one miner, and up to when all of them are stored.
async fn measure_one(
    store: &Store,
    name: &MinerName,
    before: SystemTime,
    (since, until): (SystemTime, SystemTime),
    asked: Option<SystemTime>,
) -> Result<(Measured, Option<SystemTime>), StoreError> {
    let earlier = HOUR.max(until.duration_since(since).unwrap_or_default());
    let begin = before.checked_sub(earlier).unwrap_or(SystemTime::UNIX_EPOCH);
    let range = TimeRange { begin: None, end: Some(begin) };
    let is_old = !store.share_buckets(name, range, None, 1).await?.is_empty();
    let (mut old, mut new) = (None, Window::new(since, until));
    let (mut after, mut known) = (None, asked);
    loop {
        let range = TimeRange { begin: Some(begin), end: None };
        let page = store.share_buckets(name, range, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.position);
        for StoredBucket { position: _, bucket } in &page {
            let first = || Window::new(first_known(begin, bucket, is_old), before);
            old.get_or_insert_with(first).add(bucket);
            new.add(bucket);
            known = known.max(Some(bucket.begin + bucket.length));
        }
    }
    // Of a miner that was silent all the time before, that is known as well.
    let old = old.or_else(|| is_old.then(|| Window::new(begin, before)));
    let before = old.map(|old| old.counts(known)).unwrap_or_default();
    let is_collected = known.is_some_and(|known| known > since);
    Ok((Measured { before, during: new.counts(known), is_collected }, known))
}

/// Where the time before a wave begins: where the first bucket does, unless the miner was known already and only silent.
fn first_known(begin: SystemTime, first: &ShareBucket, is_old: bool) -> SystemTime {
    if is_old && first.begin >= begin + first.length { begin } else { first.begin }
}

/// A span of time, and what was counted in it. Miners leave out buckets in which nothing happened, so that time counts
/// whether there is a bucket or not. Buckets that lie across an end are left out with their time.
#[derive(Debug)]
struct Window {
    begin: SystemTime,
    end: SystemTime,
    /// Without the buckets across its ends.
    whole: (SystemTime, SystemTime),
    counts: Counts,
}

impl Window {
    fn new(begin: SystemTime, end: SystemTime) -> Self {
        Self { begin, end, whole: (begin, end), counts: Counts::default() }
    }

    fn add(&mut self, bucket: &ShareBucket) {
        let end = bucket.begin + bucket.length;
        if end <= self.begin || bucket.begin >= self.end {
            return;
        }
        let (from, to) = &mut self.whole;
        if bucket.begin < self.begin {
            *from = end.max(*from);
        }
        if end > self.end {
            *to = bucket.begin.min(*to);
        }
        if bucket.begin >= self.begin && end <= self.end {
            let (counts, added) = (&mut self.counts, &bucket.added);
            counts.submitted = counts.submitted.saturating_add(added.submitted);
            counts.submitted_work += added.submitted_work;
            counts.work_variance += variance(added);
            counts.accepted = counts.accepted.saturating_add(added.accepted);
            counts.rejected = counts.rejected.saturating_add(added.rejected.sum());
        }
    }

    /// Of the part that is over and collected.
    fn counts(self, known: Option<SystemTime>) -> Counts {
        let (from, to) = self.whole;
        let to = known.map_or(from, |known| to.min(known));
        Counts { span: to.duration_since(from).unwrap_or_default(), ..self.counts }
    }
}

/// Of the work of a bucket, whose shares are taken to be worth the same.
fn variance(added: &ShareTotals) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no bucket has 2^53 shares")]
    let shares = added.submitted.max(1) as f64;
    added.submitted_work.powi(2) / shares
}

#[cfg(test)]
mod tests;
