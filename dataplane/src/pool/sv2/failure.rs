//! Why a connection ended, and what follows from it.

use super::{
    handshake::HandshakeError,
    message::{Malformed, Unsendable},
    transport::TransportError,
};
use crate::pool::{FailureKind, PoolFailure, Recovery, connect::ConnectError};
use mujina_core::status::PhaseName;
use std::time::Duration;

/// Everything that ends a connection, but for being asked to close.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the pool's URL is not one of Stratum V2; write stratum2+tcp://host:port/KEY")]
    NotV2,
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    #[error("the pool did not answer {step} within {deadline:?}; check that it speaks the mining protocol")]
    Mute { step: &'static str, deadline: Duration },
    #[error("the connection was not up within {0:?}; check the network")]
    BringUp(Duration),
    #[error("the pool refused the connection: `{code}` (flags 0x{flags:08x}); ask its operator")]
    SetupRefused { code: String, flags: u32, asked: u32 },
    #[error("the pool chose protocol version {0}, which was not offered; ask its operator")]
    Version(u16),
    #[error("the pool refused the channel: `{code}`; check the user name with the pool")]
    OpenRefused { code: String },
    #[error("the pool granted a channel that cannot be used: {why}; ask its operator")]
    Unusable { why: String },
    #[error("the pool broke the protocol: {what}; the connection is given up")]
    Violation { what: String },
    #[error("no hash rate is known after {0:?}, so no channel was opened; start a hash thread or set a nominal rate")]
    NoHashRate(Duration),
    #[error("the pool gave no usable job within {0:?}; ask its operator")]
    NoFirstJob(Duration),
    #[error("the pool named a job for its new tip that it never sent; the connection is made again")]
    NoJobForTip,
    #[error("the pool sent no new job for {0:?}; the connection is made again")]
    NoNewJob(Duration),
    #[error(
        "the pool knows no job of {0} shares in a row, so both sides hold different jobs; the connection is made again"
    )]
    UnknownJobs(u32),
    #[error(
        "the pool announced more than {0} blocks in a minute, as no chain has them; check that it is the right pool"
    )]
    TipFlood(usize),
    #[error("the pool's jobs are hours ahead of this machine's clock; check the clock of both")]
    FutureJobs,
    #[error("for {0:?} the pool forbade to roll versions, without which this hardware idles; use another pool")]
    FixedVersion(Duration),
    #[error("the pool did not answer a request for extensions; the connection is made again")]
    ExtensionsIgnored,
    #[error("the pool insists on extension 0x{extension:04x}, which this miner does not have; use another pool")]
    ExtensionRequired { extension: u16 },
    #[error(
        "this machine's clock stands before {earliest} (Unix seconds), when this program was not yet written; set the clock, or allow `pool_limits.allow_unsynced_clock`"
    )]
    NoPlausibleClock { earliest: u32 },
    #[error("the pool asked to connect to an address of this machine or link; that is not done")]
    NearRedirect,
    #[error("the pool was silent for {0:?}; check the network")]
    Silent(Duration),
    #[error("the pool closed the channel: `{reason}`; the connection is made again")]
    ChannelClosed { reason: String },
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
            Self::Handshake(error) => match error {
                HandshakeError::Mute(_) => FailureKind::Mute,
                HandshakeError::Closed(_) => FailureKind::Vanished,
                HandshakeError::Garbled => FailureKind::Protocol,
                HandshakeError::WrongKey | HandshakeError::CertificateVersion(_) | HandshakeError::BadKey => {
                    FailureKind::Authentication
                }
                HandshakeError::ClockSkew { .. } => FailureKind::ClockSkew,
            },
            Self::Transport(error) => match error {
                TransportError::Closed | TransportError::Io(_) => FailureKind::Vanished,
                TransportError::Garbled | TransportError::TooLarge(_) | TransportError::Flood(_) => {
                    FailureKind::Protocol
                }
                TransportError::Slow(_) | TransportError::WriteBlocked(_) => FailureKind::Mute,
            },
            Self::Malformed(_)
            | Self::Violation { .. }
            | Self::UnknownJobs(_)
            | Self::TipFlood(_)
            | Self::FutureJobs
            | Self::NearRedirect => FailureKind::Protocol,
            Self::NoPlausibleClock { .. } => FailureKind::ClockSkew,
            Self::Mute { .. }
            | Self::BringUp(_)
            | Self::NoFirstJob(_)
            | Self::NoJobForTip
            | Self::NoNewJob(_)
            | Self::ExtensionsIgnored
            | Self::Silent(_) => FailureKind::Mute,
            Self::SetupRefused { .. }
            | Self::Version(_)
            | Self::OpenRefused { .. }
            | Self::Unusable { .. }
            | Self::FixedVersion(_)
            | Self::ExtensionRequired { .. }
            | Self::Unsendable(_)
            | Self::NotV2 => FailureKind::Refused,
            Self::ChannelClosed { .. } => FailureKind::Vanished,
            Self::Redirected { .. } => FailureKind::Redirected,
            Self::NoHashRate(_) | Self::Aborted => FailureKind::Aborted,
        }
    }

    /// What to do next. By state, never by the text of a peer (stratum-client S6).
    fn recovery(&self) -> Recovery {
        match self {
            Self::Unsendable(_) | Self::NotV2 => Recovery::Stop,
            // The next connection does without what was refused (S5).
            Self::SetupRefused { flags, asked, .. } if flags & asked != 0 => Recovery::Retry,
            Self::Handshake(
                HandshakeError::WrongKey
                | HandshakeError::CertificateVersion(_)
                | HandshakeError::BadKey
                | HandshakeError::ClockSkew { .. },
            )
            | Self::SetupRefused { .. }
            | Self::Version(_)
            | Self::OpenRefused { .. }
            | Self::Unusable { .. }
            | Self::TipFlood(_)
            | Self::FutureJobs
            | Self::FixedVersion(_)
            | Self::ExtensionRequired { .. }
            | Self::NoPlausibleClock { .. } => Recovery::Park,
            Self::Handshake(HandshakeError::Mute(_) | HandshakeError::Closed(_) | HandshakeError::Garbled)
            | Self::Connect(_)
            | Self::Transport(_)
            | Self::Malformed(_)
            | Self::Violation { .. }
            | Self::Mute { .. }
            | Self::BringUp(_)
            | Self::NoHashRate(_)
            | Self::NoFirstJob(_)
            | Self::NoJobForTip
            | Self::NoNewJob(_)
            | Self::Silent(_)
            | Self::UnknownJobs(_)
            | Self::ExtensionsIgnored
            | Self::NearRedirect
            | Self::ChannelClosed { .. }
            | Self::Redirected { .. }
            | Self::Aborted => Recovery::Retry,
        }
    }

    /// As the source sees it.
    pub(super) fn report(&self, phase: Option<PhaseName>) -> PoolFailure {
        PoolFailure::new(self, self.kind(), self.recovery(), phase)
    }
}
