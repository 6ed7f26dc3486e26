//! Owns tasks: each has a name and an exit policy, and none is forgotten.
//!
//! One supervisor per runtime. A task that must not end takes the process down in order when it does; one that may fail
//! alone is logged, and the rest goes on.

use std::{collections::HashMap, time::Duration};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{Instrument, error};

/// What the end of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitPolicy {
    /// Without it the process makes no sense: its end before the stop is a failure.
    Essential,
    /// The rest works without it.
    Expendable,
}

/// An essential task ended although nobody asked it to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task `{task}` {cause}; this is a bug, please report it with the log")]
pub struct TaskFailed {
    /// Its name.
    pub task: &'static str,
    /// `panicked` or `ended early`.
    pub cause: &'static str,
}

/// The tasks of one runtime.
#[derive(Debug, Default)]
pub struct Supervisor {
    tasks: JoinSet<()>,
    names: HashMap<Id, (&'static str, ExitPolicy)>,
    /// The first that panicked while the end of another was waited for.
    panicked: Option<TaskFailed>,
}

impl Supervisor {
    /// Starts a task on the current runtime.
    pub fn spawn(&mut self, name: &'static str, policy: ExitPolicy, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(task.in_current_span());
        self.names.insert(handle.id(), (name, policy));
    }

    /// Waits until an essential task ends. Never returns while all of them run.
    ///
    /// # Cancel safety
    /// Safe: what ended while nobody waited is seen by the next call.
    pub async fn first_failure(&mut self) -> TaskFailed {
        loop {
            match self.tasks.join_next_with_id().await {
                Some(ended) => {
                    if let Some(failure) = self.judge(&ended) {
                        return failure;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until the task of this name has ended, whatever its policy; `false` when it needs longer than `deadline`.
    pub async fn ended(&mut self, name: &str, deadline: Duration) -> bool {
        let gone = async {
            while self.names.values().any(|(running, _)| *running == name) {
                let Some(ended) = self.tasks.join_next_with_id().await else { return };
                self.note(&ended);
            }
        };
        tokio::time::timeout(deadline, gone).await.is_ok()
    }

    /// Waits until all tasks have ended, now that they were asked to; those that need longer than `deadline` are cut.
    /// Returns the first that panicked meanwhile, or while the end of another was waited for.
    pub async fn finish(mut self, deadline: Duration) -> Option<TaskFailed> {
        let all = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.note(&ended);
            }
        };
        if tokio::time::timeout(deadline, all).await.is_err() {
            let late: Vec<_> = self.names.values().map(|(name, _)| *name).collect();
            error!(tasks = late.join(", "), "tasks did not stop in time and were cut");
        }
        self.tasks.shutdown().await;
        self.panicked
    }

    /// Takes note of an end that was asked for.
    fn note(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let (task, _) = self.names.remove(&id(ended)).unwrap_or(("unknown", ExitPolicy::Expendable));
        if ended.is_err() {
            self.panicked.get_or_insert(TaskFailed { task, cause: "panicked" });
        }
    }

    fn judge(&mut self, ended: &Result<(Id, ()), JoinError>) -> Option<TaskFailed> {
        let (task, policy) = self.names.remove(&id(ended))?;
        let cause = if ended.is_err() { "panicked" } else { "ended early" };
        match policy {
            ExitPolicy::Essential => Some(TaskFailed { task, cause }),
            ExitPolicy::Expendable => {
                if ended.is_err() {
                    error!(task, "task panicked; the rest goes on; please report this with the log");
                }
                None
            }
        }
    }
}

fn id(ended: &Result<(Id, ()), JoinError>) -> Id {
    match ended {
        Ok((id, ())) => *id,
        Err(failure) => failure.id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn end_of_an_essential_task_is_a_failure() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("history", ExitPolicy::Expendable, async { panic!("as planned") });
        supervisor.spawn("scheduler", ExitPolicy::Essential, tokio::task::yield_now());
        let failure = supervisor.first_failure().await;
        assert_eq!(failure, TaskFailed { task: "scheduler", cause: "ended early" });
    }

    #[tokio::test(start_paused = true)]
    async fn task_that_does_not_stop_is_cut() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("stuck", ExitPolicy::Essential, std::future::pending());
        assert_eq!(supervisor.finish(Duration::from_secs(5)).await, None);
    }

    #[tokio::test]
    async fn panic_while_another_task_is_waited_for_is_told_at_the_end() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("scheduler", ExitPolicy::Essential, async { panic!("as planned") });
        tokio::task::yield_now().await;
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        supervisor.spawn("source", ExitPolicy::Essential, async {
            let _ = ended.await;
        });
        assert!(!supervisor.ended("source", Duration::from_millis(10)).await);
        drop(end);
        assert!(supervisor.ended("source", Duration::from_secs(60)).await);
        let panicked = supervisor.finish(Duration::from_secs(60)).await;
        assert_eq!(panicked, Some(TaskFailed { task: "scheduler", cause: "panicked" }));
    }
}
