//! One notify with what was in force when it was sent.

use super::{
    difficulty,
    reading::Notify,
    share::{Sv1Share, Violation, reversed_hex},
};
use crate::header::{HeaderParts, meets};
use std::time::Instant;

pub(super) struct Job {
    pub(super) notify: Notify,
    /// Nothing before the answer to `mining.subscribe`.
    extranonce1: Option<Vec<u8>>,
    extranonce2_size: usize,
    /// Nothing before the first `mining.set_difficulty`, which then is its difficulty too.
    difficulty: Option<f64>,
    pub(super) since: Instant,
    pub(super) is_dead: bool,
}

impl Job {
    pub(super) fn new(
        notify: Notify,
        extranonce1: Option<Vec<u8>>,
        extranonce2_size: usize,
        difficulty: Option<f64>,
        since: Instant,
    ) -> Self {
        Self { notify, extranonce1, extranonce2_size, difficulty, since, is_dead: false }
    }

    /// The connection's first difficulty, if it had none.
    pub(super) fn hear_of(&mut self, difficulty: f64) {
        self.difficulty.get_or_insert(difficulty);
    }

    /// The connection's first extranonces, if it had none.
    pub(super) fn pin(&mut self, extranonce1: Option<Vec<u8>>, extranonce2_size: usize) {
        if self.extranonce1.is_none() {
            (self.extranonce1, self.extranonce2_size) = (extranonce1, extranonce2_size);
        }
    }

    /// Hash and version of a share's header.
    ///
    /// # Errors
    /// With the first thing that is wrong with it as a share of this job.
    pub(super) fn check(&self, share: &Sv1Share, mask: u32, now: Instant) -> Result<([u8; 32], u32), Violation> {
        if self.is_dead {
            return Err(Violation::DeadJob(self.notify.job_id.clone()));
        }
        let extranonce1 = self.extranonce1.as_ref().ok_or(Violation::NoExtranonce)?;
        let extranonce2 = share.extranonce2(self.extranonce2_size)?;
        let (ntime, nonce) = (share.ntime()?, share.nonce()?);
        let version = share.version(self.notify.version, mask)?;
        let elapsed = u32::try_from(now.saturating_duration_since(self.since).as_secs()).unwrap_or(u32::MAX);
        let first = self.notify.ntime;
        let last = first.saturating_add(elapsed).saturating_add(1);
        if !(first..=last).contains(&ntime) {
            return Err(Violation::Ntime { ntime, first, last });
        }
        let parts = HeaderParts {
            version,
            prev_hash: self.notify.prev_hash,
            coinbase: [&self.notify.coinb1, extranonce1, &extranonce2, &self.notify.coinb2],
            merkle_path: &self.notify.merkle_path,
            ntime,
            nbits: self.notify.nbits,
        };
        let hash = parts.header().hash(nonce);
        let target = difficulty::target(self.difficulty.unwrap_or(1.0));
        if meets(&hash, &target) { Ok((hash, version)) } else { Err(Violation::AboveTarget(reversed_hex(&hash))) }
    }
}
