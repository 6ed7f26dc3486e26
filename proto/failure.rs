//! Failures on both ends of a call: what went wrong as a machine, a person and a field see it.
//!
//! Services make a [`Failure`] and answer with its `Status`; callers read it back. On the wire it is a `google.rpc.Status`
//! with `ErrorInfo` (reason, domain), `BadRequest` and `RetryInfo`.

use mujina_core::spec::{Problem, Problems};
use std::{collections::HashMap, fmt, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Domain of all our reasons.
pub const DOMAIN: &str = "mujina";

/// Why a call failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What kind of failure it is, as gRPC counts them.
    pub code: Code,
    /// UPPER_SNAKE_CASE, stable; empty when the peer gave none.
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
    /// Facts for machines.
    pub facts: HashMap<String, String>,
    /// Fields of the request that were refused.
    pub problems: Vec<Problem>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with its stable reason.
    pub fn new(code: Code, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            facts: HashMap::new(),
            problems: Vec::new(),
            retry_after: None,
        }
    }

    /// Bad input, all fields at once.
    #[must_use]
    pub fn invalid(problems: Problems) -> Self {
        let message = problems.to_string();
        Self { problems: problems.0, ..Self::new(Code::InvalidArgument, "INVALID_ARGUMENT", message) }
    }

    /// One bad field.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::invalid(Problems(vec![Problem { field: field.into(), reason: reason.into() }]))
    }

    /// Adds a fact for machines.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.facts.insert(key.into(), value.to_string());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::invalid(problems)
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let Failure { code, reason, message, facts, problems, retry_after } = failure;
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
        for Problem { field, reason } in problems {
            details.add_bad_request_violation(field, reason);
        }
        if retry_after.is_some() {
            details.set_retry_info(retry_after);
        }
        Self::with_error_details(code, message, details)
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let (reason, facts) =
            details.error_info().map(|info| (info.reason.clone(), info.metadata.clone())).unwrap_or_default();
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let problems =
            violations.iter().map(|one| Problem { field: one.field.clone(), reason: one.description.clone() });
        Self {
            code: status.code(),
            reason,
            message: status.message().into(),
            facts,
            problems: problems.collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_survives_the_wire() {
        let failure = Failure::invalid_field("spec.pools[0].url", "has no key; add one")
            .with("miner", "rig1")
            .retry_after(Duration::from_millis(1500));
        let status = Status::from(failure.clone());
        assert_eq!(Failure::from(&status), failure);
    }

    #[test]
    fn status_of_a_stranger_has_no_reason() {
        let failure = Failure::from(&Status::unavailable("gone"));
        assert_eq!((failure.code, failure.reason.as_str(), failure.message.as_str()), (Code::Unavailable, "", "gone"));
    }
}
