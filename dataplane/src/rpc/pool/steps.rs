//! Work with phases that a caller follows: the phases as they end, then what came of it.
//!
//! The answers carry the span of the call: it lasts as long as somebody follows, and what the work begins is its child.

use mujina_core::status::ConnectPhase;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;
use tracing::Span;

/// Phases that a slow reader may be behind: those of a few attempts. The result has them all in any case.
pub(super) const PHASES: usize = 32;

/// What there is to tell.
pub(super) enum Step<T> {
    Phase(ConnectPhase),
    Outcome(T),
}

/// The work, followed. Dropping this drops the future that waits for it.
pub(super) struct Steps<T, M> {
    phases: mpsc::Receiver<ConnectPhase>,
    /// `None` once it has answered.
    answer: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    /// Its answer, until it is told.
    outcome: Option<T>,
    tell: fn(Step<T>) -> Result<M, Status>,
    /// Kept open, not used.
    _call: Span,
}

impl<T, M> Steps<T, M> {
    pub(super) fn new(
        phases: mpsc::Receiver<ConnectPhase>,
        answer: impl Future<Output = T> + Send + 'static,
        tell: fn(Step<T>) -> Result<M, Status>,
    ) -> Self {
        Self { phases, answer: Some(Box::pin(answer)), outcome: None, tell, _call: Span::current() }
    }
}

impl<T: Unpin, M> Stream for Steps<T, M> {
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
        if let Poll::Ready(Some(phase)) = this.phases.poll_recv(context) {
            return Poll::Ready(Some((this.tell)(Step::Phase(phase))));
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
    use mujina_core::status::PhaseName;
    use std::time::Duration;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn all_phases_come_before_the_outcome_and_nothing_after() {
        let phase = |name| ConnectPhase { name, elapsed: Duration::from_millis(2), detail: String::new() };
        let (sender, phases) = mpsc::channel(PHASES);
        let answer = async move {
            for name in [PhaseName::Tcp, PhaseName::Noise] {
                sender.send(phase(name)).await.unwrap();
            }
            7
        };
        let tell = |step| match step {
            Step::Phase(phase) => Ok(phase.name.as_str().to_owned()),
            Step::Outcome(number) => Ok::<_, Status>(format!("{number}")),
        };
        let told: Vec<_> = Steps::new(phases, answer, tell).map(Result::unwrap).collect().await;
        assert_eq!(told, ["tcp", "noise", "7"]);
    }
}
