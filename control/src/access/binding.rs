//! Who has which role, and for which miners. Pure.

use super::{
    Role,
    subject::{PersonError, Subject, check_name},
};
use crate::selector::Selector;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Gives a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Unique id.
    pub id: String,
    /// Who has the role.
    pub subject: Bound,
    /// Which.
    pub role: Role,
    /// For which miners; everything = for the control plane itself as well.
    pub selector: Selector,
}

impl Binding {
    /// Checks what no binding may give.
    ///
    /// # Errors
    /// See [`BindingError`].
    pub fn check(&self) -> Result<(), BindingError> {
        let Self { id: _, subject, role, selector: _ } = self;
        match (subject, role) {
            (Bound::Anonymous, Role::Viewer) => Ok(()),
            (Bound::Anonymous, role) => Err(BindingError::Anonymous(*role)),
            (Bound::Uid(_) | Bound::User(_) | Bound::Operator(_), _) => Ok(()),
        }
    }
}

/// Whom a binding is for: `uid:1000`, `user:alice`, `operator:alice` or `anonymous`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bound {
    /// Processes of this user on the unix socket.
    Uid(u32),
    /// Processes of the user with this name on the unix socket.
    User(String),
    /// Whoever has a certificate or a token of this name.
    Operator(String),
    /// Everybody, for looking on.
    Anonymous,
}

impl Bound {
    /// Whether it is for this subject. Nothing can be for a miner.
    #[must_use]
    pub fn is_for(&self, subject: &Subject) -> bool {
        match (self, subject) {
            (_, Subject::Miner { .. }) => false,
            (Self::Anonymous, _) => true,
            (Self::Uid(bound), Subject::UnixPeer { uid, .. }) => bound == uid,
            (Self::User(bound), Subject::UnixPeer { user, .. }) => user.as_ref() == Some(bound),
            (Self::Operator(bound), Subject::Certificate { operator } | Subject::Token { operator, .. }) => {
                bound == operator
            }
            (Self::Uid(_) | Self::User(_) | Self::Operator(_), _) => false,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Operator(operator) => write!(f, "operator:{operator}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

impl FromStr for Bound {
    type Err = BindingError;

    fn from_str(text: &str) -> Result<Self, BindingError> {
        let named = |name: &str| check_name(name).map(|()| name.to_owned()).map_err(BindingError::Name);
        match text.split_once(':') {
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some(("uid", number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map(Self::Uid).map_err(|_| BindingError::Uid)
            }
            Some(("uid", _)) => Err(BindingError::Uid),
            Some(("user", name)) => named(name).map(Self::User),
            Some(("operator", name)) => named(name).map(Self::Operator),
            Some(_) | None => Err(BindingError::Subject(text.chars().take(40).collect())),
        }
    }
}

impl TryFrom<String> for Bound {
    type Error = BindingError;

    fn try_from(text: String) -> Result<Self, BindingError> {
        text.parse()
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.to_string()
    }
}

/// Why a binding was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// Not one of the forms.
    #[error("`{}` is no subject; write uid:NUMBER, user:NAME, operator:NAME or anonymous", .0.escape_debug())]
    Subject(String),
    /// Not a user id.
    #[error("a uid is a number from 0 to 4294967295; write one such as uid:1000")]
    Uid,
    /// Not a name.
    #[error("the name of the subject cannot be used: {0}")]
    Name(#[source] PersonError),
    /// Everybody would be allowed to change something.
    #[error("anonymous callers cannot be given the role {0}; only viewer, or bind an operator")]
    Anonymous(Role),
}
