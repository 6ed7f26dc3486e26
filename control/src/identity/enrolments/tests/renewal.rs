//! What happens to certificates after they were issued.

use super::*;
use crate::identity::enrolments::certificates::MOST_CERTIFICATES;
use mujina_proto::tls::{Refusal, Revocations};

impl World {
    async fn miner(&self, name: &str) -> Identity {
        let token = self.token(1, false).await;
        let key = key();
        let chain = chain(self.enrol(&token, &key, name).await);
        key.into_identity(&chain, self.authority.roots()).unwrap()
    }

    async fn renew(&self, identity: &Identity, key: &NewKey, now: SystemTime) -> Result<Identity, EnrolError> {
        let chain = self.enrolments.renew(identity.peer(), &key.request("x").unwrap(), &by(), now).await?;
        // Another handle on the same key.
        let file = self.folder.path().join("renewed.pem");
        key.save(&file)?;
        Ok(NewKey::load(&file)?.into_identity(&chain, self.authority.roots())?)
    }

    async fn revoke(&self, identity: &Identity) -> bool {
        let serial = identity.peer().serial;
        self.enrolments.revoke(serial, "lost", &by(), now()).await.unwrap() == [serial]
    }
}

#[tokio::test]
async fn certificate_renews_itself_from_the_second_half_of_its_life() {
    let world = World::new().await;
    let old = world.miner("rig-7").await;
    let new_key = key();
    let early = world.renew(&old, &new_key, now() + 14 * DAY).await;
    assert!(matches!(early, Err(EnrolError::TooEarly(wait)) if wait <= DAY && wait > DAY - Duration::from_secs(300)));
    assert!(old.renew_at() < now() + 20 * DAY);
    let renewed = world.renew(&old, &new_key, now() + 20 * DAY).await.unwrap();
    assert_eq!(renewed.peer().name, old.peer().name);
    assert_eq!(renewed.expires_at(), now() + 50 * DAY);
    // An answer that was lost is given again.
    let again = world.renew(&old, &new_key, now() + 20 * DAY).await.unwrap();
    assert_eq!(again.fingerprint(), renewed.fingerprint());
    let late = world.renew(&old, &key(), now() + 31 * DAY).await;
    assert!(matches!(late, Err(EnrolError::Expired)));
    let next = world.renew(&renewed, &new_key, now() + 40 * DAY).await.unwrap();
    assert_ne!(next.fingerprint(), renewed.fingerprint());
}

#[tokio::test]
async fn holder_does_not_fill_the_store_with_certificates() {
    let world = World::new().await;
    let old = world.miner("rig-7").await;
    for _ in 1..MOST_CERTIFICATES {
        world.renew(&old, &key(), now() + 20 * DAY).await.unwrap();
    }
    let refused = world.renew(&old, &key(), now() + 20 * DAY).await;
    assert!(matches!(refused, Err(EnrolError::TooManyCertificates(..))), "{refused:?}");
    let operator = world.enrolments.issue_operator_here(&name("alice"), &by(), now()).await.unwrap();
    let request = key().request("x").unwrap();
    let refused = world.enrolments.renew(operator.peer(), &request, &by(), now() + 20 * DAY).await;
    assert!(matches!(refused, Err(EnrolError::Kind(PeerKind::Operator))));
}

#[tokio::test]
async fn revoked_certificate_is_known_at_once_and_after_a_restart_and_renews_no_more() {
    let mut world = World::new().await;
    let (lost, kept) = (world.miner("rig-7").await, world.miner("rig-8").await);
    let revoked = world.enrolments.revoked().clone();
    let mut watch = revoked.watch();
    watch.mark_unchanged();
    let waiting = revoked.revoked(lost.peer().serial);
    let (is_new, ()) = tokio::join!(world.revoke(&lost), waiting);
    assert!(is_new && watch.has_changed().unwrap());
    assert!(revoked.is_revoked(&lost.peer().serial) && !revoked.is_revoked(&kept.peer().serial));
    assert!(!world.revoke(&lost).await);
    world.restart().await;
    assert!(world.enrolments.revoked().is_revoked(&lost.peer().serial));
    let refused = world.renew(&lost, &key(), now() + 20 * DAY).await;
    assert!(matches!(refused, Err(EnrolError::Revoked)));
    world.renew(&kept, &key(), now() + 20 * DAY).await.unwrap();
    let told = world.enrolments.revocations().await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].serial, told[0].not_after), (lost.peer().serial, lost.expires_at()));
    assert_eq!((told[0].revoked_by.as_str(), told[0].reason.as_str()), ("operator/alice", "lost"));
}

#[tokio::test]
async fn revoking_a_miner_ends_all_its_certificates_and_its_enrolment() {
    let world = World::new().await;
    let token = world.token(9, false).await;
    let key = key();
    let chain = chain(world.enrol(&token, &key, "rig-7").await);
    let old = Identity::from_pem(&{
        key.save(&world.folder.path().join("k.pem")).unwrap();
        format!("{}{chain}", std::fs::read_to_string(world.folder.path().join("k.pem")).unwrap())
    })
    .unwrap();
    let renewed = world.renew(&old, &super::key(), now() + 20 * DAY).await.unwrap();
    let other = world.miner("rig-8").await;
    let revoke = async || world.enrolments.revoke_holder(PeerKind::Miner, &old.peer().name, "a", &by(), now()).await;
    let mut serials = revoke().await.unwrap();
    let mut expected = vec![old.peer().serial, renewed.peer().serial];
    serials.sort();
    expected.sort();
    assert_eq!(serials, expected);
    assert!(revoke().await.unwrap().is_empty());
    let known = world.enrolments.revoked().watch().borrow().clone();
    assert!(known.len() == 2 && !known.contains(&other.peer().serial));
    // By a clock that is ahead nothing of it counts, and it counts no more either when that is set right.
    let ahead = now() + 400 * DAY;
    let holder = &other.peer().name;
    let serials = world.enrolments.revoke_holder(PeerKind::Miner, holder, "b", &by(), ahead).await.unwrap();
    assert!(serials.is_empty());
    assert!(world.enrolments.revoked().watch().borrow().contains(&other.peer().serial));
    assert!(matches!(world.enrol(&token, &key, "rig-7").await, Err(EnrolError::Revoked)));
}

#[tokio::test]
async fn certificate_that_is_not_in_the_store_can_be_revoked() {
    let world = World::new().await;
    let serial: Serial = "0102030405".parse().unwrap();
    assert_eq!(world.enrolments.revoke(serial, "from before the backup", &by(), now()).await.unwrap(), [serial]);
    assert!(world.enrolments.revoked().watch().borrow().contains(&serial));
}

#[tokio::test]
async fn revocation_by_another_process_is_learnt_in_time() {
    let world = World::new().await;
    let lost = world.miner("rig-7").await;
    let other = Revoked::load(world.enrolments.store.clone()).await.unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(other.clone().run(cancel.clone()));
    assert!(world.revoke(&lost).await);
    tokio::time::timeout(Duration::from_secs(60), other.revoked(lost.peer().serial)).await.unwrap();
    cancel.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn open_connection_learns_why_its_certificate_counts_no_more() {
    let world = World::new().await;
    let (lost, old) = (world.miner("rig-7").await, world.miner("rig-8").await);
    let revoked = world.enrolments.revoked();
    let live = Peer { not_after: SystemTime::now() + DAY, ..lost.peer().clone() };
    let waiting = tokio::time::timeout(Duration::from_secs(60), revoked.ended(&live));
    let (refusal, _) = tokio::join!(waiting, world.revoke(&lost));
    assert_eq!(refusal, Ok(Refusal::Revoked));
    let past = Peer { not_after: SystemTime::now() - DAY, ..old.peer().clone() };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), revoked.ended(&past)).await, Ok(Refusal::Expired));
}

#[tokio::test]
async fn what_ended_long_ago_is_dropped_and_what_counts_or_might_count_again_is_not() {
    let world = World::new().await;
    let (old, kept) = (world.miner("rig-7").await, world.miner("rig-9").await);
    let token = world.token(1, true).await;
    assert!(world.revoke(&old).await);
    assert_eq!(world.enrol(&token, &key(), "rig-8").await.unwrap(), Outcome::Pending);
    world.enrolments.prune(now() + 89 * DAY).await.unwrap();
    assert_eq!(world.enrolments.tokens().await.unwrap().len(), 3);
    assert_eq!(world.enrolments.revocations().await.unwrap().len(), 1);
    world.enrolments.prune(now() + 121 * DAY).await.unwrap();
    assert!(world.enrolments.tokens().await.unwrap().is_empty());
    let left = world.enrolments.enrolments(None, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|one| one.decision).collect::<Vec<_>>(), [Decision::Pending]);
    // It was a clock that jumped ahead, and is back: who was revoked still is, and who was not can be.
    world.enrolments.revoked().refresh().await.unwrap();
    assert!(world.enrolments.revoked().is_revoked(&old.peer().serial));
    let known = world.enrolments.certificates(None, now()).await.unwrap();
    assert_eq!(known.iter().map(|one| one.peer.serial).collect::<Vec<_>>(), [kept.peer().serial]);
}
