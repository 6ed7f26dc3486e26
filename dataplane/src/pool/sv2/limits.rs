//! Every deadline and bound of an SV2 connection in one place.
//!
//! Source: stratum-client 2.2 and 6.6. All of them are engineering choices; the configuration may set them
//! (`[pool_limits]`), tests make them smaller.

use crate::{job::JobLife, pool::rate::RateTerms};
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
    /// How far this machine's clock may lie outside a certificate's validity (N5).
    pub certificate_leeway: Duration,
    /// Whether a certificate counts by its signature alone while this machine has no plausible clock (SEC5).
    pub allow_unsynced_clock: bool,
    /// For the answer to SetupConnection.
    pub setup: Duration,
    /// Least time for the answer to RequestExtensions; twice the time of the connect otherwise (E2).
    pub extensions: Duration,
    /// How long a pool that knows no extensions is not asked again (E2).
    pub extensions_memory: Duration,
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
    /// Age of the newest job that is worth a warning on a chain that is not for tests (L3).
    pub old_job: Duration,
    /// Age of the newest job at which the pool is given up (L3).
    pub same_job: Duration,
    /// How long a job may be hashed (J14).
    pub job_life: JobLife,
    /// How far ahead of this machine's clock the ntime of a job may be (D15).
    pub future_ntime: Duration,
    /// How long a pool may forbid version rolling to hardware that cannot do without (D17).
    pub fixed_version: Duration,
    /// Before a channel that the pool closed is opened again (G3).
    pub reopen: Duration,
    /// For the verdicts of a connection that closes in order.
    pub drain: Duration,
    /// For the last frames of a connection that ends.
    pub flush: Duration,
    /// How long a sent share waits for its verdict (A2).
    pub verdict: Duration,
    /// Sent shares that wait for a verdict, and accepted ones that are remembered (A7).
    pub pending_shares: usize,
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
    /// Jobs a second that are passed on in the long run, and at once; of more, the newest counts (D12, D14).
    pub job_rate: u32,
    /// New tips in a minute that are worth a warning (D14).
    pub many_tips: usize,
    /// New tips in a minute at which the pool is given up (D14).
    pub tip_flood: usize,
    /// Future jobs that are kept (D13); the oldest goes first.
    pub future_jobs: usize,
    /// Jobs of the current tip that are kept for late shares (D12).
    pub past_jobs: usize,
    /// Siblings of the coinbase that are accepted (D4): a full block needs 15.
    pub merkle_path: usize,
    /// Bytes of all jobs that are kept (D5).
    pub job_bytes: usize,
    /// Shares refused for an unknown job, without one accepted between them, after which both sides hold different job
    /// tables (A6).
    pub unknown_jobs: u32,
    /// Frames that wait for the socket: few, so that a stale share is caught before it is encrypted.
    pub outbound_frames: usize,
    /// Shares that wait for the socket (U9).
    pub share_queue: usize,
    /// How long a share may wait for the socket (U9).
    pub share_queue_age: Duration,
    /// When the pool is told again how fast we are (G1).
    pub rate: RateTerms,
    /// Requests to connect elsewhere that are followed within `redirect_window` (R3).
    pub redirects: usize,
    /// See `redirects`.
    pub redirect_window: Duration,
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
            certificate_leeway: Duration::from_secs(10),
            allow_unsynced_clock: false,
            setup: Duration::from_secs(10),
            extensions: Duration::from_millis(250),
            extensions_memory: Duration::from_secs(86_400),
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
            old_job: Duration::from_secs(600),
            same_job: Duration::from_secs(1800),
            job_life: JobLife::default(),
            future_ntime: Duration::from_secs(7200),
            fixed_version: Duration::from_secs(60),
            reopen: Duration::from_secs(1),
            drain: crate::pool::DRAIN_DEADLINE,
            flush: Duration::from_secs(1),
            verdict: Duration::from_secs(600),
            pending_shares: 4096,
            payload: 300_000,
            inbound_frames: 64,
            inbound_bytes: 4 << 20,
            flood_frames: 2_000,
            flood_seconds: 5,
            job_rate: 20,
            many_tips: 10,
            tip_flood: 60,
            future_jobs: 16,
            past_jobs: 16,
            merkle_path: 32,
            job_bytes: 4 << 20,
            unknown_jobs: 5,
            outbound_frames: 8,
            share_queue: crate::pool::SHARE_QUEUE,
            share_queue_age: Duration::from_secs(10),
            rate: RateTerms::default(),
            redirects: 3,
            redirect_window: Duration::from_secs(300),
            max_target: ShareTarget::MAX,
            min_extranonce_size: 4,
        }
    }
}
