//! Events on their way to the scheduler, kept in order while its queue is full. A chain never waits for it: chips hash on and
//! work must be renewed in time.

use crate::thread::ThreadEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// Results that are kept: a second of the fastest chain, whose every result is told. Later ones are lost and counted.
const BACKLOG: usize = 32 * 1024;
/// What other events may take beyond that. They are few, and losing one would leave the scheduler with a wrong picture.
const RESERVE: usize = 256;

/// Nobody takes events: the chain has no more purpose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

#[derive(Debug)]
pub(super) struct Outbox {
    events: Sender<ThreadEvent>,
    waiting: VecDeque<ThreadEvent>,
    lost: u64,
}

impl Outbox {
    pub(super) fn new(events: Sender<ThreadEvent>) -> Self {
        Self { events, waiting: VecDeque::new(), lost: 0 }
    }

    /// Hands an event on, now or later.
    pub(super) fn send(&mut self, event: ThreadEvent) -> Result<(), Gone> {
        let most = match event {
            ThreadEvent::Nonce(_) | ThreadEvent::Discarded { .. } => BACKLOG,
            _ => BACKLOG + RESERVE,
        };
        if self.waiting.len() >= most {
            self.lost += 1;
        } else {
            self.waiting.push_back(event);
        }
        self.flush()
    }

    /// Hands on what there is room for.
    pub(super) fn flush(&mut self) -> Result<(), Gone> {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return Err(Gone),
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Waits for room, if there is need of any; for ever otherwise.
    ///
    /// # Cancel safety
    /// Safe: the room is given back.
    pub(super) async fn room(&self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        // A closed queue is found by the flush that follows.
        drop(self.events.reserve().await);
    }

    /// Events that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::{Discard, ThreadIndex};
    use mujina_core::id::ConnectionId;
    use tokio::sync::mpsc;

    fn discarded(connection: u64) -> ThreadEvent {
        let connection = ConnectionId(connection);
        ThreadEvent::Discarded { thread: ThreadIndex(0), connection, reason: Discard::HardwareError }
    }

    #[tokio::test]
    async fn full_queue_keeps_the_order_and_counts_what_is_lost() {
        let (events, mut taken) = mpsc::channel(1);
        let mut outbox = Outbox::new(events);
        let many = u64::try_from(BACKLOG).unwrap() + 4;
        for number in 0..many {
            outbox.send(discarded(number)).unwrap();
        }
        let ended = ThreadEvent::Ended { thread: ThreadIndex(0), failure: None };
        outbox.send(ended).unwrap();
        assert_eq!(outbox.lost(), 3);
        let mut next = 0;
        while let Some(event) = taken.recv().await {
            match event {
                ThreadEvent::Discarded { connection, .. } => assert_eq!(connection, ConnectionId(next)),
                ThreadEvent::Ended { .. } => break,
                other => panic!("{other:?}"),
            }
            next += 1;
            outbox.room_or_nothing().await;
            outbox.flush().unwrap();
        }
        assert_eq!(next, many - 3);
        drop(taken);
        assert_eq!(outbox.send(discarded(0)), Err(Gone));
    }

    impl Outbox {
        async fn room_or_nothing(&self) {
            if !self.waiting.is_empty() {
                self.room().await;
            }
        }
    }
}
