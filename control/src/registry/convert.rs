//! What miners say, as values.

use crate::{
    operation::{Phase, ReconnectResult},
    reconcile::Confirmed,
};
use mujina_core::{
    id::Generation,
    spec::{SpecDraft, SpecOrigin},
    text::{PEER_TEXT_BYTES, sanitise},
};
use mujina_proto::{convert::length, dataplane, types::v1};

/// What a miner confirms of its spec.
pub(super) fn confirmed(state: &v1::SpecState) -> Confirmed {
    let spec = state.spec.clone().unwrap_or_default();
    let pools = spec.pool_groups.iter().flat_map(|group| &group.pools);
    let passwords_set = pools.filter(|pool| pool.password_set).filter_map(|pool| pool.name.parse().ok()).collect();
    let those = |state_of: v1::SpecSectionState| {
        let sections = state.sections.iter().filter(|section| section.state() == state_of);
        let said: Vec<_> = sections.map(|section| format!("{}: {}", section.path, section.reason)).collect();
        sanitise(&said.join("; "), PEER_TEXT_BYTES)
    };
    Confirmed {
        spec: SpecDraft::from(spec).check(None).ok(),
        passwords_set,
        generation: Generation(state.generation),
        observed_generation: Generation(state.observed_generation),
        control_generation: Generation(state.control_generation),
        origin: match state.origin() {
            v1::SpecOrigin::Configuration => SpecOrigin::Configuration,
            v1::SpecOrigin::Control => SpecOrigin::Control,
            v1::SpecOrigin::Recovery => SpecOrigin::Recovery,
            v1::SpecOrigin::Reverted => SpecOrigin::Reverted,
            // An origin that this version does not know is somebody else's.
            v1::SpecOrigin::Local | v1::SpecOrigin::Unspecified => SpecOrigin::Local,
        },
        waiting_for: those(v1::SpecSectionState::Applying),
        refused: Some(those(v1::SpecSectionState::Refused)).filter(|said| !said.is_empty()),
    }
}

pub(super) fn phase(phase: v1::ConnectPhase) -> Phase {
    let v1::ConnectPhase { name, elapsed, detail } = phase;
    let elapsed = length("elapsed", elapsed).ok().flatten().unwrap_or_default();
    Phase { name: sanitise(&name, PEER_TEXT_BYTES), elapsed, detail: sanitise(&detail, PEER_TEXT_BYTES) }
}

pub(super) fn result(result: dataplane::v1::ReconnectResult) -> ReconnectResult {
    let dataplane::v1::ReconnectResult { pool, connection_id, work_gap, shares_lost, phases } = result;
    ReconnectResult {
        pool: sanitise(&pool, PEER_TEXT_BYTES),
        connection: connection_id,
        work_gap: length("work_gap", work_gap).ok().flatten(),
        shares_lost,
        phases: phases.into_iter().map(phase).collect(),
    }
}
