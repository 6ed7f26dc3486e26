use super::*;
use crate::scheduler::Scope;
use mujina_core::units::Difficulty;
use proptest::prelude::*;

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn account(url: &str) -> Account {
    Account { pool: "main".parse().unwrap(), url: url.into(), user: "alice".into() }
}

fn pools(totals: ShareTotals) -> BTreeMap<PoolName, PoolScope> {
    let scope = Scope { totals, ..Scope::default() };
    [("main".parse().unwrap(), PoolScope { scope, ..PoolScope::default() })].into()
}

fn accepted(count: u64) -> ShareTotals {
    ShareTotals { found: count, submitted: count, accepted: count, ..ShareTotals::default() }
}

fn now_of(lifetimes: &Lifetimes, ledger: &ShareTotals) -> ShareTotals {
    lifetimes.of(&"main".parse().unwrap(), ledger).unwrap().0
}

#[test]
fn what_was_pending_when_a_process_died_is_lost() {
    let died = ShareTotals { submitted: 5, found: 6, stale: 1, accepted: 3, pending: 2, ..ShareTotals::default() };
    let after = ended(&died);
    assert_eq!((after.lost, after.pending, after.is_balanced()), (2, 0, true));
}

#[test]
fn only_what_differs_from_the_disk_is_written_and_another_disk_gets_everything() {
    let known = [(account("a").key(), (accepted(3), at(1))), (account("b").key(), (accepted(1), at(2)))].into();
    let mut lifetimes = Lifetimes::new(known, "d1");
    lifetimes.turn(&[account("a")], &pools(ShareTotals::default()), at(5));
    assert_eq!(lifetimes.take_stock(&pools(ShareTotals::default()), "d1"), BTreeMap::new());
    let wanted: BTreeMap<_, _> = [(account("a").key(), (accepted(5), at(1)))].into();
    assert_eq!(lifetimes.take_stock(&pools(accepted(2)), "d1"), wanted);
    assert_eq!(lifetimes.take_stock(&pools(accepted(2)), "d1"), wanted, "until it is known to be written");
    lifetimes.stored();
    assert_eq!(lifetimes.take_stock(&pools(accepted(2)), "d1"), BTreeMap::new());
    assert_eq!(lifetimes.take_stock(&pools(accepted(2)), "d2").len(), 2);
}

#[test]
fn begin_of_an_account_is_shown_as_it_is_stored() {
    let mut lifetimes = Lifetimes::default();
    lifetimes.turn(&[account("a")], &BTreeMap::new(), at(5) + Duration::from_millis(700));
    assert_eq!(lifetimes.of(&"main".parse().unwrap(), &accepted(1)), Some((accepted(1), at(5))));
}

#[test]
fn best_share_of_one_account_is_not_that_of_the_next() {
    let best = |best: f64| ShareTotals { best_difficulty: Some(Difficulty::try_from(best).unwrap()), ..accepted(1) };
    let mut lifetimes = Lifetimes::default();
    lifetimes.turn(&[account("a")], &pools(ShareTotals::default()), at(0));
    lifetimes.turn(&[account("b")], &pools(best(7.0)), at(1));
    assert_eq!(now_of(&lifetimes, &best(7.0)).best_difficulty, None);
    assert_eq!(now_of(&lifetimes, &best(8.0)).best_difficulty, best(8.0).best_difficulty);
    lifetimes.turn(&[account("a")], &pools(best(8.0)), at(2));
    assert_eq!(now_of(&lifetimes, &best(8.0)).best_difficulty, best(7.0).best_difficulty);
}

/// One thing that happens to a ledger.
fn happen(totals: &mut ShareTotals, what: u8) {
    match what {
        0 => (totals.found, totals.stale) = (totals.found + 1, totals.stale + 1),
        1 => {
            totals.found += 1;
            totals.submitted += 1;
            totals.pending += 1;
        }
        2 if totals.pending > 0 => (totals.pending, totals.accepted) = (totals.pending - 1, totals.accepted + 1),
        3 if totals.pending > 0 => (totals.pending, totals.lost) = (totals.pending - 1, totals.lost + 1),
        4 if totals.pending > 0 => {
            totals.pending -= 1;
            *totals.rejected.get_mut(RejectReason::Stale) += 1;
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn every_account_balances_at_every_moment_and_together_they_are_the_ledger(
        steps in prop::collection::vec((0..5_u8, 0..12_usize), 1..300)
    ) {
        let accounts = [account("a"), account("b"), account("c")];
        let mut lifetimes = Lifetimes::default();
        let mut ledger = ShareTotals::default();
        lifetimes.turn(&accounts[..1], &pools(ledger), at(0));
        for (what, turn) in steps {
            happen(&mut ledger, what);
            if let Some(account) = accounts.get(turn) {
                lifetimes.turn(std::slice::from_ref(account), &pools(ledger), at(1));
            }
            let shown = now_of(&lifetimes, &ledger);
            prop_assert!(shown.is_balanced(), "{shown:?}");
            prop_assert_eq!(shown.pending, ledger.pending);
            lifetimes.take_stock(&pools(ledger), "d");
            let mut sum = ShareTotals::default();
            for (totals, _) in lifetimes.known.values() {
                prop_assert!(totals.is_balanced(), "{totals:?}");
                sum.add(totals);
            }
            prop_assert_eq!(sum, ledger);
        }
    }
}
