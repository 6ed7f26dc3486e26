//! Turns of the pools of a quota group.   Pure: `state` says who worked how long.
//!
//! Every member earns credit by its quota from the work that is done for the group while it is usable, and pays with the
//! work that is done for itself; the one with the most credit is next. Credit looks forward only: a pool that was away
//! comes back with none, and is not caught up with.

use mujina_core::{
    id::PoolName,
    pool::{PoolGroup, PoolStrategy},
    status::WorkSplit,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Rate by which time is turned into work while none is known: only ratios matter.
const UNKNOWN_RATE: f64 = 1.0;

/// Accounts of all quota groups.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    groups: Vec<Group>,
    /// Until when work is booked.
    booked_until: Option<Instant>,
}

#[derive(Debug)]
struct Group {
    quotas: BTreeMap<PoolName, u32>,
    accounts: BTreeMap<PoolName, Account>,
    /// Whose turn it is, and since when.
    turn: Option<(PoolName, Instant)>,
}

/// In hashes, or in seconds while no rate is known.
#[derive(Debug, Default, Clone, Copy)]
struct Account {
    credit: f64,
    work: f64,
    usable: bool,
}

impl Quotas {
    /// Takes over new groups. Groups whose members and quotas are the same go on.
    pub(super) fn configure(&mut self, groups: &[PoolGroup]) {
        let mut old = std::mem::take(&mut self.groups);
        for group in groups.iter().filter(|group| group.strategy == PoolStrategy::Quota) {
            let quotas: BTreeMap<_, _> = group.pools.iter().map(|pool| (pool.name.clone(), pool.quota.get())).collect();
            let same = old.iter().position(|one| one.quotas == quotas).map(|at| old.swap_remove(at));
            self.groups.push(same.unwrap_or_else(|| Group {
                accounts: quotas.keys().map(|name| (name.clone(), Account::default())).collect(),
                quotas,
                turn: None,
            }));
        }
    }

    /// Books the work since the last call for `live`, then notes who can work from now on.
    pub(super) fn book(
        &mut self,
        live: Option<&PoolName>,
        rate: Option<f64>,
        usable: impl Fn(&PoolName) -> bool,
        now: Instant,
    ) {
        let since = self.booked_until.replace(now).unwrap_or(now);
        let work = now.saturating_duration_since(since).as_secs_f64() * rate.unwrap_or(UNKNOWN_RATE);
        for group in &mut self.groups {
            if let Some(live) = live.filter(|live| group.accounts.contains_key(*live)) {
                group.book(live, work);
            }
            for (name, account) in &mut group.accounts {
                let is_usable = usable(name);
                if account.usable != is_usable {
                    (account.usable, account.credit) = (is_usable, 0.0);
                }
            }
        }
    }

    /// Whether it is the pool's turn in its group. A turn lasts `slice` at least, unless its pool fails.
    pub(super) fn has_turn(&mut self, pool: &PoolName, slice: Duration, now: Instant) -> bool {
        let Some(group) = self.groups.iter_mut().find(|group| group.accounts.contains_key(pool)) else { return false };
        if let Some((holder, since)) = &group.turn
            && let Some(account) = group.accounts.get(holder)
            && account.usable
            && now.saturating_duration_since(*since) < slice
        {
            return holder == pool;
        }
        let usable = group.accounts.iter().filter(|(_, account)| account.usable);
        // Of equals the first, so that two of them alternate.
        let most =
            |(_, one): &(&PoolName, &Account), (_, other): &(&PoolName, &Account)| one.credit.total_cmp(&other.credit);
        let Some((next, _)) = usable.rev().max_by(most) else {
            return false;
        };
        let (next, is_next) = (next.clone(), next == pool);
        group.turn = Some((next, now));
        is_next
    }

    /// When the next turn begins, if turns are being taken.
    pub(super) fn deadline(&self, slice: Duration) -> Option<Instant> {
        let several = |group: &&Group| group.accounts.values().filter(|account| account.usable).count() > 1;
        let turns = self.groups.iter().filter(several).filter_map(|group| group.turn.as_ref());
        turns.map(|(_, since)| *since + slice).min()
    }

    /// How the work of the pool's group is split, as it should be and as it was.
    pub(super) fn split(&self, pool: &PoolName) -> Option<WorkSplit> {
        let group = self.groups.iter().find(|group| group.accounts.contains_key(pool))?;
        let account = group.accounts.get(pool)?;
        let quota = f64::from(*group.quotas.get(pool)?);
        let all = group.usable_quota();
        let target = if account.usable && all > 0.0 { quota / all } else { 0.0 };
        let work: f64 = group.accounts.values().map(|account| account.work).sum();
        Some(WorkSplit { target, achieved: (work > 0.0).then(|| account.work / work) })
    }
}

impl Group {
    fn usable_quota(&self) -> f64 {
        let usable = self.accounts.iter().filter(|(_, account)| account.usable);
        usable.filter_map(|(name, _)| self.quotas.get(name)).copied().map(f64::from).sum()
    }

    fn book(&mut self, live: &PoolName, work: f64) {
        let all = self.usable_quota();
        for (name, account) in &mut self.accounts {
            if account.usable && all > 0.0 {
                let quota = self.quotas.get(name).copied().unwrap_or_default();
                account.credit += work * f64::from(quota) / all;
            }
            if name == live {
                account.credit -= work;
                account.work += work;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::state::tests::group;
    use std::num::NonZeroU32;

    const SLICE: Duration = Duration::from_secs(60);

    fn name(text: &str) -> PoolName {
        text.parse().unwrap()
    }

    fn quotas(parts: &[(&str, u32)]) -> PoolGroup {
        let names: Vec<_> = parts.iter().map(|(name, _)| *name).collect();
        let mut group = group(&names);
        group.strategy = PoolStrategy::Quota;
        for (pool, (_, quota)) in group.pools.iter_mut().zip(parts) {
            pool.quota = NonZeroU32::new(*quota).unwrap();
        }
        group
    }

    /// Works in turns for a time, with `usable` pools; returns how many slices each got.
    fn work(quotas: &mut Quotas, names: &[&str], slices: u32, now: &mut Instant) -> Vec<u32> {
        let mut counts = vec![0; names.len()];
        for _ in 0..slices {
            let usable = |pool: &PoolName| names.contains(&pool.as_str());
            quotas.book(None, Some(1e6), usable, *now);
            let at = names.iter().position(|one| quotas.has_turn(&name(one), SLICE, *now)).expect("somebody's turn");
            counts[at] += 1;
            *now += SLICE;
            quotas.book(Some(&name(names[at])), Some(1e6), usable, *now);
        }
        counts
    }

    #[test]
    fn work_is_split_by_quota() {
        let mut accounts = Quotas::default();
        accounts.configure(&[quotas(&[("a", 7), ("b", 2), ("c", 1)])]);
        let mut now = Instant::now();
        assert_eq!(work(&mut accounts, &["a", "b", "c"], 100, &mut now), [70, 20, 10]);
        let split = accounts.split(&name("a")).unwrap();
        assert!((split.target - 0.7).abs() < 1e-9 && (split.achieved.unwrap() - 0.7).abs() < 1e-9, "{split:?}");
    }

    #[test]
    fn pool_that_was_away_is_not_caught_up_with() {
        let mut accounts = Quotas::default();
        accounts.configure(&[quotas(&[("a", 1), ("b", 1)])]);
        let mut now = Instant::now();
        assert_eq!(work(&mut accounts, &["a"], 50, &mut now), [50]);
        assert!(accounts.split(&name("b")).unwrap().target < 1e-9, "it is away");
        let counts = work(&mut accounts, &["a", "b"], 10, &mut now);
        assert_eq!(counts, [5, 5]);
    }

    #[test]
    fn turn_lasts_its_slice_and_ends_early_only_with_its_pool() {
        let mut accounts = Quotas::default();
        accounts.configure(&[quotas(&[("a", 1), ("b", 1)])]);
        let now = Instant::now();
        accounts.book(None, None, |_| true, now);
        let holder = ["a", "b"].into_iter().find(|one| accounts.has_turn(&name(one), SLICE, now)).unwrap();
        let other = if holder == "a" { "b" } else { "a" };
        let later = now + SLICE / 2;
        accounts.book(Some(&name(holder)), None, |_| true, later);
        assert!(accounts.has_turn(&name(holder), SLICE, later) && !accounts.has_turn(&name(other), SLICE, later));
        assert_eq!(accounts.deadline(SLICE), Some(now + SLICE));
        accounts.book(Some(&name(holder)), None, |pool| pool.as_str() == other, later);
        assert!(accounts.has_turn(&name(other), SLICE, later));
    }

    #[test]
    fn changed_quotas_begin_a_new_account_and_unchanged_ones_go_on() {
        let mut accounts = Quotas::default();
        accounts.configure(&[quotas(&[("a", 1), ("b", 1)])]);
        let mut now = Instant::now();
        work(&mut accounts, &["a", "b"], 4, &mut now);
        accounts.configure(&[quotas(&[("b", 1), ("a", 1)])]);
        assert!(accounts.split(&name("a")).unwrap().achieved.is_some(), "only the order changed");
        accounts.configure(&[quotas(&[("a", 1), ("b", 2)])]);
        assert_eq!(accounts.split(&name("a")).unwrap().achieved, None);
        assert_eq!(accounts.split(&name("x")), None);
    }
}
