//! Decides what becomes of a nonce before anything is sent (stratum-client 4.5): pure, one verifier per connection.
//!
//! In order: version bits, header hash, ticket target, stale, share target (or block), duplicate, ntime window, flood cap.
//! The first that fails names the outcome.

use crate::{
    job::{Job, header},
    thread::Nonce,
};
use mujina_core::share::DropReason;
use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

/// Header hashes of a tip that are remembered (stratum-client U7).
const SEEN: usize = 4096;
/// Shares per second that a connection sends in the long run, and at once (stratum-client U10).
pub(super) const FLOOD_RATE: f64 = 20.0;
const FLOOD_BURST: f64 = 100.0;
/// Network difficulty from which on a block is worth sending when everything else speaks against it (stratum-client T6, U8).
const HARD_CHAIN: f64 = 1e6;

/// A nonce with its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    /// The header that was hashed. Zeros for a version that cannot be.
    pub(super) header: [u8; header::HEADER_LEN],
    /// Its hash, internal byte order.
    pub(super) hash: [u8; 32],
    /// Whether it proves hashing: it met its ticket target and was not counted before.
    pub(super) proves_work: bool,
    /// What follows.
    pub(super) fate: Fate,
}

/// What is to be done with a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Count it.
    Drop(DropReason),
    /// Send it.
    Submit {
        /// It meets the network target.
        block: bool,
        /// It is a block on a tip that is no longer the pool's: may still win (stratum-client U8).
        late: bool,
    },
}

/// What a connection remembers of its shares.
#[derive(Debug)]
pub(super) struct Verifier {
    tip: Option<[u8; 32]>,
    shares: Seen,
    /// Nonces that are no shares, so that a repeated one does not count twice as work.
    others: Seen,
    flood: TokenBucket,
}

impl Verifier {
    pub(super) fn new(now: Instant) -> Self {
        let flood = TokenBucket::new(FLOOD_RATE, FLOOD_BURST, now);
        Self { tip: None, shares: Seen::default(), others: Seen::default(), flood }
    }

    /// Learns of the connection's newest job. Hashes are forgotten only when the previous block is another.
    pub(super) fn job(&mut self, job: &Job) {
        if self.tip != Some(job.prev_hash) {
            self.tip = Some(job.prev_hash);
            self.shares.clear();
        }
    }

    /// Checks a nonce of this connection, whose newest job is `current`; `None` = its jobs are void.
    pub(super) fn check(&mut self, nonce: &Nonce, current: Option<&Job>, now: Instant) -> Checked {
        let job = &*nonce.work.job;
        let Some((header, hash)) = examine(nonce) else { return Checked::faulty() };
        if !nonce.work.ticket_target.is_met_by(hash) {
            return Checked { header, hash, ..Checked::faulty() };
        }
        let drop = |reason, proves_work| Checked { header, hash, proves_work, fate: Fate::Drop(reason) };
        let block = job.is_block(hash);
        let late = !current.is_some_and(|current| job.shares_tip_with(current));
        if late && !(block && is_hard(job)) {
            return drop(DropReason::Stale, self.others.insert(hash));
        }
        if !block && !job.share_target.is_met_by(hash) {
            return drop(DropReason::BelowTarget, self.others.insert(hash));
        }
        if !self.shares.insert(hash) {
            return drop(DropReason::Duplicate, false);
        }
        if nonce.ntime < job.min_ntime || nonce.ntime > job.max_ntime(now) {
            return drop(DropReason::OutOfWindow, true);
        }
        if !block && !self.flood.take(now) {
            return drop(DropReason::Suppressed, true);
        }
        Checked { header, hash, proves_work: true, fate: Fate::Submit { block, late } }
    }
}

impl Checked {
    fn faulty() -> Self {
        let fate = Fate::Drop(DropReason::HardwareError);
        Self { header: [0; header::HEADER_LEN], hash: [0xff; 32], proves_work: false, fate }
    }
}

/// Checks a nonce whose connection is gone: it is stale, or a hardware error all the same.
pub(super) fn check_orphan(nonce: &Nonce) -> Checked {
    match examine(nonce) {
        Some((header, hash)) if nonce.work.ticket_target.is_met_by(hash) => {
            Checked { header, hash, proves_work: false, fate: Fate::Drop(DropReason::Stale) }
        }
        Some((header, hash)) => Checked { header, hash, ..Checked::faulty() },
        None => Checked::faulty(),
    }
}

/// Whether a hash that is not sent would have been a block on a real chain: worth a line in the log, so that a person may
/// rescue it (stratum-client L5).
pub(super) fn is_lost_block(job: &Job, hash: [u8; 32]) -> bool {
    job.network_target.is_met_by(hash) && is_hard(job)
}

fn is_hard(job: &Job) -> bool {
    job.network_target.difficulty().as_f64() >= HARD_CHAIN
}

/// Header and hash; `None` when the version has bits that may not be rolled.
fn examine(nonce: &Nonce) -> Option<([u8; header::HEADER_LEN], [u8; 32])> {
    let job = &*nonce.work.job;
    if !job.allows_version(nonce.version) {
        return None;
    }
    let header = header::assemble(job, nonce.extranonce.as_bytes(), nonce.version, nonce.ntime, nonce.nonce);
    Some((header, header::hash(&header)))
}

/// The newest hashes of something; the oldest goes first.
#[derive(Debug, Default)]
struct Seen {
    set: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, hash: [u8; 32]) -> bool {
        if !self.set.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    fn clear(&mut self) {
        self.set.clear();
        self.order.clear();
    }
}

/// Lets events pass at a rate, with some in reserve.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    pub(super) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self { per_second, burst, tokens: burst, filled_at: now }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.filled_at = self.filled_at.max(now);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.per_second).min(self.burst);
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }

    /// When the next can be taken, at the latest.
    pub(super) fn next_at(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        // A microsecond more than it takes, so that rounding cannot leave it just short.
        self.filled_at + Duration::from_secs_f64(missing / self.per_second) + Duration::from_micros(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{extranonce::Extranonce, tests::job},
        scheduler::slot::SlotSpace,
        thread::{ThreadIndex, Work},
    };
    use mujina_core::units::ShareTarget;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn nothing_meets_it() -> ShareTarget {
        ShareTarget::from_be_bytes([0; 32])
    }

    fn nonce(job: &Job, ticket_target: ShareTarget, number: u32) -> Nonce {
        let slot = SlotSpace::new(8, [0; 32]).slot(0);
        Nonce {
            thread: ThreadIndex(0),
            work: Arc::new(Work { generation: 1, job: Arc::new(job.clone()), slot, ticket_target }),
            extranonce: Extranonce::new(&[5; 8]).unwrap(),
            version: job.version,
            ntime: job.min_ntime,
            nonce: number,
            found_at: job.received_at,
        }
    }

    fn fate_of(job: &Job, nonce: &Nonce, current: Option<&Job>) -> Fate {
        let mut verifier = Verifier::new(job.received_at);
        verifier.job(job);
        verifier.check(nonce, current, job.received_at).fate
    }

    #[test]
    fn good_share_is_sent_with_the_header_that_was_hashed() {
        let job = job();
        let nonce = nonce(&job, ShareTarget::MAX, 3);
        let mut verifier = Verifier::new(job.received_at);
        verifier.job(&job);
        let checked = verifier.check(&nonce, Some(&job), job.received_at);
        assert_eq!(checked.fate, Fate::Submit { block: false, late: false });
        assert!(checked.proves_work);
        assert_eq!(checked.header, header::assemble(&job, &[5; 8], job.version, job.min_ntime, 3));
        assert_eq!(checked.hash, header::hash(&checked.header));
    }

    #[test]
    fn each_fault_has_its_name_and_the_first_one_counts() {
        // Everything is wrong with this nonce; one fault after the other is mended.
        let mut tip = job();
        tip.share_target = nothing_meets_it();
        let mut other_tip = tip.clone();
        other_tip.prev_hash = [8; 32];
        let mut bad = nonce(&tip, nothing_meets_it(), 1);
        bad.version ^= 1;
        bad.ntime -= 1;
        let error = Fate::Drop(DropReason::HardwareError);
        assert_eq!(fate_of(&tip, &bad, Some(&other_tip)), error);
        bad.version ^= 1;
        assert_eq!(fate_of(&tip, &bad, Some(&other_tip)), error, "above its ticket target");
        bad.work = nonce(&tip, ShareTarget::MAX, 1).work;
        assert_eq!(fate_of(&tip, &bad, Some(&other_tip)), Fate::Drop(DropReason::Stale));
        assert_eq!(fate_of(&tip, &bad, None), Fate::Drop(DropReason::Stale));
        assert_eq!(fate_of(&tip, &bad, Some(&tip)), Fate::Drop(DropReason::BelowTarget));
        tip.share_target = ShareTarget::MAX;
        bad.work = nonce(&tip, ShareTarget::MAX, 1).work;
        let mut verifier = Verifier::new(tip.received_at);
        verifier.job(&tip);
        let mut check = |nonce: &Nonce| verifier.check(nonce, Some(&tip), tip.received_at).fate;
        assert_eq!(check(&bad), Fate::Drop(DropReason::OutOfWindow));
        assert_eq!(check(&bad), Fate::Drop(DropReason::Duplicate));
        bad.ntime += 1;
        assert_eq!(check(&bad), Fate::Submit { block: false, late: false });
    }

    #[test]
    fn rolled_version_is_allowed_inside_the_mask_only() {
        let mut job = job();
        let mut rolled = nonce(&job, ShareTarget::MAX, 1);
        rolled.version ^= 0x0000_2000;
        assert_eq!(fate_of(&job, &rolled, Some(&job)), Fate::Submit { block: false, late: false });
        job.version_mask = 0;
        rolled.work = nonce(&job, ShareTarget::MAX, 1).work;
        assert_eq!(fate_of(&job, &rolled, Some(&job)), Fate::Drop(DropReason::HardwareError));
    }

    #[test]
    fn ntime_may_follow_the_clock_and_not_overtake_it() {
        let job = job();
        let mut later = nonce(&job, ShareTarget::MAX, 1);
        later.ntime += 3;
        let mut verifier = Verifier::new(job.received_at);
        verifier.job(&job);
        let mut at = |millis, number| {
            later.nonce = number;
            verifier.check(&later, Some(&job), job.ntime_origin + Duration::from_millis(millis)).fate
        };
        assert_eq!(at(2999, 1), Fate::Drop(DropReason::OutOfWindow));
        assert_eq!(at(3000, 2), Fate::Submit { block: false, late: false });
    }

    #[test]
    fn duplicates_are_remembered_until_the_previous_block_changes() {
        let first = job();
        let share = nonce(&first, ShareTarget::MAX, 1);
        let mut verifier = Verifier::new(first.received_at);
        verifier.job(&first);
        let sent = Fate::Submit { block: false, late: false };
        assert_eq!(verifier.check(&share, Some(&first), first.received_at).fate, sent);
        // The same tip again, under another handle.
        let refreshed = job();
        verifier.job(&refreshed);
        let again = verifier.check(&share, Some(&refreshed), first.received_at);
        assert_eq!((again.fate, again.proves_work), (Fate::Drop(DropReason::Duplicate), false));
        let mut next = job();
        next.prev_hash = [9; 32];
        verifier.job(&next);
        assert_eq!(verifier.check(&share, Some(&next), first.received_at).fate, Fate::Drop(DropReason::Stale));
        verifier.job(&first);
        assert_eq!(verifier.check(&share, Some(&first), first.received_at).fate, sent);
    }

    #[test]
    fn repeated_nonce_that_is_no_share_proves_work_once() {
        let mut job = job();
        job.share_target = nothing_meets_it();
        let nonce = nonce(&job, ShareTarget::MAX, 1);
        let mut verifier = Verifier::new(job.received_at);
        let mut proves = || verifier.check(&nonce, Some(&job), job.received_at).proves_work;
        assert_eq!([proves(), proves()], [true, false]);
    }

    #[test]
    fn memory_of_hashes_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..10_000_u32 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_le_bytes());
            assert!(seen.insert(hash));
            assert_eq!(seen.set.len(), seen.order.len());
        }
        assert_eq!(seen.set.len(), SEEN);
        assert!(seen.insert([0; 32]), "the oldest went first");
    }

    #[test]
    fn block_on_a_tip_that_is_gone_is_sent_on_a_hard_chain_only() {
        // No hash found here meets a hard target; that such a one is sent late, the last line cannot show.
        let mut hard = job();
        hard.network_target = ShareTarget::from_compact(0x1702_9a8a).unwrap();
        assert!(is_hard(&hard) && !is_hard(&job()));
        let mut easy = job();
        easy.network_target = ShareTarget::MAX;
        let found = nonce(&easy, ShareTarget::MAX, 1);
        assert_eq!(fate_of(&easy, &found, Some(&easy)), Fate::Submit { block: true, late: false });
        let mut next = easy.clone();
        next.prev_hash = [8; 32];
        assert_eq!(fate_of(&easy, &found, Some(&next)), Fate::Drop(DropReason::Stale));
        assert!(is_lost_block(&hard, [0; 32]) && !is_lost_block(&hard, [0xff; 32]) && !is_lost_block(&easy, [0; 32]));
    }

    #[test]
    fn blocks_pass_the_flood_cap() {
        let mut easy = job();
        easy.network_target = ShareTarget::MAX;
        let mut verifier = Verifier::new(easy.received_at);
        verifier.job(&easy);
        for number in 0..200 {
            let checked = verifier.check(&nonce(&easy, ShareTarget::MAX, number), Some(&easy), easy.received_at);
            assert_eq!(checked.fate, Fate::Submit { block: true, late: false });
        }
    }

    #[test]
    fn flood_is_capped_at_a_burst_and_then_a_rate() {
        let job = job();
        let mut verifier = Verifier::new(job.received_at);
        verifier.job(&job);
        let mut number = 0;
        let mut sent_of = |count: u32, at: Instant| {
            let passed = |_: &u32| {
                number += 1;
                let checked = verifier.check(&nonce(&job, ShareTarget::MAX, number), Some(&job), at);
                assert!(checked.proves_work);
                checked.fate == Fate::Submit { block: false, late: false }
            };
            (0..count).filter(passed).count()
        };
        assert_eq!(sent_of(150, job.received_at), 100);
        assert_eq!(sent_of(150, job.received_at + Duration::from_secs(2)), 40);
    }

    #[test]
    fn orphan_is_stale_or_faulty() {
        let job = job();
        let reason = |nonce: &Nonce| check_orphan(nonce).fate;
        assert_eq!(reason(&nonce(&job, ShareTarget::MAX, 1)), Fate::Drop(DropReason::Stale));
        assert_eq!(reason(&nonce(&job, nothing_meets_it(), 1)), Fate::Drop(DropReason::HardwareError));
    }

    proptest! {
        #[test]
        fn bucket_never_lets_more_pass_than_burst_and_rate(steps in proptest::collection::vec((0..500_u64, 1..20_u32), 1..100)) {
            let start = Instant::now();
            let mut bucket = TokenBucket::new(20.0, 100.0, start);
            let (mut at, mut passed) = (start, 0_u32);
            for (millis, tries) in steps {
                at += Duration::from_millis(millis);
                let before = passed;
                passed += u32::try_from((0..tries).filter(|_| bucket.take(at)).count()).unwrap();
                prop_assert!(f64::from(passed) <= 100.0 + (at - start).as_secs_f64() * 20.0 + 1e-6);
                if passed - before < tries {
                    prop_assert!(bucket.next_at() > at && bucket.take(bucket.next_at()));
                    passed += 1;
                    at = bucket.next_at();
                }
            }
        }
    }
}
