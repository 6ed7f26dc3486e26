//! Handshakes over loopback TCP between our own two sides, and with others that break the rules.

mod authority;
mod first_contact;
mod refused;
mod resumed;

use super::*;
use authority::{Authority, DAY};
use std::{
    collections::BTreeSet,
    sync::Mutex,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Longer than any handshake takes on a machine that does other work.
const DEADLINE: Duration = Duration::from_secs(30);

/// Certificates that were revoked.
#[derive(Debug, Default)]
struct Revoked(Mutex<BTreeSet<Serial>>);

impl Revocations for Revoked {
    fn is_revoked(&self, serial: &Serial) -> bool {
        self.0.lock().unwrap().contains(serial)
    }
}

/// A listening server of an authority.
struct Server {
    tls: ServerTls,
    revoked: Arc<Revoked>,
    listener: TcpListener,
}

impl Server {
    async fn new(authority: &Authority) -> Self {
        Self::with(&authority.server(), &authority.roots(), TicketSecret::derive(b"key")).await
    }

    async fn with(identity: &Identity, roots: &Roots, tickets: TicketSecret) -> Self {
        let revoked = Arc::new(Revoked::default());
        let tls = server_config(identity, roots, revoked.clone(), tickets).unwrap();
        Self { tls, revoked, listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    async fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    async fn accept(&self) -> Result<Accepted<TcpStream>, TlsError> {
        let (stream, _) = self.listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        self.tls.accept(stream, DEADLINE).await
    }

    /// Both ends of a handshake; the client's answer is that of its first read, where a refusal of its certificate comes.
    async fn meet(&self, client: &ClientTls) -> (Result<Accepted<TcpStream>, TlsError>, Result<Met, TlsError>) {
        let serving = async {
            let mut accepted = self.accept().await?;
            accepted.stream.write_all(b"!").await.map_err(explain)?;
            Ok(accepted)
        };
        let dialling = async {
            let mut connected = client.connect("localhost", self.dial().await, DEADLINE).await?;
            let mut one = [0];
            connected.stream.read_exact(&mut one).await.map_err(explain)?;
            let Connected { stream, peer, authority, resumed } = connected;
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            Ok(Met { peer, authority, resumed, alpn })
        };
        tokio::join!(serving, dialling)
    }
}

/// What the client knows after its first read.
#[derive(Debug)]
struct Met {
    peer: Peer,
    authority: Option<Roots>,
    resumed: bool,
    alpn: Option<Vec<u8>>,
}

fn refusals<A: std::fmt::Debug, B: std::fmt::Debug>(
    (server, client): (Result<A, TlsError>, Result<B, TlsError>),
) -> (Option<Refusal>, Option<Refusal>) {
    (server.unwrap_err().refusal(), client.unwrap_err().refusal())
}

#[tokio::test]
async fn both_ends_learn_who_the_other_is_and_what_is_spoken() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    for (kind, alpn) in
        [(PeerKind::Miner, Alpn::Home), (PeerKind::Miner, Alpn::Http2), (PeerKind::Operator, Alpn::Http2)]
    {
        let identity = authority.client(kind, "rig-7");
        let client = client_config(Some(&identity), &authority.roots(), alpn).unwrap();
        let (accepted, met) = server.meet(&client).await;
        let (accepted, met) = (accepted.unwrap(), met.unwrap());
        assert_eq!(accepted.peer.as_ref(), Some(identity.peer()));
        assert_eq!(accepted.peer.unwrap().to_string(), format!("{kind}/rig-7"));
        assert_eq!((accepted.alpn, accepted.resumed), (alpn, false));
        assert_eq!(met.peer, *authority.server().peer());
        assert_eq!(met.peer.to_string(), "server/control");
        assert_eq!(met.alpn.as_deref(), Some(alpn.as_bytes()));
        assert!(met.authority.is_none());
    }
}

#[tokio::test]
async fn client_without_a_certificate_may_speak_http2_as_nobody() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let client = client_config(None, &authority.roots(), Alpn::Http2).unwrap();
    let (accepted, met) = server.meet(&client).await;
    assert_eq!(accepted.unwrap().peer, None);
    assert_eq!(met.unwrap().peer.kind, PeerKind::Server);
}

#[tokio::test]
async fn renewed_server_certificate_is_shown_without_a_restart() {
    let authority = Authority::new("one");
    let server = Server::new(&authority).await;
    let renewed = authority.sign(PeerKind::Server, "control", DAY, 60 * DAY);
    assert_ne!(renewed.fingerprint(), authority.server().fingerprint());
    server.tls.replace_identity(&renewed).unwrap();
    let client = client_config(None, &authority.roots(), Alpn::Http2).unwrap();
    assert_eq!(server.meet(&client).await.1.unwrap().peer, *renewed.peer());
    let error = server.tls.replace_identity(&authority.client(PeerKind::Miner, "rig-7")).unwrap_err();
    assert!(matches!(error, TlsError::Kind { found: PeerKind::Miner, .. }), "{error:?}");
}

#[test]
fn identity_comes_back_from_its_file_and_is_renewed_at_two_thirds() {
    let authority = Authority::new("one");
    let identity = authority.sign(PeerKind::Miner, "rig-7", 0, 30 * DAY);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.pem");
    identity.save(&path).unwrap();
    let loaded = Identity::load(&path).unwrap();
    assert_eq!(loaded.to_pem(), identity.to_pem());
    assert_eq!(loaded.peer(), identity.peer());
    assert_eq!(loaded.roots().unwrap().to_pem(), authority.roots().to_pem());
    let begin = identity.peer().not_before;
    assert_eq!(identity.renew_at(), begin + Duration::from_secs(20 * DAY));
    assert_eq!(identity.expires_at(), begin + Duration::from_secs(30 * DAY));
    assert_eq!(identity.left(begin + Duration::from_secs(29 * DAY)), Duration::from_secs(DAY));
    assert_eq!(identity.left(begin + Duration::from_secs(31 * DAY)), Duration::ZERO);
    let secret = pem::parse(identity.to_pem()).unwrap().contents().to_vec();
    let shown = format!("{identity:?} {identity:#?}");
    assert!(!shown.contains(&format!("{secret:?}")) && shown.contains("rig-7"));
}

#[test]
fn identity_whose_parts_do_not_belong_together_is_refused() {
    let authority = Authority::new("one");
    let (one, other) =
        (authority.client(PeerKind::Miner, "rig-7").to_pem(), authority.client(PeerKind::Miner, "rig-8").to_pem());
    let cut = |text: &str| text.split_inclusive("-----END PRIVATE KEY-----\n").map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (cut(&one), cut(&other));
    let read = |text: String| Identity::from_pem(&text).unwrap_err();
    assert!(matches!(read(format!("{}{}", one[0], other[1])), TlsError::Mismatch));
    assert!(matches!(read(one[0].clone()), TlsError::Missing("certificate")));
    assert!(matches!(read(one[1].clone()), TlsError::Missing("private key")));
    assert!(matches!(read(String::new()), TlsError::Missing(_)));
    let authority_first = format!("{}{}", one[0], authority.roots().to_pem());
    assert!(matches!(read(authority_first), TlsError::Field(_)));
    let alone = Identity::from_pem(&format!(
        "{}{}",
        one[0],
        one[1].split_inclusive("CERTIFICATE-----\n").take(2).collect::<String>()
    ));
    assert!(matches!(alone.unwrap().roots(), Err(TlsError::Missing("certificate of the authority"))));
}

#[test]
fn authority_and_server_say_what_they_are_for() {
    let authority = Authority::new("one");
    let server = authority.server();
    assert!(server.is_for("localhost").unwrap());
    assert!(!server.is_for("control.example.org").unwrap() && !server.is_for("127.0.0.1").unwrap());
    assert!(matches!(server.is_for("a b"), Err(TlsError::Host(_))));
    let left = authority.roots().expires_at().unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(8 * DAY) && left <= Duration::from_secs(9 * DAY), "{left:?}");
    let both = Roots::from_pem(&format!("{}{}", authority.roots().to_pem(), Authority::new("two").roots().to_pem()));
    let both = both.unwrap();
    assert_eq!(both.keys().unwrap().len(), 2);
    assert_eq!(both.keys().unwrap().first(), authority.roots().keys().unwrap().first());
    assert!(matches!(Roots::from_pem(&server.to_pem()), Err(TlsError::NoAuthority)));
    assert!(matches!(Roots::from_pem("x"), Err(TlsError::Missing("certificate"))));
}

#[test]
fn host_is_a_name_or_an_address() {
    assert_eq!(check_host("192.0.2.7").unwrap(), Ok("192.0.2.7".parse().unwrap()));
    assert_eq!(check_host("::1").unwrap(), Ok("::1".parse().unwrap()));
    assert_eq!(check_host("control.example.org").unwrap(), Err("control.example.org"));
    for bad in ["", "a b", "http://x", "x:1", "-x-.y"] {
        assert!(matches!(check_host(bad), Err(TlsError::Host(_))), "{bad}");
    }
}
