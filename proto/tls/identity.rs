//! Our own certificate with its key, and the authorities we trust.

use super::{Fingerprint, Peer, TlsError, peer, private_file};
use rustls::{
    RootCertStore,
    client::verify_server_name,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A key, its certificate, and the certificates of those who signed it.
///
/// All in one file, so that a renewal is one rename: key and certificate always belong together, whenever the process dies.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    peer: Peer,
}

impl Identity {
    /// Reads the file of an identity.
    ///
    /// # Errors
    /// Others may read it, or it holds no key and certificate that belong together.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        Self::from_pem(&private_file::read_private(path)?).map_err(TlsError::within(path))
    }

    /// Writes the file of this identity: at any moment there is the old one or the new one, whole.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TlsError> {
        private_file::write_private(path, &self.to_pem())
    }

    /// Reads a key and a chain, in any order; the first certificate is that of the key.
    ///
    /// # Errors
    /// Something is missing, is not ours, or does not belong together.
    pub fn from_pem(text: &str) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| TlsError::Missing("private key"))?;
        Self::new(key, certificates(text)?)
    }

    pub(super) fn new(key: PrivateKeyDer<'static>, chain: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        let peer = Peer::read(chain.first().ok_or(TlsError::Missing("certificate"))?)?;
        let identity = Self { chain, key, peer };
        identity.certified(&identity.chain)?;
        Ok(identity)
    }

    /// The key first, then the certificates.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut text = block("PRIVATE KEY", self.key.secret_der());
        text.extend(self.chain.iter().map(|one| block("CERTIFICATE", one)));
        text
    }

    /// Who this is.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Of the certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.peer.fingerprint
    }

    /// When the certificate ceases to be valid.
    #[must_use]
    pub const fn expires_at(&self) -> SystemTime {
        self.peer.not_after
    }

    /// When the certificate should be renewed: two thirds into its life, so that a third is left for attempts that fail.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        let Peer { not_before, not_after, .. } = self.peer;
        let life = not_after.duration_since(not_before).unwrap_or_default();
        not_before.checked_add(life.mul_f64(2.0 / 3.0)).unwrap_or(not_after)
    }

    /// How much of its life is left.
    #[must_use]
    pub fn left(&self, now: SystemTime) -> Duration {
        self.peer.not_after.duration_since(now).unwrap_or_default()
    }

    /// Whether clients that dial `host` take the certificate.
    ///
    /// # Errors
    /// `host` is neither a host name nor an IP address.
    pub fn is_for(&self, host: &str) -> Result<bool, TlsError> {
        let name = super::server_name(host)?;
        let own = self.chain.first().ok_or(TlsError::Missing("certificate"))?;
        let parsed = ParsedCertificate::try_from(own).map_err(TlsError::Library)?;
        Ok(verify_server_name(&parsed, &name).is_ok())
    }

    /// The authority that came with it, when the chain is whole.
    ///
    /// # Errors
    /// The chain ends before the authority.
    pub fn roots(&self) -> Result<Roots, TlsError> {
        match self.chain.last() {
            Some(last) if self.chain.len() > 1 => Roots::new(vec![last.clone()]),
            _ => Err(TlsError::Missing("certificate of the authority")),
        }
    }

    /// For a side whose peer may not know the authority yet: the whole chain.
    pub(super) fn with_authority(&self) -> Result<CertifiedKey, TlsError> {
        self.certified(&self.chain)
    }

    /// For a side whose peer must know the authority: without what is no news, which saves a certificate per handshake.
    pub(super) fn without_authority(&self) -> Result<CertifiedKey, TlsError> {
        let chain = self.chain.split_last().map_or(&[][..], |(_, rest)| rest);
        self.certified(if chain.is_empty() { &self.chain } else { chain })
    }

    fn certified(&self, chain: &[CertificateDer<'static>]) -> Result<CertifiedKey, TlsError> {
        let key = any_supported_type(&self.key).map_err(|_| TlsError::KeyType)?;
        let certified = CertifiedKey::new(chain.to_vec(), key);
        certified.keys_match().map_err(|_| TlsError::Mismatch)?;
        Ok(certified)
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, key: _, peer } = self;
        f.debug_struct("Identity").field("peer", peer).field("chain", &chain.len()).finish_non_exhaustive()
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key(), peer: self.peer.clone() }
    }
}

/// The authorities whose word about peers is taken.
#[derive(Clone)]
pub struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    store: Arc<RootCertStore>,
}

impl Roots {
    /// Reads a file of certificates.
    ///
    /// # Errors
    /// It holds none, or one that cannot be an authority.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        Self::from_pem(&private_file::read_public(path)?).map_err(TlsError::within(path))
    }

    /// Reads certificates; anything else in the text is passed over.
    ///
    /// # Errors
    /// There is none, or one that cannot be an authority.
    pub fn from_pem(text: &str) -> Result<Self, TlsError> {
        Self::new(certificates(text)?)
    }

    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            if !peer::parse(certificate)?.is_ca() {
                return Err(TlsError::NoAuthority);
            }
            store.add(certificate.clone()).map_err(TlsError::Library)?;
        }
        Ok(Self { certificates, store: store.into() })
    }

    /// The certificates.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(|one| block("CERTIFICATE", one)).collect()
    }

    /// Of each certificate.
    pub fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> + '_ {
        self.certificates.iter().map(|one| Fingerprint::of(one))
    }

    /// Of the public key of each.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub fn keys(&self) -> Result<Vec<Fingerprint>, TlsError> {
        self.certificates.iter().map(|one| Ok(Fingerprint::of(peer::parse(one)?.public_key().raw))).collect()
    }

    /// When the first of them ceases to be valid.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub fn expires_at(&self) -> Result<SystemTime, TlsError> {
        let ends = self.certificates.iter().map(|one| peer::not_after(&peer::parse(one)?));
        let ends = ends.collect::<Result<Vec<_>, _>>()?;
        ends.into_iter().min().ok_or(TlsError::Missing("certificate"))
    }

    pub(super) fn store(&self) -> Arc<RootCertStore> {
        self.store.clone()
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Roots").field(&self.fingerprints().collect::<Vec<_>>()).finish()
    }
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let missing = TlsError::Missing("certificate");
    match CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(missing),
    }
}

/// One PEM block, with line ends as on this system.
pub(super) fn block(tag: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}
