//! Decides what to do about the difference between what is wanted and what a miner confirmed. Pure.

use super::{Agreement, Confirmed, SyncState};
use crate::spec::{DesiredState, Left, merge::same_but_passwords};
use mujina_core::{
    id::Generation,
    spec::{MinerSpec, SpecOrigin},
};
use std::time::SystemTime;

/// Refusals that may pass (somebody else wrote at the same time, the miner was busy) before a generation is given up.
pub const MOST_REFUSALS: u32 = 3;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing is wanted of this miner.
    Nothing,
    /// What is wanted is in force.
    InSync,
    /// Send the desired state of this generation.
    Send(Generation),
    /// The miner has accepted it, or was not heard yet; ask again later.
    Wait(String),
    /// Somebody changed the miner after it accepted the desired state: it is left alone.
    Drifted(String),
    /// Somebody changed the miner itself, and that is respected until this time. Only [`judge`](super::judge::judge) says so.
    Hold(SystemTime),
    /// It cannot be made true; only a new desired state can help.
    Rejected(String),
    /// The miner accepted it and cannot do all of it: the rest is in force.
    Impossible(String),
}

impl Plan {
    /// How people are told.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        let (state, reason) = match self {
            Self::Nothing => (SyncState::NothingWanted, ""),
            Self::InSync => (SyncState::InSync, ""),
            Self::Send(_) => (SyncState::Applying, "the desired state is on its way"),
            Self::Wait(reason) => (SyncState::Applying, reason.as_str()),
            Self::Drifted(reason) => (SyncState::Drifted, reason.as_str()),
            Self::Hold(until) => {
                let reason =
                    "somebody changed the spec on the miner itself; the desired state is applied again then".into();
                return Agreement { state: SyncState::Overridden, reason, at: Some(*until) };
            }
            Self::Rejected(reason) | Self::Impossible(reason) => (SyncState::Rejected, reason.as_str()),
        };
        Agreement { state, reason: reason.into(), at: None }
    }
}

/// How the miner took the generations that it was sent; forgotten with the process, which then asks once more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    generation: Generation,
    refusals: u32,
    refused: Option<String>,
    is_told: bool,
}

/// A generation is not sent to the miner any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaveUp {
    /// Which.
    pub generation: Generation,
    /// What the miner said last.
    pub reason: String,
}

impl Memory {
    /// The miner refused `generation` and will refuse it again.
    pub fn refused(&mut self, generation: Generation, reason: String) {
        *self = Self { generation, refusals: 0, refused: Some(reason), is_told: false };
    }

    /// The miner refused `generation` for a reason that may pass.
    pub fn refused_for_now(&mut self, generation: Generation, reason: String) {
        let before = if self.generation == generation { self.refusals } else { 0 };
        let refusals = before.saturating_add(1);
        let refused = (refusals >= MOST_REFUSALS).then_some(reason);
        *self = Self { generation, refusals, refused, is_told: false };
    }

    /// The event that a generation was given up, once.
    pub fn gave_up(&mut self) -> Option<GaveUp> {
        let news = self.refused.clone().filter(|_| !self.is_told)?;
        self.is_told = true;
        Some(GaveUp { generation: self.generation, reason: news })
    }

    fn verdict(&self, generation: Generation) -> Option<&str> {
        self.refused.as_deref().filter(|_| self.generation == generation)
    }
}

/// What to do about `desired`, given what the miner confirmed.
#[must_use]
pub fn plan(desired: Option<&DesiredState>, confirmed: Option<&Confirmed>, memory: &Memory) -> Plan {
    let Some(desired) = desired else { return Plan::Nothing };
    let Some(confirmed) = confirmed else { return Plan::Wait("the miner has not said yet what it does".into()) };
    let (wanted, accepted) = (desired.generation, confirmed.control_generation);
    if accepted > wanted {
        return Plan::Rejected(format!(
            "the miner accepted generation {accepted} of a desired state and this is {wanted}; write the spec again"
        ));
    }
    let is_recovered = confirmed.origin == SpecOrigin::Recovery;
    if accepted < wanted || is_recovered {
        return send(desired, confirmed, memory);
    }
    let is_same = |spec: &MinerSpec| same_but_passwords(spec, &desired.wanted.spec);
    if confirmed.origin == SpecOrigin::Reverted {
        if confirmed.spec.as_ref().is_some_and(is_same) {
            // A change made on the miner lapsed, and left what is wanted.
            return in_force(confirmed);
        }
        return Plan::Rejected(
            "the miner went back to the spec before, because this one was not confirmed in time".into(),
        );
    }
    if confirmed.origin != SpecOrigin::Control {
        return Plan::Drifted("somebody changed the spec on the miner itself; write a spec to take over again".into());
    }
    if confirmed.spec.as_ref().is_some_and(|spec| !is_same(spec)) {
        return Plan::Drifted("the miner holds a spec of another control plane; write a spec to take over".into());
    }
    in_force(confirmed)
}

/// How far a miner is that accepted it.
pub(super) fn in_force(confirmed: &Confirmed) -> Plan {
    match &confirmed.refused {
        _ if confirmed.observed_generation >= confirmed.generation => Plan::InSync,
        Some(reason) if confirmed.waiting_for.is_empty() => Plan::Impossible(reason.clone()),
        _ if confirmed.waiting_for.is_empty() => Plan::Wait("the miner is making it true".into()),
        _ => Plan::Wait(confirmed.waiting_for.clone()),
    }
}

/// Sends it, unless that is known to be in vain.
pub(super) fn send(desired: &DesiredState, confirmed: &Confirmed, memory: &Memory) -> Plan {
    if let Some(reason) = memory.verdict(desired.generation) {
        return Plan::Rejected(reason.into());
    }
    let lost = desired
        .wanted
        .left_to_miner
        .iter()
        .find(|(pool, left)| **left == Left::Kept && !confirmed.passwords_set.contains(*pool));
    match lost {
        Some((pool, _)) => Plan::Rejected(format!(
            "the password of pool {pool} was kept on the miner, which no longer has it; write the pool with its password"
        )),
        None => Plan::Send(desired.generation),
    }
}

#[cfg(test)]
mod tests;
