//! Profiles: parts of a spec that are wanted of every miner with certain labels, and what follows from them for one miner.
//!
//! A profile says some fields of a spec and is silent on the others. Of all profiles that select a miner, the one with the
//! highest priority that says a field has it; what is wanted of the miner itself comes before all of them. Pool groups are
//! one field: the list is taken whole, never mixed from several profiles, so that nobody mines for a pool that no single
//! profile names. What is wanted of boards is mixed field by field.
//!
//! [`resolve`](resolve::resolve) and [`affected`](resolve::affected) are pure; [`Profiles`] keeps what they are asked of.

mod follow;
mod fragment;
mod keep;
mod own;
mod permit;
pub mod resolve;

use crate::selector::Selector;
pub(crate) use follow::Busy;
pub use fragment::{Fragment, TuningFragment};
pub use keep::{ProfileError, ProfileOutcome, ProfileRequest, Profiles, Resolution};
use mujina_core::id::{Generation, ProfileName};
pub(crate) use permit::{permit, with_kept_passwords};

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// The miners that it is for.
    pub selector: Selector,
    /// The greater wins.
    pub priority: i32,
    /// What it says.
    pub fragment: Fragment,
    /// Changes with every write.
    pub etag: String,
    /// Counts its writes.
    pub generation: Generation,
}
