//! Boards: what carries hash threads.
//!
//! The CPU board starts its threads itself. A board with chips has a task, which drives its hardware through a `driver`.
//!
//! What may be done to a board, and what must be done, is decided by pure policies: `limits`, `thermal`, `power`, `tuner`,
//! `led`. They take readings and the time, and touch nothing.

pub mod cpu;
pub mod driver;
pub mod hardware;
pub mod known;
pub mod led;
pub mod limits;
pub mod power;
pub mod safe;
pub(crate) mod task;
pub mod thermal;
pub mod tuner;

use crate::thread::sha256d::KernelError;
use std::io;

/// Why a board could not be started or is not as it was configured.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// More threads than makes sense.
    #[error("{wanted} CPU threads are too many; use `auto`, or at most {most}")]
    TooManyThreads {
        /// What was asked.
        wanted: u32,
        /// What is accepted.
        most: u32,
    },
    /// No kernel to hash with.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The operating system gives no thread.
    #[error("cannot start a hash thread; check the limits of the process")]
    Thread(#[source] io::Error),
}
