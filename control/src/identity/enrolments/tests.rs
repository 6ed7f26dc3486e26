//! Enrolments as miners and operators see them, over restarts and at the same time.

mod operator;
mod record;
mod renewal;

use super::*;
use crate::identity::TokenRefusal;
use mujina_proto::tls::{Fingerprint, Identity, NewKey, Serial, TlsError};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn source(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn by() -> Caller {
    Caller::itself("operator/alice", "TEST")
}

fn name(text: &str) -> PeerName {
    text.parse().unwrap()
}

/// A control plane that can be killed and started again.
struct World {
    folder: tempfile::TempDir,
    authority: Arc<Authority>,
    enrolments: Enrolments,
    lock: Option<crate::store::FolderLock>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::create(folder.path(), &["127.0.0.1".into()], now()).unwrap());
        let (store, lock) = Store::open(folder.path()).await.unwrap();
        let enrolments = Enrolments::new(store, authority.clone()).await.unwrap();
        Self { folder, authority, enrolments, lock: Some(lock) }
    }

    async fn restart(&mut self) {
        self.enrolments.store.close().await;
        drop(self.lock.take());
        let (store, lock) = Store::open(self.folder.path()).await.unwrap();
        self.enrolments = Enrolments::new(store, self.authority.clone()).await.unwrap();
        self.lock = Some(lock);
    }

    async fn token(&self, uses: u32, needs_approval: bool) -> Token {
        let labels = BTreeMap::from([("site".to_owned(), "north".to_owned())]);
        let new = NewToken { ttl: DAY, uses, needs_approval, labels };
        self.enrolments.create_token(new, &by(), now()).await.unwrap().0
    }

    async fn enrol(&self, token: &Token, key: &NewKey, miner: &str) -> Result<Outcome, EnrolError> {
        self.ask(&token.expose(), key, miner, source(1), now()).await
    }

    async fn ask(
        &self,
        token: &str,
        key: &NewKey,
        miner: &str,
        source: IpAddr,
        now: SystemTime,
    ) -> Result<Outcome, EnrolError> {
        let request = key.request(miner).unwrap();
        let ask = Ask { token, request: &request, miner, source, received: Instant::now() };
        self.enrolments.enrol(ask, &by(), now).await
    }

    async fn uses_left(&self) -> Vec<u32> {
        self.enrolments.tokens().await.unwrap().iter().map(|token| token.uses_left).collect()
    }
}

fn key() -> NewKey {
    NewKey::generate().unwrap()
}

fn chain(outcome: Result<Outcome, EnrolError>) -> String {
    match outcome {
        Ok(Outcome::Issued(chain)) => chain,
        other => panic!("no certificate: {other:?}"),
    }
}

#[tokio::test]
async fn miner_with_a_token_gets_a_certificate_for_its_own_key() {
    let mut world = World::new().await;
    let token = world.token(1, false).await;
    assert_eq!(token.authority(), world.authority.fingerprint());
    let key = key();
    let chain = chain(world.enrol(&token, &key, "rig-7").await);
    let listed = world.enrolments.enrolments(None, None, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].miner.as_str(), listed[0].decision), ("rig-7", Decision::Approved));
    assert_eq!((listed[0].key, listed[0].source.as_str()), (key.fingerprint(), "192.0.2.1"));
    assert_eq!(listed[0].labels, BTreeMap::from([("site".to_owned(), "north".to_owned())]));
    let identity = key.into_identity(&chain, world.authority.roots()).unwrap();
    assert_eq!(identity.peer().to_string(), "miner/rig-7");
    world.restart().await;
    let certificates = world.enrolments.certificates(None, now()).await.unwrap();
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0].peer, *identity.peer());
    assert_eq!(certificates[0].issued_by, format!("token/{}", token.id()));
    assert!(!certificates[0].is_revoked);
}

#[tokio::test]
async fn answer_that_was_lost_is_given_again_and_costs_no_use() {
    let mut world = World::new().await;
    let token = world.token(1, false).await;
    let key = key();
    let first = chain(world.enrol(&token, &key, "rig-7").await);
    world.restart().await;
    assert_eq!(chain(world.enrol(&token, &key, "rig-7").await), first);
    // Even when the token has expired since: it was used in time.
    let late = world.ask(&token.expose(), &key, "rig-7", source(1), now() + 2 * DAY).await;
    assert_eq!(chain(late), first);
    assert_eq!(world.uses_left().await, [0]);
    assert_eq!(world.enrolments.certificates(None, now()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn token_enrols_as_many_as_it_may_however_many_ask_at_once() {
    let world = Arc::new(World::new().await);
    let token = world.token(5, false).await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..24_u8 {
        let (world, token) = (world.clone(), token.clone());
        asking.spawn(async move {
            let miner = format!("rig-{number}");
            world.ask(&token.expose(), &key(), &miner, source(number), now()).await
        });
    }
    let outcomes = asking.join_all().await;
    let issued = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Issued(_)))).count();
    let used_up = |outcome: &&Result<_, _>| matches!(outcome, Err(EnrolError::Token(TokenRefusal::UsedUp)));
    assert_eq!((issued, outcomes.iter().filter(used_up).count()), (5, 19));
    assert_eq!(world.uses_left().await, [0]);
    assert_eq!(world.enrolments.certificates(None, now()).await.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn same_miner_that_asks_twice_at_once_uses_one() {
    let world = Arc::new(World::new().await);
    let token = world.token(9, false).await;
    let key = Arc::new(key());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, token, key) = (world.clone(), token.clone(), key.clone());
        asking.spawn(async move { chain(world.enrol(&token, &key, "rig-7").await) });
    }
    let mut chains = asking.join_all().await;
    chains.dedup();
    assert_eq!((chains.len(), world.uses_left().await), (1, vec![8]));
}

#[tokio::test]
async fn enrolment_that_was_cut_before_its_commit_uses_nothing() {
    let mut world = World::new().await;
    let token = world.token(1, false).await;
    let miner: MinerName = "rig-7".parse().unwrap();
    let request = key().request("rig-7").unwrap();
    let mut write = world.enrolments.store.write().await.unwrap();
    assert!(write.claim_token(token.id(), now()).await.unwrap());
    let stored = write.token(token.id()).await.unwrap().unwrap().token;
    let key_of = Fingerprint::of(b"key");
    let new =
        NewEnrolment { token: &stored, key: key_of, request: &request, miner: &miner, source: "x", asked_at: now() };
    let number = write.insert_enrolment(&new).await.unwrap();
    let whom = Approved { number, miner: &miner, request: &request, labels: &BTreeMap::new() };
    world.enrolments.approve_in(&mut write, &whom, "test", now()).await.unwrap();
    drop(write);
    world.restart().await;
    assert_eq!(world.uses_left().await, [1]);
    assert!(world.enrolments.enrolments(None, None, 10).await.unwrap().is_empty());
    assert!(world.enrolments.certificates(None, now()).await.unwrap().is_empty());
    chain(world.enrol(&token, &key(), "rig-7").await);
}

#[tokio::test]
async fn person_decides_where_a_token_says_so() {
    let mut world = World::new().await;
    let token = world.token(3, true).await;
    let (first, second) = (key(), key());
    assert_eq!(world.enrol(&token, &first, "rig-7").await.unwrap(), Outcome::Pending);
    assert_eq!(world.enrol(&token, &second, "rig-8").await.unwrap(), Outcome::Pending);
    // Nobody else takes the name of one that waits.
    assert!(matches!(world.enrol(&token, &key(), "rig-7").await, Err(EnrolError::NameTaken { .. })));
    world.restart().await;
    let pending = world.enrolments.enrolments(Some(Decision::Pending), None, 10).await.unwrap();
    assert_eq!(pending.iter().map(|one| one.key).collect::<Vec<_>>(), [second.fingerprint(), first.fingerprint()]);
    let peer = world.enrolments.approve(pending[1].number, &by(), now()).await.unwrap();
    world.enrolments.refuse(pending[0].number, "not ours", &by(), now()).await.unwrap();
    let chain = chain(world.enrol(&token, &first, "rig-7").await);
    assert_eq!(*first.into_identity(&chain, world.authority.roots()).unwrap().peer(), peer);
    let refused = world.enrol(&token, &second, "rig-8").await;
    assert!(matches!(&refused, Err(EnrolError::Refused(reason)) if reason == "not ours"), "{refused:?}");
    let again = world.enrolments.approve(pending[0].number, &by(), now()).await;
    assert!(matches!(again, Err(EnrolError::NotPending(_))));
    assert_eq!(world.uses_left().await, [1]);
}

#[tokio::test]
async fn name_of_a_miner_is_not_given_to_another_until_it_is_free() {
    let world = World::new().await;
    let token = world.token(9, false).await;
    chain(world.enrol(&token, &key(), "rig-7").await);
    let other = key();
    let refused = world.enrol(&token, &other, "rig-7").await;
    assert!(matches!(&refused, Err(EnrolError::NameTaken { name, .. }) if name == "rig-7"), "{refused:?}");
    assert_eq!(world.uses_left().await, [8]);
    world.enrolments.revoke_holder(PeerKind::Miner, &name("rig-7"), "lost", &by(), now()).await.unwrap();
    chain(world.enrol(&token, &other, "rig-7").await);
}

#[tokio::test]
async fn wrong_tokens_are_told_nothing_and_right_ones_why() {
    let world = World::new().await;
    let (token, foreign) = (world.token(1, false).await, World::new().await.token(1, false).await);
    let mut wrong = token.expose();
    assert!(matches!(
        world.ask(&wrong.split_off(60), &key(), "a", source(2), now()).await,
        Err(EnrolError::TokenText(_))
    ));
    let unknown = world.enrol(&foreign, &key(), "rig-7").await.unwrap_err().to_string();
    let mut other_secret =
        TokenRow { token: world.enrolments.tokens().await.unwrap().remove(0), secret_hash: foreign.secret_hash() };
    // A token of a known id with another secret, as somebody makes it who has seen a list of tokens.
    other_secret.token.id = foreign.id();
    other_secret.secret_hash[0] ^= 1;
    let mut write = world.enrolments.store.write().await.unwrap();
    write.insert_token(&other_secret).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(world.enrol(&foreign, &key(), "rig-7").await.unwrap_err().to_string(), unknown);
    let expired = world.ask(&token.expose(), &key(), "rig-7", source(3), now() + DAY).await;
    assert!(matches!(expired, Err(EnrolError::Token(TokenRefusal::Expired))));
    world.enrolments.revoke_token(token.id(), &by(), now()).await.unwrap();
    let revoked = world.enrol(&token, &key(), "rig-7").await;
    assert!(matches!(revoked, Err(EnrolError::Token(TokenRefusal::Revoked))));
    let bad = world.ask(&world.token(1, false).await.expose(), &key(), "Rig 7", source(4), now()).await;
    assert!(matches!(bad, Err(EnrolError::Name(_))));
}

#[tokio::test]
async fn source_that_tries_tokens_has_to_wait_unless_it_shows_the_right_one() {
    let world = World::new().await;
    let (token, foreign) = (world.token(9, false).await, World::new().await.token(1, false).await);
    let begin = Instant::now();
    let ask = async |token: &Token, last, received| {
        let (token, request) = (token.expose(), key().request("x").unwrap());
        let miner = format!("rig-{last}");
        let ask = Ask { token: &token, request: &request, miner: &miner, source: source(last), received };
        world.enrolments.enrol(ask, &by(), now()).await
    };
    for _ in 0..30 {
        assert!(matches!(ask(&foreign, 6, begin).await, Err(EnrolError::UnknownToken)));
    }
    let EnrolError::TooMany(wait) = ask(&foreign, 6, begin).await.unwrap_err() else { panic!("let through") };
    assert!(matches!(ask(&foreign, 7, begin).await, Err(EnrolError::UnknownToken)), "another source");
    let early = ask(&foreign, 6, begin + wait - Duration::from_millis(1)).await;
    assert!(matches!(early, Err(EnrolError::TooMany(_))));
    // A miner behind the same address that shows the right one.
    chain(ask(&token, 6, begin).await);
    assert!(matches!(ask(&foreign, 6, begin + wait).await, Err(EnrolError::UnknownToken)));
}

#[tokio::test]
async fn tokens_have_bounds() {
    let world = World::new().await;
    let make = async |ttl, uses| {
        let new = NewToken { ttl, uses, needs_approval: false, labels: BTreeMap::new() };
        world.enrolments.create_token(new, &by(), now()).await
    };
    for (ttl, uses) in [(Duration::ZERO, 1), (91 * DAY, 1), (DAY, 0), (DAY, 10_001)] {
        assert!(matches!(make(ttl, uses).await, Err(EnrolError::Bound(_))), "{ttl:?} {uses}");
    }
    make(90 * DAY, 10_000).await.unwrap();
    let unknown = TokenId::from([7; 16]);
    assert!(
        matches!(world.enrolments.revoke_token(unknown, &by(), now()).await, Err(EnrolError::NoToken(id)) if id == unknown)
    );
    let request = "-----BEGIN CERTIFICATE REQUEST-----\n";
    let token = world.token(1, false).await.expose();
    let ask = Ask { token: &token, request, miner: "rig-9", source: source(1), received: Instant::now() };
    let refused = world.enrolments.enrol(ask, &by(), now()).await;
    assert!(matches!(refused, Err(EnrolError::Authority(crate::identity::AuthorityError::Tls(TlsError::Request(_))))));
}
