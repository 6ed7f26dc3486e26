//! An authority as tests need it: signs whatever it is asked to, valid or not.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, string::Ia5String,
};

/// In seconds.
pub(super) const DAY: u64 = 24 * 60 * 60;

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    server: Identity,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        Self::valid_from(name, SystemTime::now() - Duration::from_secs(DAY))
    }

    /// An authority for ten days.
    pub(super) fn valid_from(name: &str, begin: SystemTime) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = begin.into();
        params.not_after = (begin + Duration::from_secs(10 * DAY)).into();
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let server = sign(&issuer, &pem, leaf(PeerKind::Server, "control"), DAY, 30 * DAY);
        Self { issuer, pem, server }
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem).unwrap()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.roots().fingerprints().next().unwrap()
    }

    pub(super) fn server(&self) -> Identity {
        self.server.clone()
    }

    pub(super) fn client(&self, kind: PeerKind, name: &str) -> Identity {
        self.sign(kind, name, DAY, 30 * DAY)
    }

    /// A certificate that began `age` seconds ago and is valid for `life` seconds from then.
    pub(super) fn sign(&self, kind: PeerKind, name: &str, age: u64, life: u64) -> Identity {
        sign(&self.issuer, &self.pem, leaf(kind, name), age, life)
    }

    /// A certificate that is valid from `wait` seconds from now.
    pub(super) fn sign_for_later(&self, kind: PeerKind, name: &str, wait: u64) -> Identity {
        let mut params = leaf(kind, name);
        params.not_before = (SystemTime::now() + Duration::from_secs(wait)).into();
        params.not_after = (SystemTime::now() + Duration::from_secs(wait + DAY)).into();
        finish(&self.issuer, &self.pem, &params)
    }

    pub(super) fn sign_params(&self, params: CertificateParams) -> Identity {
        sign(&self.issuer, &self.pem, params, DAY, 30 * DAY)
    }
}

pub(super) fn leaf(kind: PeerKind, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::URI(uri(&Peer::uri(kind, &name.parse().unwrap()))));
    params.extended_key_usages = match kind {
        PeerKind::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        PeerKind::Miner | PeerKind::Operator => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    if kind == PeerKind::Server {
        params.subject_alt_names.push(SanType::DnsName(uri("localhost")));
    }
    params
}

pub(super) fn uri(text: &str) -> Ia5String {
    text.try_into().unwrap()
}

fn sign(issuer: &Issuer<'static, KeyPair>, pem: &str, mut params: CertificateParams, age: u64, life: u64) -> Identity {
    let begin = SystemTime::now() - Duration::from_secs(age);
    params.not_before = begin.into();
    params.not_after = (begin + Duration::from_secs(life)).into();
    finish(issuer, pem, &params)
}

fn finish(issuer: &Issuer<'static, KeyPair>, pem: &str, params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    Identity::from_pem(&format!("{}{}{pem}", key.serialize_pem().replace("\r\n", "\n"), certificate.pem())).unwrap()
}
