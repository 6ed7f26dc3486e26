//! How work reaches threads, and how they stop.

use super::*;

#[tokio::test(start_paused = true)]
async fn late_thread_gets_a_slot_of_its_own() {
    let world = World::new();
    let mut early = world.thread(0).await;
    let (_queue, _) = world.live(A, 8).await;
    let first = early.start(None).await;
    let mut late = world.thread(1).await;
    let second = late.start(None).await;
    assert_ne!(first.slot.index(), second.slot.index());
    let mut seen = HashSet::new();
    for _ in 0..200 {
        assert!(seen.insert(early.find(&first).extranonce));
        assert!(seen.insert(late.find(&second).extranonce));
    }
    let snapshot = world.until(|snapshot| snapshot.threads.iter().all(|one| one.state == ThreadState::Hashing)).await;
    let slots: Vec<_> = snapshot.threads.iter().map(|thread| thread.slot).collect();
    assert_eq!(slots, [Some(first.slot.index()), Some(second.slot.index())]);
    let hashes = early.searched + late.searched;
    let snapshot = world.until(|snapshot| snapshot.miner.hashes == u64::from(hashes)).await;
    assert_eq!(snapshot.threads[0].scope.hashes, u64::from(early.searched));
    assert_eq!(snapshot.connections[&A].hashes, u64::from(hashes));
}

#[tokio::test(start_paused = true)]
async fn thread_that_never_looks_does_not_keep_work_from_another() {
    let world = World::new();
    let (mut slow, mut quick) = (world.thread(0).await, world.thread(1).await);
    let (_queue, mut job) = world.live(A, 8).await;
    quick.start(None).await;
    for _ in 0..300 {
        job = world.job(on_next_tip(&job)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(quick.start(Some(Duration::ZERO)).await.job.handle, job.handle);
    }
    let Assignment::Work(work) = slow.next().await else { panic!("no work") };
    assert_eq!(work.job.handle, job.handle, "only the newest waits for it");
}

#[tokio::test(start_paused = true)]
async fn flood_of_jobs_costs_few_dispatches() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_queue, mut job) = world.live(A, 8).await;
    let before = thread.start(None).await.generation;
    let began = now().at;
    for round in 0..5000_u32 {
        job = world.job(if round % 7 == 0 { on_next_tip(&job) } else { refreshed(&job) }).await;
        if round % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut work = thread.start(None).await;
    while work.job.handle != job.handle {
        work = thread.start(None).await;
    }
    let allowed = 20.0 + 20.0 * (now().at - began).as_secs_f64();
    assert!((work.generation - before) as f64 <= allowed + 2.0, "{} dispatches", work.generation - before);
}

#[tokio::test(start_paused = true)]
async fn job_on_another_tip_is_dispatched_before_what_waits_behind_it() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_queue, job) = world.live(A, 8).await;
    thread.start(None).await;
    // All of this is queued before the scheduler runs again.
    let next = world.job(on_next_tip(&job)).await;
    world.job(refreshed(&next)).await;
    let last = world.job(refreshed(&next)).await;
    let work = thread.start(None).await;
    assert_eq!((work.job.handle, work.generation), (last.handle, 3), "one dispatch for the tip, one for the refreshes");
}

#[tokio::test(start_paused = true)]
async fn pause_answers_when_the_last_thread_has_stopped() {
    let world = World::new();
    let (mut one, mut two) = (world.thread(0).await, world.thread(1).await);
    let (_queue, job) = world.live(A, 8).await;
    let generation = one.start(None).await.generation;
    two.start(None).await;
    let (reply, mut answer) = oneshot::channel();
    world.tell(Command::SetPaused { paused: true, reply }).await;
    one.told_to_idle().await;
    two.told_to_idle().await;
    one.say(ThreadEvent::Idle { thread: one.index, generation }).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(answer.try_recv().is_err(), "the second thread has not stopped yet");
    let snapshot = world.until(|snapshot| snapshot.paused).await;
    assert!(snapshot.hashing);
    two.say(ThreadEvent::Idle { thread: two.index, generation }).await;
    answer.await.unwrap();
    world.until(|snapshot| !snapshot.hashing).await;

    // Jobs that come meanwhile wake nobody.
    let newer = world.job(on_next_tip(&job)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!one.reader.has_news() && !two.reader.has_news());
    world.handle.resume().await.unwrap();
    assert_eq!(one.start(None).await.job.handle, newer.handle);
    assert_eq!(two.start(None).await.job.handle, newer.handle);
    let snapshot = world.until(|snapshot| snapshot.hashing && !snapshot.paused).await;
    assert_eq!(snapshot.live, Some(A));
}

#[tokio::test(start_paused = true)]
async fn pause_does_not_wait_for_ever() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_queue, _) = world.live(A, 8).await;
    thread.start(None).await;
    let began = now().at;
    world.handle.pause().await.unwrap();
    assert_eq!((now().at - began).as_secs(), 2);
    let without_threads = World::new();
    let began = now().at;
    without_threads.handle.pause().await.unwrap();
    assert!(now().at - began < Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn activation_moves_all_threads_and_reports_the_longest_gap() {
    let world = World::new();
    let (mut one, mut two) = (world.thread(0).await, world.thread(1).await);
    let (mut old, _) = world.live(A, 8).await;
    let last = one.start(None).await;
    two.start(None).await;
    let _queue = world.connection(B, 8).await;
    let job = world.job(job_of(B)).await;
    let moving = world.activate(B).await;
    // Nonces of the old connection still go to it.
    one.report(&last).await;
    for (thread, micros) in [(&mut one, 70), (&mut two, 400)] {
        let work = thread.start(Some(Duration::from_micros(micros))).await;
        assert_eq!(work.job.handle, job.handle);
    }
    let report = moving.await.unwrap();
    assert_eq!(report, SwitchReport { work_gap: Duration::from_micros(400), threads: 2, late: 0 });
    assert_eq!(old.recv().await.unwrap().job, last.job.handle);
    world.until(|snapshot| snapshot.live == Some(B)).await;
}

#[tokio::test(start_paused = true)]
async fn thread_that_does_not_move_is_late() {
    let world = World::new();
    let (mut one, _deaf) = (world.thread(0).await, world.thread(1).await);
    let (_old, _) = world.live(A, 8).await;
    one.start(None).await;
    let _queue = world.connection(B, 8).await;
    world.job(job_of(B)).await;
    let moving = world.activate(B).await;
    one.start(Some(Duration::ZERO)).await;
    let report = moving.await.unwrap();
    assert_eq!(report, SwitchReport { work_gap: Duration::from_secs(2), threads: 1, late: 1 });
}

#[tokio::test(start_paused = true)]
async fn connection_without_a_job_becomes_live_with_its_first() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_old, job) = world.live(A, 8).await;
    thread.start(None).await;
    let _queue = world.connection(B, 8).await;
    let mut moving = world.activate(B).await;
    // The old one goes on meanwhile.
    let refresh = world.job(refreshed(&job)).await;
    assert_eq!(thread.start(None).await.job.handle, refresh.handle);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(moving.try_recv().is_err());
    let first = world.job(job_of(B)).await;
    assert_eq!(thread.start(Some(Duration::from_micros(9))).await.job.handle, first.handle);
    assert_eq!(moving.await.unwrap(), SwitchReport { work_gap: Duration::from_micros(9), threads: 1, late: 0 });
}

#[tokio::test(start_paused = true)]
async fn activation_that_cannot_be_is_answered() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    assert_eq!(world.activate(ConnectionId(9)).await.await.unwrap(), SwitchReport::default());
    let _queue = world.connection(A, 8).await;
    let waiting = world.activate(A).await;
    world.tell(Command::End { connection: A }).await;
    assert_eq!(waiting.await.unwrap(), SwitchReport::default());
    // A paused miner has no threads to move, but the connection is live when it resumes.
    let _queue = world.connection(B, 8).await;
    let job = world.job(job_of(B)).await;
    world.handle.pause().await.unwrap();
    assert_eq!(world.activate(B).await.await.unwrap(), SwitchReport::default());
    world.handle.resume().await.unwrap();
    assert_eq!(thread.start(None).await.job.handle, job.handle);
}

#[tokio::test(start_paused = true)]
async fn threads_idle_at_once_when_jobs_are_void_or_the_connection_is_over() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_queue, job) = world.live(A, 8).await;
    thread.start(None).await;
    world.tell(Command::Clear { connection: A }).await;
    thread.told_to_idle().await;
    let next = world.job(on_next_tip(&job)).await;
    assert_eq!(thread.start(None).await.job.handle, next.handle);
    world.tell(Command::End { connection: A }).await;
    thread.told_to_idle().await;
    world.until(|snapshot| snapshot.live.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn dead_thread_frees_its_slot_and_the_others_hash_on() {
    let world = World::new();
    let (mut dies, mut lives) = (world.thread(0).await, world.thread(1).await);
    let (_queue, job) = world.live(A, 8).await;
    let slot = Arc::clone(&dies.start(None).await.slot);
    lives.start(None).await;
    let used = slot.next(job.fingerprint(), job.min_ntime).unwrap();
    dies.say(ThreadEvent::Ended { thread: dies.index, failure: Some("chip fell off".into()) }).await;
    let snapshot = world.until(|snapshot| snapshot.threads[0].state == ThreadState::Dead).await;
    assert_eq!((snapshot.threads[0].failure.as_deref(), snapshot.threads[0].slot), (Some("chip fell off"), None));
    assert!(snapshot.hashing);
    let newer = world.job(refreshed(&job)).await;
    assert_eq!(lives.start(None).await.job.handle, newer.handle);
    let mut heir = world.thread(2).await;
    let work = heir.start(None).await;
    assert_eq!(work.slot.index(), slot.index());
    assert_ne!(work.slot.next(job.fingerprint(), job.min_ntime).unwrap(), used);
    // A dead thread keeps nobody waiting.
    let stop = async {
        for thread in [&mut lives, &mut heir] {
            thread.told_to_idle().await;
            thread.say(ThreadEvent::Idle { thread: thread.index, generation: work.generation }).await;
        }
        now().at
    };
    let (paused, stopped_at) = tokio::join!(world.handle.pause(), stop);
    paused.unwrap();
    assert!(now().at - stopped_at < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn stop_answers_when_all_threads_have_ended() {
    let world = World::new();
    let (mut one, mut two) = (world.thread(0).await, world.thread(1).await);
    let (_queue, _) = world.live(A, 8).await;
    one.start(None).await;
    two.start(None).await;
    let (reply, mut answer) = oneshot::channel();
    world.tell(Command::Stop { reply }).await;
    for thread in [&mut one, &mut two] {
        assert!(answer.try_recv().is_err());
        assert!(matches!(thread.next().await, Assignment::Stop));
        thread.say(ThreadEvent::Ended { thread: thread.index, failure: None }).await;
    }
    answer.await.unwrap();
    let last = world.finish().await;
    assert!(last.threads.iter().all(|thread| thread.state == ThreadState::Dead && thread.failure.is_none()));
}

#[tokio::test(start_paused = true)]
async fn used_up_thread_gets_its_work_again_when_time_has_moved() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_queue, job) = world.live(A, 8).await;
    let work = thread.start(None).await;
    thread.say(ThreadEvent::Exhausted { thread: thread.index, generation: work.generation }).await;
    world.until(|snapshot| !snapshot.hashing).await;
    let again = thread.start(None).await;
    assert_eq!(again.job.handle, job.handle);
    assert!(again.generation > work.generation);
}

#[tokio::test(start_paused = true)]
async fn job_that_is_too_old_is_hashed_no_more() {
    let world = World::new();
    let mut thread = world.thread(0).await;
    let (_queue, job) = world.live(A, 8).await;
    thread.start(None).await;
    tokio::time::sleep(Duration::from_secs(6599)).await;
    assert!(!thread.reader.has_news());
    thread.told_to_idle().await;
    let fresh = world.job(Job { received_at: now().at, ..refreshed(&job) }).await;
    assert_eq!(thread.start(None).await.job.handle, fresh.handle);
}

#[tokio::test(start_paused = true)]
async fn pools_are_told_the_nominal_rate_until_the_measured_one_is_known() {
    let world = World::new();
    let mut told = world.handle.hash_rate();
    assert_eq!(*told.borrow(), None);
    let mut thread = world.thread_of(0, HashRate::from_hashes_per_second(256.0)).await;
    told.wait_for(|rate| *rate == Some(HashRate::from_hashes_per_second(256.0))).await.unwrap();
    // Shares are rare, so the ticket target is easier: four nonces a second at the nominal rate.
    let _queue = world.connection(A, 8).await;
    world.job(Job { share_target: ShareTarget::from_expected_hashes(1e12), ..job_of(A) }).await;
    let _moving = world.activate(A).await;
    let mut work = thread.start(None).await;
    assert!((work.ticket_target.expected_hashes() / 64.0 - 1.0).abs() < 1e-9);
    // In truth it is five times as fast.
    let mut random = StdRng::seed_from_u64(3);
    let mut changes = Vec::new();
    let began = now().at;
    while now().at - began < Duration::from_secs(100) {
        let hashes = -(1.0 - random.random::<f64>()).ln() * work.ticket_target.expected_hashes();
        tokio::time::sleep(Duration::from_secs_f64(hashes / 1280.0)).await;
        if thread.reader.has_news() {
            work = thread.start(Some(Duration::ZERO)).await;
        }
        thread.report(&work).await;
        if told.has_changed().unwrap() {
            changes.push((now().at - began, told.borrow_and_update().unwrap().hashes_per_second()));
        }
    }
    let asked = work.ticket_target.expected_hashes();
    assert!((128.0..=800.0).contains(&asked), "the ticket follows the measured rate: {asked}");
    assert!((1..=3).contains(&changes.len()), "{changes:?}");
    assert!(changes.iter().all(|(at, rate)| at.as_secs() >= 9 && (rate / 1280.0 - 1.0).abs() < 0.3), "{changes:?}");
    let totals = world.until_totals(|totals| totals.below_target > 100).await;
    assert_eq!((totals.hardware_error, totals.submitted), (0, 0));
}
