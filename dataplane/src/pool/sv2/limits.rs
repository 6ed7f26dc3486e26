//! Every deadline and bound of an SV2 connection in one place.
//!
//! Source: stratum-client 2.2 and 6.6. All of them are engineering choices; tests make them smaller.

use mujina_core::units::ShareTarget;
use std::time::Duration;

/// Deadlines and bounds of one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// For the resolver.
    pub dns: Duration,
    /// For each address.
    pub tcp: Duration,
    /// For the second act of the Noise handshake.
    pub noise: Duration,
    /// For the answer to SetupConnection.
    pub setup: Duration,
    /// For a hash rate to tell the pool.
    pub hash_rate: Duration,
    /// For the answer to OpenExtendedMiningChannel.
    pub open: Duration,
    /// From the open channel to a usable job.
    pub first_job: Duration,
    /// For everything up to the open channel.
    pub bring_up: Duration,
    /// From a tip whose job is not known to a job for it (J7).
    pub orphan_tip: Duration,
    /// From the first byte of a frame to its last (D1, D2).
    pub frame: Duration,
    /// For a frame to leave (D22).
    pub write: Duration,
    /// Silence after which the pool is probed (L2).
    pub soft_idle: Duration,
    /// Silence after the probe, while shares wait for a verdict (L2).
    pub probe: Duration,
    /// Silence after which the pool is given up in any case (L2).
    pub hard_idle: Duration,
    /// Age of the newest job at which the pool is given up (L3).
    pub same_job: Duration,
    /// Before a channel that the pool closed is opened again (G3).
    pub reopen: Duration,
    /// For the verdicts of a connection that closes in order.
    pub drain: Duration,
    /// For the last frames of a connection that ends.
    pub flush: Duration,
    /// Payload of the greatest frame that is accepted, in bytes (F4).
    pub payload: usize,
    /// Received frames that wait for the session (D3).
    pub inbound_frames: usize,
    /// The same in bytes (D3).
    pub inbound_bytes: usize,
    /// Frames in a second that are a flood when they come for `flood_seconds` (D3).
    pub flood_frames: u32,
    /// See `flood_frames`.
    pub flood_seconds: u32,
    /// Frames that wait for the socket: few, so that a stale share is caught before it is encrypted.
    pub outbound_frames: usize,
    /// Shares that wait for the socket (U9).
    pub share_queue: usize,
    /// How long a share may wait for the socket (U9).
    pub share_queue_age: Duration,
    /// Easiest target that our threads can serve (C4): a CPU can serve any.
    pub max_target: ShareTarget,
    /// Extranonce bytes that are asked for (C5); any grant from 1 to 32 is taken.
    pub min_extranonce_size: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dns: Duration::from_secs(5),
            tcp: Duration::from_secs(5),
            noise: Duration::from_secs(10),
            setup: Duration::from_secs(10),
            hash_rate: Duration::from_secs(10),
            open: Duration::from_secs(10),
            first_job: Duration::from_secs(60),
            bring_up: Duration::from_secs(45),
            orphan_tip: Duration::from_secs(5),
            frame: Duration::from_secs(20),
            write: Duration::from_secs(10),
            soft_idle: Duration::from_secs(300),
            probe: Duration::from_secs(60),
            hard_idle: Duration::from_secs(900),
            same_job: Duration::from_secs(1800),
            reopen: Duration::from_secs(1),
            drain: crate::pool::DRAIN_DEADLINE,
            flush: Duration::from_secs(1),
            payload: 300_000,
            inbound_frames: 64,
            inbound_bytes: 4 << 20,
            flood_frames: 2_000,
            flood_seconds: 5,
            outbound_frames: 8,
            share_queue: crate::pool::SHARE_QUEUE,
            share_queue_age: Duration::from_secs(10),
            max_target: ShareTarget::MAX,
            min_extranonce_size: 4,
        }
    }
}
