//! What is wanted of each miner: merged, checked, stored, then published to the session that makes it true.
//!
//! Every change of a desired state passes `change`, within a transaction: there it is compared with what its author may do
//! and where work may go, and written down with the record of who did it.

mod apply;
mod change;
pub(crate) mod merge;
mod own;

use crate::{
    access::{Caller, Denied},
    registry::Registry,
    repeat::RequestKey,
    store::{Store, StoreError},
    trace::TraceParent,
};
pub(crate) use apply::Restore;
pub(crate) use change::{Checked, NewDesired, authorize, new_desired, store_change, store_new};
pub use merge::{Base, Left, MergeError, WantedSpec, merge};
use mujina_core::{
    id::{Generation, MinerName},
    spec::{Problems, SpecChange, SpecDraft},
};
pub(crate) use own::said_after;
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A stored desired state.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredState {
    /// The miner it is for.
    pub miner: MinerName,
    /// What is wanted.
    pub wanted: WantedSpec,
    /// Counts the desired states of the miner, and is greater than any that the miner accepted before.
    pub generation: Generation,
    /// Changes with every generation.
    pub etag: String,
    /// When it was stored.
    pub stored_at: SystemTime,
    /// The request that asked for it.
    pub trace_parent: TraceParent,
    /// The newest generation up to this one that was written to take over from changes made on the miner; 0 = none.
    pub taken_over: Generation,
}

/// What a write counts against others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Somebody wants it of this miner: it takes over from changes made there, and comes before profiles.
    TakesOver,
    /// It comes before profiles, and waits where the miner itself was changed.
    BeforeProfiles,
    /// It follows from profiles.
    FromProfiles,
}

/// Parts of a spec that a change speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecParts {
    /// `pool_groups`
    pub pool_groups: bool,
    /// `paused`
    pub paused: bool,
    /// `boards`
    pub boards: bool,
}

impl SpecParts {
    /// The whole spec.
    pub const ALL: Self = Self { pool_groups: true, paused: true, boards: true };
    /// None of it.
    pub const NONE: Self = Self { pool_groups: false, paused: false, boards: false };
    /// Only whether it hashes.
    pub const PAUSED: Self = Self { paused: true, ..Self::NONE };
    /// Where and how it connects.
    pub const POOL_GROUPS: Self = Self { pool_groups: true, ..Self::NONE };

    /// Those that differ.
    #[must_use]
    pub fn of(changes: &[SpecChange]) -> Self {
        let speaks_of = |part| changes.iter().any(|change| change.path.split(['.', '[']).next() == Some(part));
        Self { pool_groups: speaks_of("pool_groups"), paused: speaks_of("paused"), boards: speaks_of("boards") }
    }

    /// Those of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            pool_groups: self.pool_groups || other.pool_groups,
            paused: self.paused || other.paused,
            boards: self.boards || other.boards,
        }
    }

    /// Those that are not among the others.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            pool_groups: self.pool_groups && !other.pool_groups,
            paused: self.paused && !other.paused,
            boards: self.boards && !other.boards,
        }
    }
}

/// A change that somebody asks for.
#[derive(Debug, Clone)]
pub struct SpecRequest {
    /// The miner to change.
    pub miner: MinerName,
    /// The new values of the parts that `parts` names.
    pub draft: SpecDraft,
    /// Which parts of the spec the draft speaks of.
    pub parts: SpecParts,
    /// Write only over the desired state with this etag; empty = over any.
    pub etag: String,
    /// A repeat answers as the first did and does nothing.
    pub key: RequestKey,
    /// Only check and answer with the changes.
    pub validate_only: bool,
    /// Time to prove itself, else it is taken back. `None` = as is usual for what changes; zero = no bound.
    pub confirm_within: Option<Duration>,
    /// What it counts against others.
    pub claim: Claim,
    /// The rollout that takes it back should that be necessary; empty = the session does.
    pub rollout: String,
    /// Who asks.
    pub by: Caller,
}

impl SpecRequest {
    /// A change that somebody wants of this miner, without conditions.
    #[must_use]
    pub fn new(miner: MinerName, draft: SpecDraft, parts: SpecParts, by: Caller) -> Self {
        Self {
            miner,
            draft,
            parts,
            etag: String::new(),
            key: RequestKey::none(),
            validate_only: false,
            confirm_within: None,
            claim: Claim::TakesOver,
            rollout: String::new(),
            by,
        }
    }
}

/// What a change brought.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecOutcome {
    /// The desired state after it; generation and etag are those before when it was only checked.
    pub desired: Arc<DesiredState>,
    /// What differs from before.
    pub changes: Vec<SpecChange>,
    /// The generation to go back to; 0 = what the miner did before anything was wanted of it.
    pub previous: Generation,
}

/// Why a change was refused; nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not in the configuration.
    #[error("no miner is named `{0}`; see the list of miners, or add it to the configuration")]
    UnknownMiner(MinerName),
    /// Fields that do not check out.
    #[error("{0}")]
    Invalid(Problems),
    /// Somebody else wrote meanwhile.
    #[error("the desired state changed since it was read (etag is now `{current}`); read it again and repeat")]
    EtagMismatch {
        /// The newest etag; empty when nothing is stored.
        current: String,
    },
    /// The first of these requests was answered so long ago that its generation is no longer kept.
    #[error(
        "this request was accepted long ago as generation {generation}; read the spec, and write with a new request id"
    )]
    RepeatTooOld {
        /// What it was accepted as.
        generation: Generation,
    },
    /// Nothing to take the other parts from.
    #[error("nothing is known yet of what miner {0} does; wait until it is reached, or write the whole spec")]
    NeverSeen(MinerName),
    /// The caller may not change this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Work would go where the payout guard does not allow it.
    #[error("{0}")]
    Payout(Problems),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The way to the desired states. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Specs {
    store: Store,
    registry: Registry,
}

impl Specs {
    /// Desired states of the miners in `registry`, kept in `store`.
    #[must_use]
    pub fn new(store: Store, registry: Registry) -> Self {
        Self { store, registry }
    }
}
