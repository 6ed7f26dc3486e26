use super::*;
use proptest::prelude::*;
use std::time::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

fn ledger(connection: u64, accepted: u64) -> Option<LiveLedger> {
    Some(LiveLedger { boot_id: "boot".into(), connection, accepted })
}

fn trial() -> Trial {
    let mut trial = Trial::new(Generation(6), Generation(5), Duration::from_secs(300), true);
    trial.sending(ledger(1, 40), at(0));
    trial
}

/// A miner that said at `seconds` that the change is in force.
fn in_force(seconds: u64, live: Option<LiveLedger>) -> Evidence {
    Evidence {
        desired: Generation(6),
        accepted: Generation(6),
        in_force: true,
        heard_at: Some(at(seconds)),
        live,
        rejected: None,
    }
}

const REVERT: Option<TrialAction> = Some(TrialAction::Revert { to: Generation(5), over: Generation(6) });

#[test]
fn change_stays_when_the_miner_is_heard_of_and_has_a_share_accepted_in_time() {
    let mut trial = trial();
    let wait = Some(TrialAction::WaitUntil(at(300)));
    assert_eq!(trial.step(&in_force(10, ledger(2, 0)), at(10)), wait);
    assert_eq!(trial.step(&in_force(299, ledger(2, 1)), at(299)), None);
    assert_eq!(trial.state, TrialState::Confirmed { at: at(299) });
    // Nothing later changes that.
    assert_eq!(trial.step(&Evidence::default(), at(900)), None);
}

#[test]
fn either_proof_alone_is_not_enough() {
    let old = Evidence { accepted: Generation(5), ..in_force(299, ledger(1, 90)) };
    for (evidence, because) in [
        // In force, and no share on the new connection.
        (in_force(200, ledger(2, 0)), "no share was accepted within 300 s"),
        // Shares, and no word that it is in force.
        (
            Evidence { in_force: false, ..in_force(200, ledger(2, 5)) },
            "the miner was not heard of with it in force within 300 s",
        ),
        // Shares of the spec before.
        (old, "the miner was not heard of with it in force within 300 s"),
        // What it said before it was sent.
        (in_force(0, ledger(2, 5)), "the miner was not heard of with it in force within 300 s"),
        (Evidence::default(), "the miner was not heard of with it in force within 300 s"),
    ] {
        let mut trial = trial();
        trial.step(&evidence, at(200));
        assert_eq!(trial.step(&evidence, at(300)), REVERT, "{evidence:?}");
        assert_eq!(trial.state, TrialState::Reverting { because: because.into() });
        assert_eq!(trial.step(&evidence, at(301)), REVERT);
        trial.reverted(Generation(7));
        assert_eq!(trial.step(&Evidence { desired: Generation(7), ..evidence }, at(302)), None);
        assert_eq!(trial.state, TrialState::Reverted { generation: Generation(7), because: because.into() });
    }
}

#[test]
fn clock_does_not_run_before_the_change_is_sent_and_sending_again_does_not_stop_it() {
    let mut trial = Trial::new(Generation(6), Generation(5), Duration::from_secs(300), true);
    assert_eq!(trial.step(&Evidence { desired: Generation(6), ..Evidence::default() }, at(100_000)), None);
    assert_eq!(trial.state, TrialState::Stored);
    trial.sending(None, at(100_000));
    trial.sending(None, at(100_200));
    assert_eq!(trial.step(&Evidence::default(), at(100_300)), REVERT);
}

#[test]
fn refused_change_is_taken_back_at_once_and_one_that_somebody_wrote_over_is_not() {
    let mut refused = trial();
    let evidence = Evidence { desired: Generation(6), rejected: Some("no such pool".into()), ..Evidence::default() };
    assert_eq!(refused.step(&evidence, at(1)), REVERT);
    assert_eq!(refused.state, TrialState::Reverting { because: "the miner refused it: no such pool".into() });
    refused.superseded();
    assert_eq!(refused.state, TrialState::Superseded);
    let mut overwritten = trial();
    assert_eq!(overwritten.step(&Evidence { desired: Generation(8), ..Evidence::default() }, at(999)), None);
    assert_eq!((overwritten.is_over(), overwritten.state), (true, TrialState::Superseded));
}

#[test]
fn refusal_of_another_generation_is_no_matter() {
    let mut trial = trial();
    let evidence = Evidence { desired: Generation(5), rejected: Some("no such pool".into()), ..Evidence::default() };
    assert_eq!(trial.step(&evidence, at(1)), Some(TrialAction::WaitUntil(at(300))));
}

#[test]
fn shares_that_the_same_connection_counted_before_the_change_was_in_force_prove_nothing() {
    let mut trial = trial();
    // Connection 1 had 40 when that was read, and 45 when the change was in force.
    let wait = Some(TrialAction::WaitUntil(at(300)));
    assert_eq!(trial.step(&in_force(10, ledger(1, 45)), at(10)), wait);
    assert_eq!(trial.step(&in_force(11, ledger(1, 45)), at(11)), wait);
    assert_eq!(trial.step(&in_force(12, ledger(1, 46)), at(12)), None);
    assert!(trial.is_over());
}

#[test]
fn trial_that_is_carried_on_keeps_its_deadline_and_must_be_proved_anew() {
    let mut first = trial();
    first.step(&in_force(10, ledger(2, 0)), at(10));
    let mut second = Trial { rollout: "r".into(), ..first }.carried(Generation(7), SpecParts::POOL_GROUPS);
    assert_eq!((second.generation, second.previous, second.rollout.as_str()), (Generation(7), Generation(5), ""));
    second.sending(None, at(200));
    let of_it = |seconds, live| Evidence { desired: Generation(7), accepted: Generation(7), ..in_force(seconds, live) };
    assert_eq!(second.step(&of_it(210, ledger(2, 0)), at(210)), Some(TrialAction::WaitUntil(at(300))));
    let revert = Some(TrialAction::Revert { to: Generation(5), over: Generation(7) });
    assert_eq!(second.step(&of_it(300, ledger(2, 0)), at(300)), revert);
}

#[test]
fn trial_that_is_carried_on_is_proved_by_what_is_in_force_while_the_newer_generation_waits_for_its_turn() {
    let carried = trial().carried(Generation(7), SpecParts::POOL_GROUPS).carried(Generation(8), SpecParts::POOL_GROUPS);
    let of = |accepted, in_force_now, accepted_shares| Evidence {
        desired: Generation(8),
        accepted: Generation(accepted),
        in_force: in_force_now,
        ..in_force(200, ledger(2, accepted_shares))
    };
    for (evidence, is_proved) in [
        (of(6, true, 1), true),
        (of(8, true, 1), true),
        // Nothing of what is on trial, somebody changed it there, no share.
        (of(5, true, 1), false),
        (of(6, false, 1), false),
        (of(6, true, 0), false),
    ] {
        let mut trial = carried.clone();
        trial.step(&evidence, at(200));
        assert_eq!(trial.state == TrialState::Confirmed { at: at(200) }, is_proved, "{evidence:?}");
        trial.step(&evidence, at(300));
        assert!(!trial.may_be_proved(), "the clock runs on");
    }
    // One that was never sent is proved by no other.
    let stored = Trial::new(Generation(6), Generation(5), Duration::from_secs(300), true);
    assert_eq!(stored.carried(Generation(7), SpecParts::POOL_GROUPS).brought_by, None);
}

#[test]
fn clock_that_is_set_back_gives_no_more_time() {
    let mut trial = trial();
    let back = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let end = back + Duration::from_secs(300);
    assert_eq!(trial.step(&Evidence::default(), back), Some(TrialAction::WaitUntil(end)));
    assert_eq!(trial.step(&Evidence::default(), end), REVERT);
}

#[test]
fn paused_spec_is_proved_by_word_alone() {
    let mut trial = Trial { needs_share: false, ..trial() };
    assert_eq!(trial.step(&in_force(5, None), at(5)), None);
    assert!(trial.is_over());
}

#[test]
fn changes_of_pools_are_tried_and_others_are_not() {
    let change = |path: &str| SpecChange { path: path.into(), before: String::new(), after: String::new() };
    for (path, is_due) in [
        ("pool_groups[main].pools[main].url", true),
        ("pool_groups", true),
        ("paused", false),
        ("boards[bitaxe-gamma].mode", false),
    ] {
        assert_eq!(Trial::is_due(&[change(path)]), is_due, "{path}");
    }
}

proptest! {
    #[test]
    fn every_trial_ends_confirmed_by_both_proofs_or_taken_back_at_its_deadline(
        news in prop::collection::vec((0..60_u64, any::<bool>(), any::<bool>(), 1..3_u64, 0..3_u64), 0..20),
    ) {
        let mut trial = trial();
        let mut now = 0;
        let mut proved = false;
        for (seconds, heard, force, connection, shares) in news {
            now += seconds;
            let live = ledger(connection, if connection == 1 { 40 } else { 0 } + shares);
            let evidence = Evidence {
                in_force: force,
                heard_at: heard.then_some(at(now)),
                ..in_force(now, live)
            };
            // Killed between any two steps.
            trial = serde_json::from_str(&serde_json::to_string(&trial).unwrap()).unwrap();
            let was_running = matches!(trial.state, TrialState::Running { .. });
            let action = trial.step(&evidence, at(now));
            let is_confirmed = matches!(trial.state, TrialState::Confirmed { .. });
            if was_running && is_confirmed {
                prop_assert!(force && shares > 0);
                proved = true;
            }
            prop_assert_eq!(is_confirmed, proved);
            prop_assert_eq!(action == REVERT, !proved && now >= 300);
        }
        let last = trial.step(&Evidence { desired: Generation(6), ..Evidence::default() }, at(10_000));
        prop_assert_eq!(last == REVERT, !proved);
    }
}
