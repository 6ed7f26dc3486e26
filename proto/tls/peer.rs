//! Who is at the other end, by what its verified certificate says.

use super::{Fingerprint, TlsError};
use mujina_core::id::PeerName;
use rustls::pki_types::CertificateDer;
use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    prelude::{ASN1Time, FromDer},
};

/// Begin of the URI by which certificates name their holder.
const SCHEME: &str = "mujina://";

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    /// A control plane.
    Server,
    /// A data plane.
    Miner,
    /// A person, or a program that works for people.
    Operator,
}

impl PeerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Server, Self::Miner, Self::Operator];

    /// As it stands in certificates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Miner => "miner",
            Self::Operator => "operator",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it is.
    pub kind: PeerKind,
    /// Which one.
    pub name: PeerName,
    /// Number of the certificate among those of its authority.
    pub serial: Serial,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
    /// From when on the certificate is valid.
    pub not_before: SystemTime,
    /// The certificate is not valid after this.
    pub not_after: SystemTime,
}

impl Peer {
    /// Reads a certificate, which the caller has verified.
    ///
    /// # Errors
    /// It is no certificate of a Mujina authority.
    pub fn read(certificate: &[u8]) -> Result<Self, TlsError> {
        let parsed = parse(certificate)?;
        let (kind, name) = holder(&parsed)?;
        Ok(Self {
            kind,
            name,
            serial: Serial::from_bytes(parsed.raw_serial()).ok_or(TlsError::Field("serial number"))?,
            fingerprint: Fingerprint::of(certificate),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
        })
    }

    /// The URI that names the holder in a certificate.
    #[must_use]
    pub fn uri(kind: PeerKind, name: &PeerName) -> String {
        format!("{SCHEME}{kind}/{name}")
    }
}

/// As it is written in logs and audits.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The one URI among the alternative names; other kinds of names (of hosts) may stand beside it.
fn holder(certificate: &X509Certificate<'_>) -> Result<(PeerKind, PeerName), TlsError> {
    let bad = || TlsError::Field("alternative name `mujina://<kind>/<name>`");
    let names = certificate.subject_alternative_name().map_err(|_| bad())?.ok_or_else(bad)?;
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let (Some(uri), None) = (uris.next(), uris.next()) else {
        return Err(bad());
    };
    let (kind, name) = uri.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/')).ok_or_else(bad)?;
    Ok((PeerKind::from_name(kind).ok_or_else(bad)?, name.parse().map_err(|_| bad())?))
}

pub(super) fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, TlsError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(TlsError::Field("encoding")),
    }
}

fn time(time: ASN1Time) -> Result<SystemTime, TlsError> {
    // Before 1970 is never right, and no reason to fail: it is as expired as it can be.
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(TlsError::Field("validity"))
}

pub(super) fn not_after(certificate: &X509Certificate<'_>) -> Result<SystemTime, TlsError> {
    time(certificate.validity().not_after)
}

/// Whether the certificate may sign others, and when.
pub(super) fn is_authority(certificate: &CertificateDer<'_>, now: SystemTime) -> Result<bool, TlsError> {
    let parsed = parse(certificate)?;
    let validity = parsed.validity();
    let is_valid = time(validity.not_before)? <= now && now <= time(validity.not_after)?;
    Ok(parsed.is_ca() && is_valid)
}

/// Number of a certificate among those of its authority: at most 20 bytes, shown as hex without leading zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// From big-endian bytes; `None` when they are more than a certificate may have.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let significant = bytes.get(zeros..)?;
        let mut serial = [0; 20];
        serial.get_mut(20_usize.checked_sub(significant.len())?..)?.copy_from_slice(significant);
        Some(Self(serial))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let significant = self.0.iter().skip_while(|byte| **byte == 0);
        if self.0 == [0; 20] {
            return f.write_str("00");
        }
        significant.into_iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// A text that is no serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no serial number; write 1 to 20 bytes as hex digits, as lists of certificates show it")]
pub struct SerialError(String);

impl FromStr for Serial {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let bad = || SerialError(text.into());
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or_else(bad)?;
        if digits.is_empty() || digits.len() > 40 {
            return Err(bad());
        }
        let pairs = digits.rchunks(2).rev();
        let bytes: Vec<u8> = pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        Self::from_bytes(&bytes).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests;
