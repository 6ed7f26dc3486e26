//! A process in a thread: a runtime of its own that can be killed with everything in it.

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
};
use tokio::{runtime::Handle, sync::oneshot};
use tracing::{Dispatch, dispatcher};

/// A future on a thread and a single-threaded runtime of its own. Dropping it cuts the future and all that it spawned at
/// whatever await they are, as the end of a process would.
pub(crate) struct Hosted {
    kill: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
    runtime: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Hosted {
    pub(crate) fn start<F: Future<Output = ()>>(future: impl FnOnce() -> F + Send + 'static) -> Self {
        let (kill, killed) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let body = move || {
            let _here = dispatcher::set_default(&dispatch);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tell.send(runtime.handle().clone()).unwrap();
            let finished = runtime.block_on(async {
                tokio::select! {
                    () = future() => true,
                    _ = killed => false,
                }
            });
            drop(runtime);
            if finished {
                // Nobody may wait.
                let _ = end.send(());
            }
        };
        let thread = Some(thread::spawn(body));
        Self { kill: Some(kill), ended, runtime: told.recv().unwrap(), thread }
    }

    /// How many tasks it has: one for each connection, and one for each call that is answered.
    pub(crate) fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Holds all of it at its next step until the answer is dropped: its connections look open, and nobody answers on them.
    pub(crate) fn stand_still(&self) -> Standstill {
        let (go_on, going_on) = mpsc::channel::<()>();
        let (stand, stands) = mpsc::channel();
        self.runtime.spawn(async move {
            stand.send(()).unwrap();
            // It is dropped, and nothing is ever sent.
            let _ = going_on.recv();
        });
        stands.recv().unwrap();
        Standstill { _go_on: go_on }
    }

    /// Waits until the future has ended by itself.
    pub(crate) async fn finished(mut self) {
        (&mut self.ended).await.expect("ends without a panic");
    }
}

/// Nothing of what is hosted moves while this lives.
pub(crate) struct Standstill {
    _go_on: mpsc::Sender<()>,
}

impl Drop for Hosted {
    fn drop(&mut self) {
        drop(self.kill.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("what was hosted panicked");
        }
    }
}
