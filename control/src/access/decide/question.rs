//! What somebody may do, asked before doing it: `mujinactl auth can-i`. Pure.

use super::{Decision, decide_row};
use crate::{
    access::{
        Permission,
        binding::Binding,
        methods::{About, METHODS, Method, Needs, method},
        subject::Subject,
    },
    selector::{Labels, Selector},
};
use std::str::FromStr;

/// What is asked: a permission (`pause`) or a call (`SpecService/ApplySpec`, `mujina.control.v1.SpecService/ApplySpec`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// May I do things that need this?
    Permission(Permission),
    /// May I make this call?
    Method(&'static Method),
}

/// Neither a permission nor a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// Nothing is called so.
    #[error(
        "`{text}` is neither a permission nor a call; permissions are {permissions}, calls are written as SpecService/ApplySpec"
    )]
    Unknown {
        /// What was asked, cut.
        text: String,
        /// What could have been.
        permissions: String,
    },
    /// More than one call is.
    #[error("several calls end in `{text}`; write one of {calls}")]
    Ambiguous {
        /// What was asked.
        text: String,
        /// What it could mean.
        calls: String,
    },
}

impl FromStr for Question {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        if let Ok(permission) = text.parse() {
            return Ok(Self::Permission(permission));
        }
        if let Some(method) = method(text) {
            return Ok(Self::Method(method));
        }
        let ends_so = |method: &&Method| method.name.strip_suffix(text).is_some_and(|rest| rest.ends_with(['.', '/']));
        let found: Vec<_> = METHODS.iter().filter(ends_so).collect();
        match found.as_slice() {
            [only] => Ok(Self::Method(only)),
            [] => Err(QuestionError::Unknown {
                text: text.chars().take(80).flat_map(char::escape_debug).collect(),
                permissions: Permission::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "),
            }),
            several => Err(QuestionError::Ambiguous {
                text: text.into(),
                calls: several.iter().map(|method| method.name).collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// Answers as the call itself would be: of one miner with these labels, or, without labels, of the control plane as a
/// whole.
///
/// # Errors
/// The same [`super::Denied`] that the call would meet.
pub fn can_i(subject: &Subject, bindings: &[Binding], question: Question, labels: Option<&Labels>) -> Decision {
    match question {
        Question::Method(method) => decide_row(subject, bindings, method, labels),
        Question::Permission(permission) => {
            let about = if labels.is_some() { About::OneMiner } else { About::Service };
            let changes = !matches!(permission, Permission::Read | Permission::ReadAccess | Permission::ReadAudit);
            let row = Method { name: permission.name(), needs: Needs::One(permission), changes, about };
            decide_row(subject, bindings, &row, labels)
        }
    }
}

/// All that somebody may do, and for which miners: one entry a permission, with a selector a binding that gives it.
#[must_use]
pub fn what_can(subject: &Subject, bindings: &[Binding]) -> Vec<(Permission, Vec<Selector>)> {
    if subject.is_owner() {
        return Permission::ALL.iter().map(|one| (*one, vec![Selector::default()])).collect();
    }
    let given = |permission: Permission| {
        let gives = |binding: &&Binding| binding.subject.is_for(subject) && binding.role.permits(permission);
        let selectors: Vec<_> = bindings.iter().filter(gives).map(|binding| binding.selector.clone()).collect();
        (permission, selectors)
    };
    Permission::ALL.iter().copied().map(given).filter(|(_, selectors)| !selectors.is_empty()).collect()
}
