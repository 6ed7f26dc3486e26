//! How often a watch of the status tree says something: soon when something has happened, less often when only figures differ.

use mujina_core::status::MinerStatus;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep},
};
use tokio_stream::{Stream, wrappers::WatchStream};

/// Shortest times between two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// When something has happened.
    pub(super) news: Duration,
    /// When only figures differ.
    pub(super) figures: Duration,
}

impl Pace {
    /// When a tree may follow the one that was told.
    fn due(self, told: Option<&(Instant, Arc<MinerStatus>)>, tree: &MinerStatus, now: Instant) -> Instant {
        told.map_or(now, |(at, told)| *at + if tree.tells_news_after(told) { self.news } else { self.figures })
    }
}

/// Trees at a pace: always the newest, whatever came in between; the last of all is told in any case.
pub(super) struct Paced {
    trees: WatchStream<Arc<MinerStatus>>,
    pace: Pace,
    told: Option<(Instant, Arc<MinerStatus>)>,
    next: Option<Arc<MinerStatus>>,
    wait: Pin<Box<Sleep>>,
}

impl Paced {
    pub(super) fn new(trees: watch::Receiver<Arc<MinerStatus>>, pace: Pace) -> Self {
        let (trees, wait) = (WatchStream::new(trees), Box::pin(sleep(Duration::ZERO)));
        Self { trees, pace, told: None, next: None, wait }
    }
}

impl Stream for Paced {
    type Item = Arc<MinerStatus>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let has_ended = loop {
            match Pin::new(&mut this.trees).poll_next(context) {
                Poll::Ready(Some(tree)) => this.next = Some(tree),
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        let Some(tree) = &this.next else { return if has_ended { Poll::Ready(None) } else { Poll::Pending } };
        let now = Instant::now();
        let due = this.pace.due(this.told.as_ref(), tree, now);
        if due > now && !has_ended {
            this.wait.as_mut().reset(due);
            if this.wait.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let tree = this.next.take();
        this.told = tree.clone().map(|tree| (now, tree));
        Poll::Ready(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::{id::Generation, share::ShareTotals, status::MinerState};
    use std::time::UNIX_EPOCH;
    use tokio_stream::StreamExt;

    const PACE: Pace = Pace { news: Duration::from_secs(1), figures: Duration::from_secs(10) };

    fn tree() -> MinerStatus {
        MinerStatus {
            miner_id: "miner".parse().unwrap(),
            name: "rig".into(),
            version: String::new(),
            boot_id: String::new(),
            started_at: UNIX_EPOCH,
            observed_at: UNIX_EPOCH,
            state: MinerState::Mining,
            state_reason: String::new(),
            state_since: UNIX_EPOCH,
            generation: Generation(1),
            observed_generation: Generation(1),
            live_pool: None,
            pools: Vec::new(),
            boards: Vec::new(),
            totals: ShareTotals::default(),
            rates: Vec::new(),
            nominal_hash_rate: None,
            faults: Vec::new(),
            pool_pin: None,
        }
    }

    /// Seconds after `begin` at which the next tree comes, its generation and its shares.
    async fn next(trees: &mut Paced, begin: Instant) -> (u64, Generation, u64) {
        let tree = trees.next().await.unwrap();
        (begin.elapsed().as_secs(), tree.generation, tree.totals.found)
    }

    fn figures(trees: &watch::Sender<Arc<MinerStatus>>) {
        trees.send_modify(|tree| Arc::make_mut(tree).totals.found += 1);
    }

    fn news(trees: &watch::Sender<Arc<MinerStatus>>) {
        trees.send_modify(|tree| Arc::make_mut(tree).generation.0 += 1);
    }

    #[tokio::test(start_paused = true)]
    async fn figures_wait_and_news_take_them_along_soon() {
        let sender = watch::Sender::new(Arc::new(tree()));
        let (first, begin) = (sender.borrow().generation, Instant::now());
        let mut trees = Paced::new(sender.subscribe(), PACE);
        assert_eq!(next(&mut trees, begin).await, (0, first, 0));
        figures(&sender);
        figures(&sender);
        assert_eq!(next(&mut trees, begin).await, (10, first, 2));
        figures(&sender);
        let (waiting, said) = (next(&mut trees, begin), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            news(&sender);
        });
        let (told, ()) = tokio::join!(waiting, said);
        assert_eq!(told, (11, Generation(first.0 + 1), 3));
        // What happened and is undone before its time was no news.
        news(&sender);
        sender.send_modify(|tree| Arc::make_mut(tree).generation.0 -= 1);
        assert_eq!(next(&mut trees, begin).await, (21, Generation(first.0 + 1), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn last_tree_is_told_at_once() {
        let sender = watch::Sender::new(Arc::new(tree()));
        let begin = Instant::now();
        let mut trees = Paced::new(sender.subscribe(), PACE);
        next(&mut trees, begin).await;
        figures(&sender);
        drop(sender);
        assert_eq!(next(&mut trees, begin).await.0, 0);
        assert!(trees.next().await.is_none());
    }
}
