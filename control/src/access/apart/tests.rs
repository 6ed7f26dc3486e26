use super::*;
use std::time::{Duration, UNIX_EPOCH};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn given(id: &str, holder: &str, by: &str, seconds: u64) -> Given {
    Given { id: id.into(), holder: holder.into(), by: by.into(), at: at(seconds), until: Some(at(1_000_000)) }
}

/// Ann and bob, whose credentials and roles an owner made, and what is made besides, before the proposal at 100.
fn lineage(more: &[Given]) -> Lineage {
    let init = "the owner of the machine";
    let mut lineage = Lineage {
        credentials: vec![
            given("certificate/ann", "operator:ann", init, 1),
            given("token/bob", "operator:bob", "owner", 2),
        ],
        roles: vec![given("binding/ann", "operator:ann", init, 1), given("binding/bob", "operator:bob", "owner", 2)],
    };
    for one in more {
        let list = if one.id.starts_with("binding/") { &mut lineage.roles } else { &mut lineage.credentials };
        list.push(one.clone());
    }
    lineage
}

fn proposal(by: &str) -> Wish<'_> {
    Wish { by, at: at(100) }
}

/// Whether the holder of `credential` may approve what `proposer` proposed at 100.
fn check(lineage: &Lineage, proposer: &str, credential: &str) -> Result<(), ApartError> {
    let holder = lineage.credentials.iter().find(|one| one.id == credential).map(|one| one.holder.clone());
    let operator = holder.unwrap_or_default().trim_start_matches("operator:").to_owned();
    let person = format!("operator:{operator}");
    let approver = Approver { subject: Subject::Certificate { operator }, credential: Some(credential.into()) };
    let roles = lineage.roles.iter().filter(|role| role.holder == person).map(|role| role.id.clone());
    lineage.roles_apart(proposal(proposer), &approver, &roles.collect::<Vec<_>>()).map(drop)
}

fn is_maybe_one(answer: &Result<(), ApartError>) -> bool {
    matches!(answer, Err(ApartError::MaybeOne { .. }))
}

#[test]
fn admin_with_a_credential_and_a_role_of_its_own_approves() {
    let lineage = lineage(&[]);
    assert_eq!(check(&lineage, "operator:ann", "token/bob"), Ok(()));
    assert_eq!(check(&lineage, "operator:bob", "certificate/ann"), Ok(()));
}

#[test]
fn credential_that_the_proposer_made_for_another_admin_is_the_proposers() {
    for id in ["token/2", "certificate/2"] {
        let lineage = lineage(&[given(id, "operator:bob", "operator:ann", 50)]);
        assert!(is_maybe_one(&check(&lineage, "operator:ann", id)), "{id}");
        // Bob's own still counts.
        assert_eq!(check(&lineage, "operator:ann", "token/bob"), Ok(()));
    }
}

#[test]
fn admin_whom_the_proposer_made_is_the_proposers() {
    let eve = [
        given("token/eve", "operator:eve", "operator:ann", 50),
        given("binding/eve", "operator:eve", "operator:ann", 50),
    ];
    assert!(is_maybe_one(&check(&lineage(&eve), "operator:ann", "token/eve")));
    // One who had a credential of its own, and the role of the proposer.
    let [mut token, role] = eve;
    token.by = "owner".into();
    assert!(is_maybe_one(&check(&lineage(&[token, role]), "operator:ann", "token/eve")));
}

#[test]
fn what_comes_of_a_credential_that_the_proposer_made_is_the_proposers() {
    let token = given("token/2", "operator:bob", "operator:ann", 50);
    let own = given("certificate/2", "operator:bob", "operator:bob", 60);
    let eve =
        [given("token/eve", "operator:eve", "operator:bob", 70), given("binding/eve", "operator:eve", "owner", 3)];
    let [of_eve, role] = eve;
    let lineage = lineage(&[of_eve, role, own, token]);
    assert!(is_maybe_one(&check(&lineage, "operator:ann", "certificate/2")));
    assert!(is_maybe_one(&check(&lineage, "operator:ann", "token/eve")));
}

#[test]
fn what_an_admin_makes_of_its_own_will_counts() {
    let own = given("certificate/2", "operator:bob", "operator:bob", 60);
    let eve = given("token/eve", "operator:eve", "operator:bob", 70);
    let role = given("binding/eve", "operator:eve", "operator:bob", 70);
    // It had ended before bob got his certificate.
    let old = Given { until: Some(at(55)), ..given("token/2", "operator:bob", "operator:ann", 50) };
    let lineage = lineage(&[own, eve, role, old]);
    assert_eq!(check(&lineage, "operator:ann", "certificate/2"), Ok(()));
    assert_eq!(check(&lineage, "operator:ann", "token/eve"), Ok(()));
    assert!(is_maybe_one(&check(&lineage, "operator:bob", "token/eve")));
}

#[test]
fn nobody_approves_what_they_could_have_proposed_as_somebody_else() {
    let token = given("token/2", "operator:bob", "operator:ann", 50);
    assert!(is_maybe_one(&check(&lineage(std::slice::from_ref(&token)), "operator:bob", "certificate/ann")));
    let revoked_after = Given { until: Some(at(101)), ..token.clone() };
    assert!(is_maybe_one(&check(&lineage(&[revoked_after]), "operator:bob", "certificate/ann")));
    let revoked_before = Given { until: Some(at(99)), ..token };
    assert_eq!(check(&lineage(&[revoked_before]), "operator:bob", "certificate/ann"), Ok(()));
}

#[test]
fn what_is_newer_than_the_proposal_approves_nothing() {
    let lineage = lineage(&[given("token/2", "operator:bob", "owner", 101)]);
    for proposer in ["operator:ann", "owner"] {
        assert_eq!(check(&lineage, proposer, "token/2"), Err(ApartError::TooNew("operator:bob".into())));
    }
    let mut late = self::lineage(&[]);
    late.roles.iter_mut().for_each(|role| role.at = at(101));
    assert_eq!(check(&late, "operator:ann", "token/bob"), Err(ApartError::TooNew("operator:bob".into())));
}

#[test]
fn credential_whose_begin_nobody_knows_approves_nothing() {
    let orphan = given("certificate/2", "operator:dan", "operator:dan", 50);
    let role = given("binding/dan", "operator:dan", "owner", 3);
    assert!(is_maybe_one(&check(&lineage(&[orphan, role]), "operator:ann", "certificate/2")));
    assert!(is_maybe_one(&check(&lineage(&[]), "operator:ann", "certificate/none")));
}

#[test]
fn user_of_the_machine_counts_by_who_gave_it_the_role() {
    let subject = Subject::unix_peer(1000, 1000, None, 990);
    let role = |by: &str| given("binding/uid", "uid:1000", by, 50);
    let roles = ["binding/uid".to_owned()];
    let approves = |by: &str| {
        let approver = Approver::new(subject.clone(), None);
        lineage(&[role(by)]).roles_apart(proposal("operator:ann"), &approver, &roles).map(drop)
    };
    assert_eq!(approves("owner"), Ok(()));
    assert!(is_maybe_one(&approves("operator:ann")));
    assert_eq!(check(&lineage(&[role("owner")]), "uid:1000", "certificate/ann"), Ok(()));
    assert!(is_maybe_one(&check(&lineage(&[role("operator:ann")]), "uid:1000", "certificate/ann")));
    // The role was taken away again, and with it what could be known.
    assert!(is_maybe_one(&check(&lineage(&[]), "uid:1000", "certificate/ann")));
    let made = given("token/2", "operator:bob", "uid:1000", 60);
    assert!(is_maybe_one(&check(&lineage(&[made.clone(), role("operator:ann")]), "operator:ann", "token/2")));
    assert_eq!(check(&lineage(&[made, role("owner")]), "operator:ann", "token/2"), Ok(()));
}

#[test]
fn owner_of_the_machine_approves_what_others_propose() {
    let owner = Approver::new(Subject::unix_peer(0, 0, None, 990), None);
    for proposer in ["operator:ann", "uid:1000"] {
        assert_eq!(lineage(&[]).roles_apart(proposal(proposer), &owner, &[]), Ok(Vec::new()));
    }
    // And others what an owner proposes.
    assert_eq!(check(&lineage(&[]), "owner", "token/bob"), Ok(()));
}
