//! Why a command failed: what is said to a person, what to a machine, and with which exit code the command ends.

mod render;

use crate::saved::SavedError;
use mujina_core::spec::Problem;
use mujina_proto::{
    dial::{DialError, refusal},
    failure::Failure,
};
pub(crate) use render::Report;
use std::{error::Error, io, path::PathBuf, time::Duration};
use tonic::{Code, Status};

/// Stable exit codes.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Failed.
    pub const FAILURE: u8 = 1;
    /// Wrong words, files or fields.
    pub const USAGE: u8 = 2;
    /// Some of several miners or documents failed.
    pub const PARTIAL: u8 = 3;
    /// Not allowed.
    pub const AUTH: u8 = 4;
    /// The service or the miner is not reached.
    pub const UNREACHABLE: u8 = 5;
    /// Not done in time.
    pub const DEADLINE: u8 = 6;
    /// The state of things does not permit it.
    pub const PRECONDITION: u8 = 7;
    /// There is no such thing.
    pub const NOT_FOUND: u8 = 8;
    /// A rollout ended, or stands still, otherwise than by success.
    pub const ROLLOUT: u8 = 9;
    /// Ended by Ctrl-C, as shells count it.
    pub const INTERRUPTED: u8 = 130;
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments that do not fit together or the service.
    #[error("{0}")]
    Usage(String),
    /// Fields of a file that are wrong.
    #[error("cannot {doing}: {} refused", fields(.problems.len()))]
    Fields {
        /// Verb phrase.
        doing: String,
        /// What is wrong with each.
        problems: Vec<Problem>,
    },
    /// A service refused or failed.
    #[error("cannot {doing}: {}", headline(.failure))]
    Call {
        /// Verb phrase.
        doing: String,
        /// What it said.
        failure: Box<Failure>,
    },
    /// The service is not reached.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// A context cannot be used or kept.
    #[error(transparent)]
    Saved(Box<SavedError>),
    /// Several miners would change, and nobody can be asked.
    #[error("{0}; nobody can be asked here")]
    Unasked(String),
    /// A person was asked and said no.
    #[error("nothing was changed: the question was not answered with yes")]
    Declined,
    /// A rollout did not succeed.
    #[error("the rollout {id} {state}: {reason}")]
    Rollout {
        /// Which.
        id: String,
        /// `was rolled back`, `was aborted` or `is paused`.
        state: &'static str,
        /// Why.
        reason: String,
    },
    /// Records of the audit log are not what they were.
    #[error("the audit log is not intact: {0}")]
    Audit(String),
    /// What was asked for is not allowed.
    #[error("no: {0}")]
    NotAllowed(String),
    /// No address was given and nobody listens in the default places.
    #[error("no service answers on {control} or {miner}", control = .0[0].display(), miner = .0[1].display())]
    NoService([PathBuf; 2]),
    /// A stream ended before it had said all.
    #[error("cannot {doing}: the service ended the stream; it may be shutting down")]
    Ended {
        /// Verb phrase.
        doing: String,
    },
    /// The command was not done in time.
    #[error("not done within {0:?}")]
    Deadline(Duration),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Some or all of several miners failed.
    #[error("{} of {of} miners failed", .failed.len())]
    Miners {
        /// Which, and why.
        failed: Vec<Problem>,
        /// How many there were.
        of: usize,
    },
    /// Some of several documents were stored, then one was not.
    #[error("{error}; {}", around(.stored, .untried))]
    Partly {
        /// Those before it.
        stored: Vec<String>,
        /// Those after it, which were not sent.
        untried: Vec<String>,
        /// Why it was not.
        error: Box<CliError>,
    },
    /// A pool that was tested cannot be mined on.
    #[error("the pool cannot be mined on: {0}")]
    PoolUnusable(String),
    /// A board that was tested is not as it should be.
    #[error("the board did not pass: {0}")]
    BoardFailed(String),
    /// The state of things does not permit it.
    #[error("{0}")]
    Precondition(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A file that cannot be read.
    #[error("cannot read {path}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

impl CliError {
    /// What a service said, when it is that.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Call { failure, .. } => Some(failure),
            Self::Partly { error, .. } => error.failure(),
            _ => None,
        }
    }

    /// For `map_err`: the failure of a call that was to do `doing`.
    pub(crate) fn call(doing: impl Into<String>) -> impl FnOnce(Status) -> Self {
        |status| Self::Call { doing: doing.into(), failure: Box::new(read(&status)) }
    }

    /// An answer that cannot be shown.
    pub(crate) fn garbled(what: &str) -> Self {
        let failure =
            Failure::new(Code::DataLoss, "GARBLED_ANSWER", format!("the service sent what it may not: {what}"));
        Self::Call { doing: "show the answer".into(), failure: Box::new(failure) }
    }

    /// The machine-readable reason that the service gave.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.failure().map(|failure| failure.reason.as_str()).filter(|reason| !reason.is_empty())
    }

    /// With which code the command ends.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Fields { .. } | Self::File(..) => exit::USAGE,
            Self::Unasked(_) => exit::USAGE,
            Self::Saved(error) => match **error {
                SavedError::Unknown { .. } => exit::NOT_FOUND,
                _ => exit::USAGE,
            },
            Self::Declined | Self::Audit(_) => exit::FAILURE,
            Self::NotAllowed(_) => exit::AUTH,
            Self::Rollout { .. } => exit::ROLLOUT,
            Self::Call { failure, .. } => exit_of(failure.code),
            Self::Dial(DialError::Tls(_, error)) if error.refusal().is_some() => exit::AUTH,
            Self::Dial(DialError::NoTrust(_)) => exit::USAGE,
            Self::Dial(DialError::Unknown(_) | DialError::Tls(..)) => exit::UNREACHABLE,
            Self::Dial(DialError::Forbidden(_)) => exit::AUTH,
            Self::Dial(DialError::Late(..)) | Self::Deadline(_) => exit::DEADLINE,
            Self::Dial(DialError::PathTooLong(_)) => exit::USAGE,
            Self::Dial(DialError::Nobody(_) | DialError::Transport(..)) => exit::UNREACHABLE,
            Self::NoService(_) | Self::Ended { .. } => exit::UNREACHABLE,
            Self::Interrupted => exit::INTERRUPTED,
            Self::Miners { failed, of } if failed.len() < *of => exit::PARTIAL,
            Self::Miners { .. } | Self::PoolUnusable(_) | Self::BoardFailed(_) => exit::FAILURE,
            // Whatever the failure was, codes that say that nothing was changed would not be true.
            Self::Partly { .. } => exit::PARTIAL,
            Self::Precondition(_) => exit::PRECONDITION,
            Self::NotFound(_) => exit::NOT_FOUND,
            // The reader of a watch or of an export has seen what it wanted. No other command ends with it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
            Self::Output(_) => exit::FAILURE,
        }
    }

    /// Whether the service went away, and may come back.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.exit_code() == exit::UNREACHABLE
    }

    /// Whether the service may still be doing what it was asked for: we stopped listening, it did not say that it failed.
    pub(crate) fn is_ours(&self) -> bool {
        match self {
            Self::Deadline(_) | Self::Interrupted | Self::Ended { .. } | Self::Output(_) => true,
            Self::Call { failure, .. } => matches!(failure.code, Code::Unavailable | Code::DeadlineExceeded),
            Self::Partly { error, .. } => error.is_ours(),
            _ => false,
        }
    }

    /// What to do, where the message does not say it yet.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Call { failure, .. } => hint_of(failure),
            Self::Fields { .. } => Some("nothing was changed; correct the fields and try again"),
            Self::Unasked(_) => Some("nothing was changed; look at the plan, then give --yes"),
            Self::Audit(_) => Some("keep the database as it is, and compare with what `audit export` wrote earlier"),
            Self::NoService(_) => {
                Some("start mujina-control or mujina-dataplane, or name the service with --address or MUJINA_ADDRESS")
            }
            Self::Ended { .. } => Some("see `mujinactl status` for what became of it"),
            Self::Deadline(_) => Some("give more time with --timeout, or see `mujinactl status` for what holds it up"),
            Self::Miners { failed, of } if failed.len() < *of => {
                Some("the others were done; correct the cause and repeat the command with --miner")
            }
            Self::Partly { .. } => {
                Some("correct the cause and apply all of it again: what is stored already does not change by that")
            }
            Self::PoolUnusable(_) => Some("nothing was changed; correct the cause, or give another URL or --user"),
            Self::BoardFailed(_) => Some("see `mujinactl board get` for its readings and faults"),
            Self::File(..) => Some("check the path and its permissions"),
            _ => None,
        }
    }
}

/// What a status says, a lost connection being what it is and not an unknown error.
fn read(status: &Status) -> Failure {
    let failure = Failure::from(status);
    if let Some(refused @ DialError::Tls(..)) = refusal(status) {
        let cause = refused.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        return Failure { code: Code::Unauthenticated, message: format!("{refused}{cause}"), ..failure };
    }
    // A status that a service sent has no source; one that our side made of a broken connection has.
    let broken = status.source().is_some() && matches!(status.code(), Code::Unknown | Code::Internal | Code::Cancelled);
    if broken {
        Failure { code: Code::Unavailable, message: "the connection to the service broke".into(), ..failure }
    } else {
        failure
    }
}

/// The code of a status, a lost connection being UNAVAILABLE.
pub(crate) fn code_of(status: &Status) -> Code {
    read(status).code
}

/// The exit code of each gRPC code.
pub(crate) fn exit_of(code: Code) -> u8 {
    match code {
        Code::Ok => exit::OK,
        Code::InvalidArgument => exit::USAGE,
        Code::Unauthenticated | Code::PermissionDenied => exit::AUTH,
        Code::Unavailable => exit::UNREACHABLE,
        Code::DeadlineExceeded => exit::DEADLINE,
        Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists | Code::OutOfRange => exit::PRECONDITION,
        Code::NotFound => exit::NOT_FOUND,
        Code::Cancelled
        | Code::Unknown
        | Code::ResourceExhausted
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => exit::FAILURE,
    }
}

fn hint_of(failure: &Failure) -> Option<&'static str> {
    match failure.code {
        Code::InvalidArgument => Some("nothing was changed; correct the fields and try again"),
        Code::Unauthenticated => {
            Some("run the command as the user of the service, or choose another context with --context")
        }
        Code::PermissionDenied => Some("`mujinactl auth whoami` says what you may do"),
        Code::Unavailable => Some("see `mujinactl status` and the log of the service"),
        Code::DeadlineExceeded => Some("give more time with --timeout"),
        Code::Aborted => Some("somebody else changed it at the same time; look at it and repeat the command"),
        Code::Unimplemented => {
            Some("the service is older than this command line, or of another kind; see `mujinactl version`")
        }
        Code::Internal | Code::DataLoss | Code::Unknown => Some("see the log of the service"),
        // Of statistics.
        Code::ResourceExhausted if failure.reason == "TOO_LONG" => {
            Some("read less at once: give a shorter time with --since")
        }
        Code::Ok
        | Code::Cancelled
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange => None,
    }
}

/// The message, or how many fields were refused where each has a line of its own.
fn headline(failure: &Failure) -> String {
    if !failure.problems.is_empty() {
        format!("{} refused", fields(failure.problems.len()))
    } else if failure.message.is_empty() {
        failure.code.description().to_lowercase()
    } else {
        failure.message.clone()
    }
}

/// What was stored before a document that was not, and what was left out after it.
fn around(stored: &[String], untried: &[String]) -> String {
    let before = format!("stored before it: {}", stored.join(", "));
    if untried.is_empty() { before } else { format!("{before}; not tried: {}", untried.join(", ")) }
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field is".into() } else { format!("{count} fields are") }
}

#[cfg(test)]
mod tests;
