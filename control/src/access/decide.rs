//! The decision. Pure.

mod question;

use super::{
    Permission, Role,
    binding::Binding,
    methods::{About, Method, Needs, method},
    subject::Subject,
};
use crate::selector::Labels;
pub use question::{Question, QuestionError, can_i, what_can};
use std::{collections::BTreeSet, fmt};

/// Whether a call may be made.
pub type Decision = Result<Allowed, Denied>;

/// It may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Why.
    pub by: By,
    /// What the subject may do to the same target, for calls whose content says what they need.
    permissions: BTreeSet<Permission>,
}

impl Allowed {
    /// Everything: nobody from outside asks.
    pub(super) fn everything() -> Self {
        Self { by: By::Owner, permissions: Permission::ALL.iter().copied().collect() }
    }

    /// Whether a part of the call's content that needs this may be done as well.
    #[must_use]
    pub fn permits(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

/// What allows a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Everybody may, or the request proves itself, or the miner is its own.
    Open,
    /// The subject owns the machine.
    Owner,
    /// The binding with this id.
    Binding(String),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("everybody may"),
            Self::Owner => f.write_str("the owner of the machine may do everything"),
            Self::Binding(id) => write!(f, "allowed by the binding {id}"),
        }
    }
}

/// It may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject} may not call {method}: {refusal}{}", way_out(.roles))]
pub struct Denied {
    /// The person.
    pub subject: String,
    /// The call.
    pub method: String,
    /// Why not.
    pub refusal: Refusal,
    /// Roles that would allow it, the least powerful first; empty when none can.
    pub roles: Vec<Role>,
}

impl Denied {
    /// Whether the caller should first say who it is (UNAUTHENTICATED), and not just ask for more (PERMISSION_DENIED).
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self.refusal, Refusal::Anonymous | Refusal::AnonymousChange)
    }
}

/// Why a call is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It has no row in the table.
    UnknownMethod,
    /// Nobody says who is calling.
    Anonymous,
    /// Nobody says who is calling, and it changes something.
    AnonymousChange,
    /// Miners do not call operators' methods.
    Miner,
    /// Only miners make this call, each for itself.
    NotMiner,
    /// No binding is for this subject.
    NoBinding,
    /// The subject has these roles, none of which has the permission.
    Roles(BTreeSet<Role>),
    /// The permission is there, for other miners only.
    Selector,
    /// The permission is there for some miners, but this is about all.
    NotAllMiners,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnknownMethod => "it is not in the table of permissions, so nobody may",
            Self::Anonymous => "nobody says who is calling; use a certificate, a token or the unix socket",
            Self::AnonymousChange => {
                "a change needs somebody who makes it; use a certificate, a token or the unix socket"
            }
            Self::Miner => "a miner's certificate is for calling home only; use one of an operator",
            Self::NotMiner => "only a miner with its own certificate calls this, for itself",
            Self::NoBinding => "no role is bound to it",
            Self::Roles(roles) => {
                let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
                return write!(f, "its roles ({}) do not permit that", names.join(", "));
            }
            Self::Selector => "its bindings with that permission select other miners",
            Self::NotAllMiners => "its bindings with that permission select some miners, and this is about all",
        };
        f.write_str(text)
    }
}

fn way_out(roles: &[Role]) -> String {
    match roles {
        [] => String::new(),
        roles => {
            let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
            format!("; ask an admin to bind one of the roles {}", names.join(", "))
        }
    }
}

/// Decides on one call. `labels` are those of the one miner that it is about, or of each miner in turn that it reaches;
/// `None` when it is about none, or about one that is not known: then selectors that ask for anything count as not matching.
///
/// # Errors
/// See [`Denied`].
pub fn decide(subject: &Subject, bindings: &[Binding], name: &str, labels: Option<&Labels>) -> Decision {
    let Some(row) = method(name) else {
        return Err(denied(subject, name, Refusal::UnknownMethod, &[]));
    };
    decide_row(subject, bindings, row, labels)
}

pub(super) fn decide_row(subject: &Subject, bindings: &[Binding], row: &Method, labels: Option<&Labels>) -> Decision {
    let refuse = |refusal| Err(denied(subject, row.name, refusal, row.needs.permissions()));
    let open = || Ok(Allowed { by: By::Open, permissions: BTreeSet::new() });
    match (row.needs, subject) {
        (Needs::Proof, _) => return open(),
        // The one rule that no binding and no other row may weaken.
        (_, Subject::Anonymous) if row.changes => return refuse(Refusal::AnonymousChange),
        (Needs::Nothing, _) | (Needs::Miner, Subject::Miner { .. }) => return open(),
        (_, Subject::Miner { .. }) => return Err(denied(subject, row.name, Refusal::Miner, &[])),
        (Needs::Miner, _) => return refuse(Refusal::NotMiner),
        _ if subject.is_owner() => {
            return Ok(Allowed::everything());
        }
        _ => {}
    }
    let lets_in = |binding: &&Binding| row.needs.permissions().iter().any(|one| binding.role.permits(*one));
    let theirs: Vec<_> = bindings.iter().filter(|binding| binding.subject.is_for(subject)).collect();
    let reaching: Vec<_> = theirs.iter().copied().filter(|binding| reaches(binding, row.about, labels)).collect();
    if let Some(binding) = reaching.iter().copied().find(lets_in) {
        let permissions = reaching.iter().flat_map(|binding| binding.role.permissions()).copied().collect();
        return Ok(Allowed { by: By::Binding(binding.id.clone()), permissions });
    }
    if theirs.iter().any(lets_in) {
        let all = row.about == About::Service;
        return refuse(if all { Refusal::NotAllMiners } else { Refusal::Selector });
    }
    match subject {
        Subject::Anonymous => refuse(Refusal::Anonymous),
        _ if theirs.is_empty() => refuse(Refusal::NoBinding),
        _ => refuse(Refusal::Roles(theirs.iter().map(|binding| binding.role).collect())),
    }
}

fn reaches(binding: &Binding, about: About, labels: Option<&Labels>) -> bool {
    match (about, labels) {
        (About::Service, _) | (About::OneMiner, None) => binding.selector.is_everything(),
        (About::Miners, None) => true,
        (About::OneMiner | About::Miners, Some(labels)) => binding.selector.matches(labels),
    }
}

fn denied(subject: &Subject, method: &str, refusal: Refusal, needs: &[Permission]) -> Denied {
    // What a caller calls its method is the caller's text.
    let method = mujina_core::text::sanitise(method, 120);
    Denied { subject: subject.person(), method, refusal, roles: Role::with_any_of(needs) }
}
