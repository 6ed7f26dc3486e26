//! Who is who on the network: certificates that name servers, miners and operators, and connections that prove it.
//!
//! TLS 1.3 only, by rustls with ring. A certificate names its holder by one URI, `mujina://<kind>/<name>`; one authority (the
//! control plane's) signs them all. One port serves operators (`h2`) and miners that call home (`mujina-home/1`), told apart by
//! ALPN. Types of the TLS library stay below this module.

mod error;
mod fingerprint;
mod handshake;
mod identity;
mod peer;
mod private_file;
mod request;
mod ticket;
mod token;
mod verify;

pub use error::{Refusal, TlsError};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use handshake::{Accepted, ClientStream, Connected, ServerStream, explain};
pub use identity::{Identity, Roots};
pub use peer::{Peer, PeerKind, Serial, SerialError};
pub use private_file::{create_private, read_private, write_private, write_public};
pub use request::{NewKey, PublicKey};
pub use ticket::TicketSecret;
pub use token::{Token, TokenError, TokenId};

use rustls::{
    ClientConfig, ServerConfig,
    client::{ResolvesClientCert, Resumption},
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::TLS13,
};
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// Tickets that a server gives with each handshake: a miner has one connection, and gets the next ticket with it.
const TICKETS: usize = 1;
/// Servers whose tickets a client remembers: it has one, under a few names at most.
const REMEMBERED_SERVERS: usize = 4;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// gRPC; the side that dialled calls.
    Http2,
    /// gRPC with the roles reversed; the miner that dialled is called.
    Home,
}

impl Alpn {
    /// As it is negotiated.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Home => b"mujina-home/1",
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        [Self::Http2, Self::Home].into_iter().find(|alpn| alpn.as_bytes() == bytes)
    }
}

/// Knows which certificates count no more before they expire. Asked at every handshake; must answer at once.
pub trait Revocations: fmt::Debug + Send + Sync {
    /// Whether this certificate was revoked.
    fn is_revoked(&self, serial: &Serial) -> bool;
}

/// The serving side of TLS. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    revoked: Arc<dyn Revocations>,
}

/// The dialling side of TLS. Cheap to clone; clones share their session tickets.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    pinned: Option<Fingerprint>,
}

/// Prepares to serve as `identity`: clients may show certificates of `roots` that are not `revoked`, or none.
///
/// # Errors
/// The identity is not that of a server, or brings no authority for first contacts.
pub fn server_config(
    identity: &Identity,
    roots: &Roots,
    revoked: Arc<dyn Revocations>,
    tickets: TicketSecret,
) -> Result<ServerTls, TlsError> {
    let shown = Arc::new(Shown(RwLock::new(shown(identity)?)));
    let provider = provider();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.store(), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|_| TlsError::NoAuthority)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Library)?
        .with_client_cert_verifier(Arc::new(verify::Clients::new(verifier, revoked.clone())))
        .with_cert_resolver(shown.clone());
    config.alpn_protocols = [Alpn::Http2, Alpn::Home].map(|alpn| alpn.as_bytes().to_vec()).into();
    config.ticketer = Arc::new(ticket::Tickets::new(tickets, roots));
    // The tickets hold the sessions: nothing grows here with the number of clients.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = TICKETS;
    Ok(ServerTls { config: config.into(), shown, revoked })
}

/// Prepares to dial a server of `roots`, as `identity` or as nobody yet.
///
/// # Errors
/// The identity cannot be used.
pub fn client_config(identity: Option<&Identity>, roots: &Roots, alpn: Alpn) -> Result<ClientTls, TlsError> {
    let verifier = verify::Servers::new(roots, provider())?;
    let resolver = identity.map(|identity| Ok(Arc::new(Fixed(identity.without_authority()?.into()))));
    client(Arc::new(verifier), resolver.transpose()?, alpn, None)
}

/// Prepares for the first contact of an enrolment: trusts a server whose chain holds the authority with this fingerprint.
///
/// # Errors
/// None that depends on the fingerprint.
pub fn client_config_pinned(authority: Fingerprint, alpn: Alpn) -> Result<ClientTls, TlsError> {
    client(Arc::new(verify::Servers::pinned(authority, provider())), None, alpn, Some(authority))
}

/// Looks who signs for the server at the other end, for a person who compares it; trusts nobody and sends nothing.
///
/// # Errors
/// It is not reached, speaks no TLS, or shows no authority.
pub async fn authority_of<S: AsyncRead + AsyncWrite + Unpin>(
    host: &str,
    stream: S,
    deadline: Duration,
) -> Result<Fingerprint, TlsError> {
    let seen = Arc::new(OnceLock::new());
    let verifier = verify::Servers::nobody(seen.clone(), provider());
    let looking = client(Arc::new(verifier), None, Alpn::Http2, None)?;
    let refused = looking.connect(host, stream, deadline).await.err();
    seen.get().copied().ok_or_else(|| refused.unwrap_or(TlsError::NoAuthority))
}

fn client(
    verifier: Arc<dyn rustls::client::danger::ServerCertVerifier>,
    identity: Option<Arc<Fixed>>,
    alpn: Alpn,
    pinned: Option<Fingerprint>,
) -> Result<ClientTls, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Library)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(identity),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    config.resumption = match pinned {
        // A first contact is made once.
        Some(_) => Resumption::disabled(),
        None => Resumption::in_memory_sessions(REMEMBERED_SERVERS),
    };
    Ok(ClientTls { config: config.into(), pinned })
}

fn provider() -> Arc<CryptoProvider> {
    ring::default_provider().into()
}

/// Where a server is reached: the part of a URL that its certificate must name.
///
/// # Errors
/// It is neither an IP address nor a host name.
pub fn check_host(host: &str) -> Result<Result<IpAddr, &str>, TlsError> {
    match server_name(host)? {
        ServerName::IpAddress(_) => Ok(Ok(host.parse().map_err(|_| TlsError::Host(host.into()))?)),
        _ => Ok(Err(host)),
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Host(host.into()))
}

impl ServerTls {
    /// Shows another certificate from now on, in new full handshakes.
    ///
    /// # Errors
    /// The identity is not that of a server, or brings no authority for first contacts.
    pub fn replace_identity(&self, identity: &Identity) -> Result<(), TlsError> {
        let new = shown(identity)?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

fn shown(identity: &Identity) -> Result<Arc<CertifiedKey>, TlsError> {
    if identity.peer().kind != PeerKind::Server {
        return Err(TlsError::Kind { found: identity.peer().kind, wanted: PeerKind::Server });
    }
    // Refused here, because a first contact would fail without.
    identity.roots()?;
    Ok(identity.with_authority()?.into())
}

/// The certificate that a server shows, which its renewal replaces.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The certificate that a client shows to whoever asks for one.
#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesClientCert for Fixed {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
