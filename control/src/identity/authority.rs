//! The authority: signs certificates for servers, miners and operators.   Its key is in one file, which nobody else may read.
//!
//! Folder: `authority.pem` (key and certificate), `authority.crt` (the certificate, for everybody), `server.pem` (what this
//! control plane shows). Whoever has `authority.pem` can be anybody: back it up apart from the database.

use mujina_core::id::{MinerName, PeerName};
use mujina_proto::tls::{
    Fingerprint, Identity, NewKey, Peer, PeerKind, PublicKey, Roots, TicketSecret, TlsError, check_host,
    create_private, read_private, write_public,
};
use rand::{TryRngCore, rngs::OsRng};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use std::{
    fmt, fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Key and certificate of the authority.
const AUTHORITY: &str = "authority.pem";
/// The certificate alone.
const CERTIFICATE: &str = "authority.crt";
/// What this control plane shows.
const SERVER: &str = "server.pem";
/// Name of this control plane in its certificate.
const SERVER_NAME: &str = "control";
/// How long an authority is valid: longer than the machines it serves.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// How long certificates are valid; renewed at two thirds, so a control plane may be away for ten days.
const LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How far the clock of a verifier may be behind ours.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// Bytes of a serial number.
const SERIAL: usize = 16;

/// Why there is no authority, or no certificate of it.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is one already.
    #[error("{0} exists, and all enrolled miners trust it; to begin anew, move it away and enrol them again")]
    Exists(PathBuf),
    /// Files, keys or requests.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key of one and the certificate of another.
    #[error("key and certificate in {0} do not belong together; restore it from a backup")]
    Mismatch(PathBuf),
    /// No name to reach the server by.
    #[error("a server needs a host name or an IP address that miners dial; give at least one")]
    NoNames,
    /// At the end of its life.
    #[error(
        "the authority has expired or is not valid yet; check the clock, or make a new one and enrol all miners again"
    )]
    OutOfTime,
    /// Signing failed.
    #[error("the authority cannot sign; check {AUTHORITY} and /dev/urandom")]
    Sign(#[from] rcgen::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers; check /dev/urandom")]
    Random,
}

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    roots: Roots,
    fingerprint: Fingerprint,
    valid_until: SystemTime,
    folder: PathBuf,
}

/// A certificate that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate and the authority's, as PEM.
    pub chain: String,
    /// Whose it is.
    pub peer: Peer,
    /// Of the public key in it.
    pub key: Fingerprint,
}

impl Authority {
    /// Makes an authority in `folder`, and a certificate by which this control plane is reached as any of `names`.
    ///
    /// # Errors
    /// There is one already, or its files cannot be written.
    pub fn create(folder: &Path, names: &[String], now: SystemTime) -> Result<Self, AuthorityError> {
        check_names(names)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (begin, end) = (before(now), after(now, AUTHORITY_LIFE));
        let params = authority_params(&key, begin, end);
        let certificate = params.self_signed(&key)?.pem();
        let roots = Roots::from_pem(&certificate)?;
        let failed = |error| TlsError::Write(folder.into(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let path = folder.join(AUTHORITY);
        let text = format!("{}{}", key.serialize_pem(), certificate);
        create_private(&path, &text).map_err(|error| match error {
            TlsError::Write(path, cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                AuthorityError::Exists(path)
            }
            error => error.into(),
        })?;
        let authority = Self::new(key, roots, folder, now)?;
        authority.publish()?;
        authority.server(names, now)?;
        Ok(authority)
    }

    /// Opens the authority of `folder`.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn open(folder: &Path, now: SystemTime) -> Result<Self, AuthorityError> {
        let path = folder.join(AUTHORITY);
        let text = read_private(&path)?;
        let key = KeyPair::from_pem(&text).map_err(|_| TlsError::Missing("private key"))?;
        let roots = Roots::from_pem(&text)?;
        if roots.keys()? != [Fingerprint::of(&key.subject_public_key_info())] {
            return Err(AuthorityError::Mismatch(path));
        }
        let authority = Self::new(key, roots, folder, now)?;
        authority.publish()?;
        Ok(authority)
    }

    /// Writes the certificate for others, where it is not there: it may have been killed before it did.
    fn publish(&self) -> Result<(), TlsError> {
        let path = self.folder.join(CERTIFICATE);
        let is_there = Roots::load(&path).is_ok_and(|found| found.fingerprints().eq(self.roots.fingerprints()));
        if is_there { Ok(()) } else { write_public(&path, &self.roots.to_pem()) }
    }

    fn new(key: KeyPair, roots: Roots, folder: &Path, now: SystemTime) -> Result<Self, AuthorityError> {
        let valid_until = roots.expires_at()?;
        if now >= valid_until {
            return Err(AuthorityError::OutOfTime);
        }
        let fingerprint = roots.fingerprints().next().ok_or(TlsError::Missing("certificate"))?;
        let issuer = Issuer::from_ca_cert_pem(&roots.to_pem(), key)?;
        Ok(Self { issuer, roots, fingerprint, valid_until, folder: folder.into() })
    }

    /// What people compare.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What others need to trust it.
    #[must_use]
    pub const fn roots(&self) -> &Roots {
        &self.roots
    }

    /// What session tickets are sealed with, the same in every process that has this authority.
    #[must_use]
    pub fn ticket_secret(&self) -> TicketSecret {
        TicketSecret::derive(self.issuer.key().serialized_der())
    }

    /// The identity of this control plane: that of the last time, or a new one when that is due or has not all `names`.
    ///
    /// # Errors
    /// It cannot be signed or written. A file that cannot be read is an error too: somebody may have changed it.
    pub fn server(&self, names: &[String], now: SystemTime) -> Result<Identity, AuthorityError> {
        let path = self.folder.join(SERVER);
        match Identity::load(&path) {
            Ok(identity) if self.is_current(&identity, names, now)? => return Ok(identity),
            Err(TlsError::Read(_, cause)) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let identity = self.issue_server(names, now)?;
        identity.save(&path)?;
        Ok(identity)
    }

    fn is_current(&self, identity: &Identity, names: &[String], now: SystemTime) -> Result<bool, AuthorityError> {
        let is_ours = identity.roots().is_ok_and(|roots| roots.fingerprints().eq(self.roots.fingerprints()));
        let is_in_time = identity.peer().not_before <= now && now < identity.renew_at();
        for name in names {
            if !identity.is_for(name)? {
                return Ok(false);
            }
        }
        Ok(is_ours && is_in_time)
    }

    /// Signs for a server that is reached as any of `names`, with a new key.
    ///
    /// # Errors
    /// No name, one that is none, or the authority does not sign.
    pub fn issue_server(&self, names: &[String], now: SystemTime) -> Result<Identity, AuthorityError> {
        let key = NewKey::generate()?;
        let public = PublicKey::from_request(&key.request(SERVER_NAME)?)?;
        let name = SERVER_NAME.parse().expect("a valid name");
        let issued = self.issue(PeerKind::Server, &name, check_names(names)?, &public, (now, after(now, LIFE)))?;
        Ok(key.into_identity(&issued.chain, &self.roots)?)
    }

    /// Signs for an operator who keeps the key. Ends no later than `not_beyond`, where that is given.
    ///
    /// # Errors
    /// The request is refused, or the authority does not sign.
    pub fn issue_operator(
        &self,
        name: &PeerName,
        request: &str,
        not_beyond: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<Issued, AuthorityError> {
        let key = PublicKey::from_request(request)?;
        let end = not_beyond.map_or_else(|| after(now, LIFE), |end| end.min(after(now, LIFE)));
        self.issue(PeerKind::Operator, name, Vec::new(), &key, (now, end))
    }

    /// Signs for a miner, which keeps its key. Nothing but the key is taken from the request.
    ///
    /// # Errors
    /// The request is refused, or the authority does not sign.
    pub fn issue_miner(&self, name: &MinerName, request: &str, now: SystemTime) -> Result<Issued, AuthorityError> {
        let name = name.as_str().parse().expect("names of miners and of peers have one grammar");
        let key = PublicKey::from_request(request)?;
        self.issue(PeerKind::Miner, &name, Vec::new(), &key, (now, after(now, LIFE)))
    }

    fn issue(
        &self,
        kind: PeerKind,
        name: &PeerName,
        hosts: Vec<SanType>,
        key: &PublicKey,
        (now, end): (SystemTime, SystemTime),
    ) -> Result<Issued, AuthorityError> {
        let (begin, end) = (before(now), end.min(self.valid_until));
        if begin >= end {
            return Err(AuthorityError::OutOfTime);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name.as_str());
        params.subject_alt_names = hosts;
        params.subject_alt_names.push(SanType::URI(Peer::uri(kind, name).try_into()?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match kind {
            PeerKind::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            PeerKind::Miner | PeerKind::Operator => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial()?);
        params.not_before = begin.into();
        params.not_after = end.into();
        let public = SubjectPublicKeyInfo::from_der(key.info())?;
        let certificate = params.signed_by(&public, &self.issuer)?;
        let chain = format!("{}{}", certificate.pem(), self.roots.to_pem());
        Ok(Issued { chain, peer: Peer::read(certificate.der())?, key: key.fingerprint() })
    }
}

/// Without the key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.fingerprint).finish()
    }
}

fn authority_params(key: &KeyPair, begin: SystemTime, end: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Two authorities shall not have one name: a verifier would try the wrong key.
    let number = Fingerprint::of(&key.subject_public_key_info()).to_string();
    let number = number.get(..9).unwrap_or_default();
    params.distinguished_name.push(DnType::CommonName, format!("Mujina authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = begin.into();
    params.not_after = end.into();
    params
}

fn check_names(names: &[String]) -> Result<Vec<SanType>, AuthorityError> {
    let checked = names.iter().map(|name| match check_host(name)? {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(name) => Ok(SanType::DnsName(name.try_into()?)),
    });
    let checked = checked.collect::<Result<Vec<_>, AuthorityError>>()?;
    if checked.is_empty() { Err(AuthorityError::NoNames) } else { Ok(checked) }
}

fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; SERIAL];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| AuthorityError::Random)?;
    Ok(SerialNumber::from_slice(&bytes))
}

fn before(now: SystemTime) -> SystemTime {
    now.checked_sub(SKEW).unwrap_or(now)
}

fn after(now: SystemTime, life: Duration) -> SystemTime {
    now.checked_add(life).unwrap_or(now)
}

#[cfg(test)]
mod tests;
