//! Certificates that operators get for themselves: they end with what they came of.

use super::*;
use crate::{
    access::token::{RANDOM_BYTES, Token as OperatorToken, TokenRequest},
    identity::{Credential, Issued},
};

impl World {
    /// A token of bob that lives for this long.
    async fn bearer(&self, number: u8, life: Duration) -> Credential {
        let request = TokenRequest { operator: "bob".into(), label: String::new(), life, created_by: "owner".into() };
        let (token, _) = OperatorToken::issue(request, &[number; RANDOM_BYTES], now()).unwrap();
        let mut write = self.enrolments.store.write().await.unwrap();
        write.insert_operator_token(&token).await.unwrap();
        write.commit().await.unwrap();
        Credential::Token(token.id)
    }

    async fn give(&self, credential: Option<Credential>, now: SystemTime) -> Result<Issued, EnrolError> {
        let request = key().request("bob").unwrap();
        self.enrolments.issue_operator(&name("bob"), &request, credential, &by(), now).await
    }

    /// A certificate of bob that was got by this credential.
    async fn got(&self, credential: &Credential, now: SystemTime) -> Issued {
        self.give(Some(credential.clone()), now).await.unwrap()
    }

    /// Ends a token; the certificates that end with it.
    async fn end(&self, token: &Credential) -> Vec<Serial> {
        let Credential::Token(id) = token else { panic!("{token} is no token") };
        let mut write = self.enrolments.store.write().await.unwrap();
        let ended = write.revoke_operator_token(id, "owner", now()).await.unwrap().unwrap();
        write.commit().await.unwrap();
        ended
    }
}

fn shown(issued: &Issued) -> Credential {
    Credential::Certificate { serial: issued.peer.serial, not_after: issued.peer.not_after }
}

fn serials(issued: &[&Issued]) -> Vec<Serial> {
    sorted(issued.iter().map(|issued| issued.peer.serial).collect())
}

fn sorted(mut serials: Vec<Serial>) -> Vec<Serial> {
    serials.sort();
    serials
}

#[tokio::test]
async fn certificate_ends_no_later_than_the_token_that_it_came_of_also_when_it_is_renewed() {
    let world = World::new().await;
    let (short, long) = (world.bearer(1, 3 * DAY).await, world.bearer(2, 40 * DAY).await);
    let first = world.got(&short, now()).await;
    assert_eq!(first.peer.not_after, now() + 3 * DAY);
    let renewed = world.got(&shown(&first), now() + 2 * DAY).await;
    let again = world.got(&shown(&renewed), now() + 2 * DAY).await;
    assert_eq!([renewed.peer.not_after, again.peer.not_after], [now() + 3 * DAY; 2]);
    let first = world.got(&long, now()).await;
    assert_eq!(first.peer.not_after, now() + 30 * DAY);
    assert_eq!(world.got(&shown(&first), now() + 20 * DAY).await.peer.not_after, now() + 40 * DAY);
    // What came of no token renews itself for as long as its holder does so.
    let given = world.give(None, now()).await.unwrap();
    assert_eq!(world.got(&shown(&given), now() + 20 * DAY).await.peer.not_after, now() + 50 * DAY);
}

#[tokio::test]
async fn what_came_of_a_credential_is_revoked_with_it_over_any_number_of_steps() {
    let mut world = World::new().await;
    let (stolen, other) = (world.bearer(1, 30 * DAY).await, world.bearer(2, 30 * DAY).await);
    let first = world.got(&stolen, now()).await;
    let second = world.got(&shown(&first), now()).await;
    let third = world.got(&shown(&second), now()).await;
    let (aside, kept) = (world.got(&stolen, now()).await, world.got(&other, now()).await);
    world.restart().await;
    let revoked = world.enrolments.revoke(second.peer.serial, "lost", &by(), now()).await.unwrap();
    assert_eq!(sorted(revoked), serials(&[&second, &third]));
    let known = world.enrolments.revoked().watch().borrow().clone();
    assert!(known.contains(&third.peer.serial) && !known.contains(&first.peer.serial));
    assert_eq!(sorted(world.end(&stolen).await), serials(&[&first, &aside]));
    let told = world.enrolments.revocations().await.unwrap();
    assert_eq!(told.len(), 4);
    let of_first = told.iter().find(|one| one.serial == first.peer.serial).unwrap();
    assert!(of_first.reason.contains(&stolen.to_string()), "{}", of_first.reason);
    assert!(told.iter().all(|one| one.serial != kept.peer.serial));
}

#[tokio::test]
async fn certificate_of_one_that_has_expired_is_revoked_with_the_token_all_the_same() {
    let world = World::new().await;
    let token = world.bearer(1, 60 * DAY).await;
    let first = world.got(&token, now()).await;
    let second = world.got(&shown(&first), now() + 29 * DAY).await;
    let Credential::Token(id) = &token else { panic!("{token} is no token") };
    let mut write = world.enrolments.store.write().await.unwrap();
    let ended = write.revoke_operator_token(id, "owner", now() + 31 * DAY).await.unwrap().unwrap();
    assert_eq!(ended, [second.peer.serial]);
    write.commit().await.unwrap();
    // The clock may have been ahead: it counts no more either when that is set right.
    let told = world.enrolments.revocations().await.unwrap();
    assert!(told.iter().any(|one| one.serial == first.peer.serial), "{told:?}");
}

#[tokio::test]
async fn credential_that_has_ended_gets_no_certificate() {
    let world = World::new().await;
    let (token, other) = (world.bearer(1, DAY).await, world.bearer(2, DAY).await);
    let first = world.got(&other, now()).await;
    world.end(&token).await;
    world.enrolments.revoke(first.peer.serial, "lost", &by(), now()).await.unwrap();
    for (ended, at) in [(token, now()), (shown(&first), now()), (other, now() + DAY)] {
        let refused = world.give(Some(ended), at).await;
        assert!(matches!(refused, Err(EnrolError::CredentialOver(_))), "{refused:?}");
    }
    // One that is not in the store, from before a backup: nobody knows what it came of.
    let unknown = Credential::Certificate { serial: "0102".parse().unwrap(), not_after: now() + 2 * DAY };
    assert_eq!(world.got(&unknown, now()).await.peer.not_after, now() + 2 * DAY);
}
