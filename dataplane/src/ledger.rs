//! Counts what became of every nonce: per miner, pool, connection, board and thread. Pure; owned by `scheduler`.
//!
//! A nonce enters the books when its outcome is known: when it is dropped at verification, or when its connection says
//! that it was handed to the writer ([`Ledger::sent`]) or was not ([`Ledger::not_sent`]). Until then it is *in hand* and in
//! no sum. All scopes change in the same step, so each balances after each step, and boards, threads and pools each sum
//! up to the miner.
//!
//! ```text
//!                 drop_nonce ─▶ dropped
//!  nonce ─▶ in hand ─ not_sent ─▶ dropped
//!              └─ sent ─▶ pending ─ judged ─▶ accepted ─ reclassified ─▶ rejected
//!                            ├─────────────▶ rejected, lost
//!                            └─ end ───────▶ lost
//! ```

mod latency;

use self::latency::Latencies;
use crate::{
    pool::Verdict,
    scheduler::{ConnectionScope, PoolScope, Scope, estimate::Estimator},
    thread::ThreadIndex,
};
use mujina_core::{
    id::{BoardId, ConnectionId, PoolName, ShareId, ThreadId},
    share::{DropReason, RejectReason, Share, ShareOutcome, ShareTotals},
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant, SystemTime},
};

/// Accepted shares that a late refusal can still find (stratum-client A2).
const REMEMBERED: usize = 4096;
/// Connections without a scope of their own whose late nonces still count for their pool: far more than can have work out.
const GONE: usize = 1024;

/// Where a nonce counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Who found it; its board follows.
    pub(crate) thread: ThreadIndex,
    /// For whom; its pool follows.
    pub(crate) connection: ConnectionId,
}

/// The books.
#[derive(Debug)]
pub(crate) struct Ledger {
    miner: Account,
    pools: BTreeMap<PoolName, PoolAccount>,
    connections: BTreeMap<ConnectionId, ConnectionAccount>,
    /// Connections whose scope was given up, the newest last.
    gone: VecDeque<(ConnectionId, PoolName)>,
    boards: BTreeMap<BoardId, Account>,
    threads: BTreeMap<ThreadIndex, ThreadAccount>,
    /// Threads that came back under another number, by that number.
    returned: BTreeMap<ThreadIndex, ThreadIndex>,
    open: HashMap<ShareId, Entry>,
    /// Accepted ones among `open`, the oldest first.
    accepted: VecDeque<ShareId>,
    unknown_verdicts: u64,
}

#[derive(Debug)]
struct Account {
    totals: ShareTotals,
    hashes: u64,
    estimator: Estimator,
}

#[derive(Debug)]
struct PoolAccount {
    account: Account,
    latencies: Latencies,
}

#[derive(Debug)]
struct ConnectionAccount {
    pool: PoolName,
    since: SystemTime,
    account: Account,
    ended: bool,
}

#[derive(Debug)]
struct ThreadAccount {
    id: ThreadId,
    board: BoardId,
    account: Account,
}

/// A share that may still change its place.
#[derive(Debug)]
struct Entry {
    place: Place,
    share: Share,
    /// Expected hashes of its share target.
    work: f64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    InHand,
    Pending,
    Accepted,
}

impl Ledger {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            miner: Account::new(now),
            pools: BTreeMap::new(),
            connections: BTreeMap::new(),
            gone: VecDeque::new(),
            boards: BTreeMap::new(),
            threads: BTreeMap::new(),
            returned: BTreeMap::new(),
            open: HashMap::new(),
            accepted: VecDeque::new(),
            unknown_verdicts: 0,
        }
    }

    /// A thread joins. One that was there before under another number goes on where it was.
    pub(crate) fn join(&mut self, thread: ThreadIndex, id: &ThreadId, board: BoardId, now: Instant) {
        self.boards.entry(board.clone()).or_insert_with(|| Account::new(now));
        if let Some((before, _)) = self.threads.iter().find(|(_, account)| account.id == *id && account.board == board)
        {
            self.returned.insert(thread, *before);
            return;
        }
        let account = || ThreadAccount { id: id.clone(), board, account: Account::new(now) };
        self.threads.entry(thread).or_insert_with(account);
    }

    /// A connection begins.
    pub(crate) fn begin(&mut self, connection: ConnectionId, pool: PoolName, now: Instant, since: SystemTime) {
        let fresh = || PoolAccount { account: Account::new(now), latencies: Latencies::default() };
        self.pools.entry(pool.clone()).or_insert_with(fresh);
        let account = Account::new(now);
        self.connections.entry(connection).or_insert(ConnectionAccount { pool, since, account, ended: false });
    }

    /// A nonce was dropped at verification.
    pub(crate) fn drop_nonce(&mut self, place: Place, reason: DropReason) {
        self.each(place, |account| account.dropped(reason));
    }

    /// A verified nonce proves `work` expected hashes, whatever became of it.
    pub(crate) fn credit(&mut self, place: Place, work: f64, now: Instant) {
        self.each(place, |account| account.estimator.add(work, now));
    }

    /// A thread says that it computed `hashes` more.
    pub(crate) fn add_hashes(&mut self, place: Place, hashes: u64) {
        self.each(place, |account| account.hashes += hashes);
    }

    /// A share goes to its connection: it is in hand. `work` = expected hashes of its share target.
    pub(crate) fn hand_over(&mut self, place: Place, share: Share, work: f64) {
        self.open.insert(share.id, Entry { place, share, work, stage: Stage::InHand });
    }

    /// A share in hand went to the writer. Returns it as it is now; `None` = not in hand, counted as unknown.
    pub(crate) fn sent(&mut self, id: ShareId) -> Option<Share> {
        let (place, share, work) = self.turn(id, Stage::InHand, ShareOutcome::Pending, None)?;
        self.each(place, |account| account.sent(&share, work));
        if let Some(entry) = self.open.get_mut(&id) {
            entry.stage = Stage::Pending;
        }
        Some(share)
    }

    /// A share in hand did not go to the writer. Returns it as it is now; `None` = not in hand, counted as unknown.
    pub(crate) fn not_sent(&mut self, id: ShareId, reason: DropReason) -> Option<Share> {
        let (place, share, _) = self.turn(id, Stage::InHand, ShareOutcome::Dropped(reason), None)?;
        self.open.remove(&id);
        self.drop_nonce(place, reason);
        Some(share)
    }

    /// A pending share got its verdict. Returns it as it is now; `None` = not pending, counted as unknown.
    pub(crate) fn judged(&mut self, id: ShareId, verdict: Verdict, latency: Duration) -> Option<Share> {
        let outcome = match verdict {
            Verdict::Accepted => ShareOutcome::Accepted,
            Verdict::Rejected(reason) => ShareOutcome::Rejected(reason),
            Verdict::Lost => ShareOutcome::Lost,
        };
        let answered = (verdict != Verdict::Lost).then_some(latency);
        let (place, share, work) = self.turn(id, Stage::Pending, outcome, answered)?;
        self.each(place, |account| account.judged(verdict, work));
        if let Some(pool) = self.pools.get_mut(&share.pool) {
            pool.latencies.extend(answered);
        }
        match verdict {
            Verdict::Accepted => self.remember(id),
            Verdict::Rejected(_) | Verdict::Lost => {
                self.open.remove(&id);
            }
        }
        Some(share)
    }

    /// An accepted share was refused after all. Returns it as it is now; `None` = not remembered, counted as unknown.
    pub(crate) fn reclassified(&mut self, id: ShareId, reason: RejectReason) -> Option<Share> {
        let (place, share, work) = self.turn(id, Stage::Accepted, ShareOutcome::Rejected(reason), None)?;
        self.open.remove(&id);
        self.accepted.retain(|accepted| *accepted != id);
        self.each(place, |account| account.reclassified(reason, work));
        Some(share)
    }

    /// A connection is over. What it left open (it should have left nothing) is lost if it was sent, stale if not; returned
    /// as it is now. Of each pool only the newest ended connection keeps its scope.
    pub(crate) fn end(&mut self, connection: ConnectionId) -> Vec<Share> {
        let mut left: Vec<_> = self
            .open
            .iter()
            .filter(|(_, entry)| entry.place.connection == connection && entry.stage != Stage::Accepted)
            .map(|(id, entry)| (*id, entry.stage))
            .collect();
        left.sort_unstable_by_key(|(id, _)| *id);
        let settled = left
            .into_iter()
            .filter_map(|(id, stage)| match stage {
                Stage::InHand => self.not_sent(id, DropReason::Stale),
                Stage::Pending | Stage::Accepted => self.judged(id, Verdict::Lost, Duration::ZERO),
            })
            .collect();
        self.open.retain(|_, entry| entry.place.connection != connection);
        let open = &self.open;
        self.accepted.retain(|id| open.contains_key(id));
        self.give_up_older(connection);
        settled
    }

    /// Verdicts for shares that are not open.
    pub(crate) fn unknown_verdicts(&self) -> u64 {
        self.unknown_verdicts
    }

    pub(crate) fn miner(&self, now: Instant) -> Scope {
        self.miner.scope(now)
    }

    pub(crate) fn pools(&self, now: Instant) -> BTreeMap<PoolName, PoolScope> {
        let scope = |pool: &PoolAccount| PoolScope {
            scope: pool.account.scope(now),
            verdict_latency: pool.latencies.summary(),
        };
        self.pools.iter().map(|(name, pool)| (name.clone(), scope(pool))).collect()
    }

    pub(crate) fn connections(&self) -> BTreeMap<ConnectionId, ConnectionScope> {
        let scope = |connection: &ConnectionAccount| ConnectionScope {
            pool: connection.pool.clone(),
            since: connection.since,
            totals: connection.account.totals,
            hashes: connection.account.hashes,
        };
        self.connections.iter().map(|(id, connection)| (*id, scope(connection))).collect()
    }

    pub(crate) fn boards(&self, now: Instant) -> BTreeMap<BoardId, Scope> {
        self.boards.iter().map(|(id, account)| (id.clone(), account.scope(now))).collect()
    }

    /// A thread's scope; empty for one that never joined.
    pub(crate) fn thread(&self, thread: ThreadIndex, now: Instant) -> Scope {
        let thread = self.returned.get(&thread).unwrap_or(&thread);
        self.threads.get(thread).map(|thread| thread.account.scope(now)).unwrap_or_default()
    }

    /// Changes every scope that a nonce counts in.
    fn each(&mut self, place: Place, mut apply: impl FnMut(&mut Account)) {
        apply(&mut self.miner);
        let thread = self.returned.get(&place.thread).unwrap_or(&place.thread);
        if let Some(thread) = self.threads.get_mut(thread) {
            apply(&mut thread.account);
            if let Some(board) = self.boards.get_mut(&thread.board) {
                apply(board);
            }
        }
        let pool = match self.connections.get_mut(&place.connection) {
            Some(connection) => {
                apply(&mut connection.account);
                Some(&connection.pool)
            }
            None => self.gone.iter().rev().find(|(id, _)| *id == place.connection).map(|(_, pool)| pool),
        };
        if let Some(pool) = pool.and_then(|pool| self.pools.get_mut(pool)) {
            apply(&mut pool.account);
        }
    }

    /// Gives an open share its new outcome, if it is at the stage that this outcome follows.
    fn turn(
        &mut self,
        id: ShareId,
        from: Stage,
        outcome: ShareOutcome,
        latency: Option<Duration>,
    ) -> Option<(Place, Share, f64)> {
        let Some(entry) = self.open.get_mut(&id).filter(|entry| entry.stage == from) else {
            self.unknown_verdicts += 1;
            return None;
        };
        entry.share.outcome = outcome;
        entry.share.latency = latency.or(entry.share.latency);
        Some((entry.place, entry.share.clone(), entry.work))
    }

    fn remember(&mut self, id: ShareId) {
        if let Some(entry) = self.open.get_mut(&id) {
            entry.stage = Stage::Accepted;
            self.accepted.push_back(id);
        }
        if self.accepted.len() > REMEMBERED
            && let Some(oldest) = self.accepted.pop_front()
        {
            self.open.remove(&oldest);
        }
    }

    fn give_up_older(&mut self, newest: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&newest) else { return };
        connection.ended = true;
        let pool = connection.pool.clone();
        let is_older =
            |id: &ConnectionId, other: &mut ConnectionAccount| *id != newest && other.ended && other.pool == pool;
        for (id, old) in self.connections.extract_if(.., is_older) {
            self.gone.push_back((id, old.pool));
            if self.gone.len() > GONE {
                self.gone.pop_front();
            }
        }
    }
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { totals: ShareTotals::default(), hashes: 0, estimator: Estimator::new(now) }
    }

    fn scope(&self, now: Instant) -> Scope {
        Scope { totals: self.totals, rates: self.estimator.estimates(now), hashes: self.hashes }
    }

    fn dropped(&mut self, reason: DropReason) {
        let totals = &mut self.totals;
        totals.found += 1;
        *match reason {
            DropReason::Stale => &mut totals.stale,
            DropReason::Duplicate => &mut totals.duplicate,
            DropReason::BelowTarget => &mut totals.below_target,
            DropReason::OutOfWindow => &mut totals.out_of_window,
            DropReason::HardwareError => &mut totals.hardware_error,
            DropReason::Suppressed => &mut totals.suppressed,
        } += 1;
    }

    fn sent(&mut self, share: &Share, work: f64) {
        let totals = &mut self.totals;
        totals.found += 1;
        totals.submitted += 1;
        totals.pending += 1;
        totals.submitted_work += work;
        totals.blocks += u64::from(share.block);
        if totals.best_difficulty.is_none_or(|best| best < share.difficulty) {
            totals.best_difficulty = Some(share.difficulty);
        }
    }

    fn judged(&mut self, verdict: Verdict, work: f64) {
        let totals = &mut self.totals;
        totals.pending -= 1;
        match verdict {
            Verdict::Accepted => {
                totals.accepted += 1;
                totals.accepted_work += work;
            }
            Verdict::Rejected(reason) => *totals.rejected.get_mut(reason) += 1,
            Verdict::Lost => totals.lost += 1,
        }
    }

    fn reclassified(&mut self, reason: RejectReason, work: f64) {
        let totals = &mut self.totals;
        totals.accepted -= 1;
        // Sums of unequal works round; a rest below zero would be nonsense.
        totals.accepted_work = (totals.accepted_work - work).max(0.0);
        *totals.rejected.get_mut(reason) += 1;
    }
}

#[cfg(test)]
mod tests;
