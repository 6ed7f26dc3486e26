//! The way of events out of a thread that must neither lose one nor hang.
//!
//! The scheduler takes events whatever happens and waits for no thread, so a full queue empties soon: as soon as the
//! scheduler runs again, if a busy or a stopped machine kept it from running. Only a thread that was told to end does not
//! wait longer than [`PATIENCE`] for that.

use crate::thread::{ThreadEvent, mailbox::MailboxReader};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// How long a thread that was told to end tries to get rid of an event.
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
        deliver(&self.0, event, |waited| gives_up(mailbox, waited))
    }
}

/// Whether a thread that waited so long drops its event and ends.
fn gives_up(mailbox: &MailboxReader, waited: Duration) -> bool {
    waited > PATIENCE && mailbox.is_told_to_stop()
}

/// Delivers the last event of a thread that is over, if anybody listens.
pub(super) fn last_words(events: &Sender<ThreadEvent>, event: ThreadEvent) {
    // A scheduler that has not taken it by then learns of the end by the closed channel.
    let _ = deliver(events, event, |waited| waited > PATIENCE);
}

fn deliver(
    events: &Sender<ThreadEvent>,
    mut event: ThreadEvent,
    give_up: impl Fn(Duration) -> bool,
) -> Result<(), Gone> {
    let since = Instant::now();
    loop {
        match events.try_send(event) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(Gone),
            Err(TrySendError::Full(_)) if give_up(since.elapsed()) => return Err(Gone),
            Err(TrySendError::Full(back)) => event = back,
        }
        std::thread::sleep(RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::{Assignment, mailbox::mailbox};

    #[test]
    fn thread_outlives_a_slow_scheduler_unless_it_was_told_to_end() {
        let (mailbox, reader) = mailbox();
        let long = 2 * PATIENCE;
        assert!(!gives_up(&reader, long), "no news");
        mailbox.put(Assignment::Idle);
        assert!(!gives_up(&reader, long), "news that do not end it");
        mailbox.put(Assignment::Stop);
        assert!(!gives_up(&reader, Duration::ZERO) && gives_up(&reader, long));
    }
}
