//! The door to the network: TLS connections of operators, who call us, and of miners that call home, whom we call.
//!
//! ```text
//!          ┌ in turns: so many at once, and of one address ┐
//! accept ──┤ handshake with a deadline, not revoked        ├─┬─ h2 ────────────▶ routes, behind the guard
//!          └───────────────────────────────────────────────┘ └─ mujina-home/1 ──▶ home, the registry
//! ```
//!
//! A connection ends when its certificate counts no more.

mod places;

use crate::{
    home::{AtHome, Homes},
    identity::{Authority, Revoked},
};
use mujina_proto::{
    serve::serve_connection,
    tls::{Accepted, Alpn, Peer, PeerKind, ServerStream, ServerTls, server_config},
};
use places::{Guest, Places};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinError, JoinSet},
    time::{Instant, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tracing::{Instrument, debug, error, info, warn};

/// Time for a handshake: slow networks need seconds, slow-loris clients get no more.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long somebody waits for the turn: a herd of thousands is through by then.
const TURN: Duration = Duration::from_secs(60);
/// Connections that wait in the kernel to be accepted; it may allow fewer.
const BACKLOG: u32 = 4096;
/// How often the server's certificate is looked at.
const RENEW: Duration = Duration::from_secs(60 * 60);
/// Rest after accepting failed, which it does when the process has no descriptors left.
const REST: Duration = Duration::from_millis(200);

/// What is known of a TLS connection, put on each of its calls.
#[derive(Debug, Clone)]
pub(crate) struct Dialler {
    /// Who it is; `None` = it showed no certificate.
    pub(crate) peer: Option<Peer>,
    /// Where it comes from.
    pub(crate) address: SocketAddr,
}

/// Why the door does not open.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The port cannot be had.
    #[error("cannot listen on {0}; is the port taken, or does it need another user?")]
    Listen(SocketAddr, #[source] io::Error),
    /// There is no authority, or it cannot be used.
    #[error("`api.listen_tls` needs the files that `mujina-control init` makes")]
    Authority(#[from] crate::identity::AuthorityError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] mujina_proto::tls::TlsError),
}

/// A bound port. Clients that connect wait until [`Door::run`].
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    tls: ServerTls,
    authority: Arc<Authority>,
    names: Vec<String>,
    revoked: Revoked,
    address: SocketAddr,
}

impl Door {
    pub(crate) fn open(
        address: SocketAddr,
        authority: Arc<Authority>,
        names: Vec<String>,
        revoked: Revoked,
    ) -> Result<Self, DoorError> {
        let failed = |error| DoorError::Listen(address, error);
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let identity = authority.server(&names, SystemTime::now())?;
        let tls = server_config(&identity, authority.roots(), Arc::new(revoked.clone()), authority.ticket_secret())?;
        Ok(Self { listener, tls, authority, names, revoked, address })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets clients in until `cancel`; then those inside get a second.
    pub(crate) async fn run(self, routes: Routes, homes: Homes, cancel: CancellationToken) {
        let Self { listener, tls, authority, names, revoked, address: _ } = self;
        let hall = Hall { tls: tls.clone(), routes, homes, revoked, cancel: cancel.clone() };
        let places = Places::of_this_process();
        info!(places = places.connections(), "door open");
        let mut renewals = interval_at(Instant::now() + RENEW, RENEW);
        let mut guests = Guests::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                _ = renewals.tick() => {
                    renew(&authority, &names, &tls);
                    continue;
                }
                Some(ended) = guests.join_next() => {
                    hall.see_on(ended, &mut guests);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => match places.enter(address.ip()) {
                    Some(guest) => drop(guests.spawn(hall.clone().receive(stream, address, guest).in_current_span())),
                    None => debug!(%address, "hung up: too many connections"),
                },
                Err(error) => {
                    warn!(%error, "connections cannot be accepted; trying again");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        while let Some(ended) = guests.join_next().await {
            hall.see_on(ended, &mut guests);
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of before linger a while after a restart.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn renew(authority: &Authority, names: &[String], tls: &ServerTls) {
    let renewed = authority
        .server(names, SystemTime::now())
        .map_err(|error| error.to_string())
        .and_then(|identity| tls.replace_identity(&identity).map_err(|error| error.to_string()));
    if let Err(error) = renewed {
        error!(error, "the certificate of this control plane cannot be renewed; miners will refuse it when it expires");
    }
}

/// Whoever is at the door or inside.
type Guests = JoinSet<Option<Stays>>;

/// A miner that stays, and its place.
struct Stays(AtHome, Guest);

impl Stays {
    async fn until_it_leaves(self, revoked: Revoked, cancel: CancellationToken) -> Option<Self> {
        let Self(miner, _place) = &self;
        miner.until_it_leaves(&revoked, &cancel).await;
        None
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Hall {
    tls: ServerTls,
    routes: Routes,
    homes: Homes,
    revoked: Revoked,
    cancel: CancellationToken,
}

impl Hall {
    /// Watches over a miner that stays from now on, in a task that keeps no more of it than that needs.
    fn see_on(&self, ended: Result<Option<Stays>, JoinError>, guests: &mut Guests) {
        match ended {
            Ok(None) => {}
            Ok(Some(miner)) => {
                let stay = miner.until_it_leaves(self.revoked.clone(), self.cancel.clone());
                guests.spawn(stay.in_current_span());
            }
            Err(error) => error!(%error, "a connection ended in a panic; please report it with the log"),
        }
    }

    /// Lets somebody in, and serves an operator to the end.
    async fn receive(self, stream: TcpStream, address: SocketAddr, mut guest: Guest) -> Option<Stays> {
        // A call is small and waited for.
        let _ = stream.set_nodelay(true);
        let shaking = async {
            let Ok(turn) = timeout(TURN, guest.handshake()).await else { return None };
            let accepted = self.tls.accept(stream, HANDSHAKE).await;
            drop(turn);
            Some(accepted)
        };
        let accepted = self.cancel.run_until_cancelled(Box::pin(shaking)).await.flatten()?;
        let failed = |error: &_| debug!(%address, %error, "handshake failed");
        let Accepted { stream, peer, alpn, resumed } = accepted.inspect_err(failed).ok()?;
        guest.shook_hands();
        debug!(%address, peer = peer.as_ref().map(ToString::to_string), ?alpn, resumed, "let in");
        match (alpn, peer) {
            (Alpn::Home, Some(peer)) if peer.kind == PeerKind::Miner => {
                let taking_in = Box::pin(self.homes.receive(stream, peer, address));
                let miner = self.cancel.run_until_cancelled(taking_in).await.flatten()?;
                return Some(Stays(miner, guest));
            }
            (Alpn::Home, peer) => {
                let who = peer.map_or_else(|| "somebody without a certificate".into(), |peer| peer.to_string());
                info!(%address, who, "only miners with their own certificates call home; hung up");
            }
            (Alpn::Http2, None) => {
                let Some(_leave) = guest.stranger() else {
                    debug!(%address, "hung up: too many connections without a certificate");
                    return None;
                };
                Box::pin(self.serve(stream, Dialler { peer: None, address })).await;
            }
            (Alpn::Http2, Some(peer)) => {
                let ended = self.revoked.clone();
                let dialler = Dialler { peer: Some(peer.clone()), address };
                tokio::select! {
                    () = Box::pin(self.serve(stream, dialler)) => {}
                    refusal = ended.ended(&peer) => info!(%address, %peer, %refusal, "hung up"),
                }
            }
        }
        None
    }

    async fn serve(&self, stream: ServerStream<TcpStream>, dialler: Dialler) {
        let address = dialler.address;
        if let Err(error) = serve_connection(stream, self.routes.clone(), dialler, self.cancel.clone()).await {
            debug!(%address, %error, "connection ended");
        }
    }
}
