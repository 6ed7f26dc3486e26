//! Who may do what: one table says what each call needs, roles say who has it, bindings say who has which role. Pure.
//!
//! ```text
//! connection ──▶ Subject ──┐
//! stored bindings ─────────┼──▶ decide(method, labels of the miner) ──▶ Allowed by a binding | Denied, with a way out
//! METHODS (methods.rs) ────┘                                                │
//!                                     calls whose content says what they need ask `Allowed::permits` of each part
//! ```
//! Nothing here trusts a caller's word: a subject is what its connection proved. The table and the roles are shown in
//! docs/security.md, which a test holds to this code.

pub mod apart;
pub mod binding;
mod caller;
pub mod content;
mod decide;
pub mod methods;
#[cfg(test)]
mod paper;
pub mod payout;
pub mod subject;
#[cfg(test)]
mod tests;
pub mod token;

pub use binding::{Binding, BindingError, Bound};
pub use caller::Caller;
pub use decide::{Allowed, By, Decision, Denied, Question, QuestionError, Refusal, can_i, decide, what_can};
pub use methods::{About, METHODS, Method, Needs};
pub use subject::Subject;

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$item:meta])* $variant:ident = $text:literal: $does:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $name { $($(#[$item])* #[doc = concat!("`", $text, "`: ", $does)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// How it is written.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it is for, for people.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $does,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = NotKnown;

            fn from_str(text: &str) -> Result<Self, NotKnown> {
                let found = Self::ALL.iter().copied().find(|one| one.name() == text);
                found.ok_or_else(|| NotKnown {
                    what: $what,
                    text: text.chars().take(40).collect(),
                    known: Self::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotKnown;

            fn try_from(text: String) -> Result<Self, NotKnown> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(one: $name) -> Self {
                one.name().into()
            }
        }
    };
}

/// A word that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{}`; use one of {known}", text.escape_debug())]
pub struct NotKnown {
    /// What it should have been.
    pub what: &'static str,
    /// What it was, cut.
    pub text: String,
    /// What it may be.
    pub known: String,
}

named! {
    /// What a call needs.
    Permission, "permission" {
        Read = "read": "see miners, what is wanted of them, operations, statistics and traces; never a password",
        Locate = "locate": "make a board show which it is",
        SelfTest = "self-test": "let a board test itself",
        Restart = "restart": "start a board or a miner anew",
        Reconnect = "reconnect": "renew a pool connection",
        Pause = "pause": "stop hashing and start it again",
        Power = "power": "change what boards may draw and how fast they run",
        Limits = "limits": "change temperature limits and fan targets",
        Pools = "pools": "choose among the pools of the payout allow-list, test and pin them",
        AnyPool = "any-pool": "choose pools while no allow-list is set up",
        Rollout = "rollout": "change many miners in waves",
        ReadAccess = "read-access": "see bindings, tokens (never their secret) and the allow-list",
        ManageAccess = "manage-access": "change bindings, tokens, enrolment and, with a second admin, the allow-list",
        ReadAudit = "read-audit": "read, verify and export the audit log",
    }
}

named! {
    /// A set of permissions that a person's task needs.
    Role, "role" {
        Viewer = "viewer": "looks on",
        Technician = "technician": "stands before the machines",
        Operator = "operator": "runs the fleet: pools of the catalogue, pause, reconnect, rollouts",
        Energy = "energy": "sheds and restores load",
        Admin = "admin": "may do everything, the payout guard's second approval excepted",
        Auditor = "auditor": "sees everything, changes nothing",
    }
}

impl Role {
    /// What it permits.
    #[must_use]
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::{
            Locate, Pause, Pools, Power, Read, ReadAccess, ReadAudit, Reconnect, Restart, Rollout, SelfTest,
        };
        match self {
            Self::Viewer => &[Read],
            Self::Technician => &[Read, Locate, SelfTest, Restart],
            Self::Operator => &[Read, Reconnect, Pause, Pools, Rollout],
            Self::Energy => &[Read, Pause, Power],
            Self::Admin => Permission::ALL,
            Self::Auditor => &[Read, ReadAccess, ReadAudit],
        }
    }

    /// Whether it permits this.
    #[must_use]
    pub fn permits(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    /// Roles that permit any of these, the least powerful first.
    #[must_use]
    pub fn with_any_of(permissions: &[Permission]) -> Vec<Self> {
        let permits = |role: &Self| permissions.iter().any(|permission| role.permits(*permission));
        let mut roles: Vec<_> = Self::ALL.iter().copied().filter(permits).collect();
        roles.sort_by_key(|role| role.permissions().len());
        roles
    }
}
