//! Work with steps that a caller follows: the steps as they end, then what came of it.
//!
//! The answers carry the span of the call: it lasts as long as somebody follows, and what the work begins is its child.

use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;
use tracing::Span;

/// Steps that a slow reader may be behind: those of a few attempts. The result has them all in any case.
pub(super) const STEPS: usize = 32;

/// What there is to tell.
pub(super) enum Step<P, T> {
    /// One ended.
    Told(P),
    /// What came of all.
    Outcome(T),
}

/// The work, followed. Dropping this drops the future that waits for it.
pub(super) struct Steps<P, T, M> {
    ended: mpsc::Receiver<P>,
    /// `None` once it has answered.
    answer: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    /// Its answer, until it is told.
    outcome: Option<T>,
    tell: fn(Step<P, T>) -> Result<M, Status>,
    /// Kept open, not used.
    _call: Span,
}

impl<P, T, M> Steps<P, T, M> {
    pub(super) fn new(
        ended: mpsc::Receiver<P>,
        answer: impl Future<Output = T> + Send + 'static,
        tell: fn(Step<P, T>) -> Result<M, Status>,
    ) -> Self {
        Self { ended, answer: Some(Box::pin(answer)), outcome: None, tell, _call: Span::current() }
    }
}

impl<P, T: Unpin, M> Stream for Steps<P, T, M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(answer) = &mut this.answer
            && let Poll::Ready(outcome) = answer.as_mut().poll(context)
        {
            this.answer = None;
            this.outcome = Some(outcome);
        }
        // After the answer was looked for: what it told of before, it told of here.
        if let Poll::Ready(Some(step)) = this.ended.poll_recv(context) {
            return Poll::Ready(Some((this.tell)(Step::Told(step))));
        }
        match this.outcome.take() {
            Some(outcome) => Poll::Ready(Some((this.tell)(Step::Outcome(outcome)))),
            None if this.answer.is_some() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn all_steps_come_before_the_outcome_and_nothing_after() {
        let (sender, ended) = mpsc::channel(STEPS);
        let answer = async move {
            for name in ["tcp", "noise"] {
                sender.send(name).await.unwrap();
            }
            7
        };
        let tell = |step| match step {
            Step::Told(name) => Ok(str::to_owned(name)),
            Step::Outcome(number) => Ok::<_, Status>(format!("{number}")),
        };
        let told: Vec<_> = Steps::new(ended, answer, tell).map(Result::unwrap).collect().await;
        assert_eq!(told, ["tcp", "noise", "7"]);
    }
}
