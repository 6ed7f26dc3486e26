//! A hash thread on a chain of BM13xx chips.
//!
//! Started by a board task, which owns power, reset, fan and sensors and tells the chain in [`ChainOrder`]s when its chips
//! may be spoken to. The chain owns the serial line and everything that goes over it: bring-up, clock, work slots, renewal
//! of work, and the way from a chip's answer back to the header that it stands for.
//!
//! ```text
//!   mailbox, orders, bytes, time ──▶ state (pure) ──▶ bytes, rate of the line, events, answers
//! ```

mod outbox;
mod run;
mod state;
#[cfg(test)]
mod tests;

pub use self::run::spawn;

use crate::{
    asic::bm13xx::{ChainError, ChainSpec},
    thread::{ThreadEvent, ThreadIndex, mailbox::MailboxReader},
};
use mujina_core::{
    board::ChipReport,
    id::{BoardId, ThreadId},
    units::{Frequency, HashRate},
};
use std::{path::PathBuf, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// What a chain is made of.
#[derive(Debug)]
pub struct ChainPlan {
    /// Its number as a hash thread.
    pub index: ThreadIndex,
    /// Its name as a hash thread, also for the operating system.
    pub id: ThreadId,
    /// The board it sits on.
    pub board: BoardId,
    /// Its chips, and how they are brought up.
    pub spec: ChainSpec,
    /// Serial device whose other end is the chain.
    pub port: PathBuf,
    /// Where its work comes from.
    pub mailbox: MailboxReader,
    /// Where its results go.
    pub events: mpsc::Sender<ThreadEvent>,
    /// What the board wants of it.
    pub orders: mpsc::Receiver<ChainOrder>,
    /// Where it tells how it is, at most a few times a second.
    pub report: watch::Sender<ChainReport>,
}

/// What a board wants of its chain. Orders are followed one after the other; each is answered when it was followed.
#[derive(Debug)]
pub enum ChainOrder {
    /// Core supply is on and reset was released: find the chips, set them up at the clock that they start with, and take up
    /// work.
    BringUp(oneshot::Sender<Result<(), ChainError>>),
    /// Ramp the clock to this, or to the nearest the chips can do, and rewrite what depends on it.
    SetFrequency(Frequency, oneshot::Sender<Result<Frequency, ChainError>>),
    /// Forget all work and send nothing more: reset follows. Work is taken up again by the next bring-up.
    Halt(oneshot::Sender<()>),
    /// Let every chip find a nonce of a job that is known to have one, and say which did.
    FindGoldenNonces(Duration, oneshot::Sender<Result<Vec<bool>, ChainError>>),
}

/// How a chain is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChainReport {
    /// Whether its chips are set up.
    pub up: bool,
    /// Whether they have work.
    pub hashing: bool,
    /// Clock that they run at.
    pub frequency: Option<Frequency>,
    /// Rate that they should reach at this clock.
    pub nominal_hash_rate: HashRate,
    /// Per chip, nearest to the host first.
    pub chips: Vec<ChipReport>,
    /// Chips that returned nothing for twenty times as long as a result takes.
    pub lost_chips: u32,
    /// Times that work was renewed too late to be sure that no header was hashed twice (stratum-client H2).
    pub late_renewals: u64,
    /// Frames with a wrong checksum, and bytes between frames.
    pub line_errors: u64,
    /// Events that were lost because the scheduler took none for long.
    pub lost_events: u64,
    /// Why it stopped by itself, when it did: the port is gone, or all chips are silent.
    pub failure: Option<String>,
}
