//! Decides what of a page of buckets is new, and what was gone before it could be collected. Pure.

use mujina_core::share::ShareBucket;

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
}

/// What of `page` is new behind `position`.
///
/// # Errors
/// See [`PageError`].
pub fn batch(position: Position, page: &BucketPage) -> Result<Batch, PageError> {
    if page.database_id.is_empty() {
        return Err(PageError::NoDatabase);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::share::ShareTotals;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

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
        batch(position, &page(sequences)).unwrap().gaps.iter().map(|(_, missing)| missing).sum()
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
        assert_eq!(batch(Position::After(1), &page(&[4, 5, 5])), Err(disorder));
        let nameless = BucketPage { database_id: String::new(), ..page(&[1]) };
        assert_eq!(batch(Position::NewMiner, &nameless), Err(PageError::NoDatabase));
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
                let batch = batch(Position::After(after), &page(&sequences)).unwrap();
                prop_assert!(batch.gaps.is_empty());
                kept.extend(batch.buckets.iter().map(|bucket| bucket.sequence));
                after = batch.after;
            }
            prop_assert_eq!(kept, (1..=after).collect::<Vec<_>>());
        }
    }
}
