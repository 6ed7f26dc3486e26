//! The way to a miner: dialled by us, or the connection on which it called home.

use http::{Request, Response};
use mujina_proto::{dial::Client, home::Attached};
use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::watch;
use tonic::body::Body;
use tower::{Service, ServiceExt};

/// Calls a miner, wherever it is. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Way {
    /// We dial it, with the first call and again whenever the connection was lost.
    Dialled(Client),
    /// It calls home: the newest connection, once there was one.
    Home(watch::Receiver<Option<Attached>>),
}

/// It is not connected.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it has not called home; is its data plane running, and can it reach this control plane?")]
pub struct NotAtHome;

impl Way {
    /// Waits until it makes sense to call.
    pub(super) async fn opens(&self) {
        if let Self::Home(connections) = self {
            let is_open = |newest: &Option<Attached>| newest.as_ref().is_some_and(|newest| !newest.has_ended());
            if connections.clone().wait_for(is_open).await.is_err() {
                // The registry is gone, and with it whoever could connect a miner.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Service<Request<Body>> for Way {
    type Response = Response<Body>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The connection of the moment is asked in the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self {
            Self::Dialled(client) => {
                let client = client.clone();
                Box::pin(async move { Ok(client.oneshot(request).await?) })
            }
            Self::Home(connections) => {
                let client = connections.borrow().as_ref().map(|newest| newest.client.clone());
                Box::pin(async move { Ok(client.ok_or(NotAtHome)?.oneshot(request).await?) })
            }
        }
    }
}
