//! The other side of invented work: what the jobs are, and which shares count.
//!
//! Jobs look like those of a pool on mainnet: a coinbase of that size with a height, a dozen siblings, a network target that
//! no CPU meets. Shares are judged by hashing their headers, as a pool does.

use super::SyntheticWork;
use crate::{
    job::{Job, JobHandle, JobLife, header, merkle},
    pool::{ShareSubmission, Verdict},
    trace::TraceParent,
};
use bytes::Bytes;
use mujina_core::{
    id::ConnectionId,
    share::RejectReason,
    units::{HashRate, ShareTarget},
};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Instant,
};

/// Bytes of extranonce that the miner fills.
pub(super) const EXTRANONCE_SIZE: u8 = 8;
/// Bytes of extranonce before those.
const PREFIX_SIZE: usize = 4;
/// nbits of a mainnet block of 2025.
const NBITS: u32 = 0x1702_3a04;
/// BIP9 without signals.
const VERSION: u32 = 0x2000_0000;
/// A block of some thousand transactions.
const SIBLINGS: usize = 12;
/// Height of the first tip.
const HEIGHT: u32 = 900_000;
/// Jobs whose shares are still known: all of a tip, and enough of the one before to tell stale from unknown.
const REMEMBERED_JOBS: usize = 64;
/// Accepted hashes that are kept to find duplicates; at the rate that the target asks for this is hours.
const REMEMBERED_HASHES: usize = 65_536;

/// Jobs given out, and shares counted.
pub(super) struct Ledger {
    connection: ConnectionId,
    work: SyntheticWork,
    random: StdRng,
    prefix: Bytes,
    prev_hash: [u8; 32],
    height: u32,
    count: u32,
    jobs: VecDeque<Arc<Job>>,
    accepted: HashSet<[u8; 32]>,
}

impl Ledger {
    pub(super) fn new(connection: ConnectionId, work: SyntheticWork, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let prefix = Bytes::copy_from_slice(&bytes::<PREFIX_SIZE>(&mut random));
        Self {
            connection,
            work,
            random,
            prefix,
            prev_hash: [0; 32],
            height: HEIGHT,
            count: 0,
            jobs: VecDeque::new(),
            accepted: HashSet::new(),
        }
    }

    /// The next job: on a new tip when one is due, with other transactions otherwise.
    pub(super) fn next_job(&mut self, hash_rate: HashRate, now: Instant, unix_time: u32) -> Arc<Job> {
        if self.count.is_multiple_of(self.work.jobs_per_tip.max(1)) {
            self.prev_hash = bytes(&mut self.random);
            // A real one begins, as people read it, with zeros.
            if let Some(most_significant) = self.prev_hash.last_chunk_mut::<8>() {
                *most_significant = [0; 8];
            }
            self.height += 1;
            self.accepted.clear();
        }
        self.count += 1;
        let hashes_per_share = hash_rate.work_over(self.work.share_every).hashes();
        let (coinbase_tx_prefix, coinbase_tx_suffix) = coinbase(self.height);
        let job = Arc::new(Job {
            handle: JobHandle::fresh(),
            connection: self.connection,
            label: self.count.to_string().into(),
            version: VERSION,
            version_mask: self.work.version_mask,
            prev_hash: self.prev_hash,
            nbits: NBITS,
            min_ntime: unix_time,
            ntime_origin: now,
            coinbase_tx_prefix,
            coinbase_tx_suffix,
            extranonce_prefix: self.prefix.clone(),
            extranonce_size: EXTRANONCE_SIZE,
            merkle_path: (0..SIBLINGS).map(|_| bytes(&mut self.random)).collect(),
            share_target: ShareTarget::from_expected_hashes(hashes_per_share),
            network_target: ShareTarget::from_compact(NBITS).expect("a constant that is a target"),
            received_at: now,
            life: JobLife::default(),
            origin: TraceParent::default(),
            first: self.count == 1,
        });
        self.jobs.truncate(REMEMBERED_JOBS - 1);
        self.jobs.push_front(Arc::clone(&job));
        job
    }

    /// Checks a share as a pool does, and counts it.
    pub(super) fn judge(&mut self, share: &ShareSubmission, now: Instant) -> Verdict {
        let reject = |reason| Verdict::Rejected(reason);
        let Some(job) = self.jobs.iter().find(|job| job.handle == share.job) else {
            return reject(RejectReason::UnknownJob);
        };
        if job.prev_hash != self.prev_hash {
            return reject(RejectReason::Stale);
        }
        if share.extranonce.as_bytes().len() != usize::from(job.extranonce_size) {
            return reject(RejectReason::ExtranonceSize);
        }
        if !job.allows_version(share.version) {
            return reject(RejectReason::VersionRolling);
        }
        if !(job.min_ntime..=job.max_ntime(now)).contains(&share.ntime) {
            return reject(RejectReason::Ntime);
        }
        let root = merkle::root(job, share.extranonce.as_bytes());
        let hash = header::hash(&header::with_root(job, &root, share.version, share.ntime, share.nonce));
        if !job.share_target.is_met_by(hash) {
            return reject(RejectReason::LowDifficulty);
        }
        if self.accepted.len() >= REMEMBERED_HASHES {
            self.accepted.clear();
        }
        if !self.accepted.insert(hash) {
            return reject(RejectReason::Duplicate);
        }
        Verdict::Accepted
    }
}

fn bytes<const N: usize>(random: &mut StdRng) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill_bytes(&mut bytes);
    bytes
}

/// A coinbase transaction without witness, cut where the extranonce stands. Pays nobody.
fn coinbase(height: u32) -> (Bytes, Bytes) {
    const TAG: &[u8] = b"/Mujina synthetic/";
    let [low, middle, high, _] = height.to_le_bytes();
    // BIP34: a push of three bytes, then what a miner likes.
    let script_start = [&[3, low, middle, high][..], TAG].concat();
    let script_len = script_start.len() + PREFIX_SIZE + usize::from(EXTRANONCE_SIZE);
    let prefix = [
        &2_u32.to_le_bytes()[..],
        &[1],
        &[0; 32],
        &[0xff; 4],
        &[u8::try_from(script_len).expect("some thirty bytes")],
        &script_start,
    ]
    .concat();
    // One output of nothing to a script that nobody can spend, and no lock time.
    let suffix = [&[0xff; 4][..], &[1], &0_u64.to_le_bytes(), &[1, 0x6a], &[0; 4]].concat();
    (prefix.into(), suffix.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::extranonce::Extranonce;
    use mujina_core::id::ShareId;
    use std::time::Duration;

    /// A rate at which every hash is a share.
    const SLOWEST: f64 = 1e-3;

    fn ledger() -> Ledger {
        Ledger::new(ConnectionId(1), SyntheticWork { jobs_per_tip: 2, ..SyntheticWork::default() }, 7)
    }

    fn share(job: &Job, nonce: u32) -> ShareSubmission {
        ShareSubmission {
            id: ShareId(1),
            job: job.handle,
            extranonce: Extranonce::new(&[1; 8]).unwrap(),
            ntime: job.min_ntime,
            nonce,
            version: job.version,
            block: false,
            hash: [0; 32],
            span: tracing::Span::none(),
        }
    }

    #[test]
    fn verdict_follows_from_the_header() {
        let (mut ledger, now) = (ledger(), Instant::now());
        let job = ledger.next_job(HashRate::from_hashes_per_second(SLOWEST), now, 1_700_000_000);
        let good = share(&job, 1);
        assert_eq!(ledger.judge(&good, now), Verdict::Accepted);
        let mut judge = |share: &ShareSubmission| match ledger.judge(share, now) {
            Verdict::Rejected(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(judge(&good), RejectReason::Duplicate);
        assert_eq!(judge(&ShareSubmission { ntime: job.min_ntime + 1, ..good.clone() }), RejectReason::Ntime);
        assert_eq!(judge(&ShareSubmission { version: 1, ..good.clone() }), RejectReason::VersionRolling);
        let extranonce = Extranonce::new(&[1; 4]).unwrap();
        assert_eq!(judge(&ShareSubmission { extranonce, ..good.clone() }), RejectReason::ExtranonceSize);
        assert_eq!(judge(&ShareSubmission { job: JobHandle::fresh(), ..good }), RejectReason::UnknownJob);
    }

    #[test]
    fn hash_above_the_target_is_refused() {
        let (mut ledger, now) = (ledger(), Instant::now());
        let job = ledger.next_job(HashRate::from_terahashes_per_second(1.0), now, 1_700_000_000);
        assert_eq!(ledger.judge(&share(&job, 1), now), Verdict::Rejected(RejectReason::LowDifficulty));
    }

    #[test]
    fn shares_of_the_tip_before_are_stale() {
        let (mut ledger, now) = (ledger(), Instant::now());
        let rate = HashRate::from_hashes_per_second(SLOWEST);
        let [first, second, third] = std::array::from_fn(|_| ledger.next_job(rate, now, 1_700_000_000));
        assert!(first.first && !second.first);
        assert!(first.shares_tip_with(&second) && !second.shares_tip_with(&third));
        assert_ne!(first.fingerprint(), second.fingerprint());
        assert_eq!(ledger.judge(&share(&second, 1), now), Verdict::Rejected(RejectReason::Stale));
        assert_eq!(ledger.judge(&share(&third, 1), now), Verdict::Accepted);
    }

    #[test]
    fn coinbase_is_a_transaction_with_the_height() {
        let (mut ledger, now) = (ledger(), Instant::now());
        let job = ledger.next_job(HashRate::from_megahashes_per_second(10.0), now, 1_700_000_000);
        let raw = [&job.coinbase_tx_prefix[..], &job.extranonce_prefix, &[9; 8], &job.coinbase_tx_suffix].concat();
        let transaction: bitcoin::Transaction = bitcoin::consensus::deserialize(&raw).unwrap();
        assert!(transaction.is_coinbase());
        assert_eq!(transaction.input[0].script_sig.as_bytes()[..4], [3, 0xa1, 0xbb, 0x0d]);
        let expected = job.share_target.expected_hashes();
        assert!((expected / 40e6 - 1.0).abs() < 1e-6, "a share in four seconds, not {expected} hashes");
    }

    #[test]
    fn every_connection_has_its_own_prefix() {
        let other = Ledger::new(ConnectionId(2), SyntheticWork::default(), 8);
        assert_ne!(ledger().prefix, other.prefix);
        assert_eq!(SyntheticWork::default().job_every, Duration::from_secs(30));
    }
}
