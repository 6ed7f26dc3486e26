//! Following miners: a snapshot, then what changed, each message with a token to begin again from.
//!
//! A reader costs one message at a time, whatever it does: nothing is made before it is taken, and what happened meanwhile
//! is told in one. A reader that takes nothing costs nothing.

use super::message::{How, message};
use crate::{
    access::Caller,
    registry::{Matching, Miner, News, Registry},
};
use mujina_proto::{control::v1, failure::Failure};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

/// Least time between two looks: miners tell of themselves once a second each.
const PACE: Duration = Duration::from_millis(100);
/// How often a reader that is told nothing gets a new token, while others change.
const BOOKMARK: Duration = Duration::from_secs(10);

/// A reader, between two messages.
pub(super) struct Following {
    registry: Registry,
    caller: Caller,
    matching: Matching,
    how: How,
    changes: watch::Receiver<u64>,
    /// Up to here it knows everything; `None` = it knows nothing.
    seen: Option<u64>,
    /// It asked to begin where that is not possible.
    gap: bool,
    /// When it looked for changes last.
    looked_at: Instant,
    /// When it was told something last.
    told_at: Instant,
    /// The revision that it was told last.
    told: u64,
}

impl Following {
    pub(super) fn begin(registry: Registry, caller: Caller, request: v1::WatchMinersRequest) -> Result<Self, Failure> {
        let how = How::from(request.view());
        let v1::WatchMinersRequest { selector, resume_token, view: _ } = request;
        let matching = Matching::parse(&selector, "")?;
        let seen = resumed(&registry, &resume_token)?;
        let gap = !resume_token.is_empty() && seen.is_none();
        let changes = registry.changes();
        let now = Instant::now();
        let told = seen.unwrap_or_default();
        Ok(Self { registry, caller, matching, how, changes, seen, gap, looked_at: now, told_at: now, told })
    }

    /// The next message; `None` = the registry is gone.
    pub(super) async fn next(mut self) -> Option<(v1::WatchMinersResponse, Self)> {
        loop {
            let Some(seen) = self.seen else {
                let snapshot = self.snapshot();
                return Some((snapshot, self));
            };
            if *self.changes.borrow_and_update() <= seen {
                if self.told >= seen {
                    self.changes.changed().await.ok()?;
                } else if let Ok(changed) = timeout_at(self.told_at + BOOKMARK, self.changes.changed()).await {
                    changed.ok()?;
                }
            }
            sleep_until(self.looked_at + PACE).await;
            self.looked_at = Instant::now();
            let Some(news) = self.registry.since(seen) else {
                (self.seen, self.gap) = (None, true);
                continue;
            };
            self.seen = Some(news.revision);
            if let Some(answer) = self.changes(&news) {
                self.note(news.revision);
                return Some((answer, self));
            }
        }
    }

    fn note(&mut self, revision: u64) {
        (self.told, self.told_at) = (revision, Instant::now());
    }

    fn snapshot(&mut self) -> v1::WatchMinersResponse {
        // Taken first: what changes while the list is made is told again.
        let revision = self.registry.revision();
        let miners = self.matching.of(&self.registry, &self.caller);
        let miners = miners.map(|miner| message(&miner, &miner.view(), self.how)).collect();
        let gap = std::mem::take(&mut self.gap);
        self.seen = Some(revision);
        self.note(revision);
        let resume_token = self.token(revision);
        v1::WatchMinersResponse { miners, snapshot: true, resume_token, removed: Vec::new(), gap }
    }

    /// What of it concerns this reader; `None` = nothing that it must be told now.
    fn changes(&self, news: &News) -> Option<v1::WatchMinersResponse> {
        let now = SystemTime::now();
        let is_meant = |miner: &Miner| self.caller.sees(&miner.labels()) && self.matching.is_true_of(miner, now);
        let get = |name| self.registry.get(name).filter(|miner| is_meant(miner));
        let changed: Vec<Arc<Miner>> = news.changed.iter().filter_map(get).collect();
        let was_meant = |labels| self.caller.sees(labels) && self.matching.selects(labels);
        let left = news.departures.iter().filter(|one| was_meant(&one.labels) && get(&one.miner).is_none());
        let removed: BTreeSet<_> = left.map(|one| one.miner.to_string()).collect();
        let is_due = self.told_at.elapsed() >= BOOKMARK && news.revision > self.told;
        if changed.is_empty() && removed.is_empty() && !is_due {
            return None;
        }
        Some(v1::WatchMinersResponse {
            miners: changed.iter().map(|miner| message(miner, &miner.view(), self.how)).collect(),
            snapshot: false,
            resume_token: self.token(news.revision),
            removed: removed.into_iter().collect(),
            gap: false,
        })
    }

    fn token(&self, revision: u64) -> String {
        format!("{}:{revision}", self.registry.instance())
    }
}

/// Where a token says to begin; `None` = at the beginning, because there is no token or none that can be followed.
fn resumed(registry: &Registry, token: &str) -> Result<Option<u64>, Failure> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = token.split_once(':').and_then(|(instance, at)| Some((instance, at.parse::<u64>().ok()?)));
    let Some((instance, at)) = parts else {
        let reason = "is not one that this service gave; begin without a token";
        return Err(Failure::invalid_field("resume_token", reason));
    };
    Ok((instance == registry.instance() && registry.since(at).is_some()).then_some(at))
}
