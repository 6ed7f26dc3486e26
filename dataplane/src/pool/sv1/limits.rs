//! Every deadline and bound of an SV1 connection in one place.
//!
//! Source: stratum-client 2.2, 3 and 6.6. All of them are engineering choices; tests make them smaller.

use std::time::Duration;

/// Deadlines and bounds of one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// For the resolver.
    pub dns: Duration,
    /// For each address.
    pub tcp: Duration,
    /// For the TLS handshake.
    pub tls: Duration,
    /// For the answer to `mining.subscribe`.
    pub setup: Duration,
    /// For everything up to that answer.
    pub bring_up: Duration,
    /// From the subscription to a usable job.
    pub first_job: Duration,
    /// How long the first job waits for its difficulty (V9).
    pub difficulty: Duration,
    /// From the first byte of a line to its last (D2).
    pub line: Duration,
    /// For a line to leave (D22).
    pub write: Duration,
    /// Silence after which the pool is given up (V19).
    pub idle: Duration,
    /// Age of the newest job at which the pool is given up (V19).
    pub same_job: Duration,
    /// How long a share waits for its verdict (V17).
    pub verdict: Duration,
    /// How long a connection that closes in order waits for verdicts.
    pub drain: Duration,
    /// For bytes that were handed to the writer, and for verdicts before a reconnect.
    pub flush: Duration,
    /// Longest wait before a reconnect that a pool may ask for (V13).
    pub reconnect_wait: Duration,
    /// Least time between two authorisations (V20, code 24).
    pub reauthorize: Duration,
    /// Bytes of the longest line that is accepted (V1).
    pub line_bytes: usize,
    /// Received lines that wait for the session (D3).
    pub inbound_lines: usize,
    /// The same in bytes (D3).
    pub inbound_bytes: usize,
    /// Lines in a second that are a flood when they come for `flood_seconds` (D3).
    pub flood_lines: u32,
    /// See `flood_lines`.
    pub flood_seconds: u32,
    /// Lines in a row that are no message at which the pool is given up.
    pub garbage: u32,
    /// Jobs in a row that cannot be hashed at which the pool is given up (D15).
    pub unusable_jobs: u32,
    /// Lines that wait for the socket: few, so that a stale share is caught before it is written.
    pub outbound_lines: usize,
    /// Answers to the pool's own requests that wait for the socket.
    pub replies: usize,
    /// Shares that wait for the socket (U9).
    pub share_queue: usize,
    /// How long a share may wait for the socket (U9).
    pub share_queue_age: Duration,
    /// Shares without a verdict at which no more are sent (V17).
    pub in_flight: usize,
    /// The mean time between two shares that `mining.suggest_difficulty` asks for (V15).
    pub share_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dns: Duration::from_secs(5),
            tcp: Duration::from_secs(5),
            tls: Duration::from_secs(10),
            setup: Duration::from_secs(10),
            bring_up: Duration::from_secs(45),
            first_job: Duration::from_secs(60),
            difficulty: Duration::from_secs(2),
            line: Duration::from_secs(20),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            same_job: Duration::from_secs(600),
            verdict: Duration::from_secs(120),
            drain: crate::pool::DRAIN_DEADLINE,
            flush: Duration::from_secs(1),
            reconnect_wait: Duration::from_secs(60),
            reauthorize: Duration::from_secs(60),
            line_bytes: 256 << 10,
            inbound_lines: 64,
            inbound_bytes: 4 << 20,
            flood_lines: 2_000,
            flood_seconds: 5,
            garbage: 8,
            unusable_jobs: 3,
            outbound_lines: 8,
            replies: 64,
            share_queue: crate::pool::SHARE_QUEUE,
            share_queue_age: Duration::from_secs(10),
            in_flight: 256,
            share_every: Duration::from_secs(10),
        }
    }
}
