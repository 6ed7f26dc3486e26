//! Who waits for the threads: the caller of a switch, and callers of a pause or a stop. Pure but for the answers.

use super::SwitchReport;
use crate::thread::ThreadIndex;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Time that threads have to take up work, or to put it down.
pub(super) const THREADS_DEADLINE: Duration = Duration::from_secs(2);

/// Threads on their way to another connection.
#[derive(Debug)]
pub(super) struct Switch {
    /// The first dispatch that counts; a newer one does as well.
    generation: u64,
    waiting: BTreeSet<ThreadIndex>,
    report: SwitchReport,
    pub(super) deadline: Instant,
    reply: oneshot::Sender<SwitchReport>,
}

impl Switch {
    pub(super) fn new(
        generation: u64,
        waiting: BTreeSet<ThreadIndex>,
        now: Instant,
        reply: oneshot::Sender<SwitchReport>,
    ) -> Self {
        Self { generation, waiting, report: SwitchReport::default(), deadline: now + THREADS_DEADLINE, reply }
    }

    /// A thread took up work.
    pub(super) fn started(&mut self, thread: ThreadIndex, generation: u64, gap: Option<Duration>) {
        if generation >= self.generation && self.waiting.remove(&thread) {
            self.report.threads += 1;
            self.report.work_gap = self.report.work_gap.max(gap.unwrap_or_default());
        }
    }

    /// A thread will not take up work.
    pub(super) fn gone(&mut self, thread: ThreadIndex) {
        self.waiting.remove(&thread);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.waiting.is_empty() || now >= self.deadline
    }

    /// Answers with what is known. Threads that are still on their way at the deadline are late; before it, the switch was
    /// overtaken by something newer, and they are nobody's.
    pub(super) fn answer(mut self, now: Instant) {
        if now >= self.deadline && !self.waiting.is_empty() {
            self.report.late = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
            self.report.work_gap = self.report.work_gap.max(THREADS_DEADLINE);
        }
        // Nobody may be left to hear it.
        let _ = self.reply.send(self.report);
    }
}

/// Callers that wait until no thread hashes.
#[derive(Debug)]
pub(super) struct Pausing {
    pub(super) deadline: Instant,
    pub(super) replies: Vec<oneshot::Sender<()>>,
}

impl Pausing {
    pub(super) fn new(now: Instant) -> Self {
        Self { deadline: now + THREADS_DEADLINE, replies: Vec::new() }
    }

    pub(super) fn answer(self) {
        answer_all(self.replies);
    }
}

/// Tells callers that what they wait for is so.
pub(super) fn answer_all(replies: Vec<oneshot::Sender<()>>) {
    for reply in replies {
        // Nobody may be left to hear it.
        let _ = reply.send(());
    }
}
