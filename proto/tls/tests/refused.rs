//! Each thing that a peer may have wrong, alone.

use super::*;
use authority::{leaf, uri};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS12,
};

async fn client_is_refused(server: &Server, client: &ClientTls) -> (Option<Refusal>, Option<Refusal>) {
    refusals(server.meet(client).await)
}

fn miner_of(identity: &Identity, roots: &Roots) -> ClientTls {
    client_config(Some(identity), roots, Alpn::Home).unwrap()
}

#[tokio::test]
async fn client_of_another_authority_is_refused() {
    let (authority, other) = (Authority::new("one"), Authority::new("one"));
    let server = Server::new(&authority).await;
    let client = miner_of(&other.client(PeerKind::Miner, "rig-7"), &authority.roots());
    let (ours, theirs) = client_is_refused(&server, &client).await;
    // The authorities have the same name: only the signature tells them apart.
    assert!(matches!(ours, Some(Refusal::Key | Refusal::Authority)), "{ours:?}");
    assert!(matches!(theirs, Some(Refusal::Key | Refusal::Authority)), "{theirs:?}");
    let client = miner_of(&Authority::new("two").client(PeerKind::Miner, "rig-7"), &authority.roots());
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Authority), Some(Refusal::Authority)));
}

#[tokio::test]
async fn server_of_another_authority_is_refused() {
    let (authority, other) = (Authority::new("one"), Authority::new("two"));
    let server = Server::new(&other).await;
    let client = client_config(None, &authority.roots(), Alpn::Http2).unwrap();
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Authority), Some(Refusal::Authority)));
}

#[tokio::test]
async fn certificates_out_of_their_time_are_refused_on_both_sides() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let client = miner_of(&authority.sign(PeerKind::Miner, "rig-7", 2 * DAY, DAY), &authority.roots());
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Expired), Some(Refusal::Expired)));
    let client = miner_of(&authority.sign_for_later(PeerKind::Miner, "rig-7", DAY), &authority.roots());
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::NotYetValid), Some(Refusal::Expired)));
    let client = client_config(None, &authority.roots(), Alpn::Http2).unwrap();
    let tickets = TicketSecret::random().unwrap();
    let expired = authority.sign(PeerKind::Server, "control", 2 * DAY, DAY);
    let server = Server::with(&expired, &authority.roots(), tickets.clone()).await;
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Expired), Some(Refusal::Expired)));
    let early = authority.sign_for_later(PeerKind::Server, "control", DAY);
    let server = Server::with(&early, &authority.roots(), tickets).await;
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Expired), Some(Refusal::NotYetValid)));
}

#[tokio::test]
async fn revoked_certificate_is_refused() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let (revoked, other) = (authority.client(PeerKind::Miner, "rig-7"), authority.client(PeerKind::Miner, "rig-7"));
    server.revoked.0.lock().unwrap().insert(revoked.peer().serial);
    let client = miner_of(&revoked, &authority.roots());
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Revoked), Some(Refusal::Revoked)));
    assert!(server.meet(&miner_of(&other, &authority.roots())).await.1.is_ok());
}

#[tokio::test]
async fn certificate_without_its_key_proves_nothing() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let (own, stolen) = (authority.client(PeerKind::Miner, "rig-7"), authority.client(PeerKind::Miner, "rig-8"));
    let key = PrivateKeyDer::from_pem_slice(own.to_pem().as_bytes()).unwrap();
    let chain = CertificateDer::pem_slice_iter(stolen.to_pem().as_bytes()).map(Result::unwrap).collect();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let forged = Arc::new(Fixed(CertifiedKey::new(chain, key).into()));
    let verifier = Arc::new(verify::Servers::new(&authority.roots(), provider()).unwrap());
    let client = client(verifier, Some(forged), Alpn::Home, None).unwrap();
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Key), Some(Refusal::Key)));
}

#[tokio::test]
async fn calling_home_needs_the_certificate_of_a_miner() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let nobody = client_config(None, &authority.roots(), Alpn::Home).unwrap();
    assert_eq!(client_is_refused(&server, &nobody).await.0, Some(Refusal::NoCertificate));
    let operator = miner_of(&authority.client(PeerKind::Operator, "alice"), &authority.roots());
    assert_eq!(client_is_refused(&server, &operator).await.0, Some(Refusal::Role));
}

#[tokio::test]
async fn certificates_do_not_serve_for_another_role() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    // The use that is allowed says so, and where it is forgotten, the kind does.
    let as_client = miner_of(&authority.server(), &authority.roots());
    assert_eq!(client_is_refused(&server, &as_client).await, (Some(Refusal::Role), Some(Refusal::Role)));
    let mut params = leaf(PeerKind::Server, "control");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let as_client = miner_of(&authority.sign_params(params), &authority.roots());
    assert_eq!(client_is_refused(&server, &as_client).await, (Some(Refusal::Role), Some(Refusal::Role)));
    let mut params = leaf(PeerKind::Miner, "rig-7");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    params.subject_alt_names.push(SanType::DnsName(uri("localhost")));
    let miner = authority.sign_params(params);
    *server.tls.shown.0.write().unwrap() = miner.with_authority().unwrap().into();
    let client = client_config(None, &authority.roots(), Alpn::Http2).unwrap();
    assert_eq!(client_is_refused(&server, &client).await, (Some(Refusal::Role), Some(Refusal::Role)));
}

#[tokio::test]
async fn certificate_of_another_host_is_refused() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let client = client_config(None, &authority.roots(), Alpn::Http2).unwrap();
    let dialling = async { client.connect("control.example.org", server.dial().await, DEADLINE).await };
    let (_, dialled) = tokio::join!(server.accept(), dialling);
    assert_eq!(dialled.unwrap_err().refusal(), Some(Refusal::Host));
}

#[tokio::test]
async fn older_tls_and_other_protocols_are_refused() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let roots = authority.roots().store();
    let old = |versions: &[&'static rustls::SupportedProtocolVersion], alpn: &[u8]| {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        ClientTls { config: config.into(), pinned: None }
    };
    let refused = client_is_refused(&server, &old(&[&TLS12], b"h2")).await;
    assert_eq!(refused, (Some(Refusal::Version), Some(Refusal::Version)));
    let refused = client_is_refused(&server, &old(&[&TLS13], b"http/1.1")).await;
    assert_eq!(refused, (Some(Refusal::Protocol), Some(Refusal::Protocol)));
    let mut silent = old(&[&TLS13], b"");
    Arc::get_mut(&mut silent.config).unwrap().alpn_protocols.clear();
    assert_eq!(client_is_refused(&server, &silent).await.0, Some(Refusal::Protocol));
}

#[tokio::test]
async fn client_that_sends_no_tls_or_nothing_at_all_is_dropped() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let mut stream = server.dial().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(server.accept().await.unwrap_err().refusal(), Some(Refusal::Other));
    let mut stream = server.dial().await;
    stream.write_all(&[22, 3, 1]).await.unwrap();
    let (accepted, _) = server.listener.accept().await.unwrap();
    let deadline = Duration::from_millis(20);
    assert!(matches!(server.tls.accept(accepted, deadline).await, Err(TlsError::Late(late)) if late == deadline));
    drop(server.dial().await);
    assert!(matches!(server.accept().await, Err(TlsError::Broken(_))));
}
