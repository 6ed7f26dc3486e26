//! Why a miner was not enrolled, and what to do about it.

use super::{HomeError, LinkError, UrlError};
use mujina_core::{
    id::{MinerName, NameError},
    text::{PEER_TEXT_BYTES, sanitise},
    units::duration,
};
use mujina_proto::{
    failure::Failure,
    tls::{Fingerprint, Refusal, TlsError, TokenError},
};
use std::{io, time::Duration};

/// Why a miner was not enrolled. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The address.
    #[error("the URL {0}")]
    Url(#[from] UrlError),
    /// The text of the token.
    #[error("the token {0}")]
    TokenText(#[from] TokenError),
    /// The name.
    #[error("the name {0}")]
    Name(#[from] NameError),
    /// Neither a configured name nor that of the machine can be used.
    #[error("this machine has no name that a fleet can use; choose one with `--name`")]
    Nameless,
    /// There is an enrolment.
    #[error(
        "this miner is enrolled as `{name}` at {url}; use `--force` to enrol it anew, or `mujina-dataplane leave` first"
    )]
    Enrolled {
        /// Its name there.
        name: MinerName,
        /// Where.
        url: super::HomeUrl,
    },
    /// The state folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Keys and certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The control plane is not there.
    #[error(transparent)]
    Link(LinkError),
    /// It is another than the one that made the token.
    #[error(
        "whoever answers at {url} is not the control plane that made this token (it would show the authority {expected}); \
         check the URL: if it is right, somebody is in between"
    )]
    OtherAuthority {
        /// Where.
        url: super::HomeUrl,
        /// What the token says.
        expected: Fingerprint,
    },
    /// The token is unknown, expired, revoked or used up.
    #[error("the control plane does not take the token: {0}")]
    TokenRefused(String),
    /// Another miner has the name.
    #[error("the name is taken: {0} (`--name` chooses another)")]
    NameTaken(String),
    /// Too many wrong tokens, or very many right ones at once.
    #[error("the control plane has seen too many attempts to enrol from here; try again in {}", duration::human(*.0))]
    TooManyAttempts(Duration),
    /// A person said no.
    #[error("the control plane refuses this miner: {0}")]
    Refused(String),
    /// Nobody has said anything yet.
    #[error(
        "nobody has approved this miner within {}; run the same command again to go on waiting with the same key",
        duration::human(*.0)
    )]
    StillPending(Duration),
    /// Another answer than expected.
    #[error("the control plane answered: {0}")]
    Failed(String),
    /// A certificate for somebody else.
    #[error(
        "the control plane sent a certificate for {0}; its version may not fit, and the enrolment should be revoked"
    )]
    OtherHolder(String),
    /// The system.
    #[error("cannot write the state folder in the background; check the limits of the process")]
    Background(#[source] io::Error),
}

/// Longest time that a control plane is believed to want us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// What is told when it does not say.
const USUAL_WAIT: Duration = Duration::from_secs(60);

impl EnrolError {
    /// What a failed call means.
    pub(super) fn of_call(failure: &Failure) -> Self {
        let said = sanitise(&failure.message, PEER_TEXT_BYTES);
        match failure.reason.as_str() {
            "TOKEN_UNKNOWN" | "TOKEN_OVER" => Self::TokenRefused(said),
            "NAME_TAKEN" => Self::NameTaken(said),
            "TOO_MANY_ATTEMPTS" => Self::TooManyAttempts(failure.retry_after.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT)),
            "ENROLMENT_REFUSED" | "CERTIFICATE_REVOKED" | "CERTIFICATE_EXPIRED" => Self::Refused(said),
            _ => Self::Failed(said),
        }
    }

    /// What a failed connection means to somebody who expects this authority.
    pub(super) fn of_link(error: LinkError, expected: Fingerprint) -> Self {
        match error {
            LinkError::Tls(url, ref cause) if cause.refusal() == Some(Refusal::Authority) => {
                Self::OtherAuthority { url, expected }
            }
            other => Self::Link(other),
        }
    }

    /// Whether the key that asked is of no use any more.
    pub(super) fn spends_key(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::TokenRefused(_) | Self::OtherHolder(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn of(reason: &str) -> EnrolError {
        EnrolError::of_call(&Failure::new(Code::PermissionDenied, reason, "because\u{1b}[31m of it"))
    }

    #[test]
    fn refusals_of_the_control_plane_are_told_apart_and_cleaned() {
        assert!(matches!(of("TOKEN_OVER"), EnrolError::TokenRefused(said) if said == "because of it"));
        assert!(matches!(of("TOKEN_UNKNOWN"), EnrolError::TokenRefused(_)));
        assert!(matches!(of("NAME_TAKEN"), EnrolError::NameTaken(_)));
        assert!(matches!(of("ENROLMENT_REFUSED"), EnrolError::Refused(_)));
        assert!(matches!(of("SOMETHING_NEW"), EnrolError::Failed(_)));
        let late = Failure::new(Code::ResourceExhausted, "TOO_MANY_ATTEMPTS", "").retry_after(Duration::MAX);
        assert!(matches!(EnrolError::of_call(&late), EnrolError::TooManyAttempts(wait) if wait == LONGEST_WAIT));
    }

    #[test]
    fn key_is_kept_for_another_try_unless_somebody_said_no_to_it() {
        assert!(of("ENROLMENT_REFUSED").spends_key() && of("TOKEN_OVER").spends_key());
        assert!(!of("NAME_TAKEN").spends_key() && !of("TOO_MANY_ATTEMPTS").spends_key());
        assert!(!EnrolError::StillPending(Duration::ZERO).spends_key());
    }
}
