//! Following one thing to its end: all of it, then what was written since.
//!
//! Its revisions are stored with it, so a reader begins again where it was, also over a restart. A reader costs one message
//! at a time: nothing is made before it is taken, and what happened meanwhile is told in one.

use super::resume::{Resume, resume_token};
use mujina_proto::failure::Failure;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tonic::Status;

/// Least time between two messages, so that a thousand targets do not make a thousand of them.
const PACE: Duration = Duration::from_millis(50);

/// What is followed, as its reader sees it.
pub(super) trait Followed: Send + Sync {
    /// A message of it.
    type Message;
    /// The message with its place in the stream.
    type Answer;

    /// It with those of its parts that were written after a revision; with all of them after none.
    fn read(&self, seen: Option<u64>) -> impl Future<Output = Result<Found<Self::Message>, Failure>> + Send;

    /// A message with its place.
    fn answer(message: Self::Message, place: Told) -> Self::Answer;
}

/// What is followed, as it is now.
pub(super) struct Found<M> {
    /// Counts the writes to it.
    pub(super) revision: u64,
    /// Nothing comes after this.
    pub(super) has_ended: bool,
    pub(super) message: M,
}

/// The place of a message.
pub(super) struct Told {
    pub(super) snapshot: bool,
    pub(super) resume_token: String,
    pub(super) gap: bool,
}

/// A reader, between two messages.
pub(super) struct Following<F> {
    followed: F,
    epoch: String,
    changes: watch::Receiver<u64>,
    /// The revision that it knows; `None` = it knows nothing.
    seen: Option<u64>,
    /// It asked to begin where that is not possible.
    gap: bool,
    has_ended: bool,
    /// When it was told something last; `None` = it has not looked yet.
    told_at: Option<Instant>,
}

impl<F: Followed> Following<F> {
    /// Begins where a token says. Its revisions are those of `epoch`: of one thing in one incarnation of the database.
    ///
    /// # Errors
    /// There is no such thing for this reader; a token that is none.
    pub(super) async fn begin(
        followed: F,
        epoch: String,
        changes: watch::Receiver<u64>,
        token: &str,
    ) -> Result<Self, Failure> {
        let resume = Resume::parse(&epoch, token)?;
        // What does not exist is a failure of the call, not of the stream.
        let newest = followed.read(Some(u64::MAX)).await?.revision;
        let (seen, gap) = match resume {
            Resume::Anew => (None, false),
            Resume::After(revision) if revision <= newest => (Some(revision), false),
            Resume::After(_) | Resume::Elsewhere => (None, true),
        };
        Ok(Self { followed, epoch, changes, seen, gap, has_ended: false, told_at: None })
    }

    /// The next message; `None` after the end.
    pub(super) async fn next(mut self) -> Option<(Result<F::Answer, Status>, Self)> {
        loop {
            if self.has_ended {
                return None;
            }
            if let Some(told_at) = self.told_at {
                self.changes.changed().await.ok()?;
                sleep_until(told_at + PACE).await;
            }
            self.changes.borrow_and_update();
            let Found { revision, has_ended, message } = match self.followed.read(self.seen).await {
                Ok(found) => found,
                Err(failure) => {
                    self.has_ended = true;
                    return Some((Err(failure.into()), self));
                }
            };
            self.has_ended = has_ended;
            self.told_at = Some(Instant::now());
            if self.seen.is_some_and(|seen| revision <= seen) && !has_ended {
                continue;
            }
            let snapshot = self.seen.replace(revision).is_none();
            let resume_token = resume_token(&self.epoch, revision);
            let told = Told { snapshot, resume_token, gap: std::mem::take(&mut self.gap) };
            return Some((Ok(F::answer(message, told)), self));
        }
    }
}
