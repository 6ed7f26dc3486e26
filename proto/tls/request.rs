//! A new key and the request (CSR, PKCS #10) that its holder sends to an authority; and what the authority takes from it.

use super::{Fingerprint, Identity, Roots, TlsError, private_file};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{fmt, path::Path};
use x509_parser::{
    certification_request::X509CertificationRequest,
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ED25519},
    prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

/// Longest request that is looked at: far above any with a key of the types that are taken.
const LONGEST: usize = 8 * 1024;

/// A key that has no certificate yet. It never leaves the machine that made it.
pub struct NewKey(KeyPair);

impl NewKey {
    /// Makes a key (ECDSA P-256).
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, TlsError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Self).map_err(TlsError::MakeKey)
    }

    /// Reads a key that was saved, to ask again with the same one.
    ///
    /// # Errors
    /// Others may read it, or it holds no key that can be used.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        let text = private_file::read_private(path)?;
        KeyPair::from_pem(&text).map(Self).map_err(|_| TlsError::Missing("private key")).map_err(TlsError::within(path))
    }

    /// Saves the key for the time until its certificate comes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TlsError> {
        private_file::write_private(path, &self.0.serialize_pem())
    }

    /// The request. The name is for people who look at it: an authority takes the key alone.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn request(&self, name: &str) -> Result<String, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let request = params.serialize_request(&self.0).map_err(TlsError::MakeKey)?;
        Ok(super::identity::block("CERTIFICATE REQUEST", request.der()))
    }

    /// What people compare before they approve the request.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.subject_public_key_info())
    }

    /// Joins the key and the chain that came for it.
    ///
    /// # Errors
    /// The chain is not of this key, or was not signed by `roots`' authority.
    pub fn into_identity(self, chain: &str, roots: &Roots) -> Result<Identity, TlsError> {
        let key = PrivateKeyDer::try_from(self.0.serialize_der()).map_err(|_| TlsError::KeyType)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::Missing("certificate"))?;
        let identity = Identity::new(key, chain)?;
        if identity.roots()?.fingerprints().all(|one| roots.fingerprints().any(|root| root == one)) {
            Ok(identity)
        } else {
            Err(TlsError::OtherAuthority)
        }
    }
}

/// Without the key.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKey({})", self.fingerprint())
    }
}

/// A public key whose holder proved to have the private one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    info: Vec<u8>,
}

impl PublicKey {
    /// Takes the key out of a request and checks that it signed the request. Nothing else in it is looked at.
    ///
    /// # Errors
    /// It is no request, the signature is wrong, or the key is of a type that is not taken.
    pub fn from_request(text: &str) -> Result<Self, TlsError> {
        if text.len() > LONGEST {
            return Err(TlsError::Request("is longer than any should be"));
        }
        let block = pem::parse(text).map_err(|_| TlsError::Request("is not in PEM form"))?;
        if block.tag() != "CERTIFICATE REQUEST" {
            return Err(TlsError::Request("is a PEM block of something else"));
        }
        let Ok(([], request)) = X509CertificationRequest::from_der(block.contents()) else {
            return Err(TlsError::Request("cannot be read"));
        };
        let info = &request.certification_request_info.subject_pki;
        if !is_taken(info) {
            return Err(TlsError::KeyType);
        }
        request.verify_signature().map_err(|_| TlsError::Request("is not signed by its own key"))?;
        Ok(Self { info: info.raw.to_vec() })
    }

    /// The key with its type: a SubjectPublicKeyInfo as DER.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// What the holder shows to people, so that they can compare.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.info)
    }
}

/// ECDSA on P-256 and P-384, and Ed25519: what every peer verifies, quickly and at a known cost.
fn is_taken(info: &SubjectPublicKeyInfo<'_>) -> bool {
    let algorithm = &info.algorithm;
    let curve = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        curve.is_some_and(|curve| curve == OID_EC_P256 || curve == OID_NIST_EC_P384)
    } else {
        algorithm.algorithm == OID_SIG_ED25519 && algorithm.parameters.is_none()
    }
}

#[cfg(test)]
mod tests;
