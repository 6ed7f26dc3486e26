//! Certificates for TLS pools: a root, and a server certificate below it that is good or has one flaw.

use super::LineError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// What is wrong with a server certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: valid for `localhost` and 127.0.0.1, now, signed by the root.
    None,
    /// For another host.
    OtherHost,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    FromTheFuture,
}

/// A root and one server certificate, made anew each time.
#[derive(Clone)]
pub struct TlsIdentity {
    root_pem: String,
    root: CertificateDer<'static>,
    spki: [u8; 32],
    acceptor: TlsAcceptor,
}

impl TlsIdentity {
    /// Makes both.
    ///
    /// # Errors
    /// [`LineError::Tls`] when a certificate cannot be made.
    pub fn new(flaw: Flaw) -> Result<Self, LineError> {
        let mut of_root = CertificateParams::new(Vec::new()).map_err(LineError::tls)?;
        of_root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(of_root, KeyPair::generate().map_err(LineError::tls)?)
            .map_err(LineError::tls)?;
        let key = KeyPair::generate().map_err(LineError::tls)?;
        let spki = sha256(&key.subject_public_key_info());
        let leaf = leaf(flaw)?.signed_by(&key, &root).map_err(LineError::tls)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(LineError::tls)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)
            .map_err(LineError::tls)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { root_pem: root.pem(), root: root.der().clone(), spki, acceptor })
    }

    /// The root, for who is to trust it.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// SHA-256 of the server's public key as it stands in the certificate (SPKI), for who pins it.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        self.spki
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// A client that trusts this root alone.
    ///
    /// # Errors
    /// [`LineError::Tls`] when the root is not accepted.
    pub fn connector(&self) -> Result<TlsConnector, LineError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).map_err(LineError::tls)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(LineError::tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

fn leaf(flaw: Flaw) -> Result<CertificateParams, LineError> {
    let hosts = match flaw {
        Flaw::OtherHost => vec!["pool.example".to_owned()],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let mut params = CertificateParams::new(hosts).map_err(LineError::tls)?;
    match flaw {
        Flaw::Expired => params.not_after = rcgen::date_time_ymd(2020, 1, 1),
        Flaw::FromTheFuture => params.not_before = rcgen::date_time_ymd(4000, 1, 1),
        Flaw::None | Flaw::OtherHost => {}
    }
    Ok(params)
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
