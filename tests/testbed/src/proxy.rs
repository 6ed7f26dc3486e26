//! A TCP proxy that does to a connection what networks do: cut it into small pieces, stall it, slow it down, swallow it,
//! close or reset it, or refuse it in the first place. Behaviour changes while connections live.
//!
//! It keeps one piece of at most [`PIECE`] bytes per direction; the rest waits in the sockets, as it would in a network.

mod pump;

use crate::{PATIENCE, ports::free_address};
use pump::{Flows, forward};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Most bytes held back per direction.
pub const PIECE: usize = 4096;
/// Orders wait for the accept loop only, which answers at once.
const ORDERS: usize = 8;

/// What happens to bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They pass.
    #[default]
    Pass,
    /// They pass in writes of this many, with a pause after each.
    Split {
        /// Most bytes in one write.
        bytes: usize,
        /// After each.
        pause: Duration,
    },
    /// They pass at this rate.
    Throttle {
        /// On average.
        bytes_per_second: u32,
    },
    /// Nothing is read, so that the sender's buffers fill.
    Stall,
    /// All is read and nothing passes.
    Blackhole,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From who connected to the proxy.
    Upstream,
    /// To who connected to the proxy.
    Downstream,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// An orderly close, of both sides.
    Close,
    /// A reset, of both sides.
    Reset,
}

/// What it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyCounts {
    /// Connections taken.
    pub opened: u64,
    /// Of these, connected to the upstream.
    pub connected: u64,
    /// Of these, ended.
    pub closed: u64,
    /// Bytes passed upstream.
    pub upstream_bytes: u64,
    /// Bytes passed downstream.
    pub downstream_bytes: u64,
}

impl ProxyCounts {
    /// Connections that live.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.opened - self.closed
    }
}

/// A running proxy. It ends with [`FaultProxy::stop`], or at once when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    control: Control,
    orders: mpsc::Sender<Order>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Control {
    upstream: watch::Sender<SocketAddr>,
    flows: watch::Sender<Flows>,
    /// The kind of the last cut, and how many there were.
    cuts: watch::Sender<(Option<Cut>, u64)>,
    counts: watch::Sender<ProxyCounts>,
}

enum Order {
    Refuse(oneshot::Sender<io::Result<()>>),
    Admit(oneshot::Sender<io::Result<()>>),
}

impl FaultProxy {
    /// Listens on a loopback port that it keeps, on the current runtime, and passes everything.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let address = free_address();
        let listener = TcpListener::bind(address).await?;
        let control = Control {
            upstream: watch::channel(upstream).0,
            flows: watch::channel(Flows::default()).0,
            cuts: watch::channel((None, 0)).0,
            counts: watch::channel(ProxyCounts::default()).0,
        };
        let (orders, received) = mpsc::channel(ORDERS);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(address, listener, control.clone(), received, cancel.clone()));
        Ok(Self { address, control, orders, cancel, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Treats bytes of this direction so from now on, on all connections.
    pub fn set(&self, direction: Direction, flow: Flow) {
        self.control.flows.send_modify(|flows| match direction {
            Direction::Upstream => flows.upstream = flow,
            Direction::Downstream => flows.downstream = flow,
        });
    }

    /// Treats bytes of both directions so from now on.
    pub fn set_both(&self, flow: Flow) {
        self.control.flows.send_replace(Flows { upstream: flow, downstream: flow });
    }

    /// Ends every connection that lives, and waits until they are gone. Later ones are not touched.
    ///
    /// # Panics
    /// When one stays.
    pub async fn cut(&self, cut: Cut) {
        let mut counts = self.control.counts.subscribe();
        let opened = counts.borrow().opened;
        self.control.cuts.send_modify(|(kind, count)| (*kind, *count) = (Some(cut), *count + 1));
        let gone = timeout(PATIENCE, counts.wait_for(|counts| counts.closed >= opened)).await;
        assert!(matches!(gone, Ok(Ok(_))), "a connection of the proxy outlived its cut");
    }

    /// Closes the port: who connects is refused. Living connections stay.
    ///
    /// # Errors
    /// When the proxy is gone.
    pub async fn refuse(&self) -> io::Result<()> {
        self.order(Order::Refuse).await
    }

    /// Opens the port again.
    ///
    /// # Errors
    /// When somebody took the port.
    pub async fn admit(&self) -> io::Result<()> {
        self.order(Order::Admit).await
    }

    /// Sends connections that come from now on somewhere else.
    pub fn point_to(&self, upstream: SocketAddr) {
        self.control.upstream.send_replace(upstream);
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> ProxyCounts {
        *self.control.counts.borrow()
    }

    /// Waits until the counts are as `wanted`.
    ///
    /// # Errors
    /// With the counts when they do not become so.
    pub async fn wait_for(&self, wanted: impl FnMut(&ProxyCounts) -> bool) -> Result<ProxyCounts, ProxyCounts> {
        let mut counts = self.control.counts.subscribe();
        match timeout(PATIENCE, counts.wait_for(wanted)).await {
            Ok(Ok(counts)) => Ok(*counts),
            Ok(Err(_)) | Err(_) => Err(self.counts()),
        }
    }

    /// Closes all connections and waits until its tasks are gone.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order) -> io::Result<()> {
        let gone = || io::Error::other("the proxy is gone");
        let (done, obeyed) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| gone())?;
        obeyed.await.map_err(|_| gone())?
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn run(
    address: SocketAddr,
    listener: TcpListener,
    control: Control,
    mut orders: mpsc::Receiver<Order>,
    cancel: CancellationToken,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let arrival = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        // Nobody waits for the outcome of an order if the test gave up on it.
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => {}
            order = orders.recv() => match order {
                None => break,
                Some(Order::Refuse(done)) => {
                    listener = None;
                    let _ = done.send(Ok(()));
                }
                Some(Order::Admit(done)) => {
                    let opened = match listener.take() {
                        Some(open) => Ok(open),
                        None => TcpListener::bind(address).await,
                    };
                    let _ = done.send(opened.map(|opened| listener = Some(opened)));
                }
            },
            arrived = arrival => if let Ok((client, _)) = arrived {
                // First, so that a cut which waits for this connection is heard by it.
                let cuts = control.cuts.subscribe();
                control.counts.send_modify(|counts| counts.opened += 1);
                connections.spawn(connection(client, control.clone(), cuts, cancel.clone()));
            },
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(
    client: TcpStream,
    control: Control,
    mut cuts: watch::Receiver<(Option<Cut>, u64)>,
    cancel: CancellationToken,
) {
    let mut server = None;
    let cut = tokio::select! {
        () = cancel.cancelled() => Cut::Close,
        _ = cuts.changed() => cuts.borrow().0.unwrap_or(Cut::Close),
        ended = pass(&client, &mut server, &control) => ended,
    };
    if cut == Cut::Reset {
        for stream in [Some(&client), server.as_ref()].into_iter().flatten() {
            if let Err(reason) = stream.set_zero_linger() {
                debug!(%reason, "socket ended before it was reset");
            }
        }
    }
    drop((client, server));
    control.counts.send_modify(|counts| counts.closed += 1);
}

/// Passes bytes both ways until both ends are done. An end that fails resets the other.
async fn pass(client: &TcpStream, server: &mut Option<TcpStream>, control: &Control) -> Cut {
    let upstream = *control.upstream.borrow();
    let Ok(connected) = TcpStream::connect(upstream).await else { return Cut::Reset };
    control.counts.send_modify(|counts| counts.connected += 1);
    let server = &*server.insert(connected);
    for stream in [client, server] {
        // Else the kernel would join what was split. It fails only when the socket has failed.
        if stream.set_nodelay(true).is_err() {
            return Cut::Reset;
        }
    }
    let up = forward(
        client,
        server,
        control.flows.subscribe(),
        |flows| flows.upstream,
        |bytes| {
            control.counts.send_modify(|counts| counts.upstream_bytes += bytes);
        },
    );
    let down = forward(
        server,
        client,
        control.flows.subscribe(),
        |flows| flows.downstream,
        |bytes| {
            control.counts.send_modify(|counts| counts.downstream_bytes += bytes);
        },
    );
    match tokio::try_join!(up, down) {
        Ok(_) => Cut::Close,
        Err(reason) => {
            debug!(%reason, "an end of the proxied connection failed");
            Cut::Reset
        }
    }
}

#[cfg(test)]
mod tests;
