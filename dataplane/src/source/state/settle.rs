//! Brings what is closer to what is wanted.

use super::{Action, Activating, Now, SYNTHETIC, State};
use crate::{
    scheduler::SwitchReport,
    source::{
        connection::Connection,
        selector::{Candidate, Selector, Standing},
        transitions::Ordered,
    },
    trace::TraceParent,
};
use mujina_core::{id::ConnectionId, pool::PoolStrategy, status::TransitionReason};
use std::time::{Duration, Instant};
use tracing::{info, warn};

impl State {
    pub(super) fn settle(&mut self, now: Now) {
        self.end_pin(now.at);
        self.watch_target(now);
        let candidates = self.candidates(now);
        let selector =
            Selector { candidates: &candidates, standing: self.standing(), policy: &self.policy, now: now.at };
        let (choice, wanted, may_change) = (selector.choice(), selector.wanted(), selector.deadline());
        for (entry, wanted) in self.entries.iter_mut().zip(&wanted) {
            entry.want(*wanted, now.at);
        }
        if !self.stopping {
            self.connect_wanted(&wanted, now.at);
            self.activate(choice, &candidates, now.at);
            self.close_unwanted(&wanted, now.at);
        }
        let mut entries = std::mem::take(&mut self.entries);
        for (entry, wanted) in entries.iter_mut().zip(&wanted) {
            entry.observe(self.newest_of(&entry.spec), *wanted, now.wall);
        }
        self.entries = entries;
        self.deadline = self.next_deadline(may_change, &wanted, now.at);
    }

    /// When to look again; `may_change` is when the choice may change by itself.
    fn next_deadline(&self, may_change: Option<Instant>, wanted: &[bool], now: Instant) -> Option<Instant> {
        let retries =
            self.entries.iter().zip(wanted).filter(|(entry, wanted)| **wanted && self.newest_of(&entry.spec).is_none());
        let retries = retries.filter_map(|(entry, _)| entry.retry_at);
        let pin = self.pin.as_ref().map(|pin| pin.until);
        let look =
            self.live.and_then(|id| self.connections.get(&id)).and_then(|live| live.hardness.deadline(&self.policy));
        let turn = self.quotas.deadline(self.policy.quota_slice).filter(|at| *at > now);
        retries.chain(may_change).chain(pin).chain(look).chain(turn).min()
    }

    fn end_pin(&mut self, now: Instant) {
        if let Some(pin) = self.pin.take_if(|pin| pin.until <= now) {
            info!(pool.name = %pin.shown.pool, "pin is over");
            self.hint = Some(TransitionReason::Unpinned);
        }
    }

    /// A live pool whose shares are too rare is passed over while there is another.
    fn watch_target(&mut self, now: Now) {
        let Some(live) = self.live.and_then(|id| self.connections.get_mut(&id)) else { return };
        let Some(interval) = live.is_too_hard(now.hash_rate, &self.policy, now.at) else { return };
        let hours = interval.as_secs_f64() / 3600.0;
        warn!(pool.name = %live.pool, connection.id = %live.id, hours, "pool's target is too hard for this miner");
        let (id, until) = (live.id, now.at + self.policy.shun);
        if let Some(entry) = self.entry_of_mut(id) {
            let reason =
                format!("its target is so hard that a share takes {hours:.1} h; ask the pool for an easier one");
            entry.shun(until, reason);
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let live = self.live.and_then(|id| self.connections.get(&id));
        let pinned = self.pin.as_ref().map(|pin| &pin.shown.pool);
        Standing {
            live: live.and_then(|connection| self.entry_of(connection)),
            pinned: pinned.and_then(|pool| self.entries.iter().position(|entry| entry.spec.name == *pool)),
        }
    }

    /// Books the work since the last time on the way.
    fn candidates(&mut self, now: Now) -> Vec<Candidate> {
        let mut quotas = std::mem::take(&mut self.quotas);
        let live = self.live.and_then(|id| self.connections.get(&id)).map(|connection| &connection.pool);
        let usable: Vec<bool> =
            self.entries.iter().map(|entry| self.newest_of(&entry.spec).is_some_and(Connection::is_usable)).collect();
        let of = |pool: &_| self.entries.iter().position(|entry| entry.spec.name == *pool);
        let rate = now.hash_rate.map(mujina_core::units::HashRate::hashes_per_second);
        let works = |pool: &_| of(pool).and_then(|at| usable.get(at)).copied().unwrap_or_default();
        quotas.book(live, rate, works, now.at);
        let candidates = self.entries.iter().zip(&usable).map(|(entry, usable)| {
            let turn = entry.group.1 == PoolStrategy::Quota
                && quotas.has_turn(&entry.spec.name, self.policy.quota_slice, now.at);
            entry.candidate(*usable, turn)
        });
        let candidates = candidates.collect();
        self.quotas = quotas;
        candidates
    }

    fn connect_wanted(&mut self, wanted: &[bool], now: Instant) {
        for (at, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            let Some(entry) = self.entries.get(at) else { continue };
            if !entry.is_due(now) || self.newest_of(&entry.spec).is_some_and(|newest| !newest.is_closing()) {
                continue;
            }
            let Some(entry) = self.entries.get_mut(at) else { continue };
            let (spec, target) = (entry.spec.clone(), entry.target.clone());
            // Retries are nobody's command.
            let trace = std::mem::take(&mut entry.trace);
            let pool = spec.name.clone();
            self.connect(Some(spec), target, pool, trace);
        }
        let invents = self.connections.values().any(|one| one.spec.is_none() && !one.is_closing());
        if self.configured > 0 && self.entries.is_empty() && self.synthetic && !invents {
            let name = SYNTHETIC.parse().expect("a label by construction");
            self.connect(None, None, name, TraceParent::default());
        }
    }

    fn activate(&mut self, choice: Option<usize>, candidates: &[Candidate], now: Instant) {
        let chosen = match choice {
            Some(at) => self.entries.get(at).and_then(|entry| self.newest_of(&entry.spec)),
            None => self.connections.values().find(|one| one.is_usable() && one.spec.is_none() && self.is_wanted(one)),
        };
        let Some(chosen) = chosen.map(|connection| connection.id) else { return };
        if self.live == Some(chosen) {
            self.hint = None;
        } else if self.activating.is_none() {
            let ordered = self.why(choice, candidates, now);
            self.activating = Some(Activating { id: chosen, since: now, ordered });
            self.actions.push(Action::Activate(chosen));
        }
        // A pool that stands by has no threads to move.
        let standing_by = self.connections.values().filter(|one| one.is_usable() && one.id != chosen).map(|one| one.id);
        for id in standing_by.collect::<Vec<_>>() {
            self.reconnects.switched(id, SwitchReport::default(), Duration::ZERO, now);
        }
    }

    /// Why the work moves to the chosen pool.
    fn why(&self, choice: Option<usize>, candidates: &[Candidate], now: Instant) -> Ordered {
        let ordered = |reason, detail: &str| Ordered { reason, detail: detail.to_owned() };
        let Some((to, last)) = choice.zip(self.transitions.last()) else {
            return ordered(TransitionReason::Started, "");
        };
        let standing = self.standing();
        if standing.pinned == Some(to) {
            return ordered(TransitionReason::Pinned, "");
        }
        let from = self.entries.iter().position(|entry| entry.spec.name == last.pool);
        let Some((from, entry)) = from.and_then(|from| Some((from, self.entries.get(from)?))) else {
            return ordered(TransitionReason::Configured, "");
        };
        if from == to {
            let changed = self.connections.get(&last.connection).is_some_and(|one| !one.is_of(&entry.spec));
            let reason = if changed { TransitionReason::Configured } else { TransitionReason::Reconnected };
            return ordered(reason, "");
        }
        let (Some(left), Some(taken)) = (candidates.get(from), candidates.get(to)) else {
            return ordered(TransitionReason::Configured, "");
        };
        if !left.usable {
            return ordered(TransitionReason::FailedOver, entry.reason());
        }
        if left.shunned_until.is_some_and(|until| until > now) {
            return ordered(TransitionReason::Rejects, entry.reason());
        }
        if let Some(hint) = self.hint {
            return ordered(hint, "");
        }
        if left.group == taken.group && taken.strategy == PoolStrategy::Quota {
            return ordered(TransitionReason::Quota, "");
        }
        ordered(TransitionReason::Returned, "")
    }

    fn close_unwanted(&mut self, wanted: &[bool], now: Instant) {
        let nothing_to_come = self.entries.is_empty() && !self.synthetic;
        let unwanted = self.connections.values().filter(|one| !one.is_closing()).filter(|one| {
            let stays = match &one.spec {
                Some(spec) => {
                    let place = self.entry_of(one).and_then(|at| wanted.get(at)).copied().unwrap_or_default();
                    let superseded = self.newest_of(spec).is_some_and(|newest| newest.id > one.id);
                    place && !superseded
                }
                None => self.is_wanted(one),
            };
            let is_live = self.live == Some(one.id) || self.is_activating(one.id);
            !stays && (!is_live || nothing_to_come)
        });
        for id in unwanted.map(|one| one.id).collect::<Vec<_>>() {
            self.close(id, now);
        }
    }

    fn is_activating(&self, id: ConnectionId) -> bool {
        self.activating.as_ref().is_some_and(|activating| activating.id == id)
    }
}
