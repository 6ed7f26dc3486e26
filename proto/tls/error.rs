//! What goes wrong with identities and handshakes, and what to do about it.

use super::PeerKind;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why an identity cannot be used, or a connection was not made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there or belongs to somebody else.
    #[error("cannot read {0}; check that it exists and belongs to this user")]
    Read(PathBuf, #[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write {0}; check that its folder can be written and that nothing else is in its place")]
    Write(PathBuf, #[source] io::Error),
    /// Somebody else may have the key.
    #[error("others than its owner may use {path} (mode {mode:o}); run `chmod 600 {path}`, and enrol again if the key may have been seen", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// No such file is that long.
    #[error("{0} is longer than any file of keys or certificates; is it the right file?")]
    TooLong(PathBuf),
    /// The content of a file is wrong.
    #[error("{0} cannot be used")]
    Within(PathBuf, #[source] Box<TlsError>),
    /// A PEM block is not there or not whole.
    #[error("no whole {0} in PEM form; copy all of it, or enrol again")]
    Missing(&'static str),
    /// A certificate without what ours have.
    #[error("the certificate's {0} is not as a Mujina authority writes it; enrol with a Mujina control plane")]
    Field(&'static str),
    /// A key of another certificate.
    #[error("key and certificate do not belong together; enrol again")]
    Mismatch,
    /// A type of key that is not used.
    #[error("the key is of a type that is not used; make one of ECDSA P-256, ECDSA P-384 or Ed25519")]
    KeyType,
    /// A certificate that cannot sign.
    #[error("the certificate is not that of an authority; use the authority's certificate of the control plane")]
    NoAuthority,
    /// Signed by another authority than the one that was agreed.
    #[error("the certificate comes from another authority than the one agreed on; check the token and enrol again")]
    OtherAuthority,
    /// The identity of somebody of another kind.
    #[error("this is the identity of a {found}, not of a {wanted}; set the right file")]
    Kind {
        /// What it is.
        found: PeerKind,
        /// What is needed.
        wanted: PeerKind,
    },
    /// A certificate request that is refused.
    #[error("the certificate request {0}; make a new one with a new key")]
    Request(&'static str),
    /// No name of a host.
    #[error("`{0}` is neither a host name nor an IP address; write for example control.example.org or 192.0.2.7")]
    Host(String),
    /// The system gives no random numbers, or the key does not sign.
    #[error("no key can be made or used; check /dev/urandom")]
    MakeKey(#[source] rcgen::Error),
    /// The TLS library does not take the settings.
    #[error("TLS cannot be set up; check certificates and keys")]
    Library(#[source] Error),
    /// The handshake took too long.
    #[error("the TLS handshake did not end within {0:?}; is that a TLS port, and the network whole?")]
    Late(Duration),
    /// We refuse the other end.
    #[error("the peer {0}")]
    Refused(Refusal, #[source] io::Error),
    /// The other end refuses us.
    #[error("the peer refused the connection, because this side {0}")]
    RefusedByPeer(Refusal, #[source] io::Error),
    /// The connection broke.
    #[error("the connection broke in the TLS handshake; try again")]
    Broken(#[source] io::Error),
}

impl TlsError {
    /// Names the file of an error in its content.
    pub(super) fn within(path: &Path) -> impl FnOnce(Self) -> Self + '_ {
        |error| Self::Within(path.into(), Box::new(error))
    }

    /// Why one of the ends refused the other, if that is what happened.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal, _) | Self::RefusedByPeer(refusal, _) => Some(*refusal),
            _ => None,
        }
    }
}

/// What is wrong with one end in the eyes of the other; reads on after "the peer" and "this side".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too old, or, by the word of a peer, not valid at this time.
    Expired,
    /// Too new: mostly a clock that is wrong.
    NotYetValid,
    /// Revoked by an operator.
    Revoked,
    /// Of an authority that is not trusted.
    Authority,
    /// Another host than the one that was dialled.
    Host,
    /// The certificate does not fit the role.
    Role,
    /// A certificate whose key it does not have.
    Key,
    /// None where one is needed.
    NoCertificate,
    /// Another version or no common method.
    Version,
    /// No common protocol above TLS.
    Protocol,
    /// Not TLS, or against its rules.
    Other,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => {
                "has a certificate that has expired or is not valid yet; check both clocks, then renew it or enrol again"
            }
            Self::NotYetValid => "has a certificate that is not valid yet; check the clocks of both machines",
            Self::Revoked => "has a certificate that was revoked; ask an operator, then enrol again",
            Self::Authority => {
                "has a certificate of an unknown authority; check the address, and enrol with this control plane"
            }
            Self::Host => "has a certificate of another host; dial a name that it was made for, or renew it with this one",
            Self::Role => "has a certificate that is not for this use; use the identity that fits",
            Self::Key => "has not the key of its certificate; enrol again",
            Self::NoCertificate => "shows no certificate where one is needed; enrol first",
            Self::Version => "does not speak TLS 1.3; upgrade it",
            Self::Protocol => "does not offer `h2` or `mujina-home/1`; is that the right port and version?",
            Self::Other => "does not speak TLS as it should; is that the right port?",
        })
    }
}

impl Refusal {
    /// What this error of the TLS library says of the other end, or the other end of us.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::NoApplicationProtocol => Self::Protocol,
            Error::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon) => Self::Key,
            Error::PeerIncompatible(_) => Self::Version,
            _ => Self::Other,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownIssuer => Self::Authority,
            CertificateError::BadSignature => Self::Key,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::Host,
            CertificateError::InvalidPurpose
            | CertificateError::InvalidPurposeContext { .. }
            | CertificateError::ApplicationVerificationFailure => Self::Role,
            _ => Self::Other,
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::CertificateExpired => Self::Expired,
            AlertDescription::CertificateRevoked => Self::Revoked,
            AlertDescription::UnknownCA => Self::Authority,
            AlertDescription::AccessDenied | AlertDescription::UnsupportedCertificate => Self::Role,
            AlertDescription::DecryptError => Self::Key,
            AlertDescription::CertificateRequired => Self::NoCertificate,
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => Self::Version,
            AlertDescription::NoApplicationProtocol => Self::Protocol,
            _ => Self::Other,
        }
    }
}
