//! What a miner's spec is called now, and what to do about it, with the time taken into account. Pure.
//!
//! ```text
//! in force ── somebody writes on the miner ──▶ overridden ── time is up ──────────▶ sent again ──▶ in force
//!                                               │    ▲       or a spec is written
//!                                               └────┘ to take over
//!                                    changed again there: a new span
//! ```
//!
//! A change made on the miner itself is neither lost nor kept in silence: it shows as an override with an end, its begin and
//! end are events, and no profile or rollout overwrites it before. Only who writes to take over ends it early
//! ([`LocalChange::yield_to`]).

use super::{
    Agreement, Confirmed, Memory, Plan, SyncState,
    plan::{in_force, plan as compare, send},
};
use crate::spec::{DesiredState, merge::same_but_passwords};
use mujina_core::{id::Generation, spec::SpecOrigin};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// How long a change made on a miner is respected unless somebody says otherwise.
pub const OVERRIDE: Duration = Duration::from_secs(24 * 60 * 60);

/// A change that was made on the miner itself. Kept in the store, so that its end does not depend on this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalChange {
    /// The miner's own count of specs: another count is another change.
    pub generation: Generation,
    /// When it was seen first.
    pub seen_at: SystemTime,
    /// When the desired state is applied again.
    pub until: SystemTime,
    /// Desired states from this generation on were written to take over, and do not wait.
    pub yields_to: Option<Generation>,
    /// The desired state that was applied over it and changed nothing, so that the miner still names the local writer.
    pub settled: Option<Generation>,
}

impl LocalChange {
    /// Sets another end, which may be now.
    pub fn hold_until(&mut self, until: SystemTime) {
        self.until = until;
    }

    /// Desired states from `generation` on take over.
    pub fn yield_to(&mut self, generation: Generation) {
        self.yields_to = Some(generation);
    }

    /// The miner accepted `generation` without counting further: it had nothing to change.
    pub fn settle(&mut self, generation: Generation) {
        self.settled = Some(generation);
    }

    /// With a clock that was set back since it was seen: it holds no longer than it was to.
    fn as_of(self, now: SystemTime) -> Self {
        match self.seen_at.duration_since(now) {
            Ok(back) if !back.is_zero() => {
                Self { seen_at: now, until: self.until.checked_sub(back).unwrap_or(now), ..self }
            }
            _ => self,
        }
    }

    fn holds(&self, desired: Generation, now: SystemTime) -> bool {
        now < self.until && self.yields_to.is_none_or(|from| desired < from)
    }
}

/// Whether a miner is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Not tried yet, or it is.
    Open,
    /// It is not.
    Lost {
        /// Since when.
        since: SystemTime,
        /// Why not.
        reason: String,
    },
}

/// All that a judgement rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What is wanted.
    pub desired: Option<&'a DesiredState>,
    /// What the miner said last.
    pub confirmed: Option<&'a Confirmed>,
    /// Whether it is reached.
    pub reach: &'a Reach,
    /// How it took what it was sent.
    pub memory: &'a Memory,
    /// The change made on the miner that is known of.
    pub local: Option<&'a LocalChange>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// How it is called.
    pub agreement: Agreement,
    /// What to do.
    pub plan: Plan,
    /// The change made on the miner, to be kept for the next judgement; `None` when there is none any more.
    pub local: Option<LocalChange>,
    /// What people are told, once.
    pub events: Vec<Event>,
}

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody changed the miner itself.
    Overridden {
        /// Until when that is respected.
        until: SystemTime,
    },
    /// A change made on the miner itself is over.
    OverrideEnded {
        /// How.
        how: OverrideEnd,
    },
}

/// How a change made on a miner ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverrideEnd {
    /// Its time was up, and the desired state was applied.
    Expired,
    /// A desired state was written to take over.
    TakenOver,
    /// Neither: the miner lost its spec, or obeys another control plane.
    Gone,
}

/// Judges a miner at `now`; a change made there is respected for `span`.
#[must_use]
pub fn judge(situation: &Situation<'_>, span: Duration, now: SystemTime) -> Judgement {
    let Situation { desired, confirmed, reach, memory, local } = *situation;
    if let (Some(_), Reach::Lost { since, reason }) = (desired, reach) {
        // What it did meanwhile is known when it returns; an override ends by the clock all the same.
        let agreement = Agreement { state: SyncState::Unreachable, reason: reason.clone(), at: Some(*since) };
        let plan = Plan::Wait("the miner is not reached".into());
        return Judgement { agreement, plan, local: local.cloned(), events: Vec::new() };
    }
    let compared = compare(desired, confirmed, memory);
    let (Some(desired), Some(confirmed)) = (desired, confirmed) else {
        return judged(compared, local.cloned(), Vec::new());
    };
    // What one change made on the miner went back to is another.
    let is_reverted = confirmed.origin == SpecOrigin::Reverted && local.is_some() && compared != Plan::InSync;
    let is_local = is_local(confirmed) || is_reverted;
    if !is_local || confirmed.control_generation > desired.generation {
        let end = |local: &LocalChange| Event::OverrideEnded { how: how_it_ended(local, confirmed, now) };
        return judged(compared, None, local.map(end).into_iter().collect());
    }
    let known = local.filter(|local| local.generation == confirmed.generation).cloned().map(|local| local.as_of(now));
    let is_new = known.is_none();
    let local = known.unwrap_or_else(|| LocalChange {
        generation: confirmed.generation,
        seen_at: now,
        until: now + span,
        yields_to: None,
        settled: None,
    });
    let events = if is_new { vec![Event::Overridden { until: local.until }] } else { Vec::new() };
    let plan = match () {
        () if local.settled == Some(desired.generation) => settled(desired, confirmed),
        () if local.holds(desired.generation, now) => Plan::Hold(local.until),
        () => send(desired, confirmed, memory),
    };
    judged(plan, Some(local), events)
}

fn judged(plan: Plan, local: Option<LocalChange>, events: Vec<Event>) -> Judgement {
    Judgement { agreement: plan.agreement(), plan, local, events }
}

/// Whether somebody wrote on the miner after it had obeyed this control plane. One that never obeyed may be taken over.
fn is_local(confirmed: &Confirmed) -> bool {
    let by_others = match confirmed.origin {
        SpecOrigin::Local | SpecOrigin::Configuration => true,
        SpecOrigin::Control | SpecOrigin::Recovery | SpecOrigin::Reverted => false,
    };
    by_others && confirmed.control_generation > Generation(0)
}

fn how_it_ended(local: &LocalChange, confirmed: &Confirmed, now: SystemTime) -> OverrideEnd {
    let is_ours = confirmed.origin == SpecOrigin::Control;
    match () {
        () if is_ours && local.yields_to.is_some_and(|from| confirmed.control_generation >= from) => {
            OverrideEnd::TakenOver
        }
        () if is_ours && now >= local.until => OverrideEnd::Expired,
        () => OverrideEnd::Gone,
    }
}

/// Nothing differed when the desired state was applied again.
fn settled(desired: &DesiredState, confirmed: &Confirmed) -> Plan {
    match &confirmed.spec {
        Some(spec) if !same_but_passwords(spec, &desired.wanted.spec) => Plan::Drifted(
            "the miner says that it holds the desired state and shows another; write a spec to take over".into(),
        ),
        _ => in_force(confirmed),
    }
}

#[cfg(test)]
mod tests;
