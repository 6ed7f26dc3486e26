//! A process in a thread: a runtime of its own that can be killed with everything in it.

use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;
use tracing::{Dispatch, dispatcher};

/// A future on a thread and a single-threaded runtime of its own. Dropping it cuts the future and all that it spawned at
/// whatever await they are, as the end of a process would.
pub(crate) struct Hosted {
    kill: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Hosted {
    pub(crate) fn start<F: Future<Output = ()>>(future: impl FnOnce() -> F + Send + 'static) -> Self {
        let (kill, killed) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let body = move || {
            let _here = dispatcher::set_default(&dispatch);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
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
        Self { kill: Some(kill), ended, thread: Some(thread::spawn(body)) }
    }

    /// Waits until the future has ended by itself.
    pub(crate) async fn finished(mut self) {
        (&mut self.ended).await.expect("ends without a panic");
    }
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
