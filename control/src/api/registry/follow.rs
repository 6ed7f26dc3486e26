//! Following miners: a snapshot, then what changed, with tokens to begin again from.
//!
//! A reader costs one message at a time, whatever it does: nothing is made before it is taken, no message holds more than a
//! page, and what happened meanwhile is told in as few as that allows. A reader that takes nothing costs nothing.

use super::message::{How, message};
use crate::{
    access::Caller,
    api::resume::{Resume, resume_token},
    registry::{Matching, Miner, News, Registry},
};
use mujina_core::id::MinerName;
use mujina_proto::{control::v1, failure::Failure};
use prost::Message;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

/// Bytes of miners at which a message is full: a big miner more still fits into the 4 MiB that readers take by default.
const PAGE: usize = 256 * 1024;
/// Changes that are looked at together.
const LOOK: usize = 1000;
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
    pub(super) place: Place,
    /// It asked to begin where that is not possible.
    gap: bool,
    /// When it looked for changes last; `None` = there was more than it was told.
    looked_at: Option<Instant>,
    /// When it was told something last.
    told_at: Instant,
    /// The revision that it was told last.
    told: u64,
}

/// What a reader knows.
pub(super) enum Place {
    /// Nothing.
    Outside,
    /// The miners up to this name, none of them older than this revision.
    Within(u64, MinerName),
    /// Everything up to this revision.
    At(u64),
}

impl Following {
    pub(super) fn begin(registry: Registry, caller: Caller, request: v1::WatchMinersRequest) -> Result<Self, Failure> {
        let how = How::from(request.view());
        let v1::WatchMinersRequest { selector, resume_token, view: _ } = request;
        let matching = Matching::parse(&selector, "")?;
        let (place, told, gap) = match Resume::parse(registry.instance(), &resume_token)? {
            Resume::Anew => (Place::Outside, 0, false),
            Resume::After(at) if registry.since(at, 0).is_some() => (Place::At(at), at, false),
            Resume::After(_) | Resume::Elsewhere => (Place::Outside, 0, true),
        };
        let changes = registry.changes();
        let now = Instant::now();
        Ok(Self { registry, caller, matching, how, changes, place, gap, looked_at: Some(now), told_at: now, told })
    }

    /// The next message; `None` = the registry is gone.
    pub(super) async fn next(mut self) -> Option<(v1::WatchMinersResponse, Self)> {
        loop {
            let Place::At(seen) = self.place else {
                let page = self.snapshot();
                return Some((page, self));
            };
            if *self.changes.borrow_and_update() <= seen {
                if self.told >= seen {
                    self.changes.changed().await.ok()?;
                } else if let Ok(changed) = timeout_at(self.told_at + BOOKMARK, self.changes.changed()).await {
                    changed.ok()?;
                }
            }
            if let Some(looked_at) = self.looked_at {
                sleep_until(looked_at + PACE).await;
            }
            let Some(news) = self.registry.since(seen, LOOK) else {
                (self.place, self.gap) = (Place::Outside, true);
                continue;
            };
            if let Some(answer) = self.changes(news) {
                return Some((answer, self));
            }
        }
    }

    fn note(&mut self, revision: u64) {
        (self.told, self.told_at) = (revision, Instant::now());
    }

    /// The next page of a snapshot.
    fn snapshot(&mut self) -> v1::WatchMinersResponse {
        let (revision, after) = match std::mem::replace(&mut self.place, Place::Outside) {
            Place::Within(revision, last) => (revision, Some(last)),
            // Taken first: what changes while the list is made is told again.
            Place::Outside | Place::At(_) => (self.registry.revision(), None),
        };
        let mut rest = self.matching.after(&self.registry, &self.caller, after);
        let (mut page, mut last) = (Page::default(), None);
        while !page.is_full()
            && let Some(miner) = rest.next()
        {
            page.add(message(&miner, &miner.view(), self.how));
            last = Some(miner.name.clone());
        }
        let more = last.filter(|_| rest.next().is_some());
        drop(rest);
        let (partial, gap) = (more.is_some(), std::mem::take(&mut self.gap));
        self.place = more.map_or(Place::At(revision), |last| Place::Within(revision, last));
        self.note(revision);
        let resume_token = if partial { String::new() } else { self.token(revision) };
        v1::WatchMinersResponse { miners: page.miners, snapshot: true, resume_token, removed: Vec::new(), gap, partial }
    }

    /// Takes what happened, as far as it fits into a message; `None` = there is nothing that this reader must be told now.
    fn changes(&mut self, news: News) -> Option<v1::WatchMinersResponse> {
        let now = SystemTime::now();
        let is_meant = |miner: &Miner| self.caller.sees(&miner.labels()) && self.matching.is_true_of(miner, now);
        let get = |name: &MinerName| self.registry.get(name).filter(|miner| is_meant(miner));
        let News { mut revision, mut is_all, changed, departures } = news;
        let mut page = Page::default();
        let mut changed = changed.into_iter().peekable();
        while let Some((at, name)) = changed.next() {
            if let Some(miner) = get(&name) {
                page.add(message(&miner, &miner.view(), self.how));
            }
            if page.is_full() && changed.peek().is_some() {
                (revision, is_all) = (at, false);
                break;
            }
        }
        let was_meant = |labels: &Arc<_>| self.caller.sees(labels) && self.matching.selects(labels);
        let left = departures.iter().filter(|one| one.revision <= revision && was_meant(&one.labels));
        let left = left.filter(|one| get(&one.miner).is_none());
        let removed: BTreeSet<_> = left.map(|one| one.miner.to_string()).collect();
        self.place = Place::At(revision);
        self.looked_at = is_all.then(Instant::now);
        let is_due = self.told_at.elapsed() >= BOOKMARK && revision > self.told;
        if page.miners.is_empty() && removed.is_empty() && !is_due {
            return None;
        }
        self.note(revision);
        Some(v1::WatchMinersResponse {
            miners: page.miners,
            snapshot: false,
            resume_token: self.token(revision),
            removed: removed.into_iter().collect(),
            gap: false,
            partial: false,
        })
    }

    fn token(&self, revision: u64) -> String {
        resume_token(self.registry.instance(), revision)
    }
}

/// The miners of a message.
#[derive(Default)]
struct Page {
    miners: Vec<v1::Miner>,
    bytes: usize,
}

impl Page {
    fn add(&mut self, miner: v1::Miner) {
        self.bytes += miner.encoded_len();
        self.miners.push(miner);
    }

    fn is_full(&self) -> bool {
        self.bytes >= PAGE
    }
}
