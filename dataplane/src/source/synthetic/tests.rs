//! The connection of invented work, with the test as source, scheduler and miner.

use super::*;
use crate::{
    job::{extranonce::Extranonce, header},
    pool::Verdict,
};
use mujina_core::{id::ShareId, share::RejectReason};

struct Rig {
    rate: watch::Sender<Option<HashRate>>,
    shares: Option<mpsc::Sender<ShareSubmission>>,
    events: mpsc::Receiver<(ConnectionId, ConnectionEvent)>,
    close: CancellationToken,
    abort: CancellationToken,
    task: tokio::task::JoinSet<()>,
}

fn rig(rate: Option<HashRate>) -> Rig {
    let (rate, hash_rate) = watch::channel(rate);
    let (shares, share_queue) = mpsc::channel(16);
    let (sender, events) = mpsc::channel(16);
    let (close, abort) = (CancellationToken::new(), CancellationToken::new());
    let plan = SyntheticPlan {
        id: ConnectionId(3),
        work: SyntheticWork::default(),
        hash_rate,
        shares: share_queue,
        events: sender,
        close: close.clone(),
        abort: abort.clone(),
    };
    let mut task = tokio::task::JoinSet::new();
    task.spawn(run(plan));
    Rig { rate, shares: Some(shares), events, close, abort, task }
}

impl Rig {
    async fn next(&mut self) -> ConnectionEvent {
        let (id, event) = self.events.recv().await.expect("an event");
        assert_eq!(id, ConnectionId(3));
        event
    }

    async fn next_job(&mut self) -> Arc<Job> {
        loop {
            if let ConnectionEvent::Job(job) = self.next().await {
                return job;
            }
        }
    }

    async fn submit(&self, id: u64, job: &Job, nonce: u32) {
        let share = ShareSubmission {
            id: ShareId(id),
            job: job.handle,
            extranonce: extranonce(),
            ntime: job.min_ntime,
            nonce,
            version: job.version,
            block: false,
            hash: [0; 32],
            span: tracing::Span::none(),
        };
        self.shares.as_ref().unwrap().send(share).await.unwrap();
    }

    async fn expect_verdict(&mut self, id: u64, wanted: Verdict) {
        assert!(matches!(self.next().await, ConnectionEvent::Sent { share } if share == ShareId(id)));
        let event = self.next().await;
        let ConnectionEvent::Judged { share, verdict, .. } = event else { panic!("{event:?}") };
        assert_eq!((share, verdict), (ShareId(id), wanted));
    }

    async fn expect_end(&mut self) {
        assert!(matches!(self.next().await, ConnectionEvent::Ended { failure: None, .. }));
        assert!(self.events.recv().await.is_none(), "nothing comes after the end");
        self.task.join_next().await.unwrap().unwrap();
    }
}

fn extranonce() -> Extranonce {
    Extranonce::new(&[5; 8]).unwrap()
}

/// A rate at which a share takes some 400 hashes.
fn slow() -> Option<HashRate> {
    Some(HashRate::from_hashes_per_second(100.0))
}

fn solve(job: &Job) -> u32 {
    let meets = |nonce: &u32| {
        let header = header::assemble(job, extranonce().as_bytes(), job.version, job.min_ntime, *nonce);
        job.share_target.is_met_by(header::hash(&header))
    };
    (0..u32::MAX).find(meets).unwrap()
}

#[tokio::test(start_paused = true)]
async fn channel_opens_once_the_rate_is_known_and_jobs_keep_coming() {
    let mut rig = rig(None);
    assert!(tokio::time::timeout(Duration::from_secs(60), rig.events.recv()).await.is_err(), "no rate, no channel");
    rig.rate.send(slow()).unwrap();
    assert!(matches!(rig.next().await, ConnectionEvent::Opened { extranonce_size: 8 }));
    let first = rig.next_job().await;
    let begin = Instant::now();
    let second = rig.next_job().await;
    assert_eq!(begin.elapsed(), Duration::from_secs(30));
    assert!(first.shares_tip_with(&second));
    assert!((first.share_target.expected_hashes() / 400.0 - 1.0).abs() < 1e-6);
}

#[tokio::test(start_paused = true)]
async fn shares_are_judged_by_their_headers() {
    let mut rig = rig(slow());
    let job = rig.next_job().await;
    let nonce = solve(&job);
    rig.submit(1, &job, nonce).await;
    rig.expect_verdict(1, Verdict::Accepted).await;
    rig.submit(2, &job, nonce).await;
    rig.expect_verdict(2, Verdict::Rejected(RejectReason::Duplicate)).await;
    rig.submit(3, &job, nonce.wrapping_sub(1)).await;
    rig.expect_verdict(3, Verdict::Rejected(RejectReason::LowDifficulty)).await;
}

#[tokio::test(start_paused = true)]
async fn told_rate_that_moves_gives_a_job_with_another_target_at_once() {
    let mut rig = rig(slow());
    let first = rig.next_job().await;
    rig.rate.send(Some(HashRate::from_hashes_per_second(120.0))).unwrap();
    rig.rate.send(Some(HashRate::from_hashes_per_second(1000.0))).unwrap();
    let begin = Instant::now();
    let second = rig.next_job().await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert!(second.share_target < first.share_target);
    assert_ne!(second.handle, first.handle);
}

#[tokio::test(start_paused = true)]
async fn closing_judges_what_was_handed_over() {
    let mut rig = rig(slow());
    let job = rig.next_job().await;
    rig.submit(1, &job, solve(&job)).await;
    rig.close.cancel();
    rig.shares = None;
    rig.expect_verdict(1, Verdict::Accepted).await;
    rig.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn aborting_drops_what_was_handed_over() {
    let mut rig = rig(slow());
    let job = rig.next_job().await;
    rig.abort.cancel();
    rig.submit(1, &job, 0).await;
    let event = rig.next().await;
    assert!(matches!(event, ConnectionEvent::NotSent { share: ShareId(1), reason: DropReason::Stale }), "{event:?}");
    rig.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn connection_that_never_opened_ends_too() {
    let mut rig = rig(None);
    rig.close.cancel();
    rig.expect_end().await;
}
