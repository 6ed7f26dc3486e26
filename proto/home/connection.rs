//! A client on one connection that is there already.
//!
//! tonic's channel and hyper's client would do, and keep queues, tasks and services for each miner that a connection which is
//! never made anew has no use for: more memory than all that a control plane knows of the miner. So this is h2 itself, in one
//! task a connection.

use super::body::{Incoming, pump};
use crate::dial::WINDOWS;
use h2::{
    Ping, PingPong,
    client::{Builder, SendRequest},
};
use http::{
    Request, Response, Uri,
    uri::{Authority, Scheme},
};
use hyper::body::{Body as _, Bytes};
use hyper_util::rt::TokioExecutor;
use std::{
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, body::Body};
use tower::Service;

/// How often a connection is probed by the control plane, and how long the answer may take: below the timers of the NAT
/// boxes in between.
const PROBE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Calls whoever is at the other end. Cheap to clone; ends with the last clone.
#[derive(Debug, Clone)]
pub struct Connection(SendRequest<Bytes>);

impl Connection {
    /// Begins HTTP/2 as its client. Goes on until the connection ends or `close`; `ended` is dropped then.
    pub(super) async fn open<S>(stream: S, close: CancellationToken, ended: DropGuard) -> Result<Self, h2::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, mut connection) = Builder::new()
            .enable_push(false)
            // Headers of answers are few and short, and a table of them is kept for each connection.
            .header_table_size(0)
            .initial_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .handshake(stream)
            .await?;
        let pings = connection.ping_pong();
        hyper::rt::Executor::execute(&TokioExecutor::new(), async move {
            tokio::select! {
                // How it ended, its calls tell. Borrowed, because what is moved into `select!` takes its space twice.
                _ = &mut connection => {}
                () = unanswered(pings) => {}
                () = close.cancelled() => {}
            }
            drop(ended);
        });
        Ok(Self(sender))
    }
}

/// Probes a connection until there is no answer.
async fn unanswered(pings: Option<PingPong>) {
    let Some(mut pings) = pings else { return pending().await };
    loop {
        sleep(PROBE.0).await;
        if !matches!(timeout(PROBE.1, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = h2::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, h2::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        // The call waits for its turn.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sender = self.0.clone();
        let deadline = request.headers().get("grpc-timeout").and_then(|text| deadline(text.to_str().ok()?));
        Box::pin(async move {
            let Some(deadline) = deadline else { return exchange(sender, request).await };
            // Who set it waits no longer either.
            match timeout(deadline, exchange(sender, request)).await {
                Ok(answer) => answer,
                Err(_) => Ok(Status::deadline_exceeded("the miner did not answer in time").into_http()),
            }
        })
    }
}

/// Dropped before its end, the call is cancelled.
async fn exchange(sender: SendRequest<Bytes>, request: Request<Body>) -> Result<Response<Body>, h2::Error> {
    let mut sender = sender.ready().await?;
    let (mut head, body) = request.into_parts();
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    // Whom a call is for, nobody looks at.
    (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(Authority::from_static("miner")));
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    let (mut answer, stream) = sender.send_request(Request::from_parts(head, ()), body.is_end_stream())?;
    let mut sending = (!body.is_end_stream()).then(|| Box::pin(pump(body, stream)));
    let answer = loop {
        let Some(pumping) = &mut sending else { break answer.await? };
        tokio::select! {
            biased;
            sent = pumping => {
                // The other end may have all that it wants.
                drop(sent);
                sending = None;
            }
            answer = &mut answer => break answer?,
        }
    };
    Ok(answer.map(|received| Body::new(Incoming::new(received, sending))))
}

/// A time as gRPC writes it: up to eight digits and a unit.
fn deadline(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8 && !digits.starts_with('+'))?;
    match unit {
        "H" => Some(Duration::from_secs(number * 60 * 60)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_grpc_writes_them() {
        let millis = |text| deadline(text).map(|deadline| deadline.as_millis());
        let read = ["2H", "3M", "4S", "5m", "6000u", "7000000n"].map(millis);
        assert_eq!(read, [7_200_000, 180_000, 4000, 5, 6, 7].map(Some));
        assert_eq!(["", "S", "5", "5x", "-1S", "+1S", "123456789S", "5\u{fc}"].map(millis), [None; 8]);
        assert_eq!(millis("99999999H"), Some(99_999_999 * 3_600_000));
    }
}
