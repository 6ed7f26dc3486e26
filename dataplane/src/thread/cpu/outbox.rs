//! The way of events out of a thread that must neither lose one nor hang.
//!
//! The scheduler takes events whatever happens and waits for no thread, so a full queue empties soon. Should it not, a thread
//! that has been given something else waits no longer than [`PATIENCE`].

use crate::thread::{ThreadEvent, mailbox::MailboxReader};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// How long a thread that has news tries to get rid of an event.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries; the queue empties in far less once the scheduler runs.
const RETRY: Duration = Duration::from_micros(50);

/// Nobody takes events: the thread has no more purpose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

#[derive(Debug)]
pub(super) struct Outbox(Sender<ThreadEvent>);

impl Outbox {
    pub(super) fn new(events: Sender<ThreadEvent>) -> Self {
        Self(events)
    }

    /// Delivers, waiting for room as long as it makes sense.
    pub(super) fn send(&self, event: ThreadEvent, mailbox: &MailboxReader) -> Result<(), Gone> {
        deliver(&self.0, event, |since| mailbox.has_news() && since.elapsed() > PATIENCE)
    }
}

/// Delivers the last event of a thread that is over, if anybody listens.
pub(super) fn last_words(events: &Sender<ThreadEvent>, event: ThreadEvent) {
    // A scheduler that has not taken it by then learns of the end by the closed channel.
    let _ = deliver(events, event, |since| since.elapsed() > PATIENCE);
}

fn deliver(
    events: &Sender<ThreadEvent>,
    mut event: ThreadEvent,
    give_up: impl Fn(Instant) -> bool,
) -> Result<(), Gone> {
    let since = Instant::now();
    loop {
        match events.try_send(event) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(Gone),
            Err(TrySendError::Full(_)) if give_up(since) => return Err(Gone),
            Err(TrySendError::Full(back)) => event = back,
        }
        std::thread::sleep(RETRY);
    }
}
