//! Desired state of a miner: what its owner wants, checked once for every way in (configuration, API, disk).

mod boards;
mod diff;
mod draft;

use crate::{
    board::BoardTuning,
    id::Generation,
    pool::{PoolGroup, PoolSpec},
};
pub use boards::{BoardTuningDraft, MAX_BOARDS, TuningModeDraft};
pub use diff::SpecChange;
pub use draft::{GroupDraft, PoolDraft, SpecDraft};
use std::{collections::BTreeMap, fmt, time::SystemTime};

/// Most groups in a spec.
pub const MAX_GROUPS: usize = 8;
/// Most pools in a spec, over all groups: what one miner can keep statistics and standby connections for.
pub const MAX_POOLS: usize = 32;

/// Everything that can be wanted of one miner. Only [`SpecDraft::check`] makes one from outside data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MinerSpec {
    /// In order of preference.
    pub pool_groups: Vec<PoolGroup>,
    /// No hashing; pool connections stay up.
    pub paused: bool,
    /// What is wanted of boards, by board id or by model; the id wins field by field.
    pub boards: BTreeMap<String, BoardTuning>,
}

impl MinerSpec {
    /// All pools in order of preference.
    pub fn pools(&self) -> impl Iterator<Item = &PoolSpec> {
        self.pool_groups.iter().flat_map(|group| &group.pools)
    }
}

/// A spec together with its place in history.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecState {
    /// The spec.
    pub spec: MinerSpec,
    /// Counts the specs that this miner accepted; starts at 1.
    pub generation: Generation,
    /// Changes with every accepted spec.
    pub etag: String,
    /// Who wrote it.
    pub origin: SpecOrigin,
    /// Newest generation of the control plane's desired state that this miner accepted; 0 = none.
    pub control_generation: Generation,
    /// When it was accepted.
    pub accepted_at: SystemTime,
    /// What became of each part.
    pub sections: Vec<SpecSection>,
    /// Newest generation that is fully in force.
    pub observed_generation: Generation,
    /// When the spec before it comes back unless this one is confirmed; `None` = it stays.
    pub reverts_at: Option<SystemTime>,
}

/// Who wrote a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecOrigin {
    /// Configuration file, environment or flags.
    Configuration,
    /// An operator on the miner's own API.
    Local,
    /// The control plane.
    Control,
    /// Nobody: the stored spec could not be read.
    Recovery,
    /// Nobody: a change was not confirmed in time, and the spec before it came back.
    Reverted,
}

/// What became of one part of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecSection {
    /// `pool_groups`, `paused` or `boards`.
    pub path: &'static str,
    /// Why it is not in force yet; `None` when it is.
    pub applying: Option<String>,
    /// Whether somebody who must make it true refuses to, so that it will not be by itself.
    pub refused: bool,
}

/// One field of outside data that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example `pool_groups[main].pools[0].url`.
    pub field: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// All that is wrong with a piece of outside data; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Problem { field, reason }) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{field}: {reason}")?;
        }
        Ok(())
    }
}
