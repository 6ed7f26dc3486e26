//! Who is at the other end of a connection, as far as the connection proves it. Pure.

use std::fmt;

/// Longest name of an operator or user in bytes.
pub const MAX_NAME_BYTES: usize = 63;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A process on this machine, by what the kernel says of it.
    UnixPeer {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// Name of the user, where it has one.
        user: Option<String>,
        /// It is root, or the user that the service itself runs as: both could change the database behind its back.
        is_owner: bool,
    },
    /// Somebody with a certificate of this control plane's authority for operators.
    Certificate {
        /// The operator's name in it.
        operator: String,
    },
    /// Somebody with a token.
    Token {
        /// The operator it was made for.
        operator: String,
        /// Which of the operator's tokens.
        id: String,
    },
    /// A miner with its own certificate: it may call home, and nothing of an operator's.
    Miner {
        /// Its identity.
        id: String,
    },
    /// Nobody in particular.
    Anonymous,
}

impl Subject {
    /// The person that all owners of the machine are.
    pub const OWNER: &str = "owner";

    /// A process at the other end of a unix socket; `own_uid` is the user that this service runs as.
    #[must_use]
    pub fn unix_peer(uid: u32, gid: u32, user: Option<String>, own_uid: u32) -> Self {
        Self::UnixPeer { uid, gid, user, is_owner: uid == 0 || uid == own_uid }
    }

    /// Whether it is an admin by what it is, without any binding.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        matches!(self, Self::UnixPeer { is_owner: true, .. })
    }

    /// The person behind it, as far as that can be told apart: a certificate and a token of one operator are one person,
    /// and so are the owners of the machine, who can all become each other. What needs two people compares this.
    #[must_use]
    pub fn person(&self) -> String {
        match self {
            Self::UnixPeer { is_owner: true, .. } => Self::OWNER.into(),
            Self::UnixPeer { uid, .. } => format!("uid:{uid}"),
            Self::Certificate { operator } | Self::Token { operator, .. } => format!("operator:{operator}"),
            Self::Miner { id } => format!("miner:{id}"),
            Self::Anonymous => "anonymous".into(),
        }
    }
}

/// For the audit log: all that is known.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnixPeer { uid, gid, user: Some(user), is_owner: _ } => {
                write!(f, "user:{user} (uid {uid}, gid {gid})")
            }
            Self::UnixPeer { uid, gid, user: None, is_owner: _ } => write!(f, "uid:{uid} (gid {gid})"),
            Self::Certificate { operator } => write!(f, "operator:{operator} (certificate)"),
            Self::Token { operator, id } => write!(f, "operator:{operator} (token {id})"),
            Self::Miner { id } => write!(f, "miner:{id}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// Nothing there, or too much.
    #[error("a name has 1 to {MAX_NAME_BYTES} bytes, this one has {0}; write another")]
    Length(usize),
    /// A character that names do not have.
    #[error("contains {0:?}; use only letters without accents, digits, '-', '_', '.' and '@'")]
    BadCharacter(char),
}

/// Checks the name of an operator or user: what certificates, tokens and bindings may carry.
///
/// # Errors
/// See [`PersonError`].
pub fn check_name(name: &str) -> Result<(), PersonError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(PersonError::Length(name.len()));
    }
    let belongs = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    name.chars().find(|c| !belongs(c)).map_or(Ok(()), |bad| Err(PersonError::BadCharacter(bad)))
}
