//! What becomes of nonces.

use super::*;

async fn next(queue: &mut mpsc::Receiver<ShareSubmission>) -> ShareSubmission {
    tokio::time::timeout(PATIENCE, queue.recv()).await.expect("a share comes").expect("the queue is open")
}

async fn outcome(watch: &mut broadcast::Receiver<Share>) -> (ShareId, ShareOutcome) {
    let share = tokio::time::timeout(PATIENCE, watch.recv()).await.expect("an event comes").expect("no gap");
    (share.id, share.outcome)
}

#[tokio::test(start_paused = true)]
async fn share_goes_its_way_from_nonce_to_verdict() {
    let world = World::new();
    let mut watch = world.handle.watch_shares().unwrap();
    let mut thread = world.thread(0).await;
    let (mut queue, job) = world.live(A, 8).await;
    let work = thread.start(None).await;
    let nonce = thread.report(&work).await;
    let sent = next(&mut queue).await;
    assert_eq!((sent.job, sent.extranonce, sent.nonce), (job.handle, nonce.extranonce, nonce.nonce));
    assert_eq!((sent.version, sent.ntime, sent.block), (nonce.version, nonce.ntime, false));
    let id = sent.id;
    let in_hand = world.until(|snapshot| snapshot.miner.rates[0].shares == 1).await;
    assert_eq!(in_hand.miner.totals.found, 0);
    world.tell(Command::Sent { share: id }).await;
    assert_eq!(outcome(&mut watch).await, (id, ShareOutcome::Pending));
    let totals = world.until_totals(|totals| totals.pending == 1).await;
    assert_eq!((totals.found, totals.submitted, totals.submitted_work), (1, 1, 1.0));
    assert!(totals.best_difficulty.unwrap().as_f64() > 0.0);
    let latency = Duration::from_millis(30);
    world.tell(Command::Judged { share: id, verdict: Verdict::Accepted, latency }).await;
    let accepted = watch.recv().await.unwrap();
    assert_eq!((accepted.outcome, accepted.latency), (ShareOutcome::Accepted, Some(latency)));
    assert_eq!(accepted.hash, header::hash(&accepted.header));
    assert_eq!((accepted.extranonce.as_bytes().len(), &*accepted.job_id), (8, "1"));
    world.tell(Command::Reclassified { share: id, reason: RejectReason::Stale }).await;
    assert_eq!(outcome(&mut watch).await, (id, ShareOutcome::Rejected(RejectReason::Stale)));
    world.tell(Command::Judged { share: id, verdict: Verdict::Accepted, latency }).await;
    let snapshot = world.until(|snapshot| snapshot.unknown_verdicts == 1).await;
    assert_eq!((snapshot.miner.totals.accepted, snapshot.miner.totals.rejected.get(RejectReason::Stale)), (0, 1));
    assert_eq!(snapshot.pools.values().next().unwrap().verdict_latency.p50, Some(latency));
}

#[tokio::test(start_paused = true)]
async fn nonce_of_an_old_tip_is_stale_and_one_of_a_refreshed_job_is_not() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (mut queue, job) = world.live(A, 8).await;
    let old = thread.start(None).await;
    world.job(refreshed(&job)).await;
    thread.start(None).await;
    thread.report(&old).await;
    assert_eq!(next(&mut queue).await.job, job.handle);
    world.job(on_next_tip(&job)).await;
    let current = thread.start(None).await;
    thread.report(&old).await;
    thread.report(&current).await;
    assert_eq!(next(&mut queue).await.job, current.job.handle);
    let totals = world.until_totals(|totals| totals.stale == 1).await;
    assert_eq!((totals.found, totals.submitted), (1, 0));
    // Void jobs are as stale as old ones.
    world.tell(Command::Clear { connection: A }).await;
    thread.report(&current).await;
    world.until_totals(|totals| totals.stale == 2).await;
    assert!(queue.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn tip_change_overtakes_nonces_that_wait() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (mut queue, job) = world.live(A, 8).await;
    let work = thread.start(None).await;
    world.until(|snapshot| snapshot.hashing).await;
    // Queued before the scheduler runs: the nonces first, the tip after them.
    for _ in 0..5 {
        thread.report(&work).await;
    }
    world.job(on_next_tip(&job)).await;
    world.until_totals(|totals| totals.stale == 5).await;
    assert!(queue.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn repeated_nonce_is_sent_once() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (mut queue, _) = world.live(A, 8).await;
    let work = thread.start(None).await;
    let nonce = thread.report(&work).await;
    thread.say(ThreadEvent::Nonce(nonce)).await;
    world.until_totals(|totals| totals.duplicate == 1).await;
    next(&mut queue).await;
    assert!(queue.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn share_without_room_is_suppressed_and_places_are_kept_for_blocks() {
    let world = World::new();
    let mut watch = world.handle.watch_shares().unwrap();
    let mut thread = world.thread(0).await;
    let (mut queue, job) = world.live(A, 16).await;
    let work = thread.start(None).await;
    for _ in 0..20 {
        thread.report(&work).await;
    }
    // Two of the sixteen places are kept for blocks.
    let totals = world.until_totals(|totals| totals.suppressed == 6).await;
    assert_eq!(totals.found, 6);
    let suppressed = ShareOutcome::Dropped(DropReason::Suppressed);
    for number in 15..=20 {
        assert_eq!(outcome(&mut watch).await, (ShareId(number), suppressed));
    }
    world.job(Job { network_target: ShareTarget::MAX, ..refreshed(&job) }).await;
    let work = thread.start(None).await;
    for _ in 0..3 {
        thread.report(&work).await;
    }
    assert_eq!(outcome(&mut watch).await, (ShareId(23), suppressed));
    let mut blocks = 0;
    for _ in 0..16 {
        blocks += u32::from(next(&mut queue).await.block);
    }
    assert_eq!(blocks, 2);
}

#[tokio::test(start_paused = true)]
async fn end_of_a_connection_settles_its_shares() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (mut queue, _) = world.live(A, 8).await;
    let work = thread.start(None).await;
    for _ in 0..3 {
        thread.report(&work).await;
    }
    let ids = [next(&mut queue).await.id, next(&mut queue).await.id, next(&mut queue).await.id];
    world.tell(Command::Sent { share: ids[0] }).await;
    world.tell(Command::Sent { share: ids[1] }).await;
    let latency = Duration::from_secs(1);
    world.tell(Command::Judged { share: ids[0], verdict: Verdict::Accepted, latency }).await;
    // A connection task that panicked leaves one pending and one in hand.
    world.tell(Command::End { connection: A }).await;
    thread.report(&work).await;
    let totals = world.until_totals(|totals| totals.found == 4).await;
    assert_eq!((totals.accepted, totals.lost, totals.stale, totals.pending), (1, 1, 2, 0));
    assert!(queue.recv().await.is_none(), "no more shares come");
    let snapshot = world.finish().await;
    assert_eq!(snapshot.connections[&A].totals, snapshot.miner.totals, "the newest that ended is kept");
}

// L4
#[tokio::test(start_paused = true)]
async fn threads_that_hash_and_find_no_share_raise_an_alarm_once() {
    let (lines, _guard) = crate::log_lines::LogLines::take();
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (mut queue, job) = world.live(A, 8).await;
    let share_target = ShareTarget::from_expected_hashes(1e6);
    let work = thread.start(None).await;
    thread.report(&work).await;
    next(&mut queue).await;
    let job = world.job(Job { share_target, ..refreshed(&job) }).await;
    let work = thread.start(None).await;
    assert_eq!(work.job.handle, job.handle);
    for _ in 0..130 {
        work.slot.add_hashes(1_000_000);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let alarms = lines.all().iter().filter(|line| line.contains("find no share")).count();
    assert_eq!(alarms, 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn share_for_a_connection_that_takes_none_is_stale() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (mut queue, _) = world.live(A, 8).await;
    let work = thread.start(None).await;
    queue.close();
    thread.report(&work).await;
    world.until_totals(|totals| totals.stale == 1).await;
}

#[tokio::test(start_paused = true)]
async fn first_job_lends_its_trace_to_its_shares() {
    use opentelemetry::trace::TracerProvider;
    use tracing_subscriber::layer::SubscriberExt;
    // While a process has but one subscriber, spans that other threads are first to open are disabled for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let world = World::new();
    let mut thread = world.thread(0).await;
    let mut queue = world.connection(A, 8).await;
    let span = tracing::info_span!(parent: None, "pool.connect");
    let trace = crate::trace::trace_id(&span);
    assert!(trace.is_some());
    let job = world.job(Job { origin: crate::trace::TraceParent::of(&span), first: true, ..job_of(A) }).await;
    let _moving = world.activate(A).await;
    let work = thread.start(None).await;
    thread.report(&work).await;
    assert_eq!(crate::trace::trace_id(&next(&mut queue).await.span), trace);
    world.job(refreshed(&job)).await;
    let work = thread.start(None).await;
    thread.report(&work).await;
    let later = crate::trace::trace_id(&next(&mut queue).await.span);
    assert!(later.is_some() && later != trace, "a trace of its own");
}

/// Everything at once, at random, against pools that lose, refuse and forget.
#[tokio::test(start_paused = true)]
async fn every_snapshot_balances_whatever_happens() {
    for seed in 0..8 {
        let mut soak = Soak::new(seed).await;
        for _ in 0..1500 {
            soak.step().await;
        }
        let totals = soak.world.finish().await.miner.totals;
        assert!(totals.found > 300 && totals.submitted > 50, "{totals:?}");
        assert!(totals.stale > 0 && totals.hardware_error > 0 && totals.lost > 0 && totals.accepted > 0, "{totals:?}");
    }
}

struct Soak {
    random: StdRng,
    world: World,
    threads: Vec<(FakeThread, Option<Arc<Work>>)>,
    connections: HashMap<ConnectionId, (mpsc::Receiver<ShareSubmission>, Arc<Job>)>,
    newest: ConnectionId,
    sent: Vec<ShareId>,
}

impl Soak {
    async fn new(seed: u64) -> Self {
        let world = World::new();
        let mut threads = Vec::new();
        for index in 0..4 {
            threads.push((world.thread(index).await, None));
        }
        let random = StdRng::seed_from_u64(seed);
        Self { random, world, threads, connections: HashMap::new(), newest: ConnectionId(0), sent: Vec::new() }
    }

    async fn step(&mut self) {
        let live = self.connections.keys().max().copied();
        let oldest = self.connections.keys().min().copied();
        match (self.random.random_range(0..60), live, oldest) {
            (0, ..) | (_, None, _) => {
                self.newest = self.newest.next();
                let room = self.random.random_range(1..20);
                self.connections.insert(self.newest, self.world.live(self.newest, room).await);
            }
            (1, _, Some(id)) if self.connections.len() > 1 => {
                self.connections.remove(&id);
                self.world.tell(Command::End { connection: id }).await;
            }
            (2..=4, Some(id), _) => self.replace_job(id).await,
            (5, Some(id), _) => self.world.tell(Command::Clear { connection: id }).await,
            (6..=7, ..) => {
                let (reply, _) = oneshot::channel();
                let paused = self.random.random_ratio(1, 4);
                self.world.tell(Command::SetPaused { paused, reply }).await;
            }
            (8..=13, Some(id), _) => self.send(id).await,
            (14..=24, ..) if !self.sent.is_empty() => self.judge().await,
            _ => self.hash().await,
        }
        tokio::time::sleep(Duration::from_millis(self.random.random_range(0..40))).await;
        let snapshot = Arc::clone(&self.world.handle.snapshot().borrow());
        assert!(snapshot.is_balanced());
        assert_sums(&snapshot);
    }

    async fn replace_job(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(&id).unwrap();
        let next = if self.random.random_ratio(1, 3) { on_next_tip } else { refreshed };
        connection.1 = self.world.job(next(&connection.1)).await;
    }

    async fn send(&mut self, id: ConnectionId) {
        let queue = &mut self.connections.get_mut(&id).unwrap().0;
        while let Ok(ShareSubmission { id: share, .. }) = queue.try_recv() {
            if self.random.random_ratio(1, 5) {
                self.world.tell(Command::NotSent { share, reason: DropReason::Stale }).await;
            } else {
                self.world.tell(Command::Sent { share }).await;
                self.sent.push(share);
            }
        }
    }

    async fn judge(&mut self) {
        let share = self.sent.swap_remove(self.random.random_range(0..self.sent.len()));
        let verdict = match self.random.random_range(0..3) {
            0 => Verdict::Accepted,
            1 => Verdict::Rejected(RejectReason::Other),
            _ => Verdict::Lost,
        };
        self.world.tell(Command::Judged { share, verdict, latency: Duration::ZERO }).await;
    }

    async fn hash(&mut self) {
        let at = self.random.random_range(0..self.threads.len());
        let (thread, work) = &mut self.threads[at];
        let index = thread.index;
        match thread.reader.try_take() {
            Some(Assignment::Work(next)) => {
                thread.say(ThreadEvent::Started { thread: index, generation: next.generation, gap: None }).await;
                *work = Some(next);
            }
            Some(_) => thread.say(ThreadEvent::Idle { thread: index, generation: 0 }).await,
            None => {}
        }
        if let Some(work) = work {
            let mut nonce = thread.find(work);
            if self.random.random_ratio(1, 10) {
                nonce.version ^= 1;
            }
            thread.say(ThreadEvent::Nonce(nonce)).await;
        }
    }
}
