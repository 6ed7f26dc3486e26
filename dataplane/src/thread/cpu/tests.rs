//! One or two CPU threads with the test in the scheduler's place.

use super::*;
use crate::{
    job::{Job, JobHandle, header, merkle, tests::job},
    scheduler::slot::SlotSpace,
    thread::{
        mailbox::{Mailbox, mailbox},
        sha256d::{self, KernelChoice},
    },
};
use mujina_core::units::ShareTarget;
use std::{collections::HashSet, sync::mpsc as std_mpsc};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

struct Rig {
    mailbox: Option<Mailbox>,
    events: std_mpsc::Receiver<ThreadEvent>,
    thread: JoinHandle<()>,
}

/// A thread whose events come without a bound, as if the scheduler were always fast.
fn rig(duty: u64) -> Rig {
    let (sender, mut receiver) = mpsc::channel(64);
    let (forward, events) = std_mpsc::channel();
    std::thread::spawn(move || {
        while let Some(event) = receiver.blocking_recv() {
            if forward.send(event).is_err() {
                return;
            }
        }
    });
    let (mailbox, thread) = start(duty, sender);
    Rig { mailbox: Some(mailbox), events, thread }
}

fn start(duty: u64, events: mpsc::Sender<ThreadEvent>) -> (Mailbox, JoinHandle<()>) {
    let choice = sha256d::choose(KernelChoice::Auto).unwrap();
    start_with(HeaderScanner::new(choice.kernel).unwrap(), duty, events)
}

fn start_with(scanner: HeaderScanner, duty: u64, events: mpsc::Sender<ThreadEvent>) -> (Mailbox, JoinHandle<()>) {
    let choice = sha256d::choose(KernelChoice::Auto).unwrap();
    let (writer, reader) = mailbox();
    let plan = CpuThreadPlan {
        index: ThreadIndex(7),
        id: "cpu-7".parse().unwrap(),
        scanner,
        full_hash_rate: choice.hash_rate,
        duty: DutyPercent::try_from(duty).unwrap(),
        yields: true,
        core: None,
        mailbox: reader,
        events,
    };
    (writer, spawn(plan).unwrap())
}

impl Rig {
    fn give(&self, assignment: Assignment) {
        self.mailbox.as_ref().unwrap().put(assignment);
    }

    fn next(&self) -> ThreadEvent {
        self.events.recv_timeout(DEADLINE).expect("an event in time")
    }

    fn next_nonce(&self) -> Nonce {
        loop {
            if let ThreadEvent::Nonce(nonce) = self.next() {
                return nonce;
            }
        }
    }

    /// Waits for the start of a generation and returns the gap.
    fn started(&self, wanted: u64) -> Option<Duration> {
        loop {
            if let ThreadEvent::Started { generation, gap, .. } = self.next()
                && generation == wanted
            {
                return gap;
            }
        }
    }

    fn stop(self) {
        self.give(Assignment::Stop);
        self.thread.join().unwrap();
        let last = self.events.into_iter().last();
        assert!(matches!(last, Some(ThreadEvent::Ended { failure: None, thread: ThreadIndex(7) })), "{last:?}");
    }
}

fn work(generation: u64, job: Job, slot: u32, hashes_per_share: f64) -> Arc<Work> {
    let slot = SlotSpace::new(job.extranonce_size, [0x5a; 32]).slot(slot);
    let ticket_target = ShareTarget::from_expected_hashes(hashes_per_share);
    Arc::new(Work { generation, job: Arc::new(job), slot, ticket_target })
}

fn header_of(nonce: &Nonce) -> [u8; 80] {
    let root = merkle::root(&nonce.work.job, nonce.extranonce.as_bytes());
    header::with_root(&nonce.work.job, &root, nonce.version, nonce.ntime, nonce.nonce)
}

fn assert_valid(nonce: &Nonce) {
    assert!(nonce.work.ticket_target.is_met_by(header::hash(&header_of(nonce))), "{nonce:?}");
    assert!(nonce.work.job.allows_version(nonce.version), "{nonce:?}");
    let job = &nonce.work.job;
    assert!((job.min_ntime..=job.max_ntime(nonce.found_at)).contains(&nonce.ntime), "{nonce:?}");
}

#[test]
fn thread_finds_nonces_that_check_out_and_differ() {
    let rig = rig(100);
    let work = work(1, job(), 0, 3000.0);
    rig.give(Assignment::Work(Arc::clone(&work)));
    assert!(matches!(rig.next(), ThreadEvent::Started { generation: 1, gap: None, .. }));
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let nonce = rig.next_nonce();
        assert_valid(&nonce);
        assert!(Arc::ptr_eq(&nonce.work, &work));
        assert!(seen.insert(header_of(&nonce)), "{nonce:?} twice");
    }
    rig.stop();
    assert!(work.slot.hashes() > 100 * 3000, "{} hashes for 200 nonces", work.slot.hashes());
}

#[test]
fn new_work_replaces_the_old_and_the_gap_is_told() {
    let rig = rig(100);
    rig.give(Assignment::Work(work(1, job(), 0, 1e4)));
    assert_eq!(rig.started(1), None);
    rig.next_nonce();
    rig.give(Assignment::Work(work(2, job(), 1, 1e4)));
    let gap = rig.started(2).expect("it was hashing before");
    assert!(gap < Duration::from_secs(1), "{gap:?}");
    for _ in 0..20 {
        assert_eq!(rig.next_nonce().work.generation, 2, "after the start of new work nothing comes for the old");
    }
    rig.give(Assignment::Idle);
    rig.give(Assignment::Work(work(3, job(), 1, 1e4)));
    rig.started(3);
    rig.stop();
}

#[test]
fn two_threads_with_two_slots_never_hash_the_same_header() {
    let (a, b) = (rig(100), rig(100));
    let mut space = SlotSpace::new(8, [9; 32]);
    let job = Arc::new(job());
    for (slot, rig) in [(0, &a), (1, &b)] {
        let ticket_target = ShareTarget::from_expected_hashes(2000.0);
        let work = Work { generation: 1, job: Arc::clone(&job), slot: space.slot(slot), ticket_target };
        rig.give(Assignment::Work(Arc::new(work)));
    }
    let mut seen = HashSet::new();
    for _ in 0..150 {
        for rig in [&a, &b] {
            assert!(seen.insert(header_of(&rig.next_nonce())));
        }
    }
    a.stop();
    b.stop();
}

#[test]
fn same_content_under_another_job_is_not_searched_again() {
    let rig = rig(100);
    let first = work(1, job(), 0, 2000.0);
    rig.give(Assignment::Work(Arc::clone(&first)));
    let mut seen: HashSet<_> = (0..100).map(|_| header_of(&rig.next_nonce())).collect();
    let again = Job { handle: JobHandle::fresh(), ..(*first.job).clone() };
    let ticket_target = first.ticket_target;
    let second = Work { generation: 2, job: Arc::new(again), slot: Arc::clone(&first.slot), ticket_target };
    rig.give(Assignment::Work(Arc::new(second)));
    for _ in 0..200 {
        assert!(seen.insert(header_of(&rig.next_nonce())));
    }
    rig.stop();
}

#[test]
fn idle_thread_uses_no_cpu_time_and_resumes() {
    let rig = rig(100);
    rig.give(Assignment::Work(work(5, job(), 0, 1e4)));
    rig.next_nonce();
    rig.give(Assignment::Idle);
    loop {
        if let ThreadEvent::Idle { generation, .. } = rig.next() {
            assert_eq!(generation, 5);
            break;
        }
    }
    let clock = thread_clock(&rig.thread);
    let before = clock();
    std::thread::sleep(Duration::from_millis(300));
    let used = clock() - before;
    assert!(used < Duration::from_millis(3), "idle thread used {used:?}");
    assert!(rig.events.try_recv().is_err(), "nothing is found while idle");

    rig.give(Assignment::Work(work(6, job(), 0, 1e4)));
    assert_eq!(rig.started(6), None, "it was idle before");
    use_cpu(&clock, Duration::from_millis(3));
    rig.stop();
}

/// A clock of the CPU time that a thread has used.
#[expect(unsafe_code, reason = "only pthreads know the clock of another thread")]
fn thread_clock(thread: &JoinHandle<()>) -> impl Fn() -> Duration + use<> {
    use nix::libc;
    use std::os::unix::thread::JoinHandleExt;
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the handle is not joined, so the thread's id is valid; the place for the answer lives.
    assert_eq!(unsafe { libc::pthread_getcpuclockid(thread.as_pthread_t() as libc::pthread_t, &raw mut clock) }, 0);
    move || nix::time::clock_gettime(nix::time::ClockId::from_raw(clock)).unwrap().into()
}

/// Waits until a thread has used so much CPU time, however long a busy machine needs for it. Returns how long that was.
fn use_cpu(clock: &impl Fn() -> Duration, wanted: Duration) -> Duration {
    let (begin, before) = (Instant::now(), clock());
    while clock() - before < wanted {
        assert!(begin.elapsed() < Duration::from_secs(60), "the thread does not work");
        std::thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed()
}

#[test]
fn duty_of_a_quarter_uses_a_quarter_of_the_time_at_most() {
    let rig = rig(25);
    rig.give(Assignment::Work(work(1, job(), 0, 1e5)));
    rig.started(1);
    let clock = thread_clock(&rig.thread);
    // On a busy machine it may get less than its part, never much more.
    let wanted = Duration::from_millis(150);
    let part = wanted.as_secs_f64() / use_cpu(&clock, wanted).as_secs_f64();
    assert!(part < 0.29, "{part}");
    // A rest is interrupted by news.
    rig.give(Assignment::Work(work(2, job(), 0, 1e5)));
    rig.started(2);
    rig.stop();
}

#[test]
fn fixed_version_is_never_rolled() {
    let rig = rig(100);
    let job = Job { version: 0x3fff_e000, version_mask: 0, ..job() };
    rig.give(Assignment::Work(work(1, job, 0, 2000.0)));
    for _ in 0..100 {
        let nonce = rig.next_nonce();
        assert_valid(&nonce);
        assert_eq!(nonce.version, 0x3fff_e000);
    }
    rig.stop();
}

#[test]
fn ntime_follows_the_clock_and_never_runs_ahead() {
    let rig = rig(100);
    let job = job();
    let first = job.min_ntime;
    rig.give(Assignment::Work(work(1, job, 0, 2e4)));
    let mut ntimes = Vec::new();
    let begin = Instant::now();
    while !ntimes.contains(&(first + 1)) {
        let nonce = rig.next_nonce();
        assert_valid(&nonce);
        ntimes.push(nonce.ntime);
        assert!(begin.elapsed() < DEADLINE, "ntime does not move");
    }
    assert!(ntimes.is_sorted() && ntimes.contains(&first));
    rig.stop();
}

#[test]
fn easiest_target_floods_nobody_and_a_harder_one_calms_it() {
    let (sender, mut receiver) = mpsc::channel(4);
    let (mailbox, thread) = start(100, sender);
    let easy = work(1, job(), 0, 1.0);
    mailbox.put(Assignment::Work(Arc::clone(&easy)));
    for _ in 0..2000 {
        if let ThreadEvent::Nonce(nonce) = receiver.blocking_recv().unwrap() {
            assert_valid(&nonce);
        }
    }
    let ticket_target = ShareTarget::from_expected_hashes(1e15);
    let hard = Work { generation: 2, job: Arc::clone(&easy.job), slot: Arc::clone(&easy.slot), ticket_target };
    mailbox.put(Assignment::Work(Arc::new(hard)));
    let mut late = 0;
    while !matches!(receiver.blocking_recv().unwrap(), ThreadEvent::Started { generation: 2, .. }) {
        late += 1;
    }
    assert!(late < 200, "{late} nonces between the harder target and its start");
    mailbox.put(Assignment::Stop);
    assert!(matches!(receiver.blocking_recv(), Some(ThreadEvent::Ended { failure: None, .. })), "no nonce any more");
    thread.join().unwrap();
}

#[test]
fn full_queue_does_not_keep_a_thread_from_stopping() {
    let (sender, mut receiver) = mpsc::channel(1);
    let (mailbox, thread) = start(100, sender);
    mailbox.put(Assignment::Work(work(1, job(), 0, 1.0)));
    assert!(matches!(receiver.blocking_recv(), Some(ThreadEvent::Started { .. })));
    while receiver.is_empty() {
        std::thread::yield_now();
    }
    mailbox.put(Assignment::Stop);
    thread.join().unwrap();
}

#[test]
fn thread_ends_when_nobody_listens() {
    let (sender, receiver) = mpsc::channel(1);
    let (mailbox, thread) = start(100, sender);
    drop(receiver);
    mailbox.put(Assignment::Work(work(1, job(), 0, 10.0)));
    thread.join().unwrap();
}

#[test]
fn used_up_slot_waits_for_the_next_second() {
    let rig = rig(100);
    // The second in which it is used up lasts until the slowest machine has begun.
    let ntime_origin = Instant::now() + Duration::from_secs(3);
    let job = Job { extranonce_size: 1, ntime_origin, ..job() };
    let min_ntime = job.min_ntime;
    let work = work(1, job, 0, 3000.0);
    // Somebody else has taken all there is for this second.
    while work.slot.next(work.job.fingerprint(), min_ntime).is_some() {}
    rig.give(Assignment::Work(work));
    assert!(matches!(rig.next(), ThreadEvent::Exhausted { generation: 1, .. }));
    assert!(rig.next_nonce().ntime > min_ntime);
    rig.stop();
}

#[test]
fn thread_that_panics_says_so() {
    let (sender, mut receiver) = mpsc::channel(8);
    let (mailbox, thread) = start_with(HeaderScanner::broken(), 100, sender);
    mailbox.put(Assignment::Work(work(1, job(), 0, 10.0)));
    let mut last = None;
    while let Some(event) = receiver.blocking_recv() {
        last = Some(event);
    }
    let Some(ThreadEvent::Ended { failure: Some(failure), .. }) = last else { panic!("{last:?}") };
    assert!(failure.contains("broken as planned"), "{failure}");
    thread.join().unwrap();
}
