//! Shares, what became of them, and the ledger that must balance.

use crate::{
    extranonce::Extranonce,
    id::{BoardId, ConnectionId, PoolName, ShareId, ThreadId, TraceId},
    units::{Difficulty, HashRate, ShareTarget},
};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// What became of one nonce. Every nonce ends in exactly one of them; only `Pending` changes later, and a late refusal may
/// still turn `Accepted` into `Rejected` (stratum-client A2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShareOutcome {
    /// Not sent.
    Dropped(DropReason),
    /// Sent, no verdict yet.
    Pending,
    /// The pool counted it.
    Accepted,
    /// The pool refused it.
    Rejected(RejectReason),
    /// Sent, and the connection ended or ten minutes passed before a verdict.
    Lost,
}

/// Why a nonce was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The chain tip or the connection of its job was gone.
    Stale,
    /// The same header hash was found before on this tip.
    Duplicate,
    /// Above the share target of its job.
    BelowTarget,
    /// Its ntime lies outside what the pool allows.
    OutOfWindow,
    /// Its hash did not meet the target its finder was given, or its version has bits outside the mask.
    HardwareError,
    /// Over the flood cap, or the outbound queue was full.
    Suppressed,
}

/// Why a pool refused a share: a fixed set, because peers choose the text (stratum-client A5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectReason {
    /// The job belongs to an old tip.
    Stale,
    /// Seen before.
    Duplicate,
    /// Above the target.
    LowDifficulty,
    /// The pool does not know the job.
    UnknownJob,
    /// The pool does not know the channel.
    UnknownChannel,
    /// Wrong extranonce length.
    ExtranonceSize,
    /// Version bits that may not be rolled.
    VersionRolling,
    /// ntime out of the pool's window.
    Ntime,
    /// The header does not check out.
    Invalid,
    /// The worker is not known or not authorised.
    Unauthorized,
    /// Anything else.
    Other,
}

impl RejectReason {
    /// All of them, in the order of [`ShareTotals::rejected`].
    pub const ALL: [Self; 11] = [
        Self::Stale,
        Self::Duplicate,
        Self::LowDifficulty,
        Self::UnknownJob,
        Self::UnknownChannel,
        Self::ExtranonceSize,
        Self::VersionRolling,
        Self::Ntime,
        Self::Invalid,
        Self::Unauthorized,
        Self::Other,
    ];

    /// The reason behind an SV2 `SubmitShares.Error` code; unknown codes are `Other` (stratum-client 6.1).
    pub fn from_sv2_code(code: &str) -> Self {
        match code {
            "stale-share" | "stale" => Self::Stale,
            "duplicate-share" => Self::Duplicate,
            "difficulty-too-low" | "too-low-difficulty" => Self::LowDifficulty,
            "invalid-job-id" => Self::UnknownJob,
            "invalid-channel-id" => Self::UnknownChannel,
            "bad-extranonce-size" => Self::ExtranonceSize,
            "version-rolling-not-allowed" | "invalid-non-rollable-version-bit" => Self::VersionRolling,
            "invalid-timestamp" | "invalid-ntime" => Self::Ntime,
            "invalid-share" => Self::Invalid,
            "unauthorized" | "unknown-user" => Self::Unauthorized,
            _ => Self::Other,
        }
    }

    /// The reason behind an SV1 error: by its code where that says enough, else by what its text contains
    /// (stratum-client V20).
    pub fn from_sv1_error(code: Option<i64>, text: &str) -> Self {
        match code {
            Some(21) => Self::Stale,
            Some(22) => Self::Duplicate,
            Some(23) => Self::LowDifficulty,
            Some(24 | 25) => Self::Unauthorized,
            _ => Self::from_sv1_text(text),
        }
    }

    fn from_sv1_text(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        match () {
            () if has(&["stale", "job not found", "invalid jobid", "invalid job id"]) => Self::Stale,
            () if has(&["duplicate"]) => Self::Duplicate,
            () if has(&["above target", "low diff", "difficulty too low"]) => Self::LowDifficulty,
            () if has(&["unauthorized", "not subscribed", "worker mismatch"]) => Self::Unauthorized,
            () if has(&["ntime"]) => Self::Ntime,
            () if has(&["version mask", "version bits"]) => Self::VersionRolling,
            () if has(&["nonce2", "extranonce"]) => Self::ExtranonceSize,
            () if has(&["validation error", "invalid share"]) => Self::Invalid,
            () => Self::Other,
        }
    }

    /// The reason of this name; the inverse of [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Stable name for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::LowDifficulty => "low-difficulty",
            Self::UnknownJob => "unknown-job",
            Self::UnknownChannel => "unknown-channel",
            Self::ExtranonceSize => "extranonce-size",
            Self::VersionRolling => "version-rolling",
            Self::Ntime => "ntime",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Counts per [`RejectReason`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RejectCounts([u64; RejectReason::ALL.len()]);

impl RejectCounts {
    /// How many shares were refused for `reason`.
    pub fn get(&self, reason: RejectReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// The count of `reason`, to change it.
    pub fn get_mut(&mut self, reason: RejectReason) -> &mut u64 {
        self.0.get_mut(reason as usize).expect("one counter per reason by construction")
    }

    /// All refused shares.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Reasons with their counts, zeros left out.
    pub fn iter(&self) -> impl Iterator<Item = (RejectReason, u64)> + '_ {
        RejectReason::ALL.into_iter().map(|reason| (reason, self.get(reason))).filter(|(_, count)| *count > 0)
    }
}

/// The ledger of one scope. At all times `found` = the dropped + `submitted`, and
/// `submitted` = `accepted` + `rejected` + `pending` + `lost`: see [`ShareTotals::is_balanced`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ShareTotals {
    /// Nonces with an outcome.
    pub found: u64,
    /// [`DropReason::Stale`].
    pub stale: u64,
    /// [`DropReason::Duplicate`].
    pub duplicate: u64,
    /// [`DropReason::BelowTarget`].
    pub below_target: u64,
    /// [`DropReason::OutOfWindow`].
    pub out_of_window: u64,
    /// [`DropReason::HardwareError`].
    pub hardware_error: u64,
    /// [`DropReason::Suppressed`].
    pub suppressed: u64,
    /// Handed to the pool's writer.
    pub submitted: u64,
    /// Counted by the pool.
    pub accepted: u64,
    /// Refused by the pool.
    pub rejected: RejectCounts,
    /// No verdict yet.
    pub pending: u64,
    /// Never judged.
    pub lost: u64,
    /// Expected hashes of the submitted shares, each 2^256 / (share target + 1).
    pub submitted_work: f64,
    /// Expected hashes of the accepted shares.
    pub accepted_work: f64,
    /// Highest difficulty submitted.
    pub best_difficulty: Option<Difficulty>,
    /// Shares that met the network target.
    pub blocks: u64,
}

impl ShareTotals {
    /// Whether every nonce is in exactly one place.
    pub fn is_balanced(&self) -> bool {
        let dropped = self.stale
            + self.duplicate
            + self.below_target
            + self.out_of_window
            + self.hardware_error
            + self.suppressed;
        self.found == dropped + self.submitted
            && self.submitted == self.accepted + self.rejected.sum() + self.pending + self.lost
    }

    /// Adds the counters of another scope.
    pub fn add(&mut self, other: &Self) {
        let Self {
            found,
            stale,
            duplicate,
            below_target,
            out_of_window,
            hardware_error,
            suppressed,
            submitted,
            accepted,
            rejected,
            pending,
            lost,
            submitted_work,
            accepted_work,
            best_difficulty,
            blocks,
        } = other;
        self.found += found;
        self.stale += stale;
        self.duplicate += duplicate;
        self.below_target += below_target;
        self.out_of_window += out_of_window;
        self.hardware_error += hardware_error;
        self.suppressed += suppressed;
        self.submitted += submitted;
        self.accepted += accepted;
        for (reason, count) in rejected.iter() {
            *self.rejected.get_mut(reason) += count;
        }
        self.pending += pending;
        self.lost += lost;
        self.submitted_work += submitted_work;
        self.accepted_work += accepted_work;
        self.best_difficulty = match (self.best_difficulty, *best_difficulty) {
            (Some(a), Some(b)) => Some(if a < b { b } else { a }),
            (a, b) => a.or(b),
        };
        self.blocks += blocks;
    }
}

/// Hash rate over a sliding window, from verified nonces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateEstimate {
    /// Length of the window.
    pub window: Duration,
    /// Part of the window that was observed.
    pub observed: Duration,
    /// Absent while nothing was observed.
    pub hash_rate: Option<HashRate>,
    /// Verified nonces that it rests on.
    pub shares: u64,
    /// One standard error relative to the rate, 1/sqrt(shares); absent at no shares.
    pub relative_standard_error: Option<f64>,
}

/// Windows over which rates are estimated.
pub const RATE_WINDOWS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(24 * 60 * 60),
];

/// One share, with everything that is needed to check it. Nothing in it lies on the heap alone, so that counting and passing
/// on a share allocates nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Its number.
    pub id: ShareId,
    /// When the nonce was verified.
    pub found_at: SystemTime,
    /// The pool it was for.
    pub pool: PoolName,
    /// The connection it was for.
    pub connection: ConnectionId,
    /// Board that found it.
    pub board: BoardId,
    /// Thread that found it.
    pub thread: ThreadId,
    /// The pool's name of the job.
    pub job_id: Arc<str>,
    /// The 80-byte header.
    pub header: [u8; 80],
    /// Extranonce without the pool's prefix.
    pub extranonce: Extranonce,
    /// The pool's part of the extranonce, as it was when the job came.
    pub extranonce_prefix: Extranonce,
    /// Hash of the header, internal byte order (reverse of what explorers show).
    pub hash: [u8; 32],
    /// Difficulty of the hash.
    pub difficulty: Difficulty,
    /// Difficulty of the job's share target.
    pub share_difficulty: Difficulty,
    /// Greatest hash that was a share of the job.
    pub share_target: ShareTarget,
    /// What became of it so far.
    pub outcome: ShareOutcome,
    /// From the hand-over to the writer to the verdict.
    pub latency: Option<Duration>,
    /// Trace of its span.
    pub trace_id: Option<TraceId>,
    /// Whether it met the network target.
    pub block: bool,
}

/// Counters of one closed span of time, of one pool.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareBucket {
    /// Strictly increasing per database, without gaps.
    pub sequence: u64,
    /// Begin, a multiple of the length since the epoch.
    pub begin: SystemTime,
    /// Length.
    pub length: Duration,
    /// Pool that the counters belong to.
    pub pool: PoolName,
    /// What was added; its `pending` is always 0.
    pub added: ShareTotals,
    /// Change of the pending shares.
    pub pending_delta: i64,
    /// Hashes that the threads report to have computed for this pool.
    pub hashes: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_in_no_place_unbalances_the_ledger() {
        let mut totals =
            ShareTotals { found: 3, stale: 1, submitted: 2, accepted: 1, pending: 1, ..Default::default() };
        assert!(totals.is_balanced());
        totals.pending = 0;
        assert!(!totals.is_balanced());
        *totals.rejected.get_mut(RejectReason::Other) += 1;
        assert!(totals.is_balanced());
    }

    // V20
    #[test]
    fn sv1_errors_fall_into_the_right_bucket() {
        for (code, text, reason) in [
            (Some(20), "Other/Unknown", RejectReason::Other),
            (Some(20), "Duplicate", RejectReason::Duplicate),
            (Some(21), "Job not found", RejectReason::Stale),
            (Some(22), "duplicate share", RejectReason::Duplicate),
            (Some(23), "Low difficulty share", RejectReason::LowDifficulty),
            (Some(23), "stale", RejectReason::LowDifficulty),
            (Some(24), "Unauthorized worker", RejectReason::Unauthorized),
            (Some(25), "Not subscribed", RejectReason::Unauthorized),
            (Some(-32601), "unknown method", RejectReason::Other),
            (Some(-3), "Method not found", RejectReason::Other),
            (None, "Invalid JobID", RejectReason::Stale),
            (None, "STALE", RejectReason::Stale),
            (None, "Above target 2", RejectReason::LowDifficulty),
            (None, "Difficulty too low", RejectReason::LowDifficulty),
            (None, "unauthorized", RejectReason::Unauthorized),
            (None, "Ntime out of range", RejectReason::Ntime),
            (None, "Invalid version mask", RejectReason::VersionRolling),
            (None, "Invalid nonce2 length", RejectReason::ExtranonceSize),
            (None, "Worker mismatch", RejectReason::Unauthorized),
            (None, "nonce validation error", RejectReason::Invalid),
            (None, "", RejectReason::Other),
        ] {
            assert_eq!(RejectReason::from_sv1_error(code, text), reason, "{code:?} {text}");
        }
    }

    #[test]
    fn the_sum_of_balanced_ledgers_balances() {
        let mut a = ShareTotals { found: 2, duplicate: 1, submitted: 1, lost: 1, ..Default::default() };
        let mut b = ShareTotals { found: 1, submitted: 1, ..Default::default() };
        *b.rejected.get_mut(RejectReason::Stale) += 1;
        a.add(&b);
        assert!(a.is_balanced());
        assert_eq!((a.found, a.rejected.get(RejectReason::Stale)), (3, 1));
    }
}
