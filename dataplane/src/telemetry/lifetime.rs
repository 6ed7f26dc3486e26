//! What pool accounts were worth to this miner over all its processes.   Pure: fed by `history`, read by `status`.
//!
//! An account is a pool's name, URL and user together. The name alone would not do: `pool set` calls whatever it is given
//! `primary`, and the totals of one company's pool are nobody's business at another's. Who goes back to an account finds
//! its totals as they were.
//!
//! The miner's ledgers count by name and know no account, so what an account has is `before + now - offset`: what was on
//! disk when it began, and the ledger of its name in this process without what that held for the account before it. Shares
//! without a verdict at the moment of the change move on to the new account with their verdicts, so that the sums of both
//! balance at every moment. Everything on disk is absolute, never added to, so that a write that is repeated changes nothing.

use crate::scheduler::PoolScope;
use mujina_core::{
    id::PoolName,
    share::{RejectCounts, RejectReason, ShareTotals},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Whose totals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) pool: PoolName,
    pub(super) url: String,
    pub(super) user: String,
}

impl Account {
    /// Its name on disk; neither names nor URLs hold a blank.
    pub(super) fn key(&self) -> String {
        format!("{} {} {}", self.pool, self.url, self.user)
    }
}

/// What an account has, and since when it counts.
pub(super) type Totals = (ShareTotals, SystemTime);

/// Totals of all accounts: those of the spec, and those of the past.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lifetimes {
    current: BTreeMap<PoolName, Current>,
    /// By their keys: as they are on disk, or wait to be.
    known: BTreeMap<String, Totals>,
    /// Keys of those that wait.
    changed: BTreeSet<String>,
    /// The database that has all others.
    database: String,
}

/// The account that a name stands for now.
#[derive(Debug, Clone, PartialEq)]
struct Current {
    account: Account,
    since: SystemTime,
    before: ShareTotals,
    offset: ShareTotals,
}

impl Lifetimes {
    /// With what this database has.
    pub(super) fn new(known: BTreeMap<String, Totals>, database: &str) -> Self {
        Self { known, database: database.into(), ..Self::default() }
    }

    /// What the account that `pool` stands for now has, while its ledger in this process is `ledger`.
    pub(super) fn of(&self, pool: &PoolName, ledger: &ShareTotals) -> Option<Totals> {
        self.current.get(pool).map(|current| (current.totals(ledger), current.since))
    }

    /// Whether a name stands for another account than before, or for its first.
    pub(super) fn differs(&self, accounts: &[Account]) -> bool {
        accounts.iter().any(|account| self.current.get(&account.pool).is_none_or(|one| one.account != *account))
    }

    /// Turns to the accounts of the spec. A name that left it keeps its account: late verdicts are still that one's.
    pub(super) fn turn(&mut self, accounts: &[Account], pools: &BTreeMap<PoolName, PoolScope>, now: SystemTime) {
        for account in accounts {
            let ledger = ledger(pools, &account.pool);
            let offset = match self.current.get(&account.pool) {
                Some(current) if current.account == *account => continue,
                Some(current) => {
                    let left = settled_part(&ledger);
                    self.known.insert(current.account.key(), (current.totals(&left), current.since));
                    self.changed.insert(current.account.key());
                    left
                }
                // The first account of a name in this process: all that was counted for the name is its.
                None => ShareTotals::default(),
            };
            let fresh = || (ShareTotals::default(), whole_seconds(now));
            let (before, since) = self.known.get(&account.key()).copied().unwrap_or_else(fresh);
            let current = Current { account: account.clone(), since, before, offset };
            self.current.insert(account.pool.clone(), current);
        }
    }

    /// Notes what all accounts have now, and returns what is to be written: everything that the database does not have.
    pub(super) fn take_stock(
        &mut self,
        pools: &BTreeMap<PoolName, PoolScope>,
        database: &str,
    ) -> BTreeMap<String, Totals> {
        if self.database != database {
            self.database = database.into();
            self.changed = self.known.keys().cloned().collect();
        }
        for current in self.current.values() {
            let totals = (current.totals(&ledger(pools, &current.account.pool)), current.since);
            let key = current.account.key();
            let nothing = totals.0 == ShareTotals::default() && !self.known.contains_key(&key);
            if !nothing && self.known.get(&key) != Some(&totals) {
                self.known.insert(key.clone(), totals);
                self.changed.insert(key);
            }
        }
        self.changed.iter().filter_map(|key| Some((key.clone(), *self.known.get(key)?))).collect()
    }

    /// What [`Self::take_stock`] returned is on disk.
    pub(super) fn stored(&mut self) {
        self.changed.clear();
    }
}

impl Current {
    fn totals(&self, now: &ShareTotals) -> ShareTotals {
        let mut totals = self.before;
        totals.add(now);
        let mut totals = minus(&totals, &self.offset);
        // The best share of the process may be one of another account.
        let best = now.best_difficulty.filter(|best| self.offset.best_difficulty.is_none_or(|other| other < *best));
        totals.best_difficulty = match (best, self.before.best_difficulty) {
            (Some(new), Some(old)) if new < old => Some(old),
            (new, old) => new.or(old),
        };
        totals
    }
}

/// A time as it is on disk, so that what is shown does not change with a restart.
fn whole_seconds(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

fn ledger(pools: &BTreeMap<PoolName, PoolScope>, pool: &PoolName) -> ShareTotals {
    pools.get(pool).map(|pool| pool.scope.totals).unwrap_or_default()
}

/// A ledger as if its pending shares had never been found.
fn settled_part(ledger: &ShareTotals) -> ShareTotals {
    let pending = ledger.pending;
    ShareTotals {
        found: ledger.found.saturating_sub(pending),
        submitted: ledger.submitted.saturating_sub(pending),
        pending: 0,
        ..*ledger
    }
}

/// A ledger of another process, in which nothing is pending any more: what had no verdict when it died never gets one.
pub(super) fn ended(ledger: &ShareTotals) -> ShareTotals {
    let judged = ledger.accepted + ledger.rejected.sum() + ledger.lost;
    ShareTotals { pending: 0, lost: ledger.lost + ledger.submitted.saturating_sub(judged), ..*ledger }
}

/// `all` without `part`, which is in it. A late refusal may have taken from `all` what `part` still has: that is zero then.
fn minus(all: &ShareTotals, part: &ShareTotals) -> ShareTotals {
    let ShareTotals {
        found,
        stale,
        duplicate,
        below_target,
        out_of_window,
        hardware_error,
        suppressed,
        submitted,
        accepted,
        rejected,
        pending,
        lost,
        submitted_work,
        accepted_work,
        best_difficulty,
        blocks,
    } = all;
    let mut refused = RejectCounts::default();
    for reason in RejectReason::ALL {
        *refused.get_mut(reason) = rejected.get(reason).saturating_sub(part.rejected.get(reason));
    }
    ShareTotals {
        found: found.saturating_sub(part.found),
        stale: stale.saturating_sub(part.stale),
        duplicate: duplicate.saturating_sub(part.duplicate),
        below_target: below_target.saturating_sub(part.below_target),
        out_of_window: out_of_window.saturating_sub(part.out_of_window),
        hardware_error: hardware_error.saturating_sub(part.hardware_error),
        suppressed: suppressed.saturating_sub(part.suppressed),
        submitted: submitted.saturating_sub(part.submitted),
        accepted: accepted.saturating_sub(part.accepted),
        rejected: refused,
        pending: *pending,
        lost: lost.saturating_sub(part.lost),
        submitted_work: (submitted_work - part.submitted_work).max(0.0),
        accepted_work: (accepted_work - part.accepted_work).max(0.0),
        best_difficulty: *best_difficulty,
        blocks: blocks.saturating_sub(part.blocks),
    }
}

#[cfg(test)]
mod tests;
