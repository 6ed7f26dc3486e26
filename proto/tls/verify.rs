//! What a certificate must show beside a chain to an authority: the right kind of holder, and not to be revoked.

use super::{Fingerprint, Peer, PeerKind, Revocations, Roots, TlsError, peer};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use std::{
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

/// Not negotiated, so never asked; refused all the same.
const NO_TLS12: Error = Error::General(String::new());

/// Verifies clients: miners and operators, not revoked.
#[derive(Debug)]
pub(super) struct Clients {
    chain: Arc<dyn ClientCertVerifier>,
    revoked: Arc<dyn Revocations>,
}

impl Clients {
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, revoked: Arc<dyn Revocations>) -> Self {
        Self { chain, revoked }
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(certificate, others, now)?;
        let peer = holder(certificate, &[PeerKind::Miner, PeerKind::Operator])?;
        if self.revoked.is_revoked(&peer.serial) { Err(CertificateError::Revoked.into()) } else { Ok(verified) }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(NO_TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Verifies servers.
#[derive(Debug)]
pub(super) struct Servers {
    trusted: Trusted,
    provider: Arc<CryptoProvider>,
}

/// Whose servers.
#[derive(Debug)]
enum Trusted {
    /// Those of authorities that are known.
    Known(Arc<WebPkiServerVerifier>),
    /// Those of the authority with this fingerprint, which comes in the chain.
    Pinned(Fingerprint),
    /// None: whose certificate comes last in the chain is noted.
    Nobody(Arc<OnceLock<Fingerprint>>),
}

impl Servers {
    pub(super) fn new(roots: &Roots, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let chain = chain_to(roots.store(), &provider).map_err(|_| TlsError::NoAuthority)?;
        Ok(Self { trusted: Trusted::Known(chain), provider })
    }

    pub(super) fn pinned(authority: Fingerprint, provider: Arc<CryptoProvider>) -> Self {
        Self { trusted: Trusted::Pinned(authority), provider }
    }

    /// Refuses every server, and tells its authority.
    pub(super) fn nobody(seen: Arc<OnceLock<Fingerprint>>, provider: Arc<CryptoProvider>) -> Self {
        Self { trusted: Trusted::Nobody(seen), provider }
    }

    fn chain(&self, others: &[CertificateDer<'_>], now: UnixTime) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let authority = match &self.trusted {
            Trusted::Known(chain) => return Ok(chain.clone()),
            Trusted::Pinned(authority) => authority,
            Trusted::Nobody(seen) => {
                if let Some(last) = others.last() {
                    seen.get_or_init(|| Fingerprint::of(last));
                }
                return Err(CertificateError::UnknownIssuer.into());
            }
        };
        let pinned = others.iter().find(|one| Fingerprint::of(one) == *authority);
        let pinned = pinned.ok_or(CertificateError::UnknownIssuer)?;
        // An anchor's own validity is not looked at by the chain; the token may be older than it.
        match peer::is_authority(pinned, time(now)) {
            Ok(true) => {}
            Ok(false) => return Err(CertificateError::UnknownIssuer.into()),
            Err(_) => return Err(CertificateError::BadEncoding.into()),
        }
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        chain_to(roots.into(), &self.provider)
    }
}

fn chain_to(roots: Arc<RootCertStore>, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|_| CertificateError::UnknownIssuer.into())
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.chain(others, now)?.verify_server_cert(certificate, others, name, ocsp, now)?;
        holder(certificate, &[PeerKind::Server])?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(NO_TLS12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Reads a certificate whose chain was verified; its holder must be of one of these kinds.
fn holder(certificate: &CertificateDer<'_>, kinds: &[PeerKind]) -> Result<Peer, Error> {
    let peer = Peer::read(certificate).map_err(|_| CertificateError::ApplicationVerificationFailure)?;
    if kinds.contains(&peer.kind) { Ok(peer) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
}

fn time(now: UnixTime) -> SystemTime {
    UNIX_EPOCH.checked_add(std::time::Duration::from_secs(now.as_secs())).unwrap_or(UNIX_EPOCH)
}
