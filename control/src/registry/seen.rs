//! What is seen of a miner, as rollouts take it.

use super::{
    Miner, Reachability,
    session::{live_ledger, spoken, spoken_of},
};
use crate::rollout::{FaultKey, Seen};
use mujina_core::text::{PEER_TEXT_BYTES, sanitise};
use mujina_proto::types::v1;

impl Miner {
    /// What is seen of it now.
    #[must_use]
    pub(crate) fn seen(&self) -> Seen {
        let view = self.view();
        let status = view.status.as_ref();
        let fault = |fault: &v1::Fault| FaultKey {
            reason: sanitise(&fault.reason, PEER_TEXT_BYTES),
            subject: sanitise(&fault.subject, PEER_TEXT_BYTES),
        };
        Seen {
            heard_at: status.map(|(_, at)| *at).max(view.heard_at),
            desired: view.desired_generation,
            sync: view.agreement.state,
            reason: view.agreement.reason.clone(),
            waits_for_turn: view.waits_for_turn,
            is_on_trial: view.is_on_trial,
            is_away: matches!(view.reachability, Reachability::Unreachable(_)),
            has_status: status.is_some(),
            // One from before a change in force proves nothing of it.
            is_of_spec: status
                .zip(view.spec_state.as_deref())
                .is_some_and(|((status, _), spec)| spoken_of(status) == spoken(spec)),
            live: status.and_then(|(status, _)| live_ledger(status)),
            faults: status.into_iter().flat_map(|(status, _)| &status.faults).map(fault).collect(),
        }
    }
}
