//! Miners that take a change well or badly, and a performer that does what a rollout says.

use super::*;
use crate::{
    reconcile::{SyncState, evidence::LiveLedger},
    rollout::FaultKey,
};
use mujina_core::id::Generation;
use std::collections::BTreeSet;

/// Who wrote the spec of a miner last: its number when it was written by hand before, by the rollout, by a stranger.
const OLD: u64 = 5;
pub(super) const NEW: u64 = 100;
pub(super) const STRANGE: u64 = 200;

/// How a miner takes the change. All but `Away` and `Touched` go back without trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In force after 3 s, a share after 10 s.
    Good,
    /// In force, and never a share.
    Silent,
    /// Refuses it.
    Rejects,
    /// Not reached, ever.
    Away,
    /// Changed on the miner itself.
    Touched,
    /// Somebody writes another spec after 30 s.
    Stranger,
    /// Somebody writes another spec at once.
    Taken,
    /// Good, and gone after a minute.
    Leaves,
    /// Good, gone after a minute, and back after six.
    Returns,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Good,
        Self::Silent,
        Self::Rejects,
        Self::Away,
        Self::Touched,
        Self::Stranger,
        Self::Leaves,
        Self::Returns,
        Self::Taken,
    ];
}

#[derive(Debug, Clone)]
pub(super) struct Miner {
    kind: Kind,
    /// Newest generation of its desired state.
    generation: u64,
    /// What that generation says.
    pub(super) spec: u64,
    stored_at: SystemTime,
    /// How often the rollout stored its change.
    pub(super) applied: u32,
    pub(super) reverted: u32,
}

impl Miner {
    pub(super) fn is_new(&self) -> bool {
        self.spec == NEW
    }

    /// Whether something happens to it long after a change.
    fn is_restless(&self) -> bool {
        matches!(self.kind, Kind::Stranger | Kind::Taken | Kind::Leaves | Kind::Returns) && self.is_new()
    }

    fn store(&mut self, spec: u64, now: SystemTime) -> Generation {
        self.generation += 1;
        self.spec = spec;
        self.stored_at = now;
        Generation(self.generation)
    }

    fn seen(&self, now: SystemTime) -> Seen {
        let age = now.duration_since(self.stored_at).unwrap_or_default().as_secs();
        let is_gone = match self.kind {
            Kind::Away => true,
            Kind::Leaves => self.is_new() && age >= 60,
            Kind::Returns => self.is_new() && (60..360).contains(&age),
            _ => false,
        };
        let (sync, reason) = match self.kind {
            _ if is_gone => (SyncState::Unreachable, "no route"),
            Kind::Touched => (SyncState::Overridden, ""),
            Kind::Rejects if self.is_new() => (SyncState::Rejected, "no such pool"),
            _ if age < 3 => (SyncState::Applying, "pool_groups: connecting"),
            _ => (SyncState::InSync, ""),
        };
        let finds = !(self.kind == Kind::Silent && self.is_new());
        let accepted = if finds { age / 10 } else { 0 };
        let live = LiveLedger { boot_id: "boot".into(), connection: self.generation, accepted };
        Seen {
            heard_at: (!is_gone).then_some(now),
            desired: Generation(self.generation),
            sync,
            reason: reason.into(),
            waits_for_turn: false,
            is_on_trial: false,
            is_away: is_gone,
            has_status: self.kind != Kind::Away,
            is_of_spec: true,
            live: (sync == SyncState::InSync).then_some(live),
            faults: BTreeSet::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) rollout: Rollout,
    pub(super) miners: BTreeMap<MinerName, Miner>,
    /// Answers by request id, as the store remembers them.
    answers: BTreeMap<String, (Generation, Generation)>,
    pub(super) begun: SystemTime,
    pub(super) now: SystemTime,
    /// Targets by the step that ordered them.
    pub(super) orders: Vec<Vec<MinerName>>,
    /// Indices of miners that get a fault when the first target is proved.
    pub(super) faulty: Vec<usize>,
    /// Those whose previous spec may not be stored again.
    pub(super) refused: Vec<MinerName>,
    /// Shares of changed miners in a soak; 3000 are as many as before.
    pub(super) shares_after: u64,
}

pub(super) fn name(index: usize) -> MinerName {
    format!("rig{index:03}").parse().unwrap()
}

impl World {
    pub(super) fn new(kinds: &[Kind], strategy: Strategy) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let miner = |(index, kind): (usize, &Kind)| {
            let stored_at = now - Duration::from_secs(10_000);
            (name(index), Miner { kind: *kind, generation: OLD, spec: OLD, stored_at, applied: 0, reverted: 0 })
        };
        let miners: BTreeMap<_, _> = kinds.iter().enumerate().map(miner).collect();
        let targets = miners.keys().map(|name| (name.clone(), BTreeMap::new())).collect();
        let mut rollout = Rollout::new("r1".into(), &targets, strategy).unwrap();
        rollout.start(now).unwrap();
        let (answers, orders, faulty, refused) = (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
        Self { rollout, miners, answers, begun: now, now, orders, faulty, refused, shares_after: 3000 }
    }

    pub(super) fn phase(&self, index: usize) -> Phase {
        self.target(index).phase
    }

    pub(super) fn target(&self, index: usize) -> &super::super::super::Target {
        &self.rollout.targets[&name(index)]
    }

    pub(super) fn miner(&self, index: usize) -> &Miner {
        &self.miners[&name(index)]
    }

    pub(super) fn seen(&self) -> BTreeMap<MinerName, Seen> {
        let mut all: BTreeMap<_, _> =
            self.miners.iter().map(|(name, miner)| (name.clone(), miner.seen(self.now))).collect();
        if self.rollout.count(&[Phase::Proved]) > 0 {
            for index in &self.faulty {
                let fault = FaultKey { reason: "POOL_REFUSED".into(), subject: "pool/main".into() };
                all.get_mut(&name(*index)).unwrap().faults.insert(fault);
            }
        }
        all
    }

    /// Somebody else writes to a miner.
    pub(super) fn stranger_writes(&mut self) {
        for miner in self.miners.values_mut().filter(|miner| miner.is_new()) {
            let after = match miner.kind {
                Kind::Stranger => Duration::from_secs(30),
                Kind::Taken => Duration::ZERO,
                _ => continue,
            };
            if self.now >= miner.stored_at + after {
                miner.store(STRANGE, self.now);
            }
        }
    }

    fn measurements(&self, wave: usize, miners: &[MinerName], since: SystemTime) -> Measurements {
        let counts = |seconds: u64, submitted: u64| Counts {
            span: Duration::from_secs(seconds),
            submitted,
            submitted_work: submitted as f64 * 1e9,
            work_variance: submitted as f64 * 1e18,
            accepted: submitted,
            rejected: 0,
        };
        let measured = |name: &MinerName| {
            let during = if self.miners[name].is_new() { self.shares_after } else { 3000 };
            let (before, during) = (counts(3600, 36_000), counts(300, during));
            (name.clone(), Measured { before, during, is_collected: true })
        };
        Measurements { wave, since: Some(since), counts: miners.iter().map(measured).collect() }
    }

    /// Does one thing, once for each request id, and tells `rollout`.
    pub(super) fn perform(&mut self, action: &Action, rollout: &mut Rollout) {
        match action {
            Action::Apply { miner: name, request_id } => {
                let miner = self.miners.get_mut(name).unwrap();
                let now = self.now;
                let (generation, previous) = *self.answers.entry(request_id.clone()).or_insert_with(|| {
                    miner.applied += 1;
                    let previous = Generation(miner.generation);
                    (miner.store(NEW, now), previous)
                });
                rollout.applied(name, generation, previous, now);
            }
            Action::FindOut { miner, request_id } => match self.answers.get(request_id) {
                Some((generation, previous)) => rollout.applied(miner, *generation, *previous, self.now),
                None => rollout.not_applied(miner),
            },
            Action::RollBack { miner: name, to, over, request_id } => {
                let miner = self.miners.get_mut(name).unwrap();
                if self.refused.contains(name) {
                    return rollout.revert_refused(name, "the payout list has no such address");
                }
                let known = self.answers.get(request_id).copied();
                if known.is_none() && Generation(miner.generation) != *over {
                    return rollout.superseded(name);
                }
                assert_eq!(*to, Generation(OLD), "taken back to what it was");
                let now = self.now;
                let (generation, _) = known.unwrap_or_else(|| {
                    miner.reverted += 1;
                    (miner.store(OLD, now), *over)
                });
                self.answers.insert(request_id.clone(), (generation, *over));
                rollout.reverting(name, generation);
            }
            Action::Measure { wave, miners, before: _, during: (since, _) } => {
                let measured = self.measurements(*wave, miners, *since);
                let actions = rollout.step(self.now, &self.seen(), Some(&measured));
                assert!(!actions.iter().any(|action| matches!(action, Action::Measure { .. })), "measured in vain");
            }
            Action::WaitUntil(_) | Action::Paused(_) | Action::Finished(_) => {}
        }
    }

    /// One step and all that it asks for; the time to wait until, if anything is awaited.
    pub(super) fn tick(&mut self) -> Option<SystemTime> {
        self.stranger_writes();
        let mut rollout = self.rollout.clone();
        let actions = rollout.step(self.now, &self.seen(), None);
        self.note_orders(&rollout);
        for action in &actions {
            self.perform(action, &mut rollout);
        }
        self.rollout = rollout;
        let waits =
            actions.into_iter().find_map(|action| if let Action::WaitUntil(at) = action { Some(at) } else { None });
        // Nothing is seen to happen while a wave of good miners is watched.
        let is_quiet = self.rollout.count(&IN_FLIGHT) == 0 && !self.miners.values().any(Miner::is_restless);
        self.now = waits.filter(|_| is_quiet).unwrap_or(self.now + Duration::from_secs(1));
        waits
    }

    pub(super) fn note_orders(&mut self, next: &Rollout) {
        let is_ordered = |name: &&MinerName| {
            next.targets[*name].phase == Phase::Ordered && self.rollout.targets[*name].phase == Phase::Waiting
        };
        let wave = &next.course.waves[next.course.wave];
        let ordered: Vec<_> = wave.iter().filter(is_ordered).cloned().collect();
        if !ordered.is_empty() {
            self.orders.push(ordered);
        }
    }

    /// Runs until nothing is awaited any more.
    pub(super) fn run(&mut self) {
        for _ in 0..100_000 {
            let waits = self.tick().is_some();
            let is_still = matches!(self.rollout.course.status, Status::Paused { .. } | Status::Finished { .. });
            if is_still && !waits && self.rollout.count(&IN_FLIGHT) == 0 {
                return;
            }
        }
        panic!("the rollout does not end: {:?}", self.rollout);
    }
}
