//! Which pools should be connected and which should be worked for.   Pure: called by `state` with what is known now.
//!
//! Pools stand in order of preference, group by group. The first *trusted* one is worked for: it has a job, has held it
//! for a while if it had failed before, and does not refuse what it is sent. All before it are kept being tried, so that
//! work returns to them; one more after it stands by with a job of its own, so that nothing need be connected when the
//! first one fails. A pool that had its chance makes room for the next (stratum-client R5). The members of a quota group
//! are wanted together, and take turns.

use super::policy::SourcePolicy;
use mujina_core::pool::PoolStrategy;
use std::time::Instant;

/// Pools that should be ready at any time: the one that is worked for and one in reserve.
const READY: usize = 2;

/// What matters of a pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Number of its group; pools of a group stand together.
    pub(super) group: usize,
    /// How its group shares the work.
    pub(super) strategy: PoolStrategy,
    /// It has a job that can be hashed now.
    pub(super) usable: bool,
    /// It never failed since the order was chosen.
    pub(super) fresh: bool,
    /// Attempts that failed in a row.
    pub(super) failures: u32,
    /// Its newest failure will not pass soon.
    pub(super) parked: bool,
    /// Since when it is wanted without being usable.
    pub(super) unusable_since: Instant,
    /// Usable again after a failure: trusted from then on.
    pub(super) on_trial_until: Option<Instant>,
    /// Refused too many shares: trusted again from then on.
    pub(super) shunned_until: Option<Instant>,
    /// It is its turn in its quota group.
    pub(super) turn: bool,
}

/// Where the work is and what a person wants.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// Whom the threads hash for, while it is in the spec.
    pub(super) live: Option<usize>,
    /// Pinned by a person.
    pub(super) pinned: Option<usize>,
}

impl Candidate {
    fn had_its_chance(&self, policy: &SourcePolicy, now: Instant) -> bool {
        self.parked
            || self.failures >= policy.patience_failures
            || now.saturating_duration_since(self.unusable_since) >= policy.patience_time
    }

    fn is_shunned(&self, now: Instant) -> bool {
        self.shunned_until.is_some_and(|until| until > now)
    }

    fn is_on_trial(&self, now: Instant) -> bool {
        self.on_trial_until.is_some_and(|until| until > now)
    }

    /// Never failed, and had no time to become usable yet.
    fn in_grace(&self, policy: &SourcePolicy, now: Instant) -> bool {
        !self.usable && self.fresh && self.unusable_since + policy.grace > now
    }
}

/// Decides with a policy at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selector<'a> {
    pub(super) candidates: &'a [Candidate],
    pub(super) standing: Standing,
    pub(super) policy: &'a SourcePolicy,
    pub(super) now: Instant,
}

impl Selector<'_> {
    /// The pool to work for; `None` = stay with what there is.
    pub(super) fn choice(&self) -> Option<usize> {
        let chosen = self.best()?;
        let waits = self.standing.live != Some(chosen)
            && self.standing.pinned != Some(chosen)
            && self.before(chosen).any(|earlier| earlier.in_grace(self.policy, self.now));
        (!waits).then_some(chosen)
    }

    fn best(&self) -> Option<usize> {
        let usable = |at: &usize| self.candidates.get(*at).is_some_and(|candidate| candidate.usable);
        if let Some(pinned) = self.standing.pinned.filter(usable) {
            return Some(pinned);
        }
        let trusted = |(at, candidate): &(usize, &Candidate)| {
            let stays = self.standing.live == Some(*at);
            candidate.usable && !candidate.is_shunned(self.now) && (stays || !candidate.is_on_trial(self.now))
        };
        let all = || self.candidates.iter().enumerate();
        if let Some((first, candidate)) = all().find(trusted) {
            let group = candidate.group;
            let turn = all().filter(trusted).find(|(_, other)| other.group == group && other.turn);
            return Some(turn.map_or(first, |(at, _)| at));
        }
        // Nobody is trusted. Better the one that works already, then one that is new, than one that refuses shares.
        let tolerable =
            |at: &usize| self.candidates.get(*at).is_some_and(|one| one.usable && !one.is_shunned(self.now));
        self.standing
            .live
            .filter(tolerable)
            .or_else(|| (0..self.candidates.len()).find(tolerable))
            .or_else(|| self.standing.live.filter(usable))
            .or_else(|| (0..self.candidates.len()).find(usable))
    }

    /// Candidates before one, without those that share its work.
    fn before(&self, chosen: usize) -> impl Iterator<Item = &Candidate> {
        let group = self.candidates.get(chosen).filter(|one| one.strategy == PoolStrategy::Quota).map(|one| one.group);
        self.candidates.iter().take(chosen).filter(move |earlier| Some(earlier.group) != group)
    }

    /// Which pools should be connected.
    pub(super) fn wanted(&self) -> Vec<bool> {
        let chosen = self.choice();
        let mut ready = 0;
        let mut last_group = None;
        let mut wanted = Vec::with_capacity(self.candidates.len());
        for (at, candidate) in self.candidates.iter().enumerate() {
            let shares = candidate.strategy == PoolStrategy::Quota && last_group == Some(candidate.group);
            let named = chosen == Some(at) || self.standing.pinned == Some(at) || self.standing.live == Some(at);
            let goes_on = ready < READY || shares;
            wanted.push(goes_on || named);
            if goes_on {
                last_group = Some(candidate.group);
                let counts = if candidate.usable {
                    !candidate.is_shunned(self.now)
                } else {
                    !candidate.had_its_chance(self.policy, self.now)
                };
                ready += usize::from(counts);
            }
        }
        wanted
    }

    /// Whether the choice may still change without anything failing: a preferred pool has not had its chance.
    pub(super) fn is_waiting(&self) -> bool {
        let Some(live) = self.standing.live else { return !self.candidates.is_empty() };
        if self.choice().is_some_and(|chosen| chosen != live) {
            return true;
        }
        self.standing.pinned != Some(live)
            && self
                .before(live)
                .any(|earlier| !earlier.usable && earlier.fresh && !earlier.had_its_chance(self.policy, self.now))
    }

    /// When the answers may change by themselves.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let policy = self.policy;
        let times = self.candidates.iter().flat_map(|one| {
            let waiting = !one.usable && !one.parked && one.failures < policy.patience_failures;
            let since = one.unusable_since;
            [
                (!one.usable && one.fresh).then_some(since + policy.grace),
                waiting.then_some(since + policy.patience_time),
                one.on_trial_until.filter(|_| one.usable),
                one.shunned_until,
            ]
        });
        times.flatten().filter(|at| *at > self.now).min()
    }
}

#[cfg(test)]
mod tests;
