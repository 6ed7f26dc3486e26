//! Small changes of many, stored in one transaction: each costs a write to the disk, whatever it holds.
//!
//! ```text
//! many tasks ── hand in, wait ──▶ queue ──▶ writer: all that is there, one commit ──▶ each is answered
//! ```
//! Whoever hands something in waits until it is on disk. What comes while one transaction is on its way goes into the next,
//! so a thousand changes need a few tens of transactions and one needs its own at once. Should a transaction fail, its items
//! are tried once more, each by itself: one that cannot be stored does not hold up the others.

use super::{Store, StoreError, Write};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// Items that wait, in all: one for each miner of a large fleet. Who finds it full waits, which slows down its own work alone.
const QUEUE: usize = 1024;

/// How long items are tried one by one before others have their turn: a disk that fails for all is not asked for each.
const ONE_BY_ONE: Duration = Duration::from_secs(5);

/// How items of one kind are stored.
pub(crate) trait Together: Send + Sync + Sized + 'static {
    /// What is handed in.
    type Item: Send + Sync + 'static;
    /// What whoever handed it in is told.
    type Answer: Send + 'static;
    /// What is not stored when the database fails, for the log.
    const WHAT: &'static str;
    /// Weight of one transaction: more would keep others from the database for too long.
    const MOST: usize;
    /// How long the first item waits for others.
    const WAIT: Duration = Duration::ZERO;

    /// What an item weighs.
    fn weight(_: &Self::Item) -> usize {
        1
    }

    /// Stores items in their order; an answer for each. Where that fails, nothing of them is stored and each comes again by
    /// itself, as if it had been handed in alone.
    fn store(
        &self,
        write: &mut Write,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;

    /// They are on disk.
    fn stored(&self) {}
}

/// It could not be stored. Why, the writer has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be stored; trying again")]
pub(crate) struct NotStored;

struct Handed<T: Together> {
    item: T::Item,
    stored: oneshot::Sender<Result<T::Answer, NotStored>>,
}

/// What waits in the queue, so that the writer sleeps until it is worth its while instead of waking for each item.
#[derive(Debug, Default)]
struct Waiting {
    weight: AtomicUsize,
    enough: Notify,
}

/// Takes items. Cheap to clone.
pub(crate) struct Hand<T: Together> {
    queue: mpsc::Sender<Handed<T>>,
    waiting: Arc<Waiting>,
}

/// Stores them.
pub(crate) struct Writer<T: Together> {
    store: Store,
    how: T,
    handed: mpsc::Receiver<Handed<T>>,
    waiting: Arc<Waiting>,
}

/// Both ends.
pub(crate) fn together<T: Together>(store: Store, how: T) -> (Hand<T>, Writer<T>) {
    let (queue, handed) = mpsc::channel(QUEUE);
    let waiting = Arc::<Waiting>::default();
    (Hand { queue, waiting: Arc::clone(&waiting) }, Writer { store, how, handed, waiting })
}

impl<T: Together> Clone for Hand<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), waiting: Arc::clone(&self.waiting) }
    }
}

impl<T: Together> std::fmt::Debug for Hand<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Hand").field(&T::WHAT).finish()
    }
}

impl<T: Together> std::fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Writer").field(&T::WHAT).finish()
    }
}

impl<T: Together> Hand<T> {
    /// Hands an item in; answers when it is on disk.
    ///
    /// # Cancel safety
    /// Whoever does not wait does not learn whether it was stored.
    pub(crate) async fn store(&self, item: T::Item) -> Result<T::Answer, NotStored> {
        let (stored, is_stored) = oneshot::channel();
        let place = match self.queue.try_reserve() {
            Ok(place) => place,
            Err(_) => {
                self.waiting.enough.notify_one();
                self.queue.reserve().await.map_err(|_| NotStored)?
            }
        };
        let weight = T::weight(&item);
        if self.waiting.weight.fetch_add(weight, Ordering::Relaxed) + weight >= T::MOST {
            self.waiting.enough.notify_one();
        }
        place.send(Handed { item, stored });
        is_stored.await.map_err(|_| NotStored)?
    }
}

impl<T: Together> Writer<T> {
    /// Runs until nobody can hand anything in.
    pub(crate) async fn run(mut self) {
        while self.step().await {}
    }

    /// Runs until `cancel`; who waits then learns nothing.
    pub(crate) async fn run_until(self, cancel: CancellationToken) {
        if cancel.run_until_cancelled(self.run()).await.is_some() {
            // That nobody is left ends nothing by itself.
            cancel.cancelled().await;
        }
    }

    /// One transaction; `false` = nobody is left who could hand anything in.
    async fn step(&mut self) -> bool {
        let Some(Handed { item, stored }) = self.handed.recv().await else { return false };
        if !T::WAIT.is_zero() && self.waiting.weight.load(Ordering::Relaxed) < T::MOST {
            // Either way, what is there is stored.
            let _ = timeout(T::WAIT, self.waiting.enough.notified()).await;
        }
        let mut weight = T::weight(&item);
        let (mut items, mut waiting) = (vec![item], vec![stored]);
        while weight < T::MOST {
            let Ok(Handed { item, stored }) = self.handed.try_recv() else { break };
            weight += T::weight(&item);
            items.push(item);
            waiting.push(stored);
        }
        self.waiting.weight.fetch_sub(weight, Ordering::Relaxed);
        let answers = match self.store(&items).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if items.len() > 1 => self.one_by_one(&items, &error).await,
            Err(error) => {
                not_stored::<T>(&error, 1);
                Vec::new()
            }
        };
        if answers.iter().any(Result::is_ok) {
            self.how.stored();
        }
        // Who has no answer learns that it was not stored, and whoever handed it in may be gone.
        for (stored, answer) in waiting.into_iter().zip(answers) {
            let _ = stored.send(answer);
        }
        true
    }

    /// Tries each item by itself, as long as that does not hold up others for too long; answers for those that were tried.
    async fn one_by_one(&self, items: &[T::Item], error: &StoreError) -> Vec<Result<T::Answer, NotStored>> {
        not_together::<T>(error, items.len());
        let (mut answers, mut last) = (Vec::with_capacity(items.len()), None);
        let begun = Instant::now();
        for item in items.iter().map(std::slice::from_ref) {
            if begun.elapsed() > ONE_BY_ONE {
                break;
            }
            answers.push(match self.store(item).await {
                Ok(stored) => stored.into_iter().next().ok_or(NotStored),
                Err(error) => {
                    last = Some(error);
                    Err(NotStored)
                }
            });
        }
        if let Some(error) = last {
            not_stored::<T>(&error, items.len() - answers.iter().filter(|answer| answer.is_ok()).count());
        }
        answers
    }

    async fn store(&self, items: &[T::Item]) -> Result<Vec<T::Answer>, StoreError> {
        let mut write = self.store.write().await?;
        let answers = self.how.store(&mut write, items).await?;
        write.commit().await?;
        Ok(answers)
    }
}

fn not_together<T: Together>(error: &StoreError, items: usize) {
    let error = error as &(dyn std::error::Error + 'static);
    debug!(error, what = T::WHAT, items, "changes are not stored together; each is tried by itself");
}

fn not_stored<T: Together>(error: &StoreError, items: usize) {
    let error = error as &(dyn std::error::Error + 'static);
    error!(error, what = T::WHAT, items, "changes are not stored; trying again");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeat::RequestKey;
    use std::sync::atomic::AtomicBool;

    /// Remembers requests of one scope; which is there already, fails the transaction.
    #[derive(Default)]
    struct Requests {
        stored: Arc<AtomicBool>,
    }

    impl Together for Requests {
        type Item = &'static str;
        type Answer = &'static str;
        const WHAT: &'static str = "requests";
        const MOST: usize = 100;

        async fn store(&self, write: &mut Write, items: &[&'static str]) -> Result<Vec<&'static str>, StoreError> {
            for item in items {
                write.remember("scope", &RequestKey::own(*item), "answer").await?;
            }
            Ok(items.to_vec())
        }

        fn stored(&self) {
            self.stored.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn one_item_that_cannot_be_stored_does_not_hold_up_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(folder.path()).await.unwrap();
        let mut write = store.write().await.unwrap();
        write.remember("scope", &RequestKey::own("taken"), "before").await.unwrap();
        write.commit().await.unwrap();
        let how = Requests::default();
        let stored = Arc::clone(&how.stored);
        let (hand, mut writer) = together(store.clone(), how);
        // All are in the queue before the writer looks.
        let all = async { tokio::join!(hand.store("a"), hand.store("taken"), hand.store("b")) };
        let (answers, _) = tokio::join!(all, writer.step());
        assert_eq!(answers, (Ok("a"), Err(NotStored), Ok("b")));
        assert!(stored.load(Ordering::Relaxed));
        assert_eq!(store.answered("scope", &RequestKey::own("b")).await.unwrap().as_deref(), Some("answer"));
        assert_eq!(store.answered("scope", &RequestKey::own("taken")).await.unwrap().as_deref(), Some("before"));
    }
}
