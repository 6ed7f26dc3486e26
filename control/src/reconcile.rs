//! Making a desired state true: what a miner confirmed, what to do about it, and how that is called.
//!
//! The decisions are pure, and the session of the miner acts on them: `plan` compares what is wanted with what a miner
//! confirmed, `judge` adds the time to it (changes made on the miner itself, which are respected for a while, and miners
//! that are away), `trial` takes back a change that cut a miner off.

pub mod evidence;
pub mod judge;
pub mod plan;
pub mod trial;

pub use judge::{Event, Judgement, LocalChange, Reach, Situation, judge};
use mujina_core::{
    id::{Generation, PoolName},
    spec::{MinerSpec, SpecOrigin},
};
pub use plan::{GaveUp, Memory, Plan, plan};
use std::{collections::BTreeSet, time::SystemTime};
pub use trial::{Evidence, Trial, TrialAction, TrialState};

/// What a miner said last of its spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// The spec without passwords; `None` when this version cannot read it.
    pub spec: Option<MinerSpec>,
    /// Pools that have a password.
    pub passwords_set: BTreeSet<PoolName>,
    /// The miner's own count.
    pub generation: Generation,
    /// Newest of the miner's generations that is fully in force.
    pub observed_generation: Generation,
    /// Newest generation of a desired state that the miner accepted; 0 = none.
    pub control_generation: Generation,
    /// Who wrote the spec in force.
    pub origin: SpecOrigin,
    /// What is not in force yet, and why; empty when nothing will come by waiting.
    pub waiting_for: String,
    /// What the miner cannot do, and why.
    pub refused: Option<String>,
}

/// Whether a miner does what is wanted of it, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Whether.
    pub state: SyncState,
    /// Why not; empty when it does.
    pub reason: String,
    /// Until when it is overridden, or since when it is not reached; `None` for all other states.
    pub at: Option<SystemTime>,
}

/// Whether a miner does what is wanted of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyncState {
    /// Nothing is wanted.
    #[default]
    NothingWanted,
    /// Accepted and in force.
    InSync,
    /// On its way or being made true.
    Applying,
    /// Changed by somebody else since, and left alone.
    Drifted,
    /// Changed on the miner itself, which is respected until a time; then what is wanted is applied again.
    Overridden,
    /// Refused.
    Rejected,
    /// The miner is not reached.
    Unreachable,
}
