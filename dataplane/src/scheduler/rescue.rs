//! Blocks on their way to a pool, kept until it is known that they arrived: what a person needs to send one by hand goes to
//! the log when its connection did not send it, or when no acceptance came back.   Called by `share`.
//!
//! Source: stratum-client L5, U8. Only hashes that meet the target of a hard chain are kept, which bounds how many they are.

use super::verify::Checked;
use crate::{job::Job, thread::Nonce};
use mujina_core::{
    id::{ConnectionId, ShareId},
    share::{Share, ShareOutcome},
    units::ShareTarget,
};
use std::{collections::BTreeMap, sync::Arc};
use tracing::warn;

/// Blocks that were handed to their connections.
#[derive(Debug, Default)]
pub(super) struct Rescue(BTreeMap<ShareId, FoundBlock>);

/// Everything that is needed to send a block by hand, but the other transactions.
#[derive(Debug, Clone)]
pub(super) struct FoundBlock {
    connection: ConnectionId,
    job_id: Arc<str>,
    hash: [u8; 32],
    header: [u8; 80],
    coinbase: Vec<u8>,
}

impl FoundBlock {
    pub(super) fn new(nonce: &Nonce, checked: &Checked) -> Self {
        let Job { connection, label, coinbase_tx_prefix, extranonce_prefix, coinbase_tx_suffix, .. } = &*nonce.work.job;
        let coinbase =
            [&coinbase_tx_prefix[..], &extranonce_prefix[..], nonce.extranonce.as_bytes(), &coinbase_tx_suffix[..]];
        Self {
            connection: *connection,
            job_id: Arc::clone(label),
            hash: checked.hash,
            header: checked.header,
            coinbase: coinbase.concat(),
        }
    }

    /// Tells a person of it.
    pub(super) fn report(&self, outcome: &'static str) {
        let Self { connection, job_id, hash, header, coinbase } = self;
        warn!(
            connection.id = %connection,
            job.id = %job_id,
            block.hash = %ShareTarget::from_le_bytes(*hash),
            outcome,
            header = hex::encode(header),
            coinbase = hex::encode(coinbase),
            "block found, but its pool did not take it; it can be sent by hand"
        );
    }
}

impl Rescue {
    /// Keeps a block until its share is settled.
    pub(super) fn keep(&mut self, share: ShareId, block: FoundBlock) {
        self.0.insert(share, block);
    }

    /// A share has another outcome. Reports its block if that is not what was hoped for.
    pub(super) fn settle(&mut self, share: &Share) {
        if let Some((block, outcome)) = self.given_up(share) {
            block.report(outcome);
        }
    }

    fn given_up(&mut self, share: &Share) -> Option<(FoundBlock, &'static str)> {
        let outcome = match share.outcome {
            ShareOutcome::Pending => return None,
            ShareOutcome::Accepted => {
                self.0.remove(&share.id);
                return None;
            }
            ShareOutcome::Dropped(_) => "not sent",
            ShareOutcome::Rejected(reason) => reason.as_str(),
            ShareOutcome::Lost => "sent, and never answered",
        };
        self.0.remove(&share.id).map(|block| (block, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{extranonce::Extranonce, tests::job},
        scheduler::{slot::SlotSpace, verify::Fate},
        thread::{ThreadIndex, Work},
    };
    use mujina_core::{
        share::{DropReason, RejectReason},
        units::Difficulty,
    };
    use std::time::SystemTime;

    fn share(id: u64, outcome: ShareOutcome) -> Share {
        let difficulty = Difficulty::try_from(1.0).unwrap();
        Share {
            id: ShareId(id),
            found_at: SystemTime::UNIX_EPOCH,
            pool: "main".parse().unwrap(),
            connection: ConnectionId(1),
            board: "cpu".parse().unwrap(),
            thread: "cpu-0".parse().unwrap(),
            job_id: "1".into(),
            header: [4; 80],
            extranonce: Extranonce::new(&[7; 8]).unwrap(),
            extranonce_prefix: Extranonce::new(&[3; 4]).unwrap(),
            hash: [5; 32],
            difficulty,
            share_difficulty: difficulty,
            share_target: mujina_core::units::ShareTarget::MAX,
            outcome,
            latency: None,
            trace_id: None,
            block: true,
        }
    }

    fn block() -> FoundBlock {
        let job = Arc::new(Job { coinbase_tx_prefix: vec![1, 2].into(), coinbase_tx_suffix: vec![9].into(), ..job() });
        let slot = SlotSpace::new(8, [0; 32]).slot(0);
        let nonce = Nonce {
            thread: ThreadIndex(0),
            extranonce: Extranonce::new(&[7; 8]).unwrap(),
            version: job.version,
            ntime: job.min_ntime,
            nonce: 1,
            ticket_target: ShareTarget::MAX,
            found_at: job.received_at,
            work: Arc::new(Work { generation: 1, job, slot, ticket_target: ShareTarget::MAX }),
        };
        let fate = Fate::Submit { block: true, late: false };
        FoundBlock::new(&nonce, &Checked { header: [4; 80], hash: [5; 32], proves_work: true, fate })
    }

    #[test]
    fn block_that_its_pool_did_not_take_is_told_once_with_its_coinbase() {
        let (dropped, rejected) =
            (ShareOutcome::Dropped(DropReason::Stale), ShareOutcome::Rejected(RejectReason::Stale));
        for (outcome, told) in
            [(dropped, "not sent"), (rejected, "stale"), (ShareOutcome::Lost, "sent, and never answered")]
        {
            let mut rescue = Rescue::default();
            rescue.keep(ShareId(1), block());
            assert!(rescue.given_up(&share(1, ShareOutcome::Pending)).is_none(), "it may still be accepted");
            assert!(rescue.given_up(&share(2, outcome)).is_none(), "another share");
            let (block, why) = rescue.given_up(&share(1, outcome)).unwrap();
            assert_eq!((why, &block.coinbase[..]), (told, &[1, 2, 3, 3, 3, 3, 7, 7, 7, 7, 7, 7, 7, 7, 9][..]));
            assert_eq!((block.header, block.hash), ([4; 80], [5; 32]));
            assert!(rescue.given_up(&share(1, outcome)).is_none(), "{outcome:?} twice");
        }
    }

    #[test]
    fn accepted_block_is_forgotten() {
        let mut rescue = Rescue::default();
        rescue.keep(ShareId(1), block());
        assert!(rescue.given_up(&share(1, ShareOutcome::Accepted)).is_none());
        assert!(rescue.0.is_empty());
    }
}
