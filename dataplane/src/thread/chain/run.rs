//! The loop of a chain: an OS thread with a runtime of its own, so that nothing else on the machine delays a renewal but the
//! machine itself (stratum-client H2).

use super::{
    ChainOrder, ChainPlan, ChainReport,
    outbox::{Gone, Outbox},
    state::{Action, State},
};
use crate::{
    asic::bm13xx::bring_up::RESET_BAUD,
    thread::{Assignment, ThreadEvent, mailbox::MailboxReader},
    transport::serial::SerialPort,
};
use std::{
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    sync::{mpsc, watch},
    time::{sleep_until, timeout},
};
use tracing::{debug, error, info};

/// Bytes read at once: more than a chain sends in 10 ms at its fastest.
const BUFFER: usize = 4096;
/// Reads after which discarding ends, so that a line that never pauses cannot hold it up.
const MOST_READS: u32 = 64;
/// Time that a write may take: the longest takes 15 ms on the slowest line.
const WRITE_DEADLINE: Duration = Duration::from_secs(1);
/// Between two reports.
const REPORT: Duration = Duration::from_millis(250);
/// How long the last event of a chain waits for room.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Starts the thread of a chain. It ends when it is told to, when its board or its scheduler is gone, or when its port is.
///
/// # Errors
/// The operating system gives no more threads or no timers.
pub fn spawn(plan: ChainPlan) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let name = plan.id.to_string();
    std::thread::Builder::new().name(name).spawn(move || {
        let (index, id, last_words) = (plan.index, plan.id.clone(), plan.events.clone());
        // What the loop owned is gone with it: its board sees that its report is closed.
        let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(plan))));
        if ended.is_err() {
            error!(thread.id = %id, "the thread of a chain panicked; please report this with the log");
            let failure = Some("the thread panicked; its board is made safe and started anew".to_owned());
            runtime.block_on(tell_end(&last_words, ThreadEvent::Ended { thread: index, failure }));
        }
    })
}

async fn run(plan: ChainPlan) {
    let ChainPlan { index, id, board, spec, port, mailbox, events, orders, report } = plan;
    let last_words = events.clone();
    let failure = match SerialPort::open(&port, RESET_BAUD) {
        Ok(port) => {
            let state = State::new(index, spec, Instant::now());
            let chain = Chain { port, state, mailbox, outbox: Outbox::new(events), orders, report: report.clone() };
            chain.run().await.err()
        }
        Err(unopened) => Some(with_cause(&unopened)),
    };
    match &failure {
        Some(failure) => error!(thread.id = %id, board.id = %board, failure, "chain ended"),
        None => info!(thread.id = %id, board.id = %board, "chain ended as it was told"),
    }
    report.send_modify(|report| {
        report.up = false;
        report.hashing = false;
        report.failure.clone_from(&failure);
    });
    tell_end(&last_words, ThreadEvent::Ended { thread: index, failure }).await;
}

/// A scheduler that takes nothing learns of the end by the channel that closes.
async fn tell_end(last_words: &mpsc::Sender<ThreadEvent>, ended: ThreadEvent) {
    if timeout(LAST_WORDS, last_words.send(ended)).await.is_err() {
        debug!("the end of a chain found no room");
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

struct Chain {
    port: SerialPort,
    state: State,
    mailbox: MailboxReader,
    outbox: Outbox,
    orders: mpsc::Receiver<ChainOrder>,
    report: watch::Sender<ChainReport>,
}

/// What a turn of the loop begins with.
enum Input {
    News,
    Order(Option<ChainOrder>),
    Read(io::Result<usize>),
    Room,
    Due,
    Report,
}

/// Why the loop ends although nobody told it to.
enum Stop {
    Told,
    Failed(String),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Told
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("the port of the chips failed: {error}; check the cable"))
    }
}

impl Chain {
    /// Runs to the end. The error says why, when nobody told it to end.
    async fn run(mut self) -> Result<(), String> {
        let mut buffer = [0; BUFFER];
        let mut next_report = Instant::now();
        loop {
            match self.turn(&mut buffer, &mut next_report).await {
                Ok(()) => {}
                Err(Stop::Told) => return Ok(()),
                Err(Stop::Failed(failure)) => return Err(failure),
            }
        }
    }

    async fn turn(&mut self, buffer: &mut [u8; BUFFER], next_report: &mut Instant) -> Result<(), Stop> {
        let Self { port, state, mailbox, outbox, orders, .. } = self;
        let due = state.due();
        let input = tokio::select! {
            biased;
            () = mailbox.changed() => Input::News,
            () = wait_until(due) => Input::Due,
            order = orders.recv() => Input::Order(order),
            read = port.read(&mut buffer[..]) => Input::Read(read),
            () = outbox.room() => Input::Room,
            () = sleep_until((*next_report).into()) => Input::Report,
        };
        let now = Instant::now();
        match input {
            Input::News => {
                if let Some(assignment) = self.mailbox.try_take() {
                    self.state.assign(assignment, now);
                }
            }
            Input::Order(Some(order)) => self.state.order(order, now),
            Input::Order(None) => self.state.assign(Assignment::Stop, now),
            Input::Read(count) => self.state.receive(buffer.get(..count?).unwrap_or_default(), now),
            Input::Room => self.outbox.flush()?,
            Input::Due => {
                // An answer that has come by now has come in time, however late this thread was woken.
                if let Some(count) = read_now(&mut self.port, buffer).await? {
                    self.state.receive(buffer.get(..count).unwrap_or_default(), now);
                }
                self.state.tick(now);
            }
            Input::Report => {
                *next_report = now + REPORT;
                self.tell(now);
            }
        }
        self.perform().await
    }

    async fn perform(&mut self) -> Result<(), Stop> {
        for action in self.state.take_actions() {
            match action {
                Action::Write(bytes) => match timeout(WRITE_DEADLINE, self.port.write_all(&bytes)).await {
                    Ok(written) => written?,
                    Err(_) => return Err(Stop::Failed("the port takes no bytes; check the cable".to_owned())),
                },
                Action::SetBaud(baud) => self.port.set_baud(baud).map_err(|error| Stop::Failed(with_cause(&error)))?,
                Action::Discard => self.discard().await?,
                Action::Tell(event) => self.outbox.send(event)?,
                Action::Answer(answer) => {
                    // Who waits for an answer then finds it in the report, too.
                    self.tell(Instant::now());
                    answer.send();
                }
                Action::End => return Err(Stop::Told),
            }
        }
        Ok(())
    }

    /// Throws away what has come.
    async fn discard(&mut self) -> io::Result<()> {
        let mut bytes = [0; BUFFER];
        for _ in 0..MOST_READS {
            if read_now(&mut self.port, &mut bytes).await?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn tell(&mut self, now: Instant) {
        let report = ChainReport { lost_events: self.outbox.lost(), ..self.state.report(now, SystemTime::now()) };
        self.report.send_if_modified(|before| {
            let differs = *before != report;
            *before = report;
            differs
        });
    }
}

/// Reads what is there; `None` when there is nothing.
async fn read_now(port: &mut SerialPort, bytes: &mut [u8; BUFFER]) -> io::Result<Option<usize>> {
    let mut buffer = ReadBuf::new(bytes);
    let read = poll_fn(|context| Poll::Ready(Pin::new(&mut *port).poll_read(context, &mut buffer))).await;
    match read {
        Poll::Pending => Ok(None),
        Poll::Ready(read) => read.map(|()| Some(buffer.filled().len())),
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
