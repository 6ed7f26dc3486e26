//! Bodies of calls on one connection, with its flow control: what is not read is not asked for, what cannot be sent waits.

use h2::{RecvStream, SendStream};
use http::HeaderMap;
use hyper::body::{Body, Bytes, Frame};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

/// What is still sent while the answer comes.
type Sending = Pin<Box<dyn Future<Output = Result<(), h2::Error>> + Send>>;

/// An answer that comes in.
pub(super) struct Incoming {
    received: RecvStream,
    has_data: bool,
    sending: Option<Sending>,
}

impl Incoming {
    pub(super) fn new<F>(received: RecvStream, sending: Option<Pin<Box<F>>>) -> Self
    where
        F: Future<Output = Result<(), h2::Error>> + Send + 'static,
    {
        Self { received, has_data: true, sending: sending.map(|sending| sending as Sending) }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if let Some(sending) = &mut self.sending
            && sending.as_mut().poll(context).is_ready()
        {
            // If it failed, the answer says why.
            self.sending = None;
        }
        if self.has_data {
            match self.received.poll_data(context) {
                Poll::Ready(Some(data)) => {
                    let data = data?;
                    // Whoever reads it has room for more.
                    self.received.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(None) => self.has_data = false,
                Poll::Pending => return Poll::Pending,
            }
        }
        let trailers: Poll<Result<Option<HeaderMap>, _>> = self.received.poll_trailers(context);
        trailers.map(|trailers| trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.received.is_end_stream()
    }
}

/// Sends a body to its end.
pub(super) async fn pump(body: tonic::body::Body, mut stream: SendStream<Bytes>) -> Result<(), h2::Error> {
    let mut body = std::pin::pin!(body);
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(frame) = frame else {
            // Whoever makes the call gave up.
            stream.send_reset(h2::Reason::CANCEL);
            return Ok(());
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => return stream.send_trailers(trailers),
                Err(_) => continue,
            },
        };
        send(&mut stream, data).await?;
    }
    stream.send_data(Bytes::new(), true)
}

/// Sends as the other end has room.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await.transpose()? else {
            // It is closed: the answer says why.
            return Ok(());
        };
        stream.send_data(data.split_to(room.min(data.len())), false)?;
    }
    Ok(())
}
