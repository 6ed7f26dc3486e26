//! The door of a control plane for other machines: its services over TLS, under an authority of its own.

use super::World;
use mujina_core::id::PeerName;
use mujina_proto::{
    serve::serve_connection,
    tls::{
        Accepted, Fingerprint, Identity, Peer, PeerKind, Revocations, Roots, Serial, ServerTls, TicketSecret,
        server_config,
    },
};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than any handshake takes on a machine that does other work.
const DEADLINE: Duration = Duration::from_secs(60);

/// An open door.
pub(super) struct Door {
    pub(super) url: String,
    pub(super) fingerprint: Fingerprint,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Nobody;

impl Revocations for Nobody {
    fn is_revoked(&self, _: &Serial) -> bool {
        false
    }
}

impl Door {
    /// To this control plane.
    pub(super) async fn open(world: &World) -> Self {
        let (identity, roots) = server();
        let tls = server_config(&identity, &roots, Arc::new(Nobody), TicketSecret::derive(b"secret")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, tls, world.routes_of_control()));
        Self { url, fingerprint: roots.fingerprints().next().unwrap(), _serving: serving }
    }
}

async fn accept(listener: TcpListener, tls: ServerTls, routes: Routes) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, routes) = (tls.clone(), routes.clone());
        connections.spawn(async move {
            // Who only looks at the certificate leaves before the end.
            let Ok(Accepted { stream, .. }) = tls.accept(tcp, DEADLINE).await else { return };
            drop(serve_connection(stream, routes, (), CancellationToken::new()).await);
        });
    }
}

/// A server's key with its certificate, and its authority.
fn server() -> (Identity, Roots) {
    let mut authority = valid(CertificateParams::default());
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);

    let name: PeerName = "control".parse().unwrap();
    let mut leaf = valid(CertificateParams::default());
    leaf.subject_alt_names = vec![
        SanType::URI(Peer::uri(PeerKind::Server, &name).try_into().unwrap()),
        SanType::DnsName("localhost".try_into().unwrap()),
    ];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity::from_pem(&format!("{}{certificate}{authority_pem}", key.serialize_pem())).unwrap();
    (identity, Roots::from_pem(&authority_pem).unwrap())
}

fn valid(mut params: CertificateParams) -> CertificateParams {
    let begin = SystemTime::now() - DAY;
    params.not_before = begin.into();
    params.not_after = (begin + 30 * DAY).into();
    params
}
