//! Who makes a call, and what it may: in the extensions of every request that was let in, and handed on to whatever is
//! changed, which writes it down.

use super::{
    About, Allowed, Binding, Decision, Denied, Method, Permission, Subject, can_i, decide::Question, decide::decide_row,
};
use crate::{
    audit::{Entry, Outcome},
    selector::Labels,
    trace::TraceParent,
};
use mujina_proto::failure::Failure;
use serde_json::Value;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tonic::{Code, Request};

/// Who makes a call. Cheap to clone; clones are one call.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Call>);

#[derive(Debug)]
struct Call {
    who: Who,
    origin: String,
    method: String,
    is_recorded: AtomicBool,
}

#[derive(Debug)]
enum Who {
    /// Somebody at the other end of a connection, with the bindings of the moment.
    Peer { subject: Subject, row: &'static Method, bindings: Arc<[Binding]> },
    /// The control plane, by a rule or for a person who was asked before.
    Itself(String),
}

impl Caller {
    /// Somebody at the other end of a connection. `origin` is an address, or `unix`.
    #[must_use]
    pub fn new(subject: Subject, origin: String, row: &'static Method, bindings: Arc<[Binding]>) -> Self {
        let method = row.name.into();
        Self(Arc::new(Call {
            who: Who::Peer { subject, row, bindings },
            origin,
            method,
            is_recorded: AtomicBool::new(false),
        }))
    }

    /// The control plane itself, which may do everything: `what` it does, for whom, by which rule.
    #[must_use]
    pub fn itself(who: impl fmt::Display, what: &str) -> Self {
        let who = Who::Itself(who.to_string());
        Self(Arc::new(Call { who, origin: "itself".into(), method: what.into(), is_recorded: AtomicBool::new(false) }))
    }

    /// Who makes this call.
    ///
    /// # Errors
    /// The request did not come through the listeners.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Failure> {
        let found = request.extensions().get::<Self>().cloned();
        found.ok_or_else(Self::none)
    }

    /// A request that did not come through the listeners.
    pub(crate) fn none() -> Failure {
        Failure::new(Code::Internal, "NO_CALLER", "nobody found out who calls; please report this")
    }

    /// The person behind it, for what is kept.
    #[must_use]
    pub fn person(&self) -> String {
        match &self.0.who {
            Who::Peer { subject, .. } => subject.person(),
            Who::Itself(who) => who.clone(),
        }
    }

    /// What the connection proved; `None` = this control plane itself.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        match &self.0.who {
            Who::Peer { subject, .. } => Some(subject),
            Who::Itself(_) => None,
        }
    }

    /// The bindings that counted when it called.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        match &self.0.who {
            Who::Peer { bindings, .. } => bindings,
            Who::Itself(_) => &[],
        }
    }

    /// The same caller with other bindings, to decide again.
    pub(crate) fn with_bindings(&self, bindings: Arc<[Binding]>) -> Self {
        let Call { who, origin, method, is_recorded } = &*self.0;
        let who = match who {
            Who::Peer { subject, row, bindings: _ } => Who::Peer { subject: subject.clone(), row, bindings },
            Who::Itself(who) => Who::Itself(who.clone()),
        };
        let is_recorded = AtomicBool::new(is_recorded.load(Ordering::Relaxed));
        Self(Arc::new(Call { who, origin: origin.clone(), method: method.clone(), is_recorded }))
    }

    /// Where the call came from: an address, or `unix`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The call, as the table names it.
    pub(crate) fn method(&self) -> &str {
        &self.0.method
    }

    /// Whether this call may be made about a miner with these labels.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn decide(&self, labels: Option<&Labels>) -> Decision {
        match &self.0.who {
            Who::Peer { subject, row, bindings } => decide_row(subject, bindings, row, labels),
            Who::Itself(_) => Ok(Allowed::everything()),
        }
    }

    /// Whether this call may be made at all, about some miner or other: which, only its content says.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn decide_for_some(&self) -> Decision {
        match &self.0.who {
            Who::Peer { subject, row, bindings } => {
                decide_row(subject, bindings, &Method { about: About::Miners, ..**row }, None)
            }
            Who::Itself(_) => Ok(Allowed::everything()),
        }
    }

    /// Whether this call may tell of a miner with these labels.
    #[must_use]
    pub fn sees(&self, labels: &Labels) -> bool {
        self.decide(Some(labels)).is_ok()
    }

    /// Whether it may do what needs `permission` to a miner with these labels; without labels, to the control plane itself.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn may(&self, permission: Permission, labels: Option<&Labels>) -> Result<(), Denied> {
        match &self.0.who {
            Who::Peer { subject, bindings, .. } => {
                can_i(subject, bindings, Question::Permission(permission), labels).map(|_| ())
            }
            Who::Itself(_) => Ok(()),
        }
    }

    /// The record of what this call did, to be appended in the transaction that does it. Nobody else records the call then.
    /// `target` is a miner, a selector, the id of a thing; empty = the control plane.
    #[must_use]
    pub fn record(&self, target: impl fmt::Display, diff: Value) -> Entry {
        self.0.is_recorded.store(true, Ordering::Relaxed);
        self.entry(Outcome::Done).target(target).diff(diff)
    }

    /// This call only checks, and changes nothing: there is nothing to record of it but a failure.
    pub fn only_checks(&self) {
        self.0.is_recorded.store(true, Ordering::Relaxed);
    }

    /// Whether what the call did was recorded.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.0.is_recorded.load(Ordering::Relaxed)
    }

    /// The begin of a record.
    pub(crate) fn entry(&self, outcome: Outcome) -> Entry {
        let Call { who, origin, method, is_recorded: _ } = &*self.0;
        let trace_id = TraceParent::current().trace_id();
        match who {
            Who::Peer { subject, .. } => Entry::new(subject, origin, method, outcome).trace(&trace_id),
            Who::Itself(who) => Entry::new(who, origin, method, outcome).trace(&trace_id),
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        let (code, reason) = if denied.is_unauthenticated() {
            (Code::Unauthenticated, "UNAUTHENTICATED")
        } else {
            (Code::PermissionDenied, "PERMISSION_DENIED")
        };
        Self::new(code, reason, denied.to_string())
    }
}
