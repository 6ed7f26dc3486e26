//! What is changed and what is recorded of it: both or neither, whoever goes away.

use super::*;
use crate::{finish::cut, registry::Registry};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Targets and diffs of all records, the oldest first.
async fn records(world: &World) -> Vec<(String, String)> {
    let records = world.enrolments.store.audit_after(0, 100).await.unwrap();
    records.into_iter().map(|record| (record.target, record.diff)).collect()
}

/// From now on nothing can be recorded.
async fn break_the_log(world: &World) {
    let file = SqliteConnectOptions::new().filename(world.folder.path().join("control.db"));
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    let trigger = "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'broken'); END";
    sqlx::query(trigger).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn every_change_has_its_record_and_what_changes_nothing_has_none() {
    let world = World::new().await;
    let (open, asked) = (world.token(2, false).await, world.token(2, true).await);
    let (first, second, third) = (key(), key(), key());
    let chain_of_first = chain(world.enrol(&open, &first, "rig-1").await);
    world.enrol(&asked, &second, "rig-2").await.unwrap();
    world.enrol(&asked, &third, "rig-3").await.unwrap();
    world.enrolments.approve(2, &by(), now()).await.unwrap();
    world.enrolments.refuse(3, "not ours", &by(), now()).await.unwrap();
    world.enrolments.revoke_token(open.id(), &by(), now()).await.unwrap();
    let identity = first.into_identity(&chain_of_first, world.authority.roots()).unwrap();
    let (next, later) = (key().request("x").unwrap(), now() + 20 * DAY);
    world.enrolments.renew(identity.peer(), &next, &by(), later).await.unwrap();
    let bob = world.enrolments.issue_operator_here(&name("bob"), &by(), now()).await.unwrap();
    let serial = bob.peer().serial;
    world.enrolments.revoke(serial, "lost", &by(), now()).await.unwrap();
    world.enrolments.revoke_holder(PeerKind::Miner, &name("rig-2"), "sold", &by(), now()).await.unwrap();
    let token = |approval: bool| format!(r#"{{"labels":{{"site":"north"}},"needs_approval":{approval},"uses":2}}"#);
    let expected = [
        (open.id().to_string(), token(false)),
        (asked.id().to_string(), token(true)),
        ("rig-1".into(), r#""enrolled""#.into()),
        ("rig-2".into(), r#""waits for approval""#.into()),
        ("rig-3".into(), r#""waits for approval""#.into()),
        ("enrolment 2".into(), r#"{"approved":"miner/rig-2"}"#.into()),
        ("enrolment 3".into(), r#"{"refused":"not ours"}"#.into()),
        (open.id().to_string(), r#""revoked""#.into()),
        ("rig-1".into(), r#""renewed""#.into()),
        ("operator/bob".into(), format!(r#"{{"serial":"{serial}"}}"#)),
        (format!("certificate {serial}"), r#"{"reason":"lost","revoked":1}"#.into()),
        ("miner/rig-2".into(), r#"{"reason":"sold","revoked":1}"#.into()),
    ];
    assert_eq!(records(&world).await, expected);
    // Whoever only asks again changes nothing.
    let again = by();
    let (text, request) = (asked.expose(), third.request("rig-3").unwrap());
    let ask = Ask { token: &text, request: &request, miner: "rig-3", source: source(1), received: Instant::now() };
    world.enrolments.enrol(ask, &again, now()).await.unwrap_err();
    let repeated = by();
    world.enrolments.renew(identity.peer(), &next, &repeated, later).await.unwrap();
    assert!(again.is_recorded() && repeated.is_recorded(), "nobody else records them");
    assert_eq!(records(&world).await.len(), expected.len());
}

#[tokio::test]
async fn change_that_cannot_be_recorded_does_not_happen() {
    let world = World::new().await;
    let (open, asked) = (world.token(9, false).await, world.token(9, true).await);
    let (old, bob) = (key(), key().request("bob").unwrap());
    let first = chain(world.enrol(&open, &old, "rig-1").await);
    let old = old.into_identity(&first, world.authority.roots()).unwrap();
    world.enrol(&asked, &key(), "rig-2").await.unwrap();
    break_the_log(&world).await;
    let (enrolments, now) = (&world.enrolments, now());
    let new = NewToken { ttl: DAY, uses: 1, needs_approval: false, labels: BTreeMap::new() };
    let (miner, next) = (old.peer().clone(), key().request("x").unwrap());
    let failed = [
        enrolments.create_token(new, &by(), now).await.err(),
        enrolments.revoke_token(open.id(), &by(), now).await.err(),
        world.enrol(&open, &key(), "rig-3").await.err(),
        world.enrol(&asked, &key(), "rig-4").await.err(),
        enrolments.approve(2, &by(), now).await.err(),
        enrolments.refuse(2, "not ours", &by(), now).await.err(),
        enrolments.renew(&miner, &next, &by(), now + 20 * DAY).await.err(),
        enrolments.issue_operator(&name("bob"), &bob, None, &by(), now).await.err(),
        enrolments.revoke(miner.serial, "lost", &by(), now).await.err(),
        enrolments.revoke_holder(PeerKind::Miner, &miner.name, "lost", &by(), now).await.err(),
    ];
    for (i, error) in failed.iter().enumerate() {
        assert!(matches!(error, Some(EnrolError::Store(_))), "change {i}: {error:?}");
    }
    assert_eq!(world.uses_left().await.iter().sum::<u32>(), 8 + 8);
    assert!(enrolments.tokens().await.unwrap().iter().all(|token| token.revoked_at.is_none()));
    let decisions: Vec<_> =
        enrolments.enrolments(None, None, 10).await.unwrap().iter().map(|one| one.decision).collect();
    assert_eq!(decisions, [Decision::Pending, Decision::Approved]);
    assert_eq!(enrolments.certificates(None, now).await.unwrap().len(), 1);
    assert!(enrolments.revocations().await.unwrap().is_empty());
}

#[tokio::test]
async fn calls_that_are_cut_come_to_their_end_with_their_record() {
    let mut world = World::new().await;
    let registry = Registry::new(&BTreeMap::new(), Vec::new()).unwrap();
    world.enrolments = world.enrolments.known_to(registry.clone());
    let token = world.token(1, true).await;
    world.enrol(&token, &key(), "rig-1").await.unwrap();
    let (mut known, mut revoked) = (registry.arrivals(), world.enrolments.revoked().watch());
    cut(world.enrolments.approve(1, &by(), now())).await;
    let arrived = known.wait_for(|miners| miners.keys().any(|miner| miner.as_str() == "rig-1"));
    tokio::time::timeout(PATIENCE, arrived).await.unwrap().unwrap();
    cut(world.enrolments.revoke_holder(PeerKind::Miner, &name("rig-1"), "sold", &by(), now())).await;
    let out = revoked.wait_for(|serials| serials.len() == 1);
    tokio::time::timeout(PATIENCE, out).await.unwrap().unwrap();
    let targets: Vec<_> = records(&world).await.into_iter().map(|(target, _)| target).collect();
    assert_eq!(targets[2..], ["enrolment 1", "miner/rig-1"]);
}
