//! Specs to test with.

use super::{
    SpecParts, SpecRequest,
    step::{Entry, Fresh},
};
use mujina_core::{
    id::Generation,
    pool::{PoolGroup, PoolStrategy},
    spec::{GroupDraft, MinerSpec, PoolDraft, SpecDraft, SpecOrigin},
    text::Secret,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

/// One pool with this user.
pub(crate) fn draft(user: &str) -> SpecDraft {
    let pool = PoolDraft { name: "primary".into(), url: URL.into(), user: user.into(), ..PoolDraft::default() };
    let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
    SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }
}

/// The same with a password.
pub(crate) fn draft_with_password(user: &str, password: &str) -> SpecDraft {
    let mut draft = draft(user);
    draft.pool_groups[0].pools[0].password = Some(Secret::from(password));
    draft
}

pub(crate) fn groups(user: &str) -> Vec<PoolGroup> {
    draft(user).check(None).unwrap().pool_groups
}

/// Generation 7, written by an operator, after generation 4 of the control plane.
pub(crate) fn entry(pool_groups: Vec<PoolGroup>) -> Entry {
    Entry {
        spec: MinerSpec { pool_groups, ..MinerSpec::default() },
        generation: Generation(7),
        etag: "etag-7".into(),
        origin: SpecOrigin::Local,
        control_generation: Generation(4),
        accepted_at: moment(700),
        trial: None,
    }
}

pub(crate) fn fresh(number: u64) -> Fresh {
    Fresh { now: moment(1000 + number), etag: format!("fresh-{number}") }
}

pub(crate) fn moment(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

/// An operator's request for the whole spec.
pub(crate) fn request(draft: SpecDraft) -> SpecRequest {
    SpecRequest {
        draft,
        parts: SpecParts::ALL,
        etag: String::new(),
        request_id: String::new(),
        validate_only: false,
        confirm_within: None,
        origin: SpecOrigin::Local,
        control_generation: None,
        reason: String::new(),
    }
}

/// A request for the pause alone.
pub(crate) fn pause(paused: bool) -> SpecRequest {
    let draft = SpecDraft { paused, ..SpecDraft::default() };
    SpecRequest { parts: SpecParts::PAUSED, ..request(draft) }
}
