use super::*;
use crate::{
    access::{
        Role, Subject,
        apart::{ApartError, Approver},
        payout::{
            PayoutEntry, PayoutGuard,
            change::{Change, ChangeError, PayoutList, Proposed},
        },
        token::{Presented, RANDOM_BYTES, TokenError, TokenRequest},
    },
    store::PayoutError,
};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, UNIX_EPOCH},
};

async fn open(folder: &tempfile::TempDir) -> (Store, crate::store::FolderLock) {
    Store::open(folder.path()).await.unwrap()
}

fn binding(id: &str, role: Role) -> Binding {
    let (subject, selector) = ("user:ann".parse().unwrap(), "site=a,rack in (1,2)".parse().unwrap());
    Binding { id: id.into(), subject, role, selector }
}

#[tokio::test]
async fn bindings_survive_and_are_never_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = open(&folder).await;
    let mut write = store.write().await.unwrap();
    for (id, role, is_new) in [("1", Role::Energy, true), ("2", Role::Viewer, true), ("3", Role::Viewer, false)] {
        assert_eq!(write.insert_binding(&binding(id, role), "owner", UNIX_EPOCH).await.unwrap(), is_new);
    }
    write.commit().await.unwrap();
    store.close().await;
    drop((store, lock));
    let (store, _lock) = open(&folder).await;
    assert_eq!(store.bindings().await.unwrap(), [binding("1", Role::Energy), binding("2", Role::Viewer)].into());
    let mut write = store.write().await.unwrap();
    assert_eq!(write.delete_binding("1").await.unwrap(), Some(binding("1", Role::Energy)));
    assert_eq!(write.delete_binding("1").await.unwrap(), None);
    write.commit().await.unwrap();
    assert_eq!(store.bindings().await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn many_that_ask_at_once_are_answered_by_one_reading_and_a_change_is_seen_at_once() {
    let known = KnownBindings::default();
    let readings = AtomicUsize::new(0);
    let read = |role| {
        let readings = &readings;
        move || async move {
            readings.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok([binding("1", role)].into())
        }
    };
    let asking: Vec<_> = (0..1000).map(|_| known.get(read(Role::Viewer))).collect();
    let mut answers = futures_util::stream::FuturesUnordered::from_iter(asking);
    while let Some(answer) = futures_util::StreamExt::next(&mut answers).await {
        assert_eq!(answer.unwrap(), [binding("1", Role::Viewer)].into());
    }
    assert_eq!(readings.load(Ordering::Relaxed), 1);
    // What was read before a change is not kept after it.
    let stale = known.get(|| async {
        known.changed();
        Ok([binding("1", Role::Viewer)].into())
    });
    known.changed();
    stale.await.unwrap();
    assert_eq!(known.get(read(Role::Admin)).await.unwrap(), [binding("1", Role::Admin)].into());
}

#[tokio::test]
async fn binding_that_cannot_be_read_is_an_error_and_no_smaller_list() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = open(&folder).await;
    let mut write = store.write().await.unwrap();
    write.insert_binding(&binding("1", Role::Viewer), "owner", UNIX_EPOCH).await.unwrap();
    write.commit().await.unwrap();
    sqlx::query("UPDATE bindings SET selector = 'site='||char(0)").execute(&store.writer).await.unwrap();
    assert!(matches!(store.bindings().await, Err(StoreError::Corrupt(_))));
    store.close().await;
}

#[tokio::test]
async fn token_opens_until_it_is_revoked_and_its_secret_is_not_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = open(&folder).await;
    let life = Duration::from_secs(3600);
    let request = TokenRequest { operator: "ci".into(), label: "nightly".into(), life, created_by: "owner".into() };
    let random: [u8; RANDOM_BYTES] = std::array::from_fn(|i| u8::try_from(i * 5 + 1).unwrap());
    let (token, secret) = Token::issue(request, &random, UNIX_EPOCH).unwrap();
    let mut write = store.write().await.unwrap();
    write.insert_operator_token(&token).await.unwrap();
    write.commit().await.unwrap();
    let shown = Presented::read(secret.expose()).unwrap();
    let kept = store.operator_token(shown.id()).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&token));
    assert!(matches!(shown.verify(kept.as_ref(), UNIX_EPOCH), Ok(Subject::Token { operator, .. }) if operator == "ci"));
    let mut write = store.write().await.unwrap();
    assert_eq!(write.revoke_operator_token(&token.id, "owner", UNIX_EPOCH).await.unwrap(), Some(Vec::new()));
    assert_eq!(write.revoke_operator_token(&token.id, "owner", UNIX_EPOCH).await.unwrap(), None);
    write.commit().await.unwrap();
    let kept = store.operator_tokens().await.unwrap().pop();
    assert_eq!(shown.verify(kept.as_ref(), UNIX_EPOCH), Err(TokenError::Revoked));
    assert_eq!(store.operator_token("no such").await.unwrap(), None);
    store.close().await;
    let digits = hex::encode(&random[8..]);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(digits.as_bytes()) && !holds(&random[8..]));
    }
}

fn entries(user: &str) -> Vec<PayoutEntry> {
    vec![PayoutEntry {
        endpoint: "stratum+ssl://pool.example".parse().unwrap(),
        tls_pins: Vec::new(),
        user: user.parse().unwrap(),
    }]
}

fn admin(name: &str) -> Subject {
    Subject::Certificate { operator: name.into() }
}

/// An admin with a token that somebody made, and a role that somebody gave.
async fn appoint(write: &mut Write, name: &str, [token, role]: [&str; 2]) -> Approver {
    let random = [name.bytes().next().unwrap(); RANDOM_BYTES];
    let life = Duration::from_secs(3600);
    let wanted = TokenRequest { operator: name.into(), label: String::new(), life, created_by: token.into() };
    let (token, _) = Token::issue(wanted, &random, UNIX_EPOCH).unwrap();
    write.insert_operator_token(&token).await.unwrap();
    let subject = format!("operator:{name}").parse().unwrap();
    let binding = Binding { id: name.into(), subject, role: Role::Admin, selector: "".parse().unwrap() };
    assert!(write.insert_binding(&binding, role, UNIX_EPOCH).await.unwrap());
    Approver::new(Subject::Token { operator: name.into(), id: token.id }, None)
}

#[tokio::test]
async fn approval_counts_only_by_what_the_proposer_did_not_make() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = open(&folder).await;
    let mut write = store.write().await.unwrap();
    let ann = appoint(&mut write, "ann", ["owner", "owner"]).await;
    let by_ann = [
        appoint(&mut write, "bob", ["operator:ann", "owner"]).await,
        appoint(&mut write, "carol", ["owner", "operator:ann"]).await,
        appoint(&mut write, "dan", ["operator:bob", "operator:bob"]).await,
    ];
    let eve = appoint(&mut write, "eve", ["owner", "owner"]).await;
    for id in ["p1", "p2"] {
        write.propose_payout(Change::Entries(entries("a")), &ann.subject, id.into(), UNIX_EPOCH).await.unwrap();
    }
    for approver in by_ann {
        let refused = write.approve_payout("p2", &approver, UNIX_EPOCH).await.unwrap_err();
        assert!(
            matches!(refused, PayoutError::Change(ChangeError::Apart(ApartError::MaybeOne { .. }))),
            "{approver:?}: {refused}"
        );
    }
    assert_eq!(write.approve_payout("p2", &eve, UNIX_EPOCH).await.unwrap().version, 2);
    drop(write);
    store.close().await;
}

#[tokio::test]
async fn allow_list_changes_with_a_second_admin_and_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = open(&folder).await;
    assert_eq!(store.payout_list().await.unwrap(), PayoutList::default());
    let mut write = store.write().await.unwrap();
    appoint(&mut write, "ann", ["owner", "owner"]).await;
    let bob = appoint(&mut write, "bob", ["owner", "owner"]).await;
    let first = write.propose_payout(Change::Entries(entries("a.*")), &admin("ann"), "p1".into(), UNIX_EPOCH).await;
    assert!(matches!(first.unwrap(), Proposed::InForce(_)));
    let second = write.propose_payout(Change::TurnOff, &admin("ann"), "p2".into(), UNIX_EPOCH).await;
    assert!(matches!(second.unwrap(), Proposed::Waits(_)));
    write.commit().await.unwrap();
    store.close().await;
    drop((store, lock));
    let (store, _lock) = open(&folder).await;
    assert_eq!(store.payout_list().await.unwrap().guard, PayoutGuard::On(entries("a.*")));
    assert_eq!(store.payout_proposals().await.unwrap()[0].by, "operator:ann");
    let mut write = store.write().await.unwrap();
    let own = write.approve_payout("p2", &Approver::new(admin("ann"), None), UNIX_EPOCH).await.unwrap_err();
    assert!(matches!(own, PayoutError::Change(ChangeError::SamePerson(_))), "{own}");
    let off = write.approve_payout("p2", &bob, UNIX_EPOCH).await.unwrap();
    assert_eq!(off, PayoutList { guard: PayoutGuard::Off, version: 2 });
    let again = write.approve_payout("p2", &bob, UNIX_EPOCH).await.unwrap_err();
    assert!(matches!(again, PayoutError::Unknown(_)), "{again}");
    write.commit().await.unwrap();
    assert_eq!(store.payout_list().await.unwrap(), off);
    assert_eq!(store.payout_proposals().await.unwrap(), []);
    store.close().await;
}

#[tokio::test]
async fn rejected_proposal_cannot_be_approved() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = open(&folder).await;
    let mut write = store.write().await.unwrap();
    for id in ["p1", "p2"] {
        write.propose_payout(Change::Entries(entries("a")), &admin("ann"), id.into(), UNIX_EPOCH).await.unwrap();
    }
    assert_eq!(write.reject_payout("p2", &admin("ann"), UNIX_EPOCH).await.unwrap().id, "p2");
    let bob = Approver::new(admin("bob"), None);
    assert!(matches!(write.approve_payout("p2", &bob, UNIX_EPOCH).await, Err(PayoutError::Unknown(_))));
    assert!(matches!(write.reject_payout("p1", &admin("bob"), UNIX_EPOCH).await, Err(PayoutError::Unknown(_))));
    drop(write);
    store.close().await;
}

#[tokio::test]
async fn allow_list_that_cannot_be_read_is_an_error_and_no_guard_turned_off() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = open(&folder).await;
    sqlx::query("INSERT INTO payout_lists (version, entries, proposed_by, in_force_at) VALUES (1, '[{}]', 'x', 0)")
        .execute(&store.writer)
        .await
        .unwrap();
    assert!(matches!(store.payout_list().await, Err(StoreError::Corrupt(_))));
    store.close().await;
}
