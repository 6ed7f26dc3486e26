//! Entries of the allow-list. Pure.

use mujina_core::pool::{EndpointError, PinError, PoolEndpoint, SpkiPin};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Longest account in bytes: what Stratum V2 carries.
const MAX_USER: usize = 255;

/// One pool and the accounts there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct PayoutEntry {
    /// Exactly this host, port and key; at least this protection of the connection.
    pub endpoint: PoolEndpoint,
    /// V1 in TLS: the keys that a spec may pin; where there are some, it must pin one.
    pub tls_pins: Vec<SpkiPin>,
    /// Whose shares they may be.
    pub user: UserRule,
}

/// Accounts that an entry allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserRule {
    /// This and no other.
    Exact(String),
    /// This one and its workers: what follows the first `.` after it is free. Written with `.*` behind it.
    Workers(String),
}

impl UserRule {
    /// Whether shares may be this user's.
    #[must_use]
    pub fn allows(&self, user: &str) -> bool {
        match self {
            Self::Exact(account) => user == account,
            Self::Workers(account) => {
                user.strip_prefix(account.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}

impl PayoutEntry {
    /// Whether a spec may pin these.
    pub(super) fn allows_pins(&self, pins: &[SpkiPin]) -> bool {
        pins.is_empty() == self.tls_pins.is_empty() && pins.iter().all(|pin| self.tls_pins.contains(pin))
    }
}

impl FromStr for UserRule {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let (account, rule): (_, fn(String) -> Self) = match text.strip_suffix(".*") {
            Some(account) => (account, Self::Workers),
            None => (text, Self::Exact),
        };
        // A star elsewhere would look like a pattern and be none.
        if account.is_empty() || account.len() > MAX_USER || account.contains(|c: char| c.is_control() || c == '*') {
            return Err(EntryError::User);
        }
        Ok(rule(account.into()))
    }
}

impl fmt::Display for UserRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(account) => f.write_str(account),
            Self::Workers(account) => write!(f, "{account}.*"),
        }
    }
}

/// Why an entry was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The pool.
    #[error("the pool's URL cannot be used: {0}")]
    Url(#[from] EndpointError),
    /// A pin.
    #[error("a TLS pin cannot be used: {0}")]
    Pin(#[from] PinError),
    /// The account.
    #[error(
        "an account has 1 to 255 bytes and no `*`; write it whole, or with `.*` behind it to allow its workers too"
    )]
    User,
}

/// An entry as it is stored and typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    user: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tls_pins: Vec<String>,
}

impl TryFrom<Written> for PayoutEntry {
    type Error = EntryError;

    fn try_from(written: Written) -> Result<Self, EntryError> {
        let Written { url, user, tls_pins } = written;
        let tls_pins = tls_pins.iter().map(|pin| pin.parse()).collect::<Result<_, _>>()?;
        Ok(Self { endpoint: url.parse()?, tls_pins, user: user.parse()? })
    }
}

impl From<PayoutEntry> for Written {
    fn from(entry: PayoutEntry) -> Self {
        let PayoutEntry { endpoint, tls_pins, user } = entry;
        let tls_pins = tls_pins.iter().map(ToString::to_string).collect();
        Self { url: endpoint.to_string(), user: user.to_string(), tls_pins }
    }
}
