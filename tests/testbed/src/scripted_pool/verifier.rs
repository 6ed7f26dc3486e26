//! Judges shares by rebuilding every header from what the pool sent, never from what the miner says about it.
//!
//! It holds a miner to the letter: prefix and target pinned per job, ntime no faster than the clock, no header twice, not
//! even over a reconnect. Neither waits nor looks at a clock. Source: Stratum V2 specification §5.3.

use crate::header::{HeaderParts, meets};
use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};
use stratum_apps::stratum_core::{
    binary_sv2::U256Owned,
    mining_sv2::{
        NewExtendedMiningJobOwned, OpenExtendedMiningChannelSuccessOwned, SetNewPrevHashOwned,
        SubmitSharesExtendedOwned,
    },
    parsers_sv2::MiningOwned,
};

/// What is wrong with a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not the channel that was opened.
    #[error("channel {0} is not open; shares name the channel, never the group")]
    Channel(u32),
    /// Not after the one before.
    #[error("sequence number {now} after {before}; it must rise by RFC 1982")]
    Sequence {
        /// Of the share before.
        before: u32,
        /// Of this one.
        now: u32,
    },
    /// Never announced on this connection.
    #[error("job {0} is unknown; ids do not outlive a connection")]
    UnknownJob(u32),
    /// Announced, but not active yet.
    #[error("job {0} is a future job; it may not be mined yet")]
    FutureJob(u32),
    /// Its tip is gone.
    #[error("job {0} is on a dead tip; it must not be submitted")]
    DeadTip(u32),
    /// Longer or shorter than agreed.
    #[error("extranonce has {actual} bytes instead of {agreed}; all of them belong in a share")]
    ExtranonceLength {
        /// As in the answer to the open request.
        agreed: u16,
        /// As in the share.
        actual: usize,
    },
    /// Bits outside the mask differ from the job's.
    #[error("version {version:#010x} of a job with {job:#010x}; only bits in {mask:#010x} may differ")]
    Version {
        /// Of the share.
        version: u32,
        /// Of the job.
        job: u32,
        /// What may differ.
        mask: u32,
    },
    /// Before the job or ahead of the clock.
    #[error("ntime {ntime} is not in {first}..={last}; it may rise with the clock only")]
    Ntime {
        /// Of the share.
        ntime: u32,
        /// The job's or the tip's.
        first: u32,
        /// First, plus the seconds since the job became active, plus one.
        last: u32,
    },
    /// Not enough work.
    #[error("hash {0} is above the share target of its job; verify before submitting")]
    AboveTarget(String),
    /// Submitted before, on this connection or an earlier one.
    #[error("header {0} was submitted before; search each header once")]
    Repeated(String),
}

struct Channel {
    id: u32,
    group: u32,
    extranonce_size: u16,
    extranonce_prefix: Vec<u8>,
    target: [u8; 32],
}

#[derive(Clone)]
enum State {
    Future,
    Active { tip: SetNewPrevHashOwned, first_ntime: u32, since: Instant },
    Dead,
}

struct Job {
    message: NewExtendedMiningJobOwned,
    extranonce_prefix: Vec<u8>,
    target: [u8; 32],
    state: State,
}

/// What the pool said on this connection, and every header it was ever given.
pub struct Verifier {
    version_mask: u32,
    channel: Option<Channel>,
    jobs: HashMap<u32, Job>,
    tip: Option<SetNewPrevHashOwned>,
    last_sequence: Option<u32>,
    /// Never pruned: tests are short.
    seen: HashSet<[u8; 32]>,
}

impl Verifier {
    /// With the bits that miners may roll in jobs that allow it; 0x1fffe000 by BIP 320.
    #[must_use]
    pub fn new(version_mask: u32) -> Self {
        let (jobs, seen) = (HashMap::new(), HashSet::new());
        Self { version_mask, channel: None, jobs, tip: None, last_sequence: None, seen }
    }

    /// Another connection: everything but the headers is forgotten.
    pub fn reconnected(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        *self = Self { seen, ..Self::new(self.version_mask) };
    }

    /// The pool said this.
    pub fn sent(&mut self, message: &MiningOwned, now: Instant) {
        match message {
            MiningOwned::OpenExtendedMiningChannelSuccess(opened) => self.opened(opened),
            MiningOwned::NewExtendedMiningJob(job) if self.is_ours(job.channel_id) => self.job(job, now),
            MiningOwned::SetNewPrevHash(tip) if self.is_ours(tip.channel_id) => self.new_tip(tip, now),
            MiningOwned::SetTarget(set) if self.is_ours(set.channel_id) => {
                self.new_target(set.maximum_target.to_array());
            }
            MiningOwned::SetExtranoncePrefix(set) => {
                if let Some(channel) = self.channel.as_mut().filter(|channel| channel.id == set.channel_id) {
                    channel.extranonce_prefix = set.extranonce_prefix.as_bytes().to_vec();
                }
            }
            MiningOwned::SetGroupChannel(set) => {
                let listed = |channel: &&mut Channel| set.channel_ids.as_slice().contains(&channel.id);
                if let Some(channel) = self.channel.as_mut().filter(listed) {
                    channel.group = set.group_channel_id;
                }
            }
            MiningOwned::CloseChannel(close) if self.is_ours(close.channel_id) => self.channel = None,
            _ => {}
        }
    }

    /// Whether a share is as it must be; the hash of its header when it is.
    ///
    /// # Errors
    /// With the first thing that is wrong with it.
    pub fn verify(&mut self, share: &SubmitSharesExtendedOwned, now: Instant) -> Result<[u8; 32], Violation> {
        let channel = self.channel.as_ref().filter(|channel| channel.id == share.channel_id);
        let channel = channel.ok_or(Violation::Channel(share.channel_id))?;
        if let Some(before) = self.last_sequence.replace(share.sequence_number)
            && share.sequence_number.wrapping_sub(before).cast_signed() <= 0
        {
            return Err(Violation::Sequence { before, now: share.sequence_number });
        }
        let job = self.jobs.get(&share.job_id).ok_or(Violation::UnknownJob(share.job_id))?;
        let (tip, first_ntime, since) = match &job.state {
            State::Future => return Err(Violation::FutureJob(share.job_id)),
            State::Dead => return Err(Violation::DeadTip(share.job_id)),
            State::Active { tip, first_ntime, since } => (tip, *first_ntime, *since),
        };
        let actual = share.extranonce.as_bytes().len();
        if actual != usize::from(channel.extranonce_size) {
            return Err(Violation::ExtranonceLength { agreed: channel.extranonce_size, actual });
        }
        let mask = if job.message.version_rolling_allowed { self.version_mask } else { 0 };
        if (share.version ^ job.message.version) & !mask != 0 {
            return Err(Violation::Version { version: share.version, job: job.message.version, mask });
        }
        let elapsed = u32::try_from(now.saturating_duration_since(since).as_secs()).unwrap_or(u32::MAX);
        let last = first_ntime.saturating_add(elapsed).saturating_add(1);
        if !(first_ntime..=last).contains(&share.ntime) {
            return Err(Violation::Ntime { ntime: share.ntime, first: first_ntime, last });
        }
        let hash = job.hash(share, tip);
        if !meets(&hash, &job.target) {
            return Err(Violation::AboveTarget(reversed_hex(&hash)));
        }
        if !self.seen.insert(hash) {
            return Err(Violation::Repeated(reversed_hex(&hash)));
        }
        Ok(hash)
    }

    fn is_ours(&self, channel_id: u32) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel_id == channel.id || channel_id == channel.group)
    }

    fn opened(&mut self, opened: &OpenExtendedMiningChannelSuccessOwned) {
        // Sequence numbers are those of a channel.
        self.last_sequence = None;
        self.channel = Some(Channel {
            id: opened.channel_id,
            group: opened.group_channel_id,
            extranonce_size: opened.extranonce_size,
            extranonce_prefix: opened.extranonce_prefix.as_bytes().to_vec(),
            target: opened.target.to_array(),
        });
    }

    fn job(&mut self, message: &NewExtendedMiningJobOwned, now: Instant) {
        let Some(channel) = &self.channel else { return };
        let min_ntime = message.min_ntime.clone().into_inner();
        let state = match (min_ntime, &self.tip) {
            (Some(min_ntime), Some(tip)) => {
                State::Active { tip: tip.clone(), first_ntime: min_ntime.max(tip.min_ntime), since: now }
            }
            _ => State::Future,
        };
        let (extranonce_prefix, target) = (channel.extranonce_prefix.clone(), channel.target);
        let job = Job { message: message.clone(), extranonce_prefix, target, state };
        self.jobs.insert(message.job_id, job);
    }

    fn new_tip(&mut self, tip: &SetNewPrevHashOwned, now: Instant) {
        for (id, job) in &mut self.jobs {
            let is_named = *id == tip.job_id && matches!(job.state, State::Future);
            job.state = if is_named {
                State::Active { tip: tip.clone(), first_ntime: tip.min_ntime, since: now }
            } else {
                State::Dead
            };
        }
        self.tip = Some(tip.clone());
    }

    /// Jobs that are being mined keep theirs.
    fn new_target(&mut self, target: [u8; 32]) {
        if let Some(channel) = &mut self.channel {
            channel.target = target;
        }
        for job in self.jobs.values_mut().filter(|job| matches!(job.state, State::Future)) {
            job.target = target;
        }
    }
}

impl Job {
    fn hash(&self, share: &SubmitSharesExtendedOwned, tip: &SetNewPrevHashOwned) -> [u8; 32] {
        let path: Vec<_> = self.message.merkle_path.as_slice().iter().map(U256Owned::to_array).collect();
        let parts = HeaderParts {
            version: share.version,
            prev_hash: tip.prev_hash.to_array(),
            coinbase: [
                self.message.coinbase_tx_prefix.as_bytes(),
                &self.extranonce_prefix,
                share.extranonce.as_bytes(),
                self.message.coinbase_tx_suffix.as_bytes(),
            ],
            merkle_path: &path,
            ntime: share.ntime,
            nbits: tip.nbits,
        };
        parts.header().hash(share.nonce)
    }
}

fn reversed_hex(hash: &[u8; 32]) -> String {
    hash.iter().rev().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
