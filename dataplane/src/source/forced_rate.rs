//! Makes shares come at a wanted pace, by changing the share targets of the jobs that a connection passes on.
//!
//! A wrapper over any [`Connector`]; nothing else about a connection changes. The target follows from the told hash rate.
//! It is never easier than the connection's own: what the pool would refuse is not found in the first place, so a pool can
//! only be sent fewer shares than it asked for, never more.

use super::{Connector, Lines};
use crate::{
    job::Job,
    pool::{ConnectionEvent, EVENT_QUEUE},
};
use mujina_core::units::{HashRate, ShareTarget};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The wrapped connector. `share_every` is the mean time between two shares of the whole miner.
#[must_use]
pub fn forced_rate(mut inner: Connector, share_every: Duration) -> Connector {
    Box::new(move |pool, lines| {
        let Lines { id, target, hash_rate, shares, events: outer, close, abort, span } = lines;
        // As wide as the queue it stands in for.
        let (events, mut passing) = mpsc::channel(EVENT_QUEUE);
        let lines = Lines { id, target, hash_rate: hash_rate.clone(), shares, events, close, abort, span };
        let connection = inner(pool, lines);
        let pass_on = async move {
            while let Some((id, event)) = passing.recv().await {
                let rate = *hash_rate.borrow();
                if outer.send((id, slowed(event, rate, share_every))).await.is_err() {
                    return;
                }
            }
        };
        // The queue ends with the connection; what it said last is passed on before.
        Box::pin(async move {
            tokio::join!(connection, pass_on);
        })
    })
}

fn slowed(event: ConnectionEvent, rate: Option<HashRate>, share_every: Duration) -> ConnectionEvent {
    match (event, rate) {
        (ConnectionEvent::Job(job), Some(rate)) => {
            let wanted = ShareTarget::from_expected_hashes(rate.work_over(share_every).hashes());
            if wanted >= job.share_target {
                return ConnectionEvent::Job(job);
            }
            ConnectionEvent::Job(Arc::new(Job { share_target: wanted, ..Arc::unwrap_or_clone(job) }))
        }
        (event, _) => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;
    use mujina_core::id::ConnectionId;
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    /// What comes out of a wrapped connection that gives one job and ends.
    async fn pass(own: ShareTarget, share_every: Duration) -> Arc<Job> {
        let inner: Connector = Box::new(move |_, lines: Lines| {
            Box::pin(async move {
                let job = Arc::new(Job { share_target: own, ..job() });
                lines.events.send((lines.id, ConnectionEvent::Job(job))).await.unwrap();
                let end = ConnectionEvent::Ended { failure: None, redirect: None };
                lines.events.send((lines.id, end)).await.unwrap();
            })
        });
        let (_rate, hash_rate) = watch::channel(Some(HashRate::from_megahashes_per_second(10.0)));
        let (_shares, share_queue) = mpsc::channel(1);
        let (events, mut out) = mpsc::channel(8);
        let lines = Lines {
            target: None,
            id: ConnectionId(1),
            hash_rate,
            shares: share_queue,
            events,
            close: CancellationToken::new(),
            abort: CancellationToken::new(),
            span: tracing::Span::none(),
        };
        forced_rate(inner, share_every)(None, lines).await;
        let Some((ConnectionId(1), ConnectionEvent::Job(job))) = out.recv().await else { panic!("a job first") };
        assert!(matches!(out.recv().await, Some((_, ConnectionEvent::Ended { .. }))));
        assert!(out.recv().await.is_none());
        job
    }

    #[tokio::test]
    async fn target_is_made_harder_to_reach_the_wanted_pace() {
        let job = pass(ShareTarget::from_expected_hashes(1e3), Duration::from_secs(6)).await;
        assert!((job.share_target.expected_hashes() / 60e6 - 1.0).abs() < 1e-6);
    }

    #[tokio::test]
    async fn target_is_never_easier_than_the_pools_own() {
        let own = ShareTarget::from_expected_hashes(1e12);
        assert_eq!(pass(own, Duration::from_secs(1)).await.share_target, own);
    }
}
