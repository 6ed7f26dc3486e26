//! From a nonce to a share: verification, the books, the span, and the hand-over to the connection without waiting.

use super::{
    state::{Now, State},
    verify::{self, Checked, Fate},
};
use crate::{
    job::Job,
    ledger::Place,
    pool::{ShareSubmission, Verdict},
    thread::Nonce,
    trace,
};
use mujina_core::{
    id::{PoolName, ShareId, ThreadId},
    share::{DropReason, Share, ShareOutcome},
    units::{Difficulty, ShareTarget},
};
use std::{collections::VecDeque, sync::Arc, time::Instant};
use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::{Span, field, info, info_span, warn};

/// Blocks that are remembered until the pool judged them: there is hardly ever one.
const BLOCKS: usize = 16;

/// Blocks on their way to a pool, on chains where one is worth something (stratum-client L5).
#[derive(Debug, Default)]
pub(super) struct Blocks(VecDeque<(ShareId, Nonce, Checked)>);

impl Blocks {
    fn remember(&mut self, share: ShareId, nonce: &Nonce, checked: &Checked) {
        if verify::is_lost_block(&nonce.work.job, checked.hash) {
            self.0.truncate(BLOCKS - 1);
            self.0.push_front((share, nonce.clone(), *checked));
        }
    }

    /// It did not reach the pool, or the connection ended without a verdict.
    pub(super) fn not_sent(&mut self, share: ShareId) {
        if let Some((nonce, checked)) = self.take(share) {
            report_lost_block(&nonce, &checked, "the connection ended before the pool had it");
        }
    }

    /// The pool judged it, or never did.
    pub(super) fn judged(&mut self, share: ShareId, verdict: Verdict) {
        match (self.take(share), verdict) {
            (Some((nonce, checked)), Verdict::Lost) => {
                report_lost_block(&nonce, &checked, "the pool never said whether it has it");
            }
            (Some((nonce, checked)), Verdict::Rejected(_)) => {
                report_lost_block(&nonce, &checked, "the pool refused it");
            }
            (_, Verdict::Accepted) | (None, _) => {}
        }
    }

    fn take(&mut self, share: ShareId) -> Option<(Nonce, Checked)> {
        let at = self.0.iter().position(|(id, ..)| *id == share)?;
        self.0.remove(at).map(|(_, nonce, checked)| (nonce, checked))
    }
}

/// Places in a connection's queue that only blocks may take.
const RESERVED_FOR_BLOCKS: usize = 16;

impl State {
    /// Gives a nonce its outcome, or hands it over as a share.
    pub(super) fn nonce(&mut self, nonce: &Nonce, now: Now) {
        let job = &*nonce.work.job;
        let place = Place { thread: nonce.thread, connection: job.connection };
        let Some(thread) = self.threads.get_mut(&nonce.thread) else {
            warn!(
                thread.index = nonce.thread.0,
                "nonce of a thread that never joined; this is a bug, please report it"
            );
            return;
        };
        let checked = match self.connections.get_mut(&job.connection) {
            Some(connection) => connection.verifier.check(nonce, connection.job.as_deref(), now.at),
            None => verify::check_orphan(nonce),
        };
        if checked.proves_work {
            let work = nonce.work.ticket_target.expected_hashes();
            thread.pace.add(work, now.at);
            self.ledger.credit(place, work, now.at);
        }
        let is_share = !matches!(checked.fate, Fate::Drop(DropReason::HardwareError | DropReason::BelowTarget));
        if let Some(connection) = self.connections.get_mut(&job.connection).filter(|_| is_share) {
            connection.starvation.fed(now.at);
        }
        match checked.fate {
            Fate::Drop(reason) => {
                self.ledger.drop_nonce(place, reason);
                let expected = matches!(reason, DropReason::HardwareError | DropReason::Duplicate);
                if !expected && verify::is_lost_block(job, checked.hash) {
                    report_lost_block(nonce, &checked, "its job or its connection is gone");
                }
            }
            Fate::Submit { block, late } => self.submit(nonce, &checked, block, late, now),
        }
    }

    fn submit(&mut self, nonce: &Nonce, checked: &Checked, block: bool, late: bool, now: Now) {
        let job = &*nonce.work.job;
        let found = self.connections.get(&job.connection).zip(self.threads.get(&nonce.thread));
        let Some((connection, thread)) = found else { return };
        self.last_share = self.last_share.next();
        let id = self.last_share;
        let difficulty = ShareTarget::from_le_bytes(checked.hash).difficulty();
        let span = open_span(id, &connection.pool, &thread.entry.id, job, difficulty);
        record_verification(&span, nonce, block, now.at);
        if block {
            let hash = ShareTarget::from_le_bytes(checked.hash);
            info!(pool.name = %connection.pool, share.id = %id, job.id = %job.label, block.hash = %hash, late, "block found");
        }
        let share = Arc::new(Share {
            id,
            found_at: now.wall,
            pool: connection.pool.clone(),
            connection: job.connection,
            board: thread.entry.board.clone(),
            thread: thread.entry.id.clone(),
            job_id: job.label.to_string(),
            header: checked.header,
            extranonce: nonce.extranonce.as_bytes().to_vec(),
            hash: checked.hash,
            difficulty,
            share_difficulty: job.share_target.difficulty(),
            outcome: ShareOutcome::Pending,
            latency: None,
            trace_id: trace::trace_id(&span),
            block,
        });
        let submission = ShareSubmission {
            id,
            job: job.handle,
            extranonce: nonce.extranonce,
            ntime: nonce.ntime,
            nonce: nonce.nonce,
            version: nonce.version,
            block,
            hash: checked.hash,
            span,
        };
        let refused = offer(&connection.shares, submission);
        let place = Place { thread: nonce.thread, connection: job.connection };
        self.ledger.hand_over(place, share, job.share_target.expected_hashes());
        if let Some(reason) = refused {
            let dropped = self.ledger.not_sent(id, reason);
            self.announce(dropped);
            if verify::is_lost_block(job, checked.hash) {
                report_lost_block(nonce, checked, "its connection could not take it");
            }
        } else {
            self.blocks.remember(id, nonce, checked);
        }
    }
}

/// Puts a share into a connection's queue, if there is room. Blocks find some kept free.
fn offer(queue: &mpsc::Sender<ShareSubmission>, submission: ShareSubmission) -> Option<DropReason> {
    let reserved = RESERVED_FOR_BLOCKS.min(queue.max_capacity() / 8);
    let refused = if !submission.block && queue.capacity() <= reserved && !queue.is_closed() {
        Some((DropReason::Suppressed, submission.span))
    } else {
        match queue.try_send(submission) {
            Ok(()) => None,
            Err(TrySendError::Full(submission)) => Some((DropReason::Suppressed, submission.span)),
            // It takes no more shares: its jobs are over.
            Err(TrySendError::Closed(submission)) => Some((DropReason::Stale, submission.span)),
        }
    };
    refused.map(|(reason, span)| {
        span.record("verdict", if reason == DropReason::Stale { "stale" } else { "suppressed" });
        reason
    })
}

/// The span of a share, closed by its connection with the verdict. Shares of a connection's first job continue its trace;
/// later ones begin their own.
fn open_span(id: ShareId, pool: &PoolName, thread: &ThreadId, job: &Job, difficulty: Difficulty) -> Span {
    let span = info_span!(
        parent: None,
        "share",
        share.id = %id,
        pool.name = %pool,
        job.id = %job.label,
        thread.id = %thread,
        share.difficulty = difficulty.as_f64(),
        verdict = field::Empty,
    );
    if job.first {
        job.origin.adopt(&span);
    } else {
        job.origin.link(&span);
    }
    span
}

/// The `verify` span. Most nonces are no shares and have no span, so it is opened when verification is over already: how
/// long the nonce waited and was verified stands in a field.
fn record_verification(share: &Span, nonce: &Nonce, block: bool, now: Instant) {
    let since_found = now.saturating_duration_since(nonce.found_at);
    let _verify =
        info_span!(parent: share, "verify", nonce.age_us = since_found.as_secs_f64() * 1e6, share.block = block)
            .entered();
}

/// A block that cannot be sent any more: everything that a person needs to send it by hand (stratum-client L5).
fn report_lost_block(nonce: &Nonce, checked: &Checked, why: &str) {
    let job = &*nonce.work.job;
    let coinbase = [
        &job.coinbase_tx_prefix[..],
        &job.extranonce_prefix[..],
        nonce.extranonce.as_bytes(),
        &job.coinbase_tx_suffix[..],
    ];
    warn!(
        connection.id = %job.connection,
        job.id = %job.label,
        block.hash = %ShareTarget::from_le_bytes(checked.hash),
        header = hex::encode(checked.header),
        coinbase = coinbase.map(hex::encode).concat(),
        why,
        "block found that the pool may not have; send it by another way"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{extranonce::Extranonce, header, tests::job},
        log_lines::LogLines,
        scheduler::slot::SlotSpace,
        thread::{ThreadIndex, Work},
    };
    use mujina_core::share::RejectReason;

    /// A nonce whose hash would be a block of mainnet: that none is found in a test is why it is only said to be one.
    fn block() -> (Nonce, Checked) {
        let job = Arc::new(Job { network_target: ShareTarget::from_compact(0x1702_3a04).unwrap(), ..job() });
        let slot = SlotSpace::new(8, [0; 32]).slot(0);
        let found_at = job.received_at;
        let nonce = Nonce {
            thread: ThreadIndex(0),
            extranonce: Extranonce::new(&[0xe5; 8]).unwrap(),
            version: job.version,
            ntime: job.min_ntime,
            nonce: 1,
            found_at,
            work: Arc::new(Work { generation: 1, job, slot, ticket_target: ShareTarget::MAX }),
        };
        let fate = Fate::Submit { block: true, late: false };
        (nonce, Checked { header: [0xab; header::HEADER_LEN], hash: [0; 32], proves_work: true, fate })
    }

    // L5
    #[test]
    fn block_that_the_pool_may_not_have_is_logged_with_all_that_it_takes_to_send_it() {
        let (lines, _guard) = LogLines::take();
        let (nonce, checked) = block();
        let mut blocks = Blocks::default();
        for id in 1..=5 {
            blocks.remember(ShareId(id), &nonce, &checked);
        }
        blocks.judged(ShareId(1), Verdict::Accepted);
        assert!(lines.all().is_empty());
        blocks.judged(ShareId(2), Verdict::Lost);
        blocks.judged(ShareId(3), Verdict::Rejected(RejectReason::Stale));
        blocks.not_sent(ShareId(4));
        let logged = lines.all();
        assert_eq!(logged.len(), 3);
        for (line, why) in logged.iter().zip(["never said", "refused", "ended before"]) {
            assert!(line.contains(why) && line.contains(&"ab".repeat(80)), "{line}");
            let coinbase = ["01".repeat(60), "03".repeat(4), "e5".repeat(8), "02".repeat(60)].concat();
            assert!(line.contains(&coinbase), "{line}");
        }
        // Said once, and nothing of shares that were no blocks.
        blocks.not_sent(ShareId(2));
        blocks.remember(ShareId(6), &nonce, &Checked { hash: [0xff; 32], ..checked });
        blocks.judged(ShareId(6), Verdict::Lost);
        assert_eq!(lines.all().len(), 3);
    }

    #[test]
    fn remembered_blocks_are_bounded() {
        let (nonce, checked) = block();
        let mut blocks = Blocks::default();
        for id in 0..100 {
            blocks.remember(ShareId(id), &nonce, &checked);
        }
        assert_eq!(blocks.0.len(), BLOCKS);
    }
}
