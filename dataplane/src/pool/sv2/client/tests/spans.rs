//! Which spans a connection makes, and when it lets go of them.

use super::*;
use std::sync::Mutex;
use tracing::{info_span, span};
use tracing_subscriber::{Layer, Registry, layer::Context, layer::SubscriberExt, registry::LookupSpan};

/// A span and the one above it.
type Names = (String, Option<String>);

/// Notes the names of spans as they close.
#[derive(Clone, Default)]
struct Closed(Arc<Mutex<Vec<Names>>>);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Closed {
    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let parent = span.parent().map(|parent| parent.name().to_owned());
        self.0.lock().expect("nobody panics with it").push((span.name().to_owned(), parent));
    }
}

#[tokio::test]
async fn connect_span_is_over_with_the_first_job_and_has_every_phase() {
    let closed = Closed::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(closed.clone()));
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::with(pool.endpoint(), Limits::default(), info_span!(parent: None, "pool.connect"));
    let mut line = pool.accept().await;
    line.set_up().await;
    line.open(8).await;
    line.give_job(10, 50).await;
    let job = miner.job().await;
    let below = Some("pool.connect".to_owned());
    let mut expected: Vec<_> = ["dns", "tcp", "noise", "setup_connection", "open_channel", "first_job"]
        .map(|name| (name.to_owned(), below.clone()))
        .into();
    expected.push(("pool.connect".into(), None));
    // The span of a job is over when the job is handed on.
    expected.push(("pool.job".into(), None));
    assert_eq!(*closed.0.lock().unwrap(), expected);

    // A share's span gets its verdict and is let go with it.
    let share_span = info_span!(parent: None, "share", verdict = tracing::field::Empty);
    miner.found += 1;
    let share = ShareSubmission {
        id: ShareId(1),
        job: job.handle,
        extranonce: Extranonce::new(&[7; 8]).unwrap(),
        ntime: job.min_ntime,
        nonce: 3,
        version: job.version,
        block: false,
        hash: [0; 32],
        span: share_span,
    };
    miner.shares.send(share).await.unwrap();
    line.hear_share().await;
    line.say(&Incoming::SharesAccepted { channel_id: CHANNEL, last_sequence_number: 1, count: 1, shares_sum: 0 }).await;
    miner.next_that(|event| matches!(event, ConnectionEvent::Judged { .. }).then_some(())).await;
    let names: Vec<_> = closed.0.lock().unwrap().iter().skip(expected.len()).map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["submit", "share"]);
    miner.abort.cancel();
    miner.ended().await;
}

#[tokio::test]
async fn failed_bring_up_lets_go_of_the_connect_span() {
    let closed = Closed::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(closed.clone()));
    let pool = ScriptedPool::listen().await;
    let mut miner = Miner::with(pool.endpoint(), Limits::default(), info_span!(parent: None, "pool.connect"));
    drop(pool.accept().await);
    miner.failed().await;
    let names: Vec<_> = closed.0.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["dns", "tcp", "noise", "setup_connection", "pool.connect"]);
}
