//! Tokens are tried here: one that is right passes whatever was tried before it, one that is wrong is charged to its source.
//!
//! Looking a token up is one indexed read. While a source owes, its tokens are looked up one after another, so that trying
//! takes no more than one reader of the database.

use super::Attempts;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex as Turn, MutexGuard as Taken},
    time::timeout,
};

/// How long somebody waits for the turn; thousands are through by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// Failed attempts of late. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trials(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    attempts: Mutex<Attempts>,
    turn: Turn<()>,
}

impl Trials {
    /// No attempts yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(Shared { attempts: Mutex::new(Attempts::new(now)), turn: Turn::new(()) }))
    }

    /// Waits until this source may look a token up; what is returned is held meanwhile.
    ///
    /// # Errors
    /// Too many are before it: how long to wait.
    ///
    /// # Cancel safety
    /// Safe; the place in the queue is lost.
    pub async fn turn(&self, source: IpAddr, now: Instant) -> Result<Option<Taken<'_, ()>>, Duration> {
        let wait = self.attempts().wait(source, now);
        if wait.is_zero() {
            return Ok(None);
        }
        timeout(PATIENCE, self.0.turn.lock()).await.map(Some).map_err(|_| wait)
    }

    /// Charges a wrong token to its source.
    ///
    /// # Errors
    /// It has tried too many: how long to wait. Nothing is charged then.
    pub fn wrong(&self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        self.attempts().charge(source, now)
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.0.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn those_who_owe_look_tokens_up_one_after_another_and_others_at_once() {
        let (now, [guessing, other]) = (Instant::now(), [1, 2].map(|last| IpAddr::from([192, 0, 2, last])));
        let trials = Trials::new(now);
        assert!(trials.turn(guessing, now).await.unwrap().is_none());
        while trials.wrong(guessing, now).is_ok() {}
        let first = trials.turn(guessing, now).await.unwrap();
        assert!(first.is_some());
        assert!(trials.turn(guessing, now).now_or_never().is_none());
        assert!(trials.turn(other, now).await.unwrap().is_none());
        drop(first);
        assert!(trials.turn(guessing, now).await.unwrap().is_some());
    }
}
