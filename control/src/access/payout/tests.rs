use super::{
    change::{Change, ChangeError, PROPOSAL_LIFE, PayoutList, Proposal, Proposed},
    *,
};
use crate::access::Subject;
use mujina_core::{
    pool::PoolStrategy,
    spec::{GroupDraft, PoolDraft, SpecDraft},
};
use proptest::prelude::*;
use std::time::{Duration, UNIX_EPOCH};

const KEY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const OTHER_KEY: &str = "9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh";
const PIN: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn entry(url: &str, user: &str) -> PayoutEntry {
    serde_json::from_value(serde_json::json!({ "url": url, "user": user })).unwrap()
}

fn guard() -> PayoutGuard {
    PayoutGuard::On(vec![
        entry(&format!("stratum2+tcp://pool.example/{KEY}"), "bc1qfleet.*"),
        entry("stratum+ssl://old.example:4444", "acct"),
        entry("stratum+tcp://plain.example:3333", "acct.*"),
    ])
}

fn violations(change: impl FnOnce(&mut PoolDraft)) -> Vec<(String, Fault)> {
    let mut pool = PoolDraft {
        name: "a".into(),
        url: format!("stratum2+tcp://pool.example:34254/{KEY}"),
        user: "bc1qfleet.rig7".into(),
        ..PoolDraft::default()
    };
    change(&mut pool);
    let groups = vec![GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] }];
    let spec = SpecDraft { pool_groups: groups, ..SpecDraft::default() };
    let spec = spec.check(None).unwrap();
    assert_eq!(check(&spec, &PayoutGuard::Off), []);
    check(&spec, &guard()).into_iter().map(|violation| (violation.field, violation.fault)).collect()
}

#[test]
fn listed_pool_key_and_account_pass() {
    assert_eq!(violations(|_| {}), []);
    assert_eq!(violations(|pool| pool.user = "bc1qfleet".into()), []);
    assert_eq!(violations(|pool| (pool.url, pool.user) = ("stratum+ssl://old.example:4444".into(), "acct".into())), []);
    // More protection than the list asks for.
    assert_eq!(
        violations(|pool| (pool.url, pool.user) = ("stratum+ssl://plain.example:3333".into(), "acct.1".into())),
        []
    );
}

#[test]
fn each_field_outside_of_the_list_is_named() {
    let field = |name: &str| format!("pool_groups[main].pools[a].{name}");
    assert_eq!(
        violations(|pool| pool.url = format!("stratum2+tcp://pool.example/{OTHER_KEY}")),
        [(field("url"), Fault::AuthorityKey(OTHER_KEY.into()))]
    );
    assert_eq!(
        violations(|pool| pool.url = format!("stratum2+tcp://pool.example:34255/{KEY}")),
        [(field("url"), Fault::Pool("pool.example:34255".into()))]
    );
    assert_eq!(
        violations(|pool| pool.url = "stratum+tcp://pool.example:34254".into()),
        [(field("url"), Fault::Protection("Stratum V2 and its authority key"))]
    );
    for url in ["stratum+tcp://old.example:4444", "stratum+ssl://old.example:4444?tls=insecure"] {
        assert_eq!(
            violations(|pool| (pool.url, pool.user) = (url.into(), "acct".into())),
            [(field("url"), Fault::Protection("TLS that proves who answers"))],
            "{url}"
        );
    }
    for user in ["bc1qthief", "bc1qfleetx.rig7", "bc1qfleeT.1", "x.bc1qfleet"] {
        assert_eq!(violations(|pool| pool.user = user.into()), [(field("user"), Fault::User(user.into()))]);
    }
    assert_eq!(
        violations(|pool| (pool.url, pool.user) = ("stratum+ssl://old.example:4444".into(), "acct.1".into())),
        [(field("user"), Fault::User("acct.1".into()))]
    );
}

#[test]
fn options_cannot_lead_around_the_list() {
    let field = |name: &str| format!("pool_groups[main].pools[a].options.{name}");
    let old = |pool: &mut PoolDraft| (pool.url, pool.user) = ("stratum+ssl://old.example:4444".into(), "acct".into());
    let keyed = violations(|pool| pool.options.authority_keys = vec![OTHER_KEY.into(), KEY.into()]);
    assert_eq!(keyed, [(field("authority_keys"), Fault::AuthorityKey(OTHER_KEY.into()))]);
    let pinned = violations(|pool| {
        old(pool);
        pool.options.tls_pins = vec![PIN.into()];
    });
    assert_eq!(pinned, [(field("tls_pins"), Fault::TlsPins)]);
    let led = violations(|pool| {
        old(pool);
        pool.options.redirect_hosts = vec!["plain.example".into(), "thief.example".into()];
    });
    assert_eq!(led, [(field("redirect_hosts"), Fault::RedirectHost("thief.example".into()))]);
}

fn person(operator: &str) -> Subject {
    Subject::Certificate { operator: operator.into() }
}

fn in_force() -> PayoutList {
    match PayoutList::default().propose(
        Change::Entries(vec![entry("stratum+tcp://a.example", "x")]),
        &person("ann"),
        "1".into(),
        UNIX_EPOCH,
    ) {
        Ok(Proposed::InForce(list)) => list,
        other => panic!("{other:?}"),
    }
}

fn proposal(list: &PayoutList, change: Change, by: &Subject) -> Proposal {
    match list.propose(change, by, "p".into(), UNIX_EPOCH) {
        Ok(Proposed::Waits(proposal)) => proposal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn guard_that_was_never_set_up_is_off_and_says_so() {
    let list = PayoutList::default();
    assert!(!list.guard.is_on() && list.guard.summary().contains("is off"));
    let off = list.propose(Change::TurnOff, &person("ann"), "1".into(), UNIX_EPOCH);
    assert_eq!(off, Err(ChangeError::NeverSetUp));
    assert!(in_force().guard.is_on());
}

#[test]
fn change_takes_another_admin_within_a_day() {
    let list = in_force();
    for change in [Change::TurnOff, Change::Entries(vec![entry("stratum+tcp://b.example", "y")])] {
        let proposal = proposal(&list, change, &person("ann"));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let own_token = Subject::Token { operator: "ann".into(), id: "1".into() };
        for same in [person("ann"), own_token] {
            let same = list.approve(&proposal, &same, at(1));
            assert_eq!(same, Err(ChangeError::SamePerson("operator:ann".into())));
        }
        assert_eq!(list.approve(&proposal, &person("bob"), UNIX_EPOCH + PROPOSAL_LIFE), Err(ChangeError::Expired));
        let after = list.approve(&proposal, &person("bob"), at(24 * 60 * 60 - 1)).unwrap();
        assert_eq!(after.version, list.version + 1);
        assert_eq!(after.approve(&proposal, &person("bob"), at(2)), Err(ChangeError::Outdated { base: 1, now: 2 }));
        // What was off once is not set up again by one admin alone.
        assert!(matches!(
            after.propose(Change::Entries(vec![entry("tls://c.example", "z")]), &person("ann"), "2".into(), UNIX_EPOCH),
            Ok(Proposed::Waits(_))
        ));
    }
}

#[test]
fn owners_of_the_machine_count_as_one_person() {
    let list = in_force();
    let (root, service) = (Subject::unix_peer(0, 0, None, 990), Subject::unix_peer(990, 990, None, 990));
    let proposal = proposal(&list, Change::TurnOff, &root);
    assert_eq!(list.approve(&proposal, &service, UNIX_EPOCH), Err(ChangeError::SamePerson("owner".into())));
}

#[test]
fn lists_without_entries_or_with_too_many_are_refused() {
    let list = in_force();
    let propose = |entries| list.propose(Change::Entries(entries), &person("ann"), "1".into(), UNIX_EPOCH);
    assert_eq!(propose(Vec::new()), Err(ChangeError::Empty));
    assert_eq!(propose(vec![entry("tls://c.example", "z"); MAX_ENTRIES + 1]), Err(ChangeError::TooMany(257)));
}

#[test]
fn accounts_that_look_like_patterns_are_refused() {
    for user in ["", ".*", "*", "bc1*", "a.*.*", "a\nb"] {
        assert_eq!(user.parse::<UserRule>(), Err(EntryError::User), "{user:?}");
    }
    for user in ["acct", "acct.*", "acct.rig.*"] {
        assert_eq!(user.parse::<UserRule>().unwrap().to_string(), user);
    }
}

proptest! {
    #[test]
    fn workers_of_an_account_are_what_follows_its_dot(account in "[a-z0-9]{1,8}", rest in "[a-z0-9.]{0,8}") {
        let rule: UserRule = format!("{account}.*").parse().unwrap();
        let is_worker = rest.is_empty() || rest.starts_with('.');
        prop_assert_eq!(rule.allows(&format!("{account}{rest}")), is_worker);
        let worker = format!("{account}.{rest}");
        prop_assert!(!account.parse::<UserRule>().unwrap().allows(&worker));
    }

    #[test]
    fn nobody_approves_what_they_proposed(uid in 0_u32..3, other in 0_u32..3, age in 0_u64..100_000) {
        let list = in_force();
        let [by, approver] = [uid, other].map(|uid| Subject::unix_peer(uid, uid, None, 1));
        let proposal = proposal(&list, Change::TurnOff, &by);
        let approved = list.approve(&proposal, &approver, UNIX_EPOCH + Duration::from_secs(age));
        prop_assert_eq!(approved.is_ok(), by.person() != approver.person() && age < 86_400);
    }
}

#[test]
fn entries_survive_being_stored() {
    let entry = PayoutEntry { tls_pins: vec![PIN.parse().unwrap()], ..entry("stratum+ssl://old.example:4444", "a.*") };
    let json = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<PayoutEntry>(&json).unwrap(), entry);
}
