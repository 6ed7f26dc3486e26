//! Connections to pools, whatever they speak: what goes in, what comes out, and how failures are told apart.
//!
//! A connection is one task. It owns everything about its channel, takes shares from `scheduler`, and tells `source` what
//! happens in order. It lives exactly once: a reconnect is another connection with another id.

pub mod backoff;
pub mod connect;
mod flood;
#[cfg(test)]
pub(crate) mod fuzzing;
mod in_flight;
mod outlet;
mod phases;
pub mod probe;
mod queue;
mod rate;
pub mod sv1;
pub mod sv2;

use crate::job::{Job, JobHandle, extranonce::Extranonce};
use mujina_core::{
    id::{ConnectionId, ShareId},
    pool::{AuthorityKey, Host, PoolSpec},
    share::{DropReason, RejectReason},
    status::{PhaseName, PoolState},
    units::{Difficulty, HashRate},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Events a connection may be ahead of the source: more than a pool can send in the time of one dispatch.
pub const EVENT_QUEUE: usize = 256;
/// Shares that wait for the writer (stratum-client U9); what does not fit is suppressed and counted.
pub const SHARE_QUEUE: usize = 1024;

/// Everything a connection task is made of.
#[derive(Debug)]
pub struct ConnectionPlan {
    /// Its number.
    pub id: ConnectionId,
    /// Where to, as whom.
    pub pool: PoolSpec,
    /// Where to in place of the pool's own address, because the pool asked for it; the pool's key and TLS hold there too.
    pub target: Option<Target>,
    /// What the miner says of itself.
    pub identity: MinerIdentity,
    /// The rate to tell the pool: nominal at first, then measured. Absent or zero = not known yet; the channel is not opened before.
    pub hash_rate: watch::Receiver<Option<HashRate>>,
    /// Verified shares, in the order of their finding. When all senders are gone, no further share comes.
    pub shares: mpsc::Receiver<ShareSubmission>,
    /// Where events go, each with `id`. A connection that cannot deliver waits, and the pool with it.
    pub events: mpsc::Sender<(ConnectionId, ConnectionEvent)>,
    /// Ends the connection in order: no new shares, pending ones answered until the drain deadline, CloseChannel, FIN.
    pub close: CancellationToken,
    /// Ends it at once: what is pending is lost.
    pub abort: CancellationToken,
    /// The `pool.connect` span: phases are its children.
    pub span: tracing::Span,
}

/// A machine to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address or name.
    pub host: Host,
    /// TCP port.
    pub port: u16,
}

/// What the miner says of itself when it connects.
#[derive(Debug, Clone)]
pub struct MinerIdentity {
    /// Vendor, never empty.
    pub vendor: String,
    /// Hardware, for example `cpu`.
    pub hardware_version: String,
    /// Version of this program.
    pub firmware: String,
}

/// How long a connection that closes in order waits for verdicts.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// A share that passed every local check, on its way to the pool.
#[derive(Debug, Clone)]
pub struct ShareSubmission {
    /// Its number.
    pub id: ShareId,
    /// Handle of its job: the connection finds the pool's own id by it.
    pub job: JobHandle,
    /// Extranonce without the pool's prefix.
    pub extranonce: Extranonce,
    /// Unix seconds.
    pub ntime: u32,
    /// As in the header.
    pub nonce: u32,
    /// The full version that was hashed.
    pub version: u32,
    /// Whether it met the network target: kept first when something must be dropped.
    pub block: bool,
    /// Hash of its header, internal byte order.
    pub hash: [u8; 32],
    /// Its `share` span; dropped with the verdict.
    pub span: tracing::Span,
}

/// What a connection tells, in order. The last is always [`ConnectionEvent::Ended`], and by then every share that was
/// handed over has had `Sent` or `NotSent`, and every sent one a verdict.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// A phase of the bring-up (or of the end) is over.
    Phase {
        /// Which.
        name: PhaseName,
        /// How long it took.
        elapsed: Duration,
        /// Facts for a person.
        detail: String,
    },
    /// The channel is open.
    Opened {
        /// Bytes of extranonce that the miner fills, 1 to 32; never changes.
        extranonce_size: u8,
    },
    /// What is known of the connection changed.
    Facts(Box<ConnectionFacts>),
    /// A usable job: it replaces the one before, which stays valid for late shares if the tip is the same.
    Job(Arc<Job>),
    /// All jobs so far are void and there is no new one: stop hashing for this connection (stratum-client J7, G3).
    Cleared {
        /// Why, for a person.
        reason: String,
    },
    /// Handed to the writer of the socket.
    Sent {
        /// Which.
        share: ShareId,
    },
    /// Not handed to the writer.
    NotSent {
        /// Which.
        share: ShareId,
        /// Why.
        reason: DropReason,
    },
    /// The pool judged a sent share, or never will.
    Judged {
        /// Which.
        share: ShareId,
        /// How.
        verdict: Verdict,
        /// Since the hand-over to the writer.
        latency: Duration,
    },
    /// A share that was judged accepted is refused after all (stratum-client A2).
    Reclassified {
        /// Which.
        share: ShareId,
        /// Why it was refused.
        reason: RejectReason,
    },
    /// The connection is over.
    Ended {
        /// Why; `None` when it was asked to close.
        failure: Option<PoolFailure>,
        /// The peer asked to connect elsewhere: host and port of a `Reconnect`, empty and 0 for the same.
        redirect: Option<(String, u16)>,
    },
}

/// How a sent share ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The pool counted it.
    Accepted,
    /// The pool refused it.
    Rejected(RejectReason),
    /// No answer within ten minutes, or the connection ended.
    Lost,
}

/// What an operator may want to know of a connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionFacts {
    /// Address that was reached.
    pub peer_address: String,
    /// Whether the peer proved who it is: by a configured authority key, or by a certificate in TLS.
    pub authenticated: bool,
    /// The authority key that it proved: one of several that a pool may have.
    pub authority: Option<AuthorityKey>,
    /// End of the peer certificate's validity.
    pub certificate_not_after: Option<SystemTime>,
    /// Channel id.
    pub channel_id: Option<u32>,
    /// Group of the channel.
    pub group_channel_id: Option<u32>,
    /// Extranonce prefix of the channel, for the next job.
    pub extranonce_prefix: Vec<u8>,
    /// Bytes of extranonce that the miner fills.
    pub extranonce_size: u8,
    /// Difficulty of the newest share target.
    pub share_difficulty: Option<Difficulty>,
    /// Messages ignored because they are not known.
    pub unknown_messages: u64,
    /// Rate last told to the pool.
    pub told_hash_rate: HashRate,
    /// Work that the pool says it counted, in its own measure (`new_shares_sum`).
    pub shares_sum: u64,
}

/// Why a connection ended, with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PoolFailure {
    /// What an operator sees.
    pub kind: FailureKind,
    /// What happened and what to do, fit for logs and answers.
    pub message: String,
    /// The phase that failed; `None` after the first job.
    pub phase: Option<PhaseName>,
    /// What follows.
    pub recovery: Recovery,
}

impl PoolFailure {
    /// Puts an error and the chain of its causes into one line.
    fn new(error: &dyn std::error::Error, kind: FailureKind, recovery: Recovery, phase: Option<PhaseName>) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self { kind, message, phase, recovery }
    }
}

/// Kinds of failure that an operator must be able to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Not resolved or not reached in time.
    Unreachable,
    /// The peer does not hold the configured key, or its certificate is not to be trusted.
    Authentication,
    /// The certificate is not valid by this machine's clock.
    ClockSkew,
    /// The pool answered and refused the set-up, the channel, or gave one that cannot be used.
    Refused,
    /// The peer broke the protocol.
    Protocol,
    /// The peer was silent for too long.
    Mute,
    /// The peer closed or reset the connection.
    Vanished,
    /// The peer asked to connect again, here or elsewhere.
    Redirected,
    /// Aborted from our side.
    Aborted,
}

impl FailureKind {
    /// What the pool's state says while this is its newest failure.
    #[must_use]
    pub fn pool_state(self) -> PoolState {
        match self {
            Self::Authentication => PoolState::AuthenticationFailed,
            Self::ClockSkew => PoolState::ClockSkew,
            Self::Refused => PoolState::Refused,
            Self::Unreachable | Self::Protocol | Self::Mute | Self::Vanished | Self::Redirected | Self::Aborted => {
                PoolState::BackingOff
            }
        }
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Again after the usual backoff, 1 s to 60 s.
    Retry,
    /// Again after the slow backoff, 30 s to 300 s: trying sooner cannot help.
    Park,
    /// Not again by itself: only another configuration can help.
    Stop,
}
