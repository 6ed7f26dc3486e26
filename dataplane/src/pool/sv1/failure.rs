//! Why a connection ended, and what follows from it.

use super::{message::Malformed, refusal::Refusal, tls::TlsError, transport::TransportError};
use crate::pool::{FailureKind, PoolFailure, Recovery, connect::ConnectError};
use mujina_core::status::PhaseName;
use std::time::Duration;

/// Everything that ends a connection, but for being asked to close.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the pool's URL is not one of Stratum V1; write stratum+tcp://host:port or stratum+ssl://host:port")]
    NotV1,
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the pool broke the protocol: {0}; the connection is given up")]
    Malformed(#[from] Malformed),
    #[error("the pool sent {0} lines that are no messages; check that the port speaks Stratum V1")]
    Garbage(u32),
    #[error("the pool did not answer mining.subscribe within {0:?}; check that the port speaks Stratum V1")]
    Mute(Duration),
    #[error("the connection was not up within {0:?}; check the network")]
    BringUp(Duration),
    #[error("the pool refused the subscription: {0}; ask its operator")]
    SubscribeRefused(Refusal),
    #[error("the pool refused the user: {0}; check user and password with the pool")]
    Unauthorized(Refusal),
    #[error("the pool has forgotten the subscription; the connection is made again")]
    NotSubscribed,
    #[error("the pool granted a subscription that cannot be used: {why}; ask its operator")]
    Unusable { why: String },
    #[error("the pool broke the protocol: {what}; the connection is given up")]
    Violation { what: String },
    #[error("the pool gave no usable job within {0:?}; ask its operator")]
    NoFirstJob(Duration),
    #[error("the pool sent no new job for {0:?}; the connection is made again")]
    NoNewJob(Duration),
    #[error("the pool sent {0} jobs in a row that cannot be hashed; check this machine's clock, and ask its operator")]
    UnusableJobs(u32),
    #[error("the pool was silent for {0:?}; check the network")]
    Silent(Duration),
    #[error("the pool asks to connect to {host}:{port}; the connection is made again", host = if host.is_empty() { "the same host" } else { host.as_str() })]
    Redirected { host: String, port: u16 },
    #[error("the connection was cut on our side; its pending shares are lost")]
    Aborted,
}

impl Failure {
    /// What an operator sees.
    fn kind(&self) -> FailureKind {
        match self {
            Self::Connect(_) => FailureKind::Unreachable,
            Self::Tls(error) => match error {
                TlsError::Mute(_) => FailureKind::Mute,
                TlsError::Closed(_) => FailureKind::Vanished,
                TlsError::NotTls | TlsError::NoAgreement(_) => FailureKind::Protocol,
                TlsError::ClockSkew(_) => FailureKind::ClockSkew,
                TlsError::NotPinned(_) | TlsError::NotTrusted(_) => FailureKind::Authentication,
            },
            Self::Transport(error) => match error {
                TransportError::Closed | TransportError::Io(_) => FailureKind::Vanished,
                TransportError::SpeaksTls | TransportError::TooLong(_) | TransportError::Flood(_) => {
                    FailureKind::Protocol
                }
                TransportError::Slow(_) | TransportError::WriteBlocked(_) => FailureKind::Mute,
            },
            Self::Malformed(_) | Self::Garbage(_) | Self::Violation { .. } | Self::UnusableJobs(_) => {
                FailureKind::Protocol
            }
            Self::Mute(_) | Self::BringUp(_) | Self::NoFirstJob(_) | Self::NoNewJob(_) | Self::Silent(_) => {
                FailureKind::Mute
            }
            Self::NotV1 | Self::SubscribeRefused(_) | Self::Unauthorized(_) | Self::Unusable { .. } => {
                FailureKind::Refused
            }
            Self::NotSubscribed => FailureKind::Vanished,
            Self::Redirected { .. } => FailureKind::Redirected,
            Self::Aborted => FailureKind::Aborted,
        }
    }

    /// What to do next. By state, never by the text of a peer.
    fn recovery(&self) -> Recovery {
        match self {
            Self::NotV1 => Recovery::Stop,
            Self::Tls(TlsError::ClockSkew(_) | TlsError::NotPinned(_) | TlsError::NotTrusted(_))
            | Self::Transport(TransportError::SpeaksTls)
            | Self::SubscribeRefused(_)
            | Self::Unauthorized(_)
            | Self::Unusable { .. } => Recovery::Park,
            Self::Tls(TlsError::Mute(_) | TlsError::Closed(_) | TlsError::NotTls | TlsError::NoAgreement(_))
            | Self::Connect(_)
            | Self::Transport(_)
            | Self::Malformed(_)
            | Self::Garbage(_)
            | Self::Violation { .. }
            | Self::Mute(_)
            | Self::BringUp(_)
            | Self::NotSubscribed
            | Self::NoFirstJob(_)
            | Self::NoNewJob(_)
            | Self::UnusableJobs(_)
            | Self::Silent(_)
            | Self::Redirected { .. }
            | Self::Aborted => Recovery::Retry,
        }
    }

    /// As the source sees it.
    pub(super) fn report(&self, phase: Option<PhaseName>) -> PoolFailure {
        PoolFailure::new(self, self.kind(), self.recovery(), phase)
    }
}
