//! What one connection is to do: where it goes, whom it believes, what it asks for.   From the plan, the limits and memory.

use super::{clock, failure::Failure, limits::Limits, memory::Memory, message::extensions::WORKER_TRACKING};
use crate::{
    job::{BIP320_MASK, BIP323_MASK},
    pool::Target,
};
use mujina_core::pool::{AuthorityKey, Host, PoolEndpoint, PoolSpec};
use std::{sync::Arc, time::Instant};
use tracing::warn;

/// Everything that is decided before the first byte.
#[derive(Debug)]
pub(super) struct Wants {
    /// The pool's URL: its name in [`Memory`].
    pub(super) url: String,
    /// Where the pool is, by its owner.
    pub(super) home: Host,
    /// Where to connect: there, or where the pool sent us.
    pub(super) host: Host,
    pub(super) port: u16,
    /// Keys of which one must have signed the certificate (SEC1). A redirect changes nothing about them (R1).
    pub(super) authorities: Vec<AuthorityKey>,
    /// Unix seconds; `None` = a certificate counts by its signature alone (SEC5).
    pub(super) wall: Option<u32>,
    pub(super) version_mask: u32,
    pub(super) extensions: Vec<u16>,
    pub(super) worker: Option<Arc<str>>,
    /// Flags that the pool refused before (S5).
    pub(super) refused_flags: u32,
    pub(super) may_redirect: bool,
}

impl Wants {
    /// # Errors
    /// The pool speaks another protocol, or there is no time to judge its certificate by.
    pub(super) fn of(
        pool: &PoolSpec,
        target: Option<Target>,
        limits: &Limits,
        memory: &Memory,
        now: Instant,
    ) -> Result<Self, Failure> {
        let PoolEndpoint::V2 { host: home, port, authority } = &pool.endpoint else { return Err(Failure::NotV2) };
        let wall = clock::wall();
        match wall {
            None if !limits.allow_unsynced_clock => {
                return Err(Failure::NoPlausibleClock { earliest: clock::EARLIEST });
            }
            None => {
                warn!(pool.name = %pool.name, "this machine has no plausible clock; certificates count by signature alone");
            }
            Some(_) => {}
        }
        let url = pool.endpoint.to_string();
        let options = &pool.options;
        let worker = options.worker_name.as_deref();
        let asks = worker.is_some() && memory.may_ask_extensions(&url, limits, now);
        let Target { host, port } = target.unwrap_or_else(|| Target { host: home.clone(), port: *port });
        Ok(Self {
            home: home.clone(),
            host,
            port,
            authorities: std::iter::once(*authority).chain(options.authority_keys.iter().copied()).collect(),
            wall,
            version_mask: if options.wide_version_rolling { BIP323_MASK } else { BIP320_MASK },
            extensions: if asks { vec![WORKER_TRACKING] } else { Vec::new() },
            worker: worker.map(Into::into),
            refused_flags: memory.refused_flags(&url, limits, now),
            may_redirect: memory.may_redirect(&url, limits, now),
            url,
        })
    }
}
