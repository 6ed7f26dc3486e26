//! The loop over a pseudo-terminal, with emulated chips at its other end.

use super::{
    state::tests::{chips, ember_one, gamma, hash, slots, work},
    *,
};
use crate::{
    job::{Job, tests::job},
    scheduler::slot::SlotSpace,
    simulate::Supply,
    thread::{
        Assignment, Nonce,
        mailbox::{Mailbox, mailbox},
    },
};
use nix::{
    pty::openpty,
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
    unistd::ttyname,
};
use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};
use tokio::time::timeout;

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at the chips.
const TURN: Duration = Duration::from_millis(2);

/// Chips on a pseudo-terminal.
struct Board {
    chips: Arc<Mutex<crate::simulate::Chain>>,
    plugged: Arc<AtomicBool>,
    pump: Option<JoinHandle<()>>,
    /// Keeps the terminal open while the chain has not opened it yet.
    _slave: OwnedFd,
}

impl Board {
    fn new(spec: &ChainSpec) -> (Self, PathBuf) {
        let pty = openpty(None, None).unwrap();
        let mut settings = tcgetattr(&pty.slave).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).unwrap();
        let path = ttyname(&pty.slave).unwrap();
        let chips = Arc::new(Mutex::new(chips(spec, settled())));
        let plugged = Arc::new(AtomicBool::new(true));
        let pump = std::thread::spawn({
            let (chips, plugged) = (Arc::clone(&chips), Arc::clone(&plugged));
            move || pump(pty.master, &chips, &plugged)
        });
        (Self { chips, plugged, pump: Some(pump), _slave: pty.slave }, path)
    }

    fn reset(&self) {
        let mut chips = self.chips.lock().unwrap();
        chips.supply(Supply { running: false, ..Supply::GOOD }, settled());
        chips.supply(Supply::GOOD, settled());
    }

    fn unplug(&mut self) {
        self.plugged.store(false, Ordering::Release);
        if let Some(pump) = self.pump.take() {
            // A test that failed while it held the chips has taken the pump with it.
            drop(pump.join());
        }
    }
}

/// So long ago that chips which were reset then listen now.
fn settled() -> Instant {
    Instant::now().checked_sub(Duration::from_millis(10)).unwrap()
}

impl Drop for Board {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// Moves bytes between terminal and chips, until the plug is pulled.
fn pump(master: OwnedFd, chips: &Mutex<crate::simulate::Chain>, plugged: &AtomicBool) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut file = File::from(master);
    let mut buffer = [0; 4096];
    let turn = PollTimeout::try_from(TURN).unwrap();
    while plugged.load(Ordering::Acquire) {
        let readable = {
            let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, turn).unwrap() > 0
        };
        let mut answer = Vec::new();
        if readable && let Ok(count) = file.read(&mut buffer) {
            answer.extend(chips.lock().unwrap().receive(buffer.get(..count).unwrap(), Instant::now()));
        }
        answer.extend(chips.lock().unwrap().run(Instant::now()));
        file.write_all(&answer).unwrap();
    }
}

struct Rig {
    board: Board,
    mailbox: Mailbox,
    events: mpsc::Receiver<ThreadEvent>,
    orders: mpsc::Sender<ChainOrder>,
    report: watch::Receiver<ChainReport>,
    thread: JoinHandle<()>,
    slots: SlotSpace,
}

impl Rig {
    fn new(spec: ChainSpec) -> Self {
        let (board, port) = Board::new(&spec);
        let (mailbox, reader) = mailbox();
        let (sender, events) = mpsc::channel(64);
        let (orders, taken) = mpsc::channel(4);
        let (reporter, report) = watch::channel(ChainReport::default());
        let plan = ChainPlan {
            index: ThreadIndex(5),
            id: "chain-5".parse().unwrap(),
            board: "simulated-5".parse().unwrap(),
            spec,
            port,
            mailbox: reader,
            events: sender,
            orders: taken,
            report: reporter,
        };
        Self { board, mailbox, events, orders, report, thread: spawn(plan).unwrap(), slots: slots() }
    }

    fn work(&mut self, generation: u64, job: Job) {
        self.mailbox.put(Assignment::Work(work(generation, job, &mut self.slots)));
    }

    /// Gives an order and takes events until it is answered.
    async fn order<T>(&mut self, order: impl FnOnce(oneshot::Sender<T>) -> ChainOrder) -> T {
        let (reply, mut answer) = oneshot::channel();
        self.orders.send(order(reply)).await.unwrap();
        let answered = async {
            loop {
                tokio::select! {
                    answer = &mut answer => return answer.unwrap(),
                    _ = self.events.recv() => {}
                }
            }
        };
        timeout(DEADLINE, answered).await.expect("an answer in time")
    }

    async fn next(&mut self) -> ThreadEvent {
        timeout(DEADLINE, self.events.recv()).await.expect("an event in time").expect("a chain that runs")
    }

    /// So many nonces of a generation, with no result discarded meanwhile.
    async fn nonces(&mut self, generation: u64, count: usize) -> Vec<Nonce> {
        let mut nonces = Vec::new();
        while nonces.len() < count {
            match self.next().await {
                ThreadEvent::Nonce(nonce) if nonce.work.generation == generation => nonces.push(nonce),
                ThreadEvent::Discarded { reason, .. } => panic!("a result was discarded: {reason:?}"),
                _ => {}
            }
        }
        nonces
    }

    async fn ended(&mut self) -> Option<String> {
        loop {
            if let ThreadEvent::Ended { failure, .. } = self.next().await {
                return failure;
            }
        }
    }
}

async fn hashes_over_a_terminal(spec: ChainSpec) -> Rig {
    let mut rig = Rig::new(spec);
    rig.work(1, job());
    rig.order(ChainOrder::BringUp).await.unwrap();
    let frequency = Frequency::from_megahertz(150.0);
    rig.order(|reply| ChainOrder::SetFrequency(frequency, reply)).await.unwrap();
    let mut nonces = rig.nonces(1, 40).await;
    rig.work(2, Job { prev_hash: [8; 32], ..job() });
    nonces.extend(rig.nonces(2, 20).await);
    let hashes: HashSet<_> = nonces.iter().map(hash).collect();
    assert_eq!(hashes.len(), nonces.len(), "a header came twice");
    assert!(nonces.iter().all(|nonce| nonce.ticket_target.is_met_by(hash(nonce))));
    assert!(nonces.iter().map(|nonce| nonce.extranonce.as_bytes()).collect::<HashSet<_>>().len() > 2);
    let violations = rig.board.chips.lock().unwrap().violations();
    assert_eq!(violations, []);
    rig
}

#[tokio::test]
async fn gamma_hashes_is_halted_and_hashes_again() {
    let mut rig = hashes_over_a_terminal(gamma()).await;
    rig.order(ChainOrder::Halt).await;
    assert!(!rig.report.borrow().up);
    rig.board.reset();
    rig.work(3, job());
    rig.order(ChainOrder::BringUp).await.unwrap();
    assert!(rig.report.borrow().up);
    rig.nonces(3, 10).await;
    rig.mailbox.put(Assignment::Stop);
    assert_eq!(rig.ended().await, None);
    rig.thread.join().unwrap();
}

#[tokio::test]
async fn ember_one_hashes_until_its_plug_is_pulled() {
    let mut rig = hashes_over_a_terminal(ember_one()).await;
    rig.board.unplug();
    let failure = rig.ended().await.expect("a reason");
    assert!(failure.contains("port"), "{failure}");
    assert_eq!(rig.report.borrow().failure.as_deref(), Some(failure.as_str()));
    rig.thread.join().unwrap();
}

#[tokio::test]
async fn port_that_does_not_open_ends_the_chain() {
    let (_mailbox, reader) = mailbox();
    let (sender, mut events) = mpsc::channel(64);
    let (_orders, taken) = mpsc::channel(4);
    let (reporter, _report) = watch::channel(ChainReport::default());
    let plan = ChainPlan {
        index: ThreadIndex(5),
        id: "chain-5".parse().unwrap(),
        board: "simulated-5".parse().unwrap(),
        spec: gamma(),
        port: "/dev/null/no-such-port".into(),
        mailbox: reader,
        events: sender,
        orders: taken,
        report: reporter,
    };
    spawn(plan).unwrap().join().unwrap();
    let Some(ThreadEvent::Ended { failure: Some(failure), .. }) = events.recv().await else { panic!("no end") };
    assert!(failure.contains("no-such-port"), "{failure}");
}
