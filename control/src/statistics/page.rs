//! Decides what of a page of buckets is new, and what was gone before it could be collected. Pure.

use mujina_core::share::{ShareBucket, ShareTotals};
use std::time::{Duration, SystemTime};

/// Most buckets of one page.
pub const PAGE: u32 = 360;
/// Most of anything that one bucket counts, in either direction: sums over every bucket that can be kept stay far within what
/// a signed 64-bit number holds.
const MOST_COUNTED: u64 = 1 << 40;
/// Most hashes of one bucket: beyond all that exist, and sums of squares stay finite.
const MOST_HASHES: f64 = 1e60;
/// Longest bucket.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// By how much the clock of a miner may be ahead.
const AHEAD: Duration = Duration::from_secs(60 * 60);

/// Closed buckets as a miner gives them, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketPage {
    /// Identifies the miner's database.
    pub database_id: String,
    /// Oldest first.
    pub buckets: Vec<ShareBucket>,
    /// Oldest that the miner still keeps.
    pub oldest_sequence: u64,
}

/// What is stored of a miner's database already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The miner is new: what it dropped before was never ours to collect.
    NewMiner,
    /// The miner is known and its database is new: it counts from 1.
    NewDatabase,
    /// Everything up to this sequence.
    After(u64),
}

/// What to store.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Buckets that are new.
    pub buckets: Vec<ShareBucket>,
    /// How many are missing right before these buckets.
    pub gaps: Vec<(ShareBucket, u64)>,
    /// The cursor behind them.
    pub after: u64,
}

/// A page that breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Sequences do not increase.
    #[error("the miner sent bucket {next} after bucket {before}; its statistics cannot be trusted: update the miner")]
    Disorder {
        /// The sequence before.
        before: u64,
        /// The one that should be greater.
        next: u64,
    },
    /// No database named.
    #[error("the miner does not say which database its statistics are of; update the miner")]
    NoDatabase,
    /// More than was asked for.
    #[error("the miner sent {0} buckets at once, more than the {PAGE} that it was asked for; update the miner")]
    TooMany(usize),
    /// No database counts that far, and gaps are summed.
    #[error(
        "the miner numbers a bucket {0}, which no database reaches; its statistics cannot be trusted: update the miner"
    )]
    Sequence(u64),
    /// A number that cannot be.
    #[error(
        "the miner sent bucket {sequence} with {what} that cannot be; its statistics cannot be trusted: update the miner"
    )]
    Impossible {
        /// Its number.
        sequence: u64,
        /// What of it.
        what: &'static str,
    },
    /// Its clock is wrong, or ours.
    #[error(
        "the miner's bucket {sequence} begins {} minutes from now; set the clock of the miner, or of this machine",
        ahead.as_secs() / 60
    )]
    Ahead {
        /// Its number.
        sequence: u64,
        /// By how much.
        ahead: Duration,
    },
}

/// What of `page` is new behind `position`.
///
/// # Errors
/// See [`PageError`].
pub fn batch(position: Position, page: &BucketPage, now: SystemTime) -> Result<Batch, PageError> {
    check(page, now)?;
    let first = page.buckets.first().map_or(page.oldest_sequence, |bucket| bucket.sequence);
    let mut after = match position {
        Position::NewMiner => first.saturating_sub(1),
        Position::NewDatabase => 0,
        Position::After(sequence) => sequence,
    };
    let (mut buckets, mut gaps, mut before) = (Vec::new(), Vec::new(), None);
    for bucket in &page.buckets {
        let next = bucket.sequence;
        if let Some(before) = before.filter(|before| *before >= next) {
            return Err(PageError::Disorder { before, next });
        }
        before = Some(next);
        if next <= after {
            continue;
        }
        let missing = next - after - 1;
        if missing > 0 {
            gaps.push((bucket.clone(), missing));
        }
        buckets.push(bucket.clone());
        after = next;
    }
    Ok(Batch { buckets, gaps, after })
}

/// Whether a page can be believed: what is stored of one miner is added to that of all others.
fn check(page: &BucketPage, now: SystemTime) -> Result<(), PageError> {
    let BucketPage { database_id, buckets, oldest_sequence } = page;
    if database_id.is_empty() {
        return Err(PageError::NoDatabase);
    }
    if !u32::try_from(buckets.len()).is_ok_and(|sent| sent <= PAGE) {
        return Err(PageError::TooMany(buckets.len()));
    }
    if *oldest_sequence > MOST_COUNTED {
        return Err(PageError::Sequence(*oldest_sequence));
    }
    buckets.iter().try_for_each(|bucket| check_bucket(bucket, now))
}

fn check_bucket(bucket: &ShareBucket, now: SystemTime) -> Result<(), PageError> {
    let ShareBucket { sequence, begin, length, pool: _, added, pending_delta, hashes } = bucket;
    let sequence = *sequence;
    let impossible = |what| Err(PageError::Impossible { sequence, what });
    if sequence > MOST_COUNTED {
        return Err(PageError::Sequence(sequence));
    }
    if length.is_zero() || *length > LONGEST {
        return impossible("a length");
    }
    if !are_countable(added) || pending_delta.unsigned_abs() > MOST_COUNTED {
        return impossible("a count");
    }
    if ![*hashes, added.submitted_work, added.accepted_work].iter().all(|one| (0.0..=MOST_HASHES).contains(one)) {
        return impossible("a number of hashes");
    }
    match begin.duration_since(now) {
        Ok(ahead) if ahead > AHEAD => Err(PageError::Ahead { sequence, ahead }),
        _ => Ok(()),
    }
}

/// Whether no counter is beyond what can be summed.
fn are_countable(totals: &ShareTotals) -> bool {
    let ShareTotals {
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
        submitted_work: _,
        accepted_work: _,
        best_difficulty: _,
        blocks,
    } = totals;
    [
        *found,
        *stale,
        *duplicate,
        *below_target,
        *out_of_window,
        *hardware_error,
        *suppressed,
        *submitted,
        *accepted,
        *pending,
        *lost,
        *blocks,
    ]
    .into_iter()
    .chain(rejected.iter().map(|(_, count)| count))
    .all(|count| count <= MOST_COUNTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::share::RejectReason;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn page(sequences: &[u64]) -> BucketPage {
        let bucket = |sequence: &u64| ShareBucket {
            sequence: *sequence,
            begin: UNIX_EPOCH + Duration::from_secs(10 * sequence),
            length: Duration::from_secs(10),
            pool: "main".parse().unwrap(),
            added: ShareTotals::default(),
            pending_delta: 0,
            hashes: 0.0,
        };
        let oldest_sequence = sequences.first().copied().unwrap_or(1);
        BucketPage { database_id: "d".into(), buckets: sequences.iter().map(bucket).collect(), oldest_sequence }
    }

    fn missing(position: Position, sequences: &[u64]) -> u64 {
        batch(position, &page(sequences), now()).unwrap().gaps.iter().map(|(_, missing)| missing).sum()
    }

    #[test]
    fn buckets_dropped_before_the_first_contact_are_not_missed() {
        assert_eq!(missing(Position::NewMiner, &[500, 501]), 0);
        assert_eq!(missing(Position::NewDatabase, &[3]), 2);
        assert_eq!(missing(Position::After(7), &[10, 11, 13]), 3);
    }

    #[test]
    fn disorder_and_a_nameless_database_are_refused() {
        let disorder = PageError::Disorder { before: 5, next: 5 };
        assert_eq!(batch(Position::After(1), &page(&[4, 5, 5]), now()), Err(disorder));
        let nameless = BucketPage { database_id: String::new(), ..page(&[1]) };
        assert_eq!(batch(Position::NewMiner, &nameless, now()), Err(PageError::NoDatabase));
    }

    /// What is said to a page whose second bucket was changed.
    fn refused(change: impl Fn(&mut ShareBucket)) -> Option<PageError> {
        let mut page = page(&[1, 2, 3]);
        change(&mut page.buckets[1]);
        batch(Position::NewDatabase, &page, now()).err()
    }

    #[test]
    fn numbers_that_no_miner_can_count_are_refused() {
        let impossible = |what| Some(PageError::Impossible { sequence: 2, what });
        for count in [u64::MAX, MOST_COUNTED + 1] {
            assert_eq!(refused(|bucket| bucket.added.accepted = count), impossible("a count"));
            assert_eq!(
                refused(|bucket| *bucket.added.rejected.get_mut(RejectReason::Ntime) = count),
                impossible("a count")
            );
        }
        assert_eq!(refused(|bucket| bucket.pending_delta = i64::MIN), impossible("a count"));
        for hashes in [f64::NAN, f64::INFINITY, -1.0, f64::MAX] {
            assert_eq!(refused(|bucket| bucket.hashes = hashes), impossible("a number of hashes"));
            assert_eq!(refused(|bucket| bucket.added.submitted_work = hashes), impossible("a number of hashes"));
            assert_eq!(refused(|bucket| bucket.added.accepted_work = hashes), impossible("a number of hashes"));
        }
        for length in [Duration::ZERO, LONGEST + Duration::from_secs(1), Duration::MAX] {
            assert_eq!(refused(|bucket| bucket.length = length), impossible("a length"));
        }
        assert_eq!(refused(|bucket| bucket.added.accepted = MOST_COUNTED), None);
    }

    #[test]
    fn sequences_beyond_what_can_be_summed_and_pages_beyond_what_was_asked_for_are_refused() {
        let beyond = MOST_COUNTED + 1;
        let sequence = Some(PageError::Sequence(beyond));
        assert_eq!(batch(Position::NewMiner, &page(&[1, beyond]), now()).err(), sequence);
        let empty = BucketPage { oldest_sequence: beyond, ..page(&[]) };
        assert_eq!(batch(Position::NewMiner, &empty, now()).err(), sequence);
        let long: Vec<_> = (1..=361).collect();
        assert_eq!(batch(Position::NewMiner, &page(&long), now()).err(), Some(PageError::TooMany(361)));
    }

    #[test]
    fn bucket_of_a_clock_that_is_far_ahead_is_refused_with_what_to_do() {
        let (hour, minute) = (Duration::from_secs(60 * 60), Duration::from_secs(60));
        assert_eq!(refused(|bucket| bucket.begin = now() + hour), None);
        let error = refused(|bucket| bucket.begin = now() + hour + minute).unwrap();
        assert!(error.to_string().contains("begins 61 minutes from now; set the clock"), "{error}");
    }

    proptest! {
        #[test]
        fn pages_that_overlap_store_every_bucket_once(
            stored in 0..50_u64, cuts in prop::collection::vec((0..50_u64, 1..20_u64), 1..12),
        ) {
            let mut after = stored;
            let mut kept: Vec<_> = (1..=stored).collect();
            for (begin, length) in cuts {
                // A page never begins beyond what a miner would give for the cursor.
                let begin = begin.min(after) + 1;
                let sequences: Vec<_> = (begin..begin + length).collect();
                let batch = batch(Position::After(after), &page(&sequences), now()).unwrap();
                prop_assert!(batch.gaps.is_empty());
                kept.extend(batch.buckets.iter().map(|bucket| bucket.sequence));
                after = batch.after;
            }
            prop_assert_eq!(kept, (1..=after).collect::<Vec<_>>());
        }
    }
}
