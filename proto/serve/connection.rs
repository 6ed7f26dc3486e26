//! Serving calls that come over one connection, whoever dialled it and whatever it runs over.

use super::{DRAIN, KEEPALIVE, MAX_STREAMS};
use crate::trace::TraceLayer;
use http::Request;
use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    pin::pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::{Layer, Service};

/// Serves calls until the connection ends, or until `cancel`: then calls under way get a second. Each call carries `mark` in
/// its extensions: what is known of the connection.
///
/// # Errors
/// The connection broke, or the other end did not answer a probe.
pub async fn serve_connection<S, M>(
    stream: S,
    routes: Routes,
    mark: M,
    cancel: CancellationToken,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    M: Clone + Send + Sync + 'static,
{
    let service = TowerToHyperService::new(Marked { inner: TraceLayer.layer(routes.prepare()), mark });
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            // Headers are few and short, and who sends them would keep a table of them for each connection.
            .header_table_size(0)
            .keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        ended = &mut connection => return ended,
        () = cancel.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // How it ends now is of no interest: the other end may hang up first.
    let _ = tokio::time::timeout(DRAIN, connection).await;
    Ok(())
}

/// Puts the mark of its connection on every call.
#[derive(Clone)]
struct Marked<S, M> {
    inner: S,
    mark: M,
}

impl<S, M, B> Service<Request<B>> for Marked<S, M>
where
    S: Service<Request<B>>,
    M: Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.mark.clone());
        self.inner.call(request)
    }
}
