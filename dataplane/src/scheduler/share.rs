//! From a nonce to a share: verification, the books, the span, and the hand-over to the connection without waiting.

use super::{
    rescue::FoundBlock,
    state::{Now, State},
    verify::{self, Checked, Fate},
};
use crate::{job::Job, ledger::Place, pool::ShareSubmission, thread::Nonce, trace};
use mujina_core::{
    extranonce::Extranonce,
    id::{PoolName, ShareId, ThreadId},
    share::{DropReason, Share, ShareOutcome},
    units::{Difficulty, ShareTarget},
};
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::{Span, field, info, info_span, warn};

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
            let work = nonce.ticket_target.expected_hashes();
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
                    FoundBlock::new(nonce, &checked).report("not sent");
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
        let share = Share {
            id,
            found_at: now.wall,
            pool: connection.pool.clone(),
            connection: job.connection,
            board: thread.entry.board.clone(),
            thread: thread.entry.id.clone(),
            job_id: Arc::clone(&job.label),
            header: checked.header,
            extranonce: nonce.extranonce,
            extranonce_prefix: Extranonce::new(&job.extranonce_prefix).unwrap_or_default(),
            hash: checked.hash,
            difficulty,
            share_difficulty: job.share_target.difficulty(),
            share_target: job.share_target,
            outcome: ShareOutcome::Pending,
            latency: None,
            trace_id: trace::trace_id(&span),
            block,
        };
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
        if verify::is_lost_block(job, checked.hash) {
            self.rescue.keep(id, FoundBlock::new(nonce, checked));
        }
        if let Some(reason) = refused {
            let dropped = self.ledger.not_sent(id, reason);
            self.announce(dropped);
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
