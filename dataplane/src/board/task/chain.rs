//! The chain of a board, as its task uses it: a thread that follows orders and tells how it is.

use super::machine::{Answer, Ask};
use crate::{
    asic::bm13xx::ChainSpec,
    thread::{
        self, ThreadEntry, ThreadEvent,
        chain::{ChainOrder, ChainPlan, ChainReport},
        mailbox::mailbox,
    },
};
use mujina_core::{id::BoardId, units::HashRate};
use std::{io, path::PathBuf, pin::Pin, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

/// Orders under way at once: one, and a halt that overtakes it; two more for who gave up waiting.
const ORDERS: usize = 4;
/// The longest bring-up, of 126 chips on the slowest line, takes a few seconds.
const BRING_UP_WITHIN: Duration = Duration::from_secs(30);
/// A step of the clock takes 0.4 s.
const CLOCK_WITHIN: Duration = Duration::from_secs(10);
/// More than a search for golden nonces was given.
const GOLDEN_MARGIN: Duration = Duration::from_secs(5);
/// A chain that does not halt by then is not waited for: its chips are reset anyway.
const HALT_WITHIN: Duration = Duration::from_millis(250);
/// Time that the thread of a chain has to end.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Starts chains. Each task has a clone of its own.
pub(crate) trait Chains: Clone + Send + 'static {
    /// Starts the chain of a board on this port, as a hash thread of its own.
    ///
    /// # Errors
    /// There is no thread for it, or nobody to give it work.
    fn start(&mut self, board: &BoardId, spec: ChainSpec, port: PathBuf) -> io::Result<ChainLink>;
}

/// The way to a chain.
#[derive(Debug)]
pub(crate) struct ChainLink {
    pub(crate) orders: mpsc::Sender<ChainOrder>,
    /// Closed when the thread has ended.
    pub(crate) report: watch::Receiver<ChainReport>,
}

/// An answer that is waited for.
pub(super) type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl ChainLink {
    /// Gives an order. The answer comes within its deadline, be it that there was none.
    pub(super) fn ask(&self, ask: Ask) -> Pending {
        match ask {
            Ask::BringUp => self.give(ChainOrder::BringUp, BRING_UP_WITHIN, Answer::Raised),
            Ask::SetFrequency(frequency) => {
                self.give(|reply| ChainOrder::SetFrequency(frequency, reply), CLOCK_WITHIN, Answer::Frequency)
            }
            Ask::FindGoldenNonces(time) => {
                self.give(|reply| ChainOrder::FindGoldenNonces(time, reply), time + GOLDEN_MARGIN, Answer::Golden)
            }
        }
    }

    fn give<T: Send + 'static, E: ToString + Send + 'static>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, E>>) -> ChainOrder,
        within: Duration,
        answer: fn(Result<T, String>) -> Answer,
    ) -> Pending {
        let (reply, answered) = oneshot::channel();
        // One that finds no room is dropped with the way of its answer, and so answered at once.
        let _ = self.orders.try_send(order(reply));
        Box::pin(async move {
            answer(match timeout(within, answered).await {
                Ok(Ok(result)) => result.map_err(|error| error.to_string()),
                Ok(Err(_)) => Err("the thread of the chain follows no orders".to_owned()),
                Err(_) => Err(format!("the chain did not answer within {within:?}")),
            })
        })
    }

    /// Lets the chain forget its work and send nothing more. Whether it said so in time.
    pub(super) async fn halt(&self) -> bool {
        let (reply, halted) = oneshot::channel();
        let given = self.orders.try_send(ChainOrder::Halt(reply)).is_ok();
        given && matches!(timeout(HALT_WITHIN, halted).await, Ok(Ok(())))
    }

    /// Ends the thread, and waits until its port is free.
    pub(super) async fn end(self) -> bool {
        let Self { orders, mut report } = self;
        drop(orders);
        timeout(END_WITHIN, async { while report.changed().await.is_ok() {} }).await.is_ok()
    }
}

/// Starts real chains.
#[derive(Debug, Clone)]
pub(crate) struct ChainStarter {
    /// Where their results go.
    pub(crate) events: mpsc::Sender<ThreadEvent>,
    /// Where the scheduler hears of them.
    pub(crate) entries: mpsc::Sender<ThreadEntry>,
}

impl Chains for ChainStarter {
    fn start(&mut self, board: &BoardId, spec: ChainSpec, port: PathBuf) -> io::Result<ChainLink> {
        let (mailbox, reader) = mailbox();
        // A board has one chain, so that its name serves for both.
        let id: mujina_core::id::ThreadId = board.as_str().parse().map_err(io::Error::other)?;
        let index = thread::fresh_index();
        let (orders, taken) = mpsc::channel(ORDERS);
        let (teller, report) = watch::channel(ChainReport::default());
        let entry = ThreadEntry {
            index,
            id: id.clone(),
            board: board.clone(),
            // It tells another when its chips are set up.
            nominal_hash_rate: HashRate::default(),
            mailbox,
        };
        self.entries.try_send(entry).map_err(|_| io::Error::other("nobody gives it work"))?;
        thread::chain::spawn(ChainPlan {
            index,
            id,
            board: board.clone(),
            spec,
            port,
            mailbox: reader,
            events: self.events.clone(),
            orders: taken,
            report: teller,
        })?;
        Ok(ChainLink { orders, report })
    }
}
