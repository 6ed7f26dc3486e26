//! Work that comes to its end although nobody waits for it any more.
//!
//! A call whose caller went away is dropped where it stands. What is stored must then still be handed on, or it would wait
//! for the next restart.

use std::{future::Future, panic::resume_unwind};
use tracing::Instrument;

/// Runs `work` in a task of its own, within the current span. Dropping the returned future does not stop it; the end of the
/// process does, and what was stored by then is found at the next start. The work has deadlines of its own.
pub(crate) async fn regardless<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    #[expect(clippy::disallowed_methods, reason = "a supervised task would end with its waiter; this one must not")]
    let task = tokio::spawn(work.in_current_span());
    match task.await {
        Ok(result) => result,
        Err(failure) if failure.is_panic() => resume_unwind(failure.into_panic()),
        // Only with the runtime, and then with this future as well.
        Err(_) => std::future::pending().await,
    }
}

/// For tests: begins a call and goes away.
#[cfg(test)]
pub(crate) async fn cut<T>(call: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = call => panic!("it answers at once"),
        () = std::future::ready(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_ends_although_its_waiter_is_gone() {
        let (begun, has_begun) = oneshot::channel();
        let (go, may_go) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let waiter = regardless(async move {
            begun.send(()).unwrap();
            may_go.await.unwrap();
            done.send(7).unwrap();
        });
        tokio::select! {
            () = waiter => panic!("it waits"),
            begun = has_begun => begun.unwrap(),
        }
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok(7));
    }
}
