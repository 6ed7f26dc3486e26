//! Miners as messages.

use crate::{
    reconcile::SyncState,
    registry::{Miner, MinerView, Reachability},
};
use mujina_proto::{control::v1, convert::timestamp, types};
use std::time::Duration;

/// Window of the rate that sums are made of: long enough to mean something, short enough to follow a pause.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// How much is told of a miner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Everything.
    Full,
    /// Of the status only the totals.
    Basic,
}

impl From<v1::MinerView> for How {
    fn from(view: v1::MinerView) -> Self {
        match view {
            v1::MinerView::Unspecified | v1::MinerView::Full => Self::Full,
            v1::MinerView::Basic => Self::Basic,
        }
    }
}

pub(super) fn message(miner: &Miner, view: &MinerView, how: How) -> v1::Miner {
    let (reachability, unreachable_reason) = match &view.reachability {
        Reachability::Untried => (v1::MinerReachability::Unspecified, ""),
        Reachability::Connected => (v1::MinerReachability::Connected, ""),
        Reachability::Unreachable(reason) => (v1::MinerReachability::Unreachable, reason.as_str()),
    };
    let status = view.status.as_ref().map(|(status, _)| match how {
        How::Full => types::v1::MinerStatus::clone(status),
        How::Basic => basic(status),
    });
    v1::Miner {
        name: miner.name.to_string(),
        address: miner.address.as_ref().map(ToString::to_string).unwrap_or_default(),
        reachability: reachability.into(),
        reachability_since: Some(timestamp(view.since)),
        unreachable_reason: unreachable_reason.into(),
        sync_state: sync_state(view.agreement.state).into(),
        sync_reason: view.agreement.reason.clone(),
        desired_generation: view.desired_generation.0,
        acknowledged_generation: view.confirmed.as_ref().map_or(0, |confirmed| confirmed.control_generation.0),
        status,
        status_at: view.status.as_ref().map(|(_, at)| timestamp(*at)),
        labels: miner.labels().iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        overridden_until: view.agreement.at.filter(|_| view.agreement.state == SyncState::Overridden).map(timestamp),
        quarantine_reason: miner.quarantine().as_deref().unwrap_or_default().into(),
    }
}

/// A status tree without its branches, which are most of it.
fn basic(status: &types::v1::MinerStatus) -> types::v1::MinerStatus {
    let types::v1::MinerStatus {
        miner_id,
        name,
        version,
        started_at,
        observed_at,
        state,
        state_reason,
        state_since,
        generation,
        observed_generation,
        live_pool,
        pools: _,
        boards: _,
        totals,
        rates,
        nominal_hash_rate_hps,
        faults,
        boot_id,
        pool_pin,
    } = status;
    types::v1::MinerStatus {
        miner_id: miner_id.clone(),
        name: name.clone(),
        version: version.clone(),
        started_at: *started_at,
        observed_at: *observed_at,
        state: *state,
        state_reason: state_reason.clone(),
        state_since: *state_since,
        generation: *generation,
        observed_generation: *observed_generation,
        live_pool: live_pool.clone(),
        pools: Vec::new(),
        boards: Vec::new(),
        totals: totals.clone(),
        rates: rates.clone(),
        nominal_hash_rate_hps: *nominal_hash_rate_hps,
        faults: faults.clone(),
        boot_id: boot_id.clone(),
        pool_pin: pool_pin.clone(),
    }
}

/// The rate of a miner as far as it was observed.
pub(super) fn credited_hash_rate(status: &types::v1::MinerStatus) -> f64 {
    let is_meant = |rate: &&types::v1::RateEstimate| {
        rate.window.and_then(|window| Duration::try_from(window).ok()) == Some(WINDOW)
    };
    status.rates.iter().find(is_meant).and_then(|rate| rate.hash_rate_hps).unwrap_or_default()
}

pub(in super::super) fn sync_state(state: SyncState) -> v1::SyncState {
    match state {
        SyncState::NothingWanted => v1::SyncState::Unspecified,
        SyncState::InSync => v1::SyncState::InSync,
        SyncState::Applying => v1::SyncState::Applying,
        SyncState::Drifted => v1::SyncState::Drifted,
        SyncState::Overridden => v1::SyncState::Overridden,
        SyncState::Rejected => v1::SyncState::Rejected,
        SyncState::Unreachable => v1::SyncState::Unreachable,
    }
}
