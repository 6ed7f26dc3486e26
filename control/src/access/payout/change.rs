//! Changing the allow-list: one admin proposes, another approves within a day. Pure.

use super::{MAX_ENTRIES, PayoutEntry, PayoutGuard};
use crate::access::{
    Subject,
    apart::{ApartError, Wish},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// How long a proposal waits for approval.
pub const PROPOSAL_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The list with its place in history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutList {
    /// What it allows.
    pub guard: PayoutGuard,
    /// Counts the changes; 0 = never set up.
    pub version: u64,
}

/// The list that nobody has set up.
impl Default for PayoutList {
    fn default() -> Self {
        Self { guard: PayoutGuard::Off, version: 0 }
    }
}

/// What somebody wants of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// These entries instead of all that were.
    Entries(Vec<PayoutEntry>),
    /// No guard.
    TurnOff,
}

/// A change that waits for a second admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Unique id.
    pub id: String,
    /// What is wanted.
    pub change: Change,
    /// Version of the list that it was made for.
    pub base: u64,
    /// The person who proposed it.
    pub by: String,
    /// When.
    pub at: SystemTime,
}

impl Proposal {
    /// What must be approved by somebody else.
    #[must_use]
    pub fn wish(&self) -> Wish<'_> {
        Wish { by: &self.by, at: self.at }
    }
}

/// What becomes of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// It is in force: the first list needs no approval.
    InForce(PayoutList),
    /// Another admin must approve it.
    Waits(Proposal),
}

/// Why a change is refused; the list stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// An empty list would allow nothing.
    #[error("an allow-list without entries would stop every change of pools; name some, or turn the guard off")]
    Empty,
    /// More than anybody can oversee.
    #[error("{0} entries are too many; use at most {MAX_ENTRIES}")]
    TooMany(usize),
    /// There is nothing to turn off.
    #[error("the payout guard was never set up, so there is nothing to turn off")]
    NeverSetUp,
    /// Who approves must be somebody else.
    #[error("{0} proposed this change; another admin must approve it")]
    SamePerson(String),
    /// The two may be one.
    #[error(transparent)]
    Apart(#[from] ApartError),
    /// Approved too late.
    #[error("the proposal is older than a day; propose the change again")]
    Expired,
    /// The list is not the one that it was made for.
    #[error("the list changed since this was proposed (version {now}, not {base}); propose the change again")]
    Outdated {
        /// The version that it was made for.
        base: u64,
        /// The version now.
        now: u64,
    },
}

impl Change {
    fn check(&self) -> Result<(), ChangeError> {
        match self {
            Self::Entries(entries) if entries.is_empty() => Err(ChangeError::Empty),
            Self::Entries(entries) if entries.len() > MAX_ENTRIES => Err(ChangeError::TooMany(entries.len())),
            Self::Entries(_) | Self::TurnOff => Ok(()),
        }
    }

    fn applied(self, version: u64) -> PayoutList {
        let guard = match self {
            Self::Entries(entries) => PayoutGuard::On(entries),
            Self::TurnOff => PayoutGuard::Off,
        };
        PayoutList { guard, version: version.saturating_add(1) }
    }
}

impl PayoutList {
    /// An admin wants a change. Whether they are one was decided before.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub fn propose(&self, change: Change, by: &Subject, id: String, now: SystemTime) -> Result<Proposed, ChangeError> {
        change.check()?;
        if self.version == 0 {
            return match change {
                Change::Entries(_) => Ok(Proposed::InForce(change.applied(self.version))),
                Change::TurnOff => Err(ChangeError::NeverSetUp),
            };
        }
        Ok(Proposed::Waits(Proposal { id, change, base: self.version, by: by.person(), at: now }))
    }

    /// Another admin approves. Whether the two could be one is for [`crate::access::apart`] to say.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub fn approve(&self, proposal: &Proposal, by: &Subject, now: SystemTime) -> Result<Self, ChangeError> {
        let Proposal { id: _, change, base, by: proposer, at } = proposal;
        change.check()?;
        if *proposer == by.person() {
            return Err(ChangeError::SamePerson(proposer.clone()));
        }
        // A clock that went back makes it no younger than new.
        if now.duration_since(*at).unwrap_or_default() >= PROPOSAL_LIFE {
            return Err(ChangeError::Expired);
        }
        if *base != self.version {
            return Err(ChangeError::Outdated { base: *base, now: self.version });
        }
        Ok(change.clone().applied(self.version))
    }
}
