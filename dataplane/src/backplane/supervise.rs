//! The boards' own thread, and what happens when it or one of its tasks panics.
//!
//! A panic of a board's task is contained: unwinding drops what drives the board, and its guard makes it safe. A panic of
//! anything else on the thread leaves all boards alone, so the panic hook makes all of them safe.

use super::actor::Backplane;
use crate::{
    board::{
        hardware::Opener,
        safe::{Registry, WITHIN},
        task::chain::Chains,
    },
    transport::{
        device::DeviceEvent,
        usb::{self, UsbPlan},
    },
};
use std::{
    cell::Cell,
    io,
    pin::Pin,
    sync::mpsc as blocking,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{dispatcher, error};

/// Name of the thread.
const NAME: &str = "mujina-boards";
/// Time that the thread has to end: the boards' own, the last resort's, and some.
const ENDS_WITHIN: Duration = WITHIN.saturating_mul(2).saturating_add(Duration::from_secs(1));

thread_local! {
    /// Whether a contained task is at work on this thread.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// A task whose panics concern nobody else.
pub(super) struct Contained(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Contained {
    pub(super) fn new(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(task))
    }
}

impl Future for Contained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                CONTAINED.set(false);
            }
        }
        CONTAINED.set(true);
        let _leave = Leave;
        self.0.as_mut().poll(context)
    }
}

/// Whether all boards are left alone when the calling thread, which has this name, panics now: for the panic hook.
#[must_use]
pub fn supervises(thread: Option<&str>) -> bool {
    thread == Some(NAME) && !CONTAINED.get()
}

/// The thread of all boards. Dropped while it runs, it makes them safe and blocks for as long as that takes.
#[derive(Debug)]
pub(crate) struct BoardsThread {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
    /// The same for who cannot await.
    over: blocking::Receiver<()>,
    last_resort: Registry,
    is_over: bool,
}

impl BoardsThread {
    /// Starts it, with a watch of the USB if that is wanted.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start<O: Opener, C: Chains>(
        backplane: Backplane<O, C>,
        usb: Option<(UsbPlan, mpsc::Sender<DeviceEvent>)>,
        last_resort: Registry,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = CancellationToken::new();
        let (end, ended) = oneshot::channel();
        let (told_over, over) = blocking::sync_channel(1);
        let cancel = stop.clone();
        let dispatch = dispatcher::get_default(Clone::clone);
        let body = move || {
            let _subscriber = dispatcher::set_default(&dispatch);
            runtime.block_on(async move {
                let mut tasks = JoinSet::new();
                if let Some((plan, events)) = usb {
                    tasks.spawn(usb::run(plan, events, cancel.clone()));
                }
                backplane.run(cancel).await;
                tasks.shutdown().await;
            });
            // A look at the devices may still be under way on a thread of its own; nobody needs what it sees.
            runtime.shutdown_background();
            // Nobody may be left to hear it.
            let _ = (end.send(()), told_over.send(()));
        };
        std::thread::Builder::new().name(NAME.into()).spawn(body)?;
        Ok(Self { stop, ended, over, last_resort, is_over: false })
    }

    /// Tells all boards to become safe, and the thread to end.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for that. When it takes too long, the last resort does what it can, beside the runtime.
    pub(crate) async fn ended(mut self) {
        self.stop();
        if timeout(ENDS_WITHIN, &mut self.ended).await.is_err() {
            error!("the thread of the boards does not end; the last resort makes them safe");
            let last_resort = self.last_resort.clone();
            let done =
                tokio::task::spawn_blocking(move || last_resort.make_all_safe("the thread of the boards does not end"));
            // It panics for nobody, and is bounded.
            let _ = done.await;
        }
        self.is_over = true;
    }
}

impl Drop for BoardsThread {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.stop();
        if self.over.recv_timeout(ENDS_WITHIN) == Err(blocking::RecvTimeoutError::Timeout) {
            let _ = self.last_resort.make_all_safe("the thread of the boards does not end");
        }
    }
}
