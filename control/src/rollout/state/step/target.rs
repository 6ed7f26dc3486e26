//! What one target makes of what is seen of it. Pure.

use super::super::{FaultKey, Phase, Revert, Seen, Target};
use crate::{
    reconcile::{SyncState, evidence::has_new_share},
    rollout::Strategy,
};
use mujina_core::{
    id::Generation,
    text::{PEER_TEXT_BYTES, sanitise},
};
use std::time::{Duration, SystemTime};

impl Target {
    /// Moves as far as what is seen and the time allow.
    pub(super) fn observe(&mut self, seen: Option<&Seen>, strategy: &Strategy, now: SystemTime) {
        if let Some(seen) = seen.filter(|seen| seen.is_current()) {
            self.note_baseline(seen);
        }
        match self.phase {
            Phase::Applying | Phase::InForce => self.observe_change(seen, strategy, now),
            Phase::Proved => {
                if let (Some(seen), Some(applied)) = (seen, self.applied)
                    && seen.desired > applied.generation
                {
                    self.phase = Phase::Superseded;
                }
            }
            Phase::Reverting | Phase::RevertFailed => self.observe_revert(seen, strategy, now),
            Phase::Waiting | Phase::Ordered | Phase::Refused | Phase::Reverted | Phase::Superseded => {}
        }
    }

    /// Takes the first status that arrives for what could not be known before it.
    fn note_baseline(&mut self, seen: &Seen) {
        self.faults_before.get_or_insert_with(|| seen.faults.clone());
        if !self.has_baseline && self.phase != Phase::Waiting {
            self.ledger_before = seen.live.clone();
            self.has_baseline = true;
        }
    }

    fn observe_change(&mut self, seen: Option<&Seen>, strategy: &Strategy, now: SystemTime) {
        let Some(applied) = &mut self.applied else { return };
        if seen.is_some_and(|seen| seen.waits_for_turn && seen.desired == applied.generation) {
            wait_on(&mut applied.at, strategy.confirm_within, now);
        }
        let applied = *applied;
        let of_it = seen.filter(|seen| seen.desired == applied.generation);
        if seen.is_some_and(|seen| seen.desired > applied.generation) {
            self.phase = Phase::Superseded;
            return;
        }
        if let Some(seen) = of_it {
            match seen.sync {
                SyncState::InSync => {
                    self.phase = Phase::InForce;
                    let was_heard = seen.heard_at.is_some_and(|at| at > applied.at);
                    let has_share = seen.is_of_spec && has_new_share(self.ledger_before.as_ref(), seen.live.as_ref());
                    if was_heard && (has_share || !strategy.gates.first_share) {
                        self.phase = Phase::Proved;
                    }
                }
                SyncState::Rejected | SyncState::Drifted | SyncState::Overridden => {
                    self.fail(format!("generation {} {}", applied.generation, why(seen)), now);
                }
                SyncState::Applying | SyncState::Unreachable | SyncState::NothingWanted => {}
            }
        }
        let is_overdue = now >= applied.at + strategy.confirm_within;
        let within = strategy.confirm_within.as_secs();
        match self.phase {
            Phase::Applying if is_overdue => {
                let seen = of_it.map_or_else(|| "nothing was heard of it".into(), why);
                self.fail(format!("generation {} was not in force within {within} s: {seen}", applied.generation), now);
            }
            Phase::InForce if is_overdue => {
                self.fail(format!("no share was accepted within {within} s of generation {}", applied.generation), now);
            }
            _ => {}
        }
    }

    fn observe_revert(&mut self, seen: Option<&Seen>, strategy: &Strategy, now: SystemTime) {
        // Until it is stored, every step asks for it again.
        let Some(Revert { since, generation: Some(generation) }) = &mut self.revert else { return };
        if seen.is_some_and(|seen| seen.waits_for_turn && seen.desired == *generation) {
            wait_on(since, strategy.confirm_within, now);
        }
        let (since, generation) = (*since, *generation);
        match seen {
            Some(seen) if seen.desired > generation => self.phase = Phase::Superseded,
            Some(seen) if seen.desired == generation && seen.sync == SyncState::InSync => self.phase = Phase::Reverted,
            _ if now >= since + strategy.confirm_within => self.phase = Phase::RevertFailed,
            _ => {}
        }
    }

    fn fail(&mut self, why: String, now: SystemTime) {
        self.failure = Some(why);
        self.revert(now);
    }

    /// Sends it back to where it was.
    pub(super) fn revert(&mut self, now: SystemTime) {
        self.phase = Phase::Reverting;
        self.revert = Some(Revert { since: now, generation: None });
    }

    /// Orders its change, with what it must be compared with later.
    pub(super) fn order(&mut self, seen: Option<&Seen>) {
        self.phase = Phase::Ordered;
        let known = seen.filter(|seen| seen.is_current());
        self.has_baseline = known.is_some();
        self.ledger_before = known.and_then(|seen| seen.live.clone());
    }

    /// Faults that were not there when its wave began.
    pub(super) fn new_faults<'a>(&'a self, seen: Option<&'a Seen>) -> impl Iterator<Item = &'a FaultKey> {
        let known = seen.zip(self.faults_before.as_ref());
        known.into_iter().flat_map(|(seen, before)| seen.faults.difference(before))
    }

    /// Whether it neither waits nor is on its way.
    pub(super) fn is_through(&self) -> bool {
        match self.phase {
            Phase::Waiting | Phase::Ordered | Phase::Applying | Phase::InForce | Phase::Reverting => false,
            Phase::Proved | Phase::Refused | Phase::Reverted | Phase::RevertFailed | Phase::Superseded => true,
        }
    }

    /// What is wanted of it by this rollout now.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.applied.map(|applied| applied.generation)
    }
}

/// Time for a miner to prove the change before, which is a place to go back to only then: a share that it found just now is
/// known soon. One that does not prove it is not kept from a change that may help.
pub(super) const SETTLING: Duration = Duration::from_secs(15);

/// Whether it can be ordered in a wave of then: what it is compared with later is known, or it is known to be away. After a
/// restart that takes a moment; one that nobody knows any more is refused.
pub(super) fn is_ready(seen: Option<&Seen>, wave_since: SystemTime, now: SystemTime) -> bool {
    seen.is_none_or(|seen| seen.is_away || seen.has_status && (!seen.is_on_trial || now >= wave_since + SETTLING))
}

/// The time of a miner that awaits its turn has not begun. It is moved on seldom, as each move is written down.
fn wait_on(since: &mut SystemTime, within: Duration, now: SystemTime) {
    if now >= *since + within / 4 {
        *since = now;
    }
}

/// Where a miner stands, in words.
pub(super) fn why(seen: &Seen) -> String {
    let state = match seen.sync {
        SyncState::NothingWanted => "is not known yet",
        SyncState::InSync => "is in force",
        SyncState::Applying => "is being applied",
        SyncState::Drifted | SyncState::Overridden => "was changed on the miner itself",
        SyncState::Rejected => "was rejected",
        SyncState::Unreachable => "cannot be known: the miner is not reached",
    };
    let reason = sanitise(&seen.reason, PEER_TEXT_BYTES);
    if reason.is_empty() { state.into() } else { format!("{state} ({reason})") }
}
