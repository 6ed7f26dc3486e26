//! What the scheduler knows of one thread and of one connection. Pure but for the mailbox, which never waits.

use super::{
    assignments::{self, Slots},
    estimate::Pace,
    starvation::Starvation,
    verify::Verifier,
};
use crate::{
    job::{Job, JobHandle},
    pool::ShareSubmission,
    thread::{Assignment, ThreadEntry, Work},
};
use mujina_core::{
    id::PoolName,
    status::ThreadState,
    units::{HashRate, ShareTarget},
};
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc;

/// A pace with fewer nonces says less than the nominal rate: 16 nonces are known to within 25 %.
const PACE_ERROR: f64 = 0.25;

/// A connection between its begin and its end.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) pool: PoolName,
    pub(super) shares: mpsc::Sender<ShareSubmission>,
    pub(super) slots: Slots,
    pub(super) verifier: Verifier,
    pub(super) starvation: Starvation,
    /// Its newest job; `None` = it has none, or all are void.
    pub(super) job: Option<Arc<Job>>,
}

/// A thread since it joined, dead ones included.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) entry: ThreadEntry,
    pub(super) state: ThreadState,
    pub(super) failure: Option<String>,
    pub(super) pace: Pace,
    given: Given,
    /// Whether it neither hashes nor may be about to.
    quiet: bool,
}

/// What is, or was, in a thread's mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Idle,
    Work {
        generation: u64,
        job: JobHandle,
        ticket_target: ShareTarget,
    },
    /// It used up its work and waits.
    Exhausted,
    Stop,
}

impl Thread {
    pub(super) fn new(entry: ThreadEntry, now: Instant) -> Self {
        let (state, given) = (ThreadState::Idle, Given::Idle);
        Self { entry, state, failure: None, pace: Pace::new(now), given, quiet: true }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.state != ThreadState::Dead
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// How fast it is, as well as is known.
    pub(super) fn rate(&self, now: Instant) -> HashRate {
        let measured = self.pace.rate(now).filter(|(_, error)| *error <= PACE_ERROR);
        measured.map_or(self.entry.nominal_hash_rate, |(rate, _)| rate)
    }

    /// Whether it was given this job, with a ticket target that is near enough.
    pub(super) fn has(&self, wanted: JobHandle, wanted_target: ShareTarget) -> bool {
        match self.given {
            Given::Work { job, ticket_target, .. } => {
                job == wanted && !assignments::misses(ticket_target, wanted_target)
            }
            Given::Idle | Given::Exhausted | Given::Stop => false,
        }
    }

    pub(super) fn give_work(&mut self, work: Work) {
        let Work { generation, ref job, ticket_target, .. } = work;
        self.given = Given::Work { generation, job: job.handle, ticket_target };
        self.quiet = false;
        self.entry.mailbox.put(Assignment::Work(Arc::new(work)));
    }

    /// Tells it to idle, if it was not told yet.
    pub(super) fn tell_to_idle(&mut self) {
        if self.given != Given::Idle {
            self.given = Given::Idle;
            self.entry.mailbox.put(Assignment::Idle);
        }
    }

    /// Tells it to end, if it was not told yet.
    pub(super) fn tell_to_stop(&mut self) {
        if self.given != Given::Stop {
            self.given = Given::Stop;
            self.entry.mailbox.put(Assignment::Stop);
        }
    }

    /// It took up work. Returns whether that changed its state.
    pub(super) fn started(&mut self, now: Instant) -> bool {
        self.quiet = false;
        let changed = self.state != ThreadState::Hashing;
        if changed {
            self.pace = Pace::new(now);
        }
        self.state = ThreadState::Hashing;
        changed
    }

    /// It stopped hashing; `last` is the last generation that it worked on. Returns whether that changed its state.
    pub(super) fn idled(&mut self, last: u64) -> bool {
        // It may have newer work by now, which it will take up next.
        self.quiet = !matches!(self.given, Given::Work { generation, .. } if generation > last);
        std::mem::replace(&mut self.state, ThreadState::Idle) != ThreadState::Idle
    }

    /// It used up the work of this generation. Returns whether that changed its state.
    pub(super) fn exhausted(&mut self, last: u64) -> bool {
        if matches!(self.given, Given::Work { generation, .. } if generation == last) {
            self.given = Given::Exhausted;
        }
        self.idled(last)
    }

    /// It is another rate that is expected from now on.
    pub(super) fn expect(&mut self, nominal: HashRate, now: Instant) {
        self.entry.nominal_hash_rate = nominal;
        self.pace = Pace::new(now);
    }

    /// It ended.
    pub(super) fn ended(&mut self, failure: Option<String>) {
        self.state = ThreadState::Dead;
        self.quiet = true;
        self.failure = failure;
    }
}
