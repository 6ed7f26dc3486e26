//! Answers that come one after another, and how they end when the miner stops.

use super::failure::shutting_down;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// Answers of a streaming method.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The answers of `inner`, which end by themselves; those that have not when the miner stops end with SHUTTING_DOWN.
pub(super) fn until_stop<T: 'static>(
    inner: impl Stream<Item = Result<T, Status>> + Send + 'static,
    cancel: &CancellationToken,
) -> Answers<T> {
    let stop = Box::pin(cancel.clone().cancelled_owned());
    Box::pin(UntilStop { inner: Some(Box::pin(inner)), stop })
}

/// The answers of `inner`, which ends only because what it watches has: always with SHUTTING_DOWN.
pub(super) fn endless<T: Send + 'static>(
    inner: impl Stream<Item = T> + Send + 'static,
    cancel: &CancellationToken,
) -> Answers<T> {
    until_stop(inner.map(Ok).chain(tokio_stream::once(Err(shutting_down()))), cancel)
}

struct UntilStop<T> {
    /// `None` once it is over.
    inner: Option<Answers<T>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T> Stream for UntilStop<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // First, or a stream that always has more would never end.
        if self.inner.is_some() && self.stop.as_mut().poll(context).is_ready() {
            self.inner = None;
            return Poll::Ready(Some(Err(shutting_down())));
        }
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let next = inner.as_mut().poll_next(context);
        if let Poll::Ready(None | Some(Err(_))) = next {
            self.inner = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_proto::failure::Failure;

    fn reason(answer: Option<Result<u32, Status>>) -> String {
        Failure::from(&answer.unwrap().unwrap_err()).reason
    }

    #[tokio::test]
    async fn stop_ends_a_silent_stream_and_one_that_always_has_more() {
        let cancel = CancellationToken::new();
        let mut silent = endless(tokio_stream::pending::<u32>(), &cancel);
        let mut busy = endless(tokio_stream::iter(1..), &cancel);
        assert_eq!(busy.next().await.unwrap().unwrap(), 1);
        cancel.cancel();
        assert_eq!(reason(silent.next().await), "SHUTTING_DOWN");
        assert_eq!(reason(busy.next().await), "SHUTTING_DOWN");
        assert!(silent.next().await.is_none() && busy.next().await.is_none());
    }

    #[tokio::test]
    async fn watch_of_something_that_ended_says_so_and_a_finite_stream_just_ends() {
        let cancel = CancellationToken::new();
        let mut watch = endless(tokio_stream::iter([1]), &cancel);
        assert_eq!(watch.next().await.unwrap().unwrap(), 1);
        assert_eq!(reason(watch.next().await), "SHUTTING_DOWN");
        let mut finite = until_stop(tokio_stream::iter([Ok(1)]), &cancel);
        assert_eq!(finite.next().await.unwrap().unwrap(), 1);
        assert!(finite.next().await.is_none());
    }
}
