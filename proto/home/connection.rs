//! A client on one connection that is there already.
//!
//! tonic's channel would do, and for each miner it keeps a queue, a task and services for what a connection that cannot be
//! made anew has no use for: more memory than all that a control plane knows of the miner.

use http::{Request, Response, Uri, uri::Authority, uri::Scheme};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, body::Body};
use tower::Service;

/// How often a connection is probed by the control plane, and how long the answer may take: below the timers of the NAT
/// boxes in between.
const PROBE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// Bytes that a miner may send before they are read: of one call, and of all.
const WINDOWS: (u32, u32) = (256 << 10, 1 << 20);
/// Whom calls are for; nobody looks at it.
const MINER: Authority = Authority::from_static("miner");

/// Calls whoever is at the other end. Cheap to clone; ends with the last clone.
#[derive(Debug, Clone)]
pub struct Connection(SendRequest<Body>);

impl Connection {
    /// Begins HTTP/2 as its client. Goes on until the connection ends or `close`; `ended` is dropped then.
    pub(super) async fn open<S>(stream: S, close: CancellationToken, ended: DropGuard) -> Result<Self, hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PROBE.0)
            .keep_alive_timeout(PROBE.1)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .handshake(TokioIo::new(stream))
            .await?;
        hyper::rt::Executor::execute(&TokioExecutor::new(), async move {
            // How it ended, its calls tell.
            let _ = close.run_until_cancelled(connection).await;
            drop(ended);
        });
        Ok(Self(sender))
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut uri = std::mem::take(&mut head.uri).into_parts();
        (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(MINER));
        head.uri = Uri::from_parts(uri).unwrap_or_default();
        let deadline = head.headers.get("grpc-timeout").and_then(|text| deadline(text.to_str().ok()?));
        let answer = self.0.send_request(Request::from_parts(head, body));
        Box::pin(async move {
            let answer = match deadline {
                None => answer.await?,
                // Who set it waits no longer either.
                Some(deadline) => match timeout(deadline, answer).await {
                    Ok(answer) => answer?,
                    Err(_) => return Ok(Status::deadline_exceeded("the miner did not answer in time").into_http()),
                },
            };
            Ok(answer.map(Body::new))
        })
    }
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
        assert_eq!(
            ["2H", "3M", "4S", "5m", "6000u", "7000000n"].map(millis),
            [Some(7_200_000), Some(180_000), Some(4000), Some(5), Some(6), Some(7)]
        );
        assert_eq!(["", "S", "5", "5x", "-1S", "+1S", "123456789S", "5\u{fc}"].map(millis), [None; 8]);
        assert_eq!(millis("99999999H"), Some(99_999_999 * 3_600_000));
    }
}
