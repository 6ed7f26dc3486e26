//! Who is believed in TLS, and what is said of those who are not.

use super::*;
use crate::pool::sv1::testing::{PATIENCE, TlsIdentity};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Shakes hands with a server; it may fail on its side as it likes.
async fn shake(acceptor: TlsAcceptor, host: &str, trust: Trust) -> Result<Secured, TlsError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (served, _) = listener.accept().await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Ok(mut stream) = acceptor.accept(served).await {
            let _ = stream.read(&mut [0; 1]).await;
        }
    });
    handshake(stream, &host.parse().unwrap(), trust, PATIENCE).await
}

async fn meet(identity: &TlsIdentity, host: &str, trust: Trust) -> Result<Secured, TlsError> {
    shake(identity.acceptor(&[&TLS13, &TLS12]), host, trust).await
}

fn web(identity: &TlsIdentity) -> Trust {
    Trust::Roots(identity.roots())
}

// V21
#[tokio::test]
async fn certificate_of_a_trusted_authority_is_good_for_its_names() {
    let identity = TlsIdentity::good();
    for host in ["localhost", "127.0.0.1"] {
        let secured = meet(&identity, host, web(&identity)).await.unwrap();
        assert!(secured.authenticated);
        assert_eq!(secured.key, Some(identity.pin()));
        assert_eq!(secured.certificate_not_after, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(9_000_000_000)));
    }
    let error = meet(&identity, "pool.example", web(&identity)).await.unwrap_err();
    assert!(matches!(error, TlsError::NotTrusted(_)), "{error}");
}

// V21
#[tokio::test]
async fn certificate_of_anybody_else_is_not() {
    let (identity, other) = (TlsIdentity::good(), TlsIdentity::good());
    for trust in [web(&other), Trust::Roots(web_roots())] {
        let error = meet(&identity, "localhost", trust).await.unwrap_err();
        assert!(matches!(error, TlsError::NotTrusted(_)), "{error}");
    }
}

// V21
#[tokio::test]
async fn pinned_key_is_enough_and_any_other_is_too_little() {
    let (identity, other) = (TlsIdentity::good(), TlsIdentity::good());
    let pins = Trust::Pins(vec![other.pin(), identity.pin()]);
    assert!(meet(&identity, "pool.example", pins).await.unwrap().authenticated);
    let error = meet(&identity, "localhost", Trust::Pins(vec![other.pin()])).await.unwrap_err();
    assert!(matches!(error, TlsError::NotPinned(key) if key == identity.pin()), "{error}");
    assert!(error.to_string().contains(&identity.pin().to_string()));
}

// V21, SEC5
#[tokio::test]
async fn certificate_outside_its_time_is_a_matter_of_the_clock_only_if_it_is_good_otherwise() {
    let other = TlsIdentity::good();
    for (not_before, not_after) in [(1_000_000_000, 1_100_000_000), (8_000_000_000, 9_000_000_000)] {
        let identity = TlsIdentity::valid_from(not_before, not_after);
        for trust in [web(&identity), Trust::Pins(vec![identity.pin()])] {
            let error = meet(&identity, "localhost", trust).await.unwrap_err();
            assert!(matches!(error, TlsError::ClockSkew(_)), "{error}");
        }
        let error = meet(&identity, "localhost", web(&other)).await.unwrap_err();
        assert!(matches!(error, TlsError::NotTrusted(_)), "{error}");
        let error = meet(&identity, "pool.example", web(&identity)).await.unwrap_err();
        assert!(matches!(error, TlsError::NotTrusted(_)), "{error}");
        assert!(!meet(&identity, "localhost", Trust::Anyone).await.unwrap().authenticated);
    }
}

// V21
#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    let identity = TlsIdentity::good();
    for version in [&TLS12, &TLS13] {
        let secured = shake(identity.acceptor(&[version]), "localhost", web(&identity)).await.unwrap();
        assert_eq!(secured.stream.get_ref().1.protocol_version(), Some(version.version));
    }
}

/// Shakes hands with somebody who says this and nothing else, and hangs up.
async fn hear(said: &'static [u8]) -> TlsError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut served, _) = listener.accept().await.unwrap();
    served.write_all(said).await.unwrap();
    served.shutdown().await.unwrap();
    handshake(stream, &"localhost".parse().unwrap(), Trust::Anyone, PATIENCE).await.unwrap_err()
}

// V21
#[tokio::test]
async fn peer_without_tls_is_told_from_one_that_hangs_up_or_refuses() {
    let error = hear(b"{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1]}\n").await;
    assert!(matches!(error, TlsError::NotTls), "{error}");
    let error = hear(b"").await;
    assert!(matches!(error, TlsError::Closed(_)), "{error}");
    // protocol_version, as servers of TLS 1.1 say it.
    let error = hear(&[0x15, 3, 1, 0, 2, 2, 70]).await;
    assert!(matches!(error, TlsError::NoAgreement(_)), "{error}");
}

#[tokio::test]
async fn mute_peer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let deadline = Duration::from_millis(50);
    let error = handshake(stream, &"localhost".parse().unwrap(), Trust::Anyone, deadline).await.unwrap_err();
    assert!(matches!(error, TlsError::Mute(_)), "{error}");
}
