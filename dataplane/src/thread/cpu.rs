//! A hash thread on one CPU: an OS thread that hashes what its mailbox says, as long as it says so.
//!
//! Started by `board::cpu`. It runs below everything else on the machine (`SCHED_IDLE`), looks at its mailbox between units
//! of about a quarter of a millisecond, and sleeps in the mailbox when there is nothing to do. It never waits for the
//! scheduler but to deliver an event, and gives that up when it is stopped and nobody takes events any more.

mod duty;
mod outbox;
pub(crate) mod priority;
mod search;
#[cfg(test)]
mod tests;

use self::{
    duty::Duty,
    outbox::{Gone, Outbox},
    search::{Search, Unit},
};
use super::{Assignment, Nonce, ThreadEvent, ThreadIndex, Work, mailbox::MailboxReader, sha256d::HeaderScanner};
use mujina_core::{
    id::ThreadId,
    units::{DutyPercent, HashRate, ShareTarget},
};
use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

/// Time between two looks at the mailbox: a new job is in force within twice this.
const UNIT: Duration = Duration::from_micros(250);
/// Results that a unit may have on average, so that an easy target makes units short instead of the queue long.
const RESULTS_PER_UNIT: f64 = 16.0;

/// What a thread is made of.
#[derive(Debug)]
pub(crate) struct CpuThreadPlan {
    /// Its number.
    pub(crate) index: ThreadIndex,
    /// Its name, also for the operating system.
    pub(crate) id: ThreadId,
    /// Its hasher.
    pub(crate) scanner: HeaderScanner,
    /// Rate of the hasher when it hashes all the time.
    pub(crate) full_hash_rate: HashRate,
    /// How much of its time it hashes.
    pub(crate) duty: DutyPercent,
    /// Whether it runs only when nothing else wants its core.
    pub(crate) yields: bool,
    /// The core that it stays on, if it is to stay on one.
    pub(crate) core: Option<usize>,
    /// Where its work comes from.
    pub(crate) mailbox: MailboxReader,
    /// Where its results go.
    pub(crate) events: mpsc::Sender<ThreadEvent>,
}

/// Starts the thread. It ends when it is told to, when its mailbox is dropped, or when nobody listens to it any more.
///
/// # Errors
/// The operating system gives no more threads.
pub(crate) fn spawn(plan: CpuThreadPlan) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(plan.id.to_string()).spawn(move || run(plan))
}

fn run(plan: CpuThreadPlan) {
    if plan.yields
        && let Err(refusal) = priority::yield_to_everybody()
    {
        debug!(thread.id = %plan.id, %refusal, "thread keeps its usual priority");
    }
    if let Some(core) = plan.core
        && let Err(refusal) = priority::stay_on(core)
    {
        warn!(thread.id = %plan.id, core, %refusal, "thread cannot be pinned to its core and runs on any");
    }
    let (index, events) = (plan.index, plan.events.clone());
    // What the loop owned is gone with it; nothing is shared that a panic could leave half done.
    let failure = catch_unwind(AssertUnwindSafe(|| CpuThread::new(plan).run())).err().map(|payload| message(&*payload));
    if let Some(failure) = &failure {
        error!(thread = index.0, failure, "hash thread panicked; please report this with the log");
    }
    outbox::last_words(&events, ThreadEvent::Ended { thread: index, failure });
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("the thread panicked: {}; restart the miner, and report this with the log", text.unwrap_or("no message"))
}

struct CpuThread {
    index: ThreadIndex,
    scanner: HeaderScanner,
    full_hash_rate: HashRate,
    duty: Duty,
    mailbox: MailboxReader,
    outbox: Outbox,
    search: Option<Search>,
    generation: u64,
    /// End of the newest hash of work that was valid until other work replaced it.
    hashed_until: Option<Instant>,
}

impl CpuThread {
    fn new(plan: CpuThreadPlan) -> Self {
        let CpuThreadPlan { index, id: _, scanner, full_hash_rate, duty, yields: _, core: _, mailbox, events } = plan;
        Self {
            index,
            scanner,
            full_hash_rate,
            duty: Duty::new(duty),
            mailbox,
            outbox: Outbox::new(events),
            search: None,
            generation: 0,
            hashed_until: None,
        }
    }

    fn run(mut self) {
        let mut news = None;
        loop {
            let assignment = news.take().or_else(|| self.mailbox.wait(None));
            let followed = match assignment {
                None => Ok(None),
                Some(Assignment::Stop) => return,
                Some(Assignment::Idle) => self.idle().map(|()| None),
                Some(Assignment::Work(work)) => self.hash(work),
            };
            match followed {
                Ok(next) => news = next,
                Err(Gone) => return,
            }
        }
    }

    fn idle(&mut self) -> Result<(), Gone> {
        self.hashed_until = None;
        self.search = None;
        let event = ThreadEvent::Idle { thread: self.index, generation: self.generation };
        self.outbox.send(event, &self.mailbox)
    }

    /// Hashes until something else comes, and returns it.
    fn hash(&mut self, work: Arc<Work>) -> Result<Option<Assignment>, Gone> {
        let (thread, generation) = (self.index, work.generation);
        self.generation = generation;
        self.scanner.set_target(work.ticket_target);
        let nonces = self.nonces_per_unit(work.ticket_target);
        let mut search = Search::resume(self.search.take(), work);
        let (mut started, mut exhausted) = (false, false);
        loop {
            if let Some(assignment) = self.mailbox.try_take() {
                self.search = Some(search);
                return Ok(Some(assignment));
            }
            let now = Instant::now();
            let Some(unit) = search.next(&mut self.scanner, now, nonces) else {
                self.hashed_until = None;
                if !exhausted {
                    exhausted = true;
                    self.outbox.send(ThreadEvent::Exhausted { thread, generation }, &self.mailbox)?;
                }
                if let Some(assignment) = self.mailbox.wait(search.retry_at(now)) {
                    self.search = Some(search);
                    return Ok(Some(assignment));
                }
                continue;
            };
            if !started {
                started = true;
                let gap = self.hashed_until.map(|until| Instant::now().saturating_duration_since(until));
                self.outbox.send(ThreadEvent::Started { thread, generation, gap }, &self.mailbox)?;
            }
            self.scan(&search, unit)?;
            self.hashed_until = Some(Instant::now());
            if let Some(rest) = self.duty.rest()
                && let Some(assignment) = self.mailbox.wait(Some(Instant::now() + rest))
            {
                self.search = Some(search);
                return Ok(Some(assignment));
            }
        }
    }

    fn scan(&mut self, search: &Search, unit: Unit) -> Result<(), Gone> {
        let Self { index, scanner, mailbox, outbox, .. } = self;
        let Unit { first, count } = unit;
        let mut delivered = Ok(());
        scanner.scan(first, count, |hit| {
            let found = search.found(hit.midstate).filter(|_| delivered.is_ok());
            let Some((extranonce, version, ntime)) = found else { return };
            let nonce = Nonce {
                thread: *index,
                work: Arc::clone(search.work()),
                extranonce,
                version,
                ntime,
                nonce: hit.nonce,
                ticket_target: search.work().ticket_target,
                found_at: Instant::now(),
            };
            delivered = outbox.send(ThreadEvent::Nonce(nonce), mailbox);
        });
        search.work().slot.add_hashes(u64::from(count) * u64::try_from(scanner.loaded()).unwrap_or(u64::MAX));
        delivered
    }

    /// Nonces that take about [`UNIT`] and do not flood the scheduler.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the range of the type"
    )]
    fn nonces_per_unit(&self, ticket_target: ShareTarget) -> u32 {
        let hashes = self.full_hash_rate.hashes_per_second() * UNIT.as_secs_f64();
        let hashes = hashes.min(ticket_target.expected_hashes() * RESULTS_PER_UNIT);
        (hashes / self.scanner.width() as f64).max(1.0) as u32
    }
}
