//! What is kept of those who ask for a certificate, and of the certificates they got.

use super::{AuthorityError, TokenRefusal};
use crate::store::StoreError;
use mujina_core::id::{MinerName, NameError};
use mujina_proto::tls::{Fingerprint, Peer, PeerKind, Serial, TlsError, TokenError, TokenId};
use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

/// What a new miner sends.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The text of its token.
    pub token: &'a str,
    /// The certificate request, as PEM.
    pub request: &'a str,
    /// What it wants to be called.
    pub miner: &'a str,
    /// Where it asks from.
    pub source: IpAddr,
    /// When the question came, by a clock that does not jump.
    pub received: Instant,
}

/// How an enrolment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The certificate with the authority's, as PEM. Asking again with the same key gives the same.
    Issued(String),
    /// A person has to approve it; ask again later with the same token and key.
    Pending,
}

/// A person's word on an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// None yet.
    Pending,
    /// It gets its certificate; also when none had to be asked.
    Approved,
    /// It gets none.
    Refused,
}

impl Decision {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }

    /// As it was stored.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Refused].into_iter().find(|decision| decision.as_str() == name)
    }
}

/// A miner that asked for a certificate with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Counts them; names one to people.
    pub number: i64,
    /// With which token.
    pub token: TokenId,
    /// Of its public key: the miner shows the same.
    pub key: Fingerprint,
    /// What it wants to be called.
    pub miner: MinerName,
    /// Where it asked from.
    pub source: String,
    /// What it gets from its token.
    pub labels: BTreeMap<String, String>,
    /// How it stands.
    pub decision: Decision,
    /// When it asked first.
    pub asked_at: SystemTime,
    /// When somebody decided.
    pub decided_at: Option<SystemTime>,
    /// Who.
    pub decided_by: Option<String>,
    /// Why, where it was refused.
    pub reason: Option<String>,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What it says.
    pub peer: Peer,
    /// Of its public key.
    pub key: Fingerprint,
    /// When it was issued.
    pub issued_at: SystemTime,
    /// By whose word: a person's, a token's or that of the certificate before it.
    pub issued_by: String,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// What an operator proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token of operators, by its id.
    Token(String),
    /// A certificate.
    Certificate {
        /// Which.
        serial: Serial,
        /// When it expires.
        not_after: SystemTime,
    },
}

/// As it is stored: `token/ID` or `certificate/SERIAL`.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token/{id}"),
            Self::Certificate { serial, not_after: _ } => write!(f, "certificate/{serial}"),
        }
    }
}

/// What an operator's own certificate comes of, and ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What was shown to get it.
    pub credential: Credential,
    /// Until when anything may count that comes of the same token; `None` = no token stands at the begin.
    pub not_beyond: Option<SystemTime>,
}

/// Why somebody gets no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Too many failed attempts.
    #[error("too many attempts with wrong tokens; try again in {} s", .0.as_secs() + 1)]
    TooMany(Duration),
    /// The text of the token.
    #[error("the token {0}")]
    TokenText(TokenError),
    /// Unknown or wrong: which, is not told.
    #[error("the token is not known here; check that it was made by this control plane, or ask for a new one")]
    UnknownToken,
    /// Right, but no longer good.
    #[error(transparent)]
    Token(#[from] TokenRefusal),
    /// The name.
    #[error("the name of the miner {0}")]
    Name(#[from] NameError),
    /// Somebody has the name.
    #[error(
        "there is a {kind} `{name}` with a valid certificate or a pending enrolment; choose another name, or revoke that one first"
    )]
    NameTaken {
        /// What it is.
        kind: PeerKind,
        /// Its name.
        name: String,
    },
    /// A person refused it.
    #[error("the enrolment was refused: {0}; ask an operator")]
    Refused(String),
    /// No such pending enrolment.
    #[error("there is no pending enrolment {0}; list them to see how it stands")]
    NotPending(i64),
    /// A certificate that was revoked.
    #[error("the certificate was revoked; enrol again")]
    Revoked,
    /// A certificate that is too old.
    #[error("the certificate has expired; enrol again with a new key")]
    Expired,
    /// A certificate that is not due.
    #[error("the certificate may be renewed in the second half of its life, in {} s; wait until then", .0.as_secs() + 1)]
    TooEarly(Duration),
    /// More certificates than anybody needs.
    #[error("{0} has {1} valid certificates; revoke those that are not in use")]
    TooManyCertificates(String, i64),
    /// What was shown ended meanwhile.
    #[error("{0} was revoked or has expired meanwhile; log in with another")]
    CredentialOver(Credential),
    /// A kind that does not renew here.
    #[error("a {0} does not renew its certificate by itself")]
    Kind(PeerKind),
    /// A bound of tokens.
    #[error("a token {0}")]
    Bound(String),
    /// No such token.
    #[error("there is no token {0}; list them")]
    NoToken(TokenId),
    /// The request, or the authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TlsError> for EnrolError {
    fn from(error: TlsError) -> Self {
        Self::Authority(error.into())
    }
}
