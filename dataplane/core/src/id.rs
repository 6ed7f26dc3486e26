//! Names and numbers that identify things across processes.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty; use 1 to 63 characters of a-z, 0-9 and '-'")]
    Empty,
    /// More than 63 characters.
    #[error("has {0} characters; use at most 63")]
    TooLong(usize),
    /// A character that names do not have.
    #[error("contains {0:?}; use only a-z, 0-9 and '-', beginning and ending with a letter or digit")]
    BadCharacter(char),
}

/// Checks the grammar that all names share: an RFC 1123 label, so that names fit file names, metrics labels and host names.
fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(NameError::BadCharacter(bad));
    }
    if text.len() > 63 {
        return Err(NameError::TooLong(text.len()));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(NameError::BadCharacter('-'));
    }
    Ok(())
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        /// 1 to 63 characters of a-z, 0-9 and '-', beginning and ending with a letter or digit. Cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check_name(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )* };
}

names! {
    /// Names a pool account within a spec.
    PoolName
    /// Names a group of pools within a spec.
    GroupName
    /// Names a board, stable over restarts, for example `cpu`.
    BoardId
    /// Names a hash thread, stable over restarts, for example `cpu-0`.
    ThreadId
    /// Identifies a miner: made at its first start and kept.
    MinerId
    /// Names a miner in a control plane's configuration.
    MinerName
    /// Names who holds a certificate: a server, a miner or an operator.
    PeerName
    /// Names a profile of a control plane.
    ProfileName
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

numbers! {
    /// Counts the specs that a miner accepted, or the desired states that a control plane stored; 0 = none.
    Generation
    /// Counts the pool connections of one process; never reused within it.
    ConnectionId
    /// Counts the shares of one process; never reused within it.
    ShareId
}

/// A trace by the W3C Trace Context: 16 bytes, shown as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar_of_a_label() {
        assert_eq!("cpu-0".parse::<ThreadId>().unwrap().as_str(), "cpu-0");
        assert_eq!("".parse::<PoolName>(), Err(NameError::Empty));
        assert_eq!("My pool".parse::<PoolName>(), Err(NameError::BadCharacter('M')));
        assert_eq!("-a".parse::<PoolName>(), Err(NameError::BadCharacter('-')));
        assert_eq!("a".repeat(64).parse::<PoolName>(), Err(NameError::TooLong(64)));
    }
}
