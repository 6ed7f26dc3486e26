//! A place for one assignment, where the newest replaces what was not taken: writing never waits, whatever the reader does.

use super::Assignment;
use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::Notify;

#[derive(Debug)]
struct Shared {
    newest: Mutex<Assignment>,
    changed: Condvar,
    /// Wakes a reader that is a task; to one that is a thread it costs nothing.
    woken: Notify,
    /// Counts puts, so that a busy reader can look without the lock.
    sequence: AtomicU64,
}

/// The scheduler's side.
#[derive(Debug)]
pub struct Mailbox(Arc<Shared>);

/// The thread's side.
#[derive(Debug)]
pub struct MailboxReader {
    shared: Arc<Shared>,
    seen: u64,
}

/// An empty mailbox: its first assignment is [`Assignment::Idle`].
#[must_use]
pub fn mailbox() -> (Mailbox, MailboxReader) {
    let shared = Arc::new(Shared {
        newest: Mutex::new(Assignment::Idle),
        changed: Condvar::new(),
        woken: Notify::new(),
        sequence: AtomicU64::new(0),
    });
    (Mailbox(Arc::clone(&shared)), MailboxReader { shared, seen: 0 })
}

impl Mailbox {
    /// Replaces whatever was there.
    pub fn put(&self, assignment: Assignment) {
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = assignment;
        self.0.sequence.fetch_add(1, Ordering::Release);
        self.0.changed.notify_one();
        self.0.woken.notify_one();
    }
}

/// A scheduler that is gone cannot stop its threads by hand.
impl Drop for Mailbox {
    fn drop(&mut self) {
        self.put(Assignment::Stop);
    }
}

impl MailboxReader {
    /// Whether something came since the last take. Costs one load: meant for the inner loop.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.shared.sequence.load(Ordering::Acquire) != self.seen
    }

    /// Whether the newest assignment, taken or not, is to end. Takes the lock.
    #[must_use]
    pub fn is_told_to_stop(&self) -> bool {
        let newest = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*newest, Assignment::Stop)
    }

    /// The newest assignment, if it was not taken yet.
    pub fn try_take(&mut self) -> Option<Assignment> {
        if !self.has_news() {
            return None;
        }
        let newest = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.seen = self.shared.sequence.load(Ordering::Acquire);
        Some(newest.clone())
    }

    /// Waits until something came since the last take, without taking it.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken.
    pub async fn changed(&self) {
        while !self.has_news() {
            self.shared.woken.notified().await;
        }
    }

    /// Sleeps until something comes, or until `deadline`.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Option<Assignment> {
        let mut newest = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.has_news() {
            newest = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.shared.changed.wait(newest).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return None,
                Some(left) => self.shared.changed.wait_timeout(newest, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        self.seen = self.shared.sequence.load(Ordering::Acquire);
        Some(newest.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn newest_assignment_replaces_one_that_was_not_taken() {
        let (mailbox, mut reader) = mailbox();
        assert!(reader.try_take().is_none());
        mailbox.put(Assignment::Idle);
        mailbox.put(Assignment::Stop);
        assert!(matches!(reader.try_take(), Some(Assignment::Stop)));
        assert!(reader.try_take().is_none());
    }

    #[test]
    fn sleeping_reader_is_woken_by_an_assignment() {
        let (mailbox, mut reader) = mailbox();
        let sleeper = std::thread::spawn(move || reader.wait(None));
        mailbox.put(Assignment::Idle);
        assert!(matches!(sleeper.join().unwrap(), Some(Assignment::Idle)));
    }

    #[tokio::test]
    async fn waiting_task_is_woken_by_an_assignment_and_leaves_it_to_be_taken() {
        let (mailbox, mut reader) = mailbox();
        let wait = async {
            reader.changed().await;
            reader.try_take()
        };
        let put = async { mailbox.put(Assignment::Stop) };
        let (taken, ()) = tokio::join!(wait, put);
        assert!(matches!(taken, Some(Assignment::Stop)));
        mailbox.put(Assignment::Idle);
        reader.changed().await;
        assert!(reader.has_news());
    }

    #[test]
    fn wait_ends_at_its_deadline() {
        let (_mailbox, mut reader) = mailbox();
        assert!(reader.wait(Some(Instant::now() + Duration::from_millis(1))).is_none());
    }

    #[test]
    fn dropped_mailbox_stops_its_thread() {
        let (mailbox, mut reader) = mailbox();
        drop(mailbox);
        assert!(matches!(reader.wait(None), Some(Assignment::Stop)));
    }
}
