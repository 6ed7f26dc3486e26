//! Hash threads: what each is given, what it gives back, and the mailbox between.
//!
//! A hash thread is an OS thread (CPU) or a chain of chips; `scheduler` never waits for one. Work is handed over by a
//! latest-wins [`mailbox`]; what is found comes back through one bounded channel.

pub mod chain;
pub mod cpu;
pub mod mailbox;
pub mod sha256d;

use crate::{
    job::{Job, extranonce::Extranonce},
    scheduler::slot::Slot,
};
use mujina_core::{
    id::{BoardId, ConnectionId, ThreadId},
    units::{HashRate, ShareTarget},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Events of all threads that may wait for the scheduler: 256 ≈ 3 s at the flood cap of many threads; then threads wait.
pub const EVENT_QUEUE: usize = 256;

/// Index of a thread in the scheduler; not reused within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadIndex(pub u32);

/// Numbers are not reused within the process, whichever board asks.
pub(crate) fn fresh_index() -> ThreadIndex {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    ThreadIndex(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A thread as it joins the scheduler.
#[derive(Debug)]
pub struct ThreadEntry {
    /// Its number; every event carries it.
    pub index: ThreadIndex,
    /// Stable name.
    pub id: ThreadId,
    /// Board it sits on.
    pub board: BoardId,
    /// Rate it is expected to reach, duty included.
    pub nominal_hash_rate: HashRate,
    /// Where its work goes.
    pub mailbox: mailbox::Mailbox,
}

/// What a thread should do now.
#[derive(Debug, Clone)]
pub enum Assignment {
    /// Nothing. The thread sleeps without burning CPU time.
    Idle,
    /// Hash this until something else comes.
    Work(Arc<Work>),
    /// End.
    Stop,
}

/// A job for one thread.
#[derive(Debug)]
pub struct Work {
    /// Counts dispatches; greater is newer.
    pub generation: u64,
    /// What to hash.
    pub job: Arc<Job>,
    /// The thread's part of the extranonce space on this connection.
    pub slot: Arc<Slot>,
    /// Greatest hash worth reporting: at least as easy as the share target unless the flood cap says otherwise. A thread may
    /// report easier ones, and says so with each.
    pub ticket_target: ShareTarget,
}

/// What a thread tells the scheduler.
#[derive(Debug)]
pub enum ThreadEvent {
    /// It took up this generation. Later events of it come after.
    Started {
        /// Who.
        thread: ThreadIndex,
        /// Which dispatch.
        generation: u64,
        /// Time between its last hash of other valid work and its first of this; `None` when it was idle before.
        gap: Option<Duration>,
    },
    /// It stopped hashing as it was told.
    Idle {
        /// Who.
        thread: ThreadIndex,
        /// Last generation that it worked on.
        generation: u64,
    },
    /// A nonce whose hash meets the ticket target, as the thread says.
    Nonce(Nonce),
    /// The thread's part of the search space is used up for this job; it idles until other work comes (stratum-client W2).
    Exhausted {
        /// Who.
        thread: ThreadIndex,
        /// Which dispatch.
        generation: u64,
    },
    /// Results that the thread itself found to be none, such as a chip's hash that meets no target: they count in the
    /// ledger and go no further.
    Discarded {
        /// Who.
        thread: ThreadIndex,
        /// For whom it hashes now; the result itself may name nobody.
        connection: ConnectionId,
        /// Why.
        reason: Discard,
    },
    /// Its expected rate is another from now on, for example because its clock is.
    Rate {
        /// Who.
        thread: ThreadIndex,
        /// Rate it is expected to reach.
        nominal_hash_rate: HashRate,
    },
    /// It ended: told to, or by a failure.
    Ended {
        /// Who.
        thread: ThreadIndex,
        /// Why, when it was not told to.
        failure: Option<String>,
    },
}

/// Why a thread discards a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// It is no result of any work that the thread was given.
    HardwareError,
    /// It was returned before.
    Duplicate,
}

/// One result.
#[derive(Debug, Clone)]
pub struct Nonce {
    /// Who found it.
    pub thread: ThreadIndex,
    /// For which work.
    pub work: Arc<Work>,
    /// Extranonce that was hashed, without the pool's prefix.
    pub extranonce: Extranonce,
    /// Full version that was hashed.
    pub version: u32,
    /// ntime that was hashed, in Unix seconds.
    pub ntime: u32,
    /// Nonce.
    pub nonce: u32,
    /// Greatest hash that its finder would have returned: what it proves. Not always that of the work, because a chip's
    /// mask has whole bits only.
    pub ticket_target: ShareTarget,
    /// When it was found.
    pub found_at: Instant,
}
