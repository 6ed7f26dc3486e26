//! Miners that call home: each to its place in the registry, one connection for each.
//!
//! ```text
//!              ┌ none, or it has ended ───────────────▶ attach
//! a miner  ──▶ │ one that does not answer ────────────▶ attach in its place
//! calls home   │ one of the same boot: it dialled anew ▶ attach in its place
//!              └ one of another boot that answers ────▶ two machines with one identity: quarantine
//! ```
//!
//! A connection that lost its network looks open for a while, so the first is asked before the second counts. Two that both
//! answer, of different boots, are two processes with one key: neither is trusted with a desired state until a person has
//! found out which is which.

use crate::{
    access::Caller,
    event::Events,
    identity::Revoked,
    registry::{Link, Miner, Registry},
    store::Store,
};
use mujina_core::id::MinerName;
use mujina_proto::{
    home::{Attached, attach},
    tls::{Peer, ServerStream},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// For a connection to begin, and for the answers that tell two of them apart.
const ANSWER: Duration = Duration::from_secs(5);

/// Where miners come home to. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Homes {
    registry: Registry,
    store: Store,
    events: Events,
}

impl Homes {
    pub(crate) fn new(registry: Registry, store: Store, events: Events) -> Self {
        Self { registry, store, events }
    }

    /// Takes a miner in; `None` = it was hung up.
    pub(crate) async fn receive(
        &self,
        stream: ServerStream<TcpStream>,
        peer: Peer,
        address: SocketAddr,
    ) -> Option<AtHome> {
        let Some(miner) = self.miner(&peer).await else {
            info!(%address, %peer, "it has a certificate and is not enrolled any more; hung up: revoke the certificate");
            return None;
        };
        let refused = match timeout(ANSWER, attach(stream)).await {
            Ok(Ok(connection)) => {
                if !self.replaces(&miner, &connection, address).await {
                    connection.close();
                    return None;
                }
                info!(miner.name = %miner.name, %address, "miner called home");
                miner.attach(connection.clone());
                return Some(AtHome { miner: miner.name.clone(), peer, address, connection });
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "nothing came in time".into(),
        };
        info!(%address, %peer, error = refused, "the miner speaks no HTTP/2; hung up");
        None
    }

    /// The miner of this certificate, known from now on if another process enrolled it.
    async fn miner(&self, peer: &Peer) -> Option<Arc<Miner>> {
        let name: MinerName = peer.name.as_str().parse().ok()?;
        if let Some(miner) = self.registry.get(&name) {
            return Some(miner);
        }
        let labels = match self.store.enrolled_miner(&name).await {
            Ok(labels) => labels?,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "the enrolment of a miner cannot be read");
                return None;
            }
        };
        let desired = self.store.desired_of(&name).await.ok()?;
        self.registry.enrolled(&name, labels, desired);
        self.registry.get(&name)
    }

    /// Whether a connection takes the place of the one before.
    async fn replaces(&self, miner: &Miner, connection: &Attached, address: SocketAddr) -> bool {
        let Some(before) = miner.home() else { return true };
        let [new, old] = [connection, &before].map(|one| Link::at(one.clone()));
        let (new, old) = tokio::join!(boot(&new), boot(&old));
        match (new, old) {
            (None, _) => {
                info!(miner.name = %miner.name, %address, "a second connection does not answer; hung up");
                false
            }
            (Some(_), None) => true,
            (Some(new), Some(old)) if new == old => true,
            (Some(new), Some(old)) => {
                // The process before may be answering its last calls.
                if timeout(ANSWER, before.ended()).await.is_ok() {
                    return true;
                }
                warn!(miner.name = %miner.name, %address, boot.id = new, boot.before = old, "one identity on two machines");
                let reason = format!(
                    "two machines use this identity (the second called from {}); find out which is the right one, revoke the \
                     certificates, enrol both anew, and release it",
                    address.ip()
                );
                self.quarantine(miner, &reason).await;
                false
            }
        }
    }

    async fn quarantine(&self, miner: &Miner, reason: &str) {
        let by = Caller::itself("home", "quarantine");
        let Self { registry, store, events } = self;
        if let Err(error) = registry.quarantine(store, events, &miner.name, reason, &by).await {
            error!(error = &error as &dyn std::error::Error, miner.name = %miner.name, "a quarantine cannot be stored");
        }
    }
}

/// A miner that was taken in.
#[derive(Debug)]
pub(crate) struct AtHome {
    miner: MinerName,
    peer: Peer,
    address: SocketAddr,
    connection: Attached,
}

impl AtHome {
    /// Waits until the connection ends, and ends it when its certificate counts no more, or on `cancel`.
    pub(crate) async fn until_it_leaves(&self, revoked: &Revoked, cancel: &CancellationToken) {
        let Self { miner, peer, address, connection } = self;
        tokio::select! {
            () = connection.ended() => info!(miner.name = %miner, %address, "miner hung up"),
            refusal = revoked.ended(peer) => {
                info!(miner.name = %miner, %address, %refusal, "hung up");
                connection.close();
            }
            () = cancel.cancelled() => connection.close(),
        }
    }
}

async fn boot(link: &Link) -> Option<String> {
    Some(timeout(ANSWER, link.status()).await.ok()?.ok()?.boot_id)
}
