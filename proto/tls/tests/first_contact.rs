//! A first contact trusts the authority of a fingerprint, and nothing else.

use super::*;

#[tokio::test]
async fn pinned_authority_is_trusted_and_handed_over() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let client = client_config_pinned(authority.fingerprint(), Alpn::Http2).unwrap();
    let (accepted, met) = server.meet(&client).await;
    let met = met.unwrap();
    assert_eq!(accepted.unwrap().peer, None);
    assert_eq!(met.peer.kind, PeerKind::Server);
    assert_eq!(met.authority.unwrap().to_pem(), authority.roots().to_pem());
}

#[tokio::test]
async fn fingerprint_that_differs_by_one_bit_trusts_nobody() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    for bit in [0, 7, 100, 255] {
        let mut bytes = *authority.fingerprint().as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let client = client_config_pinned(bytes.into(), Alpn::Http2).unwrap();
        let refused = refusals(server.meet(&client).await);
        assert_eq!(refused, (Some(Refusal::Authority), Some(Refusal::Authority)), "bit {bit}");
    }
    // The server's own certificate is no authority either.
    let client = client_config_pinned(authority.server().fingerprint(), Alpn::Http2).unwrap();
    assert_eq!(refusals(server.meet(&client).await).1, Some(Refusal::Authority));
}

#[tokio::test]
async fn authority_in_a_chain_that_it_did_not_sign_is_not_trusted() {
    let (authority, attacker) = (Authority::new("one"), Authority::new("two"));
    let server = Server::new(&attacker).await;
    // The attacker saw the real chain and sends its authority along.
    let mut chain = attacker.server().with_authority().unwrap();
    chain.cert.push(authority.server().with_authority().unwrap().cert[1].clone());
    *server.tls.shown.0.write().unwrap() = chain.into();
    let client = client_config_pinned(authority.fingerprint(), Alpn::Http2).unwrap();
    assert_eq!(refusals(server.meet(&client).await).1, Some(Refusal::Authority));
}

#[tokio::test]
async fn pinned_chain_must_verify_in_everything_else() {
    let authority = Authority::new("one");
    let client = client_config_pinned(authority.fingerprint(), Alpn::Http2).unwrap();
    let server = Server::new(&authority).await;
    let dialling = async { client.connect("control.example.org", server.dial().await, DEADLINE).await };
    assert_eq!(tokio::join!(server.accept(), dialling).1.unwrap_err().refusal(), Some(Refusal::Host));
    let shown = |identity: &Identity| *server.tls.shown.0.write().unwrap() = identity.with_authority().unwrap().into();
    shown(&authority.sign(PeerKind::Server, "control", 2 * DAY, DAY));
    assert_eq!(refusals(server.meet(&client).await).1, Some(Refusal::Expired));
    shown(&authority.sign_for_later(PeerKind::Server, "control", DAY));
    assert_eq!(refusals(server.meet(&client).await).1, Some(Refusal::NotYetValid));
    shown(&authority.client(PeerKind::Miner, "rig-7"));
    assert!(matches!(refusals(server.meet(&client).await).1, Some(Refusal::Host | Refusal::Role)));
}

#[tokio::test]
async fn authority_out_of_its_time_is_not_trusted_by_its_fingerprint() {
    for begin in [SystemTime::now() - Duration::from_secs(11 * DAY), SystemTime::now() + Duration::from_secs(DAY)] {
        let authority = Authority::valid_from("one", begin);
        let server = Server::new(&authority).await;
        let client = client_config_pinned(authority.fingerprint(), Alpn::Http2).unwrap();
        assert_eq!(refusals(server.meet(&client).await).1, Some(Refusal::Authority));
    }
}
