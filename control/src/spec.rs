//! What is wanted of each miner: merged, stored, then published to the session that makes it true.
//!
//! Every change of a desired state passes [`Specs::apply`], which is where an audit will hook in.

pub(crate) mod merge;

use crate::{
    finish::regardless,
    registry::Registry,
    store::{self, Store, StoreError},
    trace::TraceParent,
};
pub use merge::{Base, Left, MergeError, WantedSpec, merge};
use mujina_core::{
    id::{Generation, MinerName},
    spec::{Problems, SpecChange, SpecDraft},
};
use mujina_proto::convert::spec::NOTHING_STORED;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::SystemTime};
use tracing::info;

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
}

/// Parts of a spec that a change speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// A repeat with the same id answers as the first did and does nothing; empty = no repeat.
    pub request_id: String,
    /// Only check and answer with the changes.
    pub validate_only: bool,
}

/// What a change brought.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecOutcome {
    /// The desired state after it; generation and etag are those before when it was only checked.
    pub desired: Arc<DesiredState>,
    /// What differs from before.
    pub changes: Vec<SpecChange>,
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
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a repeated request is answered from.
#[derive(Serialize, Deserialize)]
struct Remembered {
    generation: u64,
    changes: Vec<(String, String, String)>,
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

    /// Stores a new generation and has it reconciled. Answers when it is on disk.
    ///
    /// # Errors
    /// See [`SpecError`].
    ///
    /// # Cancel safety
    /// Safe: what has begun comes to its end, the handing on included.
    pub async fn apply(&self, request: SpecRequest) -> Result<SpecOutcome, SpecError> {
        let specs = self.clone();
        regardless(async move { specs.apply_to_the_end(request).await }).await
    }

    async fn apply_to_the_end(&self, request: SpecRequest) -> Result<SpecOutcome, SpecError> {
        let SpecRequest { miner: name, draft, parts, etag, request_id, validate_only } = request;
        let Some(miner) = self.registry.get(&name) else { return Err(SpecError::UnknownMiner(name)) };
        let mut write = self.store.write().await?;
        let scope = format!("spec/{name}");
        if !request_id.is_empty()
            && let Some(answer) = write.answer(&scope, &request_id).await?
        {
            let outcome = remembered(&mut write, &name, &answer).await?;
            miner.publish_desired(&outcome.desired);
            return Ok(outcome);
        }
        let latest = write.latest_desired(&name).await?;
        let current = latest.as_ref().map_or_else(|| NOTHING_STORED.to_owned(), |latest| latest.etag.clone());
        if !etag.is_empty() && etag != current {
            return Err(SpecError::EtagMismatch { current });
        }
        let confirmed = miner.view().confirmed.clone();
        let base = Base { desired: latest.as_ref().map(|latest| &latest.wanted), confirmed: confirmed.as_deref() };
        let wanted = merge(draft, parts, &base).map_err(|error| match error {
            MergeError::Invalid(problems) => SpecError::Invalid(problems),
            MergeError::NoBase => SpecError::NeverSeen(name.clone()),
        })?;
        let changes = base.wanted().unwrap_or_default().diff(&wanted);
        let before = latest.as_ref().map(|latest| latest.generation).unwrap_or_default();
        if validate_only {
            let stored_at = latest.as_ref().map_or_else(SystemTime::now, |latest| latest.stored_at);
            let trace_parent = TraceParent::default();
            let desired =
                DesiredState { miner: name, wanted, generation: before, etag: current, stored_at, trace_parent };
            return Ok(SpecOutcome { desired: Arc::new(desired), changes });
        }
        // A miner that obeyed a control plane before (a lost database) must take this one for newer.
        let accepted = confirmed.as_ref().map(|confirmed| confirmed.control_generation).unwrap_or_default();
        let desired = Arc::new(DesiredState {
            miner: name.clone(),
            wanted,
            generation: before.max(accepted).next(),
            etag: uuid::Uuid::new_v4().simple().to_string(),
            stored_at: store::now(),
            trace_parent: TraceParent::current(),
        });
        write.insert_desired(&desired).await?;
        if !request_id.is_empty() {
            let list = changes.iter().map(|one| (one.path.clone(), one.before.clone(), one.after.clone())).collect();
            let answer = Remembered { generation: desired.generation.0, changes: list };
            let answer = serde_json::to_string(&answer).map_err(|_| StoreError::Corrupt("an answer".into()))?;
            write.remember(&scope, &request_id, &answer).await?;
        }
        write.commit().await?;
        info!(miner.name = %name, generation = %desired.generation, changes = changes.len(), "desired state stored");
        miner.publish_desired(&desired);
        Ok(SpecOutcome { desired, changes })
    }
}

async fn remembered(
    write: &mut crate::store::Write,
    miner: &MinerName,
    answer: &str,
) -> Result<SpecOutcome, SpecError> {
    let Remembered { generation, changes } =
        serde_json::from_str(answer).map_err(|_| StoreError::Corrupt("an answer".into()))?;
    let generation = Generation(generation);
    let Some(desired) = write.desired(miner, generation).await? else {
        return Err(SpecError::RepeatTooOld { generation });
    };
    let changes = changes.into_iter().map(|(path, before, after)| SpecChange { path, before, after }).collect();
    Ok(SpecOutcome { desired: Arc::new(desired), changes })
}
