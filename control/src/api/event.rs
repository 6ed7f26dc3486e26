//! Events, read and followed.

use super::{Answers, Parts, bad_token, miner_name, page_size, refuse, storage, watch};
use crate::{
    access::{Caller, Permission},
    event::{Event, KeptEvent},
    registry::Registry,
    store::Store,
};
use mujina_core::id::MinerName;
use mujina_proto::{
    control::v1::{self, event_service_server::EventService},
    convert::timestamp,
};
use std::time::Duration;
use tokio::{
    sync::watch::Receiver,
    time::{Instant, timeout_at},
};
use tonic::{Request, Response, Status};

/// Events that are read at once: all that a stream holds.
const PAGE: usize = 200;
/// How often a reader is told where to begin again while all that happens is not for it: a place of long ago would be one with
/// a gap.
const BOOKMARK: Duration = Duration::from_secs(10);

pub(super) struct Service(pub(super) Parts);

#[tonic::async_trait]
impl EventService for Service {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let eyes = Eyes { caller: Caller::of(&request)?, registry: self.0.registry.clone() };
        let v1::ListEventsRequest { miner, page_size: asked, page_token } = request.into_inner();
        let miner = one_miner(&miner)?;
        let most = page_size(asked, 100, 1000);
        // The token is the number of the last event of the page before.
        let mut before = match page_token.as_str() {
            "" => None,
            token => Some(token.parse::<u64>().map_err(|_| refuse(bad_token()))?),
        };
        let mut found = Vec::new();
        while found.len() <= most {
            let page = self.0.store.events_before(before, miner.as_ref(), PAGE).await;
            let page = page.map_err(|error| storage(&error))?;
            let Some(last) = page.last() else { break };
            before = Some(last.sequence);
            found.extend(page.into_iter().filter(|kept| eyes.see(&kept.event)));
        }
        let has_more = found.len() > most;
        found.truncate(most);
        let next_page_token = found.last().filter(|_| has_more).map(|last| last.sequence.to_string());
        Ok(Response::new(v1::ListEventsResponse {
            events: found.into_iter().map(message).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    type WatchEventsStream = Answers<v1::WatchEventsResponse>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let eyes = Eyes { caller: Caller::of(&request)?, registry: self.0.registry.clone() };
        let v1::WatchEventsRequest { after_sequence, miner } = request.into_inner();
        let miner = one_miner(&miner)?;
        let mut newest = self.0.events.newest();
        let now = *newest.borrow_and_update();
        // A number of another database, or of one that was restored since.
        let is_strange = after_sequence > now;
        let after = if after_sequence == 0 || is_strange { now } else { after_sequence };
        let store = self.0.store.clone();
        // The first message comes at once.
        let bookmark_at = Some(Instant::now());
        let following = Following { store, newest, eyes, miner, after, gap: is_strange, bookmark_at };
        let next = |following: Following| async move { following.next().await };
        Ok(Response::new(watch(self.0.cancel.clone(), following, next)))
    }
}

/// Who looks, and what there is to be seen.
struct Eyes {
    caller: Caller,
    registry: Registry,
}

impl Eyes {
    /// Events of miners that are gone, or of none, are for those who see every miner.
    fn see(&self, event: &Event) -> bool {
        match event.miner.as_ref().and_then(|name| self.registry.get(name)) {
            Some(miner) => self.caller.sees(&miner.labels()),
            None => self.caller.may(Permission::Read, None).is_ok(),
        }
    }
}

/// Where a reader is.
struct Following {
    store: Store,
    newest: Receiver<u64>,
    eyes: Eyes,
    miner: Option<MinerName>,
    after: u64,
    gap: bool,
    /// When it is told where it is, although nothing was for it; `None` = it knows.
    bookmark_at: Option<Instant>,
}

impl Following {
    /// The next message; the first comes at once, with where to begin again.
    async fn next(mut self) -> Option<(Result<v1::WatchEventsResponse, Status>, Self)> {
        loop {
            self.newest.borrow_and_update();
            let page = match self.store.events_after(self.after, PAGE).await {
                Ok(page) => page,
                Err(error) => return Some((Err(storage(&error).into()), self)),
            };
            let is_empty = page.is_empty();
            if let Some(message) = self.take(page, Instant::now()) {
                return Some((Ok(message), self));
            }
            if is_empty {
                match self.bookmark_at {
                    // Late is the time for a bookmark.
                    Some(at) => timeout_at(at, self.newest.changed()).await.unwrap_or(Ok(())).ok()?,
                    None => self.newest.changed().await.ok()?,
                }
            }
        }
    }

    /// Takes the events after those before; what the reader is told now.
    fn take(&mut self, page: Vec<KeptEvent>, now: Instant) -> Option<v1::WatchEventsResponse> {
        let mut events = Vec::new();
        for kept in page {
            self.gap |= kept.sequence > self.after.saturating_add(1);
            self.after = kept.sequence;
            let is_meant = self.miner.is_none() || kept.event.miner == self.miner;
            if is_meant && self.eyes.see(&kept.event) {
                events.push(message(kept));
            } else {
                self.bookmark_at.get_or_insert(now + BOOKMARK);
            }
        }
        if events.is_empty() && self.bookmark_at.is_none_or(|at| now < at) {
            return None;
        }
        self.bookmark_at = None;
        let gap = std::mem::take(&mut self.gap);
        Some(v1::WatchEventsResponse { events, resume_sequence: self.after, gap })
    }
}

fn one_miner(name: &str) -> Result<Option<MinerName>, Status> {
    if name.is_empty() { Ok(None) } else { miner_name("miner", name).map(Some).map_err(refuse) }
}

fn message(kept: KeptEvent) -> v1::Event {
    let KeptEvent { sequence, event: Event { at, kind, miner, subject, message } } = kept;
    v1::Event {
        sequence,
        at: Some(timestamp(at)),
        kind,
        miner: miner.map(|miner| miner.to_string()).unwrap_or_default(),
        subject,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, time::UNIX_EPOCH};
    use tokio::sync::watch;

    fn events(miner: &str, sequences: std::ops::RangeInclusive<u64>) -> Vec<KeptEvent> {
        let event = Event {
            at: UNIX_EPOCH,
            kind: "OVERRIDDEN".into(),
            miner: Some(miner.parse().unwrap()),
            subject: String::new(),
            message: "x".into(),
        };
        sequences.map(|sequence| KeptEvent { sequence, event: event.clone() }).collect()
    }

    #[tokio::test]
    async fn reader_of_one_miner_is_told_where_to_begin_again_while_only_others_have_events() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(folder.path()).await.unwrap();
        let registry = Registry::new(&BTreeMap::new(), Vec::new()).unwrap();
        let eyes = Eyes { caller: Caller::itself("a test", "TEST"), registry };
        let (_told, newest) = watch::channel(0);
        let (miner, begun) = (Some("rig1".parse().unwrap()), Instant::now());
        let mut following =
            Following { store: store.clone(), newest, eyes, miner, after: 0, gap: false, bookmark_at: Some(begun) };
        assert_eq!(following.take(Vec::new(), begun).unwrap().resume_sequence, 0, "at once");
        assert_eq!(following.take(events("rig2", 1..=200), begun), None);
        assert_eq!(following.take(events("rig2", 201..=205), begun + BOOKMARK / 2), None);
        let bookmark = following.take(Vec::new(), begun + BOOKMARK).unwrap();
        assert_eq!((bookmark.events.len(), bookmark.resume_sequence, bookmark.gap), (0, 205, false));
        assert_eq!(following.take(Vec::new(), begun + 10 * BOOKMARK), None, "it knows where it is");
        let told = following.take(events("rig1", 207..=207), begun + 10 * BOOKMARK).unwrap();
        assert_eq!((told.events.len(), told.resume_sequence, told.gap), (1, 207, true));
        store.close().await;
    }
}
