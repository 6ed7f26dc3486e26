//! The mining side as one thing: what it is made of, and what the service side may know of it.

mod boards;
mod compose;

use crate::{backplane::BoardsHandle, pool::probe::Prober, scheduler::SchedulerHandle, source::SourceHandle};
pub use boards::BoardsPlan;
pub use compose::{GuestThreads, Guests, Miner, MinerError, MinerPlan};

/// What the service side knows of the mining side. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MinerHandle {
    /// Counters, pause, shares.
    pub scheduler: SchedulerHandle,
    /// Pools.
    pub source: SourceHandle,
    /// Tests of pools, beside the mining.
    pub prober: Prober,
    /// How boards are, and what may be asked of them.
    pub boards: BoardsHandle,
}

#[cfg(test)]
mod tests;
