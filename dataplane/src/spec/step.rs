//! What a request means for the spec in force: refused, nothing new, or accepted with what must be told to whom.
//!
//! Pure: the actor brings the request, the time and a fresh etag, stores what is accepted here, and acts. A refused request
//! changes nothing by construction: it yields an error and no entry.

use super::{
    SpecError, SpecOutcome, SpecParts, SpecRequest,
    trial::{self, Trial},
};
use mujina_core::{
    board::BoardTuning,
    id::Generation,
    pool::PoolGroup,
    spec::{MinerSpec, Problem, Problems, SpecChange, SpecDraft, SpecOrigin},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::SystemTime,
};

/// Requests that are remembered for repeats: more than can be under way.
const REMEMBERED: usize = 64;
/// Longest request id in bytes: bounds what is remembered.
const MAX_REQUEST_ID: usize = 255;

/// An accepted spec and its place in history: what is kept on disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) spec: MinerSpec,
    pub(crate) generation: Generation,
    pub(crate) etag: String,
    pub(crate) origin: SpecOrigin,
    pub(crate) control_generation: Generation,
    pub(crate) accepted_at: SystemTime,
    /// What it goes back to, and when; `None` = it stays.
    pub(crate) trial: Option<Trial>,
}

/// What a step cannot make itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) now: SystemTime,
    /// Never used before.
    pub(crate) etag: String,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// Nothing changes.
    Refused(SpecError),
    /// It was answered before, like this.
    Repeated(Box<SpecOutcome>),
    /// Nothing to store: it asks for what is so already, or only for a check.
    Unchanged(Vec<SpecChange>),
    /// To be stored, then made true.
    Accepted(Box<Accepted>),
}

/// A new entry, and what differs from the one before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) entry: Entry,
    pub(crate) changes: Vec<SpecChange>,
    /// For the source.
    pub(crate) pools: Option<Vec<PoolGroup>>,
    /// For the scheduler.
    pub(crate) paused: Option<bool>,
    /// For the boards.
    pub(crate) boards: Option<BTreeMap<String, BoardTuning>>,
}

/// Decides on one request.
pub(crate) fn decide(current: &Entry, repeats: &Repeats, request: &SpecRequest, fresh: Fresh) -> Decision {
    if let Some(known) = repeats.find(request) {
        return known;
    }
    if let Err(error) = check_place(current, request) {
        return Decision::Refused(error);
    }
    let spec = match merge(&current.spec, request) {
        Ok(spec) => spec,
        Err(problems) => return Decision::Refused(SpecError::Invalid(problems)),
    };
    let changes = current.spec.diff(&spec);
    if request.validate_only || !counts(current, request, &changes) {
        return Decision::Unchanged(changes);
    }
    let entry = Entry {
        trial: request.confirm_within.map(|within| Trial::begin(current, within, fresh.now)),
        spec,
        generation: current.generation.next(),
        etag: fresh.etag,
        origin: request.origin,
        control_generation: request.control_generation.unwrap_or(current.control_generation),
        accepted_at: fresh.now,
    };
    Decision::Accepted(Box::new(Accepted::after(current, entry)))
}

impl Accepted {
    /// What an entry brings that follows another.
    pub(super) fn after(current: &Entry, entry: Entry) -> Self {
        let (before, spec) = (&current.spec, &entry.spec);
        Self {
            changes: before.diff(spec),
            pools: (spec.pool_groups != before.pool_groups).then(|| spec.pool_groups.clone()),
            paused: (spec.paused != before.paused).then_some(spec.paused),
            boards: (spec.boards != before.boards).then(|| spec.boards.clone()),
            entry,
        }
    }
}

/// Whether the request may follow what is in force.
fn check_place(current: &Entry, request: &SpecRequest) -> Result<(), SpecError> {
    if request.request_id.len() > MAX_REQUEST_ID {
        let reason = format!("has {} bytes; use at most {MAX_REQUEST_ID}", request.request_id.len());
        return Err(SpecError::Invalid(Problems(vec![Problem { field: "request_id".into(), reason }])));
    }
    if let Some(problem) = request.confirm_within.and_then(trial::problem) {
        return Err(SpecError::Invalid(Problems(vec![problem])));
    }
    match request.control_generation {
        Some(asked) if asked < current.control_generation => {
            return Err(SpecError::StaleGeneration { asked, accepted: current.control_generation });
        }
        _ => {}
    }
    if request.etag.is_empty() || request.etag == current.etag {
        Ok(())
    } else {
        Err(SpecError::EtagMismatch { current: current.etag.clone() })
    }
}

/// The whole spec that the request asks for. Only the parts it speaks of are checked.
fn merge(current: &MinerSpec, request: &SpecRequest) -> Result<MinerSpec, Problems> {
    let SpecDraft { pool_groups, paused, boards } = request.draft.clone();
    let SpecParts { pool_groups: of_pools, paused: of_pause, boards: of_boards } = request.parts;
    let spoken_of = SpecDraft {
        pool_groups: if of_pools { pool_groups } else { Vec::new() },
        paused,
        boards: if of_boards { boards } else { BTreeMap::new() },
    };
    let checked = spoken_of.check(Some(current))?;
    Ok(MinerSpec {
        pool_groups: if of_pools { checked.pool_groups } else { current.pool_groups.clone() },
        paused: if of_pause { checked.paused } else { current.paused },
        boards: if of_boards { checked.boards } else { current.boards.clone() },
    })
}

/// Whether there is something to store. Besides a change, that is a newer wish of the control plane even if it wants the
/// same, the pools that somebody vouches for after the stored ones were lost, and a spec that is to stay although it was not
/// confirmed yet.
fn counts(current: &Entry, request: &SpecRequest, changes: &[SpecChange]) -> bool {
    !changes.is_empty()
        || request.control_generation.is_some_and(|asked| asked > current.control_generation)
        || (current.origin == SpecOrigin::Recovery && request.parts.pool_groups)
        || (request.confirm_within.is_none()
            && current.trial.as_ref().is_some_and(|trial| trial.is_vouched_for(&current.spec, request.parts)))
}

/// Answers to the newest requests that carried an id. In memory only: after a restart an etag or a control generation
/// keeps a repeat from doing harm, and applying the same spec twice changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Repeats(VecDeque<(SpecRequest, SpecOutcome)>);

impl Repeats {
    /// Remembers how a request was answered; the oldest is forgotten.
    pub(crate) fn remember(&mut self, request: SpecRequest, outcome: SpecOutcome) {
        if request.request_id.is_empty() || request.validate_only {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((request, outcome));
    }

    fn find(&self, request: &SpecRequest) -> Option<Decision> {
        if request.request_id.is_empty() {
            return None;
        }
        let (known, outcome) = self.0.iter().find(|(known, _)| known.request_id == request.request_id)?;
        let wish = |request: &SpecRequest| (request.parts, request.origin, request.confirm_within);
        if known.draft == request.draft && wish(known) == wish(request) {
            return Some(Decision::Repeated(Box::new(outcome.clone())));
        }
        let reason = "was used for another change; use a new id for every change".into();
        let problem = Problem { field: "request_id".into(), reason };
        Some(Decision::Refused(SpecError::Invalid(Problems(vec![problem]))))
    }
}

#[cfg(test)]
mod tests;
