//! Hashing simulated in time: a hash thread that really hashes, a little at a time, so that a thousand of them fit on a core.

use mujina_core::units::HashRate;
use mujina_dataplane::{
    job::header,
    miner::GuestThreads,
    thread::{
        Assignment, Nonce, ThreadEntry, ThreadEvent, ThreadIndex, Work,
        mailbox::{MailboxReader, mailbox},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// How often it hashes what it would have hashed since.
const TURN: Duration = Duration::from_secs(1);

/// One thread of this rate. It runs as a task of the mining side's own runtime.
#[must_use]
pub(super) fn simulated(rate: HashRate) -> GuestThreads {
    Box::new(move |events| {
        let (mailbox, reader) = mailbox();
        let index = ThreadIndex(0);
        let hasher = Hasher { index, rate, reader, events, work: None, nonce: 0, hashed: 0 };
        #[expect(clippy::disallowed_methods, reason = "it ends with its mailbox, which the scheduler holds")]
        tokio::spawn(hasher.run());
        let entry = ThreadEntry {
            index,
            id: "simulated-0".parse().expect("a valid name"),
            board: "simulated".parse().expect("a valid name"),
            nominal_hash_rate: rate,
            mailbox,
        };
        vec![entry]
    })
}

struct Hasher {
    index: ThreadIndex,
    rate: HashRate,
    reader: MailboxReader,
    events: mpsc::Sender<ThreadEvent>,
    work: Option<Arc<Work>>,
    nonce: u32,
    /// Hashes of this work that were told.
    hashed: u64,
}

impl Hasher {
    /// Until it is told to stop, or nobody listens any more.
    async fn run(mut self) {
        // Not all at the same moment.
        let mut turns = tokio::time::interval_at(tokio::time::Instant::now() + TURN.mul_f64(rand::random()), TURN);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut since = Instant::now();
        loop {
            let went_on = tokio::select! {
                biased;
                () = self.reader.changed() => self.take().await,
                _ = turns.tick() => {
                    let due = self.rate.hashes_per_second() * since.elapsed().as_secs_f64();
                    since = Instant::now();
                    self.hash(due).await
                }
            };
            if went_on.is_none() {
                break;
            }
        }
        let _ = self.events.send(ThreadEvent::Ended { thread: self.index, failure: None }).await;
    }

    async fn take(&mut self) -> Option<()> {
        let thread = self.index;
        match self.reader.try_take() {
            None => {}
            Some(Assignment::Stop) => return None,
            Some(Assignment::Idle) => {
                let generation = self.work.take().map_or(0, |work| work.generation);
                self.events.send(ThreadEvent::Idle { thread, generation }).await.ok()?;
            }
            Some(Assignment::Work(work)) => {
                let generation = work.generation;
                self.work = Some(work);
                self.hashed = 0;
                self.events.send(ThreadEvent::Started { thread, generation, gap: None }).await.ok()?;
            }
        }
        Some(())
    }

    /// Hashes about so many nonces of the work of the moment.
    async fn hash(&mut self, due: f64) -> Option<()> {
        let Some(work) = self.work.clone() else { return Some(()) };
        let now = Instant::now();
        if work.job.is_expired(now) {
            return Some(());
        }
        let ntime = work.job.max_ntime(now);
        let Some(extranonce) = work.slot.next(work.job.fingerprint(), ntime) else { return Some(()) };
        let version = work.job.version;
        let mut bytes = header::assemble(&work.job, extranonce.as_bytes(), version, ntime, 0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
        let count = due.max(1.0) as u32;
        let mut found = Vec::new();
        for _ in 0..count {
            self.nonce = self.nonce.wrapping_add(1);
            if let Some(place) = bytes.last_chunk_mut::<4>() {
                *place = self.nonce.to_le_bytes();
            }
            if work.ticket_target.is_met_by(header::hash(&bytes)) {
                found.push(self.nonce);
            }
        }
        work.slot.add_hashes(u64::from(count));
        for nonce in found {
            let nonce = Nonce {
                thread: self.index,
                work: work.clone(),
                extranonce,
                version,
                ntime,
                nonce,
                ticket_target: work.ticket_target,
                found_at: now,
            };
            self.events.send(ThreadEvent::Nonce(nonce)).await.ok()?;
        }
        Some(())
    }
}
