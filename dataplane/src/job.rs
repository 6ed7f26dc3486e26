//! A job: what a pool wants hashed, pinned at the moment it was received.
//!
//! Made by the session of a pool connection (or by the synthetic source), shared out by `scheduler`, hashed by `thread`.
//! Knows no pool protocol. Extranonce prefix and share target belong to the job and never change under it
//! (stratum-client X1, T1).

pub mod header;
pub mod merkle;

use crate::trace::TraceParent;
use bytes::Bytes;
pub use mujina_core::extranonce;
use mujina_core::{id::ConnectionId, units::ShareTarget};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Version bits that are rolled by default: BIP320. Every BM13xx chip and every pool knows them (stratum-client 0.2).
pub const BIP320_MASK: u32 = 0x1fff_e000;

/// BIP320 and the eight bits that BIP323 adds below it. Only a host can roll those, and only a pool that knows BIP323 takes
/// them (stratum-client 0.2): boards keep to [`BIP320_MASK`] of what a job allows.
pub const BIP323_MASK: u32 = 0x1fff_ffe0;

/// Network difficulty from which on a chain is worth something: there, a block is sent when everything else speaks
/// against it, and lost only with a line in the log (stratum-client T6, U8, L5).
const HARD_CHAIN: f64 = 1e6;

/// How long a job may be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLife {
    /// Furthest that ntime is moved past `min_ntime`, in seconds (stratum-client J14): peers refuse 7200.
    pub ntime_advance: u32,
    /// Age from which on it is hashed no more.
    pub max_age: Duration,
}

impl Default for JobLife {
    fn default() -> Self {
        Self { ntime_advance: 6600, max_age: Duration::from_secs(6600) }
    }
}

/// Whether blocks of a chain with this network target are worth a special effort.
#[must_use]
pub fn is_hard_chain(network_target: ShareTarget) -> bool {
    network_target.difficulty().as_f64() >= HARD_CHAIN
}

/// Names a job within this process. Never reused, unlike the pool's own job ids (stratum-client J8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobHandle(u64);

impl JobHandle {
    /// A handle that no job had before.
    #[must_use]
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A usable job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name within this process.
    pub handle: JobHandle,
    /// The connection that it is valid on.
    pub connection: ConnectionId,
    /// The pool's name of it, for people.
    pub label: Arc<str>,
    /// Header version. Bits inside `version_mask` may be replaced, all others are as they must be.
    pub version: u32,
    /// Version bits that may be rolled; 0 = the version is fixed, bits inside any usual mask included (stratum-client J11).
    pub version_mask: u32,
    /// Hash of the previous header in wire order (reverse of what explorers show).
    pub prev_hash: [u8; 32],
    /// Compact network target.
    pub nbits: u32,
    /// Least ntime, in Unix seconds.
    pub min_ntime: u32,
    /// Since when ntime may run: `min_ntime` plus the whole seconds since then is the greatest allowed (stratum-client U3).
    pub ntime_origin: Instant,
    /// Coinbase transaction before the extranonce prefix, without witness.
    pub coinbase_tx_prefix: Bytes,
    /// Coinbase transaction after the extranonce, without witness.
    pub coinbase_tx_suffix: Bytes,
    /// Pool's part of the extranonce, 0 to 32 bytes, as it was when the job came.
    pub extranonce_prefix: Bytes,
    /// Bytes of extranonce that the miner fills, 1 to 32.
    pub extranonce_size: u8,
    /// Siblings of the coinbase, in internal byte order.
    pub merkle_path: Vec<[u8; 32]>,
    /// Greatest hash that is a share of this job.
    pub share_target: ShareTarget,
    /// Greatest hash that is a block: `nbits` expanded.
    pub network_target: ShareTarget,
    /// When its message arrived.
    pub received_at: Instant,
    /// How long it may be hashed.
    pub life: JobLife,
    /// Where it came from in a trace: shares of a connection's first job continue there, later ones only link to it.
    pub origin: TraceParent,
    /// Whether it is the first usable job of its connection.
    pub first: bool,
}

impl Job {
    /// Identifies what is hashed: equal for two jobs exactly when equal extranonces give equal headers (stratum-client J13).
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.version & !self.version_mask, self.version_mask, self.prev_hash, self.nbits).hash(&mut hasher);
        (&self.coinbase_tx_prefix, &self.extranonce_prefix, &self.coinbase_tx_suffix, &self.merkle_path)
            .hash(&mut hasher);
        hasher.finish()
    }

    /// The greatest ntime that may be used at `now`, in Unix seconds.
    #[must_use]
    pub fn max_ntime(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.ntime_origin).as_secs();
        let advance = u32::try_from(elapsed).unwrap_or(u32::MAX).min(self.life.ntime_advance);
        self.min_ntime.saturating_add(advance)
    }

    /// Whether ntime can no longer follow the clock, so that the job must not be hashed any more.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.received_at) > self.life.max_age
    }

    /// Whether a nonce of this job is still worth sending while `current` is the job of the same connection.
    #[must_use]
    pub fn shares_tip_with(&self, current: &Self) -> bool {
        self.connection == current.connection && self.prev_hash == current.prev_hash && self.nbits == current.nbits
    }

    /// Whether `version` differs from the job's only in bits that may be rolled.
    #[must_use]
    pub fn allows_version(&self, version: u32) -> bool {
        (version ^ self.version) & !self.version_mask == 0
    }

    /// Whether a hash that meets the network target is a block worth sending even above the share target. Not on chains
    /// with a trivial target, where that is every second hash (stratum-client T6).
    #[must_use]
    pub fn is_block(&self, hash: [u8; 32]) -> bool {
        self.network_target.is_met_by(hash) && (self.share_target.is_met_by(hash) || is_hard_chain(self.network_target))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The merkle path of a job of a public pool, on which a Bitaxe Gamma found a share that was accepted.
    pub(crate) const BITAXE_PATH: [&str; 12] = [
        "21af451ddb51e887ff1feb5592b87290098565035eb8500031aedcc776d4e72a",
        "c5af269519c809a9546d5a58ca6445d3dbb80cb7045448ecc48309af034da8f8",
        "fb9f8f9959f6bb0ceb63fa53aed1d5a615c6b6d3f50a468ea89a45a1234bda74",
        "a4f4fee8e5fc19ca8d93e67b9236c37ddb864982010434745c0abfe9b914980c",
        "33092206642744fbe5499c3e621cd5c6b52733e54fbebd869f070082b807f740",
        "3b857e32c5cff4864efab967b9a456ca03b2167ab96bd9076ce294c8a67a7fe2",
        "881a07cd881d0c3e590b4b090ea8d58e1439dc56c63686f7de23c47045441e30",
        "315e4dbcc8e7b1c9d594a73978268791880dddb2c26eec8e75768668dad99d80",
        "69952b77c632be16b1ac7ac7048f13d4e962b2e215d79a343f01e6e281d7c304",
        "fc63eb4392c4d6c6d689788875fca35143fdcd4f4a82e8698e0e441751a70b4a",
        "09e419bbe20aa3a7640f1b91f50599ceddff899e90d3f18951ad5418c4850a6b",
        "004978aa346b4f1880bcadb3ca3792d771ee6aeca427f61e74baba44b75cfb88",
    ];

    /// A job on an invented tip whose share target every hash meets.
    pub(crate) fn job() -> Job {
        let now = Instant::now();
        Job {
            handle: JobHandle::fresh(),
            connection: ConnectionId(1),
            label: "1".into(),
            version: 0x2000_0000,
            version_mask: BIP320_MASK,
            prev_hash: [7; 32],
            nbits: 0x1d00_ffff,
            min_ntime: 1_700_000_000,
            ntime_origin: now,
            coinbase_tx_prefix: Bytes::from_static(&[1; 60]),
            coinbase_tx_suffix: Bytes::from_static(&[2; 60]),
            extranonce_prefix: Bytes::from_static(&[3; 4]),
            extranonce_size: 8,
            merkle_path: vec![[4; 32], [5; 32]],
            share_target: ShareTarget::MAX,
            network_target: ShareTarget::from_compact(0x1d00_ffff).unwrap(),
            received_at: now,
            life: JobLife::default(),
            origin: TraceParent::default(),
            first: false,
        }
    }

    #[test]
    fn ntime_never_runs_ahead_of_whole_seconds() {
        let job = job();
        assert_eq!(job.max_ntime(job.ntime_origin), job.min_ntime);
        assert_eq!(job.max_ntime(job.ntime_origin + Duration::from_millis(1_999)), job.min_ntime + 1);
        assert_eq!(job.max_ntime(job.ntime_origin + Duration::from_secs(100_000)), job.min_ntime + 6600);
    }

    #[test]
    fn same_content_under_another_handle_has_the_same_fingerprint() {
        let (a, mut b) = (job(), job());
        b.share_target = ShareTarget::from_expected_hashes(1e6);
        b.min_ntime += 5;
        assert_eq!(a.fingerprint(), b.fingerprint());
        b.extranonce_prefix = Bytes::from_static(&[9; 4]);
        assert_ne!(a.fingerprint(), b.fingerprint());
    }

    #[test]
    fn fixed_version_allows_no_other() {
        let mut job = job();
        assert!(job.allows_version(0x2000_2000) && !job.allows_version(0x2000_0001));
        job.version_mask = 0;
        assert!(job.allows_version(0x2000_0000) && !job.allows_version(0x2000_2000));
    }

    #[test]
    fn block_above_the_share_target_counts_only_on_a_hard_chain() {
        let mut job = job();
        job.share_target = ShareTarget::from_be_bytes([0; 32]);
        job.network_target = ShareTarget::MAX;
        assert!(!job.is_block([0xff; 32]));
        job.network_target = ShareTarget::from_compact(0x1702_3a04).unwrap();
        assert!(job.is_block([0; 32]) && !job.is_block([0xff; 32]));
    }
}
