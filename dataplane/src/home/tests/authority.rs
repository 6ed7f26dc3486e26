//! An authority as tests need it: signs what it is asked to, as old as it is told.

use mujina_core::id::PeerName;
use mujina_proto::tls::{Fingerprint, Identity, Peer, PeerKind, PublicKey, Roots};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
};
use std::time::{Duration, SystemTime};

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of a point on P-256, uncompressed: the end of its SubjectPublicKeyInfo.
const POINT: usize = 65;

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = valid(CertificateParams::default(), DAY, 100 * DAY);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem).unwrap()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.roots().fingerprints().next().unwrap()
    }

    /// A key with a certificate of thirty days, which began `age` ago.
    pub(super) fn identity(&self, kind: PeerKind, name: &str, age: Duration) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = valid(leaf(kind, name), age, 30 * DAY).signed_by(&key, &self.issuer).unwrap();
        Identity::from_pem(&format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.pem)).unwrap()
    }

    /// The chain for a miner's request, fresh.
    pub(super) fn chain(&self, request: &str, name: &str) -> String {
        let key = Point(PublicKey::from_request(request).unwrap());
        let certificate = valid(leaf(PeerKind::Miner, name), Duration::from_secs(60), 30 * DAY);
        format!("{}{}", certificate.signed_by(&key, &self.issuer).unwrap().pem(), self.pem)
    }
}

fn valid(mut params: CertificateParams, age: Duration, life: Duration) -> CertificateParams {
    let begin = SystemTime::now() - age;
    params.not_before = begin.into();
    params.not_after = (begin + life).into();
    params
}

fn leaf(kind: PeerKind, name: &str) -> CertificateParams {
    let name: PeerName = name.parse().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::URI(Peer::uri(kind, &name).try_into().unwrap()));
    params.extended_key_usages = match kind {
        PeerKind::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        PeerKind::Miner | PeerKind::Operator => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    if kind == PeerKind::Server {
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
    }
    params
}

struct Point(PublicKey);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        self.0.info().last_chunk::<POINT>().unwrap()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
