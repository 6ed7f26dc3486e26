//! The status tree of one moment.   Pure: called by `status` with what the parts published and the time.

use crate::{
    identity::Identity,
    miner::BoardFacts,
    scheduler::{self, PoolScope, ThreadScope},
    source::{self, ConnectionSnapshot, PoolSnapshot},
    spec,
};
use mujina_core::{
    fault::{Fault, FaultReason},
    id::{BoardId, ConnectionId},
    spec::SpecState,
    status::{BoardStatus, MinerState, MinerStatus, PoolConnection, PoolState, PoolStatus, ThreadState, ThreadStatus},
    units::{Difficulty, HashRate},
};
use std::{collections::BTreeMap, time::SystemTime};

/// Shares that must have been due without one being found before that is a fault: by chance it happens once in 10⁹ times.
/// Wrong byte orders look exactly like this (stratum-client L4).
const DUE_SHARES: f64 = 20.0;
/// Expected hashes per unit of difficulty: 2^256 / (0xffff × 2^208).
const HASHES_PER_DIFFICULTY: f64 = 4_295_032_833.0;

/// What the parts publish, at one moment.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) scheduler: &'a scheduler::Snapshot,
    pub(super) source: &'a source::Snapshot,
    pub(super) spec: &'a SpecState,
    /// Why statistics cannot be stored.
    pub(super) storage: Option<&'a str>,
    pub(super) boards: &'a BTreeMap<BoardId, BoardFacts>,
    pub(super) stopping: bool,
}

/// Makes trees, and remembers since when things are as they are.
#[derive(Debug)]
pub(super) struct Assembler {
    identity: Identity,
    state: Option<(MinerState, SystemTime)>,
    faults: BTreeMap<(String, String), SystemTime>,
    drought: Drought,
    /// Whether a pool of this process ever gave work.
    had_work: bool,
}

/// Hashes since the newest share.
#[derive(Debug, Default)]
struct Drought {
    live: Option<ConnectionId>,
    difficulty: Option<Difficulty>,
    submitted: u64,
    hashes: u64,
}

impl Assembler {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, state: None, faults: BTreeMap::new(), drought: Drought::default(), had_work: false }
    }

    pub(super) fn assemble(&mut self, seen: &Seen<'_>, now: SystemTime) -> MinerStatus {
        let Identity { miner_id, name, boot_id } = self.identity.clone();
        self.had_work |= seen.source.live.is_some();
        let (state, state_reason) = self.state(seen);
        let state_since = match self.state {
            Some((before, since)) if before == state => since,
            _ => now,
        };
        self.state = Some((state, state_since));
        let pools: Vec<_> = seen.source.pools.iter().map(|one| pool(one, seen, now)).collect();
        let boards: Vec<_> = seen.boards.iter().map(|(id, facts)| board(id, facts, seen.scheduler)).collect();
        let alive = seen.scheduler.threads.iter().filter(|thread| thread.state != ThreadState::Dead);
        let nominal: HashRate = alive.map(|thread| thread.nominal_hash_rate).sum();
        let faults = self.faults(seen, state, &pools, now);
        MinerStatus {
            miner_id,
            name,
            version: env!("CARGO_PKG_VERSION").into(),
            boot_id,
            started_at: seen.scheduler.since,
            observed_at: now,
            state,
            state_reason,
            state_since,
            generation: seen.spec.generation,
            observed_generation: seen.spec.observed_generation,
            live_pool: seen.source.live.clone(),
            pools,
            boards,
            totals: seen.scheduler.miner.totals,
            rates: seen.scheduler.miner.rates.clone(),
            nominal_hash_rate: (nominal > HashRate::ZERO).then_some(nominal),
            faults,
        }
    }

    fn state(&self, seen: &Seen<'_>) -> (MinerState, String) {
        let pools = &seen.source.pools;
        if seen.stopping {
            return (MinerState::Stopping, "shutting down".into());
        }
        if seen.spec.spec.paused || seen.scheduler.paused {
            return (MinerState::Paused, "paused by the spec; `mujinactl resume` starts it".into());
        }
        if seen.spec.spec.pool_groups.is_empty() && pools.is_empty() {
            let what = if seen.source.synthetic { "invented work is hashed" } else { "nothing is hashed" };
            return (MinerState::NoPool, format!("no pool is configured; {what}; `mujinactl pool set URL` sets one"));
        }
        if let Some(live) = seen.source.live.as_ref().filter(|_| seen.scheduler.hashing) {
            return (MinerState::Mining, format!("for pool {live}"));
        }
        let alive = seen.scheduler.threads.iter().any(|thread| thread.state != ThreadState::Dead);
        if !alive {
            return (MinerState::NoWork, "no hash thread is alive; see the boards".into());
        }
        let trying = |pool: &PoolSnapshot| {
            pool.failures == 0
                && matches!(pool.state, PoolState::Connecting | PoolState::WaitingForJob | PoolState::Ready)
        };
        if !self.had_work && (pools.is_empty() || pools.iter().any(trying)) {
            return (MinerState::Starting, "the first pool is being connected".into());
        }
        let why = pools.iter().find(|pool| !pool.reason.is_empty());
        let why =
            why.map_or_else(|| "no pool gives work".into(), |pool| format!("pool {}: {}", pool.name, pool.reason));
        (MinerState::NoWork, why)
    }

    fn faults(&mut self, seen: &Seen<'_>, state: MinerState, pools: &[PoolStatus], now: SystemTime) -> Vec<Fault> {
        let mut found: Vec<(FaultReason, String, String)> = Vec::new();
        for pool in pools {
            let reason = match pool.state {
                PoolState::AuthenticationFailed => FaultReason::PoolAuthenticationFailed,
                PoolState::ClockSkew => FaultReason::PoolClockSkew,
                PoolState::Refused | PoolState::Parked => FaultReason::PoolRefused,
                _ => continue,
            };
            found.push((reason, format!("pool/{}", pool.name), pool.state_reason.clone()));
        }
        if state == MinerState::NoWork {
            found.push((FaultReason::NoWork, "miner".into(), self.state(seen).1));
        }
        for thread in seen.scheduler.threads.iter().filter(|thread| thread.state == ThreadState::Dead) {
            if let Some(failure) = &thread.failure {
                found.push((FaultReason::ThreadDead, format!("thread/{}", thread.id), failure.clone()));
            }
        }
        if let Some(reason) = seen.storage {
            let message =
                format!("{reason}; statistics wait in memory: check space and permissions of the state folder");
            found.push((FaultReason::StorageFailed, "storage".into(), message));
        }
        if self.drought.lasts_too_long(seen) {
            let message = format!("{DUE_SHARES} shares were due and none was found; please report it with the log");
            found.push((FaultReason::NoNonces, "miner".into(), message));
        }
        let mut faults: Vec<_> = spec::fault(seen.spec).into_iter().collect();
        let before = std::mem::take(&mut self.faults);
        for (reason, subject, message) in found {
            let key = (reason.to_string(), subject.clone());
            let since = before.get(&key).copied().unwrap_or(now);
            self.faults.insert(key, since);
            faults.push(Fault { reason, subject, message, since });
        }
        faults
    }
}

impl Drought {
    fn lasts_too_long(&mut self, seen: &Seen<'_>) -> bool {
        let live = seen.scheduler.live.and_then(|id| seen.scheduler.connections.get(&id));
        let snapshot = seen.source.pools.iter().filter_map(|pool| pool.connection.as_ref());
        let mut snapshot = snapshot.filter(|connection| Some(connection.id) == seen.scheduler.live);
        let difficulty = snapshot.next().and_then(|connection| connection.facts.share_difficulty);
        let (Some(scope), Some(per_share)) = (live, difficulty) else {
            *self = Self::default();
            return false;
        };
        let submitted = scope.totals.submitted + scope.totals.suppressed;
        if self.live != seen.scheduler.live || self.difficulty != difficulty || self.submitted != submitted {
            *self = Self { live: seen.scheduler.live, difficulty, submitted, hashes: scope.hashes };
        }
        #[expect(clippy::cast_precision_loss, reason = "an expectation needs no 53 bits")]
        let hashes = scope.hashes.saturating_sub(self.hashes) as f64;
        hashes / (per_share.as_f64() * HASHES_PER_DIFFICULTY) >= DUE_SHARES
    }
}

fn pool(pool: &PoolSnapshot, seen: &Seen<'_>, now: SystemTime) -> PoolStatus {
    let PoolSnapshot { name, url, user, authority_fingerprint, state, reason, since, retry_at, failures, connection } =
        pool;
    let PoolScope { scope, verdict_latency } = seen.scheduler.pools.get(name).cloned().unwrap_or_default();
    PoolStatus {
        name: name.clone(),
        url: url.clone(),
        user: user.clone(),
        state: *state,
        state_reason: reason.clone(),
        state_since: *since,
        live: seen.source.live.as_ref() == Some(name),
        retry_at: *retry_at,
        consecutive_failures: *failures,
        connection: connection.as_ref().map(|one| connection_status(one, authority_fingerprint, seen, now)),
        totals: scope.totals,
        totals_since: seen.scheduler.since,
        verdict_latency,
    }
}

fn connection_status(
    connection: &ConnectionSnapshot,
    authority_fingerprint: &str,
    seen: &Seen<'_>,
    now: SystemTime,
) -> PoolConnection {
    let ConnectionSnapshot { id, facts, ready_at, job_label, job_received_at, version_mask, jobs, phases } = connection;
    let scope = seen.scheduler.connections.get(id);
    PoolConnection {
        id: *id,
        peer_address: facts.peer_address.clone(),
        ready_at: *ready_at,
        authenticated: facts.authenticated,
        authority_fingerprint: facts.authority.map_or(authority_fingerprint.to_owned(), |key| key.fingerprint()),
        certificate_not_after: facts.certificate_not_after,
        channel_id: facts.channel_id,
        group_channel_id: facts.group_channel_id,
        extranonce_prefix: facts.extranonce_prefix.clone(),
        extranonce_size: facts.extranonce_size,
        share_difficulty: facts.share_difficulty,
        version_mask: *version_mask,
        job_id: job_label.clone(),
        job_received_at: *job_received_at,
        jobs: *jobs,
        unknown_messages: facts.unknown_messages,
        told_hash_rate: facts.told_hash_rate,
        totals: scope.map(|scope| scope.totals).unwrap_or_default(),
        totals_since: scope.map_or(now, |scope| scope.since),
        phases: phases.clone(),
    }
}

fn board(id: &BoardId, facts: &BoardFacts, scheduler: &scheduler::Snapshot) -> BoardStatus {
    let BoardFacts { model, facts } = facts;
    let scope = scheduler.boards.get(id).cloned().unwrap_or_default();
    let threads = scheduler.threads.iter().filter(|thread| thread.board == *id).map(thread);
    BoardStatus {
        id: id.clone(),
        model: model.clone(),
        threads: threads.collect(),
        totals: scope.totals,
        rates: scope.rates,
        facts: facts.clone(),
    }
}

fn thread(thread: &ThreadScope) -> ThreadStatus {
    let ThreadScope { id, board: _, state, failure: _, slot, nominal_hash_rate: _, scope } = thread;
    ThreadStatus {
        id: id.clone(),
        state: *state,
        totals: scope.totals,
        rates: scope.rates.clone(),
        hashes: scope.hashes,
        slot: *slot,
    }
}

#[cfg(test)]
mod tests;
