//! Coming back with a ticket: quicker, and with no more rights than a whole handshake gives.

use super::*;

async fn resumes(server: &Server, client: &ClientTls) -> bool {
    let (accepted, met) = server.meet(client).await;
    let (accepted, met) = (accepted.unwrap(), met.unwrap());
    assert_eq!(accepted.resumed, met.resumed);
    met.resumed
}

#[tokio::test]
async fn second_handshake_is_resumed_and_knows_the_same_peer() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let identity = authority.client(PeerKind::Miner, "rig-7");
    let client = client_config(Some(&identity), &authority.roots(), Alpn::Home).unwrap();
    assert!(!resumes(&server, &client).await);
    for _ in 0..3 {
        let (accepted, met) = server.meet(&client).await;
        let (accepted, met) = (accepted.unwrap(), met.unwrap());
        assert!(accepted.resumed && met.resumed);
        assert_eq!(accepted.peer.as_ref(), Some(identity.peer()));
        assert_eq!(met.peer, *authority.server().peer());
        assert_eq!(accepted.alpn, Alpn::Home);
    }
    // Tickets belong to an identity.
    let other = authority.client(PeerKind::Miner, "rig-8");
    assert!(!resumes(&server, &client_config(Some(&other), &authority.roots(), Alpn::Home).unwrap()).await);
}

#[tokio::test]
async fn server_that_was_started_again_takes_the_tickets_of_the_last_one() {
    let authority = Authority::new("one");
    let identity = authority.client(PeerKind::Miner, "rig-7");
    let client = client_config(Some(&identity), &authority.roots(), Alpn::Home).unwrap();
    let start = |key: &'static [u8]| {
        let (server, roots) = (authority.server(), authority.roots());
        async move { Server::with(&server, &roots, TicketSecret::derive(key)).await }
    };
    assert!(!resumes(&start(b"key").await, &client).await);
    assert!(resumes(&start(b"key").await, &client).await);
    assert!(!resumes(&start(b"another key").await, &client).await);
}

#[tokio::test]
async fn resumed_session_of_a_revoked_certificate_is_refused() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let identity = authority.client(PeerKind::Miner, "rig-7");
    let client = client_config(Some(&identity), &authority.roots(), Alpn::Home).unwrap();
    assert!(!resumes(&server, &client).await);
    assert!(resumes(&server, &client).await);
    server.revoked.0.lock().unwrap().insert(identity.peer().serial);
    let (accepted, met) = server.meet(&client).await;
    assert_eq!(accepted.unwrap_err().refusal(), Some(Refusal::Revoked));
    assert!(met.is_err());
}

#[tokio::test]
async fn resumed_session_of_an_expired_certificate_is_refused() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let identity = authority.client(PeerKind::Miner, "rig-7");
    let client = client_config(Some(&identity), &authority.roots(), Alpn::Home).unwrap();
    let peer = server.meet(&client).await.0.unwrap().peer.unwrap();
    let refusal = |now| server.tls.refusal(Some(&peer), Alpn::Home, now);
    assert_eq!(refusal(peer.not_after), None);
    assert_eq!(refusal(peer.not_after + Duration::from_secs(1)), Some(Refusal::Expired));
}

/// Run with `--release -- --ignored --nocapture handshakes_per_second`.
#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn handshakes_per_second() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let identity = authority.client(PeerKind::Miner, "rig-7");
    for (what, fresh) in [("whole", true), ("resumed", false)] {
        let mut client = client_config(Some(&identity), &authority.roots(), Alpn::Home).unwrap();
        server.meet(&client).await.1.unwrap();
        let begin = std::time::Instant::now();
        let mut count = 0_u32;
        while begin.elapsed() < Duration::from_secs(3) {
            if fresh {
                client = client_config(Some(&identity), &authority.roots(), Alpn::Home).unwrap();
            }
            assert_eq!(resumes(&server, &client).await, !fresh);
            count += 1;
        }
        println!("{what}: {:.0}/s, both ends on one core", f64::from(count) / begin.elapsed().as_secs_f64());
    }
}
