//! The status tree of one moment.   Pure: called by `status` with what the parts published and the time.

use crate::{
    backplane::BoardReports,
    identity::Identity,
    scheduler::{self, PoolScope},
    source::{self, PoolSnapshot},
    spec,
    telemetry::{board_status, connection_status, lifetime::Lifetimes},
};
use mujina_core::{
    board::{BoardReport, BoardState},
    fault::{Fault, FaultReason},
    id::ConnectionId,
    spec::SpecState,
    status::{MinerState, MinerStatus, PoolState, PoolStatus, ThreadState},
    units::HashRate,
};
use std::{collections::BTreeMap, time::SystemTime};

/// Shares that must have been due without one being found before that is a fault: by chance it happens once in 10⁹ times.
/// Wrong byte orders look exactly like this (stratum-client L4).
const DUE_SHARES: f64 = 20.0;

/// What the parts publish, at one moment.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) scheduler: &'a scheduler::Snapshot,
    pub(super) source: &'a source::Snapshot,
    pub(super) spec: &'a SpecState,
    /// What was counted by earlier processes; absent until it was read.
    pub(super) lifetimes: Option<&'a Lifetimes>,
    /// Why statistics cannot be stored.
    pub(super) storage: Option<&'a str>,
    pub(super) boards: &'a BoardReports,
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

/// What was hashed since the newest share.
#[derive(Debug, Default)]
struct Drought {
    live: Option<ConnectionId>,
    submitted: u64,
    hashes: u64,
    /// Shares that were to be expected since.
    due: f64,
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
        let boards = seen.boards.boards.values().map(|report| board_status(report, seen.scheduler)).collect();
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
            pool_pin: seen.source.pin.clone(),
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
            return without_threads(seen.boards);
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
        let usb = &seen.boards.usb_problem;
        if !usb.is_empty() {
            found.push((FaultReason::UsbUnavailable, "usb".into(), usb.clone()));
        }
        let mut faults = dated(seen);
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

/// What a miner does whose boards do not hash: it waits for those that are being brought up, or for somebody to act.
fn without_threads(boards: &BoardReports) -> (MinerState, String) {
    let is = |state| move |board: &&BoardReport| board.state == state;
    let mut boards = boards.boards.values();
    if let Some(board) = boards.clone().find(is(BoardState::Starting)) {
        return (MinerState::Starting, format!("board {} is being brought up", board.id));
    }
    let why = match boards.find(|board| !board.state_reason.is_empty()) {
        Some(board) => format!("board {}: {}", board.id, board.state_reason),
        None => "see the boards".into(),
    };
    (MinerState::NoWork, format!("no hash thread is alive; {why}"))
}

/// Faults that say since when themselves: those of the spec, then those of the boards.
fn dated(seen: &Seen<'_>) -> Vec<Fault> {
    let of_boards: Vec<_> = seen.boards.boards.values().flat_map(|board| &board.faults).cloned().collect();
    // A board that refuses its tuning says more of it than the spec can.
    let said = of_boards.iter().any(|fault| fault.reason == FaultReason::TuningRefused);
    let of_spec =
        spec::faults(seen.spec).into_iter().filter(|fault| !said || fault.reason != FaultReason::TuningRefused);
    of_spec.chain(of_boards).collect()
}

impl Drought {
    fn lasts_too_long(&mut self, seen: &Seen<'_>) -> bool {
        let live = seen.scheduler.live.and_then(|id| seen.scheduler.connections.get(&id));
        let (Some(scope), Some(per_share)) = (live, seen.scheduler.share_work) else {
            *self = Self::default();
            return false;
        };
        let submitted = scope.totals.submitted + scope.totals.suppressed;
        #[expect(clippy::cast_precision_loss, reason = "an expectation needs no 53 bits")]
        let hashes = scope.hashes.saturating_sub(self.hashes) as f64;
        let goes_on = self.live == seen.scheduler.live && self.submitted == submitted;
        let due = if goes_on { self.due + hashes / per_share.hashes() } else { 0.0 };
        *self = Self { live: seen.scheduler.live, submitted, hashes: scope.hashes, due };
        due >= DUE_SHARES
    }
}

fn pool(pool: &PoolSnapshot, seen: &Seen<'_>, now: SystemTime) -> PoolStatus {
    let PoolSnapshot {
        name,
        url,
        user,
        authority_fingerprint,
        state,
        reason,
        since,
        retry_at,
        failures,
        connection,
        role,
        work_split,
    } = pool;
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
        connection: connection.as_ref().map(|one| connection_status(one, authority_fingerprint, seen.scheduler, now)),
        totals: scope.totals,
        totals_since: seen.scheduler.since,
        verdict_latency,
        role: *role,
        work_split: *work_split,
        lifetime: seen.lifetimes.and_then(|book| book.of(name, &scope.totals)),
    }
}

#[cfg(test)]
mod tests;
